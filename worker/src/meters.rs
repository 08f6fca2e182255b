//! What the processor counts.

use std::time::Duration;

use analytics_domain::{BatchOutcome, EventOutcome, Timestamp};
use analytics_host::metrics::names;
use analytics_messaging::QueueDepth;
use metrics::{Counter, Gauge, Histogram};

use crate::process_batch::Processed;

/// Handles of the processor's metrics, registered once.
pub struct Meters {
    processed: Counter,
    duplicates: Counter,
    expired: Counter,
    erased: Counter,
    store_failures: Counter,
    duration: Histogram,
    transaction_events: Histogram,
    lag: Gauge,
    dead_letters: Gauge,
    depth: Gauge,
    batches: Gauge,
    oldest: Gauge,
}

impl Meters {
    /// Registers the handles with the recorder of the process.
    #[must_use]
    pub fn new() -> Self {
        Self {
            processed: metrics::counter!(names::EVENTS_PROCESSED),
            duplicates: metrics::counter!(names::EVENTS_DUPLICATE),
            expired: metrics::counter!(names::EVENTS_EXPIRED),
            erased: metrics::counter!(names::EVENTS_ERASED),
            store_failures: metrics::counter!(names::STORE_FAILURES),
            duration: metrics::histogram!(names::PROCESSING_DURATION),
            transaction_events: metrics::histogram!(names::TRANSACTION_EVENTS),
            lag: metrics::gauge!(names::INGEST_LAG),
            dead_letters: metrics::gauge!(names::DEAD_LETTERS),
            depth: metrics::gauge!(names::QUEUE_DEPTH),
            batches: metrics::gauge!(names::QUEUE_BATCHES),
            oldest: metrics::gauge!(names::QUEUE_OLDEST),
        }
    }

    /// Counts a transaction that was committed.
    pub fn processed(&self, processed: &Processed<'_>, took: Duration, now: Timestamp) {
        self.processed.increment(processed.events() as u64);
        self.duplicates.increment(processed.count(EventOutcome::Duplicate) as u64);
        self.expired.increment(processed.count(EventOutcome::Expired) as u64);
        self.erased.increment(processed.count(EventOutcome::Erased) as u64);
        self.duration.record(took.as_secs_f64());
        self.transaction_events.record(processed.events() as f64);
        let oldest = processed.batches.iter().map(|batch| batch.batch.received_at).min();
        if let Some(oldest) = oldest {
            self.lag.set(now.micros_since(oldest).max(0) as f64 / 1e6);
        }
    }

    /// Counts what became of events that were tried again.
    pub fn replayed(&self, outcomes: &[BatchOutcome]) {
        let count = |outcome| outcomes.iter().map(|batch| batch.count(outcome) as u64).sum();
        self.duplicates.increment(count(EventOutcome::Duplicate));
        self.expired.increment(count(EventOutcome::Expired));
        self.erased.increment(count(EventOutcome::Erased));
    }

    /// Counts a transaction that the store could not take.
    pub fn store_failed(&self) {
        self.store_failures.increment(1);
    }

    /// Shows how many dead letters there are.
    pub fn dead_letters(&self, count: u64) {
        self.dead_letters.set(count as f64);
    }

    /// Shows what waits in the queue; the lag of an empty one is zero.
    pub fn queue(&self, depth: &QueueDepth) {
        self.depth.set(depth.events as f64);
        self.batches.set(depth.batches as f64);
        self.oldest.set(depth.oldest.map_or(0.0, |age| age.as_secs_f64()));
        if depth.batches == 0 {
            self.lag.set(0.0);
        }
    }
}

impl Default for Meters {
    fn default() -> Self {
        Self::new()
    }
}
