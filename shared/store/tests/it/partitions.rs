//! Chunks and partitions of raw events: made ahead in any width, moved into, and dropped.

use std::sync::Arc;

use analytics_domain::{Retention, Timestamp};
use analytics_store::postgres::{PostgresOptions, PostgresStore};
use analytics_store::{Edition, EventStore, Maintenance, Upkeep};
use analytics_testkit::postgres::{self as servers, Database};

use crate::contract::{DAY, batch, event, project, work};

/// A day of a store that is new: its first partition ends two days after it.
fn today(database: &Database) -> Timestamp {
    let micros =
        database.psql("SELECT (extract(epoch FROM date_trunc('day', now() AT TIME ZONE 'UTC')) * 1000000)::int8");
    Timestamp::from_micros(micros.unwrap().parse().unwrap())
}

async fn database(edition: servers::Edition) -> Arc<Database> {
    Arc::new(tokio::task::spawn_blocking(move || servers::database(edition)).await.unwrap().unwrap())
}

async fn open(database: &Database, chunk_days: u32) -> PostgresStore {
    let store =
        PostgresStore::connect(PostgresOptions { chunk_days, ..PostgresOptions::new(database.url()) }).await.unwrap();
    store.migrate().await.unwrap();
    store
}

async fn put(store: &PostgresStore, id: u128, timestamp: Timestamp) {
    let mut event = event(id);
    event.timestamp = timestamp;
    let sent = [batch(&project("shop"), vec![event])];
    store.ingest(&work(&sent), Retention { days: 0 }, timestamp).await.unwrap();
}

async fn keep_up(store: &PostgresStore, now: Timestamp, days: u32) -> Upkeep {
    store.maintain(Maintenance { now, retention: Retention { days }, dedupe_days: 30 }).await.unwrap()
}

/// Which table each event lies in, in the order of ids, without its day.
fn places(database: &Database) -> Vec<String> {
    let rows = database.psql("SELECT tableoid::regclass FROM raw_events ORDER BY id").unwrap();
    rows.lines().map(|name| name.trim_end_matches(|letter: char| letter.is_ascii_digit()).to_owned()).collect()
}

