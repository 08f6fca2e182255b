//! What every cache keeps.

use std::time::{Duration, Instant};

use analytics_messaging::process::ProcessCache;
use analytics_messaging::redis::RedisCache;
use analytics_messaging::{Cache, CacheError};
use analytics_testkit::breaker::{Network, TcpBreaker};
use analytics_testkit::redis::{AppendFsync, RedisCluster, RedisOptions, RedisServer};
use bytes::Bytes;

const LONG: Duration = Duration::from_secs(60);

async fn keeps_answers_for_their_time(cache: &dyn Cache) {
    cache.check().await.unwrap();
    assert_eq!(cache.get("a").await.unwrap(), None);
    cache.put("a", Bytes::from_static(b"\x00\xff one"), LONG).await.unwrap();
    cache.put("b", Bytes::new(), LONG).await.unwrap();
    assert_eq!(cache.get("a").await.unwrap().unwrap(), &b"\x00\xff one"[..]);
    assert_eq!(cache.get("b").await.unwrap().unwrap(), &b""[..]);
    cache.put("a", Bytes::from_static(b"two"), Duration::from_millis(150)).await.unwrap();
    assert_eq!(cache.get("a").await.unwrap().unwrap(), &b"two"[..]);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(cache.get("a").await.unwrap(), None);
    cache.put("c", Bytes::from_static(b"gone at once"), Duration::ZERO).await.unwrap();
    assert_eq!(cache.get("c").await.unwrap(), None);
}

#[tokio::test]
async fn the_process_keeps_answers_for_their_time_and_within_its_bytes() {
    let cache = ProcessCache::new(1 << 20);
    keeps_answers_for_their_time(&cache).await;
    for index in 0..2_000 {
        cache.put(&index.to_string(), vec![7; 4_096].into(), LONG).await.unwrap();
        assert!(cache.bytes() <= 1 << 20);
    }
    assert!(cache.bytes() > 1 << 19, "{} bytes are kept", cache.bytes());
    cache.put("too large", vec![7; 2 << 20].into(), LONG).await.unwrap();
    assert_eq!(cache.get("too large").await.unwrap(), None);
    assert!(cache.bytes() <= 1 << 20);
}

#[tokio::test]
async fn redis_keeps_answers_for_their_time() {
    let server = RedisServer::start(RedisOptions::default()).unwrap();
    let cache = RedisCache::new(&server.url().as_str().into(), "analytics").unwrap();
    keeps_answers_for_their_time(&cache).await;
    let keys = server.command(&["KEYS", "*"]).unwrap();
    assert_eq!(keys.trim(), "analytics:cache:b");
}

#[tokio::test]
async fn a_cluster_keeps_answers_for_their_time_and_spreads_them() {
    let cluster = RedisCluster::start(3, 0, AppendFsync::default(), &[]).unwrap();
    let cache = RedisCache::new(&cluster.url().as_str().into(), "analytics").unwrap();
    keeps_answers_for_their_time(&cache).await;
    for index in 0..200 {
        cache.put(&format!("key {index}"), index.to_string().into(), LONG).await.unwrap();
    }
    for index in 0..200 {
        assert_eq!(cache.get(&format!("key {index}")).await.unwrap().unwrap(), index.to_string());
    }
    for node in &cluster.nodes {
        let kept: u32 = node.command(&["DBSIZE"]).unwrap().parse().unwrap();
        assert!((10..190).contains(&kept), "a node has {kept} of 200");
    }
}

#[tokio::test]
async fn a_silent_redis_costs_half_a_second_and_comes_back() {
    let mut server = RedisServer::start(RedisOptions::default()).unwrap();
    let breaker = TcpBreaker::start(server.address()).unwrap();
    let url = breaker.through(&server.url(), server.address());
    let cache = RedisCache::new(&url.as_str().into(), "analytics").unwrap();
    cache.put("a", Bytes::from_static(b"1"), LONG).await.unwrap();
    let failing = async |cache: &RedisCache| {
        let started = Instant::now();
        let outcome: Result<_, CacheError> = cache.get("a").await;
        assert!(outcome.is_err());
        assert!(started.elapsed() < Duration::from_millis(900), "{:?}", started.elapsed());
        assert!(cache.check().await.is_err());
    };
    breaker.set(Network::Silent);
    failing(&cache).await;
    breaker.set(Network::Whole);
    comes_back(&cache).await;
    server.kill9();
    failing(&cache).await;
    server.restart().unwrap();
    comes_back(&cache).await;
}

async fn comes_back(cache: &RedisCache) {
    let started = Instant::now();
    while cache.get("a").await.ok().flatten().as_deref() != Some(b"1") {
        assert!(started.elapsed() < Duration::from_secs(5), "the cache does not come back");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
