//! In which units of the calendar each actor started and returned, gathered quarter by quarter.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use analytics_columns::{ACTOR, ACTORS, Segment, TIME};
use analytics_domain::Timestamp;

use super::mask::mask;
use super::reader::{Quarterly, Stop};
use super::scanning::keys;
use super::shards::{SHARDS, ordered, shard_of};
use super::threads::Hired;
use super::turns::{Share, Shared};
use super::values::{Fields, columns_of, fields_of};
use crate::scan::ActorKey;
use crate::{Actor, Buckets, Filter, QueryError, Range};

/// Most (actor, unit, quarter) that are gathered at once: some 200 MB while lists of them grow. Where they are reached, those of
/// an actor and unit are made one; where they are still more than three quarters, it is done in several turns, or raw rows are
/// read, which come in order.
const STAYS_MAX: usize = 5_500_000;

/// What counts as a start and as a return, and where each actor had them so far.
#[derive(Debug, Clone)]
pub(crate) struct Staying {
    by: Actor,
    share: Share,
    read: Range,
    /// Before it lies no unit.
    border: Timestamp,
    units: Buckets,
    starts: Vec<Filter>,
    returns: Vec<Filter>,
    most: usize,
    /// By the shard of the actor. All who take quarters for an answer add to the same: in whatever order, they add up.
    shards: Arc<[Mutex<Vec<Stay>>]>,
    /// How many stays that is.
    count: Arc<AtomicUsize>,
    /// How many events were starts or returns.
    events: Arc<AtomicU64>,
}

/// What an actor did in a unit, or in a part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stay {
    /// In microseconds; the greatest number for none.
    first_start: i64,
    /// In microseconds; the least number for none.
    last_return: i64,
    /// As [`keys`] gives it.
    actor: u32,
    /// -1 before the border.
    unit: i32,
}

impl Default for Stay {
    fn default() -> Self {
        Self { first_start: i64::MAX, last_return: i64::MIN, actor: 0, unit: 0 }
    }
}

impl Stay {
    /// Takes in what the actor did in another part of the unit.
    fn add(&mut self, other: &Self) {
        self.first_start = self.first_start.min(other.first_start);
        self.last_return = self.last_return.max(other.last_return);
    }
}

/// An actor's events in a unit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UnitStay {
    pub(crate) actor: ActorNumber,
    /// The index of the unit; `None` before the border.
    pub(crate) unit: Option<usize>,
    pub(crate) first_start: Option<Timestamp>,
    pub(crate) last_return: Option<Timestamp>,
}

/// An actor, as a number that no other has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ActorNumber(u32);

impl From<ActorNumber> for ActorKey {
    fn from(ActorNumber(number): ActorNumber) -> Self {
        Self::Number(u64::from(number))
    }
}

impl From<Stay> for UnitStay {
    fn from(stay: Stay) -> Self {
        let instant = |micros: i64, none: i64| (micros != none).then(|| Timestamp::from_micros(micros));
        Self {
            actor: ActorNumber(stay.actor),
            unit: usize::try_from(stay.unit).ok(),
            first_start: instant(stay.first_start, i64::MAX),
            last_return: instant(stay.last_return, i64::MIN),
        }
    }
}

