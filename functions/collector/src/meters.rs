//! What the collector counts.

use std::time::Duration;

use analytics_domain::{Event, Rejection};
use analytics_host::metrics::{BoundedLabels, names};
use metrics::{Counter, Histogram, counter, histogram};

/// The collector's metrics; handles are looked up once.
pub(crate) struct Meters {
    received: BoundedLabels,
    queued: Counter,
    batch_size: Histogram,
    latency: Histogram,
}

impl Meters {
    pub(crate) fn new() -> Self {
        Self {
            received: BoundedLabels::new(names::EVENTS_RECEIVED, "type"),
            queued: counter!(names::EVENTS_QUEUED),
            batch_size: histogram!(names::BATCH_SIZE),
            latency: histogram!(names::COLLECT_LATENCY),
        }
    }

    /// Counts a body whose events were judged.
    pub(crate) fn judged(&self, events: &[Event<'_>], rejected: &[Rejection]) {
        self.batch_size.record((events.len() + rejected.len()) as f64);
        // Events of one type mostly come together: a run is one look-up.
        for run in events.chunk_by(|a, b| a.event_type == b.event_type) {
            if let Some(first) = run.first() {
                self.received.counter(&first.event_type).increment(run.len() as u64);
            }
        }
        for (code, count) in analytics_domain::rejection::count_by_code(rejected) {
            self.refused(code.into_owned(), u64::from(count));
        }
    }

    /// Counts the answer to a body that was there whole.
    pub(crate) fn answered(&self, after: Duration) {
        self.latency.record(after.as_secs_f64());
    }

    /// Counts events that are durable.
    pub(crate) fn queued(&self, events: u32) {
        self.queued.increment(events.into());
    }

    /// Counts events that were refused; `reason` is one of our own codes, of which there are few.
    pub(crate) fn refused(&self, reason: impl Into<metrics::SharedString>, events: u64) {
        counter!(names::EVENTS_REJECTED, "reason" => reason.into()).increment(events);
    }
}
