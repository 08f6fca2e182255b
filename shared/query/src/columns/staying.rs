//! In which units of the calendar each actor started and returned, gathered quarter by quarter.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use analytics_columns::{ACTOR, ACTORS, Segment, TIME};
use analytics_domain::Timestamp;
use foldhash::fast::RandomState;

use super::mask::mask;
use super::reader::{Quarterly, Stop};
use super::scanning::keys;
use super::shards::{SHARDS, shard_of};
use super::threads::Hired;
use super::values::{Fields, columns_of, fields_of};
use crate::scan::ActorKey;
use crate::{Actor, Buckets, Filter, QueryError, Range};

/// Most (actor, unit) that are gathered for one answer: some 350 MB while they are put in order. More are read from raw rows,
/// which come in order.
const STAYS_MAX: usize = 2_000_000;

/// What counts as a start and as a return, and where each actor had them so far.
#[derive(Debug, Clone)]
pub(crate) struct Staying {
    by: Actor,
    read: Range,
    /// Before it lies no unit.
    border: Timestamp,
    units: Buckets,
    starts: Vec<Filter>,
    returns: Vec<Filter>,
    most: usize,
    /// By the shard of the actor. All who take quarters for an answer add to the same: in whatever order, they add up.
    shards: Arc<[Mutex<Shard>]>,
    /// How many stays that is.
    count: Arc<AtomicUsize>,
}

type Shard = HashMap<(u32, i64), UnitStay, RandomState>;

/// An actor's events in a unit.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct UnitStay {
    pub(crate) first_start: Option<Timestamp>,
    pub(crate) last_return: Option<Timestamp>,
    pub(crate) events: u64,
}

impl UnitStay {
    fn add(&mut self, other: Self) {
        self.first_start = match (self.first_start, other.first_start) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        self.last_return = self.last_return.max(other.last_return);
        self.events += other.events;
    }
}

impl Staying {
    /// The units are told from `border` on; `read` may reach further back.
    pub(crate) fn new(
        by: Actor,
        read: Range,
        border: Timestamp,
        units: &Buckets,
        starts: &[Filter],
        returns: &[Filter],
    ) -> Self {
        Self {
            by,
            read,
            border,
            units: units.clone(),
            starts: starts.to_vec(),
            returns: returns.to_vec(),
            most: STAYS_MAX,
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            count: Arc::default(),
        }
    }

    /// The unit that holds an instant, -1 before the border, and where it ends.
    fn unit_at(&self, instant: Timestamp) -> (i64, Timestamp) {
        if instant < self.border {
            return (-1, self.border);
        }
        match self.units.index_of(instant) {
            Some(index) => (index as i64, self.units.end_of(index).max(instant.saturating_add_micros(1))),
            None => (-1, self.read.to),
        }
    }

    /// Folds the stays, each actor's by unit, into as many folds as there are threads. A unit is its index, `None` before the border.
    pub(crate) fn fold<F: Send>(
        self,
        hired: &Hired,
        fresh: impl Fn() -> F + Sync,
        take: impl Fn(&mut F, ActorKey, Option<usize>, UnitStay) + Sync,
    ) -> Result<Vec<F>, QueryError> {
        let own = |shard: &Mutex<Shard>| std::mem::take(&mut *shard.lock().unwrap_or_else(PoisonError::into_inner));
        hired.fold(self.shards.iter().map(own).collect(), fresh, |fold, shard| {
            let mut stays: Vec<((u32, i64), UnitStay)> = shard.into_iter().collect();
            stays.sort_unstable_by_key(|(key, _)| *key);
            for ((actor, unit), stay) in stays {
                take(fold, ActorKey::Number(u64::from(actor)), usize::try_from(unit).ok(), stay);
            }
            Ok(())
        })
    }

    /// Adds what actors did in a unit. Whoever adds something else meanwhile waits for one shard at most.
    fn add(&self, unit: i64, mut of_actors: Vec<(u32, UnitStay)>) {
        of_actors.sort_unstable_by_key(|(actor, _)| shard_of(*actor));
        for of_shard in of_actors.chunk_by(|(one, _), (other, _)| shard_of(*one) == shard_of(*other)) {
            let Some((first, _)) = of_shard.first() else { continue };
            let Some(shard) = self.shards.get(shard_of(*first)) else { continue };
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            let before = shard.len();
            for (actor, stay) in of_shard {
                shard.entry((*actor, unit)).or_default().add(*stay);
            }
            self.count.fetch_add(shard.len() - before, Ordering::Relaxed);
        }
    }
}

impl Quarterly for Staying {
    fn columns(&self) -> Vec<String> {
        let mut names = vec![ACTORS.to_owned(), ACTOR.to_owned(), TIME.to_owned()];
        names.extend(self.starts.iter().chain(&self.returns).flat_map(fields_of).flat_map(|field| columns_of(&field)));
        names.sort_unstable();
        names.dedup();
        names
    }

    fn take(&mut self, segment: &Segment, changed: &HashMap<u32, u32>) -> Result<(), Stop> {
        let actors = segment.actors()?;
        let mut fields = Fields::new(segment, &actors);
        let starts = mask(&self.starts, &mut fields)?;
        let returns = mask(&self.returns, &mut fields)?;
        let times = segment.times(&actors)?;
        let pairs = segment.actor(&actors)?;
        let keys = keys(self.by, &actors, changed)?;
        let holds = |mask: &Option<Vec<bool>>, event: usize| {
            mask.as_ref().is_none_or(|mask| mask.get(event).copied().unwrap_or(false))
        };
        let after = times.partition_point(|time| *time < self.read.to);
        let mut event = times.partition_point(|time| *time < self.read.from);
        // A quarter seldom lies in two units: what its pairs did in one is gathered before it is looked up.
        let mut of_pairs = vec![UnitStay::default(); actors.len()];
        while let Some(time) = times.get(event).filter(|_| event < after) {
            let (unit, end) = self.unit_at(*time);
            let until = times.partition_point(|time| *time < end).min(after);
            let mut touched = Vec::new();
            for event in event..until {
                let (is_start, is_return) = (holds(&starts, event), holds(&returns, event));
                let pair = pairs.get(event).map_or(usize::MAX, |pair| *pair as usize);
                let Some(stay) = of_pairs.get_mut(pair).filter(|_| is_start || is_return) else { continue };
                if stay.events == 0 {
                    touched.push(pair);
                }
                stay.events += 1;
                // Instants ascend.
                let time = times.get(event).copied();
                if is_start && stay.first_start.is_none() {
                    stay.first_start = time;
                }
                if is_return {
                    stay.last_return = time;
                }
            }
            let of_actor = |pair: usize| Some((*keys.get(pair)?, of_pairs.get_mut(pair).map(std::mem::take)?));
            let of_actors = touched.into_iter().filter_map(of_actor).collect();
            self.add(unit, of_actors);
            event = until.max(event + 1);
        }
        self.check()
    }

    fn beside(&self) -> Self {
        self.clone()
    }

    fn join(&mut self, _: Self) -> Result<(), Stop> {
        Ok(())
    }

    /// None of its own: the bound is on what all hold together.
    fn weight(&self) -> usize {
        0
    }

    fn most(&self) -> usize {
        self.most
    }

    fn check(&self) -> Result<(), Stop> {
        if self.count.load(Ordering::Relaxed) <= self.most {
            return Ok(());
        }
        let message = format!(
            "the question looks at more than {} persons and units; narrow date_range, ask for a longer unit or add a filter",
            self.most
        );
        Err(Stop::TooLarge(message))
    }
}
