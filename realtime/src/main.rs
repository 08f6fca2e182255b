//! `realtime`: shows stored events and live answers over WebSocket and server-sent events.

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use analytics_domain::Retention;
use analytics_host::clock::{SharedClock, SystemClock};
use analytics_host::config::{DatabaseConfig, RealtimeConfig, Variables};
use analytics_host::edge::EdgeLimits;
use analytics_host::health::{Health, probe};
use analytics_host::shutdown::{Shutdown, listen_for_signals};
use analytics_host::{metrics, serve, telemetry};
use analytics_messaging::Feed;
use analytics_messaging::redis::{RedisEndpoint, RedisFeed};
use analytics_realtime::{Limits, LiveQueries, Realtime, RealtimeDeps, StoreQueries};
use analytics_store::postgres::{PostgresOptions, PostgresStore};
use analytics_store::{EventStore, StoreError};
use tracing::{error, info, warn};

/// Connections to the database: live queries run a few at a time.
const DATABASE_CONNECTIONS: u32 = 5;

/// How often a database that does not answer is tried again, and the retention is looked up.
const TRY_EVERY: Duration = Duration::from_secs(2);
const LOOK_EVERY: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> ExitCode {
    // The one place that reads the environment; a variable that is no text cannot be one of ours.
    let variables: Variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    match run(&variables).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!(error = error.as_ref() as &dyn Error, "the realtime role cannot go on");
            ExitCode::FAILURE
        }
    }
}

async fn run(variables: &Variables) -> Result<(), Box<dyn Error>> {
    let config = RealtimeConfig::read(variables).inspect_err(|_| {
        // Nothing is known yet of how logs are wanted; the error must still be seen.
        let _ = telemetry::install("info", None);
    })?;
    telemetry::install(&config.common.log_level, config.common.log_format)?;
    config.common.warnings.iter().for_each(|warning| warn!("{warning}"));
    metrics::install();
    let listener = serve::bind(config.http.host, config.http.port, "PORT")?;
    let shutdown = Shutdown::new();
    tokio::spawn(listen_for_signals(shutdown.clone()));

    let endpoint = RedisEndpoint { url: config.redis.url.clone(), root_certificates: None };
    let feed: Arc<dyn Feed> = Arc::new(RedisFeed::new(&endpoint, &config.redis.key_prefix)?);
    let clock: SharedClock = Arc::new(SystemClock);
    let days = Arc::new(AtomicU32::new(config.retention_days.unwrap_or(Retention::default().days)));
    let queries = config.database.clone().map(|database| {
        let known = Arc::clone(&days);
        let retention = move || Retention { days: known.load(Ordering::Relaxed) };
        let queries = Arc::new(StoreQueries::new(Arc::clone(&clock), Arc::new(retention)));
        let fixed = config.retention_days.is_some();
        tokio::spawn(keep_store(Arc::clone(&queries), database, (!fixed).then_some(Arc::clone(&days))));
        queries
    });
    let realtime = Realtime::new(RealtimeDeps {
        feed: Arc::clone(&feed),
        keys: config.keys.clone(),
        origins: config.http.origins.clone(),
        clock,
        shutdown: shutdown.clone(),
        queries: queries.clone().map(|queries| queries as Arc<dyn LiveQueries>),
        limits: Limits::default(),
    });
    let limits = EdgeLimits { trusted_proxies: config.http.trusted_proxies.clone(), ..EdgeLimits::default() };
    let health = health(feed, queries).until(shutdown.clone());
    let router = realtime.router().merge(health.router()).merge(metrics::router());
    serve::serve(listener, router, shutdown, limits).await?;
    realtime.drained().await;
    info!("stopped");
    Ok(())
}

/// Connects to the database as soon as it answers with the right schema, and looks up the retention where nobody set it.
async fn keep_store(queries: Arc<StoreQueries>, database: DatabaseConfig, days: Option<Arc<AtomicU32>>) {
    let store = loop {
        match open(&database).await {
            Ok(store) => break store,
            Err(error) => warn!(error = &error as &dyn Error, "no live queries yet; trying again"),
        }
        tokio::time::sleep(TRY_EVERY).await;
    };
    queries.open(Arc::clone(&store));
    while let Some(days) = &days {
        match store.retention().await {
            Ok(Some(retention)) => days.store(retention.days, Ordering::Relaxed),
            Ok(None) => {}
            Err(error) => warn!(error = &error as &dyn Error, "the retention cannot be looked up"),
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn open(database: &DatabaseConfig) -> Result<Arc<dyn EventStore>, StoreError> {
    let store = PostgresStore::connect(PostgresOptions {
        replica_url: database.replica_url.clone(),
        max_connections: DATABASE_CONNECTIONS,
        statement_timeout: database.statement_timeout,
        statement_cache: database.statement_cache,
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
