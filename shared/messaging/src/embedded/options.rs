//! What an embedded queue is opened with.

use std::time::Duration;

use crate::Durability;

/// How an embedded queue writes, waits and refuses.
#[derive(Debug, Clone)]
pub struct EmbeddedOptions {
    /// [`Durability::Durable`]: flushed to stable storage before an enqueue is answered. [`Durability::Fast`] (and
    /// `Unknown`): in the system's hands before the answer, flushed at least once a second.
    pub durability: Durability,
    /// How long a consumer holds an entry before another gets it.
    pub visibility: Duration,
    /// Events in the queue from which on it takes no more.
    pub max_events: u64,
    /// Bytes of entries in the queue from which on it takes no more.
    pub max_bytes: u64,
    /// Bytes of entries that may wait in memory for the disk.
    pub max_waiting_bytes: usize,
}

impl Default for EmbeddedOptions {
    fn default() -> Self {
        Self {
            durability: Durability::Durable,
            visibility: Duration::from_secs(60),
            max_events: 5_000_000,
            max_bytes: 8 << 30,
            max_waiting_bytes: 64 << 20,
        }
    }
}
