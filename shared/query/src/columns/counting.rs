//! Groups and their aggregates, counted quarter by quarter.

use std::collections::HashMap;
use std::ops::Range as Places;
use std::rc::Rc;

use analytics_columns::{ACTOR, ACTORS, Actors, Corrupt, NumberSet, Quarter, Segment, TIME};
use analytics_domain::Timestamp;

use super::mask::mask;
use super::values::{Fields, Values, columns_of};
use crate::filter::FieldUse;
use crate::plan::ROW_BUDGET;
use crate::{Buckets, Cell, Field, Filter, Property, Range, Row};

/// Sums take numbers beyond this as this, as in SQL.
const LARGEST: f64 = 1e290;

/// Most bytes that distinct sessions and people may take.
const SET_BYTES: usize = 512 << 20;

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
    fn property(&self) -> Option<&Property> {
        match self {
            Self::Sum(property) | Self::Numbers(property) | Self::Min(property) | Self::Max(property) => Some(property),
            Self::Events | Self::Sessions | Self::Users | Self::Visitors => None,
        }
    }
}

/// What is counted over a range, and what was so far.
#[derive(Debug)]
pub(crate) struct Counting {
    range: Range,
    buckets: Option<Buckets>,
    fields: Vec<Field>,
    filters: Vec<Filter>,
    counted: Vec<Counted>,
    numbers: Vec<Property>,
    /// The texts found of each field.
    texts: Vec<HashMap<Box<str>, u32>>,
    found: HashMap<GroupKey, usize>,
    groups: Vec<Group>,
}

/// Why counting ends.
#[derive(Debug)]
pub(crate) enum Stop {
    /// A column cannot be read.
    Corrupt(Corrupt),
    /// There are more groups, or more distinct sessions and people in them, than an answer may be made of.
    TooLarge,
}

impl From<Corrupt> for Stop {
    fn from(corrupt: Corrupt) -> Self {
        Self::Corrupt(corrupt)
    }
}

/// The bucket and the texts, by their places.
type GroupKey = (Option<usize>, Vec<u32>);

/// The place of an absent text.
const ABSENT: u32 = u32::MAX;

#[derive(Debug, Default)]
struct Group {
    events: i64,
    sessions: NumberSet,
    users: NumberSet,
    /// People known by a user, and those known by a session alone.
    people: NumberSet,
    strangers: NumberSet,
    numbers: Vec<NumberTally>,
}

#[derive(Debug, Clone, Copy, Default)]
struct NumberTally {
    sum: f64,
    count: i64,
    least: Option<f64>,
    greatest: Option<f64>,
}

impl NumberTally {
    fn add(&mut self, number: f64) {
        self.sum += number.clamp(-LARGEST, LARGEST);
        self.count += 1;
        self.least = Some(self.least.map_or(number, |least| least.min(number)));
        self.greatest = Some(self.greatest.map_or(number, |greatest| greatest.max(number)));
    }
}

impl Counting {
    pub(crate) fn new(
        range: Range,
        buckets: Option<Buckets>,
        fields: Vec<Field>,
        filters: &[Filter],
        counted: Vec<Counted>,
    ) -> Self {
        let mut numbers: Vec<Property> = Vec::new();
        for property in counted.iter().filter_map(Counted::property) {
            if !numbers.contains(property) {
                numbers.push(property.clone());
            }
        }
        let texts = vec![HashMap::new(); fields.len()];
        Self {
            range,
            buckets,
            fields,
            filters: filters.to_vec(),
            counted,
            numbers,
            texts,
            found: HashMap::new(),
            groups: Vec::new(),
        }
    }

