//! What an event that was answered with 202 survives, told in the log, by a metric and on the health page.

use std::sync::Arc;

use analytics_host::health::{Probe, probe};
use analytics_host::metrics::names;
use analytics_messaging::{Durability, Queue};
use tracing::info;

/// Tells it once, when the queue is open.
pub fn tell(durability: Durability) {
    let (state, survives) = match durability {
        Durability::Durable => (1.0, "a power cut: each batch is flushed before the answer"),
        Durability::Fast => (0.0, "a killed process; a power cut may take about the last second of events"),
        Durability::Unknown => (-1.0, "what its server is set to, which it does not let be read"),
    };
    metrics::gauge!(names::QUEUE_DURABLE).set(state);
    info!(durability = ?durability, survives, "what an event answered with 202 survives");
}

/// Whether the queue is as durable as was `wanted`: something that the role works without, and that is short.
pub fn check(queue: Arc<dyn Queue>, wanted: bool) -> Probe {
    probe(move || {
        let short = wanted && queue.durability() != Durability::Durable;
        async move {
            let sentence =
                "what it takes may not survive a power cut, and DURABILITY is durable: set appendfsync always";
            if short { Err(sentence.to_owned()) } else { Ok(()) }
        }
    })
}
