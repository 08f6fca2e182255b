//! What only a master that sentinels watch goes through.

use std::sync::Arc;
use std::time::{Duration, Instant};

use analytics_domain::Timestamp;
use analytics_messaging::redis::{RedisCache, RedisFeed, RedisOptions, RedisQueue};
use analytics_messaging::{Cache, EnqueueError, Feed, FeedItem, Queue, QueueError, Resume};
use analytics_testkit::redis::{AppendFsync, MASTER, RedisSentinels};
use tokio::task::JoinSet;

use crate::beds::{entry, project};
use crate::feed_contract::{events, next, numbers};
use crate::load::Load;

fn start(replicas: usize) -> RedisSentinels {
    RedisSentinels::start(replicas, 3, AppendFsync::EverySecond).unwrap()
}

async fn queue(all: &RedisSentinels, replicas: u32) -> Arc<RedisQueue> {
    let options = RedisOptions { replicas, ..RedisOptions::new(all.url().as_str()) };
    Arc::new(RedisQueue::connect(options).await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_new_master_is_followed_under_load_and_what_replicas_had_is_there() {
    let mut all = start(2);
    let load = Load::start(queue(&all, 1).await).await;
    load.more(300, Duration::from_secs(10)).await;
    all.servers[0].kill9();
    let killed = Instant::now();
    all.wait_for_another(0).unwrap();
    // The other replica follows the new master, so that batches are answered again.
    load.more(300, Duration::from_secs(15)).await;
    assert!(killed.elapsed() < Duration::from_secs(20), "{:?}", killed.elapsed());
    // The old one comes back as a replica; nobody takes it for the master.
    all.servers[0].restart().unwrap();
    load.more(300, Duration::from_secs(15)).await;
    let account = load.end().await;
    assert!(account.lost().is_empty(), "{:?} were answered and are gone", account.lost());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_replicas_that_were_asked_for_nothing_is_answered() {
    let mut all = start(1);
    let queue = queue(&all, 1).await;
    queue.check().await.unwrap();
    queue.enqueue(entry("default", 1, "a")).await.unwrap();
    all.servers[1].pause();
    let started = Instant::now();
    let refusal = queue.enqueue(entry("default", 1, "b")).await.unwrap_err();
    assert!(
        matches!(&refusal, EnqueueError::Unavailable { reason } if reason.contains("0 of 1 replicas")),
        "{refusal}"
    );
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    all.servers[1].kill9();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let refusal = queue.check().await.unwrap_err();
    let told = std::error::Error::source(&refusal).unwrap().to_string();
    assert!(told.contains("0 of the 1"), "{told}");
}

/// How much was answered while the only replica was frozen, and how much of it the new master has, which is that replica.
async fn lose_the_master_of_a_late_replica(replicas: u32) -> (usize, usize) {
    let mut all = start(1);
    let queue = queue(&all, replicas).await;
    for index in 0..10 {
        queue.enqueue(entry("default", 1, &format!("before {index}"))).await.unwrap();
    }
    // By now the replica has these, asked for or not.
    tokio::time::sleep(Duration::from_millis(500)).await;
    all.servers[1].pause();
    // More than the connection between the two holds on its way.
    let large = "x".repeat(4 << 20);
    let mut during = JoinSet::new();
    for index in 0..10 {
        let (queue, text) = (Arc::clone(&queue), format!("during {index} {large}"));
        during.spawn(async move { queue.enqueue(entry("default", 1, &text)).await.is_ok() });
    }
    let answered = during.join_all().await.into_iter().filter(|taken| *taken).count();
    all.servers[0].kill9();
    all.servers[1].resume();
    assert_eq!(all.wait_for_another(0).unwrap(), 1);
    let mut consumer = queue.consumer("slot-0").await.unwrap();
    let (started, mut came) = (Instant::now(), Vec::new());
    while came.iter().filter(|text: &&String| text.starts_with("before")).count() < 10 {
        assert!(started.elapsed() < Duration::from_secs(20), "what was answered before is gone: {came:?}");
        let Ok(held) = consumer.receive(50, Duration::from_millis(500)).await else { continue };
        came.extend(held.iter().map(|delivery| String::from_utf8_lossy(&delivery.payload[..8]).into_owned()));
    }
    (answered, came.iter().filter(|text| text.starts_with("during")).count())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_replica_has_is_answered_only_where_nobody_asked_for_replicas() {
    assert_eq!(lose_the_master_of_a_late_replica(1).await.0, 0, "a batch was answered that no replica had");
    // The loss that the docs tell of.
    let (answered, kept) = lose_the_master_of_a_late_replica(0).await;
    assert!(answered == 10 && kept < 10, "{answered} were answered, {kept} kept");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn feed_and_cache_follow_the_new_master() {
    let mut all = start(1);
    let feed = RedisFeed::new(&all.url().as_str().into(), "analytics").unwrap();
    let cache = RedisCache::new(&all.url().as_str().into(), "analytics").unwrap();
    let (ours, received) = (project("ours"), Timestamp::from_micros(1_700_000_000_000_000));
    let mut subscription = feed.subscribe(&ours, Resume::Now).await.unwrap();
    feed.publish(&ours, received, &events(0..2)).await.unwrap();
    assert_eq!(numbers(&mut subscription, 2).await, [0, 1]);
    cache.put("a", "1".into(), Duration::from_secs(60)).await.unwrap();
    // What is replicated late may be lost to feed and cache; both may forget.
    tokio::time::sleep(Duration::from_millis(300)).await;
    all.servers[0].kill9();
    all.wait_for_another(0).unwrap();
    let started = Instant::now();
    while feed.publish(&ours, received, &events(2..3)).await.is_err() || cache.check().await.is_err() {
        assert!(started.elapsed() < Duration::from_secs(10), "the new master is not found");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let item = next(&mut subscription).await;
    assert!(matches!(&item, FeedItem::Messages(messages) if messages[0].event.id.as_u128() == 2), "{item:?}");
    assert_eq!(cache.get("a").await.unwrap().unwrap(), "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_nobody_knows_and_a_sentinel_taken_for_a_server_are_refused_with_the_mend() {
    let all = start(0);
    let told = async |url: &str| match RedisQueue::connect(RedisOptions::new(url)).await {
        Err(QueueError::Misconfigured { problem, mend }) => format!("{problem}; {mend}"),
        Err(other) => panic!("{url}: {other}"),
        Ok(_) => panic!("{url} was accepted"),
    };
    let wrong = told(&all.url().replace(MASTER, "other")).await;
    assert!(wrong.contains("knows no master other") && wrong.contains("sentinel monitor"), "{wrong}");
    let hosts = all.url().replace("redis+sentinel://", "");
    let first = hosts.split([',', '/']).next().unwrap();
    let wrong = told(&format!("redis://{first}")).await;
    assert!(wrong.contains("is a sentinel") && wrong.contains(&format!("redis+sentinel://{first}/")), "{wrong}");
}
