//! What every feed keeps.

use std::time::Duration;

use analytics_domain::{Event, Project, Timestamp};
use analytics_messaging::feed::FEED_MESSAGES;
use analytics_messaging::{Feed, FeedCursor, FeedItem, FeedMessage, FeedSubscription, Resume};
use uuid::Uuid;

use crate::beds::{FeedBed, project};

/// Stamps the contract on an adapter: one test a rule.
macro_rules! stamp {
    ($name:ident, $bed:ty) => {
        mod $name {
            $crate::feed_contract::stamp!(@rules $bed:
                every_subscriber_sees_all_in_order a_slow_subscriber_is_told_how_many_it_missed
                a_resume_goes_on_where_it_stopped a_resume_from_too_long_ago_says_so
                a_dropped_next_loses_nothing a_cursor_of_another_feed_is_told_apart
                large_events_pass_and_the_feed_stays_bounded);
        }
    };
    (@rules $bed:ty: $($rule:ident)*) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $rule() {
            $crate::feed_contract::$rule::<$bed>().await;
        })*
    };
}
pub(crate) use stamp;

const SOON: Duration = Duration::from_secs(5);
const RECEIVED: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

/// Events with these numbers.
pub(crate) fn events(numbers: std::ops::Range<u64>) -> Vec<Event<'static>> {
    numbers.map(|number| event(number, "{}".to_owned())).collect()
}

fn event(number: u64, metadata: String) -> Event<'static> {
    Event {
        id: Uuid::from_u128(u128::from(number)),
        client_id: true,
        session_id: "s".into(),
        user_id: Some("u".into()),
        event_type: "page".into(),
        event_action: "view".into(),
        metadata: metadata.into(),
        timestamp: Timestamp::from_micros(1_700_000_000_000_000),
    }
}

fn number(message: &FeedMessage) -> u64 {
    u64::try_from(message.event.id.as_u128()).unwrap()
}

pub(crate) async fn next(subscription: &mut Box<dyn FeedSubscription>) -> FeedItem {
    tokio::time::timeout(SOON, subscription.next()).await.expect("an item").unwrap()
}

/// The numbers of the next `count` messages; nothing may be missed.
pub(crate) async fn numbers(subscription: &mut Box<dyn FeedSubscription>, count: usize) -> Vec<u64> {
    messages(subscription, count).await.iter().map(number).collect()
}

async fn messages(subscription: &mut Box<dyn FeedSubscription>, count: usize) -> Vec<FeedMessage> {
    let mut all: Vec<FeedMessage> = Vec::new();
    while all.len() < count {
        match next(subscription).await {
            FeedItem::Messages(messages) => all.extend(messages.iter().cloned()),
            FeedItem::Missed(missed) => panic!("missed {missed:?} after {}", all.len()),
        }
    }
    assert_eq!(all.len(), count);
    assert!(all.windows(2).all(|pair| pair[0].cursor < pair[1].cursor), "cursors rise");
    all
}

async fn is_silent(subscription: &mut Box<dyn FeedSubscription>) -> bool {
    tokio::time::timeout(Duration::from_millis(200), subscription.next()).await.is_err()
}

async fn publish(feed: &dyn Feed, to: &Project, numbers: std::ops::Range<u64>, each: usize) {
    for part in events(numbers).chunks(each) {
        feed.publish(to, RECEIVED, part).await.unwrap();
    }
}

pub(crate) async fn every_subscriber_sees_all_in_order<B: FeedBed>() {
    let bed = B::new().await;
    let (publisher, listener) = (bed.publisher(), bed.listener());
    let (ours, other) = (project("ours"), project("other"));
    publisher.check().await.unwrap();
    listener.check().await.unwrap();
    publish(&*publisher, &ours, 0..3, 1).await;
    let mut first = listener.subscribe(&ours, Resume::Now).await.unwrap();
    publish(&*publisher, &ours, 3..5, 1).await;
    publish(&*publisher, &other, 100..103, 1).await;
    // What the listener has not come to yet is still new to who subscribes now.
    let seen = messages(&mut first, 2).await;
    assert!(seen.iter().map(number).eq(3..5));
    assert_eq!(seen[0].received_at, RECEIVED);
    assert_eq!(*seen[0].event, event(3, "{}".to_owned()));
    let mut second = listener.subscribe(&ours, Resume::Now).await.unwrap();
    let mut others = listener.subscribe(&other, Resume::Now).await.unwrap();
    publish(&*publisher, &ours, 5..1_505, 700).await;
    publish(&*publisher, &other, 103..104, 1).await;
    publisher.publish(&ours, RECEIVED, &[]).await.unwrap();
    assert!(numbers(&mut first, 1_500).await.into_iter().eq(5..1_505));
    assert!(numbers(&mut second, 1_500).await.into_iter().eq(5..1_505));
    assert_eq!(numbers(&mut others, 1).await, [103]);
    assert!(is_silent(&mut first).await && is_silent(&mut others).await);
}

