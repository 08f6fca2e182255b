//! The program `collector` from outside.

use std::path::Path;
use std::time::{Duration, Instant};

use analytics_domain::Retention;
use analytics_messaging::Queue;
use analytics_messaging::redis::{RedisOptions as QueueOptions, RedisQueue};
use analytics_testkit::redis::{RedisOptions, RedisServer};
use analytics_testkit::role::{Role, RoleOptions};

use crate::running::{event, refused, told};

pub(crate) fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_collector"))
}

#[tokio::test(flavor = "multi_thread")]
async fn takes_events_tells_its_health_and_stops_when_asked() {
    let redis = RedisServer::start(RedisOptions::default()).unwrap();
    let mut role = Role::start(program(), RoleOptions::new().variable("REDIS_URL", redis.url())).unwrap();
    let client = reqwest::Client::new();
    let url = role.url();
    let response = client.post(format!("{url}/collect")).body(event("")).send().await.unwrap();
    assert_eq!(response.status(), 202, "{}", role.log());
    let (status, health) = told(client.get(format!("{url}/health")).send().await.unwrap()).await;
    assert_eq!((status, &health["status"], &health["checks"]["redis"]), (200, &"healthy".into(), &"ok".into()));
    let page = client.get(format!("{url}/metrics")).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("analytics_events_queued_total 1"), "{page}");
    assert!(page.contains(r#"analytics_events_received_total{type="t"} 1"#), "{page}");
    assert!(page.contains("analytics_queue_durable 0"), "{page}");
    assert_eq!(refused(client.get(format!("{url}/nowhere")).send().await.unwrap()).await, (404, "not_found".into()));
    assert!(role.stop(Duration::from_secs(20)).unwrap().success(), "{}", role.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn listens_before_its_queue_is_there_and_says_so() {
    let port = analytics_testkit::ports::free();
    let mut role =
        Role::spawn(program(), RoleOptions::new().variable("REDIS_URL", format!("redis://127.0.0.1:{port}"))).unwrap();
    let client = reqwest::Client::new();
    let health = format!("{}/health", role.url());
    let begin = Instant::now();
    let answer = loop {
        match client.get(&health).send().await {
            Ok(answer) => break answer,
            Err(error) => assert!(begin.elapsed() < Duration::from_secs(10), "{error}: {}", role.log()),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let (status, document) = told(answer).await;
    assert_eq!((status, &document["status"]), (503, &"unhealthy".into()));
    let response = client.post(format!("{}/collect", role.url())).body(event("")).send().await.unwrap();
    assert_eq!(refused(response).await, (503, "queue_unavailable".into()));
    assert_eq!(client.get(format!("{health}/live")).send().await.unwrap().status(), 200);
    assert!(role.stop(Duration::from_secs(20)).unwrap().success(), "{}", role.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_its_settings_stops_the_start_by_name() {
    let faults = [
        (RoleOptions::new(), "REDIS_URL"),
        (RoleOptions::new().variable("REDIS_URL", "redis://127.0.0.1:1").variable("RATE_LIMIT", "many"), "RATE_LIMIT"),
    ];
    for (options, name) in faults {
        let mut role = Role::spawn(program(), options).unwrap();
        assert!(!role.wait(Duration::from_secs(10)).unwrap().success());
        assert!(role.log().contains(name), "{}", role.log());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_to_start_where_durability_was_asked_for_and_is_not_there() {
    let redis = RedisServer::start(RedisOptions::default()).unwrap();
    let options = RoleOptions::new().variable("REDIS_URL", redis.url()).variable("DURABILITY", "durable");
    let mut role = Role::spawn(program(), options).unwrap();
    assert!(!role.wait(Duration::from_secs(10)).unwrap().success());
    assert!(role.log().contains("appendfsync"), "{}", role.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn judges_by_the_retention_that_the_processors_tell_unless_its_own_is_set() {
    let redis = RedisServer::start(RedisOptions::default()).unwrap();
    let queue = RedisQueue::connect(QueueOptions::new(redis.url().as_str())).await.unwrap();
    queue.tell_retention(Retention { days: 0 }).await.unwrap();
    let client = reqwest::Client::new();
    let old = event(r#","timestamp":"2001-02-03T04:05:06Z""#);
    for (own, expected) in [(None, 202), (Some("30"), 400)] {
        let mut options = RoleOptions::new().variable("REDIS_URL", redis.url());
        if let Some(days) = own {
            options = options.variable("RETENTION_DAYS", days);
        }
        let role = Role::start(program(), options).unwrap();
        let post = || client.post(format!("{}/collect", role.url())).body(old.clone()).send();
        assert_eq!(post().await.unwrap().status(), expected, "{own:?}");
        if own.is_some() {
            continue;
        }
        // What is told later is looked up every few seconds.
        queue.tell_retention(Retention { days: 30 }).await.unwrap();
        let begin = Instant::now();
        while post().await.unwrap().status() != 400 {
            assert!(begin.elapsed() < Duration::from_secs(10), "the new retention is not followed");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}
