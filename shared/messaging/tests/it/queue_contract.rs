//! What every queue keeps.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use analytics_domain::Retention;
use analytics_messaging::{Consumer, Delivery, EnqueueError, QueueDepth, Receipt, WriteKey};

use crate::beds::{QueueBed, Settings, by_project, entry, project};

const SOON: Duration = Duration::from_secs(5);
const NOW: Duration = Duration::from_millis(10);

fn receipts(deliveries: &[Delivery]) -> Vec<Receipt> {
    deliveries.iter().map(|delivery| delivery.receipt.clone()).collect()
}

fn texts(deliveries: &[Delivery]) -> Vec<String> {
    deliveries.iter().map(|delivery| String::from_utf8(delivery.payload.to_vec()).unwrap()).collect()
}

/// Texts as they came, sorted where the queue keeps no order.
fn in_order<B: QueueBed>(mut texts: Vec<String>) -> Vec<String> {
    if !B::KEEPS_ORDER {
        texts.sort();
    }
    texts
}

/// Settings with a visibility timeout of at least `least`, in the steps of the queue.
fn visible_after<B: QueueBed>(least: Duration) -> Settings {
    let steps = u32::try_from(least.as_millis().div_ceil(B::VISIBILITY_STEP.as_millis())).unwrap();
    Settings { visibility: B::VISIBILITY_STEP * steps, ..Settings::default() }
}

/// Nothing lies in the queue.
fn assert_empty<B: QueueBed>(depth: &QueueDepth) {
    assert_eq!((depth.batches, depth.events, depth.oldest), (0, 0, None));
    assert!(!B::COUNTS_EVENTS || by_project(depth).is_empty());
}

/// Receives until so many have come.
async fn receive_all(consumer: &mut Box<dyn Consumer>, count: usize) -> Vec<Delivery> {
    let (started, mut all) = (Instant::now(), Vec::new());
    while all.len() < count {
        assert!(started.elapsed() < Duration::from_secs(20), "{} of {count} entries came", all.len());
        all.extend(consumer.receive(count - all.len(), Duration::from_millis(200)).await.unwrap());
    }
    all
}

pub(crate) async fn entries_outlive_a_death<B: QueueBed>() {
    let numbers = |range: std::ops::Range<u32>| range.map(|index| format!("{index:02}")).collect::<Vec<_>>();
    // Where a consumer is not known again, what it held is waited for.
    let waited = visible_after::<B>(Duration::from_secs(4));
    let bed = B::new(if B::KNOWS_CONSUMERS { Settings::default() } else { waited }).await;
    let queue = bed.queue();
    for index in 0..50 {
        queue.enqueue(entry("default", 2, &format!("{index:02}"))).await.unwrap();
    }
    let mut consumer = queue.consumer("slot-0").await.unwrap();
    let first = receive_all(&mut consumer, 10).await;
    if B::KEEPS_ORDER {
        assert_eq!(texts(&first), numbers(0..10));
    }
    let (gone, kept) = (texts(&first[..5]), texts(&first[5..]));
    assert!(first.iter().all(|delivery| delivery.attempt == 1));
    consumer.acknowledge(&receipts(&first[..5])).await.unwrap();
    drop((consumer, queue));

    let bed = bed.die().await;
    let queue = bed.queue();
    let depth = queue.depth().await.unwrap();
    assert_eq!(depth.batches, 45);
    if B::COUNTS_EVENTS {
        assert_eq!(depth.events, 90);
        assert!(depth.oldest.is_some());
    }
    let mut consumer = queue.consumer("slot-0").await.unwrap();
    let rest = receive_all(&mut consumer, 45).await;
    let left: Vec<String> = numbers(0..50).into_iter().filter(|text| !gone.contains(text)).collect();
    assert_eq!(in_order::<B>(texts(&rest)), left);
    for (text, delivery) in texts(&rest).iter().zip(&rest) {
        assert_eq!(delivery.attempt, if kept.contains(text) { 2 } else { 1 }, "{text}");
    }
    consumer.acknowledge(&receipts(&rest)).await.unwrap();
    assert_empty::<B>(&queue.depth().await.unwrap());
}

