//! The time of day, as something that is handed in.

use std::sync::Arc;

use analytics_domain::Timestamp;

/// Tells the time; handed to whoever needs it, so that tests can hold it still.
pub trait Clock: Send + Sync {
    /// The instant now.
    fn now(&self) -> Timestamp;
}

/// The clock of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_jiff(jiff::Timestamp::now())
    }
}

/// A clock shared by the parts of a process.
pub type SharedClock = Arc<dyn Clock>;
