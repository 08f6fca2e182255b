//! The streams of a queue, how many there are, and what is looked up of each once a second.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::Duration;

use redis::{ErrorKind, RedisResult, ServerErrorKind};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use super::admission::Admission;
use super::consumer::ensure_group;
use super::link::Link;
use super::options::{MOST_SHARDS, RedisOptions};
use super::producer::Producer;
use super::queue::{TIMEOUT, unavailable};
use super::setup::{ask_durability, inspect};
use crate::queue::{Durability, QueueError};
use crate::reason::sentence;

/// How often the servers' memory, the queue's depth and the number of shards are looked up.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// How many polls lie between two looks at the servers' settings.
const POLLS_A_DURABILITY: u32 = 30;

/// The names of a shard's keys; one hash tag, so that a cluster keeps them on one node.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    pub(super) stream: String,
    pub(super) depth: String,
    pub(super) retention: String,
    pub(super) write_keys: String,
    pub(super) probe: String,
    /// The most shards that the queue ever had; of the first shard only.
    shards: String,
}

/// What the keys of a shard have in braces. The first has no number: a queue of one stream is one of a single shard.
pub(super) fn tag(prefix: &str, number: usize) -> String {
    if number == 0 { format!("{prefix}:q") } else { format!("{prefix}:q:{number}") }
}

impl Keys {
    pub(super) fn new(tag: &str) -> Self {
        let key = |name: &str| format!("{{{tag}}}:{name}");
        Self {
            stream: key("stream"),
            depth: key("depth"),
            retention: key("retention"),
            write_keys: key("write_keys"),
            probe: key("probe"),
            shards: key("shards"),
        }
    }
}

/// One stream of the queue.
#[derive(Debug)]
pub(super) struct Shard {
    pub(super) number: usize,
    pub(super) link: Arc<Link>,
    pub(super) keys: Keys,
    pub(super) producer: Arc<Producer>,
}

/// All streams of the queue: those that this process writes to, and those that any process ever wrote to.
#[derive(Debug)]
pub(super) struct Shards {
    options: RedisOptions,
    pub(super) admission: Arc<Admission>,
    list: RwLock<Arc<[Arc<Shard>]>>,
    growing: Mutex<()>,
    consumers: AtomicUsize,
}

impl Shards {
    /// Connects to the server of each, refuses one that would lose events, and makes streams and groups.
    ///
    /// Starts a task that looks at them once a second, until the admission is ended.
    pub(super) async fn open(options: RedisOptions) -> Result<Arc<Self>, QueueError> {
        let shards = Arc::new(Self {
            admission: Arc::new(Admission::new(options.max_events, options.max_memory_percent)),
            options,
            list: RwLock::new(Arc::new([])),
            growing: Mutex::new(()),
            consumers: AtomicUsize::new(0),
        });
        shards.grow(1).await?;
        let most = shards.most().await.map_err(unavailable("look up its number of shards"))?;
        shards.grow(most).await?;
        tokio::spawn(watch(Arc::downgrade(&shards)));
        Ok(shards)
    }

