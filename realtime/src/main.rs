//! `realtime`: shows stored events and live answers over WebSocket and server-sent events.

use std::process::ExitCode;
use std::sync::Arc;

use analytics_access::Access;
use analytics_domain::{Retention, SharedRetention};
use analytics_host::clock::{SharedClock, SystemClock};
use analytics_host::config::{DatabaseConfig, RealtimeConfig};
use analytics_host::edge::EdgeLimits;
use analytics_host::health::{Health, probe};
use analytics_host::metrics;
use analytics_host::program::{self, Failure, Started, patiently};
use analytics_host::serve::{Site, serve};
use analytics_messaging::Feed;
use analytics_messaging::redis::{RedisEndpoint, RedisFeed};
use analytics_realtime::{Limits, LiveQueries, Realtime, RealtimeDeps, StoreQueries};
use analytics_store::postgres::{PostgresOptions, PostgresStore};
use analytics_store::retention::follow;
use analytics_store::{EventStore, StoreError};
use tracing::info;

/// Connections to the database: live queries run a few at a time.
const DATABASE_CONNECTIONS: u32 = 5;

#[tokio::main]
async fn main() -> ExitCode {
    program::run(std::env::vars_os(), run).await
}

async fn run(started: Started<RealtimeConfig>) -> Result<(), Failure> {
    let Started { config, carrier, shutdown } = started;
    let listener = carrier.into_port()?;
    let endpoint = RedisEndpoint { url: config.redis.url.clone(), root_certificates: None };
    let feed: Arc<dyn Feed> = Arc::new(RedisFeed::new(&endpoint, &config.redis.key_prefix)?);
    let clock: SharedClock = Arc::new(SystemClock);
    let said = config.retention_days.map(|days| Retention { days });
    let access = Access::new(config.keys.clone(), Arc::clone(&clock), config.database.is_some());
    let queries = config.database.clone().map(|database| {
        let retention = SharedRetention::new(said.unwrap_or_default());
        let queries = Arc::new(StoreQueries::new(Arc::clone(&clock), retention.clone()));
        tokio::spawn(open_store(Arc::clone(&queries), access.clone(), database, said.is_none().then_some(retention)));
        queries
    });
    let realtime = Realtime::new(RealtimeDeps {
        feed: Arc::clone(&feed),
        access,
        origins: config.http.origins.clone(),
        clock,
        shutdown: shutdown.clone(),
        queries: queries.clone().map(|queries| queries as Arc<dyn LiveQueries>),
        limits: Limits::default(),
    });
    let limits = EdgeLimits { trusted_proxies: config.http.trusted_proxies.clone(), ..EdgeLimits::default() };
    let health = health(feed, queries).until(shutdown.clone());
    let router = realtime.router().merge(health.router()).merge(metrics::router());
    let site = Site { router, limits, origins: config.http.origins };
    serve(listener, site, shutdown).await?;
    realtime.drained().await;
    info!("stopped");
    Ok(())
}

/// Connects to the database as soon as it answers with the right schema, and follows its retention where nobody said it.
async fn open_store(
    queries: Arc<StoreQueries>,
    access: Access,
    database: DatabaseConfig,
    retention: Option<SharedRetention>,
) {
    // Nothing here is worth an end: events stream without the database.
    let Ok(store) = patiently("the store", |_: &StoreError| true, || open(&database)).await else { return };
    queries.open(Arc::clone(&store));
    access.open(Arc::clone(&store));
    if let Some(retention) = retention {
        follow(store, retention).await;
    }
}

async fn open(database: &DatabaseConfig) -> Result<Arc<dyn EventStore>, StoreError> {
    let store = PostgresStore::connect(PostgresOptions {
        max_connections: DATABASE_CONNECTIONS,
        statement_timeout: database.statement_timeout,
        statement_cache: database.statement_cache.into(),
        application_name: "analytics realtime".to_owned(),
        ..PostgresOptions::new(database.url.as_str())
    })
    .await?;
    store.check_schema().await?;
    Ok(Arc::new(store))
}

/// Without the feed there is nothing to show; without the database events still stream.
fn health(feed: Arc<dyn Feed>, queries: Option<Arc<StoreQueries>>) -> Health {
    let readable = probe(move || {
        let feed = Arc::clone(&feed);
        async move { feed.check().await.map_err(|error| error.to_string()) }
    });
    let health = Health::new("realtime").require("redis", readable);
    let Some(queries) = queries else { return health };
    let answers = probe(move || {
        let store = queries.store().cloned();
        async move {
            let store = store.ok_or_else(|| "it has not answered with the right schema yet".to_owned())?;
            store.check().await.map_err(|error| error.to_string())
        }
    });
    health.prefer("database", answers)
}
