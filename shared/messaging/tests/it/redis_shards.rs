//! What only a queue of several streams goes through.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use analytics_messaging::redis::{RedisOptions, RedisQueue};
use analytics_messaging::{Consumer, Delivery, EnqueueError, Queue, QueueError, Receipt};
use analytics_testkit::redis::{AppendFsync, RedisCluster, RedisOptions as ServerOptions, RedisServer};
use proptest::prelude::*;

use crate::beds::{by_project, entry, project};

/// A queue that writes to so many shards.
async fn queue(server: &RedisServer, shards: usize) -> Arc<RedisQueue> {
    let options = RedisOptions { shards, ..RedisOptions::new(server.url().as_str()) };
    Arc::new(RedisQueue::connect(options).await.unwrap())
}

fn server() -> RedisServer {
    RedisServer::start(ServerOptions::default()).unwrap()
}

async fn fill(queue: &RedisQueue, name: &str, count: usize) -> BTreeSet<String> {
    let mut texts = BTreeSet::new();
    for index in 0..count {
        let text = format!("{name}-{index}");
        queue.enqueue(entry("default", 1, &text)).await.unwrap();
        texts.insert(text);
    }
    texts
}

/// Receives and acknowledges until so many different ones have come.
async fn take(consumer: &mut Box<dyn Consumer>, count: usize) -> BTreeSet<String> {
    let (started, mut seen) = (Instant::now(), BTreeSet::new());
    while seen.len() < count {
        assert!(started.elapsed() < Duration::from_secs(20), "{} of {count} came", seen.len());
        let Ok(held) = consumer.receive(50, Duration::from_millis(200)).await else { continue };
        seen.extend(held.iter().map(text));
        consumer.acknowledge(&receipts(&held)).await.unwrap();
    }
    seen
}

/// Receives and acknowledges until all of these have come, among others that a client was not told of.
async fn take_all(consumer: &mut Box<dyn Consumer>, wanted: &BTreeSet<String>) {
    let (started, mut missing) = (Instant::now(), wanted.clone());
    while !missing.is_empty() {
        assert!(started.elapsed() < Duration::from_secs(20), "{} of {} are missing", missing.len(), wanted.len());
        let Ok(held) = consumer.receive(50, Duration::from_millis(200)).await else { continue };
        held.iter().map(text).for_each(|text| _ = missing.remove(&text));
        consumer.acknowledge(&receipts(&held)).await.unwrap();
    }
}

fn text(delivery: &Delivery) -> String {
    String::from_utf8(delivery.payload.to_vec()).unwrap()
}

fn receipts(deliveries: &[Delivery]) -> Vec<Receipt> {
    deliveries.iter().map(|delivery| delivery.receipt.clone()).collect()
}

