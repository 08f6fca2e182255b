//! How many events an entry holds, from those that passed by: SQS counts messages only.

use std::sync::{Mutex, PoisonError};

/// Entries from which on older ones fade, so that the mean follows a change of the clients.
const FADE: u64 = 10_000;

/// The mean number of events an entry, as this process saw it.
#[derive(Debug, Default)]
pub(super) struct Mean(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    entries: u64,
    events: u64,
}

impl Mean {
    /// An entry passed by.
    pub(super) fn saw(&self, events: u64) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.entries >= FADE {
            *seen = Seen { entries: seen.entries / 2, events: seen.events / 2 };
        }
        seen.entries += 1;
        seen.events += events;
    }

    /// How many events so many entries hold, about; one an entry where none was seen.
    pub(super) fn events_of(&self, entries: u64) -> u64 {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.entries == 0 {
            return entries;
        }
        let events = u128::from(entries) * u128::from(seen.events) / u128::from(seen.entries);
        u64::try_from(events).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_follows_what_passes() {
        let mean = Mean::default();
        assert_eq!(mean.events_of(7), 7);
        mean.saw(0);
        assert_eq!(mean.events_of(7), 0);
        mean.saw(10);
        assert_eq!(mean.events_of(7), 35);
        for _ in 0..20 * FADE {
            mean.saw(100);
        }
        assert!((99..=100).contains(&mean.events_of(1)), "{}", mean.events_of(1));
    }
}
