//! Ids of events and batches that came without one.

use std::sync::{Mutex, PoisonError};

use analytics_domain::Timestamp;
use uuid::Uuid;

/// Ids that one batch may need: its events' and its own.
const RESERVED: u64 = 1_001;

/// A source of UUIDv7 that rise strictly in the order in which they are given, whatever the clock does.
///
/// Of the 74 bits behind the millisecond, 42 count (RFC 9562, 6.2, method 1) from a random place of the lower half, so that
/// processes do not meet, and 32 are random for each id.
#[derive(Debug, Default)]
pub struct EventIds {
    state: Mutex<State>,
}

#[derive(Debug, Default, Clone, Copy)]
struct State {
    millis: u64,
    count: u64,
}

const COUNT_BITS: u32 = 42;

impl EventIds {
    /// A source.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Ids for one batch that was received at `received_at`, all above those of every batch before.
    ///
    /// It gives up to 1,001 ids: one a possible event, and one for the batch.
    pub fn batch(&self, received_at: Timestamp) -> impl FnMut() -> Uuid + use<> {
        let millis = u64::try_from(received_at.as_millis()).unwrap_or(0);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that stands still or goes back goes on counting in the latest millisecond; a count that is full (no
        // process gets there) borrows the next one.
        if millis > state.millis {
            *state = State { millis, count: first_count() };
        } else if state.count + RESERVED >= 1 << COUNT_BITS {
            *state = State { millis: state.millis + 1, count: first_count() };
        }
        let State { millis, mut count } = *state;
        state.count += RESERVED;
        drop(state);
        move || {
            count += 1;
            id(millis, count, rand::random())
        }
    }
}

fn first_count() -> u64 {
    rand::random::<u64>() >> (64 - COUNT_BITS + 1)
}

/// A UUID of version 7 and variant 1: 48 bits of milliseconds, 12 and 30 bits of count, 32 random bits.
const fn id(millis: u64, count: u64, random: u32) -> Uuid {
    let high = (millis << 16) | 0x7000 | ((count >> 30) & 0xFFF);
    let low = (0b10 << 62) | ((count & 0x3FFF_FFFF) << 32) | random as u64;
    Uuid::from_u64_pair(high, low)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn rises_in_order_and_tells_its_millisecond() {
        let ids = EventIds::new();
        let mut last = Uuid::nil();
        // A clock that stands, goes on and goes back.
        for millis in [1_793_613_600_000, 1_793_613_600_000, 1_793_613_600_001, 1_793_613_599_000, 1_793_613_600_002] {
            let mut batch = ids.batch(Timestamp::from_millis(millis).unwrap());
            for _ in 0..RESERVED {
                let id = batch();
                assert!(id > last, "{id} after {last}");
                assert_eq!((id.get_version_num(), id.get_variant()), (7, uuid::Variant::RFC4122));
                last = id;
            }
        }
        let (seconds, nanos) = last.get_timestamp().unwrap().to_unix();
        assert_eq!((seconds, nanos), (1_793_613_600, 2_000_000));
    }

    #[test]
    fn threads_get_different_ids() {
        let ids = EventIds::new();
        let all: Vec<Uuid> = std::thread::scope(|scope| {
            let spawned: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        let now = Timestamp::from_millis(1_793_613_600_000).unwrap();
                        (0..200)
                            .flat_map(|_| {
                                let mut batch = ids.batch(now);
                                (0..50).map(move |_| batch()).collect::<Vec<_>>()
                            })
                            .collect::<Vec<_>>()
                    })
                })
                .collect();
            spawned.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), 40_000);
    }

    #[test]
    fn a_full_count_borrows_the_next_millisecond() {
        let ids = EventIds::new();
        *ids.state.lock().unwrap() = State { millis: 5, count: (1 << COUNT_BITS) - 2 };
        let id = ids.batch(Timestamp::from_millis(5).unwrap())();
        assert!(id > super::id(5, (1 << COUNT_BITS) - 1, u32::MAX));
    }
}
