//! `collector`: takes events over HTTP and puts them on a queue, Redis or SQS; on a port or as a Lambda function.

use std::process::ExitCode;
use std::sync::Arc;

use analytics_collector::{CollectorDeps, Enrichment, LateQueue, Limits, MadeKeys, durability, router};
#[cfg(feature = "program")]
use analytics_collector::{made_keys, retention};
use analytics_domain::{Retention, SharedRetention};
use analytics_host::clock::SystemClock;
use analytics_host::config::{self, CollectorConfig, QueueConfig};
use analytics_host::edge::EdgeLimits;
use analytics_host::health::{Health, probe};
use analytics_host::metrics;
use analytics_host::opening::serve_and_open;
use analytics_host::program::{self, Failure, Started};
use analytics_host::serve::Site;
use analytics_host::shutdown::Shutdown;
#[cfg(feature = "program")]
use analytics_messaging::redis::{RedisOptions, RedisQueue};
use analytics_messaging::sqs::{SqsOptions, SqsQueue};
use analytics_messaging::{Queue, QueueError};

#[tokio::main]
async fn main() -> ExitCode {
    program::run(std::env::vars_os(), run).await
}

async fn run(started: Started<CollectorConfig>) -> Result<(), Failure> {
    let Started { config, carrier, shutdown } = started;
    let queue = LateQueue::new();
    let said = config.intake.retention_days.map(|days| Retention { days });
    // Before the queue has answered nobody knows it: no event is refused for its age then, since none can be accepted.
    let retention = SharedRetention::new(said.unwrap_or(Retention { days: 0 }));
    let followed = said.is_none().then(|| retention.clone());
    let made_keys = match config.queue {
        QueueConfig::Redis(_) => MadeKeys::untold(),
        QueueConfig::Sqs(_) => MadeKeys::none(),
    };
    let followed = Followed { retention: followed, made_keys: made_keys.clone() };
    let role = router(CollectorDeps {
        queue: Arc::new(queue.clone()),
        write_keys: config.intake.write_keys.clone(),
        made_keys,
        origins: config.http.origins.clone(),
        clock: Arc::new(SystemClock),
        retention,
        enrichment: Enrichment::open(&config.intake.enrichment)?,
        limits: Limits { events_per_second: config.intake.rate_limit, ..Limits::default() },
    });
    let router = role.merge(health(&queue, &config, shutdown.clone()).router()).merge(metrics::router());
    let limits = EdgeLimits { trusted_proxies: config.http.trusted_proxies.clone(), ..EdgeLimits::default() };
    let site = Site { router, limits, origins: config.http.origins.clone() };
    let passing = |error: &QueueError| matches!(error, QueueError::Unavailable { .. });
    let config = Arc::new(config);
    let open = move || open(queue.clone(), Arc::clone(&config), followed.clone());
    serve_and_open(carrier, shutdown, site, "the queue's server", passing, open).await
}

/// What is kept at what the processors tell, where the queue carries their word.
#[derive(Clone)]
struct Followed {
    /// None where a setting says it.
    retention: Option<SharedRetention>,
    #[cfg_attr(not(feature = "program"), allow(dead_code, reason = "SQS carries none"))]
    made_keys: MadeKeys,
}

/// Opens the queue, and follows what is told there.
async fn open(queue: LateQueue, config: Arc<CollectorConfig>, followed: Followed) -> Result<(), QueueError> {
    let opened: Arc<dyn Queue> = match &config.queue {
        QueueConfig::Sqs(url) => {
            if let Some(retention) = followed.retention {
                retention.set(Retention::default());
            }
            Arc::new(SqsQueue::connect(SqsOptions::new(url.as_str())).await?)
        }
        // A function's settings demand SQS, so that its small build has nothing else.
        #[cfg(not(feature = "program"))]
        QueueConfig::Redis(_) => {
            return Err(QueueError::Misconfigured {
                problem: "this build puts events on SQS only".to_owned(),
                mend: "set SQS_QUEUE_URL, or build the feature `program`".to_owned(),
            });
        }
        #[cfg(feature = "program")]
        QueueConfig::Redis(redis) => {
            let opened: Arc<dyn Queue> = Arc::new(
                RedisQueue::connect(RedisOptions {
                    key_prefix: redis.key_prefix.clone(),
                    max_events: config.intake.queue_max_events,
                    shards: config.spread.shards,
                    replicas: config.spread.replicas,
                    durability_required: config.intake.durable == Some(true),
                    ..RedisOptions::new(redis.url.as_str())
                })
                .await?,
            );
            let told = opened.told_retention().await?;
            if let Some(shared) = followed.retention {
                shared.set(told.unwrap_or_default());
                tokio::spawn(retention::follow(Arc::clone(&opened), shared));
            }
            // Before the first request is answered.
            made_keys::look(opened.as_ref(), &followed.made_keys).await;
            tokio::spawn(made_keys::follow(Arc::clone(&opened), followed.made_keys));
            opened
        }
    };
    durability::tell(opened.durability());
    queue.open(opened);
    Ok(())
}

/// The queue has to take entries; that it should also be durable is told where it was asked for.
fn health(queue: &LateQueue, config: &CollectorConfig, shutdown: Shutdown) -> Health {
    let server = match config.queue {
        QueueConfig::Redis(_) => "redis",
        QueueConfig::Sqs(_) => "sqs",
    };
    let checked = queue.clone();
    let writable = probe(move || {
        let queue = checked.clone();
        async move { queue.check().await.map_err(|error| error.to_string()) }
    });
    let durable = durability::check(Arc::new(queue.clone()), config.intake.durable == Some(true));
    Health::new(config::Role::Collector).until(shutdown).require(server, writable).prefer(server, durable)
}
