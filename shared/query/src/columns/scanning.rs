//! The events of each actor one after the other, gathered quarter by quarter.

use std::collections::HashMap;
use std::sync::Arc;

use analytics_columns::{ACTOR, ACTORS, Actors, Corrupt, Segment, TIME};
use analytics_domain::Timestamp;

use super::kinds::{Kind, Kinds};
use super::mask::{mask, passes};
use super::reader::{Quarterly, Stop};
use super::shards::{SHARDS, ordered, shard_of};
use super::threads::Hired;
use super::turns::{Share, Shared};
use super::values::{Fields, columns_of, fields_of};
use crate::scan::{ActorKey, ScannedEvent};
use crate::{Actor, Field, Filter, QueryError, Range};

/// Most events that are gathered at once: some 180 MB with the room that lists of them keep. More are read in several turns, or
/// from raw rows, which come in order.
const EVENTS_MAX: usize = 9_000_000;

/// Lists of events grow by so great a part of themselves: where they doubled, half of what they take could be room.
const GROWTH: usize = 4;

/// Which events are gathered, and what is told of each.
#[derive(Debug, Clone)]
struct Asked {
    by: Actor,
    share: Share,
    range: Range,
    filters: Vec<Filter>,
    marks: Vec<Mark>,
    unmarked: bool,
    label: Option<Field>,
    most: usize,
}

/// The events so far.
#[derive(Debug)]
pub(crate) struct Scanning {
    asked: Asked,
    /// By the shard of their actor, as they came.
    hits: Vec<Vec<Hit>>,
    /// What others took, likewise.
    others: Vec<Vec<Vec<Hit>>>,
    /// How many events that is.
    count: usize,
    kinds: Kinds,
    places: HashMap<Arc<str>, u32>,
    labels: Vec<Arc<str>>,
}

/// What sets a bit: all filters of a list.
#[derive(Debug, Clone)]
struct Mark {
    filters: Vec<Filter>,
    /// The field, where they look at one alone.
    field: Option<Field>,
}

impl Mark {
    fn new(filters: &[Filter]) -> Self {
        let fields: Vec<Field> = filters.iter().flat_map(fields_of).collect();
        let field = fields.first().filter(|first| fields.iter().all(|field| field == *first)).cloned();
        Self { filters: filters.to_vec(), field }
    }
}

/// An event that can matter. There are millions of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Hit {
    timestamp: i64,
    /// As [`key`] gives it.
    actor: u32,
    /// The place of its [`Kind`].
    kind: u32,
}

impl Scanning {
    pub(crate) fn new(
        by: Actor,
        range: Range,
        filters: &[Filter],
        marks: &[&[Filter]],
        unmarked: bool,
        label: Option<&Field>,
    ) -> Self {
        Self::empty(Asked {
            by,
            share: Share::ALL,
            range,
            filters: filters.to_vec(),
            marks: marks.iter().map(|filters| Mark::new(filters)).collect(),
            unmarked,
            label: label.cloned(),
            most: EVENTS_MAX,
        })
    }

    fn empty(asked: Asked) -> Self {
        Self {
            asked,
            hits: vec![Vec::new(); SHARDS],
            others: Vec::new(),
            count: 0,
            kinds: Kinds::default(),
            places: HashMap::new(),
            labels: Vec::new(),
        }
    }

    fn places_of_labels(&mut self, fields: &mut Fields<'_>) -> Result<Vec<u32>, Corrupt> {
        let Some(field) = &self.asked.label else { return Ok(Vec::new()) };
        let values = fields.values(field)?;
        let by_code: Vec<u32> = values
            .values
            .iter()
            .map(|value| {
                let Some(text) = value.text() else { return 0 };
                match self.places.get(text.as_ref()) {
                    Some(place) => *place,
                    None => self.new_label(Arc::from(text.as_ref())),
                }
            })
            .collect();
        Ok(values.codes.iter().map(|code| by_code.get(*code as usize).copied().unwrap_or(0)).collect())
    }

    fn new_label(&mut self, label: Arc<str>) -> u32 {
        self.labels.push(Arc::clone(&label));
        let place = self.labels.len() as u32;
        self.places.insert(label, place);
        place
    }

