//! What waits for one reader: bounded, so that a slow reader costs itself messages and nobody else anything.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::ws::Utf8Bytes;
use tokio::sync::Notify;
use tokio::time::{Duration, Instant};

use crate::meters::Meters;
use crate::payload::{Kind, Payload};
use crate::subscription::Subscription;

/// Replies that may wait before the reader's own messages are no longer read.
const REPLIES_MAX: usize = 32;

/// A message on its way to a reader.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    /// The message.
    pub(crate) text: Utf8Bytes,
    /// The event that it shows, where it is one.
    pub(crate) event: Option<Arc<Payload>>,
}

/// The queue of one reader. Writers never wait; the reader takes when it can.
///
/// Three lanes, taken in this order: replies (few, since the reader's messages are not read while they wait), answers of
/// live queries (one a subscription: a newer answer takes the place of one that nobody read), and events (the oldest is
/// dropped when the lane is full; the loss is told per subscription before what follows it).
#[derive(Debug)]
pub(crate) struct Outbox {
    lanes: Mutex<Lanes>,
    filled: Notify,
    emptied: Notify,
    most_messages: usize,
    most_bytes: usize,
    meters: Meters,
}

#[derive(Debug)]
struct Lanes {
    replies: VecDeque<Utf8Bytes>,
    answers: VecDeque<(Arc<Subscription>, Kind, Arc<Payload>)>,
    events: VecDeque<Queued>,
    bytes: usize,
    missed: Vec<(Arc<Subscription>, Option<u64>)>,
    moved_at: Instant,
}

#[derive(Debug)]
enum Queued {
    Event(Arc<Subscription>, Arc<Payload>),
    Gap(Arc<Subscription>, Option<u64>),
}

impl Queued {
    fn subscription(&self) -> &Arc<Subscription> {
        match self {
            Self::Event(subscription, _) | Self::Gap(subscription, _) => subscription,
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Event(_, payload) => payload.len(),
            Self::Gap(..) => 0,
        }
    }

    /// How many messages go when this one does.
    fn weight(&self) -> Option<u64> {
        match self {
            Self::Event(..) => Some(1),
            Self::Gap(_, missed) => *missed,
        }
    }
}

impl Outbox {
    /// An empty queue of at most so many events and bytes of them.
    pub(crate) fn new(most_messages: usize, most_bytes: usize, meters: Meters) -> Arc<Self> {
        let lanes = Lanes {
            replies: VecDeque::new(),
            answers: VecDeque::new(),
            events: VecDeque::new(),
            bytes: 0,
            missed: Vec::new(),
            moved_at: Instant::now(),
        };
        Arc::new(Self {
            lanes: Mutex::new(lanes),
            filled: Notify::new(),
            emptied: Notify::new(),
            most_messages: most_messages.max(1),
            most_bytes,
            meters,
        })
    }

    /// Queues a reply: the welcome, an error.
    pub(crate) fn reply(&self, text: impl Into<Utf8Bytes>) {
        self.fill(|lanes| lanes.replies.push_back(text.into()));
    }

    /// Queues an error about a subscription, unless it has ended.
    pub(crate) fn error(&self, subscription: &Subscription, refusal: &crate::refusal::Refusal) {
        if !subscription.has_ended() {
            self.reply(refusal.to_json(Some(subscription.id().as_str())));
        }
    }

    /// Queues an answer; one of the same subscription that still waits is replaced (a snapshot stays a snapshot).
    pub(crate) fn answer(&self, subscription: &Arc<Subscription>, kind: Kind, payload: &Arc<Payload>) {
        self.fill(|lanes| {
            if subscription.has_ended() {
                return;
            }
            match lanes.answers.iter_mut().find(|(waiting, ..)| Arc::ptr_eq(waiting, subscription)) {
                Some((_, _, waiting)) => *waiting = Arc::clone(payload),
                None => lanes.answers.push_back((Arc::clone(subscription), kind, Arc::clone(payload))),
            }
        });
    }

    /// Queues an event; where that is one too many, the oldest goes and is counted.
    pub(crate) fn event(&self, subscription: &Arc<Subscription>, payload: &Arc<Payload>) {
        self.queue(Queued::Event(Arc::clone(subscription), Arc::clone(payload)));
    }

    /// Queues the word that `missed` messages are not shown, `None` where nobody knows how many.
    pub(crate) fn gap(&self, subscription: &Arc<Subscription>, missed: Option<u64>) {
        self.queue(Queued::Gap(Arc::clone(subscription), missed));
    }