fn length(server: &RedisServer, shard: usize) -> usize {
    let tag = if shard == 0 { "analytics:q".to_owned() } else { format!("analytics:q:{shard}") };
    server.command(&["XLEN", &format!("{{{tag}}}:stream")]).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_shard_has_the_keys_of_before_and_more_are_spread_evenly() {
    let server = server();
    let before = queue(&server, 1).await;
    let mut all = fill(&before, "before", 10).await;
    let mut keys: Vec<String> = server.command(&["KEYS", "*"]).unwrap().lines().map(str::to_owned).collect();
    keys.sort();
    assert_eq!(keys, ["{analytics:q}:depth", "{analytics:q}:stream"]);
    // An upgrade that also sets the number.
    drop(before);
    let after = queue(&server, 4).await;
    all.extend(fill(&after, "after", 40).await);
    assert_eq!([0, 1, 2, 3].map(|shard| length(&server, shard)), [20, 10, 10, 10]);
    let mut consumer = after.consumer("slot-0").await.unwrap();
    assert_eq!(take(&mut consumer, 50).await, all);
    assert_eq!(after.depth().await.unwrap().batches, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_processor_finds_shards_that_are_added() {
    let server = server();
    let (processor, small) = (queue(&server, 1).await, queue(&server, 1).await);
    let mut consumers = [processor.consumer("slot-0").await.unwrap(), processor.consumer("slot-1").await.unwrap()];
    let mut all = fill(&small, "small", 5).await;
    assert_eq!(take(&mut consumers[0], 5).await, all);
    // A collector with more shards starts beside one with fewer, which goes on for a while.
    let large = queue(&server, 6).await;
    all = fill(&large, "large", 60).await;
    all.extend(fill(&small, "small still", 5).await);
    let depth = large.depth().await.unwrap();
    assert_eq!((depth.batches, depth.events, by_project(&depth)[&project("default")]), (65, 65, 65));
    // Both are at work; one of them was made before there was more than one stream, and has never read any.
    let [first, second] = &mut consumers;
    let mut seen = take(second, 30).await;
    seen.extend(take(first, 65 - seen.len()).await);
    assert_eq!(seen, all);
    assert_eq!(processor.depth().await.unwrap().batches, 0, "it knows them all by now");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shards_that_nobody_writes_to_any_more_are_drained() {
    let server = server();
    let large = queue(&server, 4).await;
    let mut all = fill(&large, "large", 20).await;
    let mut dead = large.consumer("slot-0").await.unwrap();
    // Held by a worker that dies with the old number.
    assert!(!dead.receive(6, Duration::from_secs(1)).await.unwrap().is_empty());
    drop((dead, large));
    let (small, processor) = (queue(&server, 1).await, queue(&server, 1).await);
    all.extend(fill(&small, "small", 3).await);
    assert_eq!(length(&server, 0), 8);
    assert_eq!(small.depth().await.unwrap().batches, 23);
    let mut consumer = processor.consumer("slot-0").await.unwrap();
    assert_eq!(take(&mut consumer, 23).await, all);
    assert_eq!(
        processor.depth().await.unwrap(),
        analytics_messaging::QueueDepth { by_project: Some(BTreeMap::new()), ..Default::default() }
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_limit_counts_shards_that_are_no_longer_written_to() {
    let server = server();
    let large = queue(&server, 4).await;
    fill(&large, "large", 20).await;
    drop(large);
    let options = RedisOptions { max_events: 20, ..RedisOptions::new(server.url().as_str()) };
    let small = RedisQueue::connect(options).await.unwrap();
    let refusal = small.enqueue(entry("default", 1, "over")).await.unwrap_err();
    assert!(matches!(&refusal, EnqueueError::Full { reason } if reason.contains("20 events")), "{refusal}");
    assert!(small.check().await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shard_whose_server_is_away_stops_neither_side() {
    // Without full coverage, the other nodes serve their slots while one is away.
    let settings = [("cluster-require-full-coverage", "no")];
    let mut cluster = RedisCluster::start(3, 0, AppendFsync::Always, &settings).unwrap();
    let options = RedisOptions { shards: 8, ..RedisOptions::new(cluster.url().as_str()) };
    let queue = Arc::new(RedisQueue::connect(options).await.unwrap());
    let mut consumer = queue.consumer("slot-0").await.unwrap();
    let mut all = fill(&queue, "before", 16).await;
    let victim = cluster.owner("{analytics:q:1}:stream").unwrap();
    cluster.nodes[victim].kill9();
    let started = Instant::now();
    all.extend(fill(&queue, "during", 100).await);
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    queue.check().await.unwrap();
    assert!(queue.depth().await.is_err(), "a depth without one of the shards would be a wrong one");
    let mut seen = take(&mut consumer, 100).await;
    assert!(seen.iter().any(|text| text.starts_with("during")));
    cluster.nodes[victim].restart().unwrap();
    cluster.wait_whole().unwrap();
    seen.extend(take(&mut consumer, all.len() - seen.len()).await);
    assert_eq!(seen, all);
    assert_eq!(queue.depth().await.unwrap().batches, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shard_whose_server_is_silent_costs_few_requests_their_time() {
    let settings = [("cluster-require-full-coverage", "no")];
    let mut cluster = RedisCluster::start(3, 0, AppendFsync::Always, &settings).unwrap();
    let options = RedisOptions { shards: 8, ..RedisOptions::new(cluster.url().as_str()) };
    let queue = Arc::new(RedisQueue::connect(options).await.unwrap());
    let victim = cluster.owner("{analytics:q:1}:stream").unwrap();
    cluster.nodes[victim].pause();
    let (started, mut slow, mut slowest) = (Instant::now(), 0, Duration::ZERO);
    let (mut all, mut refused) = (BTreeSet::new(), 0);
    for index in 0..2_000 {
        let sent = Instant::now();
        match queue.enqueue(entry("default", 1, &index.to_string())).await {
            Ok(()) => _ = all.insert(index.to_string()),
            // Two shards of the silent server, one after the other.
            Err(_) => refused += 1,
        }
        slow += u32::from(sent.elapsed() > Duration::from_millis(500));
        slowest = slowest.max(sent.elapsed());
        if started.elapsed() > Duration::from_secs(12) {
            break;
        }
    }
    assert!(slowest < Duration::from_secs(3), "{slowest:?}");
    assert!(slow <= 8 && refused <= 4 && all.len() > 200, "{slow} slow, {refused} refused, {} taken", all.len());
    let checked = Instant::now();
    queue.check().await.unwrap();
    assert!(checked.elapsed() < Duration::from_secs(2), "{:?}", checked.elapsed());
    cluster.nodes[victim].resume();
    cluster.wait_whole().unwrap();
    // What the silent one had been given comes too, as well as from where it went instead.
    let mut consumer = queue.consumer("slot-0").await.unwrap();
    take_all(&mut consumer, &all).await;
}

#[tokio::test]
async fn a_number_of_shards_out_of_bounds_is_refused() {
    for shards in [0, 65] {
        let refusal = RedisQueue::connect(RedisOptions { shards, ..RedisOptions::new("redis://h") }).await.unwrap_err();
        assert!(matches!(refusal, QueueError::Misconfigured { .. }), "{refusal}");
    }
}

/// What a collector, a processor or an operator does next.
#[derive(Debug, Clone)]
enum Step {
    Enqueue(u32),
    Receive(usize),
    Acknowledge(usize),
    Release(usize),
    /// A worker dies with what it has, and comes back under its name.
    Restart,
    /// Collector and processor come back with another number of shards.
    Reshard(usize),
    Tidy,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..4_u32).prop_map(Step::Enqueue),
        4 => (1..6_usize).prop_map(Step::Receive),
        4 => any::<usize>().prop_map(Step::Acknowledge),
        1 => any::<usize>().prop_map(Step::Release),
        1 => Just(Step::Restart),
        1 => (1..6_usize).prop_map(Step::Reshard),
        1 => Just(Step::Tidy),
    ]
}

/// Runs the steps and holds the queue to a ledger of what was put in and not yet acknowledged.
async fn run(steps: Vec<Step>) {
    let server = server();
    let mut queue = queue(&server, 4).await;
    let mut consumer = queue.consumer("slot-0").await.unwrap();
    let (mut ledger, mut held): (BTreeMap<String, u32>, Vec<Delivery>) = Default::default();
    for (number, step) in steps.into_iter().enumerate() {
        match step {
            Step::Enqueue(events) => {
                queue.enqueue(entry("default", events, &number.to_string())).await.unwrap();
                ledger.insert(number.to_string(), events);
            }
            Step::Receive(most) => {
                let came = consumer.receive(most, Duration::ZERO).await.unwrap();
                assert!(came.len() <= most);
                for delivery in &came {
                    assert!(ledger.contains_key(&text(delivery)), "{} was acknowledged", text(delivery));
                    assert!(held.iter().all(|other| text(other) != text(delivery)), "{} is held", text(delivery));
                }
                held.extend(came);
            }
            Step::Acknowledge(which) if !held.is_empty() => {
                let delivery = held.swap_remove(which % held.len());
                consumer.acknowledge(&[delivery.receipt.clone(), delivery.receipt.clone()]).await.unwrap();
                ledger.remove(&text(&delivery)).unwrap();
            }
            Step::Release(which) if !held.is_empty() => {
                let delivery = held.swap_remove(which % held.len());
                consumer.release(std::slice::from_ref(&delivery.receipt)).await.unwrap();
            }
            Step::Acknowledge(_) | Step::Release(_) => {}
            Step::Restart => {
                consumer = queue.consumer("slot-0").await.unwrap();
                held.clear();
            }
            Step::Reshard(shards) => {
                queue = self::queue(&server, shards).await;
                consumer = queue.consumer("slot-0").await.unwrap();
                held.clear();
            }
            Step::Tidy => queue.tidy().await.unwrap(),
        }
        let depth = queue.depth().await.unwrap();
        let events: u64 = ledger.values().copied().map(u64::from).sum();
        assert_eq!((depth.batches, depth.events), (ledger.len() as u64, events), "after step {number}");
    }
    drop(consumer);
    let mut consumer = queue.consumer("slot-0").await.unwrap();
    let left: BTreeSet<String> = ledger.into_keys().collect();
    assert_eq!(take(&mut consumer, left.len()).await, left);
    assert_eq!(queue.depth().await.unwrap().batches, 0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn the_ledger_of_a_queue_of_several_streams_is_whole(steps in proptest::collection::vec(step(), 20..80)) {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(run(steps));
    }
}