    /// For each event a bit for each list of filters that it passes.
    ///
    /// Lists that look at one field alone, as most do, are told by its value: all those of a field by one look at each event.
    fn marks_of_events(&self, fields: &mut Fields<'_>) -> Result<Vec<u64>, Corrupt> {
        let mut by_value: Vec<(&Field, Vec<u64>)> = Vec::new();
        let mut always = 0;
        let mut masks = Vec::new();
        for (bit, Mark { filters, field }) in self.asked.marks.iter().enumerate() {
            let Some(field) = field else {
                match mask(filters, fields)? {
                    None => always |= 1 << bit,
                    Some(passing) => masks.push((bit, passing)),
                }
                continue;
            };
            let values = fields.values(field)?;
            let place = by_value.iter().position(|(known, _)| *known == field).unwrap_or_else(|| {
                by_value.push((field, vec![0; values.values.len()]));
                by_value.len() - 1
            });
            let Some((_, of_values)) = by_value.get_mut(place) else { continue };
            for (marks, value) in of_values.iter_mut().zip(&values.values) {
                *marks |= u64::from(filters.iter().all(|filter| passes(filter, *value))) << bit;
            }
        }
        let mut marks = vec![always; fields.events()];
        for (field, of_values) in by_value {
            let codes = &fields.values(field)?.codes;
            for (marks, code) in marks.iter_mut().zip(codes) {
                *marks |= of_values.get(*code as usize).copied().unwrap_or(0);
            }
        }
        for (bit, passing) in masks {
            marks.iter_mut().zip(passing).for_each(|(marks, passes)| *marks |= u64::from(passes) << bit);
        }
        Ok(marks)
    }

    /// Folds the events, each actor's by (timestamp, id), into as many folds as there are threads.
    pub(crate) fn fold<F: Send>(
        self,
        hired: &Hired,
        fresh: impl Fn() -> F + Sync,
        take: impl Fn(&mut F, ScannedEvent) -> Result<(), QueryError> + Sync,
    ) -> Result<Vec<F>, QueryError> {
        let Self { hits, others, labels, kinds, .. } = self;
        let mut shards: Vec<Vec<Vec<Hit>>> = hits.into_iter().map(|hits| vec![hits]).collect();
        for other in others {
            shards.iter_mut().zip(other).for_each(|(shard, hits)| shard.push(hits));
        }
        // Each thread counts the uses of texts of its own.
        let fresh = || (fresh(), vec![None; labels.len()]);
        let folds = hired.fold(shards, fresh, |(fold, texts), hits| {
            for hit in ordered(&hits, |hit| hit.actor, |hit| hit.timestamp) {
                let Kind { marks, label } = kinds.get(hit.kind);
                let place = (label as usize).wrapping_sub(1);
                let label = texts.get_mut(place).zip(labels.get(place));
                let label: Option<Arc<str>> =
                    label.map(|(text, label)| Arc::clone(text.get_or_insert_with(|| Arc::from(label.as_ref()))));
                let (actor, timestamp) =
                    (ActorKey::Number(u64::from(hit.actor)), Timestamp::from_micros(hit.timestamp));
                take(fold, ScannedEvent { actor, timestamp, marks, label })?;
            }
            Ok(())
        });
        Ok(folds?.into_iter().map(|(fold, _)| fold).collect())
    }
}

impl Quarterly for Scanning {
    fn columns(&self) -> Vec<String> {
        let mut names = vec![ACTORS.to_owned(), ACTOR.to_owned(), TIME.to_owned()];
        let filters = self.asked.filters.iter().chain(self.asked.marks.iter().flat_map(|mark| &mark.filters));
        names.extend(filters.flat_map(fields_of).chain(self.asked.label.clone()).flat_map(|field| columns_of(&field)));
        names.sort_unstable();
        names.dedup();
        names
    }

    fn take(&mut self, segment: &Segment, changed: &HashMap<u32, u32>) -> Result<(), Stop> {
        let actors = segment.actors()?;
        let mut fields = Fields::new(segment, &actors);
        let passing = mask(&self.asked.filters, &mut fields)?;
        let marks = self.marks_of_events(&mut fields)?;
        let labels = self.places_of_labels(&mut fields)?;
        let times = segment.times(&actors)?;
        let pairs = segment.actor(&actors)?;
        let keys = keys(self.asked.by, &actors, changed)?;
        let holds = |mask: &Option<Vec<bool>>, event: usize| {
            mask.as_ref().is_none_or(|mask| mask.get(event).copied().unwrap_or(false))
        };
        let first = times.partition_point(|time| *time < self.asked.range.from);
        let after = times.partition_point(|time| *time < self.asked.range.to);
        let events = marks.iter().zip(&times).zip(&pairs).enumerate().take(after).skip(first);
        for (event, ((marks, time), pair)) in events {
            if *marks == 0 && !self.asked.unmarked || !holds(&passing, event) {
                continue;
            }
            let Some(actor) = keys.get(*pair as usize).copied().filter(|actor| self.asked.share.holds(*actor)) else {
                continue;
            };
            let kind = self.kinds.place_of(Kind { marks: *marks, label: labels.get(event).copied().unwrap_or(0) });
            if let Some(hits) = self.hits.get_mut(shard_of(actor)) {
                if hits.len() == hits.capacity() {
                    hits.reserve_exact(hits.len() / GROWTH + 16);
                }
                hits.push(Hit { timestamp: time.as_micros(), actor, kind });
                self.count += 1;
            }
        }
        self.check()
    }

