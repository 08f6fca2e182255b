//! From start to the first answer, each binary with its servers running.

use std::time::Duration;

use analytics_testkit::postgres::{Database, Edition, PostgresOptions, PostgresServer};
use analytics_testkit::redis::{RedisOptions, RedisServer};

use crate::Outcome;
use crate::program::{self, Program};
use crate::table::{Table, median};

const TURNS: usize = 5;

/// Starts each binary five times; the first start of the processor, which makes the schema, is not counted.
pub fn measure(table: &mut Table) -> Outcome<()> {
    let redis = RedisServer::start(RedisOptions::default())?;
    let server = std::sync::Arc::new(PostgresServer::start(PostgresOptions::new(Edition::Timescale17))?);
    let database = Database::create(&server)?;
    for name in ["processor", "collector", "api", "realtime", "analytics"] {
        let mut times = Vec::new();
        for turn in 0..=TURNS {
            let folder = tempfile::tempdir()?;
            let port = program::free_port()?;
            let mut variables = vec![
                ("HOST", "127.0.0.1".to_owned()),
                ("PORT", port.to_string()),
                ("METRICS_PORT", port.to_string()),
                ("DATA_DIR", folder.path().display().to_string()),
                ("API_KEYS", "bench_key_0123456789".into()),
            ];
            if name != "analytics" {
                variables.push(("REDIS_URL", redis.url()));
                variables.push(("DATABASE_URL", database.url()));
            }
            let took = Program::start(name, &[], &variables)?.wait_for(&format!("http://127.0.0.1:{port}/health"))?;
            if turn > 0 {
                times.push(took.as_secs_f64() * 1_000.0);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        table.at_most(&format!("start to first healthy answer: {name}"), median(times), 300.0, "ms");
    }
    Ok(())
}
