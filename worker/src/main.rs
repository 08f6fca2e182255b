//! `processor`: drains the Redis queue into PostgreSQL.

use std::error::Error;
use std::process::ExitCode;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use analytics_domain::Retention;
use analytics_host::clock::SystemClock;
use analytics_host::config::{ProcessorConfig, Variables};
use analytics_host::edge::EdgeLimits;
use analytics_host::failure::chain;
use analytics_host::health::{Health, probe};
use analytics_host::shutdown::{Shutdown, listen_for_signals};
use analytics_host::{metrics, serve, telemetry};
use analytics_messaging::redis::{RedisEndpoint, RedisFeed, RedisOptions, RedisQueue};
use analytics_messaging::{Queue, QueueError};
use analytics_store::postgres::{PostgresOptions, PostgresStore};
use analytics_store::{EventStore, StoreError};
use analytics_worker::{Processor, ProcessorSettings};
use tracing::{error, info, warn};

#[tokio::main]
async fn main() -> ExitCode {
    // The one place that reads the environment; a variable that is no text cannot be one of ours.
    let variables: Variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    match run(&variables).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!(error = chain(error.as_ref()), "the processor cannot go on");
            ExitCode::FAILURE
        }
    }
}

async fn run(variables: &Variables) -> Result<(), Box<dyn Error>> {
    let config = ProcessorConfig::read(variables).inspect_err(|_| {
        // Nothing is known yet of how logs are wanted; the error must still be seen.
        let _ = telemetry::install("info", None);
    })?;
    telemetry::install(&config.common.log_level, config.common.log_format)?;
    config.common.warnings.iter().for_each(|warning| warn!("{warning}"));
    metrics::install();
    let listener = serve::bind(config.http.host, config.http.port, "METRICS_PORT")?;
    let shutdown = Shutdown::new();
    tokio::spawn(listen_for_signals(shutdown.clone()));
    let servers = Arc::new(Servers::default());
    let router = health(&servers, shutdown.clone()).router().merge(metrics::router());
    let serving = tokio::spawn(serve::serve(listener, router, shutdown.clone(), EdgeLimits::default()));
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
async fn open(config: &ProcessorConfig, servers: &Servers) -> Result<Option<Processor>, Box<dyn Error>> {
    let (store, retention) = open_store(config).await?;
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
        retention_days: Arc::new(AtomicU32::new(retention.days)),
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

async fn open_store(config: &ProcessorConfig) -> Result<(Arc<dyn EventStore>, Retention), StoreError> {
    loop {
        match connect_store(config).await {
            Err(error @ StoreError::Unavailable { .. }) => {
                warn!(error = chain(&error), "the store does not answer; trying again in a second");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            Err(error @ StoreError::Schema { .. }) if !config.work.auto_migrate => {
                warn!(
                    error = chain(&error),
                    "the schema is not ready, and AUTO_MIGRATE is off; looking again in a second"
                );
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            other => return other,
        }
    }
}

async fn connect_store(config: &ProcessorConfig) -> Result<(Arc<dyn EventStore>, Retention), StoreError> {
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
    let retention = match config.work.retention_days {
        Some(days) => {
            store.set_retention(Retention { days }).await?;
            Retention { days }
        }
        None => store.retention().await?.unwrap_or_default(),
    };
    Ok((Arc::new(store), retention))
}

async fn open_queue(config: &ProcessorConfig) -> Result<Arc<dyn Queue>, QueueError> {
    let options = || RedisOptions {
        key_prefix: config.redis.key_prefix.clone(),
        visibility: config.work.visibility,
        ..RedisOptions::new(config.redis.url.as_str())
    };
    loop {
        match RedisQueue::connect(options()).await {
            Ok(queue) => return Ok(Arc::new(queue)),
            Err(error @ QueueError::Unavailable { .. }) => {
                warn!(error = chain(&error), "the queue's server does not answer; trying again in a second");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            Err(error) => return Err(error),
        }
    }
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