    fn beside(&self) -> Self {
        Self::empty(self.asked.clone())
    }

    fn join(&mut self, other: Self) -> Result<(), Stop> {
        self.count += other.count;
        let own = |label: &Arc<str>| match self.places.get(label.as_ref()) {
            Some(place) => *place,
            None => self.new_label(Arc::clone(label)),
        };
        let places: Vec<u32> = other.labels.iter().map(own).collect();
        let label =
            |place: u32| (place as usize).checked_sub(1).and_then(|place| places.get(place).copied()).unwrap_or(0);
        let own = |kind: &Kind| self.kinds.place_of(Kind { label: label(kind.label), ..*kind });
        let kinds: Vec<u32> = other.kinds.all.iter().map(own).collect();
        let are_same = kinds.iter().enumerate().all(|(place, own)| *own as usize == place);
        for mut shards in other.others.into_iter().chain([other.hits]) {
            if !are_same {
                for hit in shards.iter_mut().flatten() {
                    hit.kind = kinds.get(hit.kind as usize).copied().unwrap_or(0);
                }
            }
            self.others.push(shards);
        }
        Ok(())
    }

    fn weight(&self) -> usize {
        self.count
    }

    fn most(&self) -> usize {
        self.asked.most
    }

    fn check(&self) -> Result<(), Stop> {
        if self.count <= self.asked.most {
            return Ok(());
        }
        let message =
            format!("the question looks at more than {} events; narrow date_range or add a filter", self.asked.most);
        Err(Stop::TooLarge(message))
    }
}

impl Shared for Scanning {
    fn of_share(&self, share: Share) -> Self {
        Self::empty(Asked { share, ..self.asked.clone() })
    }
}

/// Who stands behind each pair: the number of a user or a session, and in the lowest bit which of them.
pub(super) fn keys(by: Actor, actors: &Actors, changed: &HashMap<u32, u32>) -> Result<Vec<u32>, Stop> {
    (0..actors.len()).map(|pair| key(by, actors, pair, changed)).collect()
}

fn key(by: Actor, actors: &Actors, pair: usize, changed: &HashMap<u32, u32>) -> Result<u32, Stop> {
    let at = |numbers: &[u32]| numbers.get(pair).copied().unwrap_or(0);
    let session = at(&actors.sessions);
    let user = match (by, at(&actors.users)) {
        (Actor::Session, _) => 0,
        (Actor::Person, 0) => changed.get(&session).copied().unwrap_or_else(|| at(&actors.known)),
        (Actor::Person, user) => user,
    };
    let (number, is_user) = if user > 0 { (user, 1) } else { (session, 0) };
    let shifted = number.checked_mul(2).ok_or_else(|| Stop::TooLarge("there are too many sessions".to_owned()))?;
    Ok(shifted | is_user)
}

#[cfg(test)]
mod tests {
    use analytics_columns::{EventRow, Quarter, columns};

    use super::*;

    #[test]
    fn no_more_events_are_gathered_than_may_be() {
        let row = |micros| EventRow {
            timestamp: Timestamp::from_micros(micros),
            session: 1,
            user: 0,
            known: 0,
            event_type: "a",
            event_action: "b",
            metadata: "{}",
        };
        let segment = Segment::new(Quarter(0), columns(&[row(1), row(2), row(3), row(9)]));
        let range = Range { from: Timestamp::from_micros(0), to: Timestamp::from_micros(9) };
        let scanning = |most| {
            let mut scanning = Scanning::new(Actor::Session, range, &[], &[&[]], false, None);
            scanning.asked.most = most;
            scanning
        };
        let mut enough = scanning(3);
        assert!(enough.take(&segment, &HashMap::new()).is_ok());
        let count = |count: &mut usize, _| {
            *count += 1;
            Ok(())
        };
        assert_eq!(enough.fold(&Hired::nobody(), || 0, count), Ok(vec![3]));
        let refused = scanning(2).take(&segment, &HashMap::new());
        assert!(matches!(refused, Err(Stop::TooLarge(message)) if message.contains("more than 2 events")));
    }
}
