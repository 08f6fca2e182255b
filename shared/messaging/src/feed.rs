//! The port `Feed`: what was stored, told to the realtime role as it happens.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use analytics_domain::{Event, Project, Timestamp};
use async_trait::async_trait;
use thiserror::Error;

/// How many messages a project's feed keeps for those who resume.
pub const FEED_MESSAGES: usize = 10_000;

/// How many bytes of messages a project's feed keeps at most, as they lie in memory: 32 MiB.
pub const FEED_BYTES: usize = 32 << 20;

/// How far back a resume reaches, in seconds.
pub const FEED_SECONDS: u64 = 60;

/// A place in a project's feed: `<milliseconds>-<sequence>-<index>`, rising; opaque to clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FeedCursor {
    /// When the entry was published, in milliseconds since the Unix epoch, by the feed's clock.
    pub millis: u64,
    /// Which entry of that millisecond.
    pub sequence: u64,
    /// Which event of the entry.
    pub index: u32,
}

impl fmt::Display for FeedCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.millis, self.sequence, self.index)
    }
}

impl FromStr for FeedCursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let mut parts = text.split('-');
        let mut next = || parts.next().filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
        let cursor = (next(), next(), next());
        let (Some(millis), Some(sequence), Some(index)) = cursor else { return Err(InvalidCursor) };
        if parts.next().is_some() {
            return Err(InvalidCursor);
        }
        Ok(Self {
            millis: millis.parse().map_err(|_| InvalidCursor)?,
            sequence: sequence.parse().map_err(|_| InvalidCursor)?,
            index: index.parse().map_err(|_| InvalidCursor)?,
        })
    }
}

/// A text that is no cursor of a feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a feed cursor has the form 1700000000000-0-0")]
pub struct InvalidCursor;

/// A stored event and its place in the feed.
#[derive(Debug, Clone)]
pub struct FeedMessage {
    /// Its place.
    pub cursor: FeedCursor,
    /// When the collector received it: the event's `created_at`.
    pub received_at: Timestamp,
    /// The event.
    pub event: Arc<Event<'static>>,
}

/// From where a subscription begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resume {
    /// With what is published from now on.
    Now,
    /// With what came after this place, as far as it is still kept.
    After(FeedCursor),
}

/// Why the feed failed.
#[derive(Debug, Error)]
pub enum FeedError {
    /// The feed's server cannot be reached, refuses, or took too long.
    #[error("the feed is unavailable while it should {doing}")]
    Unavailable {
        /// What was being done, as a verb phrase.
        doing: &'static str,
        /// The driver's error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// What a subscription hands out.
#[derive(Debug, Clone)]
pub enum FeedItem {
    /// Stored events, in the feed's order: shared by every subscriber of the project.
    Messages(Arc<[FeedMessage]>),
    /// The subscriber was too slow or asked for what is no longer kept: so many messages are not shown, `None` where the
    /// number cannot be known.
    Missed(Option<u64>),
}

/// One subscriber's view of one project's feed.
#[async_trait]
pub trait FeedSubscription: Send {
    /// The next item; waits as long as it takes. Dropping the future loses nothing.
    async fn next(&mut self) -> Result<FeedItem, FeedError>;

    /// Up to where this subscription has handed out or counted as missed: [`Resume::After`] it goes on from here, also where
    /// nothing was handed out yet.
    fn position(&self) -> FeedCursor;
}

/// Publishes stored events and hands them to any number of subscribers, in this process or in others.
///
/// The contract suite (`contract::feed`): every subscriber sees every message published after it subscribed, in order, or
/// is told that it missed some; a slow subscriber never slows another or the publisher; what is kept is bounded by
/// [`FEED_MESSAGES`] a project.
#[async_trait]
pub trait Feed: Send + Sync {
    /// Tells that events of a project were stored. An event may be told twice; order is that of publishing.
    async fn publish(&self, project: &Project, received_at: Timestamp, events: &[Event<'_>]) -> Result<(), FeedError>;

    /// A subscription of one project. Subscriptions of one process share one connection to the feed's server.
    async fn subscribe(&self, project: &Project, from: Resume) -> Result<Box<dyn FeedSubscription>, FeedError>;

    /// Whether the feed can be read now; answers within two seconds.
    async fn check(&self) -> Result<(), FeedError>;
}
