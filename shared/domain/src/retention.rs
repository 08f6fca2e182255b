//! How far back raw events reach.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::Timestamp;
use crate::timestamp::{MICROS_PER_DAY, MICROS_PER_SECOND, days_from_civil};

/// Days kept where nobody ever said otherwise.
pub const DEFAULT_RETENTION_DAYS: u32 = 90;

/// How far ahead of its receipt an event's own time may lie, in microseconds: one hour.
pub const MAX_AHEAD_MICROS: i64 = 3_600 * MICROS_PER_SECOND;

/// Whole UTC days that raw events are kept and answered; 0 keeps them for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// The number of days; 0 for ever.
    pub days: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self { days: DEFAULT_RETENTION_DAYS }
    }
}

impl Retention {
    /// The oldest instant that is accepted, kept and answered at `now`: the start of the UTC day that lies `days` days
    /// before today's, or 2000-01-01 where events are kept for ever.
    #[must_use]
    pub const fn cutoff(self, now: Timestamp) -> Timestamp {
        if self.days == 0 {
            return Timestamp::from_utc_day(days_from_civil(2000, 1, 1));
        }
        Timestamp::from_micros((now.utc_day() - self.days as i64).saturating_mul(MICROS_PER_DAY))
    }

    /// Whether an event of `timestamp` may be accepted at `now`: from the cutoff to one hour ahead.
    #[must_use]
    pub fn accepts(self, timestamp: Timestamp, now: Timestamp) -> bool {
        timestamp >= self.cutoff(now) && timestamp <= now.saturating_add_micros(MAX_AHEAD_MICROS)
    }
}

/// The retention in force, shared between those who learn of a change and those who judge by it; clones see the same.
#[derive(Debug, Clone)]
pub struct SharedRetention(Arc<AtomicU32>);

impl SharedRetention {
    /// Begins with `retention`.
    #[must_use]
    pub fn new(retention: Retention) -> Self {
        Self(Arc::new(AtomicU32::new(retention.days)))
    }

    /// The retention now.
    #[must_use]
    pub fn get(&self) -> Retention {
        Retention { days: self.0.load(Ordering::Relaxed) }
    }

    /// Changes it for everybody from now on.
    pub fn set(&self, retention: Retention) {
        self.0.store(retention.days, Ordering::Relaxed);
    }
}
