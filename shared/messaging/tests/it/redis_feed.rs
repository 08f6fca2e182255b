//! What only a feed beyond one process goes through.

use std::time::{Duration, Instant};

use analytics_domain::Timestamp;
use analytics_messaging::{Feed, FeedItem, Resume};

use crate::beds::{FeedBed, RedisFeedBed, project};
use crate::feed_contract::{events, next, numbers};

const RECEIVED: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_goes_on_at_another_process() {
    let bed = RedisFeedBed::new().await;
    let (publisher, ours) = (bed.publisher(), project("ours"));
    let mut first = bed.listener().subscribe(&ours, Resume::Now).await.unwrap();
    let start = first.position();
    for begin in (0..3_000).step_by(30) {
        publisher.publish(&ours, RECEIVED, &events(begin..begin + 30)).await.unwrap();
    }
    let mut cursor = start;
    while let FeedItem::Messages(messages) = next(&mut first).await {
        cursor = messages[messages.len() / 2].cursor;
        if messages.iter().any(|message| message.event.id.as_u128() >= 1_000) {
            break;
        }
    }
    // Another process, that has read nothing of it so far.
    let other = bed.another();
    let mut resumed = other.subscribe(&ours, Resume::After(cursor)).await.unwrap();
    assert_eq!(resumed.position(), cursor);
    publisher.publish(&ours, RECEIVED, &events(3_000..3_010)).await.unwrap();
    let FeedItem::Messages(begin) = next(&mut resumed).await else { panic!("missed") };
    let first_number = u64::try_from(begin[0].event.id.as_u128()).unwrap();
    let rest = 3_010 - first_number - begin.len() as u64;
    let seen = numbers(&mut resumed, usize::try_from(rest).unwrap()).await;
    assert!(seen.into_iter().eq(3_010 - rest..3_010));
    // And from the very start, also at yet another one.
    let mut all = bed.another().subscribe(&ours, Resume::After(start)).await.unwrap();
    assert!(numbers(&mut all, 3_010).await.into_iter().eq(0..3_010));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscribers_outlive_a_restart_of_the_server() {
    let mut bed = RedisFeedBed::new().await;
    let (publisher, listener, ours) = (bed.publisher(), bed.listener(), project("ours"));
    let mut subscription = listener.subscribe(&ours, Resume::Now).await.unwrap();
    publisher.publish(&ours, RECEIVED, &events(0..2)).await.unwrap();
    assert_eq!(numbers(&mut subscription, 2).await, [0, 1]);
    bed.server.kill9();
    assert!(listener.check().await.is_err());
    assert!(publisher.publish(&ours, RECEIVED, &events(2..3)).await.is_err());
    bed.server.restart().unwrap();
    let started = Instant::now();
    while publisher.publish(&ours, RECEIVED, &events(3..5)).await.is_err() {
        assert!(started.elapsed() < Duration::from_secs(5));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(numbers(&mut subscription, 2).await, [3, 4]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_was_cut_off_is_told_how_many_it_missed() {
    let bed = RedisFeedBed::new().await;
    let (publisher, ours) = (bed.publisher(), project("ours"));
    let breaker = analytics_testkit::breaker::TcpBreaker::start(bed.server.address()).unwrap();
    let url = breaker.through(&bed.server.url(), bed.server.address());
    let listener = analytics_messaging::redis::RedisFeed::new(&url.as_str().into(), "analytics").unwrap();
    let mut subscription = listener.subscribe(&ours, Resume::Now).await.unwrap();
    publisher.publish(&ours, RECEIVED, &events(0..1)).await.unwrap();
    assert_eq!(numbers(&mut subscription, 1).await, [0]);
    breaker.set(analytics_testkit::breaker::Network::Reset);
    for begin in (1..15_001).step_by(500) {
        publisher.publish(&ours, RECEIVED, &events(begin..begin + 500)).await.unwrap();
    }
    breaker.set(analytics_testkit::breaker::Network::Whole);
    let FeedItem::Missed(Some(missed)) = next(&mut subscription).await else { panic!("nothing missed") };
    assert!((5_000..=5_500).contains(&missed), "{missed}");
    let seen = numbers(&mut subscription, usize::try_from(15_000 - missed).unwrap()).await;
    assert!(seen.into_iter().eq(1 + missed..15_001));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_projects_share_one_reading_connection() {
    let bed = RedisFeedBed::new().await;
    let (publisher, listener) = (bed.publisher(), bed.listener());
    let mut subscriptions = Vec::new();
    for index in 0..40 {
        let started = Instant::now();
        let ours = project(&format!("p{index}"));
        let mut subscription = listener.subscribe(&ours, Resume::Now).await.unwrap();
        publisher.publish(&ours, RECEIVED, &events(index..index + 1)).await.unwrap();
        assert_eq!(numbers(&mut subscription, 1).await, [index]);
        assert!(started.elapsed() < Duration::from_millis(1_500), "{:?}", started.elapsed());
        subscriptions.push(subscription);
    }
    // Publisher's, listener's shared one, listener's reader, and this command's own.
    let clients = bed.server.command(&["CLIENT", "LIST"]).unwrap();
    assert!(clients.lines().filter(|line| line.contains("id=")).count() <= 4, "{clients}");
    drop(subscriptions);
    let ttl: i64 = bed.server.command(&["TTL", "{analytics:feed}:p0"]).unwrap().parse().unwrap();
    assert!((1..=600).contains(&ttl));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_stream_is_bounded_by_messages_not_by_entries() {
    let bed = RedisFeedBed::new().await;
    let (publisher, ours) = (bed.publisher(), project("ours"));
    for begin in (0..12_000).step_by(400) {
        publisher.publish(&ours, RECEIVED, &events(begin..begin + 400)).await.unwrap();
    }
    assert_eq!(bed.server.command(&["XLEN", "{analytics:feed}:ours"]).unwrap(), "25");
    assert_eq!(bed.server.command(&["LLEN", "{analytics:feed}:ours:sizes"]).unwrap(), "25");
    assert_eq!(bed.server.command(&["HGET", "{analytics:feed}:ours:state", "m"]).unwrap(), "10000");
}
