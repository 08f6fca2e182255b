//! The processor's work on a real store: refused events, unreadable entries, redelivery, replay.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod facts;
#[cfg(feature = "program")]
mod function;

use std::sync::Arc;
use std::time::Duration;

use analytics_domain::{Batch, Event, EventOutcome, Project, Retention, SharedRetention, Timestamp};
use analytics_host::clock::{Clock, SystemClock};
use analytics_messaging::embedded::{EmbeddedOptions, EmbeddedQueue};
use analytics_messaging::process::ProcessFeed;
use analytics_messaging::{Delivery, Receipt};
use analytics_store::EventStore;
use analytics_store::postgres::{PostgresOptions, PostgresStore};
use analytics_testkit::postgres::{Database, Edition, database};
use analytics_worker::drain::Drain;
use analytics_worker::meters::Meters;
use analytics_worker::work::Work;
use analytics_worker::{ProcessorSettings, process_batch, replay, upkeep};
use uuid::Uuid;

const RETENTION: Retention = Retention { days: 90 };

fn batch(actions: &[&str], now: Timestamp) -> Delivery {
    let event = |action: &&str| Event {
        id: Uuid::now_v7(),
        client_id: true,
        session_id: "s".into(),
        user_id: None,
        event_type: "page".into(),
        event_action: (*action).to_owned().into(),
        metadata: "{}".into(),
        timestamp: now,
    };
    let batch = Batch {
        id: Uuid::now_v7(),
        project: Project::default(),
        received_at: now,
        refused: Vec::new(),
        context: None,
        events: actions.iter().map(event).collect(),
    };
    delivery(batch.encode())
}

fn delivery(payload: Vec<u8>) -> Delivery {
    Delivery { receipt: Receipt("1".into()), payload: payload.into(), attempt: 1 }
}

async fn store(database: &Database) -> PostgresStore {
    let store = PostgresStore::connect(PostgresOptions::new(database.url())).await.unwrap();
    store.migrate().await.unwrap();
    store
}

fn rows(database: &Database) -> String {
    database.psql("SELECT count(*) FROM raw_events").unwrap().trim().to_owned()
}

#[tokio::test]
async fn a_refused_event_hurts_no_neighbour_and_is_stored_once_it_can_be() {
    let database = database(Edition::Plain15).unwrap();
    let store = store(&database).await;
    database.psql("ALTER TABLE raw_events ADD CONSTRAINT no_poison CHECK (event_action <> 'poison')").unwrap();
    let now = SystemClock.now();
    let mut actions = vec!["view"; 100];
    actions[37] = "poison";
    let deliveries = [batch(&actions, now), delivery(b"no envelope".to_vec()), batch(&["view", "buy"], now)];

    let first = process_batch(&store, &deliveries, RETENTION, now).await.unwrap();
    assert_eq!((first.count(EventOutcome::Stored), first.count(EventOutcome::DeadLettered)), (101, 1));
    assert_eq!(first.unreadable, 1);
    let refused = first.batches.iter().find(|batch| batch.batch.events.len() == 100).unwrap();
    assert_eq!(refused.outcome.events[37], EventOutcome::DeadLettered);
    assert_eq!(rows(&database), "101");

    // The same entries again, as after a crash before the acknowledgement: nothing is added anywhere.
    let again = process_batch(&store, &deliveries, RETENTION, now).await.unwrap();
    assert_eq!(again.count(EventOutcome::Stored), 0);
    assert_eq!(rows(&database), "101");
    let letters = store.dead_letters(&Project::default(), None, 10).await.unwrap();
    assert_eq!(letters.total, 2, "{letters:?}");
    let poison = letters.letters.iter().find(|letter| letter.event_id.is_some()).unwrap();
    assert_eq!((poison.reason.code.as_str(), poison.reason.sqlstate.as_deref()), ("data_error", Some("23514")));

    // Asked for while the reason lasts, both stay; once it is gone, the event is stored, once.
    let folder = tempfile::tempdir().unwrap();
    let drain = drain(store, &folder);
    for (mended, left, stored) in [(false, 2, "101"), (true, 1, "102"), (true, 1, "102")] {
        if mended {
            database.psql("ALTER TABLE raw_events DROP CONSTRAINT IF EXISTS no_poison").unwrap();
        }
        drain.work.store.request_replay(&Project::default(), None).await.unwrap();
        replay::replay(&drain.work).await.unwrap();
        let letters = drain.work.store.dead_letters(&Project::default(), None, 10).await.unwrap();
        assert_eq!((letters.total, rows(&database).as_str()), (left, stored));
    }
    let day =
        drain.work.store.integrity(&Project::default(), now.saturating_add_micros(-86_400_000_000)).await.unwrap();
    let counts = day.received.values().next().unwrap();
    assert_eq!((counts.accepted, counts.stored, counts.dead_lettered), (102, 102, 0), "{counts:?}");
    assert!(day.stored.values().all(|drift| drift.raw == drift.rollup), "{:?}", day.stored);
}

#[tokio::test]
async fn the_retention_that_the_store_was_given_is_followed_and_told_to_the_collectors() {
    let database = database(Edition::Plain15).unwrap();
    let store = store(&database).await;
    store.set_retention(Retention { days: 400 }).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut drain = drain(store, &folder);
    upkeep::tend(&drain).await;
    assert_eq!(drain.queue.told_retention().await.unwrap(), Some(RETENTION), "its own setting stands");
    Arc::get_mut(&mut drain.work.settings).unwrap().retention_is_set = false;
    upkeep::tend(&drain).await;
    assert_eq!(drain.work.settings.retention(), Retention { days: 400 });
    assert_eq!(drain.queue.told_retention().await.unwrap(), Some(Retention { days: 400 }));
}

fn drain(store: PostgresStore, folder: &tempfile::TempDir) -> Drain {
    let queue = EmbeddedQueue::open(folder.path().join("queue.db"), EmbeddedOptions::default()).unwrap();
    let work = Work {
        store: Arc::new(store),
        feed: Some(Arc::new(ProcessFeed::new())),
        settings: Arc::new(ProcessorSettings {
            name: "test".into(),
            concurrency: 1,
            batch_size: 100,
            linger: Duration::from_millis(50),
            visibility: Duration::from_secs(30),
            dedupe_days: 30,
            retention: SharedRetention::new(RETENTION),
            retention_is_set: true,
            clock: Arc::new(SystemClock),
        }),
        meters: Arc::new(Meters::new()),
    };
    Drain { queue: Arc::new(queue), work }
}