/// What actors of a shard did, by actor and unit, each once.
fn united(stays: &[Vec<Stay>]) -> Vec<Stay> {
    let mut all = ordered(stays, |stay| stay.actor, |stay| stay.unit);
    all.dedup_by(|next, stay| {
        let is_same = (next.actor, next.unit) == (stay.actor, stay.unit);
        if is_same {
            stay.add(next);
        }
        is_same
    });
    all
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
            share: Share::ALL,
            read,
            border,
            units: units.clone(),
            starts: starts.to_vec(),
            returns: returns.to_vec(),
            most: STAYS_MAX,
            shards: empty_shards(),
            count: Arc::default(),
            events: Arc::default(),
        }
    }

    /// How many events were starts or returns, all takers' together.
    pub(crate) fn events(&self) -> u64 {
        self.events.load(Ordering::Relaxed)
    }

    /// The unit that holds an instant, -1 before the border, and where it ends.
    fn unit_at(&self, instant: Timestamp) -> (i32, Timestamp) {
        if instant < self.border {
            return (-1, self.border);
        }
        match self.units.index_of(instant) {
            Some(index) => (
                i32::try_from(index).unwrap_or(i32::MAX),
                self.units.end_of(index).max(instant.saturating_add_micros(1)),
            ),
            None => (-1, self.read.to),
        }
    }

    fn shards(&self) -> impl Iterator<Item = MutexGuard<'_, Vec<Stay>>> {
        self.shards.iter().map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Folds the stays, each actor's by unit, into as many folds as there are threads.
    pub(crate) fn fold<F: Send>(
        self,
        hired: &Hired,
        fresh: impl Fn() -> F + Sync,
        take: impl Fn(&mut F, UnitStay) + Sync,
    ) -> Result<Vec<F>, QueryError> {
        let shards = self.shards().map(|mut shard| std::mem::take(&mut *shard)).collect();
        hired.fold(shards, fresh, |fold, shard| {
            united(&[shard]).into_iter().for_each(|stay| take(fold, stay.into()));
            Ok(())
        })
    }

    /// Adds what actors did. Whoever adds something else meanwhile waits for one shard at most.
    fn add(&self, mut stays: Vec<Stay>) {
        stays.sort_unstable_by_key(|stay| shard_of(stay.actor));
        for of_shard in stays.chunk_by(|one, other| shard_of(one.actor) == shard_of(other.actor)) {
            let shard = of_shard.first().and_then(|first| self.shards.get(shard_of(first.actor)));
            let Some(shard) = shard else { continue };
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.extend_from_slice(of_shard);
            // Before the shard is left: who has all of them counts anew.
            self.count.fetch_add(of_shard.len(), Ordering::Relaxed);
        }
    }

    /// Makes what an actor did in a unit one. Others wait meanwhile.
    fn unite(&self) {
        let mut shards: Vec<_> = self.shards().collect();
        // Somebody else may just have done it.
        if self.count.load(Ordering::Relaxed) <= self.most {
            return;
        }
        for shard in &mut shards {
            **shard = united(&[std::mem::take(&mut **shard)]);
        }
        self.count.store(shards.iter().map(|shard| shard.len()).sum(), Ordering::Relaxed);
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
        // A quarter seldom lies in two units.
        while let Some(time) = times.get(event).filter(|_| event < after) {
            let (unit, end) = self.unit_at(*time);
            let until = times.partition_point(|time| *time < end).min(after);
            let of_pair = |actor: &u32| (0_u64, Stay { actor: *actor, unit, ..Stay::default() });
            let mut of_pairs: Vec<(u64, Stay)> = keys.iter().map(of_pair).collect();
            for ((event, time), pair) in times.iter().enumerate().zip(&pairs).take(until).skip(event) {
                let (is_start, is_return) = (holds(&starts, event), holds(&returns, event));
                let of_pair = of_pairs.get_mut(*pair as usize).filter(|_| is_start || is_return);
                let Some((events, stay)) = of_pair else { continue };
                *events += 1;
                // Instants ascend.
                if is_start {
                    stay.first_start = stay.first_start.min(time.as_micros());
                }
                if is_return {
                    stay.last_return = time.as_micros();
                }
            }
            of_pairs.retain(|(events, stay)| *events > 0 && self.share.holds(stay.actor));
            self.events.fetch_add(of_pairs.iter().map(|(events, _)| events).sum(), Ordering::Relaxed);
            self.add(of_pairs.into_iter().map(|(_, stay)| stay).collect());
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
        self.unite();
        let most = self.most / 4 * 3;
        if self.count.load(Ordering::Relaxed) <= most {
            return Ok(());
        }
        let message = format!(
            "the question looks at more than {most} persons and units; narrow date_range, ask for a longer unit or add a filter"
        );
        Err(Stop::TooLarge(message))
    }
}

impl Shared for Staying {
    fn of_share(&self, share: Share) -> Self {
        Self { share, shards: empty_shards(), count: Arc::default(), events: Arc::default(), ..self.clone() }
    }
}

fn empty_shards() -> Arc<[Mutex<Vec<Stay>>]> {
    (0..SHARDS).map(|_| Mutex::default()).collect()
}

#[cfg(test)]
mod tests {
    use analytics_columns::{EventRow, Quarter, columns};

    use super::*;
    use crate::{Interval, Zone};

    /// A quarter in which so many sessions have an event each.
    fn quarter(quarter: i64, sessions: u32) -> Segment {
        let row = |session| EventRow {
            timestamp: Quarter(quarter).start(),
            session,
            user: 0,
            known: 0,
            event_type: "a",
            event_action: "b",
            metadata: "{}",
        };
        let rows: Vec<EventRow<'_>> = (1..=sessions).map(row).collect();
        Segment::new(Quarter(quarter), columns(&rows))
    }

    #[test]
    fn no_more_is_kept_than_may_be_and_what_is_the_same_counts_once() {
        let range = Range { from: Quarter(0).start(), to: Quarter(96).start() };
        let units = Buckets::new(Interval::Day, range, &Zone::utc(), 10).unwrap();
        let staying = |most| Staying { most, ..Staying::new(Actor::Session, range, range.from, &units, &[], &[]) };
        // Ten sessions, in a day of ninety quarters.
        let mut enough = staying(20);
        for place in 0..90 {
            enough.take(&quarter(place, 10), &HashMap::new()).unwrap();
            assert!(enough.count.load(Ordering::Relaxed) <= 20);
        }
        let take = |all: &mut Vec<UnitStay>, stay| all.push(stay);
        assert_eq!(enough.events(), 900);
        let stays = enough.fold(&Hired::nobody(), Vec::new, take).unwrap().concat();
        assert_eq!(stays.len(), 10);
        for stay in stays {
            assert_eq!(stay.unit, Some(0));
            assert_eq!(stay.first_start, Some(Quarter(0).start()));
            assert_eq!(stay.last_return, Some(Quarter(89).start()));
        }
        let mut refused = staying(20);
        refused.take(&quarter(0, 16), &HashMap::new()).unwrap();
        let refused = refused.take(&quarter(1, 16), &HashMap::new());
        assert!(matches!(refused, Err(Stop::TooLarge(message)) if message.contains("more than 15 persons")));
    }
}
