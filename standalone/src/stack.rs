//! Everything in one process: the same routers and the same processor as the four roles, on the embedded queue.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use analytics_access::Access;
use analytics_api::answering::Flights;
use analytics_api::meters::show_replica;
use analytics_api::{ApiDeps, dashboard, router as api_router, tracker};
use analytics_collector::{
    CollectorDeps, Enrichment, LateQueue, Limits as CollectorLimits, MadeKeys, durability, made_keys,
    router as collector_router,
};
use analytics_domain::{Retention, SharedRetention};
use analytics_host::clock::{SharedClock, SystemClock};
use analytics_host::config::{DatabaseConfig, Role, StandaloneConfig};
use analytics_host::cors::Origins;
use analytics_host::health::{Health, probe};
use analytics_host::late::LateRoutes;
use analytics_host::metrics;
use analytics_host::program::{Failure, patiently};
use analytics_host::shutdown::Shutdown;
use analytics_messaging::embedded::{EmbeddedOptions, EmbeddedQueue};
use analytics_messaging::process::{ProcessCache, ProcessFeed};
use analytics_messaging::write_keys::HOLDS;
use analytics_messaging::{Durability, Feed, Queue, WriteKey};
use analytics_realtime::{Limits as RealtimeLimits, LiveQueries, Realtime, RealtimeDeps, StoreQueries};
use analytics_store::postgres::{PostgresOptions, PostgresStore};
use analytics_store::retention::settle;
use analytics_store::sqlite::{SqliteOptions, SqliteStore};
use analytics_store::{EventStore, StoreError};
use analytics_worker::{Processor, ProcessorSettings};
use axum::Router;
use thiserror::Error;
use tracing::info;

use crate::backup::handover;

/// The queue's file in `DATA_DIR`.
pub const QUEUE: &str = "queue.db";

/// The store's file in `DATA_DIR`.
pub const EVENTS: &str = "events.db";

/// Bytes of answers that the cache may hold.
const CACHE_BYTES: u64 = 16 << 20;

/// Why the folder cannot be used.
#[derive(Debug, Error)]
pub enum FolderError {
    /// Another process has it.
    #[error("{folder} is in use by another analytics process; stop it, or set DATA_DIR to another folder")]
    InUse {
        /// The folder.
        folder: String,
    },
    /// The system refuses.
    #[error("{folder} cannot be used as DATA_DIR")]
    Unusable {
        /// The folder.
        folder: String,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
}

/// The folder of the embedded queue and store, held by this process alone until dropped.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    _lock: File,
}

impl DataFolder {
    /// Makes the folder where it is missing and takes its lock.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn hold(path: &Path) -> Result<Self, FolderError> {
        let folder = path.display().to_string();
        let unusable = |source| FolderError::Unusable { folder: folder.clone(), source };
        fs::create_dir_all(path).map_err(unusable)?;
        let lock = File::options().create(true).append(true).open(path.join("lock")).map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(FolderError::InUse { folder }),
            Err(TryLockError::Error(source)) => Err(unusable(source)),
        }
    }
}

/// The single process: every route on one port, and behind them the parts, which begin once the store is open.
pub struct Stack {
    /// The routes. They answer from the start; what needs the store says so until it is open.
    pub router: Router,
    /// The queue. Clients reach it once the store is open, which knows how old an event may be.
    pub queue: Arc<dyn Queue>,
    embedded: Arc<EmbeddedQueue>,
    config: StandaloneConfig,
    shutdown: Shutdown,
    clock: SharedClock,
    retention: SharedRetention,
    feed: Arc<dyn Feed>,
    realtime: Arc<Realtime>,
    late: Late,
    processor: Option<Processor>,
    folder: DataFolder,
}

/// What opens with the store.
#[derive(Clone)]
struct Late {
    store: Arc<OnceLock<Arc<dyn EventStore>>>,
    queue: LateQueue,
    api: LateRoutes,
    live_queries: Arc<StoreQueries>,
    access: Access,
    made_keys: MadeKeys,
}

