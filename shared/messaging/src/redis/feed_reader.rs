//! The one reading connection of a process, behind all its subscriptions.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use analytics_domain::Project;
use redis::aio::MultiplexedConnection;
use redis::{RedisResult, Value};
use tokio::sync::{Mutex as AsyncMutex, Notify};

use super::feed::Shared;
use super::feed_entry::{FeedEntry, id_of};
use super::link::timed_out;
use super::reply::streams;
use crate::feed::FeedCursor;
use crate::reason::sentence;
use crate::ring::Ring;

/// How long a read waits at the server; a new project ends the wait early.
const BLOCK: Duration = Duration::from_secs(1);

/// How long an answer may take beyond that.
const SLACK: Duration = Duration::from_secs(2);

/// Entries a project that one read answers: at most 8 MiB.
const READ_ENTRIES: usize = 32;

/// How long the reader waits after a failure, at first and at most.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// What this process reads of one project.
#[derive(Debug)]
pub(super) struct Topic {
    pub(super) ring: Arc<Ring>,
    /// Where the next read begins, and the count of messages that its first entry must have before it.
    place: Mutex<(FeedCursor, u64)>,
}

/// All that this process reads; the reading task holds it weakly and ends with it.
#[derive(Debug)]
pub(super) struct Readers {
    shared: Arc<Shared>,
    topics: Arc<Topics>,
    /// One subscriber at a time begins a topic.
    beginning: AsyncMutex<()>,
}

/// What subscribers and the reading task have in common.
#[derive(Debug, Default)]
struct Topics {
    by_project: Mutex<HashMap<Project, Arc<Topic>>>,
    /// The connection that waits at the server, by the server's number of it.
    waiting: Mutex<Option<u64>>,
    changed: Notify,
    started: Mutex<bool>,
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Readers {
    fn drop(&mut self) {
        // Wakes a task that waits for a first topic, so that it sees that it is alone.
        self.topics.changed.notify_one();
    }
}

impl Readers {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, topics: Arc::default(), beginning: AsyncMutex::new(()) }
    }

    /// What is read of a project; begins to read it, from now on, where nobody did.
    pub(super) async fn topic(self: &Arc<Self>, project: &Project) -> RedisResult<Arc<Topic>> {
        let _one_at_a_time = self.beginning.lock().await;
        if let Some(topic) = held(&self.topics.by_project).get(project) {
            return Ok(Arc::clone(topic));
        }
        let state = self.shared.state(project).await?;
        let ring = Arc::new(Ring::new(state.last));
        let topic = Arc::new(Topic { ring, place: Mutex::new((state.last, state.total)) });
        held(&self.topics.by_project).insert(project.clone(), Arc::clone(&topic));
        self.start();
        self.topics.changed.notify_one();
        self.wake_reader().await;
        Ok(topic)
    }

    fn start(self: &Arc<Self>) {
        if !std::mem::replace(&mut *held(&self.topics.started), true) {
            tokio::spawn(read(Arc::downgrade(self), Arc::clone(&self.topics)));
        }
    }

    /// Ends the reader's wait, so that it takes a new project in at once and not with its next read.
    async fn wake_reader(&self) {
        let Some(id) = *held(&self.topics.waiting) else { return };
        let woken = self
            .shared
            .link
            .run(async |mut connection| {
                redis::cmd("CLIENT").arg("UNBLOCK").arg(id).query_async::<i64>(&mut connection).await
            })
            .await;
        if let Err(error) = woken {
            // Forbidden on some managed servers: messages of the first second then come late, and none is lost.
            tracing::debug!(error = %sentence(&error), "the feed's reader cannot be woken");
        }
    }

    /// One read of all projects that somebody listens to.
    async fn read_once(&self, connection: &mut MultiplexedConnection) -> RedisResult<()> {
        let topics: Vec<(String, Arc<Topic>)> = held(&self.topics.by_project)
            .iter()
            .map(|(project, topic)| (self.shared.stream(project), Arc::clone(topic)))
            .collect();
        let mut command = redis::cmd("XREAD");
        command.arg("COUNT").arg(READ_ENTRIES).arg("BLOCK").arg(BLOCK.as_millis() as u64).arg("STREAMS");
        for (stream, _) in &topics {
            command.arg(stream);
        }
        for (_, topic) in &topics {
            command.arg(id_of(held(&topic.place).0));
        }
        let answer: Value = match tokio::time::timeout(BLOCK + SLACK, command.query_async(connection)).await {
            Ok(answer) => answer?,
            Err(_) => return Err(timed_out(BLOCK + SLACK)),
        };
        let by_stream: HashMap<String, Arc<Topic>> = topics.into_iter().collect();
        for (stream, entries) in streams(answer)? {
            let Some(topic) = by_stream.get(&stream) else { continue };
            for value in entries {
                if let Some(entry) = FeedEntry::read(value)? {
                    topic.take(entry);
                }
            }
        }
        Ok(())
    }

    /// Stops reading projects that nobody listens to any more; tells whether any is left.
    fn forget_unheard(&self) -> bool {
        let mut topics = held(&self.topics.by_project);
        // One holder of the ring is the topic itself, every subscriber is another; a subscriber to be holds the topic.
        topics.retain(|_, topic| Arc::strong_count(topic) > 1 || Arc::strong_count(&topic.ring) > 1);
        !topics.is_empty()
    }
}

impl Topic {
    /// Puts an entry before the subscribers, and before it what was dropped at the server before it could be read.
    fn take(&self, entry: FeedEntry) {
        let mut place = held(&self.place);
        let (last, expected) = *place;
        if entry.before > expected {
            self.ring.push_gap(last, Some(entry.before - expected));
        } else if entry.before < expected && entry.before > 0 {
            // The server was emptied or replaced, and the count began anew.
            self.ring.push_gap(last, None);
        }
        *place = (entry.cursor, entry.before + entry.messages.len() as u64);
        if !entry.messages.is_empty() {
            self.ring.push(entry.messages);
        }
    }
}

/// Reads until nobody is left: neither the feed nor a subscription.
async fn read(readers: Weak<Readers>, topics: Arc<Topics>) {
    let mut connection: Option<MultiplexedConnection> = None;
    let mut pause = BACKOFF.0;
    loop {
        let Some(readers) = readers.upgrade() else { return };
        if !readers.forget_unheard() {
            // Not held while there is nothing to read: the last owner's end has to be seen.
            drop(readers);
            topics.changed.notified().await;
            continue;
        }
        let outcome = match &mut connection {
            Some(connection) => readers.read_once(connection).await,
            None => connect(&readers).await.map(|made| connection = Some(made)),
        };
        match outcome {
            Ok(()) => pause = BACKOFF.0,
            Err(error) => {
                connection = None;
                // The next connection goes where a cluster's node says that the feed is now.
                readers.shared.link.is_redirected(&error);
                *held(&topics.waiting) = None;
                tracing::warn!(error = %sentence(&error), "the feed cannot be read; it is tried again");
                drop(readers);
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(BACKOFF.1);
            }
        }
    }
}

async fn connect(readers: &Readers) -> RedisResult<MultiplexedConnection> {
    let connecting = async {
        let mut connection = readers.shared.link.dedicated().await?;
        let id: RedisResult<u64> = redis::cmd("CLIENT").arg("ID").query_async(&mut connection).await;
        *held(&readers.topics.waiting) = id.ok();
        Ok(connection)
    };
    match tokio::time::timeout(SLACK, connecting).await {
        Ok(made) => made,
        Err(_) => Err(timed_out(SLACK)),
    }
}
