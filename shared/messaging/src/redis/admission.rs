//! Whether the server has room, looked up beside the way of the requests.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use redis::InfoDict;

use super::link::Link;
use super::setup::ask_durability;
use crate::queue::Durability;
use crate::reason::sentence;

/// How often the server's memory and the queue's depth are looked up.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// How many polls lie between two looks at the server's settings.
const POLLS_A_DURABILITY: u32 = 30;

/// What is known of the server's room, at most about a second old.
#[derive(Debug)]
pub(super) struct Admission {
    max_events: u64,
    max_memory_percent: u64,
    events: AtomicU64,
    /// Why the server's memory takes no more.
    memory_full: Mutex<Option<String>>,
    durability: Mutex<Durability>,
    ended: AtomicBool,
}

impl Admission {
    pub(super) fn new(max_events: u64, max_memory_percent: u64, durability: Durability) -> Self {
        Self {
            max_events,
            max_memory_percent,
            events: AtomicU64::new(0),
            memory_full: Mutex::new(None),
            durability: Mutex::new(durability),
            ended: AtomicBool::new(false),
        }
    }

    /// The limit that is reached, with its figures.
    pub(super) fn full(&self) -> Option<String> {
        let events = self.events.load(Ordering::Relaxed);
        if events >= self.max_events {
            return Some(self.too_many());
        }
        self.memory_full.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Events until the limit, as far as is known: other producers may have added some since.
    pub(super) fn room(&self) -> u64 {
        self.max_events.saturating_sub(self.events.load(Ordering::Relaxed))
    }

    /// The limit of events, with its figures.
    pub(super) fn too_many(&self) -> String {
        format!("{} events lie in it, the limit is {}", self.events.load(Ordering::Relaxed), self.max_events)
    }

    /// Notes the events that lie in the queue now, as the server has counted them.
    pub(super) fn saw_events(&self, events: u64) {
        self.events.store(events, Ordering::Relaxed);
    }

    pub(super) fn durability(&self) -> Durability {
        *self.durability.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn saw_memory(&self, used: u64, limit: u64) {
        let full = limit > 0 && used.saturating_mul(100) >= limit.saturating_mul(self.max_memory_percent);
        let reason = full.then(|| {
            format!("the Redis server uses {used} of {limit} bytes, the queue stops at {} %", self.max_memory_percent)
        });
        let mut told = self.memory_full.lock().unwrap_or_else(PoisonError::into_inner);
        if reason.is_some() != told.is_some() {
            match &reason {
                Some(reason) => tracing::warn!(%reason, "the queue takes no more entries for now"),
                None => tracing::info!(used, limit, "the queue takes entries again"),
            }
        }
        *told = reason;
    }

    /// Ends the polling that [`poll`] started.
    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    /// Asks the server once.
    pub(super) async fn ask(&self, link: &Link, depth_key: &str) -> redis::RedisResult<()> {
        let (memory, events): (InfoDict, Option<u64>) = link
            .run(async |mut connection| {
                let mut both = redis::pipe();
                both.cmd("INFO").arg("memory").cmd("HGET").arg(depth_key).arg("");
                both.query_async(&mut connection).await
            })
            .await?;
        self.events.store(events.unwrap_or(0), Ordering::Relaxed);
        self.saw_memory(memory.get("used_memory").unwrap_or(0), memory.get("maxmemory").unwrap_or(0));
        Ok(())
    }
}

/// Keeps an [`Admission`] up to date until it is ended or dropped.
pub(super) fn poll(admission: &Arc<Admission>, link: &Arc<Link>, depth_key: String) {
    let (admission, link): (Weak<Admission>, Weak<Link>) = (Arc::downgrade(admission), Arc::downgrade(link));
    tokio::spawn(async move {
        for round in 1_u32.. {
            tokio::time::sleep(POLL_INTERVAL).await;
            let (Some(admission), Some(link)) = (admission.upgrade(), link.upgrade()) else { return };
            if admission.ended.load(Ordering::Relaxed) {
                return;
            }
            if let Err(error) = admission.ask(&link, &depth_key).await {
                // Each enqueue meets the same error and tells its caller; here it would only repeat itself.
                tracing::debug!(error = %sentence(&error), "the Redis server's memory cannot be looked up");
                continue;
            }
            if round % POLLS_A_DURABILITY == 0
                && admission.durability() != Durability::Unknown
                && let Ok(found) = ask_durability(&link).await
            {
                let mut told = admission.durability.lock().unwrap_or_else(PoisonError::into_inner);
                if *told != found {
                    tracing::warn!(before = ?*told, now = ?found, "what the Redis server's answers survive has changed");
                    *told = found;
                }
            }
        }
    });
}
