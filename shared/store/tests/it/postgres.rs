//! The contract on PostgreSQL, and what only this adapter has to do.

use std::sync::Arc;
use std::time::Duration;

use analytics_domain::EventOutcome::{Duplicate, Stored};
use analytics_query::Cell;
use analytics_store::postgres::{PostgresOptions, PostgresStore, StatementCache, create_database};
use analytics_store::{Edition, EventStore, StoreError};
use analytics_testkit::postgres::{self as servers, Database, PostgresServer};

use crate::contract::budgets::{MANY, who_has_gone_is_not_answered};
use crate::contract::columns::FIRST_SCHEMA;
use crate::contract::letters::REFUSE;
use crate::contract::schema::EMPTY;
use crate::contract::{CARDINALITY, Fixture, NOW, Operator, RETENTION, batch, event, project, work};

/// `psql` on the scenario's database.
pub(crate) struct Shell(pub(crate) Arc<Database>);

/// Makes one table of the first partition again, where there are partitions.
const WITHOUT_PARTITIONS: &str = "
    DO $$ BEGIN
        IF to_regclass('raw_events_first') IS NOT NULL THEN
            ALTER TABLE raw_events DETACH PARTITION raw_events_first;
            DROP TABLE raw_events;
            ALTER TABLE raw_events_first RENAME TO raw_events;
            ALTER INDEX idx_raw_events_first_time RENAME TO idx_raw_events_time;
        END IF;
    END $$";

impl Operator for Shell {
    fn run(&self, sql: &str) {
        let whole = format!("{FIRST_SCHEMA}; {WITHOUT_PARTITIONS}");
        let sql = match sql {
            FIRST_SCHEMA => whole.as_str(),
            REFUSE => "ALTER TABLE raw_events ADD CONSTRAINT refuse CHECK (event_action <> 'poison')",
            EMPTY => {
                "DROP TABLE raw_events; DROP TABLE daily_metrics, session_users, event_ids, event_ids_1, event_ids_2, receipt_counts,
                    newest_receipts, dead_letters, settings, schema_migrations, column_marks, identity_changes, identities,
                    identity_counters, event_columns, erasures, erasure_counters, block_counts, block_marks,
                    api_keys, page_sessions, saved_items, project_settings"
            }
            MANY => {
                "INSERT INTO raw_events (id, project, session_id, user_id, event_type, event_action, metadata, timestamp, created_at)
                 SELECT gen_random_uuid(), 'large', 's' || i / 100, 'u', 'type', 'action',
                     jsonb_build_object('own', 'value ' || i, 'few', i % 100, 'n', i, 'text', repeat('abc', 20)),
                     TIMESTAMPTZ '2026-11-02T09:00:00Z' - i * INTERVAL '3.6 seconds', TIMESTAMPTZ '2026-11-02T09:00:00Z'
                 FROM generate_series(1, 240000) AS i"
            }
            other => other,
        };
        self.0.psql(sql).unwrap();
    }
}

fn options(database: &Database) -> PostgresOptions {
    let statement_timeout = Duration::from_secs(1);
    PostgresOptions { statement_timeout, cardinality: CARDINALITY, ..PostgresOptions::new(database.url()) }
}

async fn open_on(edition: servers::Edition, change: impl FnOnce(&mut PostgresOptions)) -> (Fixture, Arc<Database>) {
    let database = Arc::new(tokio::task::spawn_blocking(move || servers::database(edition)).await.unwrap().unwrap());
    let mut options = options(&database);
    change(&mut options);
    let store = PostgresStore::connect(options).await.unwrap();
    assert!(store.migrate().await.unwrap() > 0);
    let fixture = Fixture {
        store: Arc::new(store),
        operator: Box::new(Shell(Arc::clone(&database))),
        _guard: Box::new(Arc::clone(&database)),
    };
    (fixture, database)
}

mod plain {
    use crate::contract::{Fixture, store_contract};

    async fn open() -> Fixture {
        super::open_on(super::servers::Edition::Plain15, |_| {}).await.0
    }

    store_contract!(open);
}

mod timescale {
    use crate::contract::{Fixture, store_contract};

    async fn open() -> Fixture {
        super::open_on(super::servers::Edition::Timescale17, |_| {}).await.0
    }

