//! The queue on a Redis stream.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use analytics_domain::{Project, Retention};
use async_trait::async_trait;
use redis::RedisError;

use super::admission::{Admission, poll};
use super::consumer::{RedisConsumer, ensure_group};
use super::link::Link;
use super::options::RedisOptions;
use super::producer::{Producer, refusal};
use super::script::{DEPTH, TIDY};
use super::setup::inspect;
use crate::queue::{Consumer, Durability, EnqueueError, Entry, Queue, QueueDepth, QueueError};

/// The consumer group of the processors.
pub(super) const GROUP: &str = "processors";

/// How long a caller waits for the server, connecting included.
pub(super) const TIMEOUT: Duration = Duration::from_secs(2);

/// From which idle time on a consumer without entries is gone for good.
const CONSUMER_GONE: Duration = Duration::from_secs(3_600);

/// Entries that one call of tidy looks at: a bound on how long the server's other clients wait.
const TIDY_ENTRIES: usize = 1_000;

/// A queue in a Redis stream, drained by one consumer group.
///
/// Keys: `{PREFIX:q}:stream`, `{PREFIX:q}:depth` (events a project, the sum under the empty name), `{PREFIX:q}:retention`
/// (days that events are kept), `{PREFIX:q}:probe`.
#[derive(Debug)]
pub struct RedisQueue {
    link: Arc<Link>,
    admission: Arc<Admission>,
    producer: Arc<Producer>,
    keys: Keys,
    visibility: Duration,
}

/// The names of a queue's keys; one hash tag, so that a cluster keeps them on one node.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    pub(super) stream: String,
    pub(super) depth: String,
    retention: String,
    probe: String,
}

impl Keys {
    fn new(prefix: &str) -> Self {
        let key = |name: &str| format!("{{{prefix}:q}}:{name}");
        Self { stream: key("stream"), depth: key("depth"), retention: key("retention"), probe: key("probe") }
    }
}

/// Wraps a driver's error with what was being done.
pub(super) fn unavailable(doing: &'static str) -> impl FnOnce(RedisError) -> QueueError {
    move |source| QueueError::Unavailable { doing, source: source.into() }
}

impl RedisQueue {
    /// Connects, refuses a server that would lose events, and makes the stream and its group.
    ///
    /// Starts a task that looks at the server's memory once a second, for as long as the queue lives.
    ///
    /// # Errors
    /// [`QueueError::Misconfigured`] with the mend, [`QueueError::Unavailable`] where the server does not answer within
    /// two seconds: to be tried again.
    pub async fn connect(options: RedisOptions) -> Result<Self, QueueError> {
        let link = Arc::new(Link::new(options.endpoint.client()?, TIMEOUT));
        let address = options.endpoint.address();
        let durability = inspect(&link, &address, options.durability_required).await?;
        let keys = Keys::new(&options.key_prefix);
        ensure_group(&link, &keys.stream).await.map_err(unavailable("make its stream and group"))?;
        let admission = Arc::new(Admission::new(options.max_events, options.max_memory_percent, durability));
        admission.ask(&link, &keys.depth).await.map_err(unavailable("look up its depth"))?;
        poll(&admission, &link, keys.depth.clone());
        let producer = Arc::new(Producer::new(
            Arc::clone(&link),
            Arc::clone(&admission),
            keys.stream.clone(),
            keys.depth.clone(),
            options.max_waiting_bytes,
        ));
        tracing::info!(address, stream = keys.stream, ?durability, "queue opened");
        Ok(Self { link, admission, producer, keys, visibility: options.visibility })
    }
}

impl Drop for RedisQueue {
    fn drop(&mut self) {
        self.admission.end();
    }
}

#[async_trait]
impl Queue for RedisQueue {
    async fn enqueue(&self, entry: Entry) -> Result<(), EnqueueError> {
        self.producer.add(entry).await
    }

    async fn consumer(&self, name: &str) -> Result<Box<dyn Consumer>, QueueError> {
        let consumer = RedisConsumer::new(Arc::clone(&self.link), self.keys.clone(), name, self.visibility);
        Ok(Box::new(consumer))
    }

