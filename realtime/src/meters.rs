//! What this role tells of itself.

use metrics::{Counter, Gauge, counter, gauge};

/// Gauge: sockets and streams that are open now.
pub const CONNECTIONS: &str = "analytics_realtime_connections";

/// Counter: messages handed to sockets and streams.
pub const MESSAGES_SENT: &str = "analytics_realtime_messages_sent_total";

/// Counter: events that slow readers lost.
pub const MESSAGES_DROPPED: &str = "analytics_realtime_messages_dropped_total";

/// The meters, looked up once: a busy feed counts thousands a second.
#[derive(Clone)]
pub(crate) struct Meters {
    /// Open connections.
    pub(crate) connections: Gauge,
    /// Messages handed to a connection.
    pub(crate) sent: Counter,
    /// Events dropped for slow readers.
    pub(crate) dropped: Counter,
}

impl Meters {
    /// Looks the meters up in the process's recorder, which has to be installed before.
    pub(crate) fn new() -> Self {
        Self { connections: gauge!(CONNECTIONS), sent: counter!(MESSAGES_SENT), dropped: counter!(MESSAGES_DROPPED) }
    }
}

impl std::fmt::Debug for Meters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Meters")
    }
}
