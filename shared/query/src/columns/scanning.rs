//! The events of each actor one after the other, gathered quarter by quarter.

use std::collections::HashMap;
use std::sync::Arc;

use analytics_columns::{ACTOR, ACTORS, Actors, Corrupt, Segment, TIME};
use analytics_domain::Timestamp;

use super::mask::mask;
use super::reader::{Quarterly, Stop};
use super::values::{Fields, columns_of, fields_of};
use crate::scan::{ActorKey, ScannedEvent};
use crate::{Actor, Field, Filter, Range};

/// Most events that are gathered for one answer: some 200 MB while they are put in order. More are read from raw rows, which come in
/// order.
const EVENTS_MAX: usize = 4_000_000;

/// With more actors for each event, as when few events are left of many people, a count for each actor would take more than it saves.
const SPARSE: usize = 16;

/// What is read of each event, and the events so far.
#[derive(Debug)]
pub(crate) struct Scanning {
    pub(crate) by: Actor,
    pub(crate) range: Range,
    pub(crate) filters: Vec<Filter>,
    pub(crate) marks: Vec<Vec<Filter>>,
    pub(crate) unmarked: bool,
    pub(crate) label: Option<Field>,
    most: usize,
    hits: Vec<Hit>,
    places: HashMap<Arc<str>, u32>,
    labels: Vec<Arc<str>>,
}

/// An event that can matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Hit {
    timestamp: i64,
    marks: u64,
    /// As [`key`] gives it.
    actor: u32,
    /// The place of its label, counted from 1; 0 for none.
    label: u32,
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
        Self {
            by,
            range,
            filters: filters.to_vec(),
            marks: marks.iter().map(|filters| filters.to_vec()).collect(),
            unmarked,
            label: label.cloned(),
            most: EVENTS_MAX,
            hits: Vec::new(),
            places: HashMap::new(),
            labels: Vec::new(),
        }
    }

    fn places_of_labels(&mut self, fields: &mut Fields<'_>) -> Result<Vec<u32>, Corrupt> {
        let Some(field) = &self.label else { return Ok(Vec::new()) };
        let values = fields.values(field)?;
        let by_code: Vec<u32> = values
            .values
            .iter()
            .map(|value| {
                let Some(text) = value.text() else { return 0 };
                if let Some(place) = self.places.get(text.as_ref()) {
                    return *place;
                }
                let label: Arc<str> = Arc::from(text.as_ref());
                self.labels.push(Arc::clone(&label));
                let place = self.labels.len() as u32;
                self.places.insert(label, place);
                place
            })
            .collect();
        Ok(values.codes.iter().map(|code| by_code.get(*code as usize).copied().unwrap_or(0)).collect())
    }

    /// For each event a bit for each list of filters that it passes.
    fn marks_of_events(&self, fields: &mut Fields<'_>) -> Result<Vec<u64>, Corrupt> {
        let mut marks = vec![0_u64; fields.events()];
        for (bit, filters) in self.marks.iter().enumerate() {
            match mask(filters, fields)? {
                None => marks.iter_mut().for_each(|marks| *marks |= 1 << bit),
                Some(passing) => {
                    marks.iter_mut().zip(passing).for_each(|(marks, passes)| *marks |= u64::from(passes) << bit);
                }
            }
        }
        Ok(marks)
    }

    /// The events by (actor, timestamp, id).
    pub(crate) fn events(self) -> impl Iterator<Item = ScannedEvent> {
        let Self { hits, labels, .. } = self;
        ordered(hits).into_iter().map(move |hit| ScannedEvent {
            actor: ActorKey::Number(u64::from(hit.actor)),
            timestamp: Timestamp::from_micros(hit.timestamp),
            marks: hit.marks,
            label: labels.get((hit.label as usize).wrapping_sub(1)).cloned(),
        })
    }
}

impl Quarterly for Scanning {
    fn columns(&self) -> Vec<String> {
        let mut names = vec![ACTORS.to_owned(), ACTOR.to_owned(), TIME.to_owned()];
        let filters = self.filters.iter().chain(self.marks.iter().flatten());
        names.extend(filters.flat_map(fields_of).chain(self.label.clone()).flat_map(|field| columns_of(&field)));
        names.sort_unstable();
        names.dedup();
        names
    }