    async fn depth(&self) -> Result<QueueDepth, QueueError> {
        let (batches, counts, oldest, now): (u64, HashMap<String, u64>, String, u64) = self
            .link
            .run(async |connection| DEPTH.run(connection, &[&self.keys.stream, &self.keys.depth], |_| {}).await)
            .await
            .map_err(unavailable("tell its depth"))?;
        let oldest = oldest.split('-').next().and_then(|millis| millis.parse::<u64>().ok());
        Ok(QueueDepth {
            batches,
            events: counts.get("").copied().unwrap_or(0),
            // A name that no project can have was put there by somebody else.
            by_project: Some(
                counts.into_iter().filter_map(|(name, events)| Some((Project::new(&name).ok()?, events))).collect(),
            ),
            oldest: oldest.map(|millis| Duration::from_millis(now.saturating_sub(millis))),
        })
    }

    async fn check(&self) -> Result<(), QueueError> {
        const DOING: &str = "take entries";
        // A write of its own kind: a server that is read-only, out of memory or out of disk refuses it as it would entries.
        self.link
            .run(async |mut connection| {
                redis::cmd("SET")
                    .arg(&self.keys.probe)
                    .arg(1)
                    .arg("EX")
                    .arg(60)
                    .query_async::<()>(&mut connection)
                    .await
            })
            .await
            .map_err(|error| QueueError::Unavailable { doing: DOING, source: Box::new(refusal(&error)) })?;
        match self.admission.full() {
            Some(reason) => {
                Err(QueueError::Unavailable { doing: DOING, source: Box::new(EnqueueError::Full { reason }) })
            }
            None => Ok(()),
        }
    }

    fn durability(&self) -> Durability {
        self.admission.durability()
    }

    async fn tell_retention(&self, retention: Retention) -> Result<(), QueueError> {
        self.link
            .run(async |mut connection| {
                redis::cmd("SET").arg(&self.keys.retention).arg(retention.days).query_async::<()>(&mut connection).await
            })
            .await
            .map_err(unavailable("tell the retention"))
    }

    async fn told_retention(&self) -> Result<Option<Retention>, QueueError> {
        let days: Option<u32> = self
            .link
            .run(async |mut connection| redis::cmd("GET").arg(&self.keys.retention).query_async(&mut connection).await)
            .await
            .map_err(unavailable("look up the retention"))?;
        Ok(days.map(|days| Retention { days }))
    }

    async fn tidy(&self) -> Result<(), QueueError> {
        self.tidy_after(CONSUMER_GONE).await
    }
}

impl RedisQueue {
    /// Tidies up; a consumer without entries that was idle for longer than `gone` is deleted.
    async fn tidy_after(&self, gone: Duration) -> Result<(), QueueError> {
        let (consumers, trimmed, mended): (u64, u64, u64) = self
            .link
            .run(async |connection| {
                TIDY.run(connection, &[&self.keys.stream, &self.keys.depth], |command| {
                    command.arg(GROUP).arg(gone.as_millis() as u64).arg(TIDY_ENTRIES);
                })
                .await
            })
            .await
            .map_err(unavailable("tidy up"))?;
        if consumers + trimmed > 0 {
            tracing::info!(consumers, trimmed, "the queue's stream was tidied up");
        }
        if mended > 0 {
            tracing::warn!("the queue is empty but its count was not: entries were removed by somebody else");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use analytics_testkit::redis::{RedisOptions as ServerOptions, RedisServer};

    use super::*;

    #[tokio::test]
    async fn only_idle_consumers_without_entries_are_deleted() {
        let server = RedisServer::start(ServerOptions::default()).unwrap();
        let queue = RedisQueue::connect(RedisOptions::new(server.url().as_str())).await.unwrap();
        for name in ["holds-one", "gone", "busy"] {
            // A server of version 7.0 knows a consumer from its first entry on.
            queue.enqueue(Entry { project: Project::default(), events: 1, payload: "a".into() }).await.unwrap();
            let mut consumer = queue.consumer(name).await.unwrap();
            let held = consumer.receive(1, Duration::from_secs(5)).await.unwrap();
            if name != "holds-one" {
                consumer.acknowledge(&[held[0].receipt.clone()]).await.unwrap();
            }
            if name == "gone" {
                tokio::time::sleep(Duration::from_millis(700)).await;
            }
        }
        queue.tidy_after(Duration::from_millis(600)).await.unwrap();
        let left = server.command(&["XINFO", "CONSUMERS", &queue.keys.stream, GROUP]).unwrap();
        assert!(left.contains("holds-one") && left.contains("busy") && !left.contains("gone"), "{left}");
        queue.tidy().await.unwrap();
        assert_eq!(queue.depth().await.unwrap().batches, 1);
    }
}