    store_contract!(open);
}

/// Without prepared statements, as behind a pooler: what touches most statements is enough.
mod unprepared {
    use crate::contract::{Fixture, concurrency, erasure, letters, questions, upkeep};

    async fn open() -> Fixture {
        super::open_on(super::servers::Edition::Plain15, |options| options.statement_cache = super::StatementCache::Off)
            .await
            .0
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn every_statement_runs() {
        questions::every_kind_of_parameter_and_cell(&open().await).await;
        letters::a_replay_moves_the_counts(&open().await).await;
        concurrency::writers_of_the_same_ids_and_rollups_agree(&open().await).await;
        upkeep::upkeep_runs_beside_itself_and_writers(&open().await).await;
        erasure::what_is_queued_is_dropped_when_it_comes(&open().await).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_edition_is_found() {
    let (plain, _database) = open_on(servers::Edition::Plain15, |_| {}).await;
    assert!(matches!(plain.store.edition(), Edition::Postgres { version } if version.starts_with("15")));

    let (fixture, database) = open_on(servers::Edition::Timescale17, |_| {}).await;
    assert!(matches!(fixture.store.edition(), Edition::TimescaleApache { version } if version.starts_with("2.")));
    let chunks = "SELECT count(*) FROM timescaledb_information.chunks WHERE hypertable_name = 'raw_events'";
    assert_eq!(database.psql(chunks).unwrap().trim(), "0");
    let maintenance = analytics_store::Maintenance { now: NOW, retention: RETENTION, dedupe_days: 30 };
    let upkeep = fixture.store.maintain(maintenance).await.unwrap();
    assert_eq!(upkeep.made, 2);
    assert_eq!(fixture.store.maintain(maintenance).await.unwrap().made, 0);
    // Events of now and of the week ahead find their chunk; one of a year ago makes its own.
    let mut ahead = event(2);
    ahead.timestamp = NOW.saturating_add_micros(7 * 86_400_000_000);
    fixture.put(&batch(&project("shop"), vec![event(1), ahead])).await;
    assert_eq!(database.psql(chunks).unwrap().trim(), "2");
    // Another process that connects finds the same.
    let other = PostgresStore::connect(options(&database)).await.unwrap();
    assert_eq!(other.edition(), fixture.store.edition());
    other.check_schema().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ended_backend_is_tried_again_without_harm() {
    for edition in servers::Edition::ALL {
        let (fixture, database) = open_on(edition, |_| {}).await;
        let project = project("shop");
        let store = Arc::clone(&fixture.store);
        let of_writer = project.clone();
        let writer = tokio::spawn(async move {
            let mut cut = 0;
            for round in 0..150_u128 {
                let sent = [batch(&of_writer, (0..200).map(|index| event(round * 200 + index)).collect())];
                let begun = std::time::Instant::now();
                loop {
                    match store.ingest(&work(&sent), RETENTION, NOW).await {
                        Ok(_) => break,
                        Err(StoreError::Unavailable { .. }) => cut += 1,
                        Err(error) => panic!("{error}"),
                    }
                    assert!(begun.elapsed() < Duration::from_secs(30));
                }
            }
            cut
        });
        let killer = tokio::task::spawn_blocking(move || {
            for _ in 0..12 {
                std::thread::sleep(Duration::from_millis(60));
                database
                    .psql("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'analytics'")
                    .unwrap();
            }
        });
        killer.await.unwrap();
        let cut = writer.await.unwrap();
        assert!(cut > 0, "no transaction was cut: the test proves nothing");
        assert_eq!(fixture.ids(&project).await, (0..30_000).collect::<Vec<_>>());
        let found = fixture.store.integrity(&project, NOW).await.unwrap();
        let counts = &found.received[&NOW.utc_day()];
        assert_eq!((counts.accepted, counts.stored, counts.duplicate), (30_000, 30_000, 0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_call_leaves_its_connection_to_nobody() {
    let (fixture, _database) = open_on(servers::Edition::Plain15, |options| options.max_connections = 2).await;
    let project = project("shop");
    for round in 0..80_u128 {
        let sent = [batch(&project, (0..500).map(|index| event(round * 500 + index)).collect())];
        let work = work(&sent);
        let _ = tokio::time::timeout(Duration::from_micros(150 * round as u64), fixture.ingest(&work)).await;
    }
    let stored = fixture.count("raw_events").await;
    assert_eq!(stored % 500, 0, "{stored}");
    assert_eq!(fixture.put(&batch(&project, vec![event(1_000_000)])).await, [Stored]);
    let found = fixture.store.integrity(&project, NOW).await.unwrap();
    let drift = found.stored[&NOW.utc_day()];
    assert_eq!((drift.raw, drift.rollup), (stored as u64 + 1, stored as u64 + 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_dies_comes_back() {
    let start = || PostgresServer::start(servers::PostgresOptions::new(servers::Edition::Plain15)).unwrap();
    let mut server = tokio::task::spawn_blocking(start).await.unwrap();
    let url = server.url("events");
    assert!(create_database(&url).await.unwrap());
    assert!(!create_database(&url).await.unwrap());
    let odd = server.url("events") + "-%22odd%22";
    assert!(create_database(&odd).await.unwrap());

    let store = PostgresStore::connect(PostgresOptions::new(&url)).await.unwrap();
    let error = store.check_schema().await.unwrap_err();
    assert!(matches!(error, StoreError::Schema { .. }), "{error}");
    store.migrate().await.unwrap();
    let sent = [batch(&project("shop"), vec![event(1)])];
    store.ingest(&work(&sent), RETENTION, NOW).await.unwrap();
    server.kill9();
    for error in [
        store.ingest(&work(&sent), RETENTION, NOW).await.map(|_| ()).unwrap_err(),
        store.check().await.unwrap_err(),
        store.dead_letter_count().await.map(|_| ()).unwrap_err(),
        PostgresStore::connect(PostgresOptions::new(&url)).await.map(|_| ()).unwrap_err(),
    ] {
        assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
    }
    let _server = tokio::task::spawn_blocking(move || {
        server.restart().unwrap();
        server
    })
    .await
    .unwrap();
    store.check().await.unwrap();
    assert_eq!(store.ingest(&work(&sent), RETENTION, NOW).await.unwrap()[0].events, [Duplicate]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_beyond_the_servers_range_is_data() {
    let (fixture, _database) = open_on(servers::Edition::Plain15, |_| {}).await;
    let project = project("shop");
    let broken: [fn(&mut analytics_domain::Event<'static>); 4] = [
        |event| event.event_action = "a".repeat(256).into(),
        |event| event.session_id = "s".repeat(65).into(),
        |event| event.metadata = r#"{"nul":"\u0000"}"#.into(),
        |event| event.metadata = "no json".into(),
    ];
    for (index, break_it) in broken.iter().enumerate() {
        let mut bad = event(100 + index as u128);
        break_it(&mut bad);
        let sent = [batch(&project, vec![event(index as u128), bad])];
        let error = fixture.ingest(&work(&sent)).await.unwrap_err();
        assert!(matches!(&error, StoreError::Data { sqlstate, .. } if sqlstate.starts_with("22")), "{index}: {error}");
    }
    assert_eq!(fixture.count("event_ids").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn why_a_server_cannot_be_reached_is_told_with_its_place() {
    let told = async |url: &str| {
        let options = PostgresOptions { acquire_timeout: Duration::from_secs(2), ..PostgresOptions::new(url) };
        let error = PostgresStore::connect(options).await.err().unwrap();
        assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
        let (mut line, mut source) = (String::new(), std::error::Error::source(&error));
        while let Some(cause) = source {
            line.push_str(&format!("{cause}; "));
            source = cause.source();
        }
        line
    };
    let refused = told("postgres://u:secret@127.0.0.1:1/db").await;
    assert_eq!(
        refused,
        "cannot connect to 127.0.0.1:1 (database db); Connection refused (os error 111); see that the server runs, and that the \
         URL names it; "
    );
    let unknown = told("postgres://u:secret@nowhere.invalid/db").await;
    assert!(unknown.starts_with("cannot connect to nowhere.invalid:5432 (database db); failed to lookup"), "{unknown}");
    // Somebody listens and never speaks.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silence = told(&format!("postgres://u:secret@{}/db", silent.local_addr().unwrap())).await;
    assert!(silence.contains("(database db); no answer within 2 s; see that the server runs"), "{silence}");
    let (_fixture, database) = open_on(servers::Edition::Plain15, |_| {}).await;
    let missing = told(&(database.url() + "_gone")).await;
    assert!(
        missing.contains("_gone\" does not exist; make it with analytics migrate")
            && missing.matches("does not exist").count() == 1,
        "{missing}"
    );
    let error = create_database("postgres://u:secret@127.0.0.1:1/db").await.unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(cause, "cannot connect to 127.0.0.1:1 (database postgres)");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_url_is_never_told() {
    for url in ["postgres://user:secret@", "http://user:secret@host/db", "postgres://u:secret@127.0.0.1:1/db"] {
        let Err(error) = PostgresStore::connect(PostgresOptions {
            acquire_timeout: Duration::from_millis(500),
            ..PostgresOptions::new(url)
        })
        .await
        else {
            panic!("{url}")
        };
        assert!(!format!("{error:?} {error}").contains("secret"), "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_process_knows_of_sessions_ends_with_an_erasure() {
    let (fixture, database) = open_on(servers::Edition::Plain15, |_| {}).await;
    let other = PostgresStore::connect(options(&database)).await.unwrap();
    let project = project("shop");
    let named = |id: u128, user: &'static str| {
        let mut event = event(id);
        event.user_id = Some(user.into());
        event.timestamp = NOW.saturating_add_micros(id as i64);
        event
    };
    // This process has written the session's row, and need not look at it for a while.
    fixture.put(&batch(&project, vec![named(1, "ann")])).await;
    fixture.put(&batch(&project, vec![named(2, "bob")])).await;
    for user in ["ann", "bob"] {
        other.erase(&project, user, NOW).await.unwrap();
    }
    let after = analytics_domain::Batch {
        received_at: NOW.saturating_add_micros(1),
        ..batch(&project, vec![named(3, "cyd"), event(4)])
    };
    fixture.put(&after).await;
    let known = fixture.rows("SELECT user_id FROM session_users", Vec::new()).await;
    assert_eq!(known, [[Cell::Text("cyd".to_owned())]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_sees_the_state_before_an_erasure_makes_no_columns_after_it() {
    use sqlx::Connection as _;
    let (fixture, database) = open_on(servers::Edition::Plain15, |_| {}).await;
    let project = project("shop");
    fixture.put(&batch(&project, vec![event(1)])).await;
    let wants = [
        // What the first columns of a project are made with, and what all later ones begin with.
        "INSERT INTO identity_counters AS c (project, kind, next) VALUES ('shop', 's', 2)
         ON CONFLICT (project, kind) DO UPDATE SET next = c.next + 1",
        "SELECT FROM identity_counters WHERE project = 'shop' ORDER BY kind FOR SHARE",
    ];
    for statement in wants {
        let mut maker = sqlx::PgConnection::connect(&database.url()).await.unwrap();
        sqlx::raw_sql("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1").execute(&mut maker).await.unwrap();
        fixture.store.erase(&project, "ann", NOW).await.unwrap();
        let error = sqlx::raw_sql(statement).execute(&mut maker).await.unwrap_err();
        let code = error.as_database_error().and_then(|error| error.code());
        assert_eq!(code.as_deref(), Some("40001"), "{error}");
        maker.close().await.unwrap();
        while fixture.store.refresh().await.unwrap().left {}
    }
}

/// While the server compiles a statement it heeds neither the statement timeout nor a client that has gone.
#[tokio::test]
async fn questions_are_never_compiled() {
    for edition in servers::Edition::ALL {
        let (fixture, _database) = open_on(edition, |_| {}).await;
        let rows = fixture.rows("SELECT current_setting('jit')", Vec::new()).await;
        assert_eq!(rows, [[Cell::Text("off".to_owned())]]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_ends_with_who_asked() {
    let (fixture, database) = open_on(servers::Edition::Plain15, |options| {
        options.statement_timeout = Duration::from_secs(60);
        options.max_connections = 3;
    })
    .await;
    who_has_gone_is_not_answered(&fixture).await;
    let running = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND application_name = 'analytics'";
    let begun = std::time::Instant::now();
    while database.psql(running).unwrap().trim() != "0" {
        assert!(begun.elapsed() < Duration::from_secs(5), "a statement still runs");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
