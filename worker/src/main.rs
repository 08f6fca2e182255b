//! `processor`: drains the queue, Redis or SQS, into PostgreSQL; as a loop, or as a Lambda function behind SQS.

use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use analytics_domain::SharedRetention;
use analytics_host::clock::SystemClock;
use analytics_host::config::{ProcessorConfig, QueueConfig};
use analytics_host::cors::Origins;
use analytics_host::edge::EdgeLimits;
use analytics_host::failure::chain;
use analytics_host::health::{Health, probe};
use analytics_host::lambda::{MessageEvent, serve_messages};
use analytics_host::metrics;
use analytics_host::program::{self, Failure, Started, patiently};
use analytics_host::serve::{Site, serve};
use analytics_host::shutdown::Shutdown;
use analytics_messaging::redis::{RedisEndpoint, RedisFeed, RedisOptions, RedisQueue};
use analytics_messaging::sqs::{SqsOptions, SqsQueue};
use analytics_messaging::{Feed, Queue, QueueError};
use analytics_store::postgres::{PostgresOptions, PostgresStore};
use analytics_store::retention::settle;
use analytics_store::{EventStore, StoreError};
use analytics_worker::meters::Meters;
use analytics_worker::work::Work;
use analytics_worker::{Processor, ProcessorSettings, function};
use tokio::sync::OnceCell;
use tracing::{info, warn};

/// A function does one thing at a time, so a connection is all that it opens; but for upkeep, whose lock has one of its own.
const FUNCTION_CONNECTIONS: u32 = 2;

/// How long the store may take at a function's start, which Lambda gives 10 s; then the first event waits for it.
const OPENING_TIME: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() -> ExitCode {
    program::run(std::env::vars_os(), run).await
}

async fn run(started: Started<ProcessorConfig>) -> Result<(), Failure> {
    let Started { config, carrier, shutdown } = started;
    if carrier.is_lambda() {
        return run_function(config).await;
    }
    let listener = carrier.into_port()?;
    let servers = Arc::new(Servers::default());
    let server = match config.queue {
        QueueConfig::Redis(_) => "redis",
        QueueConfig::Sqs(_) => "sqs",
    };
    let router = health(&servers, server, shutdown.clone()).router().merge(metrics::router());
    let site = Site { router, limits: EdgeLimits::default(), origins: Origins::Nobody };
    let serving = tokio::spawn(serve(listener, site, shutdown.clone()));
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
    let settings = settings(config, store.as_ref()).await?;
    let _ = servers.store.set(Arc::clone(&store));
    let queue = open_queue(config).await?;
    let _ = servers.queue.set(Arc::clone(&queue));
    Ok(Some(Processor::new(queue, store, feed(config)?, settings)))
}

/// What the operator set, with the retention that results from it and from what the store was last given.
async fn settings(config: &ProcessorConfig, store: &dyn EventStore) -> Result<ProcessorSettings, StoreError> {
    let retention = settle(store, config.work.retention_days).await?;
    info!(edition = %store.edition(), retention_days = retention.days, "the store is open");
    Ok(ProcessorSettings {
        name: consumer_name(),
        concurrency: config.work.concurrency,
        batch_size: config.work.batch_size,
        linger: config.work.linger,
        visibility: config.work.visibility,
        dedupe_days: config.work.dedupe_days,
        retention: SharedRetention::new(retention),
        retention_is_set: config.work.retention_days.is_some(),
        clock: Arc::new(SystemClock),
    })
}

/// The live feed, where there is a Redis for it.
fn feed(config: &ProcessorConfig) -> Result<Option<Arc<dyn Feed>>, Failure> {
    let Some(redis) = &config.redis else {
        info!("REDIS_URL is not set: no live feed is told of what is stored");
        return Ok(None);
    };
    let feed = RedisFeed::new(&RedisEndpoint::from(redis.url.as_str()), &redis.key_prefix)?;
    Ok(Some(Arc::new(feed)))
}

/// The processor as a Lambda function: its store is opened at the start, or with the first event after it answers again.
async fn run_function(config: ProcessorConfig) -> Result<(), Failure> {
    let feed = feed(&config)?;
    let opened: OnceCell<Work> = OnceCell::new();
    let open = || async {
        let store = connect_store(&config, FUNCTION_CONNECTIONS).await?;
        let settings = Arc::new(settings(&config, store.as_ref()).await?);
        Ok::<_, StoreError>(Work { store, feed: feed.clone(), settings, meters: Arc::new(Meters::new()) })
    };
    match tokio::time::timeout(OPENING_TIME, opened.get_or_try_init(open)).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) if passes(&config, &error) => {
            warn!(error = chain(&error), "the store is not ready; the next event tries again")
        }
        Ok(Err(error)) => return Err(error.into()),
        Err(_) => warn!("the store takes too long; the next event tries again"),
    }
    serve_messages(async |event: MessageEvent, time| match opened.get_or_try_init(open).await {
        Ok(work) => function::invoke(work, event, time).await,
        Err(error) => {
            warn!(error = chain(&error), "the store is not ready; what came comes again");
            event.ids()
        }
    })
    .await
}

/// A name of this host and process, so that two on one host never share entries.
fn consumer_name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host: String = host.trim().chars().take(64).collect();
    format!("{host}-{}", std::process::id())
}

async fn open_store(config: &ProcessorConfig) -> Result<Arc<dyn EventStore>, StoreError> {
    let slots = u32::try_from(config.work.concurrency).unwrap_or(u32::MAX);
    let connections = slots.saturating_add(3);
    patiently("the store", |error| passes(config, error), || connect_store(config, connections)).await
}

/// Whether a later try may find the store ready.
fn passes(config: &ProcessorConfig, error: &StoreError) -> bool {
    match error {
        StoreError::Unavailable { .. } => true,
        // Without AUTO_MIGRATE somebody else makes the schema ready.
        StoreError::Schema { .. } => !config.work.auto_migrate,
        _ => false,
    }
}

async fn connect_store(config: &ProcessorConfig, max_connections: u32) -> Result<Arc<dyn EventStore>, StoreError> {
    let database = &config.database;
    let store = PostgresStore::connect(PostgresOptions {
        max_connections,
        statement_timeout: database.statement_timeout,
        statement_cache: database.statement_cache.into(),
        chunk_days: config.work.chunk_days,
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
    let passing = |error: &QueueError| matches!(error, QueueError::Unavailable { .. });
    patiently("the queue's server", passing, || connect_queue(config)).await
}

async fn connect_queue(config: &ProcessorConfig) -> Result<Arc<dyn Queue>, QueueError> {
    let visibility = config.work.visibility;
    Ok(match &config.queue {
        QueueConfig::Redis(redis) => Arc::new(
            RedisQueue::connect(RedisOptions {
                key_prefix: redis.key_prefix.clone(),
                visibility,
                ..RedisOptions::new(redis.url.as_str())
            })
            .await?,
        ),
        QueueConfig::Sqs(url) => {
            Arc::new(SqsQueue::connect(SqsOptions { visibility, ..SqsOptions::new(url.as_str()) }).await?)
        }
    })
}

fn health(servers: &Arc<Servers>, queue: &'static str, shutdown: Shutdown) -> Health {
    const NOT_YET: &str = "it has not answered since the start";
    let (for_queue, for_store) = (Arc::clone(servers), Arc::clone(servers));
    let takes = probe(move || {
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
    Health::new("processor").until(shutdown).require(queue, takes).require("database", database)
}
