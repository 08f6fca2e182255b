//! `collector`: takes events over HTTP and puts them on a Redis queue.

use std::process::ExitCode;
use std::sync::Arc;

use analytics_collector::retention::follow;
use analytics_collector::{CollectorDeps, LateQueue, Limits, durability, router};
use analytics_domain::{Retention, SharedRetention};
use analytics_host::clock::SystemClock;
use analytics_host::config::CollectorConfig;
use analytics_host::edge::EdgeLimits;
use analytics_host::health::{Health, probe};
use analytics_host::program::{self, Failure, Started, patiently};
use analytics_host::shutdown::Shutdown;
use analytics_host::{config, metrics, serve};
use analytics_messaging::redis::{RedisOptions, RedisQueue};
use analytics_messaging::{Queue, QueueError};

#[tokio::main]
async fn main() -> ExitCode {
    program::run(std::env::vars_os(), run).await
}

async fn run(started: Started<CollectorConfig>) -> Result<(), Failure> {
    let Started { config, listener, shutdown } = started;
    let queue = LateQueue::new();
    let said = config.intake.retention_days.map(|days| Retention { days });
    // Before the queue has answered nobody knows it: no event is refused for its age then, since none can be accepted.
    let retention = SharedRetention::new(said.unwrap_or(Retention { days: 0 }));
    let followed = said.is_none().then(|| retention.clone());
    let role = router(CollectorDeps {
        queue: Arc::new(queue.clone()),
        write_keys: config.intake.write_keys.clone(),
        origins: config.http.origins.clone(),
        clock: Arc::new(SystemClock),
        retention,
        limits: Limits { events_per_second: config.intake.rate_limit, ..Limits::default() },
    });
    let limits = EdgeLimits { trusted_proxies: config.http.trusted_proxies.clone(), ..EdgeLimits::default() };
    let router = role.merge(health(&queue, &config, shutdown.clone()).router()).merge(metrics::router());
    let serving = tokio::spawn(serve::serve(listener, router, shutdown.clone(), limits, config.http.origins.clone()));
    let opened = tokio::select! {
        opened = open(&queue, &config, followed) => opened,
        () = shutdown.stopping() => Ok(()),
    };
    if opened.is_err() {
        shutdown.stop();
    }
    serving.await??;
    Ok(opened?)
}

/// Opens the queue as soon as its server answers; `followed` is kept at the retention that the processors tell.
async fn open(
    queue: &LateQueue,
    config: &CollectorConfig,
    followed: Option<SharedRetention>,
) -> Result<(), QueueError> {
    let options = || RedisOptions {
        key_prefix: config.redis.key_prefix.clone(),
        max_events: config.intake.queue_max_events,
        durability_required: config.intake.durable == Some(true),
        ..RedisOptions::new(config.redis.url.as_str())
    };
    let passing = |error: &QueueError| matches!(error, QueueError::Unavailable { .. });
    let connect = || async {
        let queue = RedisQueue::connect(options()).await?;
        let told = queue.told_retention().await?;
        Ok((queue, told))
    };
    let (opened, told) = patiently("the queue's server", passing, connect).await?;
    durability::tell(opened.durability());
    let opened: Arc<dyn Queue> = Arc::new(opened);
    if let Some(retention) = followed {
        retention.set(told.unwrap_or_default());
        tokio::spawn(follow(Arc::clone(&opened), retention));
    }
    queue.open(opened);
    Ok(())
}

/// The queue has to take entries; that it should also be durable is told where it was asked for.
fn health(queue: &LateQueue, config: &CollectorConfig, shutdown: Shutdown) -> Health {
    let checked = queue.clone();
    let writable = probe(move || {
        let queue = checked.clone();
        async move { queue.check().await.map_err(|error| error.to_string()) }
    });
    let durable = durability::check(Arc::new(queue.clone()), config.intake.durable == Some(true));
    Health::new(config::Role::Collector).until(shutdown).require("redis", writable).prefer("redis", durable)
}
