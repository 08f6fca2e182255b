//! The queue on a Redis stream.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use analytics_domain::{Project, Retention};
use async_trait::async_trait;
use redis::{ErrorKind, InfoDict, RedisError, RedisResult};

use super::options::{MOST_SHARDS, RedisOptions};
use super::producer::refusal;
use super::script::{DEPTH, TIDY};
use super::shards::{Shard, Shards};
use super::streams::StreamsConsumer;
use crate::queue::{Consumer, Durability, EnqueueError, Entry, Queue, QueueDepth, QueueError};
use crate::write_keys::{ToldWriteKeys, WriteKey, word};

/// The consumer group of the processors.
pub(super) const GROUP: &str = "processors";

/// How long a caller waits for the server, connecting included.
pub(super) const TIMEOUT: Duration = Duration::from_secs(2);

/// How much longer an entry may take that a first shard did not answer for.
const SECOND_TRY: Duration = Duration::from_millis(800);

/// From which idle time on a consumer without entries is gone for good.
const CONSUMER_GONE: Duration = Duration::from_secs(3_600);

/// Entries that one call of tidy looks at: a bound on how long the server's other clients wait.
const TIDY_ENTRIES: usize = 1_000;

/// A queue in Redis streams, drained by one consumer group.
///
/// Keys: `{PREFIX:q}:stream`, `{PREFIX:q}:depth` (events a project, the sum under the empty name), `{PREFIX:q}:retention`
/// (days that events are kept), `{PREFIX:q}:write_keys` (digests of the keys that send), `{PREFIX:q}:probe`. With more than
/// one shard, `{PREFIX:q}:shards` has the most there ever were, and each further one its own `{PREFIX:q:N}:stream`, `:depth`
/// and `:probe`.
#[derive(Debug)]
pub struct RedisQueue {
    shards: Arc<Shards>,
    /// Which shard the next entry is offered to first.
    turn: AtomicUsize,
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
        if !(1..=MOST_SHARDS).contains(&options.shards) {
            return Err(QueueError::Misconfigured {
                problem: format!("a queue of {} shards cannot be made", options.shards),
                mend: format!("choose 1 to {MOST_SHARDS}"),
            });
        }
        Ok(Self { shards: Shards::open(options).await?, turn: AtomicUsize::new(0) })
    }
}

impl Drop for RedisQueue {
    fn drop(&mut self) {
        self.shards.admission.end();
    }
}

#[async_trait]
impl Queue for RedisQueue {
    async fn enqueue(&self, entry: Entry) -> Result<(), EnqueueError> {
        let shards = self.shards.all();
        let written = &shards[..self.shards.written()];
        match written {
            [only] => only.producer.add(entry).await,
            several => self.enqueue_somewhere(several, entry).await,
        }
    }

    async fn consumer(&self, name: &str) -> Result<Box<dyn Consumer>, QueueError> {
        Ok(Box::new(StreamsConsumer::new(Arc::clone(&self.shards), name)))
    }

    async fn depth(&self) -> Result<QueueDepth, QueueError> {
        let mut depth = QueueDepth { by_project: Some(BTreeMap::new()), ..QueueDepth::default() };
        for shard in self.shards.all().iter() {
            shard.add_depth(&mut depth).await.map_err(unavailable("tell its depth"))?;
        }
        Ok(depth)
    }

    async fn check(&self) -> Result<(), QueueError> {
        let mut refusal = None;
        let shards = self.shards.all();
        let mut shards: Vec<_> = shards[..self.shards.written()].iter().collect();
        // First those that take entries as far as is known: a silent server costs two seconds.
        shards.sort_by_key(|shard| shard.producer.rests());
        for shard in shards {
            match self.check_shard(shard).await {
                // Entries go to another one while a shard takes none.
                Ok(()) => return Ok(()),
                Err(error) => refusal = Some(error),
            }
        }
        refusal
            .map_or(Ok(()), |source| Err(QueueError::Unavailable { doing: "take entries", source: Box::new(source) }))
    }

