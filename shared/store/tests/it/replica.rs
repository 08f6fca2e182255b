//! Questions that are read from a streaming replica, and when they are not.

use std::sync::Arc;
use std::time::{Duration, Instant};

use analytics_query::{Cell, Question, Statement};
use analytics_store::postgres::{PostgresOptions, PostgresStore};
use analytics_store::{EventStore, Reading, ReplicaReport, answer};
use analytics_testkit::postgres::{self as servers, Database, PostgresServer};
use serde_json::json;

use crate::contract::{NOW, RETENTION, as_int, batch, event, project, work};

/// Longest wait for what should happen within a second or two.
const PATIENCE: Duration = Duration::from_secs(20);

const BOUND: Duration = Duration::from_secs(1);

/// A primary, its streaming replica, and a database on both.
struct Pair {
    database: Database,
    standby: PostgresServer,
}

impl Pair {
    async fn start(edition: servers::Edition, of_standby: &'static [(&'static str, &'static str)]) -> Self {
        let start = move || {
            let primary = Arc::new(PostgresServer::start(servers::PostgresOptions::new(edition)).unwrap());
            let database = Database::create(&primary).unwrap();
            let standby = primary.standby(of_standby).unwrap();
            Self { database, standby }
        };
        tokio::task::spawn_blocking(start).await.unwrap()
    }

    fn options(&self) -> PostgresOptions {
        PostgresOptions {
            replica_url: Some(self.standby.url(self.database.name())),
            replica_max_lag: BOUND,
            ..PostgresOptions::new(self.database.url())
        }
    }

    /// A store with a schema, whose replica is read from.
    async fn open(&self) -> PostgresStore {
        let store = PostgresStore::connect(self.options()).await.unwrap();
        store.migrate().await.unwrap();
        until(&store, |report| report.left_out.is_none()).await;
        store
    }
}

