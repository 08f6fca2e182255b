//! Entries that wait together go to the server together.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{ErrorKind, RedisError, RedisResult, ServerErrorKind, Value};
use tokio::sync::oneshot;

use super::admission::Admission;
use super::link::Link;
use super::options::RedisOptions;
use super::reply::unexpected;
use super::shards::Keys;
use crate::queue::{EnqueueError, Entry};
use crate::reason::sentence;

/// Entries of one round trip at most: they hold up the server's other clients for about a millisecond.
const GROUP_ENTRIES: usize = 256;

/// Payload bytes of one round trip at most, but always one entry.
const GROUP_BYTES: usize = 2 << 20;

/// How long replicas may take to have a group.
const REPLICAS_TIMEOUT: Duration = Duration::from_secs(1);

/// An entry and where its answer goes.
type Offered = (Entry, oneshot::Sender<Result<(), EnqueueError>>);

#[derive(Debug, Default)]
struct Waiting {
    offered: VecDeque<Offered>,
    /// Waiting or under way.
    bytes: usize,
    /// Whether a group is under way. One at a time: what arrives meanwhile shares the next round trip, and the larger the
    /// groups, the less each entry costs both sides.
    flying: bool,
    /// Whether the server took nothing of the last group.
    failed: bool,
}

/// The producers' side of a stream.
#[derive(Debug)]
pub(super) struct Producer {
    link: Arc<Link>,
    admission: Arc<Admission>,
    stream: String,
    depth: String,
    shard: usize,
    max_waiting_bytes: usize,
    /// How many replicas must have an entry; the link is then used for nothing else.
    replicas: u32,
    waiting: Mutex<Waiting>,
}

impl Producer {
    pub(super) fn new(
        link: Arc<Link>,
        admission: Arc<Admission>,
        shard: usize,
        keys: &Keys,
        options: &RedisOptions,
    ) -> Self {
        Self {
            link,
            admission,
            stream: keys.stream.clone(),
            depth: keys.depth.clone(),
            shard,
            max_waiting_bytes: options.max_waiting_bytes / options.shards.max(1),
            replicas: options.replicas,
            waiting: Mutex::default(),
        }
    }

    /// Whether its server took nothing, and has not answered since.
    pub(super) fn rests(&self) -> bool {
        self.lock().failed
    }

    /// Notes that its server answers: an entry may try whether it takes any, too.
    pub(super) fn wake(&self) {
        self.lock().failed = false;
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds one entry; answers when the server has.
    pub(super) async fn add(self: &Arc<Self>, entry: Entry) -> Result<(), EnqueueError> {
        if let Some(reason) = self.admission.full(self.shard) {
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
            !std::mem::replace(&mut waiting.flying, true)
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
            let mut done = group;
            let outcome = self.send(&done).await.map_err(|error| refusal(&error));
            if matches!(outcome, Err(EnqueueError::Unavailable { .. })) {
                // Those who wait would meet the same, after the same time.
                done.extend(self.lock().offered.drain(..));
            }
            {
                let mut waiting = self.lock();
                waiting.bytes -= done.iter().map(|(entry, _)| entry.payload.len()).sum::<usize>();
                waiting.failed = outcome.is_err();
            }
            if let Ok(events) = outcome {
                self.admission.saw_events(self.shard, events);
            }
            let answered = outcome.map(|_| ());
            for (_, answer) in done {
                let _ = answer.send(answered.clone());
            }
        }
    }

    fn next_group(&self) -> Option<Vec<Offered>> {
        let mut waiting = self.lock();
        let (mut group, mut bytes) = (Vec::new(), 0);
        let mut room = self.admission.room();
        while group.len() < GROUP_ENTRIES
            && let Some((entry, _)) = waiting.offered.front()
            && (group.is_empty() || bytes + entry.payload.len() <= GROUP_BYTES)
        {
            let Some((entry, answer)) = waiting.offered.pop_front() else { break };
            if room == 0 {
                waiting.bytes -= entry.payload.len();
                let _ = answer.send(Err(EnqueueError::Full { reason: self.admission.too_many() }));
                continue;
            }
            room = room.saturating_sub(entry.events.into());
            bytes += entry.payload.len();
            group.push((entry, answer));
        }
        if group.is_empty() {
            waiting.flying = false;
            return None;
        }
        Some(group)
    }

    /// Adds a group in one step and counts its events; how many events lie in the queue then.
    ///
    /// A transaction of plain commands: a script would be handed each payload twice more, which takes longer than adding it.
    /// At the memory limit the server refuses the transaction as a whole.
    async fn send(&self, group: &[Offered]) -> RedisResult<u64> {
        let mut events = BTreeMap::new();
        let mut step = redis::Pipeline::with_capacity(group.len() + 2);
        step.atomic();
        for (entry, _) in group {
            *events.entry(entry.project.as_str()).or_insert(0) += u64::from(entry.events);
            step.cmd("XADD").arg(&self.stream).arg("*");
            step.arg("p").arg(entry.project.as_str()).arg("n").arg(entry.events).arg("d").arg(&entry.payload[..]);
        }
        for (project, events) in events.iter().filter(|(_, events)| **events > 0) {
            step.cmd("HINCRBY").arg(&self.depth).arg(*project).arg(*events);
        }
        step.cmd("HINCRBY").arg(&self.depth).arg("").arg(events.values().sum::<u64>());
        let replies: Vec<Value> = self
            .link
            .run(async |mut connection| {
                let replies = step.query_async(&mut connection).await.map_err(cause_of_an_abort)?;
                self.wait_for_replicas(&mut connection).await?;
                Ok(replies)
            })
            .await?;
        match replies.last() {
            Some(Value::Int(total)) => Ok(u64::try_from(*total).unwrap_or(0)),
            _ => Err(unexpected("the count of the queue's events")),
        }
    }
}

impl Producer {
    /// Waits until enough replicas have all that was written on this connection.
    async fn wait_for_replicas(&self, connection: &mut MultiplexedConnection) -> RedisResult<()> {
        if self.replicas == 0 {
            return Ok(());
        }
        let mut command = redis::cmd("WAIT");
        command.arg(self.replicas).arg(REPLICAS_TIMEOUT.as_millis() as u64);
        let reached: u32 = command.query_async(connection).await?;
        if reached >= self.replicas {
            return Ok(());
        }
        let told = format!("{reached} of {} replicas have it within {REPLICAS_TIMEOUT:?}", self.replicas);
        Err(RedisError::from((ErrorKind::Client, "the batch is at the master and not safe", told)))
    }
}

/// What a transaction was aborted for: the server's refusal of the first command that it did not queue.
fn cause_of_an_abort(error: RedisError) -> RedisError {
    if error.kind() != ErrorKind::Server(ServerErrorKind::ExecAbort) {
        return error;
    }
    match error.clone().into_server_errors().and_then(|causes| causes.first().cloned()) {
        Some((_, cause)) => cause.into(),
        None => error,
    }
}

/// Why the server took nothing: at its memory limit the queue is full, everything else is a fault.
pub(super) fn refusal(error: &RedisError) -> EnqueueError {
    if error.code() == Some("OOM") {
        return EnqueueError::Full { reason: format!("the Redis server is at its memory limit: {}", sentence(error)) };
    }
    EnqueueError::Unavailable { reason: sentence(error) }
}
