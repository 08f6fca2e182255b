//! What the collector needs from the process around it.

use std::sync::Arc;
use std::time::Duration;

use analytics_domain::SharedRetention;
use analytics_host::clock::SharedClock;
use analytics_host::cors::Origins;
use analytics_host::keys::WriteKeys;
use analytics_messaging::Queue;

use crate::{Enrichment, MadeKeys};

/// The parts that a collector is made of.
pub struct CollectorDeps {
    /// Where accepted batches go.
    pub queue: Arc<dyn Queue>,
    /// Whose events a key of the environment may send; none: what comes without a key goes to the project `default`.
    pub write_keys: WriteKeys,
    /// Whose events a key may send that was made at the api.
    pub made_keys: MadeKeys,
    /// Which web pages may send.
    pub origins: Origins,
    /// What time it is.
    pub clock: SharedClock,
    /// How far back an event's time may lie; read for each request, so that a change counts at once.
    pub retention: SharedRetention,
    /// What is added to the metadata of events that a browser sends.
    pub enrichment: Enrichment,
    /// What bounds a request and the role as a whole.
    pub limits: Limits,
}

/// What bounds a request and the role as a whole.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Largest body as sent, in bytes.
    pub body_bytes: usize,
    /// Largest body after inflating, in bytes.
    pub inflated_bytes: usize,
    /// Most bytes of bodies held at one time, over all requests; beyond it 503 `overloaded`.
    pub bytes_in_flight: usize,
    /// Longest time that a client may take to send a body.
    pub body_time: Duration,
    /// Longest time that the queue may take for one entry; after it 503 `queue_unavailable`.
    pub enqueue_time: Duration,
    /// Events a second that one key may send (one address, where no keys are set); none: as many as it likes.
    pub events_per_second: Option<u32>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 1 << 20,
            inflated_bytes: 8 << 20,
            bytes_in_flight: 128 << 20,
            body_time: Duration::from_secs(30),
            enqueue_time: Duration::from_secs(4),
            events_per_second: None,
        }
    }
}
