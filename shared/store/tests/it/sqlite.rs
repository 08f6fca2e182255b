//! The contract on SQLite, and what only this adapter has to do.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use analytics_domain::EventOutcome::Stored;
use analytics_store::sqlite::{SqliteOptions, SqliteStore};
use analytics_store::{Edition, EventStore, StoreError};
use sqlx::Connection as _;

use crate::contract::budgets::{MANY, who_has_gone_is_not_answered};
use crate::contract::letters::REFUSE;
use crate::contract::schema::EMPTY;
use crate::contract::{CARDINALITY, Fixture, Operator, batch, event, project, store_contract, work};

struct Shell(PathBuf);

impl Operator for Shell {
    fn run(&self, sql: &str) {
        let sql = match sql {
            REFUSE => {
                "CREATE TRIGGER refuse BEFORE INSERT ON raw_events WHEN NEW.event_action = 'poison'
                 BEGIN SELECT RAISE(ABORT, 'refused by a rule'); END"
            }
            EMPTY => {
                "DROP TABLE raw_events; DROP TABLE daily_metrics; DROP TABLE session_users; DROP TABLE event_ids;
                 DROP TABLE event_ids_1; DROP TABLE event_ids_2; DROP TABLE receipt_counts; DROP TABLE newest_receipts;
                 DROP TABLE dead_letters; DROP TABLE settings; DROP TABLE schema_migrations; DROP TABLE column_marks;
                 DROP TABLE identity_changes; DROP TABLE identities; DROP TABLE identity_counters; DROP TABLE event_columns;
                 DROP TABLE erasures; DROP TABLE erasure_counters;
                 DROP TABLE block_counts; DROP TABLE block_marks;
                 DROP TABLE api_keys; DROP TABLE page_sessions; DROP TABLE saved_items; DROP TABLE project_settings"
            }
            MANY => {
                "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 240000)
                 INSERT INTO raw_events (id, project, session_id, user_id, event_type, event_action, metadata, timestamp, created_at)
                 SELECT randomblob(16), 'large', 's' || i / 100, 'u', 'type', 'action',
                     json_object('own', 'value ' || i, 'few', i % 100, 'n', i, 'text', replace(hex(zeroblob(10)), '0', 'abc')),
                     1793610000000000 - i * 3600000, 1793610000000000 FROM n"
            }
            other => other,
        };
        let url = format!("sqlite://{}", self.0.display());
        let run = async {
            let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        };
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(run));
    }
}

async fn open_at(path: &Path) -> Result<SqliteStore, StoreError> {
    let statement_timeout = Duration::from_secs(1);
    let options = SqliteOptions { statement_timeout, readers: 2, cardinality: CARDINALITY, ..SqliteOptions::default() };
    SqliteStore::open(path, options).await
}

async fn open() -> Fixture {
    open_with(Duration::from_secs(1)).await
}

async fn open_with(statement_timeout: Duration) -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.db");
    let options = SqliteOptions { statement_timeout, readers: 2, cardinality: CARDINALITY, ..SqliteOptions::default() };
    let store = SqliteStore::open(&path, options).await.unwrap();
    assert!(store.migrate().await.unwrap() > 0);
    Fixture { store: Arc::new(store), operator: Box::new(Shell(path)), _guard: Box::new(folder) }
}

