//! `api`: answers questions over HTTP from PostgreSQL; on a port or as a Lambda function.

use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use analytics_access::Access;
use analytics_api::answering::Flights;
use analytics_api::{ApiDeps, dashboard, meters, router, tracker};
use analytics_domain::{Retention, SharedRetention};
use analytics_host::clock::{SharedClock, SystemClock};
use analytics_host::config::ApiConfig;
use analytics_host::edge::EdgeLimits;
use analytics_host::failure::chain;
use analytics_host::health::{Health, probe};
use analytics_host::late::LateRoutes;
use analytics_host::metrics;
use analytics_host::opening::serve_and_open;
use analytics_host::program::{self, Failure, Started};
use analytics_host::serve::Site;
use analytics_host::shutdown::Shutdown;
use analytics_messaging::process::ProcessCache;
use analytics_messaging::redis::{RedisCache, RedisEndpoint, RedisOptions, RedisQueue};
use analytics_messaging::sqs::{SqsOptions, SqsQueue};
use analytics_messaging::{Cache, Queue, QueueError};
use analytics_store::postgres::{PostgresOptions, PostgresStore};
use analytics_store::retention::follow;
use analytics_store::{EventStore, StoreError};
use tracing::{info, warn};

/// Bytes of answers that a cache in the process may hold.
const CACHE_BYTES: u64 = 32 << 20;

#[tokio::main]
async fn main() -> ExitCode {
    program::run(std::env::vars_os(), run).await
}

async fn run(started: Started<ApiConfig>) -> Result<(), Failure> {
    let Started { config, carrier, shutdown } = started;
    let cache = cache(&config)?;
    let opened: Opened = Arc::default();
    let routes = LateRoutes::new(&config.http.origins);
    let has_replica = config.database.replica_url.is_some();
    let health = health(&opened, has_replica, &cache, shutdown.clone());
    let pages = tracker::router(config.tracker_path.as_deref()).merge(dashboard::router());
    let router = health.router().merge(metrics::router()).merge(routes.router("/api/{*rest}")).merge(pages);
    let limits = EdgeLimits { trusted_proxies: config.http.trusted_proxies.clone(), ..EdgeLimits::default() };
    let site = Site { router, limits, origins: config.http.origins.clone() };
    let passing = |error: &StoreError| matches!(error, StoreError::Unavailable { .. } | StoreError::Schema { .. });
    let behind = Arc::new(Behind { config, is_lambda: carrier.is_lambda(), cache, opened, routes });
    let open = move || Arc::clone(&behind).open();
    serve_and_open(carrier, shutdown, site, "the store", passing, open).await
}

/// The store, once it has answered.
type Opened = Arc<OnceLock<Arc<dyn EventStore>>>;

/// What lies behind the routes.
struct Behind {
    config: ApiConfig,
    is_lambda: bool,
    cache: Arc<dyn Cache>,
    opened: Opened,
    routes: LateRoutes,
}

impl Behind {
    /// Opens the store, where it answers and has its schema.
    async fn open(self: Arc<Self>) -> Result<(), StoreError> {
        let config = &self.config;
        let store = connect(config, self.is_lambda).await?;
        let said = config.retention_days.map(|days| Retention { days });
        let retention = SharedRetention::new(said.unwrap_or_default());
        if said.is_none() {
            retention.set(store.retention().await?.unwrap_or_default());
            // A function sleeps between requests and cannot follow anything; its next instance looks anew.
            if !self.is_lambda {
                tokio::spawn(follow(Arc::clone(&store), retention.clone()));
            }
        }
        meters::show_replica(store.as_ref());
        if !self.is_lambda {
            tokio::spawn(meters::follow_replica(Arc::clone(&store)));
        }
        info!(edition = %store.edition(), retention_days = retention.get().days, "the store is open");
        let clock: SharedClock = Arc::new(SystemClock);
        let access = Access::new(config.keys.clone(), Arc::clone(&clock), true);
        access.open(Arc::clone(&store));
        let deps = ApiDeps {
            store: Arc::clone(&store),
            cache: Arc::clone(&self.cache),
            queue: queue(config).await,
            access,
            origins: config.http.origins.clone(),
            retention,
            retention_is_said: said.is_some(),
            clock,
            flights: Flights::default(),
            export_bytes: self.is_lambda.then_some(FUNCTION_EXPORT_BYTES),
            // SQS carries none, and functions have no other queue.
            made_keys_send: config.sqs_queue_url.is_none() && !self.is_lambda,
        };
        let _ = self.opened.set(store);
        self.routes.open(router(deps));
        Ok(())
    }
}

