//! The one thread that touches the file: takes what waits, commits it together, answers.

use std::collections::{HashSet, VecDeque};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::access::{Access, Failure, unavailable};
use super::file::{QueueFile, StoredEntry};
use super::ledger::Ledger;
use super::mailbox::{Answer, Mailbox, Place, Request, Waiter};
use crate::queue::{Delivery, EnqueueError, Entry, Receipt};
use crate::reason::sentence;

/// Commits are flushed at least so often, whatever the durability.
const FLUSH_INTERVAL: Duration = Duration::from_secs(1);

/// How long a group waits for callers that were in the one before: a tenth of a flush.
const GATHER: Duration = Duration::from_micros(300);

/// Payload bytes that one receive hands out at most, but always one entry.
const RECEIVE_BYTES: usize = 16 << 20;

/// An entry that waits for its commit.
type Offered = (Entry, Answer<(), EnqueueError>);

/// Entries that are to be removed.
type Acknowledged = (Vec<Place>, Answer<()>);

/// The thread's state.
pub(super) struct Writer {
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) access: Access,
    pub(super) ledger: Ledger,
    waiters: VecDeque<Waiter>,
    pub(super) next_id: i64,
    durable: bool,
    pub(super) last_flush: Instant,
    /// When the file is looked at for room to give back.
    tend_at: Option<Instant>,
    /// How many entries the last group held.
    last_group: usize,
}

impl Writer {
    pub(super) fn new(mailbox: Arc<Mailbox>, file: QueueFile, visibility: Duration, durable: bool) -> Self {
        let newest = mailbox.stock().newest;
        Self {
            mailbox,
            access: Access::Open(file),
            ledger: Ledger::new(visibility),
            waiters: VecDeque::new(),
            next_id: newest + 1,
            durable,
            last_flush: Instant::now(),
            tend_at: Some(Instant::now()),
            last_group: 0,
        }
    }

    /// Works until the mailbox is closed and empty.
    pub(super) fn run(mut self) {
        loop {
            self.mailbox.wait(self.next_wake());
            if self.durable && self.last_group > 1 {
                self.mailbox.wait_for(self.last_group, Some(Instant::now() + GATHER));
            }
            let (requests, closing) = self.mailbox.take();
            let idle = requests.is_empty();
            self.ledger.expire(Instant::now());
            self.turn(requests);
            self.serve();
            self.tend();
            if closing && idle {
                break;
            }
        }
        if let Access::Open(file) = &mut self.access
            && file.is_unflushed()
            && let Err(error) = file.flush(now_millis())
        {
            tracing::warn!(error = %sentence(&error), "the queue's last commits could not be flushed at its end");
        }
    }

    fn next_wake(&self) -> Option<Instant> {
        let waiters = self.waiters.iter().map(|waiter| waiter.until).min();
        let lease = if self.waiters.is_empty() { None } else { self.ledger.next_deadline() };
        let flush = match &self.access {
            Access::Open(file) if file.is_unflushed() => Some(self.last_flush + FLUSH_INTERVAL),
            _ => None,
        };
        [waiters, lease, flush, self.tend_at].into_iter().flatten().min()
    }

    /// Sorts a group of requests, commits what needs it and answers all but the waiting consumers.
    fn turn(&mut self, requests: Vec<Request>) {
        let (mut offered, mut acknowledged, mut checks, mut copies) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let now = Instant::now();
        for request in requests {
            match request {
                Request::Enqueue { entry, answer } => offered.push((entry, answer)),
                Request::Acknowledge { places, answer } => acknowledged.push((places, answer)),
                Request::Extend { places, answer } => {
                    places.iter().for_each(|place| self.ledger.extend(place.id, place.attempt, now));
                    let _ = answer.send(Ok(()));
                }
                Request::Release { places, answer } => {
                    places.iter().for_each(|place| self.ledger.release(place.id, place.attempt));
                    let _ = answer.send(Ok(()));
                }
                Request::Recover { owner, answer } => {
                    self.ledger.recover(&owner);
                    let _ = answer.send(Ok(()));
                }
                Request::Receive(waiter) => self.waiters.push_back(waiter),
                Request::Check { answer } => checks.push(answer),
                Request::Copy { to, answer } => copies.push((to, answer)),
            }
        }
        if !offered.is_empty() {
            self.last_group = offered.len();
        }
        if !offered.is_empty() || !acknowledged.is_empty() {
            self.commit(offered, acknowledged);
        }
        for check in checks {
            let _ = check.send(self.prove().map_err(|failure| unavailable("take entries", &failure)));
        }
        // After the commit: what was offered in the same breath is in the copy.
        for (to, answer) in copies {
            let _ = answer.send(self.copy(&to).map_err(|failure| unavailable("copy its file", &failure)));
        }
    }

