//! How long to wait before the same work is tried again.

use std::time::Duration;

/// The first wait.
const FIRST: Duration = Duration::from_millis(100);

/// The longest wait: a server that came back is used again within this time.
const LONGEST: Duration = Duration::from_secs(5);

/// Waits that double from 0.1 s to 5 s, each spread over its upper half so that slots do not come back in step.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The wait after one more failure.
    pub fn next_wait(&mut self, spread: u64) -> Duration {
        let whole = FIRST.saturating_mul(1 << self.failures.min(6)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        let half = whole / 2;
        let part = u32::try_from(spread % 1_000).unwrap_or(0);
        half + half.saturating_mul(part) / 1_000
    }

    /// How often it failed in a row.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_to_five_seconds_and_stays_spread() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..12).map(|turn| backoff.next_wait(turn * 97)).collect();
        assert!(waits[0] >= FIRST / 2 && waits[0] <= FIRST);
        assert!(waits[11] >= LONGEST / 2 && waits[11] <= LONGEST);
    }
}
