//! A bucket of tokens: so many a second, with a burst of as many.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Lets `per_second` things through a second, and as many at once after a rest.
#[derive(Debug)]
pub(crate) struct Rate {
    per_second: f64,
    state: Mutex<(f64, Instant)>,
}

impl Rate {
    /// A full bucket.
    pub(crate) fn new(per_second: u32) -> Self {
        let per_second = f64::from(per_second.max(1));
        Self { per_second, state: Mutex::new((per_second, Instant::now())) }
    }

    /// Takes a token, or says how long until there is one.
    pub(crate) fn take(&self) -> Result<(), Duration> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let tokens = (state.0 + now.duration_since(state.1).as_secs_f64() * self.per_second).min(self.per_second);
        let taken = tokens >= 1.0;
        *state = (if taken { tokens - 1.0 } else { tokens }, now);
        if taken { Ok(()) } else { Err(Duration::from_secs_f64((1.0 - tokens) / self.per_second)) }
    }

    /// Waits for a token. For one caller at a time.
    pub(crate) async fn wait(&self) {
        while let Err(wait) = self.take() {
            tokio::time::sleep(wait).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_then_a_steady_rate() {
        let rate = Rate::new(10);
        assert_eq!((0..100).filter(|_| rate.take().is_ok()).count(), 10);
        tokio::time::advance(Duration::from_millis(250)).await;
        assert_eq!((0..100).filter(|_| rate.take().is_ok()).count(), 2);
        let before = Instant::now();
        rate.wait().await;
        assert!(before.elapsed() <= Duration::from_millis(101));
    }
}
