//! What only a queue on a server goes through.

use std::sync::Arc;
use std::time::{Duration, Instant};

use analytics_messaging::redis::{RedisOptions, RedisQueue};
use analytics_messaging::{Consumer, Delivery, EnqueueError, Entry, Queue, Receipt};
use analytics_testkit::breaker::{Network, TcpBreaker};
use analytics_testkit::redis::{AppendFsync, RedisOptions as ServerOptions, RedisServer};

use crate::beds::{QueueBed, RedisBed, Settings, SmallDisk, by_project, entry, project};

const STREAM: &str = "{analytics:q}:stream";
const DEPTH: &str = "{analytics:q}:depth";

fn receipts(deliveries: &[Delivery]) -> Vec<Receipt> {
    deliveries.iter().map(|delivery| delivery.receipt.clone()).collect()
}

fn filler(bytes: usize) -> Entry {
    Entry { project: project("default"), events: 10, payload: vec![7; bytes].into() }
}

async fn drain(consumer: &mut Box<dyn Consumer>) -> usize {
    let mut count = 0;
    loop {
        let held = consumer.receive(200, Duration::from_millis(200)).await.unwrap();
        if held.is_empty() {
            return count;
        }
        count += held.len();
        consumer.acknowledge(&receipts(&held)).await.unwrap();
    }
}

