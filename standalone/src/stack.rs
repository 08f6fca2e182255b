//! Everything in one process: the same routers and the same processor as the four roles, on the embedded queue.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use analytics_api::answering::Flights;
use analytics_api::{ApiDeps, router as api_router};
use analytics_collector::{CollectorDeps, Limits as CollectorLimits, router as collector_router};
use analytics_domain::SharedRetention;
use analytics_host::clock::{SharedClock, SystemClock};
use analytics_host::config::{DatabaseConfig, StandaloneConfig};
use analytics_host::cors::Origins;
use analytics_host::health::{Health, probe};
use analytics_host::metrics;
use analytics_host::program::Failure;
use analytics_host::shutdown::Shutdown;
use analytics_messaging::embedded::{EmbeddedOptions, EmbeddedQueue};
use analytics_messaging::process::{ProcessCache, ProcessFeed};
use analytics_messaging::{Durability, Feed, Queue};
use analytics_realtime::{Limits as RealtimeLimits, Realtime, RealtimeDeps, StoreQueries};
use analytics_store::EventStore;
use analytics_store::postgres::{PostgresOptions, PostgresStore};
use analytics_store::retention::settle;
use analytics_store::sqlite::{SqliteOptions, SqliteStore};
use analytics_worker::{Processor, ProcessorSettings};
use axum::Router;
use thiserror::Error;
use tracing::info;

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

/// The parts of the single process.
pub struct Stack {
    /// Every route on one port.
    pub router: Router,
    /// The queue.
    pub queue: Arc<dyn Queue>,
    realtime: Arc<Realtime>,
    processor: Processor,
    shutdown: Shutdown,
    _folder: DataFolder,
}

impl Stack {
    /// Opens queue and store and puts the roles together; nothing runs yet.
    ///
    /// # Errors
    /// Where the folder is in use, or a file or a server cannot be opened.
    pub async fn open(config: &StandaloneConfig, shutdown: Shutdown) -> Result<Self, Failure> {
        let folder = DataFolder::hold(&config.data_dir)?;
        let clock: SharedClock = Arc::new(SystemClock);
        let store = open_store(config, &folder).await?;
        if config.work.auto_migrate {
            store.migrate().await?;
        }
        store.check_schema().await?;
        info!(edition = %store.edition(), "the store is open");
        let retention = SharedRetention::new(settle(store.as_ref(), config.work.retention_days).await?);
        let queue: Arc<dyn Queue> = Arc::new(EmbeddedQueue::open(folder.path.join("queue.db"), queue_options(config))?);
        let feed: Arc<dyn Feed> = Arc::new(ProcessFeed::new());

        let collector = collector_router(CollectorDeps {
            queue: Arc::clone(&queue),
            write_keys: config.intake.write_keys.clone(),
            // Sending needs no read key, so a page may always send, whatever it may read.
            origins: if config.keys.is_open_on_loopback() { Origins::Any } else { config.http.origins.clone() },
            clock: Arc::clone(&clock),
            retention: retention.clone(),
            limits: CollectorLimits { events_per_second: config.intake.rate_limit, ..CollectorLimits::default() },
        });
        let api = api_router(ApiDeps {
            store: Arc::clone(&store),
            cache: Arc::new(ProcessCache::new(CACHE_BYTES)),
            queue: Some(Arc::clone(&queue)),
            keys: config.keys.clone(),
            origins: config.http.origins.clone(),
            retention: retention.clone(),
            clock: Arc::clone(&clock),
            flights: Flights::default(),
        });
        let live_queries = StoreQueries::new(Arc::clone(&clock), retention.clone());
        live_queries.open(Arc::clone(&store));
        let realtime = Realtime::new(RealtimeDeps {
            feed: Arc::clone(&feed),
            keys: config.keys.clone(),
            origins: config.http.origins.clone(),
            clock: Arc::clone(&clock),
            shutdown: shutdown.clone(),
            queries: Some(Arc::new(live_queries)),
            limits: RealtimeLimits::default(),
        });
        let settings = ProcessorSettings {
            name: "analytics".to_owned(),
            concurrency: if config.database.is_some() { config.work.concurrency } else { 1 },
            batch_size: config.work.batch_size,
            linger: config.work.linger,
            visibility: config.work.visibility,
            dedupe_days: config.work.dedupe_days,
            retention,
            retention_is_set: config.work.retention_days.is_some(),
            clock,
        };
        let processor = Processor::new(Arc::clone(&queue), Arc::clone(&store), feed, settings);
        let health = health(&queue, &store, shutdown.clone());
        let asking = api.merge(realtime.router()).merge(health.router()).merge(metrics::router());
        let router = collector.merge(config.keys.guard(asking));
        Ok(Self { router, queue, realtime, processor, shutdown, _folder: folder })
    }

    /// Runs processor and `serving` until the shutdown, then lets everything end: the edge first, what is queued stays.
    ///
    /// # Errors
    /// What `serving` ended with.
    pub async fn run(self, serving: impl Future<Output = std::io::Result<()>>) -> std::io::Result<()> {
        let draining = tokio::spawn(self.processor.run(self.shutdown.token()));
        let served = serving.await;
        self.shutdown.stop();
        self.realtime.drained().await;
        let _ = draining.await;
        served
    }
}

async fn open_store(
    config: &StandaloneConfig,
    folder: &DataFolder,
) -> Result<Arc<dyn EventStore>, analytics_store::StoreError> {
    Ok(match &config.database {
        Some(database) => Arc::new(PostgresStore::connect(postgres_options(database, config.work.concurrency)).await?),
        None => Arc::new(SqliteStore::open(folder.path.join("events.db"), SqliteOptions::default()).await?),
    })
}

/// How the single process uses a PostgreSQL.
#[must_use]
pub fn postgres_options(database: &DatabaseConfig, concurrency: usize) -> PostgresOptions {
    PostgresOptions {
        replica_url: database.replica_url.clone(),
        max_connections: u32::try_from(concurrency).unwrap_or(u32::MAX).saturating_add(8),
        statement_timeout: database.statement_timeout,
        statement_cache: database.statement_cache,
        application_name: "analytics".to_owned(),
        ..PostgresOptions::new(database.url.clone())
    }
}

fn queue_options(config: &StandaloneConfig) -> EmbeddedOptions {
    let durable = config.intake.durable.unwrap_or(true);
    EmbeddedOptions {
        durability: if durable { Durability::Durable } else { Durability::Fast },
        visibility: config.work.visibility,
        max_events: config.intake.queue_max_events,
        ..EmbeddedOptions::default()
    }
}

fn health(queue: &Arc<dyn Queue>, store: &Arc<dyn EventStore>, shutdown: Shutdown) -> Health {
    let (queue, store) = (Arc::clone(queue), Arc::clone(store));
    let writable = probe(move || {
        let queue = Arc::clone(&queue);
        async move { queue.check().await.map_err(|error| error.to_string()) }
    });
    let answers = probe(move || {
        let store = Arc::clone(&store);
        async move { store.check().await.map_err(|error| error.to_string()) }
    });
    Health::new("analytics").until(shutdown).require("queue", writable).require("database", answers)
}