impl Stack {
    /// Takes the folder, opens the queue and puts the routes together; nothing runs yet, and no server is asked.
    ///
    /// # Errors
    /// Where the folder is in use, or the queue's file or the file of countries cannot be opened.
    pub fn new(config: &StandaloneConfig, shutdown: Shutdown) -> Result<Self, Failure> {
        let folder = DataFolder::hold(&config.data_dir)?;
        let clock: SharedClock = Arc::new(SystemClock);
        // Until the store tells, no event is too old: it is told to come again, and not refused for ever.
        let retention = SharedRetention::new(Retention { days: 0 });
        let embedded = Arc::new(EmbeddedQueue::open(folder.path.join(QUEUE), queue_options(config))?);
        let queue: Arc<dyn Queue> = Arc::clone(&embedded) as Arc<dyn Queue>;
        durability::tell(queue.durability());
        let feed: Arc<dyn Feed> = Arc::new(ProcessFeed::new());
        let late = Late {
            store: Arc::default(),
            queue: LateQueue::new(),
            api: LateRoutes::new(&config.http.origins),
            live_queries: Arc::new(StoreQueries::new(Arc::clone(&clock), retention.clone())),
            access: Access::new(config.keys.clone(), Arc::clone(&clock), true),
            made_keys: MadeKeys::untold(),
        };
        let collector = collector_router(CollectorDeps {
            queue: Arc::new(late.queue.clone()),
            write_keys: config.intake.write_keys.clone(),
            made_keys: late.made_keys.clone(),
            // Sending needs no read key, so a page may always send, whatever it may read.
            origins: if config.keys.is_open_on_loopback() { Origins::Any } else { config.http.origins.clone() },
            clock: Arc::clone(&clock),
            retention: retention.clone(),
            enrichment: Enrichment::open(&config.intake.enrichment)?,
            limits: CollectorLimits { events_per_second: config.intake.rate_limit, ..CollectorLimits::default() },
        });
        let realtime = Realtime::new(RealtimeDeps {
            feed: Arc::clone(&feed),
            access: late.access.clone(),
            origins: config.http.origins.clone(),
            clock: Arc::clone(&clock),
            shutdown: shutdown.clone(),
            queries: Some(Arc::clone(&late.live_queries) as Arc<dyn LiveQueries>),
            limits: RealtimeLimits::default(),
        });
        let api = late.api.router("/api/{*rest}");
        let health = health(&queue, &late.store, is_durable(config), shutdown.clone());
        let asking = api.merge(realtime.router()).merge(health.router()).merge(metrics::router());
        // Pages of any host load the script, so it stays outside of the guard as the collector does; and the dashboard tells
        // who is refused what to do.
        let pages = tracker::router(config.tracker_path.as_deref()).merge(dashboard::router());
        let router = collector.merge(pages).merge(config.keys.guard(asking));
        let (config, processor) = (config.clone(), None);
        Ok(Self {
            router,
            queue,
            embedded,
            config,
            shutdown,
            clock,
            retention,
            feed,
            realtime,
            late,
            processor,
            folder,
        })
    }

    /// The same with its store open; an error where that does not succeed at once.
    ///
    /// # Errors
    /// As [`Stack::new`], or where the store cannot be opened.
    pub async fn open(config: &StandaloneConfig, shutdown: Shutdown) -> Result<Self, Failure> {
        let mut stack = Self::new(config, shutdown)?;
        let opened = open_store(&stack.config, &stack.folder).await?;
        stack.begin(opened);
        Ok(stack)
    }

    /// Opens the store: a file at once or not at all, a server as soon as it answers.
    ///
    /// # Errors
    /// What no waiting mends.
    pub async fn open_store(&mut self) -> Result<(), Failure> {
        let (is_server, auto_migrate) = (self.config.database.is_some(), self.config.work.auto_migrate);
        let passing = |error: &StoreError| match error {
            StoreError::Unavailable { .. } => is_server,
            // Without AUTO_MIGRATE somebody else makes the schema ready.
            StoreError::Schema { .. } => is_server && !auto_migrate,
            _ => false,
        };
        let opened = patiently("the store", passing, || open_store(&self.config, &self.folder)).await?;
        self.begin(opened);
        Ok(())
    }

    /// Opens what waited for the store.
    fn begin(&mut self, Opened { store, retention, write_keys }: Opened) {
        info!(edition = %store.edition(), retention_days = retention.days, "the store is open");
        self.retention.set(retention);
        // Before the first event is taken, and then as collectors are told.
        self.late.made_keys.tell(write_keys, Instant::now() + HOLDS);
        let (config, late) = (&self.config, &self.late);
        late.api.open(api_router(ApiDeps {
            store: Arc::clone(&store),
            cache: Arc::new(ProcessCache::new(CACHE_BYTES)),
            queue: Some(Arc::clone(&self.queue)),
            access: late.access.clone(),
            origins: config.http.origins.clone(),
            retention: self.retention.clone(),
            retention_is_said: config.work.retention_days.is_some(),
            clock: Arc::clone(&self.clock),
            flights: Flights::default(),
            export_bytes: None,
            made_keys_send: true,
        }));
        show_replica(store.as_ref());
        late.access.open(Arc::clone(&store));
        late.live_queries.open(Arc::clone(&store));
        late.queue.open(Arc::clone(&self.queue));
        let settings = ProcessorSettings {
            name: "analytics".to_owned(),
            concurrency: if config.database.is_some() { config.work.concurrency } else { 1 },
            batch_size: config.work.batch_size,
            linger: config.work.linger,
            visibility: config.work.visibility,
            dedupe_days: config.work.dedupe_days,
            retention: self.retention.clone(),
            retention_is_set: config.work.retention_days.is_some(),
            clock: Arc::clone(&self.clock),
        };
        let feed = Some(Arc::clone(&self.feed));
        self.processor = Some(Processor::new(Arc::clone(&self.queue), Arc::clone(&store), feed, settings));
        // Last: the health page says `healthy` only when everything is there.
        let _ = late.store.set(store);
    }