    fn take(&mut self, segment: &Segment, changed: &HashMap<u32, u32>) -> Result<(), Stop> {
        let actors = segment.actors()?;
        let mut fields = Fields::new(segment, &actors);
        let passing = mask(&self.filters, &mut fields)?;
        let marks = self.marks_of_events(&mut fields)?;
        let labels = self.places_of_labels(&mut fields)?;
        let times = segment.times(&actors)?;
        let pairs = segment.actor(&actors)?;
        let keys = keys(self.by, &actors, changed)?;
        let holds = |mask: &Option<Vec<bool>>, event: usize| {
            mask.as_ref().is_none_or(|mask| mask.get(event).copied().unwrap_or(false))
        };
        let first = times.partition_point(|time| *time < self.range.from);
        let after = times.partition_point(|time| *time < self.range.to);
        for event in first..after {
            let marks = marks.get(event).copied().unwrap_or(0);
            if marks == 0 && !self.unmarked || !holds(&passing, event) {
                continue;
            }
            let actor = pairs.get(event).and_then(|pair| keys.get(*pair as usize)).copied().unwrap_or(0);
            let timestamp = times.get(event).copied().unwrap_or(self.range.from).as_micros();
            self.hits.push(Hit { actor, timestamp, marks, label: labels.get(event).copied().unwrap_or(0) });
        }
        if self.hits.len() > self.most {
            let message =
                format!("the question looks at more than {} events; narrow date_range or add a filter", self.most);
            return Err(Stop::TooLarge(message));
        }
        Ok(())
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

/// The events by (actor, timestamp), and equal ones as they came: those of a quarter come in order.
fn ordered(mut hits: Vec<Hit>) -> Vec<Hit> {
    let actors = hits.iter().map(|hit| hit.actor as usize + 1).max().unwrap_or(0);
    if actors / SPARSE > hits.len() {
        hits.sort_by_key(|hit| (hit.actor, hit.timestamp));
        return hits;
    }
    // Counted first: how many events each actor has tells where they stand.
    let mut next = vec![0_u32; actors];
    for hit in &hits {
        if let Some(count) = next.get_mut(hit.actor as usize) {
            *count += 1;
        }
    }
    let mut sum = 0;
    for count in &mut next {
        sum += std::mem::replace(count, sum);
    }
    let mut all = vec![Hit::default(); hits.len()];
    for hit in hits {
        if let Some(next) = next.get_mut(hit.actor as usize) {
            if let Some(slot) = all.get_mut(*next as usize) {
                *slot = hit;
            }
            *next += 1;
        }
    }
    // Quarters come in their order, but those that were read from raw rows come last.
    for run in all.chunk_by_mut(|a, b| a.actor == b.actor) {
        if !run.is_sorted_by_key(|hit| hit.timestamp) {
            run.sort_by_key(|hit| hit.timestamp);
        }
    }
    all
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
        let scanning = |most| Scanning { most, ..Scanning::new(Actor::Session, range, &[], &[&[]], false, None) };
        let mut enough = scanning(3);
        assert!(enough.take(&segment, &HashMap::new()).is_ok());
        assert_eq!(enough.events().count(), 3);
        let refused = scanning(2).take(&segment, &HashMap::new());
        assert!(matches!(refused, Err(Stop::TooLarge(message)) if message.contains("more than 2 events")));
    }

    #[test]
    fn events_stand_by_actor_and_time_and_equal_ones_as_they_came() {
        let hit = |actor, timestamp, label| Hit { timestamp, marks: 0, actor, label };
        let hits = vec![hit(4, 5, 0), hit(1, 9, 0), hit(4, 7, 1), hit(4, 7, 2), hit(1, 2, 0), hit(4, 6, 0)];
        let expected = [hit(1, 2, 0), hit(1, 9, 0), hit(4, 5, 0), hit(4, 6, 0), hit(4, 7, 1), hit(4, 7, 2)];
        assert_eq!(ordered(hits), expected);
        assert_eq!(ordered(Vec::new()), []);
        let sparse = vec![hit(1_000_000, 5, 0), hit(3, 9, 1), hit(3, 9, 2), hit(3, 1, 0)];
        assert_eq!(ordered(sparse), [hit(3, 1, 0), hit(3, 9, 1), hit(3, 9, 2), hit(1_000_000, 5, 0)]);
    }
}
