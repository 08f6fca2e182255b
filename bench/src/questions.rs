//! The api under a load of questions that no cache answers, over the events of one drain.

use std::sync::Arc;

use analytics_testkit::postgres::{Database, Edition, PostgresOptions, PostgresServer};
use serde_json::json;

use crate::program::{self, Program};
use crate::table::Table;
use crate::{Outcome, drain, wrk};

const KEY: &str = "bench_key_0123456789";
const CONNECTIONS: u32 = 16;
const SECONDS: u32 = 8;

/// Asks for a series, a ranking with distinct sessions by a metadata key, and a sum, in turn.
pub async fn measure(table: &mut Table) -> Outcome<()> {
    let server = Arc::new(PostgresServer::start(PostgresOptions::new(Edition::Timescale17))?);
    let database = Database::create(&server)?;
    drain::drain(&database, 0).await?;
    let port = program::free_port()?;
    let variables = [
        ("HOST", "127.0.0.1".to_owned()),
        ("PORT", port.to_string()),
        ("DATABASE_URL", database.url()),
        ("API_KEYS", KEY.to_owned()),
    ];
    let mut api = Program::start("api", &[], &variables)?;
    api.wait_for(&format!("http://127.0.0.1:{port}/health"))?;
    let bodies = [
        json!({ "metrics": ["events"], "dimensions": ["time:day"], "date_range": "30d" }),
        json!({ "metrics": ["events", "sessions"], "dimensions": ["metadata.path"], "date_range": "7d", "limit": 20 }),
        json!({ "metrics": ["sum:metadata.price"], "dimensions": ["event_type"], "date_range": "today" }),
    ]
    .map(|question| question.to_string());
    let authorization = format!("Bearer {KEY}");
    let headers = [("authorization", authorization.as_str()), ("cache-control", "no-cache")];
    let url = format!("http://127.0.0.1:{port}/api/query");
    let load = wrk::post_with(&url, &headers, &bodies, CONNECTIONS, SECONDS)?;
    if load.failures > 0 {
        return Err(format!("{} questions failed under load; the figures mean nothing", load.failures).into());
    }
    table.note(
        "api: three questions in turn over 300,000 events, 16 connections, no cache",
        format!("{:.0} answers/s, p99 {:.0} ms", load.requests_per_second, load.p99_ms),
    );
    table.at_most("api: peak memory under that load", api.peak_mb(), 128.0, "MB");
    Ok(())
}
