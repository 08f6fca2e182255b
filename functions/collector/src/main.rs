//! `collector`: takes events over HTTP and puts them on a Redis queue.

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use analytics_collector::{CollectorDeps, LateQueue, Limits, SharedRetention, router};
use analytics_domain::Retention;
use analytics_host::clock::SystemClock;
use analytics_host::config::{CollectorConfig, Variables};
use analytics_host::edge::EdgeLimits;
use analytics_host::failure::chain;
use analytics_host::health::{Health, probe};
use analytics_host::shutdown::{Shutdown, listen_for_signals};
use analytics_host::{config, metrics, serve, telemetry};
use analytics_messaging::redis::{RedisOptions, RedisQueue};
use analytics_messaging::{Durability, Queue, QueueError};
use tracing::{error, warn};

#[tokio::main]
async fn main() -> ExitCode {
    // The one place that reads the environment; a variable that is no text cannot be one of ours.
    let variables: Variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    match run(&variables).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!(error = chain(error.as_ref()), "the collector cannot go on");
            ExitCode::FAILURE
        }
    }
}

async fn run(variables: &Variables) -> Result<(), Box<dyn Error>> {
    let config = CollectorConfig::read(variables).inspect_err(|_| {
        // Nothing is known yet of how logs are wanted; the error must still be seen.
        let _ = telemetry::install("info", None);
    })?;
    telemetry::install(&config.common.log_level, config.common.log_format)?;
    config.common.warnings.iter().for_each(|warning| warn!("{warning}"));
    metrics::install();
    let listener = serve::bind(config.http.host, config.http.port, "PORT")?;
    let shutdown = Shutdown::new();
    tokio::spawn(listen_for_signals(shutdown.clone()));

    let queue = LateQueue::new();
    let days = config.intake.retention_days.unwrap_or(Retention::default().days);
    let role = router(CollectorDeps {
        queue: Arc::new(queue.clone()),
        write_keys: config.intake.write_keys.clone(),
        origins: config.http.origins.clone(),
        clock: Arc::new(SystemClock),
        retention: SharedRetention::new(Retention { days }),
        limits: Limits { events_per_second: config.intake.rate_limit, ..Limits::default() },
    });
    let limits = EdgeLimits { trusted_proxies: config.http.trusted_proxies.clone(), ..EdgeLimits::default() };
    let router = role.merge(health(&queue, &config, shutdown.clone()).router()).merge(metrics::router());
    let serving = tokio::spawn(serve::serve(listener, router, shutdown.clone(), limits));
    let opened = tokio::select! {
        opened = open(&queue, &config) => opened,
        () = shutdown.stopping() => Ok(()),
    };
    if opened.is_err() {
        shutdown.stop();
    }
    serving.await??;
    Ok(opened?)
}

/// Opens the queue as soon as its server answers.
async fn open(queue: &LateQueue, config: &CollectorConfig) -> Result<(), QueueError> {
    let options = || RedisOptions {
        key_prefix: config.redis.key_prefix.clone(),
        max_events: config.intake.queue_max_events,
        durability_required: config.intake.durable == Some(true),
        ..RedisOptions::new(config.redis.url.as_str())
    };
    loop {
        match RedisQueue::connect(options()).await {
            Ok(opened) => {
                tell_durability(opened.durability());
                queue.open(Arc::new(opened));
                return Ok(());
            }
            Err(error @ QueueError::Unavailable { .. }) => {
                warn!(error = chain(&error), "the queue's server does not answer; trying again in a second");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Shows what a 202 survives.
fn tell_durability(durability: Durability) {
    let state = match durability {
        Durability::Durable => 1.0,
        Durability::Fast => 0.0,
        Durability::Unknown => -1.0,
    };
    ::metrics::gauge!(metrics::names::QUEUE_DURABLE).set(state);
}

/// The queue has to take entries; that it should also be durable is told where it was asked for.
fn health(queue: &LateQueue, config: &CollectorConfig, shutdown: Shutdown) -> Health {
    let checked = queue.clone();
    let writable = probe(move || {
        let queue = checked.clone();
        async move { queue.check().await.map_err(|error| error.to_string()) }
    });
    let (queue, wanted) = (queue.clone(), config.intake.durable == Some(true));
    let durable = probe(move || {
        let short = wanted && queue.durability() != Durability::Durable;
        async move {
            if short {
                Err("what it takes may not survive a power cut: set appendfsync always".to_owned())
            } else {
                Ok(())
            }
        }
    });
    Health::new(config::Role::Collector).until(shutdown).require("redis", writable).prefer("redis", durable)
}
