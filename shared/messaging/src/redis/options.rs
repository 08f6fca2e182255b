//! What a Redis queue is opened with.

use std::time::Duration;

use super::endpoint::RedisEndpoint;

/// The most shards that a queue can have: each costs every consumer a connection.
pub(super) const MOST_SHARDS: usize = 64;

/// Where a Redis queue lies, how long consumers hold entries and when it refuses more.
#[derive(Debug, Clone)]
pub struct RedisOptions {
    /// The server.
    pub endpoint: RedisEndpoint,
    /// The beginning of every key: deployments that share a server differ here.
    pub key_prefix: String,
    /// How long a consumer holds an entry before another gets it.
    pub visibility: Duration,
    /// Events in the queue from which on it takes no more.
    pub max_events: u64,
    /// Bytes of entries that may wait in this process for the server.
    pub max_waiting_bytes: usize,
    /// The share of the server's `maxmemory`, in percent, from which on the queue takes no more.
    pub max_memory_percent: u64,
    /// Over how many streams this process spreads what it adds, 1 to 64. Consumers drain all that anybody ever wrote to.
    pub shards: usize,
    /// How many replicas of the server must have an entry before it is answered.
    pub replicas: u32,
    /// Whether to refuse a server that does not flush before it answers.
    pub durability_required: bool,
}

impl RedisOptions {
    /// The defaults for a server.
    #[must_use]
    pub fn new(endpoint: impl Into<RedisEndpoint>) -> Self {
        Self {
            endpoint: endpoint.into(),
            key_prefix: "analytics".to_owned(),
            visibility: Duration::from_secs(60),
            max_events: 5_000_000,
            max_waiting_bytes: 64 << 20,
            max_memory_percent: 80,
            shards: 1,
            replicas: 0,
            durability_required: false,
        }
    }
}