pub(crate) async fn entries_come_back_after_the_visibility_timeout<B: QueueBed>() {
    let bed = B::new(visible_after::<B>(Duration::from_millis(600))).await;
    let queue = bed.queue();
    queue.enqueue(entry("default", 1, "a")).await.unwrap();
    let (mut stuck, mut other) = (queue.consumer("stuck").await.unwrap(), queue.consumer("other").await.unwrap());
    let held = stuck.receive(10, SOON).await.unwrap();
    assert!(other.receive(10, Duration::from_millis(200)).await.unwrap().is_empty());
    for attempt in 2..4 {
        let again = other.receive(10, SOON).await.unwrap();
        assert_eq!((texts(&again), again[0].attempt), (vec!["a".to_owned()], attempt));
    }
    // The stuck one wakes after its commit: the entry is stored, so it is gone for everybody.
    stuck.acknowledge(&receipts(&held)).await.unwrap();
    assert_eq!(queue.depth().await.unwrap().batches, 0);
    assert!(other.receive(10, Duration::from_millis(900)).await.unwrap().is_empty());
}

pub(crate) async fn a_released_entry_is_free_at_once<B: QueueBed>() {
    let bed = B::new(Settings::default()).await;
    let queue = bed.queue();
    for text in ["a", "b"] {
        queue.enqueue(entry("default", 1, text)).await.unwrap();
    }
    let (mut first, mut second) = (queue.consumer("first").await.unwrap(), queue.consumer("second").await.unwrap());
    let held = receive_all(&mut first, 2).await;
    let back = texts(&held).remove(0);
    assert!(!B::KEEPS_ORDER || back == "a");
    first.release(&receipts(&held[..1])).await.unwrap();
    queue.enqueue(entry("default", 1, "c")).await.unwrap();
    let again = receive_all(&mut second, 2).await;
    let mut seen: Vec<_> = texts(&again).into_iter().zip(again.iter().map(|delivery| delivery.attempt)).collect();
    seen.sort();
    assert_eq!(seen, [(back, 2), ("c".to_owned(), 1)]);
    assert!(second.receive(10, Duration::from_millis(700)).await.unwrap().is_empty(), "the other is still held");
    assert_eq!(queue.depth().await.unwrap().batches, 3);
}

pub(crate) async fn an_extended_lease_keeps_others_away<B: QueueBed>() {
    let bed = B::new(visible_after::<B>(Duration::from_secs(1))).await;
    let queue = bed.queue();
    queue.enqueue(entry("default", 1, "a")).await.unwrap();
    let (mut working, mut other) = (queue.consumer("working").await.unwrap(), queue.consumer("other").await.unwrap());
    let held = receipts(&working.receive(1, SOON).await.unwrap());
    let started = Instant::now();
    while started.elapsed() < Duration::from_millis(2_500) {
        working.extend(&held).await.unwrap();
        assert!(other.receive(1, Duration::from_millis(200)).await.unwrap().is_empty());
    }
    let again = other.receive(1, SOON).await.unwrap();
    assert_eq!(again[0].attempt, 2, "extending is no attempt");
}

pub(crate) async fn acknowledging_twice_counts_once<B: QueueBed>() {
    let bed = B::new(Settings::default()).await;
    let queue = bed.queue();
    for text in ["a", "b"] {
        queue.enqueue(entry("default", 3, text)).await.unwrap();
    }
    let mut consumer = queue.consumer("slot-0").await.unwrap();
    let held = receipts(&receive_all(&mut consumer, 2).await);
    let twice = [held[0].clone(), held[0].clone()];
    for _ in 0..3 {
        consumer.acknowledge(&twice).await.unwrap();
        let depth = queue.depth().await.unwrap();
        assert_eq!((depth.batches, depth.events), (1, 3));
    }
    consumer.release(&twice).await.unwrap();
    consumer.extend(&twice).await.unwrap();
    consumer.acknowledge(&[]).await.unwrap();
    consumer.acknowledge(&[Receipt("of another queue".to_owned())]).await.unwrap_or_default();
    assert!(consumer.receive(1, Duration::from_millis(700)).await.unwrap().is_empty());
    assert_eq!(queue.depth().await.unwrap().batches, 1);
}