    fn queue(&self, queued: Queued) {
        self.fill(|lanes| {
            if queued.subscription().has_ended() {
                return;
            }
            lanes.bytes += queued.len();
            lanes.events.push_back(queued);
            while lanes.events.len() > self.most_messages || (lanes.bytes > self.most_bytes && lanes.events.len() > 1) {
                let Some(oldest) = lanes.events.pop_front() else { break };
                lanes.bytes -= oldest.len();
                let weight = oldest.weight();
                self.meters.dropped.increment(weight.unwrap_or(0));
                lanes.miss(oldest.subscription(), weight);
            }
        });
    }

    /// The next message, where one waits.
    pub(crate) fn take(&self) -> Option<Outgoing> {
        let mut lanes = self.lanes();
        let taken = lanes.take();
        if taken.is_some() {
            lanes.moved_at = Instant::now();
            drop(lanes);
            self.emptied.notify_waiters();
            self.meters.sent.increment(1);
        }
        taken
    }

    /// Waits until something waits. For one reader.
    pub(crate) async fn filled(&self) {
        while self.lanes().is_empty() {
            self.filled.notified().await;
        }
    }

    /// Waits until a reply can be queued.
    pub(crate) async fn room_for_reply(&self) {
        self.room(|lanes, _| lanes.replies.len() < REPLIES_MAX).await;
    }

    /// Waits until an event can be queued without another being dropped: for those who read history and need not hurry.
    pub(crate) async fn room_for_event(&self) {
        self.room(|lanes, outbox| {
            lanes.events.len() <= outbox.most_messages / 2 && lanes.bytes <= outbox.most_bytes / 2
        })
        .await;
    }

    async fn room(&self, has_room: impl Fn(&Lanes, &Self) -> bool) {
        loop {
            let emptied = self.emptied.notified();
            tokio::pin!(emptied);
            // Listening begins before the look, so that what is taken in between is not overlooked.
            emptied.as_mut().enable();
            if has_room(&self.lanes(), self) {
                return;
            }
            emptied.await;
        }
    }

    /// Drops what waits of a subscription that has ended.
    pub(crate) fn forget(&self, subscription: &Arc<Subscription>) {
        let mut lanes = self.lanes();
        let is_other = |other: &Arc<Subscription>| !Arc::ptr_eq(other, subscription);
        lanes.answers.retain(|(other, ..)| is_other(other));
        lanes.events.retain(|queued| is_other(queued.subscription()));
        lanes.missed.retain(|(other, _)| is_other(other));
        lanes.bytes = lanes.events.iter().map(Queued::len).sum();
        drop(lanes);
        self.emptied.notify_waiters();
    }

    /// For how long something has waited without anything being taken; zero where nothing waits.
    pub(crate) fn stuck_for(&self) -> Duration {
        let lanes = self.lanes();
        if lanes.is_empty() { Duration::ZERO } else { lanes.moved_at.elapsed() }
    }

    fn fill(&self, fill: impl FnOnce(&mut Lanes)) {
        let mut lanes = self.lanes();
        let was_empty = lanes.is_empty();
        fill(&mut lanes);
        if was_empty && !lanes.is_empty() {
            lanes.moved_at = Instant::now();
            drop(lanes);
            self.filled.notify_one();
        }
    }

    fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lanes {
    fn is_empty(&self) -> bool {
        self.replies.is_empty() && self.answers.is_empty() && self.events.is_empty() && self.missed.is_empty()
    }

    /// Adds to a subscription's loss; what is added to an unknown number stays unknown.
    fn miss(&mut self, subscription: &Arc<Subscription>, weight: Option<u64>) {
        match self.missed.iter_mut().find(|(other, _)| Arc::ptr_eq(other, subscription)) {
            Some((_, missed)) => *missed = missed.zip(weight).map(|(missed, weight)| missed.saturating_add(weight)),
            None => self.missed.push((Arc::clone(subscription), weight)),
        }
    }

    fn take(&mut self) -> Option<Outgoing> {
        if let Some(text) = self.replies.pop_front() {
            return Some(Outgoing { text, event: None });
        }
        if let Some((subscription, kind, payload)) = self.answers.pop_front() {
            return Some(Outgoing { text: payload.message(kind, subscription.id()), event: None });
        }
        // What was dropped was older than all that waits: its loss is told first.
        if let Some((subscription, missed)) = self.missed.pop() {
            return Some(lagged(&subscription, missed));
        }
        let queued = self.events.pop_front()?;
        self.bytes -= queued.len();
        Some(match queued {
            Queued::Event(subscription, payload) => {
                Outgoing { text: payload.message(Kind::Event, subscription.id()), event: Some(payload) }
            }
            Queued::Gap(subscription, missed) => lagged(&subscription, missed),
        })
    }
}

fn lagged(subscription: &Subscription, missed: Option<u64>) -> Outgoing {
    let missed = missed.map_or_else(|| "null".to_owned(), |missed| missed.to_string());
    let text = format!(r#"{{"type":"lagged","id":{},"missed":{missed}}}"#, subscription.id().json());
    Outgoing { text: text.into(), event: None }
}

#[cfg(test)]
mod tests {
    use analytics_messaging::FeedCursor;

    use super::*;

    fn payload(number: u64, bytes: usize) -> Arc<Payload> {
        let body = format!("\"{number}{}\"", "x".repeat(bytes));
        Payload::new(body, FeedCursor { millis: number, sequence: 0, index: 0 })
    }

    fn texts(outbox: &Outbox) -> Vec<String> {
        std::iter::from_fn(|| outbox.take()).map(|outgoing| outgoing.text.to_string()).collect()
    }

    #[test]
    fn drops_the_oldest_and_says_how_many_before_what_follows() {
        let outbox = Outbox::new(3, 1_000, Meters::new());
        let (a, b) = (Subscription::new("a"), Subscription::new("b"));
        for number in 0..10 {
            outbox.event(if number % 2 == 0 { &a } else { &b }, &payload(number, 0));
        }
        let texts = texts(&outbox);
        let mut lagged = texts[..2].to_vec();
        lagged.sort();
        assert_eq!(lagged, [r#"{"type":"lagged","id":"a","missed":4}"#, r#"{"type":"lagged","id":"b","missed":3}"#]);
        assert_eq!(texts[2], r#"{"type":"event","id":"b","event":"7","cursor":"7-0-0"}"#);
        assert_eq!(texts.len(), 5);
    }

    #[test]
    fn bytes_are_bounded_too_but_one_event_always_fits() {
        let outbox = Outbox::new(100, 1_000, Meters::new());
        let a = Subscription::new("a");
        for number in 0..10 {
            outbox.event(&a, &payload(number, 300));
        }
        assert_eq!(texts(&outbox)[0], r#"{"type":"lagged","id":"a","missed":7}"#);
        outbox.event(&a, &payload(1, 5_000));
        assert_eq!(texts(&outbox).len(), 1);
    }

    #[test]
    fn an_unknown_loss_stays_unknown() {
        let outbox = Outbox::new(2, 1_000, Meters::new());
        let a = Subscription::new("a");
        outbox.gap(&a, None);
        for number in 0..5 {
            outbox.event(&a, &payload(number, 0));
        }
        assert_eq!(texts(&outbox)[0], r#"{"type":"lagged","id":"a","missed":null}"#);
    }

    #[test]
    fn a_newer_answer_takes_the_place_of_an_unread_one() {
        let outbox = Outbox::new(2, 1_000, Meters::new());
        let (a, b) = (Subscription::new("a"), Subscription::new("b"));
        outbox.answer(&a, Kind::Snapshot, &payload(1, 0));
        outbox.answer(&b, Kind::Snapshot, &payload(2, 0));
        outbox.answer(&a, Kind::Update, &payload(3, 0));
        assert_eq!(
            texts(&outbox),
            [
                r#"{"type":"snapshot","id":"a","result":"3","cursor":"3-0-0"}"#,
                r#"{"type":"snapshot","id":"b","result":"2","cursor":"2-0-0"}"#
            ]
        );
    }

    #[test]
    fn nothing_of_an_ended_subscription_comes_out() {
        let outbox = Outbox::new(10, 1_000, Meters::new());
        let (a, b) = (Subscription::new("a"), Subscription::new("b"));
        outbox.event(&a, &payload(1, 0));
        outbox.event(&b, &payload(1, 0));
        outbox.answer(&a, Kind::Snapshot, &payload(1, 0));
        a.end();
        outbox.forget(&a);
        outbox.event(&a, &payload(2, 0));
        outbox.answer(&a, Kind::Update, &payload(2, 0));
        assert_eq!(texts(&outbox), [r#"{"type":"event","id":"b","event":"1","cursor":"1-0-0"}"#]);
        assert_eq!(outbox.lanes().bytes, 0);
    }

    #[tokio::test]
    async fn history_waits_for_room() {
        let outbox = Outbox::new(4, 1_000, Meters::new());
        let a = Subscription::new("a");
        for number in 0..4 {
            outbox.event(&a, &payload(number, 0));
        }
        let waiting = tokio::spawn({
            let outbox = Arc::clone(&outbox);
            async move { outbox.room_for_event().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        outbox.take();
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        outbox.take();
        waiting.await.unwrap();
    }
}
