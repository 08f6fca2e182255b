//! `processor`: drains the Redis queue into PostgreSQL.

use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use analytics_domain::SharedRetention;
use analytics_host::clock::SystemClock;
use analytics_host::config::ProcessorConfig;
use analytics_host::cors::Origins;
use analytics_host::edge::EdgeLimits;
use analytics_host::health::{Health, probe};
use analytics_host::program::{self, Failure, Started, patiently};
use analytics_host::shutdown::Shutdown;
use analytics_host::{metrics, serve};
use analytics_messaging::redis::{RedisEndpoint, RedisFeed, RedisOptions, RedisQueue};
use analytics_messaging::{Queue, QueueError};
use analytics_store::postgres::{PostgresOptions, PostgresStore};
use analytics_store::retention::settle;
use analytics_store::{EventStore, StoreError};
use analytics_worker::{Processor, ProcessorSettings};
use tracing::info;

#[tokio::main]
async fn main() -> ExitCode {
    program::run(std::env::vars_os(), run).await
}

async fn run(started: Started<ProcessorConfig>) -> Result<(), Failure> {
    let Started { config, listener, shutdown } = started;
    let servers = Arc::new(Servers::default());
    let router = health(&servers, shutdown.clone()).router().merge(metrics::router());
    let serving =
        tokio::spawn(serve::serve(listener, router, shutdown.clone(), EdgeLimits::default(), Origins::Nobody));
    let drained = tokio::select! {
        opened = open(&config, &servers) => opened,
        () = shutdown.stopping() => Ok(None),
    };
    let result = match drained {
        Ok(Some(processor)) => {
            processor.run(shutdown.token()).await;
            Ok(())
        }
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    // A processor that ended by itself takes its health page with it.
    shutdown.stop();
    serving.await??;
    result
}

/// The servers, once each has answered.
#[derive(Default)]
struct Servers {
    queue: OnceLock<Arc<dyn Queue>>,
    store: OnceLock<Arc<dyn EventStore>>,
}

/// Waits for store and queue, one after the other, and puts the processor together.
async fn open(config: &ProcessorConfig, servers: &Servers) -> Result<Option<Processor>, Failure> {
    let store = open_store(config).await?;
    let retention = settle(store.as_ref(), config.work.retention_days).await?;
    info!(edition = %store.edition(), retention_days = retention.days, "the store is open");
    let _ = servers.store.set(Arc::clone(&store));
    let queue = open_queue(config).await?;
    let _ = servers.queue.set(Arc::clone(&queue));
    let endpoint = RedisEndpoint::from(config.redis.url.as_str());
    let feed = Arc::new(RedisFeed::new(&endpoint, &config.redis.key_prefix)?);
    let settings = ProcessorSettings {
        name: consumer_name(),
        concurrency: config.work.concurrency,
        batch_size: config.work.batch_size,
        linger: config.work.linger,
        visibility: config.work.visibility,
        dedupe_days: config.work.dedupe_days,
        retention: SharedRetention::new(retention),
        retention_is_set: config.work.retention_days.is_some(),
        clock: Arc::new(SystemClock),
    };
    Ok(Some(Processor::new(queue, store, feed, settings)))
}

/// A name of this host and process, so that two on one host never share entries.
fn consumer_name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host: String = host.trim().chars().take(64).collect();
    format!("{host}-{}", std::process::id())
}

async fn open_store(config: &ProcessorConfig) -> Result<Arc<dyn EventStore>, StoreError> {
    // Without AUTO_MIGRATE somebody else makes the schema ready.
    let waits_for_schema = !config.work.auto_migrate;
    let passing = |error: &StoreError| match error {
        StoreError::Unavailable { .. } => true,
        StoreError::Schema { .. } => waits_for_schema,
        _ => false,
    };
    patiently("the store", passing, || connect_store(config)).await
}

async fn connect_store(config: &ProcessorConfig) -> Result<Arc<dyn EventStore>, StoreError> {
    let database = &config.database;
    let slots = u32::try_from(config.work.concurrency).unwrap_or(u32::MAX);
    let store = PostgresStore::connect(PostgresOptions {
        max_connections: slots.saturating_add(3),
        statement_timeout: database.statement_timeout,
        statement_cache: database.statement_cache,
        application_name: "analytics processor".to_owned(),
        ..PostgresOptions::new(database.url.clone())
    })
    .await?;
    if config.work.auto_migrate {
        let applied = store.migrate().await?;
        if applied > 0 {
            info!(applied, "migrations were applied");
        }
    }
    store.check_schema().await?;
    Ok(Arc::new(store))
}

async fn open_queue(config: &ProcessorConfig) -> Result<Arc<dyn Queue>, QueueError> {
    let options = || RedisOptions {
        key_prefix: config.redis.key_prefix.clone(),
        visibility: config.work.visibility,
        ..RedisOptions::new(config.redis.url.as_str())
    };
    let passing = |error: &QueueError| matches!(error, QueueError::Unavailable { .. });
    let queue = patiently("the queue's server", passing, || RedisQueue::connect(options())).await?;
    Ok(Arc::new(queue))
}

fn health(servers: &Arc<Servers>, shutdown: Shutdown) -> Health {
    const NOT_YET: &str = "it has not answered since the start";
    let (for_queue, for_store) = (Arc::clone(servers), Arc::clone(servers));
    let redis = probe(move || {
        let servers = Arc::clone(&for_queue);
        async move {
            let queue = servers.queue.get().ok_or(NOT_YET)?;
            queue.check().await.map_err(|error| error.to_string())
        }
    });
    let database = probe(move || {
        let servers = Arc::clone(&for_store);
        async move {
            let store = servers.store.get().ok_or(NOT_YET)?;
            store.check().await.map_err(|error| error.to_string())
        }
    });
    Health::new("processor").until(shutdown).require("redis", redis).require("database", database)
}
