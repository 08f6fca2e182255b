//! A group of events and its aggregates.

use std::collections::HashMap;

use analytics_columns::{Actors, NumberSet};

use crate::{Cell, Property};

/// Sums take numbers beyond this as this, as in SQL.
const LARGEST: f64 = 1e290;

/// An aggregate of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Counted {
    Events,
    Sessions,
    Users,
    Visitors,
    Sum(Property),
    Numbers(Property),
    Min(Property),
    Max(Property),
}

impl Counted {
    pub(super) fn property(&self) -> Option<&Property> {
        match self {
            Self::Sum(property) | Self::Numbers(property) | Self::Min(property) | Self::Max(property) => Some(property),
            Self::Events | Self::Sessions | Self::Users | Self::Visitors => None,
        }
    }
}

/// A group.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) events: i64,
    pub(super) sessions: NumberSet,
    pub(super) users: NumberSet,
    /// People known by a user, and those known by a session alone.
    pub(super) people: NumberSet,
    pub(super) strangers: NumberSet,
    pub(super) numbers: Vec<NumberTally>,
}

impl Group {
    /// About how many bytes its sets take.
    pub(super) fn bytes(&self) -> usize {
        self.sessions.bytes() + self.users.bytes() + self.people.bytes() + self.strangers.bytes()
    }
}

/// What is made of numbers.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct NumberTally {
    sum: f64,
    count: i64,
    least: Option<f64>,
    greatest: Option<f64>,
}

impl NumberTally {
    pub(super) fn add(&mut self, number: f64) {
        self.sum += number.clamp(-LARGEST, LARGEST);
        self.count += 1;
        self.least = Some(self.least.map_or(number, |least| least.min(number)));
        self.greatest = Some(self.greatest.map_or(number, |greatest| greatest.max(number)));
    }
}

/// The cell of an aggregate; `numbers` are the paths of the group's tallies.
pub(super) fn aggregate(group: &mut Group, counted: &Counted, numbers: &[Property]) -> Cell {
    let tally = counted.property().and_then(|property| numbers.iter().position(|known| known == property));
    let tally = tally.and_then(|place| group.numbers.get(place)).copied().unwrap_or_default();
    let number = |number: Option<f64>| number.map_or(Cell::Null, Cell::Float);
    match counted {
        Counted::Events => Cell::Int(group.events),
        Counted::Sessions => Cell::Int(group.sessions.count() as i64),
        Counted::Users => Cell::Int(group.users.count() as i64),
        Counted::Visitors => Cell::Int((group.people.count() + group.strangers.count()) as i64),
        Counted::Sum(_) => number((tally.count > 0).then_some(tally.sum)),
        Counted::Numbers(_) => Cell::Int(tally.count),
        Counted::Min(_) => number(tally.least),
        Counted::Max(_) => number(tally.greatest),
    }
}

/// Which distinct things are counted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sets {
    sessions: bool,
    users: bool,
    visitors: bool,
}

impl Sets {
    pub(super) fn of(counted: &[Counted]) -> Self {
        Self {
            sessions: counted.contains(&Counted::Sessions),
            users: counted.contains(&Counted::Users),
            visitors: counted.contains(&Counted::Visitors),
        }
    }

    pub(super) fn insert(self, group: &mut Group, actors: &Actors, pair: usize, changed: &HashMap<u32, u32>) {
        let at = |numbers: &[u32]| numbers.get(pair).copied().unwrap_or(0);
        let (session, user) = (at(&actors.sessions), at(&actors.users));
        if self.sessions {
            group.sessions.insert(session);
        }
        if self.users && user > 0 {
            group.users.insert(user);
        }
        if self.visitors {
            let known = || changed.get(&session).copied().unwrap_or_else(|| at(&actors.known));
            match if user > 0 { user } else { known() } {
                0 => group.strangers.insert(session),
                person => group.people.insert(person),
            }
        }
    }
}

/// The pairs that were met in a group already.
#[derive(Debug)]
pub(super) struct Seen {
    stamps: Vec<u32>,
    stamp: u32,
}

impl Seen {
    /// None of so many pairs was met.
    pub(super) fn new(pairs: usize) -> Self {
        Self { stamps: vec![0; pairs], stamp: 0 }
    }

    /// The next group begins.
    pub(super) fn next(&mut self) {
        self.stamp += 1;
    }

    /// Whether the pair is met for the first time in this group.
    pub(super) fn is_new(&mut self, pair: usize) -> bool {
        let Some(stamp) = self.stamps.get_mut(pair) else { return false };
        let is_new = *stamp != self.stamp;
        *stamp = self.stamp;
        is_new
    }
}
