//! The feed on capped Redis streams, one a project.

use std::sync::Arc;
use std::time::Duration;

use analytics_domain::{Event, Project, Timestamp};
use async_trait::async_trait;
use redis::{RedisError, RedisResult, Value};

use super::endpoint::RedisEndpoint;
use super::feed_entry::{FeedEntry, encode, id_of, parse_id};
use super::feed_reader::{Readers, Topic};
use super::link::Link;
use super::reply::array;
use super::script::PUBLISH;
use crate::feed::{
    FEED_BYTES, FEED_MESSAGES, Feed, FeedCursor, FeedError, FeedItem, FeedMessage, FeedSubscription, Resume,
};
use crate::queue::QueueError;
use crate::ring::{Outside, RingReader};

/// How long a caller waits for the server.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Seconds after which the stream of a silent project is dropped.
pub(super) const FORGET_SECONDS: u64 = 600;

/// Entries that a resuming subscriber reads in one step: at most 4 MiB.
const PAGE: usize = 16;

/// Live messages in Redis: every process that publishes and every process that shows them meets there.
///
/// Keys of a project: `{PREFIX:feed}:PROJECT` (the stream), `...:sizes` and `...:state` (what its bounds need).
/// Subscriptions of a process share one reading connection, which is made with the first of them.
#[derive(Debug)]
pub struct RedisFeed {
    shared: Arc<Shared>,
    readers: Arc<Readers>,
}

/// What feed, subscriptions and reader have in common.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) link: Link,
    prefix: String,
}

/// Where a project's stream stands.
#[derive(Debug)]
pub(super) struct StreamState {
    /// The newest entry; just before now where there is none.
    pub(super) last: FeedCursor,
    /// Messages ever published, 0 for a feed that does not exist (any more).
    pub(super) total: u64,
    /// The newest entry that was dropped.
    floor: Option<FeedCursor>,
    now_millis: u64,
}

impl Shared {
    /// The stream's key.
    pub(super) fn stream(&self, project: &Project) -> String {
        format!("{{{}:feed}}:{project}", self.prefix)
    }

    /// Looks up where a project's stream stands.
    pub(super) async fn state(&self, project: &Project) -> RedisResult<StreamState> {
        let key = format!("{}:state", self.stream(project));
        let ((last, total, floor), (seconds, micros)): StateAnswer = self
            .link
            .run(async |mut connection| {
                let mut both = redis::pipe();
                both.cmd("HMGET").arg(&[&key, "l", "t", "f"]).cmd("TIME");
                both.query_async(&mut connection).await
            })
            .await?;
        let now_millis = seconds * 1_000 + micros / 1_000;
        let end_of =
            |id: String| parse_id(&id).map(|(millis, sequence)| FeedCursor { millis, sequence, index: u32::MAX });
        // The next entry's id can have this millisecond, so what lies before it ends with the one before.
        let before_now = FeedCursor { millis: now_millis.saturating_sub(1), sequence: 0, index: u32::MAX };
        Ok(StreamState {
            last: last.and_then(end_of).unwrap_or(before_now),
            total: total.unwrap_or(0),
            floor: floor.and_then(end_of),
            now_millis,
        })
    }
}

/// The answers of HMGET and TIME.
type StateAnswer = ((Option<String>, Option<u64>, Option<String>), (u64, u64));

impl StreamState {
    /// Whether all that was published after `cursor` is still in the stream.
    fn reaches(&self, cursor: FeedCursor) -> bool {
        match self.floor {
            Some(floor) => cursor >= floor,
            // Nothing was dropped since the stream began, and it begins anew only after so long a silence.
            None => self.now_millis.saturating_sub(cursor.millis) < FORGET_SECONDS * 1_000,
        }
    }
}

fn failed(doing: &'static str) -> impl FnOnce(RedisError) -> FeedError {
    move |source| FeedError::Unavailable { doing, source: source.into() }
}

impl RedisFeed {
    /// A feed that connects with its first use.
    ///
    /// # Errors
    /// [`QueueError::Misconfigured`] where the URL cannot be read.
    pub fn new(endpoint: &RedisEndpoint, key_prefix: &str) -> Result<Self, QueueError> {
        let route = endpoint.route(&format!("{key_prefix}:feed"))?;
        let shared = Arc::new(Shared { link: Link::new(route, TIMEOUT), prefix: key_prefix.to_owned() });
        let readers = Arc::new(Readers::new(Arc::clone(&shared)));
        Ok(Self { shared, readers })
    }

    /// The subscription for a resume, where `topic` is what this process reads of the project.
    async fn resume(&self, project: &Project, topic: &Topic, cursor: FeedCursor) -> RedisResult<RedisSubscription> {
        let reader = match topic.ring.read_after(cursor) {
            Ok(reader) => return Ok(self.subscription(project, reader, None, false)),
            Err(Outside::Newer) => {
                let state = self.shared.state(project).await?;
                // Another process has shown it already; this one is about to read it.
                let known = cursor <= state.last;
                let reader = if known { topic.ring.read_new_after(cursor) } else { topic.ring.read_new() };
                return Ok(self.subscription(project, reader, None, !known));
            }
            Err(Outside::Older) => topic.ring.read_new(),
        };
        let missed = !self.shared.state(project).await?.reaches(cursor);
        let backlog = Backlog { at: cursor, until: reader.position(), expected: None };
        Ok(self.subscription(project, reader, Some(backlog), missed))
    }

