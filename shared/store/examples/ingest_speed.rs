//! How fast one process stores events: `ingest_speed postgres://... | PATH.db [events] [events a transaction] [writers]`.
//!
//! `IDS=v4` gives events random ids, `ACTIONS=n` so many different actions instead of 8.
//!
//! With `--rows FILE` as the only other argument it writes the same raw rows as COPY text instead, to be loaded with
//! `psql \copy` for comparison.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a measuring tool may panic and prints"
)]

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use analytics_domain::{Batch, Event, Project, Retention, Timestamp};
use analytics_store::postgres::{PostgresOptions, PostgresStore};
use analytics_store::sqlite::{SqliteOptions, SqliteStore};
use analytics_store::{EventStore, Ingest, IngestBatch};
use uuid::Uuid;

const NOW: Timestamp = Timestamp::from_micros(1_793_613_600_000_000);
/// Events of one body, as a busy page sends them.
const BATCH: usize = 100;

fn batches(events: usize) -> Vec<Batch<'static>> {
    let random = std::env::var("IDS").is_ok_and(|ids| ids == "v4");
    let actions = std::env::var("ACTIONS").map_or(0, |actions| actions.parse().unwrap());
    (0..events / BATCH).map(|batch| one_batch(batch, random, actions)).collect()
}

fn one_batch(number: usize, random: bool, actions: usize) -> Batch<'static> {
    let received_at = NOW.saturating_add_micros(number as i64 * 20_000);
    let events = (0..BATCH).map(|index| one_event(number * BATCH + index, received_at, random, actions)).collect();
    Batch {
        id: id_of((1 << 60) + number as u64, received_at, random),
        project: Project::default(),
        received_at,
        refused: Vec::new(),
        context: None,
        events,
    }
}

/// A UUIDv7 (or random one) that depends on the number alone.
fn id_of(number: u64, at: Timestamp, random: bool) -> Uuid {
    let mixed = u128::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
    if random {
        return uuid::Builder::from_random_bytes(mixed.to_be_bytes()).into_uuid();
    }
    let mut tail = [0; 10];
    tail[2..].copy_from_slice(&mixed.to_be_bytes()[..8]);
    tail[..2].copy_from_slice(&((number % 100) as u16).to_be_bytes());
    uuid::Builder::from_unix_timestamp_millis(at.as_millis() as u64, &tail).into_uuid()
}

fn one_event(number: usize, received_at: Timestamp, random: bool, actions: usize) -> Event<'static> {
    let session = number / 12;
    Event {
        id: id_of(number as u64, received_at, random),
        client_id: random,
        session_id: format!("session-{session:010}").into(),
        user_id: session.is_multiple_of(3).then(|| format!("user-{:08}", session % 5_000).into()),
        event_type: ["page", "click", "commerce", "form"][number % 4].into(),
        event_action: match actions {
            0 => ["view", "press", "add_to_cart", "checkout", "submit", "scroll", "search", "login"][number % 8].into(),
            actions => format!("action-{}", number.wrapping_mul(7_919) % actions).into(),
        },
        metadata: format!(
            r#"{{"path":"/products/{}","price":{}.5,"referrer":"https://example.com/","ms":{}}}"#,
            number % 500,
            number % 90,
            number % 1_700
        )
        .into(),
        timestamp: received_at.saturating_add_micros(-((number % 3_000) as i64) * 1_000),
    }
}

fn write_rows(path: &str, events: usize) {
    let mut text = String::new();
    for batch in batches(events) {
        for event in &batch.events {
            writeln!(
                text,
                "{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}",
                event.id,
                batch.project,
                event.session_id,
                event.user_id.as_deref().unwrap_or("\\N"),
                event.event_type,
                event.event_action,
                event.metadata,
                event.timestamp,
                batch.received_at
            )
            .unwrap();
        }
    }
    std::fs::write(path, text).unwrap();
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |index: usize, default: usize| arguments.get(index).map_or(default, |text| text.parse().unwrap());
    if arguments[0] == "--rows" {
        write_rows(&arguments[1], number(2, 300_000));
        return;
    }
    let (events, at_once, writers) = (number(1, 300_000), number(2, 1_000), number(3, 1));
    let store: Arc<dyn EventStore> = if arguments[0].starts_with("postgres") {
        Arc::new(PostgresStore::connect(PostgresOptions::new(&arguments[0])).await.unwrap())
    } else {
        Arc::new(SqliteStore::open(&arguments[0], SqliteOptions::default()).await.unwrap())
    };
    store.migrate().await.unwrap();
    let work: Arc<Vec<Batch<'static>>> = Arc::new(batches(events));
    let next = Arc::new(AtomicUsize::new(0));
    let begun = Instant::now();
    let tasks: Vec<_> = (0..writers)
        .map(|_| {
            let (store, work, next) = (Arc::clone(&store), Arc::clone(&work), Arc::clone(&next));
            tokio::spawn(async move {
                let step = (at_once / BATCH).max(1);
                loop {
                    let from = next.fetch_add(step, Ordering::Relaxed);
                    let Some(mine) = work.get(from..(from + step).min(work.len())).filter(|mine| !mine.is_empty())
                    else {
                        break;
                    };
                    let batches = mine
                        .iter()
                        .map(|batch| IngestBatch {
                            batch: std::borrow::Cow::Borrowed(batch),
                            failed: vec![],
                            attempt: 1,
                        })
                        .collect();
                    store.ingest(&Ingest { batches, ..Ingest::default() }, Retention { days: 90 }, NOW).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let took = begun.elapsed();
    println!(
        "{events} events, {at_once} a transaction, {writers} writers: {:.2} s, {:.0} events a second",
        took.as_secs_f64(),
        events as f64 / took.as_secs_f64()
    );
}