/// How wide the partitions with two bounds are, in days, the oldest first.
fn widths(database: &Database) -> Vec<i64> {
    let bounds = "
        SELECT extract(epoch FROM (m.bounds[2]::timestamptz - m.bounds[1]::timestamptz))::int8 / 86400
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid,
            LATERAL regexp_match(pg_get_expr(c.relpartbound, c.oid), 'FROM \\(''(.*)''\\) TO \\(''(.*)''\\)') AS m (bounds)
        WHERE i.inhparent = 'raw_events'::regclass AND m.bounds IS NOT NULL ORDER BY m.bounds[1]::timestamptz";
    database.psql(bounds).unwrap().lines().map(|days| days.parse().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_are_made_ahead_in_any_width_and_dropped_whole() {
    let database = database(servers::Edition::Plain15).await;
    let store = open(&database, 7).await;
    let today = today(&database);
    let at = |days: i64| today.saturating_add_micros(days * DAY);
    // Now, long ago, and where nobody has made a partition yet.
    for (id, days) in [(1, 0), (2, -80), (3, 3), (4, 40)] {
        put(&store, id, at(days)).await;
    }
    assert_eq!(places(&database), ["raw_events_first", "raw_events_first", "raw_events_rest", "raw_events_rest"]);

    let made = keep_up(&store, today, 90).await.made;
    let weeks = widths(&database);
    assert_eq!(made as usize, weeks.len());
    assert!((1..=2).contains(&weeks.len()) && weeks.iter().all(|days| (1..=7).contains(days)), "{weeks:?}");
    assert_eq!(places(&database)[2..], ["raw_events_", "raw_events_rest"], "what was there of it was moved");
    assert_eq!(keep_up(&store, today, 90).await.made, 0);

    // Wider ones from now on; those that are there stay.
    let wide = open(&database, 30).await;
    keep_up(&wide, today, 90).await;
    let mixed = widths(&database);
    assert_eq!(mixed[..weeks.len()], weeks);
    assert!(mixed[weeks.len()..].iter().all(|days| *days <= 30) && mixed.len() > weeks.len(), "{mixed:?}");
    keep_up(&wide, at(60), 0).await;
    assert_eq!(widths(&database)[mixed.len()], 30);
    assert!(!places(&database).contains(&"raw_events_rest".to_owned()));

    // And narrower ones again.
    let narrow = open(&database, 1).await;
    keep_up(&narrow, at(130), 0).await;
    assert_eq!(*widths(&database).last().unwrap(), 1);
    let asked = narrow.integrity(&project("shop"), at(-100)).await.unwrap();
    assert!(asked.stored.values().all(|drift| drift.raw == 1 && drift.rollup == 1), "{asked:?}");
    assert_eq!(asked.stored.len(), 4);

    // Retention takes what is wholly too old, and rows of the one without beginning.
    let before = widths(&database).len();
    assert_eq!(keep_up(&narrow, at(20), 90).await.raw_dropped, 1, "the event of 80 days ago");
    assert_eq!((places(&database).len(), widths(&database).len()), (3, before));
    keep_up(&narrow, at(50), 30).await;
    assert_eq!(places(&database).len(), 1, "{:?}", places(&database));
    assert!(widths(&database).len() < before);
    assert_eq!(database.psql("SELECT to_regclass('raw_events_first') IS NULL").unwrap(), "t");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_from_before_there_were_partitions_becomes_the_first() {
    let database = database(servers::Edition::Plain15).await;
    let earlier: String = ["0001_events", "0002_columns", "0003_erasures", "0004_blocks"]
        .iter()
        .map(|name| {
            let path = format!("{}/../../migrations/timescale/{name}.sql", env!("CARGO_MANIFEST_DIR"));
            std::fs::read_to_string(path).unwrap()
        })
        .collect();
    database.psql(&earlier).unwrap();
    database
        .psql(
            "CREATE TABLE schema_migrations (number INT8 PRIMARY KEY, name TEXT NOT NULL, applied_at TIMESTAMPTZ DEFAULT now());
             INSERT INTO schema_migrations (number, name) VALUES (1, 'events'), (2, 'columns'), (3, 'erasures'), (4, 'blocks');
             DROP ROLE IF EXISTS reader_of_partitions;
             CREATE ROLE reader_of_partitions;
             GRANT SELECT ON raw_events TO reader_of_partitions;
             INSERT INTO raw_events (id, project, session_id, event_type, event_action, timestamp, created_at)
             SELECT gen_random_uuid(), 'shop', 's', 't', 'a', now() + INTERVAL '10 days' - i * INTERVAL '1 day', now()
             FROM generate_series(1, 100) i",
        )
        .unwrap();
    let store = PostgresStore::connect(PostgresOptions::new(database.url())).await.unwrap();
    assert_eq!(store.migrate().await.unwrap(), 2);
    assert_eq!(database.psql("SELECT count(*) FROM raw_events_first").unwrap(), "100");
    assert_eq!(database.psql("SELECT count(*) FROM raw_events").unwrap(), "100");
    let may = "SELECT has_table_privilege('reader_of_partitions', 'raw_events', 'SELECT')";
    assert_eq!(database.psql(may).unwrap(), "t");
    // The new ones have the index too.
    keep_up(&store, today(&database).saturating_add_micros(30 * DAY), 0).await;
    let indexes = "SELECT count(*) FILTER (WHERE NOT EXISTS (
            SELECT FROM pg_index x WHERE x.indrelid = i.inhrelid AND x.indisvalid)), count(*)
        FROM pg_inherits i WHERE i.inhparent = 'raw_events'::regclass";
    let counted = database.psql(indexes).unwrap();
    assert!(counted.starts_with("0|") && counted != "0|2", "{counted}");
    database.psql("REVOKE ALL ON raw_events, raw_events_first FROM reader_of_partitions").unwrap();
    database.psql("DROP ROLE reader_of_partitions").unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chunks_are_made_in_any_width() {
    let database = database(servers::Edition::Timescale17).await;
    let today = today(&database);
    let at = |days: i64| today.saturating_add_micros(days * DAY);
    let store = open(&database, 7).await;
    assert!(!matches!(store.edition(), Edition::Postgres { .. }));
    put(&store, 1, at(0)).await;
    keep_up(&store, today, 90).await;
    let wide = open(&database, 30).await;
    assert!(keep_up(&wide, at(30), 90).await.made > 0);
    put(&wide, 2, at(61)).await;
    let widths = "SELECT DISTINCT extract(epoch FROM (range_end - range_start))::int8 / 86400
        FROM timescaledb_information.chunks WHERE hypertable_name = 'raw_events' ORDER BY 1";
    let found = database.psql(widths).unwrap();
    assert!(found.starts_with("7\n") && found.ends_with("30"), "{found}");
    assert_eq!(keep_up(&wide, at(30), 90).await.made, 0);
    // Whole chunks of either width go.
    assert!(keep_up(&wide, at(140), 90).await.raw_dropped > 0);
    assert_eq!(database.psql("SELECT count(*) FROM raw_events").unwrap(), "1");
}

/// No package brings the community licence: `ANALYTICS_TIMESCALE_PROGRAMS` names the programs of one that was built by hand.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "wants a TimescaleDB under its community licence"]
async fn compressed_chunks_take_late_events_and_erasures() {
    let database = database(servers::Edition::Timescale17).await;
    let today = today(&database);
    let at = |days: i64| today.saturating_add_micros(days * DAY);
    let store = open(&database, 7).await;
    assert!(matches!(store.edition(), Edition::TimescaleCommunity { .. }), "{}", store.edition());
    let named = |id: u128, days: i64| {
        let mut event = event(id);
        let user = if id.is_multiple_of(2) { "ann" } else { "bob" };
        (event.timestamp, event.session_id, event.user_id) = (at(days), user.into(), Some(user.into()));
        event
    };
    let old: Vec<_> = (0..4_000).map(|id| named(id, -30 - (id % 3) as i64 * 7)).collect();
    for sent in old.chunks(1_000) {
        store.ingest(&work(&[batch(&project("shop"), sent.to_vec())]), Retention { days: 0 }, today).await.unwrap();
    }
    while store.refresh().await.unwrap().left {}
    assert!(keep_up(&store, today, 90).await.compressed >= 3);
    let compressed = "SELECT count(*) FROM timescaledb_information.chunks WHERE is_compressed";
    assert!(database.psql(compressed).unwrap().parse::<u32>().unwrap() >= 3);
    assert_eq!(keep_up(&store, today, 90).await.compressed, 0, "all is done");

    // Late events, one of them again, by a statement and by COPY.
    let late: Vec<_> = (3_999..6_000).map(|id| named(id, -30)).collect();
    for sent in [&late[..10], &late[10..]] {
        store.ingest(&work(&[batch(&project("shop"), sent.to_vec())]), Retention { days: 0 }, today).await.unwrap();
    }
    let count = "SELECT count(*), count(DISTINCT id), count(*) FILTER (WHERE user_id = 'ann') FROM raw_events";
    assert_eq!(database.psql(count).unwrap(), "6000|6000|3000");
    // An erasure unpacks more than a transaction may by itself.
    database
        .psql(&format!(
            "ALTER DATABASE {} SET timescaledb.max_tuples_decompressed_per_dml_transaction = 100",
            database.name()
        ))
        .unwrap();
    let store = open(&database, 7).await;
    let erased = store.erase(&project("shop"), "ann", today).await.unwrap();
    assert_eq!(erased.events, 3_000);
    assert_eq!(database.psql(count).unwrap(), "3000|3000|0");
    while store.refresh().await.unwrap().left {}
    let account = store.integrity(&project("shop"), at(-60)).await.unwrap();
    let agrees = |drift: &analytics_store::Drift| drift.raw == drift.rollup && drift.raw == drift.columns;
    assert!(account.stored.values().all(agrees) && !account.stored.is_empty(), "{account:?}");

    // What has come since is packed the next day, and goes with its chunk.
    assert_eq!(keep_up(&store, today, 90).await.compressed, 0);
    assert!(keep_up(&store, at(1), 90).await.compressed > 0);
    assert_eq!(database.psql(count).unwrap(), "3000|3000|0");
    assert!(keep_up(&store, at(2), 20).await.raw_dropped > 0);
    assert_eq!(database.psql(count).unwrap(), "0|0|0");
}
