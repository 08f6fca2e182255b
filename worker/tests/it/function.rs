//! The processor's work as a function: messages in, ids out, and the tick of a schedule.

use std::time::Duration;

use analytics_host::lambda::{Message, MessageEvent};
use analytics_messaging::sqs::pack;
use analytics_worker::function::invoke;

use super::*;

const TIME: Duration = Duration::from_secs(60);

fn message(id: usize, body: String) -> Message {
    Message { id: id.to_string(), body, attempt: 1 }
}

#[tokio::test]
async fn messages_are_stored_junk_is_put_aside_and_nothing_comes_again() {
    let database = database(Edition::Plain15).unwrap();
    let store = store(&database).await;
    database.psql("ALTER TABLE raw_events ADD CONSTRAINT no_poison CHECK (event_action <> 'poison')").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let work = drain(store, &folder).work;
    let now = SystemClock.now();
    let good = pack(&batch(&["view", "poison", "buy"], now).payload);
    let bodies = [good, "no base64!".to_owned(), String::new(), pack(&batch(&["view"], now).payload)];
    let messages =
        || MessageEvent::Messages(bodies.iter().cloned().enumerate().map(|(id, body)| message(id, body)).collect());

    assert_eq!(invoke(&work, messages(), TIME).await, Vec::<String>::new());
    assert_eq!(rows(&database), "3");
    // Twice, as SQS may: nothing is added anywhere.
    assert_eq!(invoke(&work, messages(), TIME).await, Vec::<String>::new());
    assert_eq!(rows(&database), "3");
    let letters = work.store.dead_letters(&Project::default(), None, 10).await.unwrap();
    assert_eq!(letters.total, 3, "{letters:?}");

    // What is asked for is tried with the next tick.
    database.psql("ALTER TABLE raw_events DROP CONSTRAINT no_poison").unwrap();
    work.store.request_replay(&Project::default(), None).await.unwrap();
    assert_eq!(invoke(&work, MessageEvent::Tick, TIME).await, Vec::<String>::new());
    assert_eq!(rows(&database), "4");
    // And a tick makes the columns of what was stored before it.
    invoke(&work, MessageEvent::Tick, TIME).await;
    let count = |of: &str| database.psql(&format!("SELECT count(*) FROM {of}")).unwrap();
    assert_eq!(count("column_marks").trim(), "0");
    assert_ne!(count("event_columns").trim(), "0");
}

#[tokio::test]
async fn small_messages_that_hold_large_batches_are_stored_a_few_at_a_time() {
    let database = database(Edition::Plain15).unwrap();
    let store = store(&database).await;
    let folder = tempfile::tempdir().unwrap();
    let work = drain(store, &folder).work;
    let now = SystemClock.now();
    let large = |number: usize| {
        let entry = batch(&["view"; 200], now).payload;
        let mut batch = Batch::decode(&entry).unwrap();
        let text = format!(r#"{{"text":"{}"}}"#, "x".repeat(30_000));
        batch.events.iter_mut().for_each(|event| event.metadata = text.clone().into());
        let body = pack(&batch.encode());
        assert!(body.len() < 100_000, "{}", body.len());
        message(number, body)
    };
    // 48 MB unpacked.
    let messages = MessageEvent::Messages((0..8).map(large).collect());
    assert_eq!(invoke(&work, messages, TIME).await, Vec::<String>::new());
    assert_eq!(rows(&database), "1600");
    let transactions = database.psql("SELECT count(DISTINCT xmin::text) FROM raw_events").unwrap();
    assert_eq!(transactions.trim(), "3", "16 MB at a time");
    let received = work.store.integrity(&Project::default(), now.saturating_add_micros(-86_400_000_000)).await.unwrap();
    assert_eq!(received.received.values().map(|day| day.stored).sum::<u64>(), 1_600);
}
