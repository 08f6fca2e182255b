//! What this role tells of itself.

use analytics_host::metrics::names;
use metrics::{Counter, Gauge, counter, gauge};

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
        Self {
            connections: gauge!(names::REALTIME_CONNECTIONS),
            sent: counter!(names::REALTIME_SENT),
            dropped: counter!(names::REALTIME_DROPPED),
        }
    }
}

impl std::fmt::Debug for Meters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Meters")
    }
}