    fn durability(&self) -> Durability {
        self.shards.admission.durability()
    }

    async fn tell_retention(&self, retention: Retention) -> Result<(), QueueError> {
        let first = self.shards.first();
        first
            .link
            .run(async |mut connection| {
                redis::cmd("SET")
                    .arg(&first.keys.retention)
                    .arg(retention.days)
                    .query_async::<()>(&mut connection)
                    .await
            })
            .await
            .map_err(unavailable("tell the retention"))
    }

    async fn told_retention(&self) -> Result<Option<Retention>, QueueError> {
        let first = self.shards.first();
        let days: Option<u32> = first
            .link
            .run(async |mut connection| redis::cmd("GET").arg(&first.keys.retention).query_async(&mut connection).await)
            .await
            .map_err(unavailable("look up the retention"))?;
        Ok(days.map(|days| Retention { days }))
    }

    fn carries_write_keys(&self) -> bool {
        true
    }

    /// Where nothing has changed, only its time is renewed: the server writes each change to its disk.
    async fn tell_write_keys(&self, keys: &[WriteKey], holds: Duration) -> Result<(), QueueError> {
        let (first, text) = (self.shards.first(), word::write(keys));
        let (key, millis) = (&first.keys.write_keys, u64::try_from(holds.as_millis()).unwrap_or(u64::MAX).max(1));
        first
            .link
            .run(async |mut connection| {
                let before: Option<Vec<u8>> = redis::cmd("GET").arg(key).query_async(&mut connection).await?;
                if before.is_some_and(|before| before == text.as_bytes())
                    && redis::cmd("PEXPIRE").arg(key).arg(millis).query_async(&mut connection).await?
                {
                    return Ok(());
                }
                redis::cmd("SET").arg(key).arg(&text).arg("PX").arg(millis).query_async(&mut connection).await
            })
            .await
            .map_err(unavailable("tell the keys that send"))
    }

    /// How long it holds is counted by the server, so that nobody's clock matters.
    async fn told_write_keys(&self) -> Result<Option<ToldWriteKeys>, QueueError> {
        const DOING: &str = "look up the keys that send";
        let first = self.shards.first();
        let (text, left): (Option<Vec<u8>>, i64) = first
            .link
            .run(async |mut connection| {
                let key = &first.keys.write_keys;
                redis::pipe().atomic().get(key).pttl(key).query_async(&mut connection).await
            })
            .await
            .map_err(unavailable(DOING))?;
        // What would hold for ever was put there by somebody else.
        let (Some(text), Some(left)) = (text, u64::try_from(left).ok().filter(|left| *left > 0)) else {
            return Ok(None);
        };
        let unreadable = |source| QueueError::Unavailable { doing: DOING, source };
        let text = String::from_utf8(text).map_err(|error| unreadable(error.into()))?;
        let keys = word::read(&text).map_err(|error| unreadable(error.into()))?;
        Ok(Some(ToldWriteKeys { keys, holds: Duration::from_millis(left) }))
    }

    async fn tidy(&self) -> Result<(), QueueError> {
        self.tidy_after(CONSUMER_GONE).await
    }
}

