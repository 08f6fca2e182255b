//! What the callers leave for the writer, and what it tells them without being asked.

use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::oneshot;

use super::ledger::Stock;
use super::options::EmbeddedOptions;
use crate::queue::{Delivery, EnqueueError, Entry, QueueError};

/// An entry's place among those handed out: what a receipt says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) id: i64,
    pub(super) attempt: u32,
}

/// The caller's side of an answer.
pub(super) type Answer<T, E = QueueError> = oneshot::Sender<Result<T, E>>;

/// One thing asked of the writer.
#[derive(Debug)]
pub(super) enum Request {
    /// Make an entry durable.
    Enqueue { entry: Entry, answer: Answer<(), EnqueueError> },
    /// Remove entries.
    Acknowledge { places: Vec<Place>, answer: Answer<()> },
    /// Start leases anew.
    Extend { places: Vec<Place>, answer: Answer<()> },
    /// Give entries back.
    Release { places: Vec<Place>, answer: Answer<()> },
    /// Give back all that a consumer of this name held.
    Recover { owner: Arc<str>, answer: Answer<()> },
    /// Hand out entries, now or as soon as there are any.
    Receive(Waiter),
    /// Prove that the file can be written.
    Check { answer: Answer<()> },
    /// Write all that lies in the queue to a file of its own.
    Copy { to: PathBuf, answer: Answer<()> },
}

/// A consumer that waits for entries.
#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) owner: Arc<str>,
    pub(super) most: usize,
    pub(super) until: Instant,
    pub(super) answer: Answer<Vec<Delivery>>,
}

/// What is behind the one lock between callers and writer; held for moments, never over the disk.
#[derive(Debug, Default)]
struct Contents {
    requests: Vec<Request>,
    waiting_events: u64,
    waiting_bytes: usize,
    stock: Stock,
    closing: bool,
}

/// The box between callers and writer.
#[derive(Debug)]
pub(super) struct Mailbox {
    contents: Mutex<Contents>,
    arrived: Condvar,
    max_events: u64,
    max_bytes: u64,
    max_waiting_bytes: usize,
}

impl Mailbox {
    pub(super) fn new(options: &EmbeddedOptions, stock: Stock) -> Self {
        Self {
            contents: Mutex::new(Contents { stock, ..Contents::default() }),
            arrived: Condvar::new(),
            max_events: options.max_events,
            max_bytes: options.max_bytes,
            max_waiting_bytes: options.max_waiting_bytes,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Contents> {
        // The contents are whole between statements: a panic elsewhere leaves nothing half done.
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves an entry, or says at which limit the queue is.
    pub(super) fn admit(&self, entry: Entry, answer: Answer<(), EnqueueError>) -> Result<(), EnqueueError> {
        let mut contents = self.lock();
        if let Some(reason) = self.fullness(&contents) {
            return Err(EnqueueError::Full { reason });
        }
        contents.waiting_events += u64::from(entry.events);
        contents.waiting_bytes += entry.payload.len();
        contents.requests.push(Request::Enqueue { entry, answer });
        self.arrived.notify_one();
        Ok(())
    }

    /// The limit that the queue has reached, with its figures.
    fn fullness(&self, contents: &Contents) -> Option<String> {
        let events = contents.stock.events + contents.waiting_events;
        let bytes = contents.stock.bytes + contents.waiting_bytes as u64;
        if events >= self.max_events {
            Some(format!("{events} events lie in it, the limit is {}", self.max_events))
        } else if bytes >= self.max_bytes {
            Some(format!("{bytes} bytes lie in it, the limit is {}", self.max_bytes))
        } else if contents.waiting_bytes >= self.max_waiting_bytes {
            Some(format!("{} bytes wait for the disk, the limit is {}", contents.waiting_bytes, self.max_waiting_bytes))
        } else {
            None
        }
    }

    /// The limit that the queue has reached now.
    pub(super) fn full(&self) -> Option<String> {
        self.fullness(&self.lock())
    }

    /// Leaves anything but an entry.
    pub(super) fn post(&self, request: Request) {
        self.lock().requests.push(request);
        self.arrived.notify_one();
    }

    /// Tells the writer to end once all requests are answered.
    pub(super) fn close(&self) {
        self.lock().closing = true;
        self.arrived.notify_one();
    }

    /// Waits for a request until `until`.
    pub(super) fn wait(&self, until: Option<Instant>) {
        self.wait_for(1, until);
    }

    /// Waits until at least `count` requests are there, the queue closes or `until` has come; `None` waits without end.
    pub(super) fn wait_for(&self, count: usize, until: Option<Instant>) {
        let mut contents = self.lock();
        while contents.requests.len() < count && !contents.closing {
            contents = match until {
                None => self.arrived.wait(contents).unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) else {
                        return;
                    };
                    self.arrived.wait_timeout(contents, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// Everything that was asked since the last call, in order; and whether the queue is closing.
    pub(super) fn take(&self) -> (Vec<Request>, bool) {
        let mut contents = self.lock();
        (std::mem::take(&mut contents.requests), contents.closing)
    }

    /// What lies in the queue.
    pub(super) fn stock(&self) -> Stock {
        self.lock().stock.clone()
    }

    /// Changes what is told about the queue and frees the room of entries that are now written or refused, in one step, so
    /// that no entry is counted twice or not at all.
    pub(super) fn settle(&self, events: u64, bytes: usize, change: impl FnOnce(&mut Stock)) {
        let mut contents = self.lock();
        contents.waiting_events = contents.waiting_events.saturating_sub(events);
        contents.waiting_bytes = contents.waiting_bytes.saturating_sub(bytes);
        change(&mut contents.stock);
    }
}
