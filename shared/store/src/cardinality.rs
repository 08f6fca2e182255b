//! How many values of a dimension a day counts one by one, and where the others go.
//!
//! A client that puts an id into `event_action` would otherwise give `daily_metrics` as many rows as it has events. So a day
//! has rows for a bounded number of values, and one more, [`OTHER_VALUE`], that counts all others: the sum over the values
//! stays what the day's row without dimension says.
//!
//! A value is either wholly in its own row or wholly in that of the others: a value gets a row when its first event of the
//! day comes and there is room, and from the first value that finds none, no further one gets a row that day. What has a row
//! keeps it. A client's own value `__other__` is counted there too, as the first without room.
//!
//! Only values without a row are ever looked into. Writers that bring some for the same day take turns: the adapter holds
//! the lock of the day's row without dimension, which every writer of the day updates first.

use std::collections::BTreeMap;

use analytics_query::OTHER_VALUE;

use crate::settlement::Rollup;

/// Values of `event_type` that a UTC day of a project counts one by one.
pub const EVENT_TYPES_A_DAY: u32 = 1_000;

/// Values of `event_action` that a UTC day of a project counts one by one.
pub const EVENT_ACTIONS_A_DAY: u32 = 10_000;

/// How many values a UTC day of a project counts one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cardinality {
    /// Of `event_type`.
    pub event_types: u32,
    /// Of `event_action`.
    pub event_actions: u32,
}

/// [`EVENT_TYPES_A_DAY`] and [`EVENT_ACTIONS_A_DAY`].
impl Default for Cardinality {
    fn default() -> Self {
        Self { event_types: EVENT_TYPES_A_DAY, event_actions: EVENT_ACTIONS_A_DAY }
    }
}

impl Cardinality {
    /// That of a dimension.
    pub(crate) fn of(self, dimension_key: &str) -> u32 {
        if dimension_key == "event_type" { self.event_types } else { self.event_actions }
    }
}

/// A day's values of one dimension.
pub(crate) type Shelf<'w> = (&'w str, i64, &'static str);

/// The shelf that a rollup belongs on.
pub(crate) const fn shelf<'w>(rollup: &Rollup<'w>) -> Shelf<'w> {
    (rollup.project, rollup.day, rollup.dimension_key)
}

/// What a shelf holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Held {
    /// Rows of so many values, and none of the others.
    Values(u32),
    /// A row of the others: no further value gets a row.
    Others,
}

/// The shelves of rollups, each once, in their order.
pub(crate) fn shelves<'w>(rollups: &[Rollup<'w>]) -> Vec<Shelf<'w>> {
    let mut shelves: Vec<Shelf<'w>> = rollups.iter().map(shelf).collect();
    shelves.dedup();
    shelves
}

/// Says for values that have no row where they are counted; sorted, as they came, each row once.
pub(crate) fn settle_values<'w>(
    unheld: Vec<Rollup<'w>>,
    shelves: &BTreeMap<Shelf<'w>, Held>,
    cardinality: Cardinality,
) -> Vec<Rollup<'w>> {
    let mut settled: Vec<Rollup<'w>> = Vec::with_capacity(unheld.len());
    let mut others: BTreeMap<Shelf<'w>, i64> = BTreeMap::new();
    let mut taken: BTreeMap<Shelf<'w>, u32> = BTreeMap::new();
    for rollup in unheld {
        let shelf = shelf(&rollup);
        let has_room = match shelves.get(&shelf) {
            Some(Held::Others) => false,
            Some(Held::Values(held)) => held + taken.get(&shelf).unwrap_or(&0) < cardinality.of(rollup.dimension_key),
            None => taken.get(&shelf).unwrap_or(&0) < &cardinality.of(rollup.dimension_key),
        };
        if has_room && rollup.dimension_value != OTHER_VALUE {
            *taken.entry(shelf).or_default() += 1;
            settled.push(rollup);
        } else {
            *others.entry(shelf).or_default() += rollup.count;
        }
    }
    settled.extend(others.into_iter().map(|((project, day, dimension_key), count)| Rollup {
        project,
        day,
        dimension_key,
        dimension_value: OTHER_VALUE,
        count,
    }));
    settled.sort_unstable();
    settled
}