    /// Copies the file. What goes wrong lies with the copy, so the file itself stays open.
    fn copy(&mut self, to: &Path) -> Result<(), Failure> {
        self.attempt(|_| Ok(()))?;
        match &self.access {
            Access::Open(file) => file.copy_to(to).map_err(|error| Arc::new(error) as Failure),
            _ => Ok(()),
        }
    }

    /// Whether entries can be written now.
    fn prove(&mut self) -> Result<(), Failure> {
        self.attempt(|file| file.flush(now_millis()))?;
        match &self.access {
            Access::Open(file) => file.prove_room().map_err(|error| Arc::new(error) as Failure),
            _ => Ok(()),
        }
    }

    /// Writes new entries and removes acknowledged ones in one transaction; where the disk is full, the latter alone.
    fn commit(&mut self, offered: Vec<Offered>, acknowledged: Vec<Acknowledged>) {
        let mut seen = HashSet::new();
        let gone: Vec<i64> = acknowledged
            .iter()
            .flat_map(|(places, _)| places)
            .map(|place| place.id)
            .filter(|id| self.ledger.knows(*id) && seen.insert(*id))
            .collect();
        let (now, first) = (now_millis(), self.next_id);
        let flush = (self.durable && !offered.is_empty()) || self.last_flush.elapsed() >= FLUSH_INTERVAL;
        let written = self.write(flush, |file| {
            for ((entry, _), id) in offered.iter().zip(first..) {
                file.insert(id, entry, now)?;
            }
            gone.iter().try_for_each(|id| file.delete(*id))
        });
        let removed = match &written {
            Ok(()) => Ok(()),
            Err(failure) if offered.is_empty() || gone.is_empty() => Err(Arc::clone(failure)),
            Err(_) => self.write(false, |file| gone.iter().try_for_each(|id| file.delete(*id))),
        };
        let added: &[Offered] = if written.is_ok() { &offered } else { &[] };
        let removed_ids: &[i64] = if removed.is_ok() { &gone } else { &[] };
        self.next_id += added.len() as i64;
        self.settle(&offered, added, first, removed_ids, now);
        for (_, answer) in offered {
            let _ = answer
                .send(written.clone().map_err(|failure| EnqueueError::Unavailable { reason: sentence(&*failure) }));
        }
        for (_, answer) in acknowledged {
            let _ = answer.send(removed.clone().map_err(|failure| unavailable("remove stored entries", &failure)));
        }
    }

    /// Brings what is told about the queue up to what the file now holds.
    fn settle(&mut self, offered: &[Offered], added: &[Offered], first: i64, removed: &[i64], now: i64) {
        let facts: Vec<_> = removed.iter().filter_map(|id| self.ledger.remove(*id)).collect();
        let oldest = match (&self.access, removed.is_empty()) {
            (Access::Open(file), false) => file.oldest().ok(),
            _ => None,
        };
        if !facts.is_empty() && self.tend_at.is_none() {
            self.tend_at = Some(Instant::now() + FLUSH_INTERVAL);
        }
        let waited_events = offered.iter().map(|(entry, _)| u64::from(entry.events)).sum();
        let waited_bytes = offered.iter().map(|(entry, _)| entry.payload.len()).sum();
        self.mailbox.settle(waited_events, waited_bytes, |stock| {
            for ((entry, _), id) in added.iter().zip(first..) {
                stock.add(id, &entry.project, entry.events, entry.payload.len() as u64, now);
            }
            facts.iter().for_each(|facts| stock.subtract(facts));
            if let Some(oldest) = oldest {
                stock.oldest = oldest;
            }
        });
    }

    /// Hands entries to the consumers that wait, and an empty answer to those whose time has passed.
    fn serve(&mut self) {
        self.waiters.retain(|waiter| !waiter.answer.is_closed());
        if self.waiters.is_empty() {
            return;
        }
        match self.assign() {
            Ok(assigned) => self.hand_out(assigned),
            Err(failure) => {
                for waiter in self.waiters.drain(..) {
                    let _ = waiter.answer.send(Err(unavailable("read entries", &failure)));
                }
            }
        }
        let now = Instant::now();
        let (waiting, over): (VecDeque<Waiter>, VecDeque<Waiter>) =
            self.waiters.drain(..).partition(|waiter| waiter.until > now);
        self.waiters = waiting;
        for waiter in over {
            let _ = waiter.answer.send(Ok(Vec::new()));
        }
    }