/// Waits until the replica is seen to be so.
async fn until(store: &PostgresStore, is_so: impl Fn(&ReplicaReport) -> bool) {
    let began = Instant::now();
    loop {
        let report = store.replica().unwrap();
        if is_so(&report) {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{report:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn put(store: &PostgresStore, id: u128) {
    let received = analytics_domain::Batch {
        received_at: NOW.saturating_add_micros(id as i64),
        ..batch(&project("shop"), vec![event(id)])
    };
    store.ingest(&work(&[received]), RETENTION, NOW).await.unwrap();
}

fn statement(sql: &str) -> Statement {
    Statement { sql: sql.to_owned(), params: Vec::new() }
}

/// What a question of now finds: its reading, how many events, whether a standby has told, and the newest receipt's event.
async fn look(store: &PostgresStore) -> (Reading, i64, bool, u128) {
    let state = store.project_state(&project("shop"), NOW.saturating_add_micros(-1_000_000)).await.unwrap();
    let rows =
        store.select(state.reading, &statement("SELECT count(*), pg_is_in_recovery() FROM raw_events")).await.unwrap();
    let newest = state.newest_receipt.map_or(0, |receipt| receipt.micros_since(NOW));
    (state.reading, as_int(&rows[0][0]), rows[0][1] == Cell::Bool(true), newest as u128)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_is_read_from_while_it_is_near_and_left_out_while_it_is_not() {
    for edition in servers::Edition::ALL {
        let pair = Pair::start(edition, &[]).await;
        let store = pair.open().await;
        let patient =
            PostgresStore::connect(PostgresOptions { replica_max_lag: Duration::from_secs(600), ..pair.options() })
                .await
                .unwrap();
        until(&patient, |report| report.left_out.is_none()).await;
        put(&store, 1).await;
        let began = Instant::now();
        while look(&store).await.1 == 0 {
            assert!(began.elapsed() < PATIENCE);
        }
        let (reading, events, by_standby, newest) = look(&store).await;
        assert!(matches!(reading, Reading::Replica { at_least } if at_least > 0), "{reading:?}");
        assert_eq!((events, by_standby, newest), (1, true, 1));

        // A primary on which nothing is written is no lag.
        tokio::time::sleep(2 * BOUND + BOUND / 2).await;
        assert_eq!(store.replica().unwrap().lag, Duration::ZERO);
        assert!(look(&store).await.2);

        pair.standby.pause_replay().unwrap();
        put(&store, 2).await;
        // Within its bound a replica may be behind; what it says of itself is as old as its rows are.
        assert!(matches!(look(&patient).await, (Reading::Replica { .. }, 1, true, 1)));
        tokio::time::sleep(BOUND).await;
        // By now no answer is without it, whether or not somebody has looked.
        assert_eq!(look(&store).await, (Reading::Primary, 2, false, 2));
        assert!(matches!(look(&patient).await, (Reading::Replica { .. }, 1, true, 1)));
        until(&store, |report| report.left_out.as_ref().is_some_and(|told| told.contains("s behind"))).await;
        assert!(store.replica().unwrap().lag >= BOUND);
        assert!(store.replica().unwrap().passed_over > 0);

        pair.standby.resume_replay().unwrap();
        until(&store, |report| report.left_out.is_none()).await;
        assert!(matches!(look(&store).await, (Reading::Replica { .. }, 2, true, 2)));
        assert_eq!(store.replica().unwrap().failed, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_statement_sees_an_older_state_than_the_one_before() {
    let pair = Pair::start(servers::Edition::Plain15, &[]).await;
    let store = pair.open().await;
    pair.standby.pause_replay().unwrap();
    put(&store, 1).await;
    tokio::time::sleep(BOUND).await;
    let (reading, ..) = look(&store).await;
    assert_eq!(reading, Reading::Primary);
    // The replica is back, and a question that began on the primary goes on there.
    pair.standby.resume_replay().unwrap();
    until(&store, |report| report.left_out.is_none()).await;
    let asked = statement("SELECT pg_is_in_recovery()");
    assert_eq!(store.select(reading, &asked).await.unwrap(), [[Cell::Bool(false)]]);
    // One that began where a replica had come further stays with such a one, or with the primary.
    let ahead = Reading::Replica { at_least: i64::MAX };
    assert_eq!(store.select(ahead, &asked).await.unwrap(), [[Cell::Bool(false)]]);
    let anywhere = Reading::Replica { at_least: 0 };
    assert_eq!(store.select(anywhere, &asked).await.unwrap(), [[Cell::Bool(true)]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_without_the_migrations_is_left_out() {
    let pair = Pair::start(servers::Edition::Plain15, &[]).await;
    pair.standby.pause_replay().unwrap();
    let store = PostgresStore::connect(pair.options()).await.unwrap();
    until(&store, |report| report.left_out.as_ref().is_some_and(|told| told.contains("migrations"))).await;
    store.migrate().await.unwrap();
    put(&store, 1).await;
    assert_eq!(look(&store).await, (Reading::Primary, 1, false, 1));
    pair.standby.resume_replay().unwrap();
    until(&store, |report| report.left_out.is_none()).await;
    assert!(look(&store).await.2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_no_replica_is_left_out() {
    let pair = Pair::start(servers::Edition::Plain15, &[]).await;
    let store = pair.open().await;
    put(&store, 1).await;
    let (itself, other) = tokio::task::spawn_blocking(move || {
        // Of another edition: those of one are copies of one prepared folder, and so name themselves alike.
        let edition = servers::Edition::Timescale17;
        let other = PostgresServer::start(servers::PostgresOptions::new(edition)).unwrap();
        let standby = other.standby(&[]).unwrap();
        (other, standby)
    })
    .await
    .unwrap();
    for (url, expected) in [
        (pair.database.url(), "no standby"),
        (itself.url("postgres"), "no standby"),
        (other.url("postgres"), "another server"),
        ("postgres://u:secret@127.0.0.1:1/db".to_owned(), "it does not answer"),
    ] {
        let store = PostgresStore::connect(PostgresOptions { replica_url: Some(url), ..pair.options() }).await.unwrap();
        let report = store.look_at_replica().await.unwrap();
        let told = report.left_out.unwrap();
        assert!(told.contains(expected) && !told.contains("secret"), "{told}");
        assert_eq!(look(&store).await, (Reading::Primary, 1, false, 1));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_dies_in_the_middle_of_questions_fails_none() {
    let mut pair = Pair::start(servers::Edition::Timescale17, &[]).await;
    let store = Arc::new(pair.open().await);
    for id in 1..=40 {
        put(&store, id).await;
    }
    let question = Question::from_json(&json!({ "metrics": ["events"], "date_range": "all" })).unwrap();
    let end = Instant::now() + Duration::from_secs(6);
    let asking = |_| {
        let (store, question) = (Arc::clone(&store), question.clone());
        tokio::spawn(async move {
            let mut asked = 0;
            while Instant::now() < end {
                let answered = answer(store.as_ref(), &question, &project("shop"), RETENTION, NOW).await;
                let answered = serde_json::to_value(answered.unwrap()).unwrap();
                assert_eq!(answered["results"][0]["metrics"][0], 40);
                asked += 1;
            }
            asked
        })
    };
    let askers: Vec<_> = (0..4).map(asking).collect();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let answered = store.replica().unwrap().answered;
    assert!(answered > 10, "{answered}");
    pair.standby.kill9();
    until(&store, |report| report.left_out.as_ref().is_some_and(|told| told.contains("does not answer"))).await;
    let mut pair = tokio::task::spawn_blocking(move || {
        pair.standby.restart().unwrap();
        pair
    })
    .await
    .unwrap();
    for asker in askers {
        assert!(asker.await.unwrap() > 10);
    }
    until(&store, |report| report.left_out.is_none()).await;
    assert!(look(&store).await.2);
    pair.standby.kill9();
}

/// Whether a statement that runs on a standby is cancelled: rows that it can still see are vacuumed away on the primary.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_that_recovery_cancels_is_asked_of_the_primary() {
    let pair = Pair::start(servers::Edition::Plain15, &[("max_standby_streaming_delay", "0")]).await;
    let store = Arc::new(pair.open().await);
    // Of the second, rows have been handed over before it is cancelled.
    for sql in [
        "SELECT pg_is_in_recovery(), count(*) FROM pg_sleep(2)",
        "SELECT pg_is_in_recovery(), CASE WHEN i = 60000 THEN (SELECT count(*) FROM pg_sleep(2 + 0 * i)) ELSE i END
         FROM generate_series(1, 60000) i",
    ] {
        pair.database.psql("CREATE TABLE doomed AS SELECT i FROM generate_series(1, 1000) i").unwrap();
        until(&store, |report| report.left_out.is_none()).await;
        let before = store.replica().unwrap();
        let asked = Arc::clone(&store);
        let asking =
            tokio::spawn(async move { asked.select(Reading::Replica { at_least: 0 }, &statement(sql)).await.unwrap() });
        tokio::time::sleep(Duration::from_millis(500)).await;
        pair.database.psql("DELETE FROM doomed").unwrap();
        pair.database.psql("VACUUM doomed").unwrap();
        let rows = asking.await.unwrap();
        assert!(rows.len() == 1 || rows.len() == 60_000, "{}", rows.len());
        assert!(rows.iter().all(|row| row[0] == Cell::Bool(false)), "some of it is the replica's");
        assert!(pair.standby.log().contains("conflict with recovery"), "nothing was cancelled: {}", pair.standby.log());
        assert_eq!(store.replica().unwrap().failed, before.failed + 1);
        pair.database.psql("DROP TABLE doomed").unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erased_person_is_in_no_answer_of_a_replica() {
    let pair = Pair::start(servers::Edition::Plain15, &[]).await;
    let store = pair.open().await;
    let of_another_process = PostgresStore::connect(pair.options()).await.unwrap();
    until(&of_another_process, |report| report.left_out.is_none()).await;
    for (id, user, is_paused) in [(1, "ann", false), (2, "bob", true)] {
        let mut named = event(id);
        (named.user_id, named.session_id) = (Some(user.into()), user.into());
        store.ingest(&work(&[batch(&project("shop"), vec![named])]), RETENTION, NOW).await.unwrap();
        let began = Instant::now();
        while !matches!(look(&of_another_process).await, (_, 1, true, _)) {
            assert!(began.elapsed() < PATIENCE);
        }
        if is_paused {
            pair.standby.pause_replay().unwrap();
        }
        let began = Instant::now();
        store.erase(&project("shop"), user, NOW).await.unwrap();
        let took = began.elapsed();
        for store in [&store, &of_another_process] {
            assert_eq!(look(store).await.1, 0, "{is_paused}");
        }
        assert_eq!(took >= BOUND, is_paused, "{took:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_seldom_looks_before_asking() {
    let pair = Pair::start(servers::Edition::Plain15, &[]).await;
    let store = pair.open().await;
    let asleep = PostgresStore::connect(PostgresOptions { watch_replica: false, ..pair.options() }).await.unwrap();
    assert!(asleep.replica().unwrap().left_out.unwrap().contains("nobody has looked"));
    assert!(look(&asleep).await.2);
    pair.standby.pause_replay().unwrap();
    put(&store, 1).await;
    tokio::time::sleep(BOUND).await;
    assert_eq!(look(&asleep).await.1, 1);
    pair.standby.resume_replay().unwrap();
    let began = Instant::now();
    while !look(&asleep).await.2 {
        assert!(began.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
