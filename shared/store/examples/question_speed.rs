//! How fast questions are answered: `question_speed postgres://... | PATH.db [rounds]`; columns are made first.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a measuring tool may panic and prints"
)]

use std::sync::Arc;
use std::time::Instant;

use analytics_domain::{Project, Retention, Timestamp};
use analytics_query::Question;
use analytics_store::postgres::{PostgresOptions, PostgresStore};
use analytics_store::sqlite::{SqliteOptions, SqliteStore};
use analytics_store::{EventStore, answer};
use serde_json::json;

const NOW: Timestamp = Timestamp::from_micros(1_793_613_600_000_000);

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let rounds: usize = arguments.get(1).map_or(10, |text| text.parse().unwrap());
    let store: Arc<dyn EventStore> = if arguments[0].starts_with("postgres") {
        Arc::new(PostgresStore::connect(PostgresOptions::new(&arguments[0])).await.unwrap())
    } else {
        Arc::new(SqliteStore::open(&arguments[0], SqliteOptions::default()).await.unwrap())
    };
    store.migrate().await.unwrap();
    let began = Instant::now();
    let mut events = 0;
    loop {
        let refreshed = store.refresh().await.unwrap();
        events += refreshed.events;
        if !refreshed.left {
            break;
        }
    }
    println!("columns of {events} events in {:.1} s", began.elapsed().as_secs_f64());
    let questions = [
        ("overview", json!({"metrics": ["events", "sessions", "visitors"], "date_range": "30d"})),
        ("trend by day", json!({"metrics": ["events", "visitors"], "date_range": "30d", "dimensions": ["time:day"]})),
        (
            "trend by day, Kathmandu",
            json!({"metrics": ["events", "visitors"], "date_range": "30d", "timezone": "Asia/Kathmandu", "dimensions": ["time:day"]}),
        ),
        (
            "uniques of one type",
            json!({"metrics": ["visitors"], "date_range": "30d", "filters": [["is", "event_type", ["click"]]]}),
        ),
        (
            "by action, sessions",
            json!({"metrics": ["events", "sessions"], "date_range": "30d", "dimensions": ["event_action"]}),
        ),
        (
            "by path, sessions",
            json!({"metrics": ["events", "sessions"], "date_range": "30d", "dimensions": ["metadata.path"], "limit": 10}),
        ),
        (
            "sum of price by country",
            json!({"metrics": ["sum:metadata.price"], "date_range": "30d", "dimensions": ["metadata.country"]}),
        ),
    ];
    for (name, question) in questions {
        let question = Question::from_json(&question).unwrap();
        let mut times: Vec<f64> = Vec::new();
        let mut source = String::new();
        for _ in 0..rounds {
            let began = Instant::now();
            let answer =
                answer(store.as_ref(), &question, &Project::default(), Retention { days: 90 }, NOW).await.unwrap();
            times.push(began.elapsed().as_secs_f64() * 1_000.0);
            source = format!("{:?} {:?}", answer.meta.source, answer.results.first().map(|row| row.metrics.clone()));
        }
        times.sort_by(f64::total_cmp);
        println!("{name:<28} p50 {:8.1} ms  max {:8.1} ms  {source}", times[times.len() / 2], times[times.len() - 1]);
    }
}
