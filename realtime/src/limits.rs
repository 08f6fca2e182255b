//! How much one process, one key, one address and one socket may take.

use std::time::Duration;

/// The bounds of the realtime role; the defaults are what is documented.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections of this process, sockets and streams together.
    pub connections: usize,
    /// Connections of one key.
    pub connections_per_key: usize,
    /// Connections of one address (of one /64 where it is IPv6).
    pub connections_per_address: usize,
    /// New connections a second; a burst of as many is let through.
    pub connects_per_second: u32,
    /// Subscriptions of one connection.
    pub subscriptions: usize,
    /// Bytes of one client message.
    pub message_bytes: usize,
    /// Messages of one client a second; what is faster is read later, not refused.
    pub messages_per_second: u32,
    /// Events that wait for one slow reader.
    pub queue_messages: usize,
    /// Bytes of events that wait for one slow reader.
    pub queue_bytes: usize,
    /// How often a client is pinged; after two pings without a sign of life it is closed.
    pub ping_every: Duration,
    /// How often it is looked whether a key of the store or a session still lets its connection in.
    pub look_every: Duration,
    /// How long a full socket may stand still before it is closed.
    pub stuck_after: Duration,
    /// Shortest time between two runs of one live query.
    pub query_every: Duration,
    /// Different live queries of this process.
    pub live_queries: usize,
    /// Live queries that run at the same time.
    pub live_queries_at_once: usize,
    /// Bytes of one answer of a live query.
    pub answer_bytes: usize,
    /// Ids that are remembered a project, so that a redelivered batch is not shown again.
    pub recent_ids: usize,
    /// When the server stops, clients are told to come back at a random time of this span.
    pub retry_spread: Duration,
    /// How long a close may take.
    pub close_grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            connections_per_key: 5_000,
            connections_per_address: 2_000,
            connects_per_second: 500,
            subscriptions: 32,
            message_bytes: 16 * 1024,
            messages_per_second: 100,
            queue_messages: 256,
            queue_bytes: 256 * 1024,
            ping_every: Duration::from_secs(20),
            look_every: Duration::from_secs(3),
            stuck_after: Duration::from_secs(10),
            query_every: Duration::from_secs(1),
            live_queries: 1_000,
            live_queries_at_once: 4,
            answer_bytes: 256 * 1024,
            recent_ids: 20_000,
            retry_spread: Duration::from_secs(30),
            close_grace: Duration::from_secs(2),
        }
    }
}
