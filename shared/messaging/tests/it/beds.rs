//! What a contract needs of an adapter: open it, and let it die.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use analytics_domain::Project;
use analytics_messaging::embedded::{EmbeddedOptions, EmbeddedQueue};
use analytics_messaging::process::ProcessFeed;
use analytics_messaging::redis::{RedisFeed, RedisOptions, RedisQueue};
use analytics_messaging::sqs::{SqsEndpoint, SqsOptions, SqsQueue};
use analytics_messaging::{Durability, Entry, Feed, Queue, QueueDepth};
use analytics_testkit::redis::{AppendFsync, RedisCluster, RedisOptions as ServerOptions, RedisServer};
use analytics_testkit::sqs::SqsServer;
use uuid::Uuid;

/// A project's name.
pub(crate) fn project(name: &str) -> Project {
    Project::new(name).unwrap()
}

/// An entry that says who it is.
pub(crate) fn entry(project_name: &str, events: u32, text: &str) -> Entry {
    Entry { project: project(project_name), events, payload: text.to_owned().into() }
}

/// The events a project, of a queue that counts them.
pub(crate) fn by_project(depth: &QueueDepth) -> &BTreeMap<Project, u64> {
    depth.by_project.as_ref().unwrap()
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
///
/// The constants are what a queue may lack where it is a service that decides so itself; each is true of a queue of ours.
pub(crate) trait QueueBed: Send + Sync + Sized {
    /// The queue tells each project's events, and how long the oldest entry has waited. SQS counts messages.
    const COUNTS_EVENTS: bool = true;
    /// Entries come in the order in which they went in. SQS promises none.
    const KEEPS_ORDER: bool = true;
    /// A consumer is known by its name, and finds what it held before. SQS knows receipts only, so what a dead consumer held
    /// comes back after the visibility timeout.
    const KNOWS_CONSUMERS: bool = true;
    /// The shortest visibility timeout, and the step between two. SQS counts whole seconds.
    const VISIBILITY_STEP: Duration = Duration::from_millis(1);
    /// By how much less is done where much is done: moto takes about 60 messages a second.
    const SLOWNESS: usize = 1;

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

/// Kills a server that is flushed once a second, as a durable one dies: it puts off even writing while its disk is slow, and
/// has by then answered for what a kill would take. The write after `always` brings all of it to the disk.
fn kill_durably(server: &mut RedisServer) {
    server.command(&["CONFIG", "SET", "appendfsync", "always"]).unwrap();
    // In a cluster another node's business; what was put off is flushed even so.
    let _ = server.command(&["SET", "last", "1"]);
    server.command(&["PING"]).unwrap();
    server.kill9();
}

impl QueueBed for RedisBed {
    async fn new(settings: Settings) -> Self {
        let server = RedisServer::start(ServerOptions::default()).unwrap();
        let options = options(server.url(), settings);
        Self::with(server, options).await
    }

    fn queue(&self) -> Arc<dyn Queue> {
        Arc::clone(&self.queue) as Arc<dyn Queue>
    }

    async fn die(mut self) -> Self {
        kill_durably(&mut self.server);
        self.server.restart().unwrap();
        Self::with(self.server, self.options).await
    }
}

/// Several streams on one server.
pub(crate) struct ShardedRedisBed(RedisBed);

impl QueueBed for ShardedRedisBed {
    const KEEPS_ORDER: bool = false;

    async fn new(settings: Settings) -> Self {
        let server = RedisServer::start(ServerOptions::default()).unwrap();
        let options = RedisOptions { shards: 4, ..options(server.url(), settings) };
        Self(RedisBed::with(server, options).await)
    }

    fn queue(&self) -> Arc<dyn Queue> {
        self.0.queue()
    }

    async fn die(self) -> Self {
        Self(self.0.die().await)
    }
}

fn options(url: String, settings: Settings) -> RedisOptions {
    RedisOptions { visibility: settings.visibility, max_events: settings.max_events, ..RedisOptions::new(url.as_str()) }
}

/// The queue on a cluster of its own, over so many shards.
pub(crate) struct RedisClusterBed<const SHARDS: usize> {
    pub(crate) queue: Arc<RedisQueue>,
    pub(crate) cluster: RedisCluster,
    pub(crate) options: RedisOptions,
}

impl<const SHARDS: usize> RedisClusterBed<SHARDS> {
    pub(crate) async fn with(cluster: RedisCluster, options: RedisOptions) -> Self {
        let queue = Arc::new(RedisQueue::connect(options.clone()).await.unwrap());
        Self { queue, cluster, options }
    }
}

impl<const SHARDS: usize> QueueBed for RedisClusterBed<SHARDS> {
    const KEEPS_ORDER: bool = SHARDS == 1;

    async fn new(settings: Settings) -> Self {
        let start = || RedisCluster::start(3, 0, AppendFsync::EverySecond, &[]).unwrap();
        let cluster = tokio::task::spawn_blocking(start).await.unwrap();
        let options = RedisOptions { shards: SHARDS, ..options(cluster.url(), settings) };
        Self::with(cluster, options).await
    }

    fn queue(&self) -> Arc<dyn Queue> {
        Arc::clone(&self.queue) as Arc<dyn Queue>
    }

    async fn die(mut self) -> Self {
        for node in &mut self.cluster.nodes {
            kill_durably(node);
        }
        for node in &mut self.cluster.nodes {
            node.restart().unwrap();
        }
        self.cluster.wait_whole().unwrap();
        Self::with(self.cluster, self.options).await
    }
}

/// One server for all tests, since it starts slowly; each has a queue of its own.
pub(crate) static SQS: LazyLock<SqsServer> = LazyLock::new(|| SqsServer::start().unwrap());

/// A name that no other queue has.
pub(crate) fn queue_name() -> String {
    format!("events-{}", Uuid::new_v4().simple())
}

/// The queue on SQS.
pub(crate) struct SqsBed {
    queue: Arc<SqsQueue>,
    options: SqsOptions,
}

impl SqsBed {
    pub(crate) async fn with(options: SqsOptions) -> Self {
        Self { queue: Arc::new(SqsQueue::connect(options.clone()).await.unwrap()), options }
    }
}

impl QueueBed for SqsBed {
    const COUNTS_EVENTS: bool = false;
    const KEEPS_ORDER: bool = false;
    const KNOWS_CONSUMERS: bool = false;
    const VISIBILITY_STEP: Duration = Duration::from_secs(1);
    const SLOWNESS: usize = 8;

    async fn new(settings: Settings) -> Self {
        let url = tokio::task::spawn_blocking(|| SQS.create_queue(&queue_name(), &[]).unwrap()).await.unwrap();
        let endpoint = Some(SqsEndpoint::new(SQS.endpoint()));
        Self::with(SqsOptions { visibility: settings.visibility, endpoint, ..SqsOptions::new(url) }).await
    }

    fn queue(&self) -> Arc<dyn Queue> {
        Arc::clone(&self.queue) as Arc<dyn Queue>
    }

    /// The server is Amazon's, and does not die: the process with its client does.
    async fn die(self) -> Self {
        Self::with(self.options).await
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

/// The feed on a cluster.
pub(crate) struct RedisClusterFeedBed {
    pub(crate) cluster: RedisCluster,
    publisher: Arc<RedisFeed>,
    listener: Arc<RedisFeed>,
}

impl FeedBed for RedisClusterFeedBed {
    async fn new() -> Self {
        let start = || RedisCluster::start(3, 0, AppendFsync::default(), &[]).unwrap();
        let cluster = tokio::task::spawn_blocking(start).await.unwrap();
        let feed = || Arc::new(RedisFeed::new(&cluster.url().as_str().into(), "analytics").unwrap());
        let (publisher, listener) = (feed(), feed());
        Self { cluster, publisher, listener }
    }

    fn publisher(&self) -> Arc<dyn Feed> {
        Arc::clone(&self.publisher) as Arc<dyn Feed>
    }

    fn listener(&self) -> Arc<dyn Feed> {
        Arc::clone(&self.listener) as Arc<dyn Feed>
    }
}
