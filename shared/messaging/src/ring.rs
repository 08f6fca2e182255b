//! The newest messages of one project's feed in this process, read by any number of subscribers at their own pace.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use analytics_domain::Event;
use tokio::sync::watch;

use crate::feed::{FEED_BYTES, FEED_MESSAGES, FEED_SECONDS, FeedCursor, FeedItem, FeedMessage};

/// Messages of one publication that lie together.
#[derive(Debug)]
struct Slot {
    /// Rising by cursor; empty where the slot stands for messages that never came.
    messages: Arc<[FeedMessage]>,
    /// Messages that ever came before this slot.
    before: u64,
    /// Up to where the feed has come with this slot.
    end: FeedCursor,
    bytes: usize,
    at: Instant,
    /// For a slot that stands for messages that never came: how many, where that is known.
    gap: Option<Option<u64>>,
}

/// What is behind the lock; held for moments.
#[derive(Debug)]
struct Contents {
    slots: VecDeque<Slot>,
    /// The place of the first slot, counted over all slots that ever were.
    first: u64,
    /// Messages that ever came.
    total: u64,
    messages: usize,
    bytes: usize,
    /// Everything after this cursor is still here.
    floor: FeedCursor,
    /// The newest cursor.
    last: FeedCursor,
}

/// The bounded ring of a project's messages.
#[derive(Debug)]
pub(crate) struct Ring {
    contents: Mutex<Contents>,
    /// The place after the newest slot: changes with every one.
    end: watch::Sender<u64>,
}

/// Why a cursor has no place in a ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outside {
    /// What came after it is partly gone.
    Older,
    /// The ring never gave it out.
    Newer,
}

impl Ring {
    /// An empty ring of a feed that has come up to `floor`.
    pub(crate) fn new(floor: FeedCursor) -> Self {
        let contents =
            Contents { slots: VecDeque::new(), first: 0, total: 0, messages: 0, bytes: 0, floor, last: floor };
        Self { contents: Mutex::new(contents), end: watch::Sender::new(0) }
    }

    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds messages that `cursors` gives places to; it sees the newest cursor so far.
    pub(crate) fn push_with(&self, make: impl FnOnce(FeedCursor) -> Vec<FeedMessage>) {
        let mut contents = self.lock();
        let messages = make(contents.last);
        contents.push(messages.into(), None);
        self.publish(contents);
    }

    /// Adds messages that have their places; they lie after all that came before.
    #[cfg(feature = "redis")]
    pub(crate) fn push(&self, messages: Vec<FeedMessage>) {
        self.push_with(|_| messages);
    }

    /// Tells every subscriber that messages up to `end` never came.
    #[cfg(feature = "redis")]
    pub(crate) fn push_gap(&self, end: FeedCursor, missed: Option<u64>) {
        let mut contents = self.lock();
        contents.push(Arc::new([]), Some((end, missed)));
        self.publish(contents);
    }

    fn publish(&self, contents: MutexGuard<'_, Contents>) {
        let end = contents.first + contents.slots.len() as u64;
        drop(contents);
        self.end.send_replace(end);
    }

    /// Forgets what is too old to resume from.
    pub(crate) fn forget_old(&self, now: Instant) {
        self.lock().forget_old(now);
    }

    /// A reader of what comes from now on.
    pub(crate) fn read_new(self: &Arc<Self>) -> RingReader {
        let contents = self.lock();
        self.reader(contents.first + contents.slots.len() as u64, contents.total, contents.last)
    }

    /// A reader of what comes from now on and lies after `cursor`, which this ring has not yet reached.
    #[cfg(feature = "redis")]
    pub(crate) fn read_new_after(self: &Arc<Self>, cursor: FeedCursor) -> RingReader {
        let mut reader = self.read_new();
        reader.position = reader.position.max(cursor);
        reader
    }

    /// A reader of all that is here.
    pub(crate) fn read_all(self: &Arc<Self>) -> RingReader {
        let contents = self.lock();
        let before = contents.total - contents.messages as u64;
        self.reader(contents.first, before, contents.floor)
    }

    /// A reader of what came after `cursor`.
    pub(crate) fn read_after(self: &Arc<Self>, cursor: FeedCursor) -> Result<RingReader, Outside> {
        let contents = self.lock();
        if cursor < contents.floor {
            return Err(Outside::Older);
        }
        if cursor > contents.last {
            return Err(Outside::Newer);
        }
        let index = contents.slots.partition_point(|slot| slot.end <= cursor);
        let before = contents.slots.get(index).map_or(contents.total, |slot| slot.before);
        Ok(self.reader(contents.first + index as u64, before, cursor))
    }

    fn reader(self: &Arc<Self>, place: u64, counted: u64, position: FeedCursor) -> RingReader {
        RingReader { ring: Arc::clone(self), end: self.end.subscribe(), place, counted, position }
    }
}

impl Contents {
    fn push(&mut self, messages: Arc<[FeedMessage]>, gap: Option<(FeedCursor, Option<u64>)>) {
        let Some(end) = messages.last().map(|message| message.cursor).or(gap.map(|(end, _)| end)) else { return };
        let now = Instant::now();
        let bytes = messages.iter().map(|message| weight(&message.event)).sum();
        let count = messages.len();
        self.slots.push_back(Slot {
            messages,
            before: self.total,
            end,
            bytes,
            at: now,
            gap: gap.map(|(_, missed)| missed),
        });
        self.total += count as u64;
        self.messages += count;
        self.bytes += bytes;
        self.last = self.last.max(end);
        self.forget_old(now);
        while (self.messages > FEED_MESSAGES || self.bytes > FEED_BYTES) && self.slots.len() > 1 {
            self.forget_first();
        }
    }

