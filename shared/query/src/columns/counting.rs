//! Groups and their aggregates, counted quarter by quarter.

use std::collections::HashMap;
use std::ops::Range as Places;

use analytics_columns::{ACTOR, ACTORS, Actors, Corrupt, Quarter, Segment, TIME};
use analytics_domain::Timestamp;

use super::group::{Counted, Group, NumberTally, Seen, Sets, aggregate};
use super::grouping::{ABSENT, Alike, Numbers, PlacedTexts, alike};
use super::mask::mask;
use super::reader::{Quarterly, Stop};
use super::values::{Fields, columns_of, fields_of};
use crate::plan::ROW_BUDGET;
use crate::{Buckets, Cell, Field, Filter, Property, Range, Row};

/// What a text takes besides itself.
const TEXT_ENTRY: usize = 48;

/// Most bytes that distinct sessions and people may take, and most that the texts found may.
const SET_BYTES: usize = 512 << 20;

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
    text_bytes: usize,
    found: HashMap<GroupKey, usize>,
    groups: Vec<Group>,
}

/// Events of a quarter, by their places, that lie in one bucket.
#[derive(Debug)]
struct Slice {
    bucket: Option<usize>,
    events: Places<usize>,
}

/// The bucket and the texts, by their places.
type GroupKey = (Option<usize>, Vec<u32>);

impl Quarterly for Counting {
    fn columns(&self) -> Vec<String> {
        let mut names = vec![ACTORS.to_owned()];
        if !self.is_of_whole_quarters() {
            names.push(TIME.to_owned());
        }
        if self.needs_sets() && !self.is_plain() {
            names.push(ACTOR.to_owned());
        }
        let used = self.filters.iter().flat_map(fields_of);
        let numbers = self.numbers.iter().cloned().map(Field::Metadata);
        names.extend(used.chain(self.fields.iter().cloned()).chain(numbers).flat_map(|field| columns_of(&field)));
        if !self.is_of_whole_quarters() && self.needs_sets() {
            names.push(ACTOR.to_owned());
        }
        names.sort_unstable();
        names.dedup();
        names
    }

    fn take(&mut self, segment: &Segment, changed: &HashMap<u32, u32>) -> Result<(), Stop> {
        let actors = segment.actors()?;
        let slices = self.slices(segment, &actors)?;
        if self.is_plain()
            && let [Slice { bucket, events }] = slices.as_slice()
            && events.len() == actors.events as usize
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
        let mut seen = Seen::new(actors.len());
        let sets = Sets::of(&self.counted);
        let passes =
            |event: &usize| passing.as_ref().is_none_or(|passing| passing.get(*event).copied().unwrap_or(false));
        for Slice { bucket, events } in slices {
            for Alike { texts, events } in alike(&texts, events.filter(passes)) {
                let group = self.group((bucket, texts))?;
                group.events += events.len() as i64;
                seen.next();
                for event in events {
                    for (tally, numbers) in group.numbers.iter_mut().zip(&numbers) {
                        if let Some(number) = numbers.of_event(event) {
                            tally.add(number);
                        }
                    }
                    if let Some(pair) = pairs.get(event).map(|pair| *pair as usize)
                        && seen.is_new(pair)
                    {
                        sets.insert(group, &actors, pair, changed);
                    }
                }
            }
        }
        self.check_size()
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
            text_bytes: 0,
            found: HashMap::new(),
            groups: Vec::new(),
        }
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

    /// The places of the quarter's events in each bucket, those in the range.
    fn slices(&self, segment: &Segment, actors: &Actors) -> Result<Vec<Slice>, Corrupt> {
        let (start, end) = (segment.quarter.start(), segment.quarter.end());
        let bucket = |instant| self.buckets.as_ref().map(|buckets| buckets.index_of(instant).unwrap_or(0));
        let last = end.saturating_add_micros(-1);
        if self.range.from <= start && end <= self.range.to && bucket(start) == bucket(last) {
            return Ok(vec![Slice { bucket: bucket(start), events: 0..actors.events as usize }]);
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
            slices.push(Slice { bucket, events: from..to });
            from = to;
        }
        Ok(slices)
    }

    /// For each field the places of the texts of its values, and the values themselves.
    fn places_of_texts(&mut self, fields: &mut Fields<'_>) -> Result<Vec<PlacedTexts>, Corrupt> {
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
                            self.text_bytes += text.len() + TEXT_ENTRY;
                            known.insert(text.into(), place);
                            place
                        }
                    },
                })
                .collect();
            all.push(PlacedTexts { places, values });
        }
        Ok(all)
    }

    fn numbers_of_events(&self, fields: &mut Fields<'_>) -> Result<Vec<Numbers>, Corrupt> {
        let numbers =
            self.numbers.iter().map(|property| Ok(Numbers::new(fields.values(&Field::Metadata(property.clone()))?)));
        numbers.collect()
    }

    fn group(&mut self, key: GroupKey) -> Result<&mut Group, Stop> {
        let place = match self.found.get(&key) {
            Some(place) => *place,
            None if self.groups.len() > ROW_BUDGET => return Err(too_large()),
            None => {
                let numbers = vec![NumberTally::default(); self.numbers.len()];
                self.groups.push(Group { numbers, ..Group::default() });
                self.found.insert(key, self.groups.len() - 1);
                self.groups.len() - 1
            }
        };
        self.groups.get_mut(place).ok_or(too_large())
    }

    fn check_size(&self) -> Result<(), Stop> {
        if self.text_bytes > SET_BYTES {
            return Err(too_large());
        }
        // Looked at seldom: the sum over all groups is not for every quarter.
        if self.groups.len() < 1_000 {
            return Ok(());
        }
        if self.groups.iter().map(Group::bytes).sum::<usize>() > SET_BYTES { Err(too_large()) } else { Ok(()) }
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

fn too_large() -> Stop {
    Stop::TooLarge(crate::shape::too_large().message)
}
