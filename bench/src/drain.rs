//! One processor against `psql \copy` of the same rows into the same table with the same indexes.

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use analytics_testkit::postgres::{Database, Edition, PostgresOptions, PostgresServer};
use analytics_testkit::redis::{RedisOptions, RedisServer};
use futures::StreamExt;

use crate::program::{self, Program};
use crate::table::{Table, median};
use crate::{Outcome, bodies};

/// Events of a turn.
const EVENTS: usize = 300_000;
/// Events of a queued batch.
const A_BODY: usize = 100;
const TURNS: usize = 3;

/// Drains and copies in turns, on one server that syncs its commits.
pub async fn measure(table: &mut Table) -> Outcome<()> {
    let mut options = PostgresOptions::new(Edition::Timescale17);
    options.durable = true;
    options.settings.push(("shared_buffers".into(), "1GB".into()));
    options.settings.push(("max_wal_size".into(), "8GB".into()));
    let server = Arc::new(PostgresServer::start(options)?);
    let (mut ratios, mut drained, mut copied, mut peak) = (Vec::new(), Vec::new(), Vec::new(), 0.0_f64);
    let mut shares = Vec::new();
    for turn in 0..TURNS {
        let database = Database::create(&server)?;
        let (rate, memory, cpu) = drain(&database, turn as u64).await?;
        let copy = copy(&server, &database)?;
        ratios.push(rate / copy);
        drained.push(rate);
        copied.push(copy);
        peak = peak.max(memory);
        shares.push(cpu);
    }
    let rows = |rates: Vec<f64>| format!("{:.0} rows/s", median(rates));
    table.ratio(
        "drain, one processor, 1,000 events a transaction, against \\copy",
        rows(drained),
        rows(copied),
        median(ratios),
        0.75,
    );
    table.note("drain: CPU of the processor an event", format!("{:.1} us", median(shares)));
    table.at_most("drain: peak memory of the processor", peak, 128.0, "MB");
    Ok(())
}

/// Fills the queue, then lets one processor drain it; rows a second, peak MB, CPU microseconds an event.
pub async fn drain(database: &Database, seed: u64) -> Outcome<(f64, f64, f64)> {
    let redis = RedisServer::start(RedisOptions::default())?;
    fill(&redis, seed).await?;
    let port = program::free_port()?;
    let mut processor = Program::start(
        "processor",
        &[],
        &[
            ("METRICS_PORT", port.to_string()),
            ("HOST", "127.0.0.1".into()),
            ("REDIS_URL", redis.url()),
            ("DATABASE_URL", database.url()),
            ("BATCH_SIZE", "1000".into()),
        ],
    )?;
    let url = format!("http://127.0.0.1:{port}");
    processor.wait_for(&format!("{url}/health/live"))?;
    let client = reqwest::Client::new();
    let mut first: Option<(Instant, f64)> = None;
    let deadline = Instant::now() + Duration::from_secs(180);
    loop {
        let processed = counter(&client, &format!("{url}/metrics"), "analytics_events_processed_total").await?;
        let now = Instant::now();
        match first {
            None if processed > 0.0 => first = Some((now, processed)),
            Some((since, before)) if processed >= EVENTS as f64 => {
                let rate = (processed - before) / now.duration_since(since).as_secs_f64();
                return Ok((rate, processor.peak_mb(), processor.cpu_seconds() * 1e6 / EVENTS as f64));
            }
            _ if now > deadline => {
                return Err(format!("only {processed} of {EVENTS} events were drained in 180 s").into());
            }
            _ => {}
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Posts the events through a collector, so that the queue holds what it holds in production.
async fn fill(redis: &RedisServer, seed: u64) -> Outcome<()> {
    let port = program::free_port()?;
    let variables = [("HOST", "127.0.0.1".into()), ("PORT", port.to_string()), ("REDIS_URL", redis.url())];
    let mut collector = Program::start("collector", &[], &variables)?;
    collector.wait_for(&format!("http://127.0.0.1:{port}/health"))?;
    let client = reqwest::Client::new();
    let posts = (0..EVENTS / A_BODY).map(|index| {
        let request = client
            .post(format!("http://127.0.0.1:{port}/collect"))
            .header("content-type", "application/json")
            .body(bodies::body(A_BODY, seed * 1_000_000 + index as u64));
        async move { Ok::<bool, reqwest::Error>(request.send().await?.status().as_u16() == 202) }
    });
    let mut answers = futures::stream::iter(posts).buffer_unordered(16);
    while let Some(answer) = answers.next().await {
        if !answer? {
            return Err("the collector refused a body while the queue was filled".into());
        }
    }
    Ok(())
}

/// The value of a counter on a metrics page; 0 where it is not there yet.
pub async fn counter(client: &reqwest::Client, url: &str, name: &str) -> Outcome<f64> {
    let page = client.get(url).send().await?.text().await?;
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    let values = lines.filter_map(|line| {
        let (series, value) = line.rsplit_once(' ')?;
        (series.split('{').next()? == name).then(|| value.parse::<f64>().ok())?
    });
    Ok(values.sum())
}

/// Copies the rows that were drained into an empty table of the same schema with `psql \copy`; rows a second.
fn copy(server: &Arc<PostgresServer>, full: &Database) -> Outcome<f64> {
    let file = tempfile::Builder::new().suffix(".copy").tempfile()?;
    let path = file.path().display();
    psql(full, &format!("\\copy (SELECT * FROM raw_events ORDER BY created_at) TO '{path}'"))?;
    let empty = Database::create(server)?;
    let migrated = Command::new(program::binary("analytics")?)
        .arg("migrate")
        .env("DATABASE_URL", empty.url())
        .env("LOG_LEVEL", "warn")
        .status()?;
    if !migrated.success() {
        return Err("analytics migrate failed".into());
    }
    psql(&empty, "SELECT count(*) FROM raw_events")?;
    let began = Instant::now();
    psql(&empty, &format!("\\copy raw_events FROM '{path}'"))?;
    Ok(EVENTS as f64 / began.elapsed().as_secs_f64())
}

fn psql(database: &Database, command: &str) -> Outcome<()> {
    let url = database.url();
    let output = Command::new("psql")
        .args(["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--command", command, &url])
        .output()?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned().into()) }
}