    /// Reads entries for as many waiting consumers as there is work for, in the order in which they came.
    fn assign(&mut self) -> Result<Vec<(Waiter, Vec<StoredEntry>)>, Failure> {
        let most: usize = self.waiters.iter().map(|waiter| waiter.most).sum();
        let mut returned: VecDeque<i64> = self.ledger.returned(most).collect();
        let (mut read_to, newest) = (self.ledger.read_to(), self.next_id - 1);
        let mut assigned = Vec::new();
        while let Some(waiter) = self.waiters.front() {
            if returned.is_empty() && read_to >= newest {
                break;
            }
            let (most, mut bytes) = (waiter.most.max(1), 0);
            let mut entries = Vec::new();
            while entries.len() < most
                && bytes < RECEIVE_BYTES
                && let Some(id) = returned.pop_front()
            {
                match self.attempt(|file| file.read(id))? {
                    Some(entry) => {
                        bytes += entry.payload.len();
                        entries.push(entry);
                    }
                    None => drop(self.ledger.remove(id)),
                }
            }
            if entries.len() < most && bytes < RECEIVE_BYTES && read_to < newest {
                let (room, left) = (most - entries.len(), RECEIVE_BYTES - bytes);
                let new = self.attempt(|file| file.read_after(read_to, room, left))?;
                // Nothing above means that ids were used by a transaction that did not come to be.
                read_to = new.last().map_or(newest, |entry| entry.id);
                entries.extend(new);
            }
            if entries.is_empty() {
                continue;
            }
            if let Some(waiter) = self.waiters.pop_front() {
                assigned.push((waiter, entries));
            }
        }
        Ok(assigned)
    }

    /// Notes the deliveries in file and ledger, then answers.
    fn hand_out(&mut self, mut assigned: Vec<(Waiter, Vec<StoredEntry>)>) {
        if assigned.is_empty() {
            return;
        }
        for (_, entries) in &mut assigned {
            entries.iter_mut().for_each(|entry| entry.facts.attempts = entry.facts.attempts.saturating_add(1));
        }
        let flush = self.last_flush.elapsed() >= FLUSH_INTERVAL;
        let noted = self.write(flush, |file| {
            assigned
                .iter()
                .flat_map(|(_, entries)| entries)
                .try_for_each(|entry| file.set_attempts(entry.id, entry.facts.attempts))
        });
        if let Err(failure) = noted {
            // A full disk empties only if the queue drains: the count is kept in memory and the work goes on.
            tracing::warn!(error = %sentence(&*failure), "attempts of queue entries are not written; a restart forgets them");
        }
        let now = Instant::now();
        for (waiter, entries) in assigned {
            let deliveries = entries
                .into_iter()
                .map(|StoredEntry { id, facts, payload }| {
                    let attempt = facts.attempts;
                    self.ledger.lease(id, facts, &waiter.owner, now);
                    Delivery { receipt: Receipt(format!("{id}-{attempt}")), payload, attempt }
                })
                .collect::<Vec<_>>();
            if let Err(Ok(unheard)) = waiter.answer.send(Ok(deliveries)) {
                for place in unheard.iter().filter_map(|delivery| Place::of(&delivery.receipt)) {
                    self.ledger.release(place.id, place.attempt);
                }
            }
        }
    }

    /// Flushes where it is due and gives unused room back to the file system, a step a turn.
    fn tend(&mut self) {
        let now = Instant::now();
        let unflushed = matches!(&self.access, Access::Open(file) if file.is_unflushed());
        if unflushed && now >= self.last_flush + FLUSH_INTERVAL {
            // Also where it fails: the next try is a second later, or with the next group.
            self.last_flush = now;
            if let Err(failure) = self.attempt(|file| file.flush(now_millis())) {
                tracing::warn!(error = %sentence(&*failure), "the queue's commits cannot be flushed");
            }
        }
        if self.tend_at.is_some_and(|at| now >= at) {
            self.tend_at = match self.attempt(QueueFile::shrink) {
                Ok(true) => Some(now),
                Ok(false) | Err(_) => None,
            };
        }
    }
}

impl Place {
    /// The place that a receipt names; `None` for a receipt of another adapter.
    pub(super) fn of(receipt: &Receipt) -> Option<Self> {
        let (id, attempt) = receipt.0.split_once('-')?;
        Some(Self { id: id.parse().ok()?, attempt: attempt.parse().ok()? })
    }
}

/// Milliseconds since the Unix epoch.
pub(super) fn now_millis() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
