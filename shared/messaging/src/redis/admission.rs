//! Whether the servers have room, looked up beside the way of the requests.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use redis::InfoDict;

use super::link::Link;
use super::options::MOST_SHARDS;
use crate::queue::Durability;

/// What is known of the servers' room, at most about a second old.
#[derive(Debug)]
pub(super) struct Admission {
    max_events: u64,
    max_memory_percent: u64,
    shards: Box<[Room]>,
    /// How many of the shards are known to be there.
    known: AtomicUsize,
    durability: Mutex<Durability>,
    ended: AtomicBool,
}

/// What is known of one stream and its server.
#[derive(Debug, Default)]
struct Room {
    events: AtomicU64,
    /// Why the server's memory takes no more.
    memory_full: Mutex<Option<String>>,
}

impl Admission {
    pub(super) fn new(max_events: u64, max_memory_percent: u64) -> Self {
        Self {
            max_events,
            max_memory_percent,
            shards: std::iter::repeat_with(Room::default).take(MOST_SHARDS).collect(),
            known: AtomicUsize::new(0),
            durability: Mutex::new(Durability::Unknown),
            ended: AtomicBool::new(false),
        }
    }

    /// The limit that is reached for a shard, with its figures: events count over all, memory at its own server.
    pub(super) fn full(&self, shard: usize) -> Option<String> {
        if self.events() >= self.max_events {
            return Some(self.too_many());
        }
        self.shards[shard].memory_full.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn events(&self) -> u64 {
        let known = self.known.load(Ordering::Relaxed);
        self.shards[..known].iter().map(|room| room.events.load(Ordering::Relaxed)).sum()
    }

    /// Events until the limit, as far as is known: other producers may have added some since.
    pub(super) fn room(&self) -> u64 {
        self.max_events.saturating_sub(self.events())
    }

    /// The limit of events, with its figures.
    pub(super) fn too_many(&self) -> String {
        format!("{} events lie in it, the limit is {}", self.events(), self.max_events)
    }

    /// Notes the events that lie in a shard now, as its server has counted them.
    pub(super) fn saw_events(&self, shard: usize, events: u64) {
        self.shards[shard].events.store(events, Ordering::Relaxed);
    }

    /// What an answered entry survives, wherever it lies.
    pub(super) fn durability(&self) -> Durability {
        *self.durability.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes the same; tells what was known before.
    pub(super) fn saw_durability(&self, found: Durability) -> Durability {
        std::mem::replace(&mut *self.durability.lock().unwrap_or_else(PoisonError::into_inner), found)
    }

    fn saw_memory(&self, shard: usize, used: u64, limit: u64) {
        let full = limit > 0 && used.saturating_mul(100) >= limit.saturating_mul(self.max_memory_percent);
        let reason = full.then(|| {
            format!("the Redis server uses {used} of {limit} bytes, the queue stops at {} %", self.max_memory_percent)
        });
        let mut told = self.shards[shard].memory_full.lock().unwrap_or_else(PoisonError::into_inner);
        if reason.is_some() != told.is_some() {
            match &reason {
                Some(reason) => tracing::warn!(shard, %reason, "the queue takes no more entries for now"),
                None => tracing::info!(shard, used, limit, "the queue takes entries again"),
            }
        }
        *told = reason;
    }

    /// Ends what keeps it up to date.
    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    /// Asks a shard's server once; the shard counts from then on.
    pub(super) async fn ask(&self, shard: usize, link: &Link, depth_key: &str) -> redis::RedisResult<()> {
        let (memory, events): (InfoDict, Option<u64>) = link
            .run(async |mut connection| {
                let mut both = redis::pipe();
                both.cmd("INFO").arg("memory").cmd("HGET").arg(depth_key).arg("");
                both.query_async(&mut connection).await
            })
            .await?;
        self.saw_events(shard, events.unwrap_or(0));
        self.saw_memory(shard, memory.get("used_memory").unwrap_or(0), memory.get("maxmemory").unwrap_or(0));
        self.known.fetch_max(shard + 1, Ordering::Relaxed);
        Ok(())
    }
}