/// Tries until it works, within the time.
async fn eventually<T, E: std::fmt::Display>(limit: Duration, mut attempt: impl AsyncFnMut() -> Result<T, E>) -> T {
    let started = Instant::now();
    loop {
        match attempt().await {
            Ok(value) => return value,
            Err(error) => assert!(started.elapsed() < limit, "still {error} after {limit:?}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn through(breaker: &TcpBreaker, server: &RedisServer) -> RedisQueue {
    let url = breaker.through(&server.url(), server.address());
    RedisQueue::connect(RedisOptions::new(url.as_str())).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_emptied_server_is_used_again() {
    let bed = RedisBed::new(Settings::default()).await;
    let queue = bed.queue();
    queue.enqueue(entry("default", 3, "lost")).await.unwrap();
    let mut consumer = queue.consumer("slot-0").await.unwrap();
    let held = consumer.receive(1, Duration::from_secs(1)).await.unwrap();
    // While one consumer waits at the server, too.
    let mut waiting = queue.consumer("slot-1").await.unwrap();
    let receiving = tokio::spawn(async move { waiting.receive(1, Duration::from_secs(5)).await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    bed.command(&["FLUSHALL"]);
    consumer.acknowledge(&receipts(&held)).await.unwrap();
    consumer.extend(&receipts(&held)).await.unwrap();
    consumer.release(&receipts(&held)).await.unwrap();
    queue.tidy().await.unwrap();
    let depth = queue.depth().await.unwrap();
    assert_eq!((depth.batches, depth.events, by_project(&depth).len()), (0, 0, 0));
    // The stream is made by the entry, its group by the consumer: from the first entry on.
    queue.enqueue(entry("default", 2, "found")).await.unwrap();
    let mut all = receiving.await.unwrap().unwrap();
    all.extend(consumer.receive(1, Duration::from_millis(700)).await.unwrap());
    assert_eq!(all.iter().map(|delivery| &delivery.payload[..]).collect::<Vec<_>>(), [b"found"]);
    assert_eq!(queue.depth().await.unwrap().events, 2);
    consumer.acknowledge(&receipts(&all)).await.unwrap();
    assert_eq!(bed.command(&["EXISTS", DEPTH]), "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_its_memory_limit_the_server_refuses_and_the_queue_still_drains() {
    let server = RedisServer::start(ServerOptions { maxmemory: Some(12_000_000), ..ServerOptions::default() }).unwrap();
    // The share of memory is out of the way here: it is the server's own refusal that is looked at.
    let options = RedisOptions { max_memory_percent: 1_000, ..RedisOptions::new(server.url().as_str()) };
    let bed = RedisBed::with(server, options).await;
    let queue = bed.queue();
    let mut taken = 0_usize;
    let refusal = loop {
        match queue.enqueue(filler(20_000)).await {
            Ok(()) => taken += 1,
            Err(refusal) => break refusal,
        }
    };
    assert!(matches!(&refusal, EnqueueError::Full { reason } if reason.contains("memory limit")), "{refusal}");
    let depth = queue.depth().await.unwrap();
    assert_eq!((depth.batches, depth.events), (taken as u64, 10 * taken as u64));
    // Something else fills what is left, so that not even a small write passes.
    while bed.server.command(&["APPEND", "other", &"x".repeat(60_000)]).is_ok() {}
    assert!(queue.check().await.is_err());
    let mut consumer = queue.consumer("slot-0").await.unwrap();
    let held = consumer.receive(5, Duration::from_secs(1)).await.unwrap();
    assert_eq!(held.len(), 5);
    consumer.extend(&receipts(&held)).await.unwrap();
    consumer.release(&receipts(&held)).await.unwrap();
    queue.tidy().await.unwrap();
    assert_eq!(drain(&mut consumer).await, taken);
    let depth = queue.depth().await.unwrap();
    assert_eq!((depth.batches, depth.events, by_project(&depth).len()), (0, 0, 0));
    eventually(Duration::from_secs(2), async || queue.enqueue(filler(20_000)).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_stops_before_the_server_is_full() {
    let server = RedisServer::start(ServerOptions { maxmemory: Some(20_000_000), ..ServerOptions::default() }).unwrap();
    let options = RedisOptions::new(server.url().as_str());
    let bed = RedisBed::with(server, options).await;
    let queue = bed.queue();
    let refusal = loop {
        if let Err(refusal) = queue.enqueue(filler(20_000)).await {
            break refusal;
        }
        tokio::time::sleep(Duration::from_millis(8)).await;
    };
    let reason = refusal.to_string();
    assert!(matches!(refusal, EnqueueError::Full { .. }), "{reason}");
    assert!(reason.contains("of 20000000 bytes") && reason.contains("80 %"), "{reason}");
    assert!(queue.check().await.unwrap_err().to_string().contains("take entries"));
    bed.command(&["SET", "small", "x"]);
    let mut consumer = queue.consumer("slot-0").await.unwrap();
    drain(&mut consumer).await;
    eventually(Duration::from_secs(3), async || queue.enqueue(filler(20_000)).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_connection_is_an_error_within_three_seconds_and_is_replaced() {
    let server = RedisServer::start(ServerOptions::default()).unwrap();
    let breaker = TcpBreaker::start(server.address()).unwrap();
    let queue = Arc::new(through(&breaker, &server).await);
    let mut consumer = queue.consumer("slot-0").await.unwrap();
    queue.enqueue(entry("default", 1, "before")).await.unwrap();
    let held = consumer.receive(1, Duration::from_secs(1)).await.unwrap();
    for network in [Network::Silent, Network::AnswersLost, Network::Reset] {
        breaker.set(network);
        let started = Instant::now();
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..20 {
            let queue = Arc::clone(&queue);
            tasks.spawn(async move { queue.enqueue(entry("default", 1, "during")).await });
        }
        for outcome in tasks.join_all().await {
            assert!(matches!(outcome, Err(EnqueueError::Unavailable { .. })), "{outcome:?}");
        }
        assert!(started.elapsed() < Duration::from_secs(3), "{network:?}: {:?}", started.elapsed());
        let started = Instant::now();
        assert!(queue.check().await.is_err());
        assert!(consumer.acknowledge(&receipts(&held)).await.is_err());
        assert!(queue.depth().await.is_err());
        assert!(started.elapsed() < Duration::from_secs(7), "{network:?}: {:?}", started.elapsed());
        let started = Instant::now();
        assert!(consumer.receive(1, Duration::from_millis(100)).await.is_err());
        assert!(started.elapsed() < Duration::from_secs(5), "{network:?}: {:?}", started.elapsed());
        breaker.set(Network::Whole);
        eventually(Duration::from_secs(5), async || queue.enqueue(entry("default", 1, "after")).await).await;
        eventually(Duration::from_secs(5), async || consumer.receive(1, Duration::from_millis(100)).await).await;
    }
    consumer.acknowledge(&receipts(&held)).await.unwrap();
    // What was written but not answered is there as well: its sender could not know.
    let mut all = queue.consumer("slot-0").await.unwrap();
    let depth = queue.depth().await.unwrap();
    assert!(depth.batches >= 3);
    assert_eq!(drain(&mut all).await as u64, depth.batches);
    assert_eq!(queue.depth().await.unwrap().events, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_to_a_read_costs_no_visibility_timeout() {
    let server = RedisServer::start(ServerOptions::default()).unwrap();
    let breaker = TcpBreaker::start(server.address()).unwrap();
    let queue = through(&breaker, &server).await;
    let mut consumer = queue.consumer("slot-0").await.unwrap();
    for text in ["a", "b"] {
        queue.enqueue(entry("default", 1, text)).await.unwrap();
    }
    let held = consumer.receive(1, Duration::from_secs(1)).await.unwrap();
    breaker.set(Network::AnswersLost);
    assert!(consumer.receive(1, Duration::from_millis(100)).await.is_err());
    breaker.set(Network::Reset);
    tokio::time::sleep(Duration::from_millis(100)).await;
    breaker.set(Network::Whole);
    // "a" is in our hands and does not come again; "b" was given out to nobody's ears.
    let again = eventually(Duration::from_secs(5), async || {
        let came = consumer.receive(10, Duration::from_millis(200)).await.map_err(|error| error.to_string())?;
        if came.is_empty() { Err("nothing came".to_owned()) } else { Ok(came) }
    })
    .await;
    assert_eq!((&again[0].payload[..], again.len()), (&b"b"[..], 1));
    assert!(again[0].attempt <= 2);
    consumer.acknowledge(&receipts(&held)).await.unwrap();
    consumer.acknowledge(&receipts(&again)).await.unwrap();
    assert_eq!(queue.depth().await.unwrap().batches, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answered_entry_is_there_after_the_server_was_killed_under_load() {
    let mut server =
        RedisServer::start(ServerOptions { appendfsync: AppendFsync::Always, ..ServerOptions::default() }).unwrap();
    let queue = Arc::new(RedisQueue::connect(RedisOptions::new(server.url().as_str())).await.unwrap());
    let mut tasks = tokio::task::JoinSet::new();
    for producer in 0..8 {
        let queue = Arc::clone(&queue);
        tasks.spawn(async move {
            let mut answered = Vec::new();
            for index in 0.. {
                let text = format!("{producer}-{index}");
                match queue.enqueue(entry("default", 1, &text)).await {
                    Ok(()) => answered.push(text),
                    Err(_) => break,
                }
            }
            answered
        });
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    server.kill9();
    let answered: Vec<String> = tasks.join_all().await.into_iter().flatten().collect();
    assert!(!answered.is_empty());
    let started = Instant::now();
    assert!(queue.enqueue(entry("default", 1, "down")).await.is_err());
    assert!(started.elapsed() < Duration::from_secs(2));
    server.restart().unwrap();
    let mut consumer = queue.consumer("slot-0").await.unwrap();
    let mut there = std::collections::HashSet::new();
    let depth = eventually(Duration::from_secs(5), async || queue.depth().await).await;
    while (there.len() as u64) < depth.batches {
        let held = consumer.receive(500, Duration::from_secs(1)).await.unwrap();
        assert!(!held.is_empty());
        there.extend(held.iter().map(|delivery| String::from_utf8(delivery.payload.to_vec()).unwrap()));
        consumer.acknowledge(&receipts(&held)).await.unwrap();
    }
    let lost: Vec<_> = answered.iter().filter(|text| !there.contains(*text)).collect();
    assert!(lost.is_empty(), "{lost:?} were answered and are gone");
    let depth = queue.depth().await.unwrap();
    assert_eq!((depth.batches, depth.events), (0, 0), "the count came through the kill");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tidying_removes_what_crashes_leave() {
    let bed = RedisBed::new(Settings::default()).await;
    let queue = bed.queue();
    for index in 0..4 {
        queue.enqueue(entry("default", 2, &index.to_string())).await.unwrap();
    }
    let mut consumer = queue.consumer("slot-0").await.unwrap();
    let held = consumer.receive(3, Duration::from_secs(1)).await.unwrap();
    // Somebody acknowledges the first two without deleting them.
    for receipt in &held[..2] {
        let id = receipt.receipt.0.split('/').next().unwrap();
        assert_eq!(bed.command(&["XACK", STREAM, "processors", id]), "1");
    }
    assert_eq!(queue.depth().await.unwrap().batches, 4);
    queue.tidy().await.unwrap();
    let depth = queue.depth().await.unwrap();
    assert_eq!((depth.batches, depth.events), (2, 4));
    consumer.acknowledge(&receipts(&held)).await.unwrap();
    let last = consumer.receive(3, Duration::from_secs(1)).await.unwrap();
    consumer.acknowledge(&receipts(&last)).await.unwrap();
    // A count that somebody has spoilt is right again once the queue is empty.
    bed.command(&["HINCRBY", DEPTH, "", "7"]);
    queue.tidy().await.unwrap();
    assert_eq!(queue.depth().await.unwrap().events, 0);
    // A consumer just seen stays, whatever else.
    assert!(bed.command(&["XINFO", "CONSUMERS", STREAM, "processors"]).contains("slot-0"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_entry_is_handed_out_and_can_be_removed() {
    let bed = RedisBed::new(Settings::default()).await;
    let queue = bed.queue();
    bed.command(&["XADD", STREAM, "*", "foo", "bar"]);
    let mut consumer = queue.consumer("slot-0").await.unwrap();
    let held = consumer.receive(3, Duration::from_secs(1)).await.unwrap();
    assert!(held[0].payload.is_empty());
    consumer.acknowledge(&receipts(&held)).await.unwrap();
    assert_eq!(queue.depth().await.unwrap().batches, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_the_server_is_bounded() {
    let mut server = RedisServer::start(ServerOptions::default()).unwrap();
    let options = RedisOptions { max_waiting_bytes: 1 << 20, ..RedisOptions::new(server.url().as_str()) };
    let queue = Arc::new(RedisQueue::connect(options).await.unwrap());
    server.pause();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let queue = Arc::clone(&queue);
        tasks.spawn(async move { queue.enqueue(filler(100 << 10)).await });
    }
    let outcomes = tasks.join_all().await;
    let full = outcomes.iter().filter(|outcome| matches!(outcome, Err(EnqueueError::Full { .. }))).count();
    assert!(outcomes.iter().all(Result::is_err));
    assert!((35..=40).contains(&full), "{full} of 50 were refused at once");
    server.resume();
    eventually(Duration::from_secs(5), async || queue.enqueue(filler(100 << 10)).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_comes_back_after_a_drain() {
    let bed = RedisBed::new(Settings::default()).await;
    let queue = bed.queue();
    let used = || -> u64 {
        let info = bed.command(&["INFO", "memory"]);
        info.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap().trim().parse().unwrap()
    };
    let before = used();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let queue = Arc::clone(&queue);
        tasks.spawn(async move {
            for _ in 0..500 {
                queue.enqueue(filler(2_000)).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    assert!(used() > before + 16_000_000);
    let mut consumer = queue.consumer("slot-0").await.unwrap();
    assert_eq!(drain(&mut consumer).await, 8_000);
    assert!(used() < before + 3_000_000, "{} bytes before, {} after", before, used());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_under_the_server_is_unavailable_until_there_is_room() {
    let Some(disk) = SmallDisk::mount(8) else {
        // Only root can have a small disk; the build's own machine runs this as root.
        return;
    };
    let settings = vec![("dir".to_owned(), disk.path().display().to_string())];
    let server = RedisServer::start(ServerOptions { settings, ..ServerOptions::default() }).unwrap();
    let options = RedisOptions::new(server.url().as_str());
    let bed = RedisBed::with(server, options).await;
    let queue = bed.queue();
    let ballast = disk.path().join("ballast");
    std::fs::write(&ballast, vec![1; 4 << 20]).unwrap();
    let started = Instant::now();
    let mut taken = 0_u64;
    let refusal = loop {
        match queue.enqueue(filler(50_000)).await {
            Ok(()) => taken += 1,
            Err(refusal) => break refusal,
        }
        assert!(started.elapsed() < Duration::from_secs(20), "8 MB never filled");
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    assert!(matches!(&refusal, EnqueueError::Unavailable { reason } if reason.contains("MISCONF")), "{refusal}");
    assert!(queue.check().await.is_err());
    std::fs::remove_file(&ballast).unwrap();
    eventually(Duration::from_secs(10), async || queue.enqueue(filler(50_000)).await).await;
    queue.check().await.unwrap();
    let mut consumer = queue.consumer("slot-0").await.unwrap();
    assert_eq!(drain(&mut consumer).await as u64, taken + 1);
    assert_eq!(queue.depth().await.unwrap().events, 0);
}
