//! What only a cluster goes through: slots that move, masters that die, URLs that promise something else.

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use analytics_domain::Timestamp;
use analytics_messaging::redis::{RedisOptions, RedisQueue};
use analytics_messaging::{FeedItem, Queue, QueueError, Resume};
use analytics_testkit::redis::{AppendFsync, RedisCluster, RedisOptions as ServerOptions, RedisServer};

use crate::beds::{FeedBed, RedisClusterFeedBed, entry, project};
use crate::feed_contract::{events, next, numbers};
use crate::load::Load;

const STREAM: &str = "{analytics:q}:stream";

fn start(masters: usize, replicas: usize) -> RedisCluster {
    RedisCluster::start(masters, replicas, AppendFsync::EverySecond, &[]).unwrap()
}

async fn queue(cluster: &RedisCluster, shards: usize, replicas: u32) -> Arc<RedisQueue> {
    let options = RedisOptions { shards, replicas, ..RedisOptions::new(cluster.url().as_str()) };
    Arc::new(RedisQueue::connect(options).await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_and_nothing_refused_while_the_slot_of_the_queue_moves() {
    let cluster = Arc::new(start(3, 0));
    let load = Load::start(queue(&cluster, 1, 0).await).await;
    load.more(200, Duration::from_secs(10)).await;
    for _ in 0..6 {
        let moving = Arc::clone(&cluster);
        let to = (cluster.owner(STREAM).unwrap() + 1) % 3;
        tokio::task::spawn_blocking(move || moving.move_slot(STREAM, to).unwrap()).await.unwrap();
        load.more(100, Duration::from_secs(10)).await;
    }
    let account = load.end().await;
    assert!(account.lost().is_empty(), "{:?} were answered and are gone", account.lost());
    assert!(account.answered.len() >= 800);
    assert_eq!(account.refused, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_while_redis_cli_reshards_under_load() {
    const SLOTS: usize = 300;
    let cluster = start(3, 0);
    // A queue whose slot is among the first of its node, which are those that are taken first.
    let is_early = |prefix: &String| {
        let slot = cluster.nodes[0].command(&["CLUSTER", "KEYSLOT", &format!("{{{prefix}:q}}:stream")]).unwrap();
        slot.parse::<usize>().unwrap() % (16_384 / 3) < SLOTS - 10
    };
    let key_prefix = (0..).map(|number| format!("p{number}")).find(is_early).unwrap();
    let stream = format!("{{{key_prefix}:q}}:stream");
    let options = RedisOptions { key_prefix, ..RedisOptions::new(cluster.url().as_str()) };
    let load = Load::start(Arc::new(RedisQueue::connect(options).await.unwrap())).await;
    load.more(200, Duration::from_secs(10)).await;
    let (from, seed) = (cluster.owner(&stream).unwrap(), cluster.nodes[0].address().to_string());
    let id = |node: usize| cluster.nodes[node].command(&["CLUSTER", "MYID"]).unwrap();
    let (source, target) = (id(from), id((from + 1) % 3));
    let output = tokio::task::spawn_blocking(move || {
        Command::new("redis-cli")
            .args(["--cluster", "reshard", &seed, "--cluster-from", &source, "--cluster-to", &target])
            .args(["--cluster-slots", &SLOTS.to_string(), "--cluster-yes"])
            .output()
            .unwrap()
    })
    .await
    .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_ne!(cluster.owner(&stream).unwrap(), from);
    load.more(200, Duration::from_secs(10)).await;
    let account = load.end().await;
    assert!(account.lost().is_empty(), "{:?} were answered and are gone", account.lost());
    assert_eq!(account.refused, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_dies_is_followed_and_what_replicas_had_is_there() {
    let mut cluster = start(3, 1);
    let load = Load::start(queue(&cluster, 2, 1).await).await;
    load.more(200, Duration::from_secs(10)).await;
    let victim = cluster.owner(STREAM).unwrap();
    cluster.nodes[victim].kill9();
    let started = Instant::now();
    while cluster.owner(STREAM).is_ok_and(|owner| owner == victim) {
        assert!(started.elapsed() < Duration::from_secs(20), "no replica takes over");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // The new master has no replica until the old one is back as one.
    cluster.nodes[victim].restart().unwrap();
    cluster.wait_whole().unwrap();
    load.more(200, Duration::from_secs(10)).await;
    let account = load.end().await;
    assert!(account.lost().is_empty(), "{:?} were answered and are gone", account.lost());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_that_waits_hears_of_a_slot_that_moves() {
    let cluster = start(3, 0);
    let queue = queue(&cluster, 1, 0).await;
    let mut consumer = queue.consumer("slot-0").await.unwrap();
    let receiving =
        tokio::spawn(async move { consumer.receive(1, Duration::from_secs(20)).await.map(|all| all.len()) });
    tokio::time::sleep(Duration::from_millis(300)).await;
    cluster.move_slot(STREAM, (cluster.owner(STREAM).unwrap() + 1) % 3).unwrap();
    let sent = Instant::now();
    queue.enqueue(entry("default", 1, "a")).await.unwrap();
    assert_eq!(receiving.await.unwrap().unwrap(), 1);
    assert!(sent.elapsed() < Duration::from_secs(3), "{:?}", sent.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_feed_goes_on_after_its_slot_has_moved() {
    let bed = RedisClusterFeedBed::new().await;
    let (publisher, listener, ours) = (bed.publisher(), bed.listener(), project("ours"));
    let received = Timestamp::from_micros(1_700_000_000_000_000);
    let mut subscription = listener.subscribe(&ours, Resume::Now).await.unwrap();
    publisher.publish(&ours, received, &events(0..2)).await.unwrap();
    assert_eq!(numbers(&mut subscription, 2).await, [0, 1]);
    let stream = "{analytics:feed}:ours";
    bed.cluster.move_slot(stream, (bed.cluster.owner(stream).unwrap() + 1) % 3).unwrap();
    publisher.publish(&ours, received, &events(2..4)).await.unwrap();
    let FeedItem::Messages(messages) = next(&mut subscription).await else { panic!("missed") };
    assert_eq!(messages.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_node_of_the_url_is_enough() {
    let mut cluster = start(3, 0);
    let owner = cluster.owner(STREAM).unwrap();
    let other = cluster.nodes[(owner + 1) % 3].address();
    let options = RedisOptions::new(format!("redis+cluster://127.0.0.1:1,{other}").as_str());
    let queue = RedisQueue::connect(options).await.unwrap();
    queue.enqueue(entry("default", 1, "a")).await.unwrap();
    // That one may even go, once the others are known; a node that holds other slots is none of the queue's business.
    cluster.nodes[(owner + 1) % 3].kill9();
    cluster.move_slot("{other}", (owner + 2) % 3).ok();
    queue.depth().await.map(|depth| assert_eq!(depth.batches, 1)).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_url_that_promises_something_else_is_refused_with_the_mend() {
    let (cluster, server) = (start(3, 0), RedisServer::start(ServerOptions::default()).unwrap());
    let told = async |url: &str| match RedisQueue::connect(RedisOptions::new(url)).await {
        Err(QueueError::Misconfigured { problem, mend }) => format!("{problem}; {mend}"),
        Err(other) => panic!("{url}: {other}"),
        Ok(_) => panic!("{url} was accepted"),
    };
    let elsewhere = (cluster.owner(STREAM).unwrap() + 1) % 3;
    let node = cluster.nodes[elsewhere].url();
    assert!(told(&node).await.contains("redis+cluster://127.0.0.1"), "{}", told(&node).await);
    let single = server.url().replace("redis://", "redis+cluster://");
    assert!(told(&single).await.contains("is in no cluster"), "{}", told(&single).await);
    let single = server.url().replace("redis://", "redis+sentinel://") + "/main";
    assert!(told(&single).await.contains("is no sentinel"), "{}", told(&single).await);
}
