//! A 202 is never sent for what is not in the queue: Redis is killed, frozen and started again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use analytics_collector::LateQueue;
use analytics_messaging::Queue;
use analytics_messaging::redis::{RedisOptions, RedisQueue};
use analytics_testkit::redis::{RedisOptions as ServerOptions, RedisServer};

use crate::running::{Running, Setup, event, refused};

async fn connected(server: &RedisServer) -> Arc<dyn Queue> {
    Arc::new(RedisQueue::connect(RedisOptions::new(server.url().as_str())).await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_server_nothing_is_accepted() {
    let mut server = RedisServer::start(ServerOptions::default()).unwrap();
    let running = Running::on(connected(&server).await, Setup::default()).await;
    let mut accepted = 0;
    for _ in 0..20 {
        assert_eq!(running.post(event("")).send().await.unwrap().status(), 202);
        accepted += 1;
    }
    server.kill9();
    let begin = Instant::now();
    for _ in 0..3 {
        let response = running.post(event("")).send().await.unwrap();
        assert!(response.headers().contains_key("retry-after"));
        assert_eq!(refused(response).await, (503, "queue_unavailable".to_owned()));
    }
    assert!(begin.elapsed() < Duration::from_secs(15));
    // All refused: the counts are lost with the queue, the answer is the same.
    assert_eq!(running.post("{}").send().await.unwrap().status(), 400);
    server.restart().unwrap();
    let begin = Instant::now();
    while running.post(event("")).send().await.unwrap().status() != 202 {
        assert!(begin.elapsed() < Duration::from_secs(10), "the collector does not find its queue again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    accepted += 1;
    let events: usize = running.drain().await.iter().map(|batch| batch.events.len()).sum();
    // An entry whose answer was cut off may be there as well, never one fewer.
    assert!((accepted..accepted + 4).contains(&events), "{events} of {accepted}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_server_is_an_answer_in_seconds() {
    let mut server = RedisServer::start(ServerOptions::default()).unwrap();
    let running = Running::on(connected(&server).await, Setup::default()).await;
    assert_eq!(running.post(event("")).send().await.unwrap().status(), 202);
    server.pause();
    let begin = Instant::now();
    let response = running.post(event("")).send().await.unwrap();
    assert_eq!(refused(response).await, (503, "queue_unavailable".to_owned()));
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    server.resume();
}

#[tokio::test(flavor = "multi_thread")]
async fn before_its_server_has_answered_the_collector_says_so() {
    let late = LateQueue::new();
    let running = Running::on(Arc::new(late.clone()), Setup::default()).await;
    assert!(late.check().await.is_err());
    let response = running.post(event("")).send().await.unwrap();
    assert_eq!(refused(response).await, (503, "queue_unavailable".to_owned()));
    let server = RedisServer::start(ServerOptions::default()).unwrap();
    late.open(connected(&server).await);
    assert_eq!(running.post(event("")).send().await.unwrap().status(), 202);
    assert_eq!(running.drain().await.len(), 1);
}