pub(crate) async fn the_depth_is_exact_a_project<B: QueueBed>() {
    let mut bed = B::new(Settings::default()).await;
    let mut expected: HashMap<&str, u64> = HashMap::new();
    for round in 0..3_u32 {
        let queue = bed.queue();
        for (name, events) in [("a", 5), ("b", 7 + round), ("c-d_E", 1)] {
            queue.enqueue(entry(name, events, name)).await.unwrap();
            *expected.entry(name).or_default() += u64::from(events);
        }
        let mut consumer = queue.consumer("slot-0").await.unwrap();
        let held = receive_all(&mut consumer, 3).await;
        let (gone, kept) = held.iter().partition::<Vec<_>, _>(|delivery| delivery.payload != "b");
        let gone: Vec<Receipt> = gone.into_iter().map(|delivery| delivery.receipt.clone()).collect();
        consumer.acknowledge(&gone).await.unwrap();
        consumer.release(&kept.into_iter().map(|delivery| delivery.receipt.clone()).collect::<Vec<_>>()).await.unwrap();
        // Of three entries that came out, those of the older rounds may be "b" only.
        for delivery in held.iter().filter(|delivery| delivery.payload != "b") {
            let (name, events) = if delivery.payload == "a" { ("a", 5) } else { ("c-d_E", 1) };
            *expected.get_mut(name).unwrap() -= events;
        }
        expected.retain(|_, events| *events > 0);
        drop((consumer, queue));
        bed = bed.die().await;
        let depth = bed.queue().depth().await.unwrap();
        let found: HashMap<&str, u64> =
            by_project(&depth).iter().map(|(name, events)| (name.as_str(), *events)).collect();
        assert_eq!(found, expected);
        assert_eq!(depth.events, expected.values().sum::<u64>());
    }
    let queue = bed.queue();
    let mut consumer = queue.consumer("slot-0").await.unwrap();
    let left = queue.depth().await.unwrap().batches;
    let rest = receive_all(&mut consumer, usize::try_from(left).unwrap()).await;
    consumer.acknowledge(&receipts(&rest)).await.unwrap();
    assert_empty::<B>(&queue.depth().await.unwrap());
}

pub(crate) async fn every_entry_is_acknowledged_once<B: QueueBed>() {
    const PRODUCERS: usize = 16;
    let each = 100 / B::SLOWNESS;
    let bed = B::new(Settings::default()).await;
    let queue = bed.queue();
    let seen: Arc<Mutex<HashMap<String, u32>>> = Arc::default();
    let mut workers = Vec::new();
    for index in 0..4 {
        let mut consumer = queue.consumer(&format!("slot-{index}")).await.unwrap();
        let seen = Arc::clone(&seen);
        workers.push(tokio::spawn(async move {
            let started = Instant::now();
            while seen.lock().unwrap().len() < PRODUCERS * each {
                assert!(started.elapsed() < Duration::from_secs(40), "{} came", seen.lock().unwrap().len());
                let deliveries = consumer.receive(7, Duration::from_millis(100)).await.unwrap();
                // Every fifth goes back once.
                let (back, done): (Vec<_>, Vec<_>) =
                    deliveries.into_iter().partition(|one| one.attempt == 1 && one.payload.ends_with(b"5"));
                consumer.release(&receipts(&back)).await.unwrap();
                consumer.acknowledge(&receipts(&done)).await.unwrap();
                let mut seen = seen.lock().unwrap();
                texts(&done).into_iter().for_each(|text| *seen.entry(text).or_default() += 1);
            }
        }));
    }
    let mut producers = Vec::new();
    for producer in 0..PRODUCERS {
        let queue = Arc::clone(&queue);
        producers.push(tokio::spawn(async move {
            for index in 0..each {
                let name = if producer % 2 == 0 { "even" } else { "odd" };
                queue.enqueue(entry(name, 1 + (index % 3) as u32, &format!("{producer}-{index}"))).await.unwrap();
            }
        }));
    }
    for task in producers.into_iter().chain(workers) {
        task.await.unwrap();
    }
    let seen = seen.lock().unwrap().clone();
    assert_eq!(seen.len(), PRODUCERS * each);
    assert!(seen.values().all(|times| *times == 1), "some were delivered to two that both acknowledged");
    assert_empty::<B>(&queue.depth().await.unwrap());
}

