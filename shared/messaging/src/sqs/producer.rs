//! Entries that wait together go to SQS together.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::batch::{Answer, id, settle};
use super::fault::Fault;
use super::link::{Link, MOST_ENTRIES};
use super::split::{Part, parts};
use crate::queue::{EnqueueError, Entry};

/// Requests under way at once, at most: what arrives meanwhile shares the next.
const MOST_FLIGHTS: usize = 8;

/// How long an entry is tried for once it is its turn: a collector waits for four seconds.
const SEND_TIME: Duration = Duration::from_millis(3_800);

/// Bytes of messages that may wait in this process for SQS.
const MAX_WAITING_BYTES: usize = 64 << 20;

/// From this size on an entry is packed on a thread for such work: it takes longer than a millisecond.
const LARGE: usize = 256 << 10;

/// A message and where its answer goes.
#[derive(Debug)]
struct Offered {
    part: Part,
    answer: oneshot::Sender<Result<(), Fault>>,
}

/// Where the answer for some events of a batch comes from.
type Awaited = (Range<u32>, oneshot::Receiver<Result<(), Fault>>);

#[derive(Debug, Default)]
struct Waiting {
    offered: VecDeque<Offered>,
    /// Waiting or under way.
    bytes: usize,
    /// Requests under way.
    flights: usize,
}

/// The producers' side of a queue.
#[derive(Debug)]
pub(super) struct Producer {
    link: Arc<Link>,
    size_max: usize,
    waiting: Mutex<Waiting>,
}

impl Producer {
    /// A producer for a queue that takes messages, and requests, of at most `size_max` bytes.
    pub(super) fn new(link: Arc<Link>, size_max: usize) -> Self {
        Self { link, size_max, waiting: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends one entry; answers when SQS has answered for all of its messages.
    pub(super) async fn add(self: &Arc<Self>, entry: Entry) -> Result<(), EnqueueError> {
        let parts = self.parts(entry.payload, entry.events).await?;
        let awaited = self.offer(parts)?;
        let (mut lost, mut taken, mut fault) = (Vec::new(), false, None);
        for (events, answered) in awaited {
            let shutting_down = || Fault::Unanswered("the queue is shutting down".to_owned());
            match answered.await.unwrap_or_else(|_| Err(shutting_down())) {
                Ok(()) => taken = true,
                Err(met) => {
                    lost.extend(events);
                    fault.get_or_insert(met);
                }
            }
        }
        match fault.map(|fault| fault.to_string()) {
            None => Ok(()),
            Some(reason) if taken => Err(EnqueueError::Partial { lost, reason }),
            Some(reason) => Err(EnqueueError::Unavailable { reason }),
        }
    }

    async fn parts(&self, payload: Bytes, events: u32) -> Result<Vec<Part>, EnqueueError> {
        let size_max = self.size_max;
        let split = if payload.len() < LARGE {
            parts(&payload, events, size_max)
        } else {
            let packing = tokio::task::spawn_blocking(move || parts(&payload, events, size_max));
            packing.await.unwrap_or_else(|error| Err(format!("it could not be packed: {error}")))
        };
        split.map_err(|reason| EnqueueError::Unavailable { reason })
    }

    /// Lets messages wait for the next request, all or none, and sends one off where not too many are under way.
    fn offer(self: &Arc<Self>, parts: Vec<Part>) -> Result<Vec<Awaited>, EnqueueError> {
        let bytes: usize = parts.iter().map(|part| part.body.len()).sum();
        let mut awaited = Vec::with_capacity(parts.len());
        let mut waiting = self.lock();
        if waiting.bytes >= MAX_WAITING_BYTES {
            let reason = format!("{} bytes wait for SQS, the limit is {MAX_WAITING_BYTES}", waiting.bytes);
            return Err(EnqueueError::Full { reason });
        }
        waiting.bytes += bytes;
        for part in parts {
            let (answer, answered) = oneshot::channel();
            awaited.push((part.events.clone(), answered));
            waiting.offered.push_back(Offered { part, answer });
            if waiting.flights < MOST_FLIGHTS {
                waiting.flights += 1;
                // A task of its own: the caller that happens to start it may go away, the others' entries may not.
                tokio::spawn(Arc::clone(self).fly());
            }
        }
        Ok(awaited)
    }

    /// Sends group after group until nothing waits.
    async fn fly(self: Arc<Self>) {
        loop {
            // Let every caller that is ready to add do so first: they share this request.
            tokio::task::yield_now().await;
            let Some(group) = self.next_group() else { return };
            self.send(group).await;
        }
    }

    fn next_group(&self) -> Option<Vec<Offered>> {
        let mut waiting = self.lock();
        let (mut group, mut bytes) = (Vec::new(), 0);
        while group.len() < MOST_ENTRIES
            && let Some(offered) = waiting.offered.pop_front_if(|offered| {
                bytes += offered.part.body.len();
                group.is_empty() || bytes <= self.size_max
            })
        {
            group.push(offered);
        }
        if group.is_empty() {
            waiting.flights -= 1;
            return None;
        }
        Some(group)
    }

    /// Sends a group, and answers each caller as soon as SQS has answered for its message.
    async fn send(&self, group: Vec<Offered>) {
        let bytes: usize = group.iter().map(|offered| offered.part.body.len()).sum();
        let (parts, answers): (Vec<Part>, Vec<_>) =
            group.into_iter().map(|offered| (offered.part, Some(offered.answer))).unzip();
        let mut answers = answers;
        let deadline = Instant::now() + SEND_TIME;
        let request = |open: Vec<usize>| {
            let entries = open.into_iter().map(|index| message(index, &parts[index])).collect();
            self.request(entries)
        };
        let settled = settle(parts.len(), deadline, request, |index, outcome| {
            if outcome.is_ok() {
                self.link.mean.saw(u64::from(parts[index].events.end - parts[index].events.start));
            }
            if let Some(answer) = answers[index].take() {
                let _ = answer.send(outcome);
            }
        });
        let settled = settled.await;
        let mut waiting = self.lock();
        waiting.bytes -= bytes;
        if let Err(fault @ Fault::Unanswered(_)) = settled {
            // Those who wait would meet the same, after the same time.
            for offered in std::mem::take(&mut waiting.offered) {
                waiting.bytes -= offered.part.body.len();
                let _ = offered.answer.send(Err(fault.clone()));
            }
        }
    }

    async fn request(&self, entries: Vec<SendMessageBatchRequestEntry>) -> Result<Answer, Fault> {
        let sent = self.link.client.send_message_batch().queue_url(&self.link.queue_url).set_entries(Some(entries));
        let told = sent.send().await.map_err(|error| Fault::of(&error))?;
        Ok(Answer { done: told.successful.into_iter().map(|done| done.id).collect(), failed: told.failed })
    }
}

fn message(index: usize, part: &Part) -> SendMessageBatchRequestEntry {
    let entry = SendMessageBatchRequestEntry::builder().id(id(index)).message_body(&part.body);
    entry.build().unwrap_or_else(|error| unreachable!("id and body are given: {error}"))
}
