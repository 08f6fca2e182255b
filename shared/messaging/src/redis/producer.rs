//! Entries that wait together go to the server together.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redis::{RedisError, RedisResult};
use tokio::sync::oneshot;

use super::admission::Admission;
use super::link::Link;
use super::script::ENQUEUE;
use crate::queue::{EnqueueError, Entry};
use crate::reason::sentence;

/// Entries of one round trip at most: they hold up the server's other clients for about a millisecond.
const GROUP_ENTRIES: usize = 256;

/// Payload bytes of one round trip at most, but always one entry.
const GROUP_BYTES: usize = 2 << 20;

/// Round trips under way at once: while the server works on one, the next is on its way.
const FLIGHTS: usize = 2;

/// An entry and where its answer goes.
type Offered = (Entry, oneshot::Sender<Result<(), EnqueueError>>);

#[derive(Debug, Default)]
struct Waiting {
    offered: VecDeque<Offered>,
    /// Waiting or under way.
    bytes: usize,
    flights: usize,
}

/// The producers' side of a stream.
#[derive(Debug)]
pub(super) struct Producer {
    link: Arc<Link>,
    admission: Arc<Admission>,
    stream: String,
    depth: String,
    max_waiting_bytes: usize,
    waiting: Mutex<Waiting>,
}

impl Producer {
    pub(super) fn new(
        link: Arc<Link>,
        admission: Arc<Admission>,
        stream: String,
        depth: String,
        max_waiting_bytes: usize,
    ) -> Self {
        Self { link, admission, stream, depth, max_waiting_bytes, waiting: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds one entry; answers when the server has.
    pub(super) async fn add(self: &Arc<Self>, entry: Entry) -> Result<(), EnqueueError> {
        if let Some(reason) = self.admission.full() {
            return Err(EnqueueError::Full { reason });
        }
        let (answer, answered) = oneshot::channel();
        let start = {
            let mut waiting = self.lock();
            if waiting.bytes >= self.max_waiting_bytes {
                let reason = format!(
                    "{} bytes wait for the Redis server, the limit is {}",
                    waiting.bytes, self.max_waiting_bytes
                );
                return Err(EnqueueError::Full { reason });
            }
            waiting.bytes += entry.payload.len();
            waiting.offered.push_back((entry, answer));
            let start = waiting.flights < FLIGHTS;
            waiting.flights += usize::from(start);
            start
        };
        if start {
            // A task of its own: the caller that happens to start it may go away, the others' entries may not.
            tokio::spawn(Arc::clone(self).fly());
        }
        answered.await.map_err(|_| EnqueueError::Unavailable { reason: "the queue is shutting down".to_owned() })?
    }

    /// Sends group after group until nothing waits.
    async fn fly(self: Arc<Self>) {
        loop {
            // Let every caller that is ready to add do so first: they share this round trip.
            tokio::task::yield_now().await;
            let Some(group) = self.next_group() else { return };
            let outcome = self.send(&group).await;
            self.lock().bytes -= group.iter().map(|(entry, _)| entry.payload.len()).sum::<usize>();
            self.answer(group, outcome);
        }
    }

    fn next_group(&self) -> Option<Vec<Offered>> {
        let mut waiting = self.lock();
        let (mut group, mut bytes) = (Vec::new(), 0);
        while group.len() < GROUP_ENTRIES
            && let Some((entry, _)) = waiting.offered.front()
            && (group.is_empty() || bytes + entry.payload.len() <= GROUP_BYTES)
        {
            bytes += entry.payload.len();
            group.extend(waiting.offered.pop_front());
        }
        if group.is_empty() {
            waiting.flights -= 1;
            return None;
        }
        Some(group)
    }

    async fn send(&self, group: &[Offered]) -> RedisResult<(usize, u64)> {
        let limit = self.admission.max_events();
        self.link
            .run(async |connection| {
                ENQUEUE
                    .run(connection, &[&self.stream, &self.depth], move |command| {
                        command.arg(limit);
                        for (entry, _) in group {
                            command.arg(entry.project.as_str()).arg(entry.events).arg(&entry.payload[..]);
                        }
                    })
                    .await
            })
            .await
    }

    fn answer(&self, group: Vec<Offered>, outcome: RedisResult<(usize, u64)>) {
        match outcome {
            Ok((accepted, events)) => {
                let too_many = self.admission.saw_events(events);
                for (place, (_, answer)) in group.into_iter().enumerate() {
                    let outcome =
                        if place < accepted { Ok(()) } else { Err(EnqueueError::Full { reason: too_many.clone() }) };
                    let _ = answer.send(outcome);
                }
            }
            Err(error) => {
                let refusal = refusal(&error);
                for (_, answer) in group {
                    let _ = answer.send(Err(refusal.clone()));
                }
            }
        }
    }
}

/// Why the server took nothing: at its memory limit the queue is full, everything else is a fault.
pub(super) fn refusal(error: &RedisError) -> EnqueueError {
    if error.code() == Some("OOM") {
        return EnqueueError::Full { reason: format!("the Redis server is at its memory limit: {}", sentence(error)) };
    }
    EnqueueError::Unavailable { reason: sentence(error) }
}
