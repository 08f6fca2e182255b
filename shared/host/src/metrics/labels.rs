//! A label whose values clients choose, held to a bounded set.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, OnceLock, PoisonError};

use metrics::Counter;

/// How many values of a client a label shows before all further ones are counted as [`OTHER`].
pub const MOST_LABELS: usize = 50;

/// The label of every value beyond the first [`MOST_LABELS`].
pub const OTHER: &str = "other";

/// Slots of the table; a power of two above twice [`MOST_LABELS`], so that look-ups end soon.
const SLOTS: usize = 128;

/// A counter by a label that clients choose: the first [`MOST_LABELS`] values of the process, then `other`.
///
/// A value once seen is found without a lock and without allocating, so it may be asked for with every event.
pub struct BoundedLabels {
    name: &'static str,
    label: &'static str,
    hasher: RandomState,
    slots: Box<[Slot]>,
    taken: Mutex<usize>,
    other: Counter,
}

impl BoundedLabels {
    /// A counter of the registry and its label. The recorder has to be installed before.
    #[must_use]
    pub fn new(name: &'static str, label: &'static str) -> Self {
        Self {
            name,
            label,
            hasher: RandomState::new(),
            slots: (0..SLOTS).map(|_| OnceLock::new()).collect(),
            taken: Mutex::new(0),
            other: metrics::counter!(name, label => OTHER),
        }
    }

    /// The counter of `value`, or of [`OTHER`] where the set is full.
    pub fn counter(&self, value: &str) -> &Counter {
        let first = self.hasher.hash_one(value) as usize % SLOTS;
        match self.find(first, value) {
            Found::Counter(counter) => counter,
            Found::Free => self.insert(first, value),
        }
    }

    /// Walks from `first` to the value or to a free slot; slots are never emptied, and more than half stay free.
    fn find(&self, first: usize, value: &str) -> Found<'_> {
        for step in 0..SLOTS {
            match self.slots[(first + step) % SLOTS].get() {
                Some((known, counter)) if known.as_ref() == value => return Found::Counter(counter),
                Some(_) => {}
                None => return Found::Free,
            }
        }
        Found::Counter(&self.other)
    }

    fn insert(&self, first: usize, value: &str) -> &Counter {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if value == OTHER || *taken >= MOST_LABELS {
            return &self.other;
        }
        for step in 0..SLOTS {
            let slot = &self.slots[(first + step) % SLOTS];
            let (known, counter) = slot.get_or_init(|| {
                *taken += 1;
                (value.into(), metrics::counter!(self.name, self.label => value.to_owned()))
            });
            if known.as_ref() == value {
                return counter;
            }
        }
        &self.other
    }
}

/// A value and its counter, once there is one.
type Slot = OnceLock<(Box<str>, Counter)>;

enum Found<'a> {
    Counter(&'a Counter),
    Free,
}

impl std::fmt::Debug for BoundedLabels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BoundedLabels").field("name", &self.name).field("label", &self.label).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_names_make_fifty_one_series() {
        crate::metrics::install();
        let labels = BoundedLabels::new("test_bounded_total", "type");
        for index in 0..1_000_000_u32 {
            labels.counter(&format!("type-{index}")).increment(1);
        }
        labels.counter("type-7").increment(1);
        labels.counter("other").increment(1);
        let page = crate::metrics::render();
        let series: Vec<&str> = page.lines().filter(|line| line.starts_with("test_bounded_total{")).collect();
        assert_eq!(series.len(), MOST_LABELS + 1);
        assert!(series.contains(&r#"test_bounded_total{type="type-7"} 2"#), "{series:?}");
        assert!(series.contains(&r#"test_bounded_total{type="type-49"} 1"#), "{series:?}");
        assert!(series.contains(&r#"test_bounded_total{type="other"} 999951"#), "{series:?}");
    }

    #[test]
    fn threads_that_race_count_nothing_twice() {
        crate::metrics::install();
        let labels = BoundedLabels::new("test_raced_total", "type");
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope
                    .spawn(|| (0..20_000_u32).for_each(|index| labels.counter(&(index % 80).to_string()).increment(1)));
            }
        });
        let page = crate::metrics::render();
        let values = page.lines().filter(|line| line.starts_with("test_raced_total{"));
        let counts: Vec<u64> = values.map(|line| line.rsplit_once(' ').unwrap().1.parse().unwrap()).collect();
        assert_eq!(counts.len(), MOST_LABELS + 1);
        assert_eq!(counts.iter().sum::<u64>(), 80_000);
    }
}
