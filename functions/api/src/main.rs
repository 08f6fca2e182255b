//! `api`: answers questions over HTTP from PostgreSQL.

use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use analytics_api::answering::Flights;
use analytics_api::{ApiDeps, router};
use analytics_domain::{Retention, SharedRetention};
use analytics_host::clock::SystemClock;
use analytics_host::config::ApiConfig;
use analytics_host::edge::EdgeLimits;
use analytics_host::failure::chain;
use analytics_host::health::{Health, probe};
use analytics_host::late::LateRoutes;
use analytics_host::program::{self, Failure, Started, patiently};
use analytics_host::shutdown::Shutdown;
use analytics_host::{metrics, serve};
use analytics_messaging::process::ProcessCache;
use analytics_messaging::redis::{RedisCache, RedisEndpoint, RedisOptions, RedisQueue};
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
    let Started { config, listener, shutdown } = started;
    let cache = cache(&config)?;
    let opened: Arc<OnceLock<Arc<dyn EventStore>>> = Arc::default();
    let health = health(&opened, &cache, shutdown.clone());
    let routes = LateRoutes::new(&config.http.origins);
    let limits = EdgeLimits { trusted_proxies: config.http.trusted_proxies.clone(), ..EdgeLimits::default() };
    let root = health.router().merge(metrics::router()).merge(routes.router("/api/{*rest}"));
    let serving = tokio::spawn(serve::serve(listener, root, shutdown.clone(), limits, config.http.origins.clone()));
    let ready = tokio::select! {
        ready = open(&config, cache, &opened, &routes) => ready,
        () = shutdown.stopping() => Ok(()),
    };
    if ready.is_err() {
        shutdown.stop();
    }
    serving.await??;
    Ok(ready?)
}

/// Opens the store as soon as it answers and has its schema.
async fn open(
    config: &ApiConfig,
    cache: Arc<dyn Cache>,
    opened: &OnceLock<Arc<dyn EventStore>>,
    routes: &LateRoutes,
) -> Result<(), StoreError> {
    let passing = |error: &StoreError| matches!(error, StoreError::Unavailable { .. } | StoreError::Schema { .. });
    let store = patiently("the store", passing, || connect(config)).await?;
    let said = config.retention_days.map(|days| Retention { days });
    let retention = SharedRetention::new(said.unwrap_or_default());
    if said.is_none() {
        retention.set(store.retention().await?.unwrap_or_default());
        tokio::spawn(follow(Arc::clone(&store), retention.clone()));
    }
    info!(edition = %store.edition(), retention_days = retention.get().days, "the store is open");
    let deps = ApiDeps {
        store: Arc::clone(&store),
        cache,
        queue: queue(config).await,
        keys: config.keys.clone(),
        origins: config.http.origins.clone(),
        retention,
        clock: Arc::new(SystemClock),
        flights: Flights::default(),
    };
    let _ = opened.set(store);
    routes.open(router(deps));
    Ok(())
}

async fn connect(config: &ApiConfig) -> Result<Arc<dyn EventStore>, StoreError> {
    let database = &config.database;
    let store = PostgresStore::connect(PostgresOptions {
        replica_url: database.replica_url.clone(),
        statement_timeout: database.statement_timeout,
        statement_cache: database.statement_cache,
        application_name: "analytics api".to_owned(),
        ..PostgresOptions::new(database.url.clone())
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
    let redis = config.redis.as_ref()?;
    let options = RedisOptions { key_prefix: redis.key_prefix.clone(), ..RedisOptions::new(redis.url.as_str()) };
    match RedisQueue::connect(options).await {
        Ok(queue) => Some(Arc::new(queue)),
        Err(error) => {
            warn!(error = chain(&error), "the queue cannot be asked; what is in flight is not told");
            None
        }
    }
}

fn health(opened: &Arc<OnceLock<Arc<dyn EventStore>>>, cache: &Arc<dyn Cache>, shutdown: Shutdown) -> Health {
    let (opened, cache) = (Arc::clone(opened), Arc::clone(cache));
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
    Health::new("api").until(shutdown).require("database", database).prefer("redis", redis)
}