    /// All that are known of.
    pub(super) fn all(&self) -> Arc<[Arc<Shard>]> {
        Arc::clone(&self.list.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The first, which has what there is once in the queue.
    pub(super) fn first(&self) -> Arc<Shard> {
        Arc::clone(&self.all()[0])
    }

    /// How many of the first ones this process writes to.
    pub(super) fn written(&self) -> usize {
        self.options.shards
    }

    /// On how many replicas an answered entry lies.
    pub(super) fn replicas(&self) -> u32 {
        self.options.replicas
    }

    /// How long a consumer holds an entry before another gets it.
    pub(super) fn visibility(&self) -> Duration {
        self.options.visibility
    }

    /// A number for a consumer, so that those of one process wait at different streams.
    pub(super) fn next_consumer(&self) -> usize {
        self.consumers.fetch_add(1, Ordering::Relaxed)
    }

    /// The most shards that the queue ever had, this process's included: what was written before is drained, whoever wrote
    /// it and however few shards are written to now.
    async fn most(&self) -> RedisResult<usize> {
        let (first, own) = (self.first(), self.options.shards);
        let (key, ever) = (&first.keys.shards, most_ever(&first.link, &first.keys).await?);
        if own > ever {
            // Only ever raised, whichever process is first. Before the first entry is written beyond it.
            first
                .link
                .run(async |mut connection| {
                    redis::cmd("ZADD").arg(&[key, "GT"]).arg(own).arg("most").query_async::<()>(&mut connection).await
                })
                .await?;
        }
        Ok(own.max(ever).min(MOST_SHARDS))
    }

    /// Opens the shards up to a number.
    async fn grow(&self, to: usize) -> Result<(), QueueError> {
        let _one_at_a_time = self.growing.lock().await;
        let mut list = self.all().to_vec();
        for number in list.len()..to {
            let (shard, durability) = self.open_shard(number).await?;
            let before = if number == 0 { durability } else { self.admission.durability() };
            self.admission.saw_durability(weaker(before, durability));
            list.push(Arc::new(shard));
            *self.list.write().unwrap_or_else(PoisonError::into_inner) = list.as_slice().into();
        }
        Ok(())
    }

    async fn open_shard(&self, number: usize) -> Result<(Shard, Durability), QueueError> {
        let options = &self.options;
        let tag = tag(&options.key_prefix, number);
        let (keys, address) = (Keys::new(&tag), options.endpoint.address());
        let link = Arc::new(Link::new(options.endpoint.route(&tag)?, TIMEOUT));
        let durability = inspect(&link, &address, options.durability_required).await?;
        ensure_group(&link, &keys.stream).await.map_err(|error| match error.kind() {
            ErrorKind::Server(ServerErrorKind::Moved) => one_of_a_cluster(&address),
            _ => unavailable("make its stream and group")(error),
        })?;
        self.admission.ask(number, &link, &keys.depth).await.map_err(unavailable("look up its depth"))?;
        // Who waits for replicas holds up everything else on the connection.
        let writing = match options.replicas {
            0 => Arc::clone(&link),
            _ => Arc::new(Link::new(options.endpoint.route(&tag)?, TIMEOUT)),
        };
        let producer = Producer::new(writing, Arc::clone(&self.admission), number, &keys, options);
        tracing::info!(address, stream = keys.stream, ?durability, "queue opened");
        Ok((Shard { number, link, keys, producer: Arc::new(producer) }, durability))
    }

    /// Looks at every server once, at all at the same time: one that is silent holds up none of the others.
    async fn look(&self) {
        let mut looks = JoinSet::new();
        for shard in self.all().iter().map(Arc::clone) {
            let admission = Arc::clone(&self.admission);
            looks.spawn(async move {
                match admission.ask(shard.number, &shard.link, &shard.keys.depth).await {
                    Ok(()) => shard.producer.wake(),
                    // Each enqueue meets the same error and tells its caller; here it would only repeat itself.
                    Err(error) => tracing::debug!(error = %sentence(&error), "a Redis server cannot be looked at"),
                }
            });
        }
        while looks.join_next().await.is_some() {}
    }

    async fn look_at_durability(&self) -> RedisResult<()> {
        let mut found = Durability::Durable;
        for shard in self.all().iter() {
            found = weaker(found, ask_durability(&shard.link).await?);
        }
        let before = self.admission.saw_durability(found);
        if before != found {
            tracing::warn!(?before, now = ?found, "what the Redis server's answers survive has changed");
        }
        Ok(())
    }
}

/// The most shards that a queue ever had, by what its first one says.
pub(super) async fn most_ever(first: &Link, keys: &Keys) -> RedisResult<usize> {
    let told: Option<f64> = first
        .run(async |mut connection| {
            redis::cmd("ZSCORE").arg(&[&keys.shards, "most"]).query_async(&mut connection).await
        })
        .await?;
    Ok(told.map_or(1, |most| most as usize))
}

/// What an entry survives that may lie on either of two servers.
pub(super) fn weaker(one: Durability, other: Durability) -> Durability {
    match (one, other) {
        (Durability::Unknown, _) | (_, Durability::Unknown) => Durability::Unknown,
        (Durability::Fast, _) | (_, Durability::Fast) => Durability::Fast,
        (Durability::Durable, Durability::Durable) => Durability::Durable,
    }
}

fn one_of_a_cluster(address: &str) -> QueueError {
    QueueError::Misconfigured {
        problem: format!("the Redis server {address} is one node of a cluster, and the queue's keys lie on another"),
        mend: format!("write REDIS_URL as redis+cluster://{address}, so that they are followed"),
    }
}

/// Keeps what is known of the shards up to date, until the admission is ended or nobody has them any more.
async fn watch(shards: Weak<Shards>) {
    for round in 1_u32.. {
        tokio::time::sleep(POLL_INTERVAL).await;
        let Some(shards) = shards.upgrade() else { return };
        if shards.admission.has_ended() {
            return;
        }
        shards.look().await;
        if round % POLLS_A_DURABILITY == 0 && shards.admission.durability() != Durability::Unknown {
            let _ = shards.look_at_durability().await;
        }
        match shards.most().await {
            Ok(most) if most > shards.all().len() => match shards.grow(most).await {
                Ok(()) => tracing::info!(shards = most, "the queue has more shards now"),
                Err(error) => tracing::warn!(error = %sentence(&error), "a shard of the queue cannot be opened"),
            },
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_shard_has_the_keys_of_a_queue_without_shards() {
        assert_eq!(Keys::new(&tag("analytics", 0)).stream, "{analytics:q}:stream");
        assert_eq!(Keys::new(&tag("analytics", 3)).depth, "{analytics:q:3}:depth");
    }
}
