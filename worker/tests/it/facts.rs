//! Entries with facts of their request: what they add is stored, shown live and put aside with the events, the same each time.

use analytics_domain::facts::{Derived, Facts};
use analytics_domain::{DeadLetter, DeadLetterReason};
use analytics_messaging::{FeedItem, Resume};
use analytics_store::Ingest;
use serde_json::{Value, json};

use super::*;

/// An entry of these events as a collector queues it that was asked by a browser.
fn queued(actions: &[&str], now: Timestamp) -> Delivery {
    let told = [("browser", "Firefox".into()), ("country", "PT".into()), ("device", "desktop".into())];
    let facts = Facts::new(&told, Some("https://shop.example"), Derived { channel: true, utm: true });
    let plain = batch(actions, now);
    let mut batch = Batch::decode(&plain.payload).unwrap();
    let said = r#"{"browser":"mine","path":"/?utm_campaign=may","referrer":"https://www.bing.com/"}"#;
    batch.events.iter_mut().for_each(|event| event.metadata = said.into());
    delivery(batch.encode_with(Some(&facts.unwrap())))
}

/// What the store has to hold of each of its events.
fn expected() -> Value {
    json!({
        "browser": "mine", "path": "/?utm_campaign=may", "referrer": "https://www.bing.com/",
        "country": "PT", "device": "desktop", "channel": "search", "utm_campaign": "may",
    })
}

/// The metadata of each stored event.
fn stored(database: &Database) -> Vec<Value> {
    let text = database.psql("SELECT coalesce(json_agg(metadata), '[]') FROM raw_events").unwrap();
    serde_json::from_str(&text).unwrap()
}

#[tokio::test]
async fn what_facts_add_is_stored_shown_and_put_aside_with_the_event() {
    let database = database(Edition::Plain15).unwrap();
    let store = store(&database).await;
    database.psql("ALTER TABLE raw_events ADD CONSTRAINT no_poison CHECK (event_action <> 'poison')").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let work = drain(store, &folder).work;
    let mut told = work.feed.as_ref().unwrap().subscribe(&Project::default(), Resume::Now).await.unwrap();
    let now = SystemClock.now();
    let deliveries = [queued(&["view", "poison", "buy"], now)];

    let first = work.store(&deliveries).await.unwrap();
    assert_eq!((first.count(EventOutcome::Stored), first.count(EventOutcome::DeadLettered)), (2, 1));
    work.publish(&first).await;
    assert_eq!(stored(&database), [expected(), expected()]);
    let FeedItem::Messages(messages) = told.next().await.unwrap() else { panic!("nothing is missed") };
    assert_eq!(messages.len(), 2);
    for message in messages.iter() {
        assert_eq!(serde_json::from_str::<Value>(&message.event.metadata).unwrap(), expected());
    }
    // What is put aside is the event as it would have been stored.
    let letters = work.store.dead_letters(&Project::default(), None, 10).await.unwrap();
    let aside = Batch::decode(&letters.letters[0].payload).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&aside.events[0].metadata).unwrap(), expected());

    // The same entry again, as after a crash before the acknowledgement: byte for byte the same, and counted once.
    let again = work.store(&deliveries).await.unwrap();
    assert_eq!(again.count(EventOutcome::Stored), 0);
    assert_eq!(again.batches[0].batch, first.batches[0].batch);

    database.psql("ALTER TABLE raw_events DROP CONSTRAINT no_poison").unwrap();
    work.store.request_replay(&Project::default(), None).await.unwrap();
    replay::replay(&work).await.unwrap();
    assert_eq!(stored(&database), [expected(), expected(), expected()]);
}

/// An entry that an older processor put aside whole.
fn put_aside(entry: &Delivery, now: Timestamp) -> Ingest<'static> {
    let letter = DeadLetter {
        id: Uuid::now_v7(),
        project: Project::default(),
        event_id: None,
        payload: entry.payload.to_vec(),
        reason: DeadLetterReason { code: "newer_version".into(), sqlstate: None, message: "upgrade it".into() },
        attempts: 1,
        first_failed_at: now,
        last_failed_at: now,
        replay_requested: false,
    };
    Ingest { unreadable: vec![letter], ..Ingest::default() }
}

/// A processor that is older than the entries' collector has put them aside whole; once it is upgraded, they are stored.
#[tokio::test]
async fn what_an_older_processor_put_aside_is_stored_by_this_one() {
    let database = database(Edition::Plain15).unwrap();
    let store = store(&database).await;
    let now = SystemClock.now();
    store.ingest(&put_aside(&queued(&["view", "buy"], now), now), RETENTION, now).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let work = drain(store, &folder).work;
    for _ in 0..2 {
        work.store.request_replay(&Project::default(), None).await.unwrap();
        replay::replay(&work).await.unwrap();
        assert_eq!(stored(&database), [expected(), expected()]);
        assert_eq!(work.store.dead_letters(&Project::default(), None, 10).await.unwrap().total, 0);
    }
}

/// A person's erasure takes their events out of such an entry, and leaves the others with all that is added to them.
#[tokio::test]
async fn what_is_erased_is_gone_from_an_entry_that_was_put_aside() {
    let database = database(Edition::Plain15).unwrap();
    let store = store(&database).await;
    let now = SystemClock.now();
    let entry = queued(&["view", "buy"], now);
    let (mut batch, facts) = Batch::decode_apart(&entry.payload).unwrap();
    batch.events[0].user_id = Some("ann".into());
    batch.events[1].user_id = Some("bob".into());
    let entry = delivery(batch.encode_with(facts.as_ref()));
    store.ingest(&put_aside(&entry, now), RETENTION, now).await.unwrap();
    store.erase(&Project::default(), "ann", now.saturating_add_micros(1)).await.unwrap();
    let letters = store.dead_letters(&Project::default(), None, 10).await.unwrap();
    let left = Batch::decode(&letters.letters[0].payload).unwrap();
    assert_eq!(left.events.iter().map(|event| event.user_id.as_deref()).collect::<Vec<_>>(), [Some("bob")]);
    assert_eq!(serde_json::from_str::<Value>(&left.events[0].metadata).unwrap(), expected());
}

/// What a later build has queued is kept until this one is upgraded too.
#[tokio::test]
async fn what_a_later_collector_queued_is_put_aside_and_says_what_to_do() {
    let database = database(Edition::Plain15).unwrap();
    let store = store(&database).await;
    let now = SystemClock.now();
    let later =
        delivery([&[analytics_domain::envelope::VERSION + 1][..], &queued(&["view"], now).payload[1..]].concat());
    let bytes = later.payload.to_vec();
    let deliveries = [later, queued(&["view"], now)];
    let processed = process_batch(&store, &deliveries, RETENTION, now).await.unwrap();
    assert_eq!((processed.unreadable, processed.count(EventOutcome::Stored)), (1, 1));
    let letters = store.dead_letters(&Project::default(), None, 10).await.unwrap();
    let letter = &letters.letters[0];
    assert_eq!((letter.reason.code.as_str(), &letter.payload), ("newer_version", &bytes));
    assert!(letter.reason.message.contains("upgrade the processor first"), "{}", letter.reason.message);
}
