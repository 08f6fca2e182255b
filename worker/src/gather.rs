//! How much one transaction takes: whole queued batches, more under a backlog.

use std::time::{Duration, Instant};

use analytics_messaging::{Consumer, Delivery, QueueError};

/// How many times `BATCH_SIZE` a transaction may grow to while entries wait.
pub const GROWTH: usize = 50;

/// Bytes of entries after which a transaction takes no more, whatever their events.
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// Entries asked for at once, at most.
const MOST_ENTRIES: usize = 1_000;

/// How long a slot waits for the first entry before it looks whether to stop.
const PATIENCE: Duration = Duration::from_millis(1_000);

/// Decides how many entries a transaction takes, from what the last ones held.
#[derive(Debug)]
pub struct Gatherer {
    batch_size: usize,
    linger: Duration,
    /// Events aimed at: `batch_size`, more while entries wait.
    aim: usize,
    /// Events and bytes of an entry, as a moving mean; unknown at first, so that the first transaction is small.
    mean: Option<(f64, f64)>,
}

impl Gatherer {
    /// A gatherer for `BATCH_SIZE` events a transaction that lingers at most `linger` for them.
    #[must_use]
    pub fn new(batch_size: usize, linger: Duration) -> Self {
        let batch_size = batch_size.max(1);
        Self { batch_size, linger, aim: batch_size, mean: None }
    }

    /// Takes entries until they hold enough, or the linger has passed since the first; empty where none came.
    ///
    /// # Errors
    /// The queue's, where nothing is in hand yet; with entries in hand they are returned and the error shows next time.
    pub async fn gather(
        &mut self,
        consumer: &mut dyn Consumer,
        events_of: impl Fn(&Delivery) -> usize,
    ) -> Result<Vec<Delivery>, QueueError> {
        let mut gathered = Vec::new();
        let (mut events, mut bytes) = (0, 0);
        let mut deadline = None;
        let full = loop {
            let wait = match deadline {
                None => PATIENCE,
                Some(deadline) => Instant::saturating_duration_since(&deadline, Instant::now()),
            };
            let most = self.entries_for(self.aim.saturating_sub(events), MOST_BYTES.saturating_sub(bytes));
            let received = match consumer.receive(most, wait).await {
                Ok(received) => received,
                Err(error) if gathered.is_empty() => return Err(error),
                Err(_) => break false,
            };
            let backlog = received.len() == most;
            for delivery in &received {
                let held = events_of(delivery);
                self.learn(held, delivery.payload.len());
                events += held;
                bytes += delivery.payload.len();
            }
            let nothing = received.is_empty();
            gathered.extend(received);
            if events >= self.aim || bytes >= MOST_BYTES {
                break backlog;
            }
            if gathered.is_empty() {
                return Ok(gathered);
            }
            let deadline = *deadline.get_or_insert_with(|| Instant::now() + self.linger);
            if (nothing || !backlog) && events >= self.batch_size || Instant::now() >= deadline {
                break false;
            }
        };
        self.aim = if full { (self.aim * 2).min(self.batch_size * GROWTH) } else { self.batch_size };
        Ok(gathered)
    }

    /// How many entries hold about so many events and no more than so many bytes.
    fn entries_for(&self, events: usize, bytes: usize) -> usize {
        let Some((mean_events, mean_bytes)) = self.mean else { return 8 };
        let by_events = (events as f64 / mean_events.max(1.0)).ceil();
        let by_bytes = (bytes as f64 / mean_bytes.max(1.0)).floor();
        (by_events.min(by_bytes) as usize).clamp(1, MOST_ENTRIES)
    }

    fn learn(&mut self, events: usize, bytes: usize) {
        let (events, bytes) = (events as f64, bytes as f64);
        self.mean = Some(match self.mean {
            None => (events, bytes),
            // A large entry is believed at once and forgotten slowly: memory is what is at stake.
            Some((mean_events, mean_bytes)) => (
                mean_events * 0.9 + events * 0.1,
                if bytes > mean_bytes { bytes } else { mean_bytes * 0.95 + bytes * 0.05 },
            ),
        });
    }
}
