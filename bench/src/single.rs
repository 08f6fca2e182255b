//! The single process: what it accepts durably, what it stores meanwhile, and its memory.

use std::time::Duration;

use crate::program::{self, Program};
use crate::table::Table;
use crate::{Outcome, bodies, wrk};

const SECONDS: u32 = 10;

/// Posts bodies of 100 events to a fresh `analytics serve` in its durable default.
pub fn measure(table: &mut Table) -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let port = program::free_port()?;
    let variables = [
        ("PORT", port.to_string()),
        ("DATA_DIR", folder.path().display().to_string()),
        ("DURABILITY", "durable".into()),
        ("QUEUE_MAX_EVENTS", "1000000000".into()),
    ];
    let mut process = Program::start("analytics", &["serve"], &variables)?;
    let base = format!("http://127.0.0.1:{port}");
    process.wait_for(&format!("{base}/health"))?;
    std::thread::sleep(Duration::from_secs(3));
    table.at_most("single process: idle memory", process.resident_mb(), 40.0, "MB");
    let bodies: Vec<String> = (0..16).map(|seed| bodies::body(100, seed)).collect();
    let load = wrk::post(&format!("{base}/collect"), &bodies, 32, SECONDS)?;
    if load.failures > 0 {
        return Err(format!("{} requests failed under load; the figures mean nothing", load.failures).into());
    }
    table.at_least(
        "single process: accepted events/s, durable, 100 events a body",
        load.requests_per_second * 100.0,
        30_000.0,
        "events/s",
    );
    table.note("single process: p99 of these requests", format!("{:.1} ms", load.p99_ms));
    let accepted = load.requests as f64 * 100.0;
    let began = std::time::Instant::now();
    let runtime = tokio::runtime::Runtime::new()?;
    let client = reqwest::Client::new();
    let mut stored = 0.0;
    while stored < accepted && began.elapsed() < Duration::from_secs(180) {
        stored = runtime.block_on(crate::drain::counter(
            &client,
            &format!("{base}/metrics"),
            "analytics_events_processed_total",
        ))?;
        std::thread::sleep(Duration::from_millis(50));
    }
    let seconds = f64::from(SECONDS) + began.elapsed().as_secs_f64();
    table.note(
        "single process: stored events/s over the same load and its backlog",
        format!("{:.0} events/s", stored / seconds),
    );
    table.at_most("single process: peak memory under that load", process.peak_mb(), 512.0, "MB");
    Ok(())
}
