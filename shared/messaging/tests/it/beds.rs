//! What a contract needs of an adapter: open it, and let it die.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use analytics_domain::Project;
use analytics_messaging::embedded::{EmbeddedOptions, EmbeddedQueue};
use analytics_messaging::process::ProcessFeed;
use analytics_messaging::redis::{RedisFeed, RedisOptions, RedisQueue};
use analytics_messaging::{Durability, Entry, Feed, Queue};
use analytics_testkit::redis::{RedisOptions as ServerOptions, RedisServer};

/// A project's name.
pub(crate) fn project(name: &str) -> Project {
    Project::new(name).unwrap()
}

/// An entry that says who it is.
pub(crate) fn entry(project_name: &str, events: u32, text: &str) -> Entry {
    Entry { project: project(project_name), events, payload: text.to_owned().into() }
}

/// What the tests vary.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) visibility: Duration,
    pub(crate) max_events: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { visibility: Duration::from_secs(60), max_events: 1_000_000 }
    }
}

/// A file system of a few megabytes, unmounted when dropped.
pub(crate) struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// `None` where this process may not mount.
    pub(crate) fn mount(megabytes: u32) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let options = format!("size={megabytes}m");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(folder.path()).output();
        mounted.is_ok_and(|output| output.status.success()).then_some(Self(folder))
    }

    /// Where it is mounted.
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

/// An adapter of the queue and what lies under it.
pub(crate) trait QueueBed: Send + Sync + Sized {
    /// A fresh queue.
    async fn new(settings: Settings) -> Self;
    /// The queue, for any number of tasks.
    fn queue(&self) -> Arc<dyn Queue>;
    /// Kills what holds the entries without a last word, and opens the queue again. Consumers must be gone.
    async fn die(self) -> Self;
}

fn copy_files(from: &Path, to: &Path) {
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

/// The embedded queue, flushed before each answer.
pub(crate) struct EmbeddedBed {
    queue: Arc<EmbeddedQueue>,
    folder: tempfile::TempDir,
    options: EmbeddedOptions,
}

impl EmbeddedBed {
    fn with(settings: Settings, durability: Durability) -> Self {
        let options = EmbeddedOptions {
            durability,
            visibility: settings.visibility,
            max_events: settings.max_events,
            ..EmbeddedOptions::default()
        };
        let folder = tempfile::tempdir().unwrap();
        let queue = Arc::new(EmbeddedQueue::open(folder.path(), options.clone()).unwrap());
        Self { queue, folder, options }
    }

    /// The files as a killed process leaves them: copied while the queue is open, before it can put anything in order.
    fn reopened(self) -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy_files(self.folder.path(), folder.path());
        let queue = Arc::new(EmbeddedQueue::open(folder.path(), self.options.clone()).unwrap());
        Self { queue, folder, options: self.options }
    }
}

impl QueueBed for EmbeddedBed {
    async fn new(settings: Settings) -> Self {
        Self::with(settings, Durability::Durable)
    }

    fn queue(&self) -> Arc<dyn Queue> {
        Arc::clone(&self.queue) as Arc<dyn Queue>
    }

    async fn die(self) -> Self {
        self.reopened()
    }
}

/// The embedded queue, flushed once a second.
pub(crate) struct FastEmbeddedBed(EmbeddedBed);

impl QueueBed for FastEmbeddedBed {
    async fn new(settings: Settings) -> Self {
        Self(EmbeddedBed::with(settings, Durability::Fast))
    }

    fn queue(&self) -> Arc<dyn Queue> {
        self.0.queue()
    }

    async fn die(self) -> Self {
        Self(self.0.reopened())
    }
}

/// The queue on a Redis server of its own.
pub(crate) struct RedisBed {
    pub(crate) queue: Arc<RedisQueue>,
    pub(crate) server: RedisServer,
    options: RedisOptions,
}

impl RedisBed {
    pub(crate) async fn with(server: RedisServer, options: RedisOptions) -> Self {
        let queue = Arc::new(RedisQueue::connect(options.clone()).await.unwrap());
        Self { queue, server, options }
    }

    /// The second column of a command's answer, or the answer.
    pub(crate) fn command(&self, parts: &[&str]) -> String {
        self.server.command(parts).unwrap()
    }
}

impl QueueBed for RedisBed {
    async fn new(settings: Settings) -> Self {
        let server = RedisServer::start(ServerOptions::default()).unwrap();
        let options = RedisOptions {
            visibility: settings.visibility,
            max_events: settings.max_events,
            ..RedisOptions::new(server.url().as_str())
        };
        Self::with(server, options).await
    }

    fn queue(&self) -> Arc<dyn Queue> {
        Arc::clone(&self.queue) as Arc<dyn Queue>
    }

    async fn die(mut self) -> Self {
        self.server.kill9();
        self.server.restart().unwrap();
        Self::with(self.server, self.options).await
    }
}

/// An adapter of the feed.
pub(crate) trait FeedBed: Send + Sync + Sized {
    /// A fresh feed.
    async fn new() -> Self;
    /// Where the processor publishes.
    fn publisher(&self) -> Arc<dyn Feed>;
    /// Where the sockets listen: of another process, where the adapter goes beyond one.
    fn listener(&self) -> Arc<dyn Feed>;
}

/// The feed inside one process.
pub(crate) struct ProcessFeedBed(Arc<ProcessFeed>);

impl FeedBed for ProcessFeedBed {
    async fn new() -> Self {
        Self(Arc::new(ProcessFeed::new()))
    }

    fn publisher(&self) -> Arc<dyn Feed> {
        Arc::clone(&self.0) as Arc<dyn Feed>
    }

    fn listener(&self) -> Arc<dyn Feed> {
        self.publisher()
    }
}

/// The feed on Redis, published to and listened to by two clients that know nothing of each other.
pub(crate) struct RedisFeedBed {
    pub(crate) server: RedisServer,
    publisher: Arc<RedisFeed>,
    listener: Arc<RedisFeed>,
}

impl RedisFeedBed {
    pub(crate) fn another(&self) -> Arc<RedisFeed> {
        Arc::new(RedisFeed::new(&self.server.url().as_str().into(), "analytics").unwrap())
    }
}

impl FeedBed for RedisFeedBed {
    async fn new() -> Self {
        let server = RedisServer::start(ServerOptions::default()).unwrap();
        let feed = || Arc::new(RedisFeed::new(&server.url().as_str().into(), "analytics").unwrap());
        let (publisher, listener) = (feed(), feed());
        Self { server, publisher, listener }
    }

    fn publisher(&self) -> Arc<dyn Feed> {
        Arc::clone(&self.publisher) as Arc<dyn Feed>
    }

    fn listener(&self) -> Arc<dyn Feed> {
        Arc::clone(&self.listener) as Arc<dyn Feed>
    }
}