pub(crate) async fn a_full_queue_says_so_and_takes_more_once_drained<B: QueueBed>() {
    let bed = B::new(Settings { max_events: 10, ..Settings::default() }).await;
    let queue = bed.queue();
    for index in 0..4 {
        queue.enqueue(entry("default", 3, &index.to_string())).await.unwrap();
    }
    let refusal = queue.enqueue(entry("default", 3, "over")).await.unwrap_err();
    assert!(
        matches!(&refusal, EnqueueError::Full { reason } if reason.contains("12") && reason.contains("10")),
        "{refusal}"
    );
    assert!(queue.check().await.is_err());
    let mut consumer = queue.consumer("slot-0").await.unwrap();
    let held = receive_all(&mut consumer, 4).await;
    assert!(queue.enqueue(entry("default", 3, "over")).await.is_err(), "in flight is not gone");
    consumer.acknowledge(&receipts(&held[..1])).await.unwrap();
    let started = Instant::now();
    while queue.enqueue(entry("default", 3, "again")).await.is_err() {
        assert!(started.elapsed() < Duration::from_secs(3), "still full");
        tokio::time::sleep(NOW).await;
    }
    consumer.acknowledge(&receipts(&held)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    queue.check().await.unwrap();
    assert_eq!(queue.depth().await.unwrap().events, 3);
}

pub(crate) async fn receiving_wakes_with_the_first_entry<B: QueueBed>() {
    let bed = B::new(Settings::default()).await;
    let queue = bed.queue();
    let mut consumer = queue.consumer("slot-0").await.unwrap();
    let started = Instant::now();
    assert!(consumer.receive(5, Duration::from_millis(300)).await.unwrap().is_empty());
    let waited = started.elapsed();
    assert!(waited >= Duration::from_millis(290) && waited < Duration::from_millis(1_500), "{waited:?}");
    let receiving =
        tokio::spawn(async move { (consumer.receive(5, Duration::from_secs(10)).await.unwrap(), Instant::now()) });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let sent = Instant::now();
    queue.enqueue(entry("default", 1, "a")).await.unwrap();
    let (deliveries, at) = receiving.await.unwrap();
    assert_eq!(texts(&deliveries), ["a"]);
    assert!(at.duration_since(sent) < Duration::from_millis(400), "{:?}", at.duration_since(sent));
    let mut consumer = queue.consumer("slot-1").await.unwrap();
    assert!(consumer.receive(0, SOON).await.unwrap().is_empty());
}

pub(crate) async fn tidying_hurts_nothing<B: QueueBed>() {
    let bed = B::new(Settings::default()).await;
    let queue = bed.queue();
    queue.tidy().await.unwrap();
    for index in 0..6 {
        queue.enqueue(entry("default", 2, &index.to_string())).await.unwrap();
    }
    let mut consumer = queue.consumer("slot-0").await.unwrap();
    let held = receive_all(&mut consumer, 3).await;
    consumer.acknowledge(&receipts(&held[1..2])).await.unwrap();
    let gone = texts(&held).remove(1);
    assert!(!B::KEEPS_ORDER || gone == "1");
    queue.tidy().await.unwrap();
    let depth = queue.depth().await.unwrap();
    assert_eq!((depth.batches, depth.events), (5, 10));
    consumer.release(&receipts(&held)).await.unwrap();
    let rest = receive_all(&mut consumer, 5).await;
    let mut rest = texts(&rest);
    rest.sort();
    let left: Vec<String> = (0..6).map(|index| index.to_string()).filter(|text| *text != gone).collect();
    assert_eq!(rest, left);
}

pub(crate) async fn a_dropped_receive_loses_nothing<B: QueueBed>() {
    let bed = B::new(Settings::default()).await;
    let queue = bed.queue();
    let mut consumer = queue.consumer("slot-0").await.unwrap();
    for round in 0..5 {
        let dropped = tokio::time::timeout(Duration::from_millis(50), consumer.receive(5, SOON)).await;
        assert!(dropped.is_err());
        tokio::time::sleep(Duration::from_millis(20)).await;
        queue.enqueue(entry("default", 1, &round.to_string())).await.unwrap();
        let came = receive_all(&mut consumer, 1).await;
        assert_eq!(texts(&came), [round.to_string()]);
        consumer.acknowledge(&receipts(&came)).await.unwrap();
    }
    assert_eq!(queue.depth().await.unwrap().batches, 0);
}

pub(crate) async fn a_restarted_consumer_finds_its_own<B: QueueBed>() {
    let bed = B::new(Settings::default()).await;
    let queue = bed.queue();
    for index in 0..5 {
        queue.enqueue(entry("default", 1, &index.to_string())).await.unwrap();
    }
    let mut consumer = queue.consumer("slot-0").await.unwrap();
    let mut neighbour = queue.consumer("slot-1").await.unwrap();
    let own = receive_all(&mut consumer, 2).await;
    let theirs: Vec<_> = receive_all(&mut neighbour, 1).await.into_iter().map(|delivery| delivery.payload).collect();
    drop(consumer);
    let mut consumer = queue.consumer("slot-0").await.unwrap();
    let all = receive_all(&mut consumer, 4).await;
    if B::KEEPS_ORDER {
        assert_eq!(texts(&all), ["0", "1", "3", "4"]);
    }
    let own: Vec<String> = texts(&own);
    assert!(all.iter().all(|delivery| !theirs.contains(&delivery.payload)), "its neighbour's are not its own");
    for (text, delivery) in texts(&all).iter().zip(&all) {
        assert_eq!(delivery.attempt, if own.contains(text) { 2 } else { 1 }, "{text}");
    }
}

pub(crate) async fn a_late_holder_changes_nothing<B: QueueBed>() {
    let bed = B::new(visible_after::<B>(Duration::from_millis(400))).await;
    let queue = bed.queue();
    queue.enqueue(entry("default", 1, "a")).await.unwrap();
    let (mut late, mut other) = (queue.consumer("late").await.unwrap(), queue.consumer("other").await.unwrap());
    let old = receipts(&late.receive(1, SOON).await.unwrap());
    let held = receive_all(&mut other, 1).await;
    assert_eq!(held[0].attempt, 2);
    late.release(&old).await.unwrap();
    late.extend(&old).await.unwrap();
    other.extend(&receipts(&held)).await.unwrap();
    assert!(late.receive(1, Duration::from_millis(100)).await.unwrap().is_empty(), "it was taken from its holder");
    let again = receive_all(&mut late, 1).await;
    assert_eq!(again[0].attempt, 3);
}

pub(crate) async fn an_empty_batch_is_delivered<B: QueueBed>() {
    let bed = B::new(Settings::default()).await;
    let queue = bed.queue();
    queue.enqueue(entry("default", 0, "only refused ones")).await.unwrap();
    let depth = queue.depth().await.unwrap();
    assert_eq!((depth.batches, depth.events), (1, 0));
    assert!(!B::COUNTS_EVENTS || by_project(&depth).is_empty());
    let mut consumer = queue.consumer("slot-0").await.unwrap();
    let held = receive_all(&mut consumer, 1).await;
    consumer.acknowledge(&receipts(&held)).await.unwrap();
    assert_eq!(queue.depth().await.unwrap().batches, 0);
}

pub(crate) async fn a_large_entry_passes<B: QueueBed>() {
    let bed = B::new(Settings::default()).await;
    let queue = bed.queue();
    let text = "0123456789abcdef".repeat(600_000);
    for _ in 0..2 {
        queue.enqueue(entry("default", 1_000, &text)).await.unwrap();
    }
    let mut consumer = queue.consumer("slot-0").await.unwrap();
    let held = receive_all(&mut consumer, 2).await;
    assert!(held.iter().all(|delivery| delivery.payload == text));
    consumer.acknowledge(&receipts(&held)).await.unwrap();
    assert_empty::<B>(&queue.depth().await.unwrap());
}

pub(crate) async fn the_retention_is_told_to_everybody<B: QueueBed>() {
    let bed = B::new(Settings::default()).await;
    let (teller, told) = (bed.queue(), bed.queue());
    assert_eq!(told.told_retention().await.unwrap(), None);
    for days in [30, 0] {
        teller.tell_retention(Retention { days }).await.unwrap();
        assert_eq!(told.told_retention().await.unwrap(), Some(Retention { days }));
    }
    assert_eq!(told.depth().await.unwrap().batches, 0);
}

pub(crate) async fn the_keys_that_send_are_told_to_everybody<B: QueueBed>() {
    let bed = B::new(Settings::default()).await;
    let (teller, told) = (bed.queue(), bed.queue());
    assert!(told.carries_write_keys());
    assert_eq!(told.told_write_keys().await.unwrap(), None);
    let key = |number: u8| WriteKey { digest: [number; 32], project: project("shop") };
    let hour = Duration::from_secs(3_600);
    // The same again renews the time only.
    for keys in [vec![key(1), key(255)], vec![key(1), key(255)], vec![key(1)], vec![]] {
        teller.tell_write_keys(&keys, hour).await.unwrap();
        let found = told.told_write_keys().await.unwrap().unwrap();
        assert_eq!(found.keys, keys);
        assert!(found.holds <= hour && found.holds > hour - Duration::from_secs(30), "{:?}", found.holds);
    }
    teller.tell_write_keys(&[], Duration::from_millis(300)).await.unwrap();
    let left = told.told_write_keys().await.unwrap().unwrap().holds;
    assert!(left <= Duration::from_millis(300), "it holds for {left:?}");
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(told.told_write_keys().await.unwrap(), None, "it holds no more");
    assert_eq!(told.depth().await.unwrap().batches, 0);
}