/// A function can answer with 6 MB; on the way there, each byte of an export may become two.
const FUNCTION_EXPORT_BYTES: usize = 5 << 19;

/// A function answers one request at a time: a connection is all that it can use.
const FUNCTION_CONNECTIONS: u32 = 1;

async fn connect(config: &ApiConfig, is_lambda: bool) -> Result<Arc<dyn EventStore>, StoreError> {
    let database = &config.database;
    let options = PostgresOptions::new(database.url.clone());
    let store = PostgresStore::connect(PostgresOptions {
        max_connections: if is_lambda { FUNCTION_CONNECTIONS } else { options.max_connections },
        replica_url: database.replica_url.clone(),
        replica_max_lag: database.replica_max_lag,
        watch_replica: !is_lambda,
        statement_timeout: database.statement_timeout,
        statement_cache: database.statement_cache.into(),
        application_name: "analytics api".to_owned(),
        ..options
    })
    .await?;
    store.check_schema().await?;
    Ok(Arc::new(store))
}

fn cache(config: &ApiConfig) -> Result<Arc<dyn Cache>, QueueError> {
    let url = config.cache_url.as_ref().or(config.redis.as_ref().map(|redis| &redis.url));
    let prefix = config.redis.as_ref().map_or("analytics", |redis| redis.key_prefix.as_str());
    Ok(match url {
        Some(url) => Arc::new(RedisCache::new(&RedisEndpoint::from(url.as_str()), prefix)?),
        None => Arc::new(ProcessCache::new(CACHE_BYTES)),
    })
}

/// The queue, only to tell what is in flight: without it that one figure is null.
async fn queue(config: &ApiConfig) -> Option<Arc<dyn Queue>> {
    let connected: Result<Arc<dyn Queue>, QueueError> = match (&config.sqs_queue_url, &config.redis) {
        (Some(url), _) => SqsQueue::connect(SqsOptions::new(url.as_str())).await.map(|queue| Arc::new(queue) as _),
        (None, Some(redis)) => {
            let options =
                RedisOptions { key_prefix: redis.key_prefix.clone(), ..RedisOptions::new(redis.url.as_str()) };
            RedisQueue::connect(options).await.map(|queue| Arc::new(queue) as _)
        }
        (None, None) => return None,
    };
    connected
        .inspect_err(|error| warn!(error = chain(error), "the queue cannot be asked; what is in flight is not told"))
        .ok()
}

fn health(opened: &Opened, has_replica: bool, cache: &Arc<dyn Cache>, shutdown: Shutdown) -> Health {
    let (opened, of_replica, cache) = (Arc::clone(opened), Arc::clone(opened), Arc::clone(cache));
    let database = probe(move || {
        let opened = Arc::clone(&opened);
        async move {
            match opened.get() {
                Some(store) => store.check().await.map_err(|error| error.to_string()),
                None => Err("it has not answered since the start".to_owned()),
            }
        }
    });
    let redis = probe(move || {
        let cache = Arc::clone(&cache);
        async move { cache.check().await.map_err(|error| error.to_string()) }
    });
    let health = Health::new("api").until(shutdown).require("database", database).prefer("redis", redis);
    if !has_replica {
        return health;
    }
    let replica = probe(move || {
        let left_out = of_replica.get().and_then(|store| store.replica()).and_then(|report| report.left_out);
        async move { left_out.map_or(Ok(()), Err) }
    });
    health.prefer("replica", replica)
}