impl RedisQueue {
    /// Offers an entry to one shard after the other, in turn, until one takes it.
    ///
    /// Where the first may have taken it and could not say so, the second has it too; a batch that is there twice counts
    /// once, by its events' ids.
    async fn enqueue_somewhere(&self, shards: &[Arc<Shard>], entry: Entry) -> Result<(), EnqueueError> {
        let (started, first) = (Instant::now(), self.turn.fetch_add(1, Ordering::Relaxed));
        let in_turn = (0..shards.len()).map(|step| &shards[(first + step) % shards.len()]);
        let mut refusal = None;
        for shard in in_turn.filter(|shard| !shard.producer.rests()) {
            // The first has its time, all of them together not much more.
            let left = (TIMEOUT + SECOND_TRY).saturating_sub(started.elapsed());
            match tokio::time::timeout(left, shard.producer.add(entry.clone())).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(error)) => refusal = Some(error),
                Err(_) => break,
            }
        }
        match refusal {
            Some(refusal) => Err(refusal),
            // All of them failed a moment ago: one is tried all the same, since somebody has to find out.
            None => shards[first % shards.len()].producer.add(entry).await,
        }
    }

    /// Whether a shard takes entries now.
    async fn check_shard(&self, shard: &Shard) -> Result<(), EnqueueError> {
        shard.probe(self.shards.replicas()).await.map_err(|error| refusal(&error))?;
        match self.shards.admission.full(shard.number) {
            Some(reason) => Err(EnqueueError::Full { reason }),
            None => Ok(()),
        }
    }

    /// Tidies up; a consumer without entries that was idle for longer than `gone` is deleted.
    async fn tidy_after(&self, gone: Duration) -> Result<(), QueueError> {
        for shard in self.shards.all().iter() {
            shard.tidy(gone).await.map_err(unavailable("tidy up"))?;
        }
        Ok(())
    }
}

impl Shard {
    /// Adds what lies in this shard.
    async fn add_depth(&self, depth: &mut QueueDepth) -> RedisResult<()> {
        let (batches, counts, oldest, now): (u64, HashMap<String, u64>, String, u64) = self
            .link
            .run(async |connection| DEPTH.run(connection, &[&self.keys.stream, &self.keys.depth], |_| {}).await)
            .await?;
        let oldest = oldest.split('-').next().and_then(|millis| millis.parse::<u64>().ok());
        depth.batches += batches;
        depth.events += counts.get("").copied().unwrap_or(0);
        depth.oldest = depth.oldest.max(oldest.map(|millis| Duration::from_millis(now.saturating_sub(millis))));
        let by_project = depth.by_project.get_or_insert_default();
        for (name, events) in counts {
            // A name that no project can have was put there by somebody else.
            if let Ok(project) = Project::new(&name) {
                *by_project.entry(project).or_default() += events;
            }
        }
        Ok(())
    }

    /// Writes something of its own kind: a server that is read-only, out of memory or out of disk refuses it as it would
    /// entries.
    async fn probe(&self, replicas: u32) -> RedisResult<()> {
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
            .await?;
        if replicas == 0 {
            return Ok(());
        }
        let replication: InfoDict = self
            .link
            .run(async |mut connection| redis::cmd("INFO").arg("replication").query_async(&mut connection).await)
            .await?;
        let there: u32 = replication.get("connected_slaves").unwrap_or(0);
        if there < replicas {
            let told = format!("{there} of the {replicas} that must have a batch before it is answered");
            return Err(RedisError::from((ErrorKind::Client, "too few replicas are there", told)));
        }
        Ok(())
    }

    /// Tidies up at this shard.
    async fn tidy(&self, gone: Duration) -> RedisResult<()> {
        let (consumers, trimmed, mended): (u64, u64, u64) = self
            .link
            .run(async |connection| {
                TIDY.run(connection, &[&self.keys.stream, &self.keys.depth], |command| {
                    command.arg(GROUP).arg(gone.as_millis() as u64).arg(TIDY_ENTRIES);
                })
                .await
            })
            .await?;
        if consumers + trimmed > 0 {
            tracing::info!(shard = self.number, consumers, trimmed, "the queue's stream was tidied up");
        }
        if mended > 0 {
            tracing::warn!(
                shard = self.number,
                "the queue is empty but its count was not: entries were removed by somebody else"
            );
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
        let left = server.command(&["XINFO", "CONSUMERS", &queue.shards.first().keys.stream, GROUP]).unwrap();
        assert!(left.contains("holds-one") && left.contains("busy") && !left.contains("gone"), "{left}");
        queue.tidy().await.unwrap();
        assert_eq!(queue.depth().await.unwrap().batches, 1);
    }
}
