//! A group of events and its aggregates.

use std::collections::HashMap;

use analytics_columns::{Actors, BlockCount, Corrupt, NumberSet};
use foldhash::fast::RandomState;

use super::lane::LaneSum;
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
    Percentile(u8, Property),
}

impl Counted {
    pub(super) fn property(&self) -> Option<&Property> {
        match self {
            Self::Sum(property)
            | Self::Numbers(property)
            | Self::Min(property)
            | Self::Max(property)
            | Self::Percentile(_, property) => Some(property),
            Self::Events | Self::Sessions | Self::Users | Self::Visitors => None,
        }
    }
}

/// A group.
#[derive(Debug, Default)]
pub(super) struct Group {
    /// The bucket, 0 where there are none, and the places of its texts, a field after the other.
    pub(super) bucket: usize,
    pub(super) texts: Vec<u32>,
    pub(super) events: i64,
    pub(super) sessions: NumberSet,
    pub(super) users: NumberSet,
    /// People known by a user, and those known by a session alone.
    pub(super) people: NumberSet,
    pub(super) strangers: NumberSet,
    pub(super) numbers: Vec<NumberTally>,
}

impl Group {
    /// Takes in who a session is known by: a user, or, where that is 0, nobody.
    fn insert_person(&mut self, session: u32, user: u32) {
        match user {
            0 => self.strangers.insert(session),
            user => self.people.insert(user),
        }
    }

    /// Puts its sets in order.
    pub(super) fn settle(&mut self) {
        [&mut self.sessions, &mut self.users, &mut self.people, &mut self.strangers]
            .into_iter()
            .for_each(NumberSet::settle);
    }

    /// Takes in what was counted elsewhere, in other lanes, for the same group.
    pub(super) fn join(&mut self, other: Self) {
        self.events += other.events;
        self.sessions.merge(other.sessions);
        self.users.merge(other.users);
        self.people.merge(other.people);
        self.strangers.merge(other.strangers);
        self.numbers.iter_mut().zip(other.numbers).for_each(|(tally, other)| tally.join(other));
    }

    /// About how many bytes its sets and numbers take.
    pub(super) fn bytes(&self) -> usize {
        let sets = self.sessions.bytes() + self.users.bytes() + self.people.bytes() + self.strangers.bytes();
        sets + self.numbers.iter().map(NumberTally::bytes).sum::<usize>()
    }
}

/// What is made of numbers.
#[derive(Debug, Clone, Default)]
pub(super) struct NumberTally {
    sum: LaneSum,
    count: i64,
    least: Option<f64>,
    greatest: Option<f64>,
    /// How often each number was met, where ranks are asked for.
    often: Option<HashMap<u64, u64, RandomState>>,
}

impl NumberTally {
    /// Nothing was met; `ranked`: whether percentiles are asked for.
    pub(super) fn new(ranked: bool) -> Self {
        Self { often: ranked.then(HashMap::default), ..Self::default() }
    }

    /// Takes a number in that was met in a lane.
    pub(super) fn add(&mut self, lane: usize, number: f64) {
        let bounded = number.clamp(-LARGEST, LARGEST);
        self.sum.add(lane, bounded);
        self.count += 1;
        self.least = Some(self.least.map_or(number, |least| least.min(number)));
        self.greatest = Some(self.greatest.map_or(number, |greatest| greatest.max(number)));
        if let Some(often) = &mut self.often {
            // Minus zero is zero.
            *often.entry((bounded + 0.0).to_bits()).or_default() += 1;
        }
    }

    fn join(&mut self, other: Self) {
        self.sum.join(other.sum);
        self.count += other.count;
        self.least = other.least.map_or(self.least, |other| Some(self.least.map_or(other, |least| least.min(other))));
        self.greatest =
            other.greatest.map_or(self.greatest, |other| Some(self.greatest.map_or(other, |known| known.max(other))));
        match (&mut self.often, other.often) {
            (Some(often), Some(other)) if often.is_empty() => *often = other,
            (Some(often), other) => {
                other.into_iter().flatten().for_each(|(bits, times)| *often.entry(bits).or_default() += times);
            }
            (None, _) => {}
        }
    }

    fn bytes(&self) -> usize {
        self.often.as_ref().map_or(0, |often| often.capacity() * 17)
    }

