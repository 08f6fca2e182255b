//! The port `Queue`: what lies between the collector's answer and the store's commit.

use std::collections::BTreeMap;
use std::time::Duration;

use analytics_domain::{Project, Retention};
use async_trait::async_trait;
use bytes::Bytes;
use thiserror::Error;

use crate::write_keys::{ToldWriteKeys, WriteKey};

/// One accepted batch on its way into the queue.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Whose batch it is: depth is counted a project.
    pub project: Project,
    /// How many events it holds.
    pub events: u32,
    /// The batch as [`analytics_domain::Batch::encode`] wrote it.
    pub payload: Bytes,
}

/// Names one delivery to the adapter that made it; opaque to everyone else.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Receipt(pub String);

/// An entry in a processor's hands until it is acknowledged, released or its visibility timeout has passed.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// What to acknowledge it by.
    pub receipt: Receipt,
    /// The entry's bytes.
    pub payload: Bytes,
    /// How often the entry has been handed out, this time included: above 1 it is a redelivery.
    pub attempt: u32,
}

/// What lies in the queue: accepted and not yet acknowledged, in flight or not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueueDepth {
    /// Entries.
    pub batches: u64,
    /// Events; an estimate where the queue counts entries only.
    pub events: u64,
    /// Events a project; projects without any are absent. `None` where the queue does not count them.
    pub by_project: Option<BTreeMap<Project, u64>>,
    /// How long the oldest entry has waited; `None` where there is none, or where the queue does not tell.
    pub oldest: Option<Duration>,
}

/// What an answered enqueue survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// A power cut: the entry was flushed to stable storage before the answer.
    Durable,
    /// A killed process; a power cut may take about the last second.
    Fast,
    /// Not known: the server does not let us ask.
    Unknown,
}

/// Why an entry was not taken. None of it was, but for [`EnqueueError::Partial`]: elsewhere an entry is durable as a whole or
/// not there.
///
/// After [`EnqueueError::Unavailable`] the outcome can be unknown (a connection cut after the write); a client that sends
/// the batch again counts once, by the events' ids.
#[derive(Debug, Clone, Error)]
pub enum EnqueueError {
    /// The queue is at its admission limit; its processors are behind.
    #[error("the queue is full ({reason}); processors have to catch up before it takes more")]
    Full {
        /// Which limit was met, with its figures.
        reason: String,
    },
    /// The entry was larger than the queue takes at once, so its batch was split, and not every part was taken.
    #[error("the queue took a part of the batch and not the rest: {reason}")]
    Partial {
        /// The events that were not taken, by their place in the batch, in rising order.
        lost: Vec<u32>,
        /// What the server or the connection said.
        reason: String,
    },
    /// The queue's server cannot be reached or refuses to write.
    #[error("the queue cannot be written: {reason}")]
    Unavailable {
        /// What the server or the connection said.
        reason: String,
    },
}

/// Why the consuming side of the queue failed.
#[derive(Debug, Error)]
pub enum QueueError {
    /// The queue's server cannot be reached, refuses, or took too long.
    #[error("the queue is unavailable while it should {doing}")]
    Unavailable {
        /// What was being done, as a verb phrase.
        doing: &'static str,
        /// The driver's error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The queue's server is set up in a way that loses events.
    #[error("{problem}; {mend}")]
    Misconfigured {
        /// What is wrong.
        problem: String,
        /// What to do about it.
        mend: String,
    },
}

/// Takes batches durably and hands each to a processor at least once.
///
/// The contract suite (`contract::queue`) holds every adapter to these rules:
/// - an entry whose `enqueue` answered `Ok` is delivered until it is acknowledged, over any crash;
/// - entries of calls that run together may share a round trip or an fsync, and each call answers only for its own entry;
/// - an entry that a dead or stuck consumer held is delivered again after the visibility timeout, with a higher `attempt`;
/// - acknowledged entries are gone: from the queue, from its depth, and from the server's memory.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Makes one entry durable, or says why not. Dropping the future does not take back an entry.
    ///
    /// A queue that takes no entry of this size splits its batch by events into several, each delivered by itself: the first
    /// keeps the batch's id and its counts of refused events, the others have ids of their own. Only then can the answer be
    /// [`EnqueueError::Partial`].
    async fn enqueue(&self, entry: Entry) -> Result<(), EnqueueError>;

    /// A consumer of its own connection; `name` is stable a slot (host and index), so that a restarted one finds its own.
    async fn consumer(&self, name: &str) -> Result<Box<dyn Consumer>, QueueError>;

    /// What lies in the queue now.
    async fn depth(&self) -> Result<QueueDepth, QueueError>;

    /// Whether entries can be written now: asks the server, holds no lock, answers within two seconds.
    async fn check(&self) -> Result<(), QueueError>;

    /// What an answered enqueue survives, as the server is set up now.
    fn durability(&self) -> Durability;

    /// Tells those who enqueue how long events are kept, so that they refuse at the door what is too old to be stored.
    async fn tell_retention(&self, retention: Retention) -> Result<(), QueueError>;

    /// What was told last; `None` where nothing was, or where this kind of queue carries no such word.
    async fn told_retention(&self) -> Result<Option<Retention>, QueueError>;

    /// Whether this kind of queue carries the keys that send to those who enqueue.
    fn carries_write_keys(&self) -> bool;

    /// Tells those who enqueue which keys send, all of them, in place of what was told before; it holds for so long. Nothing
    /// happens where this kind of queue carries no such word.
    async fn tell_write_keys(&self, keys: &[WriteKey], holds: Duration) -> Result<(), QueueError>;

    /// What was told last; `None` where nothing was, where it holds no more, or where this kind of queue carries no such word.
    async fn told_write_keys(&self) -> Result<Option<ToldWriteKeys>, QueueError>;

    /// Deletes what crashes leave behind: consumers long gone, entries acknowledged but not deleted. Safe at any time.
    async fn tidy(&self) -> Result<(), QueueError>;
}

/// One consumer's side of a queue. Not shared between tasks: receiving needs `&mut`.
#[async_trait]
pub trait Consumer: Send {
    /// Entries to work on, oldest first: what another consumer let go of before what is new. Waits up to `wait` for the
    /// first and never for more; an empty answer means none came.
    async fn receive(&mut self, most: usize, wait: Duration) -> Result<Vec<Delivery>, QueueError>;

    /// Removes entries for good. To be called only after the store's commit; acknowledging twice does no harm.
    async fn acknowledge(&mut self, receipts: &[Receipt]) -> Result<(), QueueError>;

    /// Starts the visibility timeout of entries anew, while they are worked on.
    async fn extend(&mut self, receipts: &[Receipt]) -> Result<(), QueueError>;

    /// Gives entries back at once, for another consumer or a later try.
    async fn release(&mut self, receipts: &[Receipt]) -> Result<(), QueueError>;
}