pub(crate) async fn a_slow_subscriber_is_told_how_many_it_missed<B: FeedBed>() {
    let bed = B::new().await;
    let (publisher, listener, ours) = (bed.publisher(), bed.listener(), project("ours"));
    let mut slow = listener.subscribe(&ours, Resume::Now).await.unwrap();
    let mut quick = listener.subscribe(&ours, Resume::Now).await.unwrap();
    let total = FEED_MESSAGES as u64 + 5_000;
    let reading = tokio::spawn(async move { numbers(&mut quick, total as usize).await });
    for begin in (0..total).step_by(100) {
        publish(&*publisher, &ours, begin..begin + 100, 100).await;
        // At a pace that a reader keeps.
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert!(reading.await.unwrap().into_iter().eq(0..total), "the slow one holds nobody up");
    let (mut missed, mut seen) = (0, Vec::new());
    while missed + (seen.len() as u64) < total {
        match next(&mut slow).await {
            FeedItem::Missed(count) => missed += count.expect("a number"),
            FeedItem::Messages(messages) => seen.extend(messages.iter().map(number)),
        }
    }
    assert!(missed >= 5_000, "{missed} were missed");
    assert!(seen.len() <= FEED_MESSAGES);
    assert!(seen.into_iter().eq(missed..total));
    assert!(is_silent(&mut slow).await);
}

pub(crate) async fn a_resume_goes_on_where_it_stopped<B: FeedBed>() {
    let bed = B::new().await;
    let (publisher, listener, ours) = (bed.publisher(), bed.listener(), project("ours"));
    let untouched = listener.subscribe(&ours, Resume::Now).await.unwrap().position();
    publish(&*publisher, &ours, 0..30, 10).await;
    let mut all = listener.subscribe(&ours, Resume::After(untouched)).await.unwrap();
    let seen = messages(&mut all, 30).await;
    assert!(seen.iter().map(number).eq(0..30));
    for place in [0, 9, 14, 28] {
        let text = seen[place].cursor.to_string();
        let cursor: FeedCursor = text.parse().unwrap();
        let mut resumed = listener.subscribe(&ours, Resume::After(cursor)).await.unwrap();
        assert_eq!(resumed.position(), cursor);
        let rest = numbers(&mut resumed, 29 - place).await;
        assert!(rest.into_iter().eq(place as u64 + 1..30));
        assert_eq!(resumed.position().millis, seen[29].cursor.millis);
    }
    let mut end = listener.subscribe(&ours, Resume::After(seen[29].cursor)).await.unwrap();
    assert!(is_silent(&mut end).await);
    publish(&*publisher, &ours, 30..31, 1).await;
    assert_eq!(numbers(&mut end, 1).await, [30]);
}

pub(crate) async fn a_resume_from_too_long_ago_says_so<B: FeedBed>() {
    let bed = B::new().await;
    let (publisher, listener, ours) = (bed.publisher(), bed.listener(), project("ours"));
    let mut first = listener.subscribe(&ours, Resume::Now).await.unwrap();
    publish(&*publisher, &ours, 0..1, 1).await;
    let cursor = messages(&mut first, 1).await[0].cursor;
    drop(first);
    let total = FEED_MESSAGES as u64 + 2_000;
    publish(&*publisher, &ours, 1..total, 100).await;
    let mut resumed = listener.subscribe(&ours, Resume::After(cursor)).await.unwrap();
    assert!(matches!(next(&mut resumed).await, FeedItem::Missed(None)));
    let mut seen = Vec::new();
    while seen.last() != Some(&(total - 1)) {
        match next(&mut resumed).await {
            FeedItem::Messages(messages) => seen.extend(messages.iter().map(number)),
            FeedItem::Missed(missed) => panic!("missed {missed:?} twice"),
        }
    }
    assert!(seen.len() <= FEED_MESSAGES && seen.len() >= FEED_MESSAGES - 1_000, "{} are kept", seen.len());
    assert!(seen.windows(2).all(|pair| pair[0] + 1 == pair[1]));
}

pub(crate) async fn a_dropped_next_loses_nothing<B: FeedBed>() {
    let bed = B::new().await;
    let (publisher, listener, ours) = (bed.publisher(), bed.listener(), project("ours"));
    let mut subscription = listener.subscribe(&ours, Resume::Now).await.unwrap();
    for round in 0..5 {
        assert!(is_silent(&mut subscription).await);
        publish(&*publisher, &ours, round..round + 1, 1).await;
        assert_eq!(numbers(&mut subscription, 1).await, [round]);
    }
}

pub(crate) async fn a_cursor_of_another_feed_is_told_apart<B: FeedBed>() {
    let bed = B::new().await;
    let (publisher, listener, ours) = (bed.publisher(), bed.listener(), project("ours"));
    publish(&*publisher, &ours, 0..5, 5).await;
    for text in ["9999999999999-0-0", "1000000000000-3-1"] {
        let cursor: FeedCursor = text.parse().unwrap();
        let mut resumed = listener.subscribe(&ours, Resume::After(cursor)).await.unwrap();
        assert!(matches!(next(&mut resumed).await, FeedItem::Missed(None)), "{text}");
    }
}

pub(crate) async fn large_events_pass_and_the_feed_stays_bounded<B: FeedBed>() {
    let bed = B::new().await;
    let (publisher, listener, ours) = (bed.publisher(), bed.listener(), project("ours"));
    let mut subscription = listener.subscribe(&ours, Resume::Now).await.unwrap();
    let start = subscription.position();
    let padding = "x".repeat(32 * 1024 - 10);
    let mut read = 0_usize;
    for begin in (0..2_000).step_by(100) {
        let large: Vec<_> =
            (begin..begin + 100).map(|number| event(number, format!("{{\"a\":\"{padding}\"}}"))).collect();
        publisher.publish(&ours, RECEIVED, &large).await.unwrap();
        read += messages(&mut subscription, 100).await.len();
    }
    assert_eq!(read, 2_000);
    // 64 MiB went through; what is kept is bounded in bytes too.
    let mut resumed = listener.subscribe(&ours, Resume::After(start)).await.unwrap();
    assert!(matches!(next(&mut resumed).await, FeedItem::Missed(None)));
    let mut kept = 0;
    while let Ok(Ok(FeedItem::Messages(messages))) =
        tokio::time::timeout(Duration::from_millis(500), resumed.next()).await
    {
        kept += messages.len();
    }
    assert!((500..1_100).contains(&kept), "{kept} messages of 32 KiB are kept");
}