    /// The number at the rank `percent / 100 * (n - 1)`, counted from 0, as PostgreSQL's `percentile_cont` works it out.
    fn percentile(&self, percent: u8) -> Option<f64> {
        let often = self.often.as_ref()?;
        let mut numbers: Vec<(f64, u64)> = often.iter().map(|(bits, often)| (f64::from_bits(*bits), *often)).collect();
        numbers.sort_unstable_by(|(one, _), (other, _)| one.total_cmp(other));
        let rank = f64::from(percent) / 100.0 * (self.count - 1) as f64;
        let at = |rank: f64| {
            let mut before = 0;
            let holds = |(_, often): &&(f64, u64)| {
                before += often;
                before as f64 > rank
            };
            numbers.iter().find(holds).map(|(number, _)| *number)
        };
        let lower = at(rank.floor())?;
        let upper = at(rank.ceil()).unwrap_or(lower);
        Some(lower + (rank - rank.floor()) * (upper - lower))
    }
}

/// The cell of an aggregate; `numbers` are the paths of the group's tallies.
pub(super) fn aggregate(group: &mut Group, counted: &Counted, numbers: &[Property]) -> Cell {
    let tally = counted.property().and_then(|property| numbers.iter().position(|known| known == property));
    let none = NumberTally::default();
    let tally = tally.and_then(|place| group.numbers.get(place)).unwrap_or(&none);
    let number = |number: Option<f64>| number.map_or(Cell::Null, Cell::Float);
    match counted {
        Counted::Events => Cell::Int(group.events),
        Counted::Sessions => Cell::Int(group.sessions.count() as i64),
        Counted::Users => Cell::Int(group.users.count() as i64),
        Counted::Visitors => Cell::Int((group.people.count() + group.strangers.count()) as i64),
        Counted::Sum(_) => number((tally.count > 0).then_some(tally.sum.total())),
        Counted::Numbers(_) => Cell::Int(tally.count),
        Counted::Min(_) => number(tally.least),
        Counted::Max(_) => number(tally.greatest),
        Counted::Percentile(percent, _) => number(tally.percentile(*percent)),
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

    /// Whether any is.
    pub(super) const fn are_needed(self) -> bool {
        self.sessions || self.users || self.visitors
    }

    /// Takes the people of a block's events in.
    pub(super) fn merge(
        self,
        group: &mut Group,
        count: &BlockCount<'_>,
        changed: &HashMap<u32, u32>,
    ) -> Result<(), Corrupt> {
        if self.sessions {
            count.add_sessions(&mut group.sessions)?;
        }
        if self.users {
            count.add_users(&mut group.users)?;
        }
        if self.visitors {
            count.add_users(&mut group.people)?;
            let strangers = if changed.is_empty() {
                count.add_strangers(&mut group.strangers)?;
                Vec::new()
            } else {
                count.strangers()?
            };
            for (session, known) in strangers.into_iter().map(|session| (session, 0)).chain(count.known()?) {
                group.insert_person(session, changed.get(&session).copied().unwrap_or(known));
            }
        }
        Ok(())
    }

    /// Takes the people of pairs in, each of which may come again.
    pub(super) fn insert(
        self,
        group: &mut Group,
        actors: &Actors,
        pairs: impl Iterator<Item = usize> + Clone,
        changed: &HashMap<u32, u32>,
    ) {
        let at = |numbers: &[u32], pair: usize| numbers.get(pair).copied().unwrap_or(0);
        if self.sessions {
            pairs.clone().for_each(|pair| group.sessions.insert(at(&actors.sessions, pair)));
        }
        if self.users {
            let users = pairs.clone().map(|pair| at(&actors.users, pair));
            users.filter(|user| *user > 0).for_each(|user| group.users.insert(user));
        }
        if self.visitors {
            for pair in pairs {
                let (session, user) = (at(&actors.sessions, pair), at(&actors.users, pair));
                let known = || changed.get(&session).copied().unwrap_or_else(|| at(&actors.known, pair));
                group.insert_person(session, if user > 0 { user } else { known() });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_lie_between_the_numbers_around_their_rank() {
        let mut tally = NumberTally::new(true);
        assert_eq!(tally.percentile(50), None);
        [4.0, 1.0, 4.0, 2.0].into_iter().for_each(|number| tally.add(0, number));
        assert_eq!(tally.percentile(50), Some(3.0));
        assert_eq!(tally.percentile(1), Some(1.03));
        assert_eq!(tally.percentile(99), Some(4.0));
        tally.add(0, f64::MAX);
        assert_eq!(tally.percentile(75), Some(4.0));
        assert_eq!(tally.greatest, Some(f64::MAX));
        let mut one = NumberTally::new(true);
        one.add(0, -0.0);
        assert_eq!(one.percentile(95).map(f64::to_bits), Some(0));
    }
}
