//! The store behind PgBouncer in transaction mode: each transaction gets any of few connections.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use analytics_query::{Cell, Statement};
use analytics_store::postgres::{PostgresOptions, PostgresStore, StatementCache};
use analytics_store::{EventStore, Reading, StoreError};
use analytics_testkit::postgres::{self as servers, Database, Pooler};

use crate::contract::{
    CARDINALITY, Fixture, NOW, RETENTION, batch, columns, concurrency, erasure, event, letters, project, questions,
    schema, upkeep, work,
};
use crate::postgres::Shell;

/// Connections to a database: fewer than the clients open.
const CONNECTIONS: u16 = 4;

/// The pooler of all tests here, before the shared server of an edition.
fn pooler(edition: servers::Edition) -> &'static Pooler {
    static PLAIN: OnceLock<Pooler> = OnceLock::new();
    static TIMESCALE: OnceLock<Pooler> = OnceLock::new();
    let cell = if edition.has_timescale() { &TIMESCALE } else { &PLAIN };
    cell.get_or_init(|| Pooler::start(servers::shared(edition).unwrap().as_ref(), CONNECTIONS, &[]).unwrap())
}

async fn database(edition: servers::Edition) -> (Arc<Database>, String) {
    let make = move || {
        let database = servers::database(edition).unwrap();
        let url = pooler(edition).url(database.name());
        (Arc::new(database), url)
    };
    tokio::task::spawn_blocking(make).await.unwrap()
}

/// A store that reaches its database through the pooler only, its migrations too.
async fn open_on(edition: servers::Edition) -> Fixture {
    let (database, url) = database(edition).await;
    let options = PostgresOptions {
        statement_timeout: Duration::from_secs(1),
        cardinality: CARDINALITY,
        ..PostgresOptions::new(url)
    };
    let store = PostgresStore::connect(options).await.unwrap();
    assert!(store.migrate().await.unwrap() > 0);
    store.check_schema().await.unwrap();
    Fixture {
        store: Arc::new(store),
        operator: Box::new(Shell(Arc::clone(&database))),
        _guard: Box::new(Arc::clone(&database)),
    }
}

/// What touches every statement, and what runs beside itself.
macro_rules! behind_a_pooler {
    ($($edition:ident: $name:ident),*) => { $(
        mod $name {
            use super::*;

            async fn open() -> Fixture {
                open_on(servers::Edition::$edition).await
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn every_statement_runs() {
                questions::every_kind_of_parameter_and_cell(&open().await).await;
                questions::a_slow_question_ends_and_frees_its_connection(&open().await).await;
                questions::rows_come_one_by_one_until_no_more_are_wanted(&open().await).await;
                letters::a_replay_moves_the_counts(&open().await).await;
                letters::poison_is_found_and_put_aside(&open().await).await;
                erasure::what_is_queued_is_dropped_when_it_comes(&open().await).await;
                erasure::a_session_that_is_named_late_loses_what_it_had(&open().await).await;
                upkeep::old_events_go_and_rollups_stay(&open().await).await;
                schema::processes_may_migrate_at_once(&open().await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn writers_makers_and_erasures_run_beside_each_other() {
                concurrency::writers_of_the_same_ids_and_rollups_agree(&open().await).await;
                concurrency::writers_of_many_of_the_same_ids_agree(&open().await).await;
                columns::columns_hold_while_writers_and_makers_run(&open().await).await;
                erasure::an_erasure_runs_beside_writers_and_makers(&open().await).await;
                upkeep::upkeep_runs_beside_itself_and_writers(&open().await).await;
            }
        }
    )* };
}

behind_a_pooler! { Plain15: plain, Timescale17: timescale }

/// How many statements stand prepared on the connection that answers.
async fn prepared(url: String, statement_cache: StatementCache) -> Result<i64, StoreError> {
    let store = PostgresStore::connect(PostgresOptions { statement_cache, ..PostgresOptions::new(url) }).await?;
    let sql = "SELECT count(*) FROM pg_prepared_statements".to_owned();
    let rows = store.select(Reading::Primary, &Statement { sql, params: Vec::new() }).await?;
    let [Cell::Int(count)] = rows[0][..] else { panic!("{rows:?}") };
    Ok(count)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pooler_is_found() {
    let (database, pooled) = database(servers::Edition::Plain15).await;
    let server = Arc::clone(database.server());
    // One that drops what it does not know, where the other refuses it.
    let start = move || Pooler::start(&server, CONNECTIONS, &["ignore_startup_parameters = options"]).unwrap();
    let forgiving = tokio::task::spawn_blocking(start).await.unwrap();
    assert!(prepared(database.url(), StatementCache::Found).await.unwrap() > 0);
    assert_eq!(prepared(database.url(), StatementCache::Off).await.unwrap(), 0);
    assert_eq!(prepared(pooled, StatementCache::Found).await.unwrap(), 0);
    assert_eq!(prepared(forgiving.url(database.name()), StatementCache::Found).await.unwrap(), 0);
}

/// Why there is a setting: a name that stays prepared meets the same name of another client.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_of_prepared_statements_meet_in_a_pooler() {
    let (_database, url) = database(servers::Edition::Plain15).await;
    let statement_cache = StatementCache::On;
    PostgresStore::connect(PostgresOptions::new(url.as_str())).await.unwrap().migrate().await.unwrap();
    let mut errors = Vec::new();
    for id in 0..4 {
        match PostgresStore::connect(PostgresOptions { statement_cache, ..PostgresOptions::new(url.as_str()) }).await {
            Ok(store) => {
                let sent = [batch(&project("shop"), vec![event(id)])];
                errors.extend(store.ingest(&work(&sent), RETENTION, NOW).await.err());
            }
            Err(error) => errors.push(error),
        }
    }
    let told: Vec<String> = errors.iter().map(|error| format!("{error:?}")).collect();
    assert!(told.iter().any(|error| error.contains("prepared statement")), "{told:?}");
}