    /// Runs processor and `serving` until the shutdown, then lets everything end: the edge first, what is queued stays.
    ///
    /// # Errors
    /// What `serving` ended with.
    pub async fn run(self, serving: impl Future<Output = std::io::Result<()>>) -> std::io::Result<()> {
        let token = self.shutdown.token();
        let backups = handover::serve(self.folder.path.clone(), self.embedded, token.clone());
        let backups = tokio::spawn(backups);
        let following = tokio::spawn(made_keys::follow(Arc::clone(&self.queue), self.late.made_keys.clone()));
        let draining = self.processor.map(|processor| tokio::spawn(processor.run(token)));
        let served = serving.await;
        self.shutdown.stop();
        self.realtime.drained().await;
        following.abort();
        let _ = following.await;
        if let Some(draining) = draining {
            let _ = draining.await;
        }
        let _ = backups.await;
        served
    }
}

/// What an open store begins with.
struct Opened {
    /// The store, with the schema of this build.
    store: Arc<dyn EventStore>,
    /// The retention in force.
    retention: Retention,
    /// Its keys that send.
    write_keys: Vec<WriteKey>,
}

async fn open_store(config: &StandaloneConfig, folder: &DataFolder) -> Result<Opened, StoreError> {
    let store: Arc<dyn EventStore> = match &config.database {
        Some(database) => {
            let options = postgres_options(database, config.work.concurrency);
            let options = PostgresOptions { chunk_days: config.work.chunk_days, ..options };
            Arc::new(PostgresStore::connect(options).await?)
        }
        None => Arc::new(SqliteStore::open(folder.path.join(EVENTS), SqliteOptions::default()).await?),
    };
    if config.work.auto_migrate {
        store.migrate().await?;
    }
    store.check_schema().await?;
    let retention = settle(store.as_ref(), config.work.retention_days).await?;
    let write_keys = store.write_keys().await?;
    let write_keys = write_keys.into_iter().map(|(digest, project)| WriteKey { digest, project }).collect();
    Ok(Opened { store, retention, write_keys })
}

/// How the single process uses a PostgreSQL.
#[must_use]
pub fn postgres_options(database: &DatabaseConfig, concurrency: usize) -> PostgresOptions {
    PostgresOptions {
        max_connections: u32::try_from(concurrency).unwrap_or(u32::MAX).saturating_add(8),
        statement_timeout: database.statement_timeout,
        statement_cache: database.statement_cache.into(),
        application_name: "analytics".to_owned(),
        ..PostgresOptions::new(database.url.clone())
    }
}

/// Whether a 202 is to survive a power cut.
fn is_durable(config: &StandaloneConfig) -> bool {
    config.intake.durable.unwrap_or(true)
}

fn queue_options(config: &StandaloneConfig) -> EmbeddedOptions {
    EmbeddedOptions {
        durability: if is_durable(config) { Durability::Durable } else { Durability::Fast },
        visibility: config.work.visibility,
        max_events: config.intake.queue_max_events,
        ..EmbeddedOptions::default()
    }
}

fn health(
    queue: &Arc<dyn Queue>,
    store: &Arc<OnceLock<Arc<dyn EventStore>>>,
    durable: bool,
    shutdown: Shutdown,
) -> Health {
    let (asked, store) = (Arc::clone(queue), Arc::clone(store));
    let writable = probe(move || {
        let queue = Arc::clone(&asked);
        async move { queue.check().await.map_err(|error| error.to_string()) }
    });
    let answers = probe(move || {
        let store = Arc::clone(&store);
        async move {
            match store.get() {
                Some(store) => store.check().await.map_err(|error| error.to_string()),
                None => Err("it has not answered since the start".to_owned()),
            }
        }
    });
    let lasts = durability::check(Arc::clone(queue), durable);
    Health::new(Role::Analytics)
        .until(shutdown)
        .require("queue", writable)
        .prefer("queue", lasts)
        .require("database", answers)
}