    fn subscription(
        &self,
        project: &Project,
        reader: RingReader,
        backlog: Option<Backlog>,
        missed: bool,
    ) -> RedisSubscription {
        RedisSubscription {
            shared: Arc::clone(&self.shared),
            stream: self.shared.stream(project),
            reader,
            backlog,
            missed: missed.then_some(None),
            _readers: Arc::clone(&self.readers),
        }
    }
}

#[async_trait]
impl Feed for RedisFeed {
    async fn publish(&self, project: &Project, received_at: Timestamp, events: &[Event<'_>]) -> Result<(), FeedError> {
        let entries = encode(received_at, events);
        if entries.is_empty() {
            return Ok(());
        }
        let stream = self.shared.stream(project);
        let (sizes, state) = (format!("{stream}:sizes"), format!("{stream}:state"));
        self.shared
            .link
            .run(async |connection| {
                PUBLISH
                    .run::<()>(connection, &[&stream, &sizes, &state], |command| {
                        command.arg(FEED_MESSAGES).arg(FEED_BYTES).arg(FORGET_SECONDS);
                        for (messages, payload) in &entries {
                            command.arg(messages).arg(payload);
                        }
                    })
                    .await
            })
            .await
            .map_err(failed("publish stored events"))
    }

    async fn subscribe(&self, project: &Project, from: Resume) -> Result<Box<dyn FeedSubscription>, FeedError> {
        let topic = self.readers.topic(project).await.map_err(failed("subscribe"))?;
        let subscription = match from {
            Resume::Now => self.subscription(project, topic.ring.read_new(), None, false),
            Resume::After(cursor) => self.resume(project, &topic, cursor).await.map_err(failed("resume"))?,
        };
        Ok(Box::new(subscription))
    }

    async fn check(&self) -> Result<(), FeedError> {
        self.shared
            .link
            .run(async |mut connection| redis::cmd("PING").query_async::<()>(&mut connection).await)
            .await
            .map_err(failed("be read"))
    }
}

/// What a resuming subscriber still has to read from the server, before the ring of this process takes over.
#[derive(Debug)]
struct Backlog {
    at: FeedCursor,
    until: FeedCursor,
    /// The count of messages that the next entry must have before it.
    expected: Option<u64>,
}

/// One subscriber.
struct RedisSubscription {
    shared: Arc<Shared>,
    stream: String,
    reader: RingReader,
    backlog: Option<Backlog>,
    /// What to tell as missed before anything else.
    missed: Option<Option<u64>>,
    /// The reading task lives as long as the feed or any subscription.
    _readers: Arc<Readers>,
}

impl RedisSubscription {
    /// The next messages of the backlog; `None` once it is read.
    async fn read_backlog(&mut self) -> RedisResult<Option<Vec<FeedMessage>>> {
        loop {
            let Some(backlog) = &mut self.backlog else { return Ok(None) };
            let (stream, at, until) = (&self.stream, backlog.at, backlog.until);
            // A whole entry behind: begin after it. Else in it, for the messages after the cursor.
            let from = if at.index == u32::MAX { format!("({}", id_of(at)) } else { id_of(at) };
            let page: Value = self
                .shared
                .link
                .run(async |mut connection| {
                    redis::cmd("XRANGE")
                        .arg(&[stream, &from, &id_of(until), "COUNT"])
                        .arg(PAGE)
                        .query_async(&mut connection)
                        .await
                })
                .await?;
            let mut messages = Vec::new();
            let mut read_any = false;
            for value in array(page, "a feed's backlog")? {
                let Some(entry) = FeedEntry::read(value)? else { continue };
                if let Some(expected) = backlog.expected.filter(|expected| *expected < entry.before) {
                    self.missed = Some(Some(entry.before - expected));
                }
                read_any = true;
                backlog.expected = Some(entry.before + entry.messages.len() as u64);
                messages.extend(entry.messages.into_iter().filter(|message| message.cursor > at));
                backlog.at = entry.cursor;
                if self.missed.is_some() {
                    // Told before these messages, and the rest is read afterwards.
                    break;
                }
            }
            if !read_any {
                self.backlog = None;
            } else if !messages.is_empty() {
                return Ok(Some(messages));
            }
        }
    }
}

#[async_trait]
impl FeedSubscription for RedisSubscription {
    async fn next(&mut self) -> Result<FeedItem, FeedError> {
        if let Some(missed) = self.missed.take() {
            return Ok(FeedItem::Missed(missed));
        }
        if self.backlog.is_some() {
            let messages = self.read_backlog().await.map_err(failed("read what came before"))?;
            if let Some(messages) = messages {
                return Ok(FeedItem::Messages(messages.into()));
            }
        }
        Ok(self.reader.next().await)
    }

    fn position(&self) -> FeedCursor {
        self.backlog.as_ref().map_or_else(|| self.reader.position(), |backlog| backlog.at)
    }
}