    /// The columns that are read.
    pub(crate) fn columns(&self) -> Vec<String> {
        let mut names = vec![ACTORS.to_owned()];
        if !self.is_of_whole_quarters() {
            names.push(TIME.to_owned());
        }
        if self.needs_sets() && !self.is_plain() {
            names.push(ACTOR.to_owned());
        }
        let mut used = Vec::new();
        self.filters.iter().for_each(|filter| filter.fields(&mut used));
        let used = used.into_iter().map(|used| match used {
            FieldUse::Field(field) => field.clone(),
            FieldUse::Number(property) => Field::Metadata(property.clone()),
        });
        let numbers = self.numbers.iter().cloned().map(Field::Metadata);
        names.extend(used.chain(self.fields.iter().cloned()).chain(numbers).flat_map(|field| columns_of(&field)));
        if !self.is_of_whole_quarters() && self.needs_sets() {
            names.push(ACTOR.to_owned());
        }
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Whether every quarter lies in one bucket, and in the range or outside.
    fn is_of_whole_quarters(&self) -> bool {
        let whole = |instant: Timestamp| Quarter::of(instant).start() == instant;
        let starts = self.buckets.as_ref().map(Buckets::starts).unwrap_or_default();
        whole(self.range.from) && whole(self.range.to) && starts.iter().skip(1).all(|start| whole(*start))
    }

    /// Whether nothing of single events is asked about.
    fn is_plain(&self) -> bool {
        self.filters.is_empty() && self.fields.is_empty() && self.numbers.is_empty()
    }

    fn needs_sets(&self) -> bool {
        self.counted.iter().any(|counted| matches!(counted, Counted::Sessions | Counted::Users | Counted::Visitors))
    }

    /// Counts a quarter. `changed` are sessions whose user is another one than the columns say, 0 for none.
    pub(crate) fn take(&mut self, segment: &Segment, changed: &HashMap<u32, u32>) -> Result<(), Stop> {
        let actors = segment.actors()?;
        let slices = self.slices(segment, &actors)?;
        let plain = self.is_plain();
        if plain
            && let [(bucket, places)] = slices.as_slice()
            && places.len() == actors.events as usize
        {
            let sets = Sets::of(&self.counted);
            let group = self.group((*bucket, Vec::new()))?;
            group.events += i64::from(actors.events);
            (0..actors.len()).for_each(|pair| sets.insert(group, &actors, pair, changed));
            return Ok(());
        }
        let mut fields = Fields::new(segment, &actors);
        let passing = mask(&self.filters, &mut fields)?;
        let texts = self.places_of_texts(&mut fields)?;
        let numbers = self.numbers_of_events(&mut fields)?;
        let pairs = if self.needs_sets() { segment.actor(&actors)? } else { Vec::new() };
        let mut seen = Seen { stamps: vec![0; actors.len()], stamp: 0 };
        for (bucket, places) in slices {
            let passes =
                |place: &usize| passing.as_ref().is_none_or(|passing| passing.get(*place).copied().unwrap_or(false));
            let (keys, members) = grouped(&texts, places.filter(passes));
            for (key, members) in keys.into_iter().zip(members) {
                let sets = Sets::of(&self.counted);
                let group = self.group((bucket, key))?;
                group.events += members.len() as i64;
                seen.stamp += 1;
                for place in members {
                    for (tally, numbers) in group.numbers.iter_mut().zip(&numbers) {
                        if let Some(number) = numbers.get(place) {
                            tally.add(number);
                        }
                    }
                    if let Some(pair) = pairs.get(place).map(|pair| *pair as usize)
                        && seen.is_new(pair)
                    {
                        sets.insert(group, &actors, pair, changed);
                    }
                }
            }
        }
        self.check_size()
    }

    /// The places of the quarter's events in each bucket, those in the range.
    fn slices(&self, segment: &Segment, actors: &Actors) -> Result<Vec<(Option<usize>, Places<usize>)>, Corrupt> {
        let (start, end) = (segment.quarter.start(), segment.quarter.end());
        let bucket = |instant| self.buckets.as_ref().map(|buckets| buckets.index_of(instant).unwrap_or(0));
        let last = end.saturating_add_micros(-1);
        if self.range.from <= start && end <= self.range.to && bucket(start) == bucket(last) {
            return Ok(vec![(bucket(start), 0..actors.events as usize)]);
        }
        let times = segment.times(actors)?;
        let first = times.partition_point(|time| *time < self.range.from);
        let after = times.partition_point(|time| *time < self.range.to);
        let mut slices = Vec::new();
        let mut from = first;
        while let Some(time) = times.get(from).filter(|_| from < after) {
            let bucket = bucket(*time);
            let to = match (&self.buckets, bucket) {
                (Some(buckets), Some(index)) => {
                    let end = buckets.end_of(index);
                    let last = index + 1 >= buckets.starts().len();
                    if last { after } else { times.partition_point(|time| *time < end).min(after) }
                }
                _ => after,
            };
            // A bucket that ends where it begins cannot be: this only keeps the loop from standing still.
            let to = to.max(from + 1);
            slices.push((bucket, from..to));
            from = to;
        }
        Ok(slices)
    }

    /// For each field the places of the texts of its values, and the values themselves.
    fn places_of_texts(&mut self, fields: &mut Fields<'_>) -> Result<Vec<(Vec<u32>, Rc<Values>)>, Corrupt> {
        let mut all = Vec::with_capacity(self.fields.len());
        for (field, known) in self.fields.iter().zip(&mut self.texts) {
            let values = fields.values(field)?;
            let places = values
                .values
                .iter()
                .map(|value| match value.text() {
                    None => ABSENT,
                    Some(text) => match known.get(text.as_ref()) {
                        Some(place) => *place,
                        None => {
                            let place = known.len() as u32;
                            known.insert(text.into(), place);
                            place
                        }
                    },
                })
                .collect();
            all.push((places, values));
        }
        Ok(all)
    }

    fn numbers_of_events(&self, fields: &mut Fields<'_>) -> Result<Vec<Numbers>, Corrupt> {
        let numbers = self.numbers.iter().map(|property| {
            let values = fields.values(&Field::Metadata(property.clone()))?;
            Ok(Numbers { by_code: values.values.iter().map(|value| value.number()).collect(), values })
        });
        numbers.collect()
    }

    fn group(&mut self, key: GroupKey) -> Result<&mut Group, Stop> {
        let place = match self.found.get(&key) {
            Some(place) => *place,
            None if self.groups.len() > ROW_BUDGET => return Err(Stop::TooLarge),
            None => {
                let numbers = vec![NumberTally::default(); self.numbers.len()];
                self.groups.push(Group { numbers, ..Group::default() });
                self.found.insert(key, self.groups.len() - 1);
                self.groups.len() - 1
            }
        };
        self.groups.get_mut(place).ok_or(Stop::TooLarge)
    }

    fn check_size(&self) -> Result<(), Stop> {
        // Looked at seldom: the sum over all groups is not for every quarter.
        if self.groups.len() < 1_000 {
            return Ok(());
        }
        let bytes = |group: &Group| {
            group.sessions.bytes() + group.users.bytes() + group.people.bytes() + group.strangers.bytes()
        };
        if self.groups.iter().map(bytes).sum::<usize>() > SET_BYTES { Err(Stop::TooLarge) } else { Ok(()) }
    }

    /// The groups as rows: the bucket, where there are buckets; the text of each field; the aggregates.
    pub(crate) fn rows(mut self) -> Vec<Row> {
        if self.buckets.is_none() && self.fields.is_empty() && self.groups.is_empty() {
            // Of everything there is a row, also where that is nothing.
            let _ = self.group((None, Vec::new()));
        }
        let texts: Vec<HashMap<u32, Box<str>>> = self
            .texts
            .into_iter()
            .map(|texts| texts.into_iter().map(|(text, place)| (place, text)).collect())
            .collect();
        let mut rows = Vec::with_capacity(self.groups.len());
        for ((bucket, places), index) in self.found {
            let Some(group) = self.groups.get_mut(index) else { continue };
            let mut row: Row = Vec::with_capacity(1 + places.len() + self.counted.len());
            if self.buckets.is_some() {
                row.push(Cell::Int(bucket.unwrap_or(0) as i64));
            }
            row.extend(places.iter().zip(&texts).map(|(place, texts)| match texts.get(place) {
                Some(text) => Cell::Text(text.to_string()),
                None => Cell::Null,
            }));
            row.extend(self.counted.iter().map(|counted| aggregate(group, counted, &self.numbers)));
            rows.push(row);
        }
        rows
    }
}

fn aggregate(group: &mut Group, counted: &Counted, numbers: &[Property]) -> Cell {
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
struct Sets {
    sessions: bool,
    users: bool,
    visitors: bool,
}

impl Sets {
    fn of(counted: &[Counted]) -> Self {
        Self {
            sessions: counted.contains(&Counted::Sessions),
            users: counted.contains(&Counted::Users),
            visitors: counted.contains(&Counted::Visitors),
        }
    }

    fn insert(self, group: &mut Group, actors: &Actors, pair: usize, changed: &HashMap<u32, u32>) {
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
struct Seen {
    stamps: Vec<u32>,
    stamp: u32,
}

impl Seen {
    fn is_new(&mut self, pair: usize) -> bool {
        let Some(stamp) = self.stamps.get_mut(pair) else { return false };
        let is_new = *stamp != self.stamp;
        *stamp = self.stamp;
        is_new
    }
}

/// The numbers at a path.
#[derive(Debug)]
struct Numbers {
    by_code: Vec<Option<f64>>,
    values: Rc<Values>,
}

impl Numbers {
    fn get(&self, place: usize) -> Option<f64> {
        let code = self.values.codes.get(place)?;
        *self.by_code.get(*code as usize)?
    }
}

/// The texts that events have in common, and the places of those events.
fn grouped(texts: &[(Vec<u32>, Rc<Values>)], places: impl Iterator<Item = usize>) -> (Vec<Vec<u32>>, Vec<Vec<usize>>) {
    let text_at = |(texts, values): &(Vec<u32>, Rc<Values>), place: usize| {
        let code = values.codes.get(place).copied().unwrap_or(0);
        texts.get(code as usize).copied().unwrap_or(ABSENT)
    };
    let (mut keys, mut members): (Vec<Vec<u32>>, Vec<Vec<usize>>) = (Vec::new(), Vec::new());
    match texts {
        [] => {
            let all: Vec<usize> = places.collect();
            if !all.is_empty() {
                keys.push(Vec::new());
                members.push(all);
            }
        }
        [one] => {
            let mut by_text: HashMap<u32, usize> = HashMap::new();
            for place in places {
                let text = text_at(one, place);
                let group = *by_text.entry(text).or_insert_with(|| {
                    keys.push(vec![text]);
                    members.push(Vec::new());
                    keys.len() - 1
                });
                if let Some(members) = members.get_mut(group) {
                    members.push(place);
                }
            }
        }
        several => {
            let mut by_texts: HashMap<Vec<u32>, usize> = HashMap::new();
            for place in places {
                let key: Vec<u32> = several.iter().map(|one| text_at(one, place)).collect();
                let group = match by_texts.get(&key) {
                    Some(group) => *group,
                    None => {
                        by_texts.insert(key.clone(), keys.len());
                        keys.push(key);
                        members.push(Vec::new());
                        keys.len() - 1
                    }
                };
                if let Some(members) = members.get_mut(group) {
                    members.push(place);
                }
            }
        }
    }
    (keys, members)
}