store_contract!(open);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_there_after_opening_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.db");
    let store = open_at(&path).await.unwrap();
    store.migrate().await.unwrap();
    assert!(matches!(store.edition(), Edition::Sqlite { version } if version.starts_with("3.")));
    let project = project("shop");
    let sent = [batch(&project, vec![event(1)])];
    store.ingest(&work(&sent), crate::contract::RETENTION, crate::contract::NOW).await.unwrap();
    // A second store on the file is what `dead-letters` and `import` open where no server runs.
    let other = open_at(&path).await.unwrap();
    other.check_schema().await.unwrap();
    let more = [batch(&project, vec![event(1), event(2)])];
    let outcomes = other.ingest(&work(&more), crate::contract::RETENTION, crate::contract::NOW).await.unwrap();
    assert_eq!(outcomes[0].count(Stored), 1);
    store.close().await;
    other.close().await;
    assert!(!path.with_extension("db-wal").exists(), "the log is folded into the file");
    let again = open_at(&path).await.unwrap();
    assert_eq!(again.migrate().await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_store_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.db");
    std::fs::write(
        &path,
        "this is a text and no database, long enough to have a header of its own, and then some more of it",
    )
    .unwrap();
    assert!(matches!(open_at(&path).await, Err(StoreError::Unavailable { .. })));
    assert!(matches!(open_at(&folder.path().join("missing/events.db")).await, Err(StoreError::Unavailable { .. })));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_call_stores_all_or_nothing() {
    let fixture = open().await;
    let project = project("shop");
    for round in 0..40_u128 {
        let sent = [batch(&project, (0..500).map(|index| event(round * 500 + index)).collect())];
        let work = work(&sent);
        let call = fixture.ingest(&work);
        let _ = tokio::time::timeout(Duration::from_micros(200 * round as u64), call).await;
    }
    let stored = fixture.count("raw_events").await;
    assert_eq!(stored % 500, 0, "{stored}");
    let found = fixture.store.integrity(&project, crate::contract::NOW).await.unwrap();
    let drift = found.stored.values().next().copied();
    assert!(drift.is_none_or(|drift| drift.raw == drift.rollup && drift.raw == stored as u64), "{drift:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_erased_leaves_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.db");
    let store = open_at(&path).await.unwrap();
    store.migrate().await.unwrap();
    let project = project("shop");
    // Many people whose rows lie beside each other, columns made and made anew, pages that were split.
    for round in 0..8_u128 {
        let events = (0..500).map(|index| {
            let mut event = event(round * 500 + index);
            let session = index / 2 % 90;
            let (who, kind) = if session % 9 == 0 { ("Erasmus", "of Rotterdam") } else { ("Thomas", "of London") };
            event.session_id = format!("{who}'s session {session}").into();
            event.user_id = (index % 2 == 0).then(|| format!("{who} {kind}").into());
            event.metadata = format!(r#"{{"note":"{who} was here"}}"#).into();
            event.timestamp =
                crate::contract::NOW.saturating_add_micros(-(index as i64 % 7 * 900 + 10) * crate::contract::SECOND);
            event
        });
        let sent = [batch(&project, events.collect())];
        store.ingest(&work(&sent), crate::contract::RETENTION, crate::contract::NOW).await.unwrap();
        store.refresh().await.unwrap();
    }
    // In the log, in the file, or in both.
    let holds = |text: &str| {
        let files = [path.clone(), path.with_extension("db-wal")];
        files.iter().any(|file| {
            let bytes = std::fs::read(file).unwrap_or_default();
            bytes.windows(text.len()).any(|window| window == text.as_bytes())
        })
    };
    let erased = store.erase(&project, "Erasmus of Rotterdam", crate::contract::NOW).await.unwrap();
    assert!(erased.events > 200, "{erased:?}");
    while store.refresh().await.unwrap().left {}
    assert!(holds("Erasmus"), "deleting leaves bytes behind: else this proves nothing");
    let maintenance = |micros| analytics_store::Maintenance {
        now: crate::contract::NOW.saturating_add_micros(micros),
        retention: crate::contract::RETENTION,
        dedupe_days: 30,
    };
    store.maintain(maintenance(0)).await.unwrap();
    assert!(!holds("Erasmus") && holds("Thomas"));

    // The file is written anew once an hour at most.
    store.erase(&project, "Thomas of London", crate::contract::NOW).await.unwrap();
    store.maintain(maintenance(1_800 * crate::contract::SECOND)).await.unwrap();
    assert!(holds("Thomas"));
    store.maintain(maintenance(3_600 * crate::contract::SECOND)).await.unwrap();
    assert!(!holds("Thomas"));
    let found = store.integrity(&project, crate::contract::NOW).await.unwrap();
    assert!(found.stored.values().all(|day| day.raw == day.rollup && day.raw == day.columns), "{found:?}");
    store.close().await;
    let store = open_at(&path).await.unwrap();
    store.check_schema().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_upkeep_deletes_leaves_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.db");
    let store = open_at(&path).await.unwrap();
    store.migrate().await.unwrap();
    let project = project("shop");
    for round in 0..10_u128 {
        let sent = [batch(&project, (0..2_000).map(|index| event(round * 2_000 + index)).collect())];
        store.ingest(&work(&sent), crate::contract::RETENTION, crate::contract::NOW).await.unwrap();
    }
    let later = crate::contract::NOW.saturating_add_micros(200 * crate::contract::DAY);
    let maintenance =
        analytics_store::Maintenance { now: later, retention: crate::contract::RETENTION, dedupe_days: 30 };
    assert_eq!(store.maintain(maintenance).await.unwrap().raw_dropped, 20_000);
    store.close().await;
    let pragma = async |name: &'static str| {
        let mut connection = sqlx::SqliteConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap();
        sqlx::query_scalar::<_, i64>(sqlx::AssertSqlSafe(format!("PRAGMA {name}")))
            .fetch_one(&mut connection)
            .await
            .unwrap()
    };
    assert_eq!(pragma("freelist_count").await, 0);
    // The ids of 20,000 events stay; their rows were most of the file.
    assert!(pragma("page_count").await < 300, "{} pages", pragma("page_count").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_ends_with_who_asked() {
    who_has_gone_is_not_answered(&open_with(Duration::from_secs(60)).await).await;
}