    fn forget_old(&mut self, now: Instant) {
        let reach = Duration::from_secs(FEED_SECONDS);
        while self.slots.front().is_some_and(|slot| now.saturating_duration_since(slot.at) > reach) {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some(slot) = self.slots.pop_front() {
            self.first += 1;
            self.messages -= slot.messages.len();
            self.bytes -= slot.bytes;
            self.floor = slot.end;
        }
    }
}

/// The bytes that a message takes in memory.
pub(crate) fn weight(event: &Event<'_>) -> usize {
    size_of::<FeedMessage>()
        + size_of::<Event<'_>>()
        + event.session_id.len()
        + event.user_id.as_ref().map_or(0, |user| user.len())
        + event.event_type.len()
        + event.event_action.len()
        + event.metadata.len()
}

/// One subscriber's place in a ring; it never holds up the ring or another reader.
#[derive(Debug)]
pub(crate) struct RingReader {
    ring: Arc<Ring>,
    end: watch::Receiver<u64>,
    place: u64,
    /// Messages of the ring that were handed out, passed over or counted as missed.
    counted: u64,
    position: FeedCursor,
}

impl RingReader {
    /// Up to where this reader has come.
    pub(crate) const fn position(&self) -> FeedCursor {
        self.position
    }

    /// The next item; dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> FeedItem {
        loop {
            self.end.borrow_and_update();
            if let Some(item) = self.read() {
                return item;
            }
            if self.end.changed().await.is_err() {
                // The ring lives as long as its readers hold it, so this cannot come; waiting is what is promised.
                std::future::pending::<()>().await;
            }
        }
    }

    fn read(&mut self) -> Option<FeedItem> {
        let contents = self.ring.lock();
        if self.place < contents.first {
            let before = contents.slots.front().map_or(contents.total, |slot| slot.before);
            let missed = before.saturating_sub(self.counted);
            self.place = contents.first;
            self.counted = before;
            self.position = self.position.max(contents.floor);
            if missed > 0 {
                return Some(FeedItem::Missed(Some(missed)));
            }
        }
        while let Some(slot) = contents.slots.get(usize::try_from(self.place - contents.first).ok()?) {
            self.place += 1;
            self.counted = slot.before + slot.messages.len() as u64;
            let passed = slot.messages.partition_point(|message| message.cursor <= self.position);
            self.position = self.position.max(slot.end);
            if let Some(missed) = slot.gap {
                return Some(FeedItem::Missed(missed));
            }
            if passed == 0 {
                return Some(FeedItem::Messages(Arc::clone(&slot.messages)));
            }
            if passed < slot.messages.len() {
                return Some(FeedItem::Messages(slot.messages[passed..].into()));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use analytics_domain::Timestamp;
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn message(number: u64) -> FeedMessage {
        let event = Event {
            id: Uuid::from_u128(u128::from(number)),
            client_id: false,
            session_id: "s".into(),
            user_id: None,
            event_type: "t".into(),
            event_action: "a".into(),
            metadata: "{}".into(),
            timestamp: Timestamp::from_micros(0),
        };
        let cursor = FeedCursor { millis: 1, sequence: number, index: 0 };
        FeedMessage { cursor, received_at: Timestamp::from_micros(0), event: Arc::new(event) }
    }

    const FLOOR: FeedCursor = FeedCursor { millis: 1, sequence: 0, index: 0 };

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        /// The oracle is counting: numbers 1.. were pushed, so what a reader saw and missed must add up without a hole.
        #[test]
        fn a_reader_sees_or_misses_each_message_once(
            steps in proptest::collection::vec((1_u64..2_500, 0_usize..4), 1..16),
            resume_from in 0_u64..20_000,
        ) {
            let ring = Arc::new(Ring::new(FLOOR));
            let mut reader = ring.read_new();
            let (mut pushed, mut next) = (0, 1);
            for (count, reads) in steps {
                ring.push_with(|_| (pushed + 1..=pushed + count).map(message).collect());
                pushed += count;
                for _ in 0..reads {
                    match reader.read() {
                        Some(FeedItem::Messages(messages)) => {
                            prop_assert!(messages.iter().map(|one| one.cursor.sequence).eq(next..next + messages.len() as u64));
                            next += messages.len() as u64;
                        }
                        Some(FeedItem::Missed(missed)) => next += missed.unwrap(),
                        None => prop_assert_eq!(next, pushed + 1),
                    }
                    prop_assert_eq!(reader.position().sequence, next - 1);
                }
            }
            let cursor = FeedCursor { millis: 1, sequence: resume_from, index: 0 };
            let oldest = ring.read_all().position().sequence;
            match ring.read_after(cursor) {
                Err(Outside::Older) => prop_assert!(resume_from < oldest),
                Err(Outside::Newer) => prop_assert!(resume_from > pushed),
                Ok(mut resumed) => {
                    let mut next = resume_from + 1;
                    while let Some(FeedItem::Messages(messages)) = resumed.read() {
                        prop_assert_eq!(messages[0].cursor.sequence, next);
                        next += messages.len() as u64;
                    }
                    prop_assert_eq!(next, pushed + 1);
                }
            }
            prop_assert!(pushed - oldest <= FEED_MESSAGES as u64 || pushed - oldest <= 2_500);
        }
    }
}
