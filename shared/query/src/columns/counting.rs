//! Groups and their aggregates, counted quarter by quarter.

use std::collections::HashMap;
use std::ops::Range as Places;

use analytics_columns::{
    ACTOR, ACTORS, Actors, Block, BlockCount, Corrupt, EVENT_ACTION, EVENT_TYPE, Quarter, Segment, TIME,
};
use analytics_domain::Timestamp;
use foldhash::fast::RandomState;

use super::group::{Counted, Group, NumberTally, Sets, aggregate};
use super::grouping::{ABSENT, Combinations, Numbers, PlacedTexts};
use super::lane::lane_of;
use super::mask::{mask, passes};
use super::reader::{Quarterly, Stop};
use super::statements::Blocks;
use super::values::{FieldValue, Fields, columns_of, fields_of};
use crate::plan::ROW_BUDGET;
use crate::{Buckets, Cell, Field, Filter, Property, Range, Row};

/// What a text takes besides itself.
const TEXT_ENTRY: usize = 48;

/// Most bytes that distinct sessions and people may take, and most that the texts found may.
const SET_BYTES: usize = 512 << 20;

/// After so many quarters the sets of few groups are looked at.
const CHECKED_EVERY: u32 = 32;

/// Blocks of 22 years. A range may end in the year 9999, and each block is named to the store: a longer one is counted by quarters.
const BLOCKS_MAX: i64 = 50_000;

/// What is counted over a range, and what was so far.
#[derive(Debug)]
pub(crate) struct Counting {
    range: Range,
    buckets: Option<Buckets>,
    fields: Vec<Field>,
    filters: Vec<Filter>,
    counted: Vec<Counted>,
    numbers: Vec<Property>,
    /// Of which of these percentiles are asked for.
    ranked: Vec<bool>,
    /// The texts found of each field.
    texts: Vec<HashMap<Box<str>, u32, RandomState>>,
    text_bytes: usize,
    /// What the sets took when they were last looked at.
    set_bytes: usize,
    /// Most that the sets, and most that the texts may take.
    most: usize,
    /// Which number stands for a number and the place of a text: the first is the bucket, and each field's text gives the next,
    /// the last one's the place of the group.
    found: Vec<HashMap<(u32, u32), u32, RandomState>>,
    groups: Vec<Group>,
    /// How many quarters, or parts of them.
    taken: u32,
}

/// Events of a quarter, by their places, that lie in one bucket.
#[derive(Debug)]
struct Slice {
    bucket: Option<usize>,
    events: Places<usize>,
}

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

    fn blocks(&self) -> Blocks {
        let Some(name) = self.counted_by_blocks() else { return Blocks::default() };
        let bucket = |instant| self.buckets.as_ref().map(|buckets| buckets.index_of(instant).unwrap_or(0));
        let is_whole = |block: &Block| {
            self.range.from <= block.start()
                && block.end() <= self.range.to
                && bucket(block.start()) == bucket(block.end().saturating_add_micros(-1))
        };
        let (first, last) = (Block::of(Quarter::of(self.range.from)), Block::of(Quarter::of(self.range.to)));
        if last.0 - first.0 > BLOCKS_MAX {
            return Blocks::default();
        }
        Blocks { name, numbers: (first.0..=last.0).map(Block).filter(is_whole).map(|block| block.0).collect() }
    }

    fn take_block(&mut self, block: Block, data: &[u8], changed: &HashMap<u32, u32>) -> Result<(), Stop> {
        self.taken = self.taken.wrapping_add(1);
        let bucket = self.buckets.as_ref().map(|buckets| buckets.index_of(block.start()).unwrap_or(0));
        let sets = Sets::of(&self.counted);
        for count in BlockCount::all(data)? {
            let value = count.text.map_or(FieldValue::Absent, FieldValue::Plain);
            if !self.filters.iter().all(|filter| passes(filter, value)) {
                continue;
            }
            // The same field may be asked for twice.
            let texts: Vec<u32> = (0..self.fields.len()).map(|field| self.place_of_text(field, value)).collect();
            let place = self.group(bucket, &texts)?;
            let Some(group) = self.groups.get_mut(place) else { continue };
            group.events += i64::try_from(count.events).unwrap_or(i64::MAX);
            sets.merge(group, &count, changed)?;
        }
        self.check_size()
    }

    fn is_of_any_order(&self) -> bool {
        self.numbers.is_empty()
    }

    fn take(&mut self, segment: &Segment, changed: &HashMap<u32, u32>) -> Result<(), Stop> {
        self.taken = self.taken.wrapping_add(1);
        let actors = segment.actors()?;
        let slices = self.slices(segment, &actors)?;
        let sets = Sets::of(&self.counted);
        if self.is_plain()
            && let [Slice { bucket, events }] = slices.as_slice()
            && events.len() == actors.events as usize
        {
            let place = self.group(*bucket, &[])?;
            let Some(group) = self.groups.get_mut(place) else { return Ok(()) };
            group.events += i64::from(actors.events);
            sets.insert(group, &actors, 0..actors.len(), changed);
            return self.check_size();
        }
        let mut fields = Fields::new(segment, &actors);
        let passing = mask(&self.filters, &mut fields)?;
        let texts = self.places_of_texts(&mut fields)?;
        let numbers = self.numbers_of_events(&mut fields)?;
        let pairs = if sets.are_needed() { segment.actor(&actors)? } else { Vec::new() };
        let combinations = Combinations::of(&texts);
        let lane = lane_of(segment.quarter);
        let mut found = Vec::new();
        for Slice { bucket, events } in slices {
            let counts = combinations.count(events.clone(), passing.as_deref(), &pairs, actors.len());
            let mut places = vec![usize::MAX; if numbers.is_empty() { 0 } else { combinations.len() }];
            for (combination, events) in counts.found() {
                let place = self.group(bucket, combinations.texts_of(combination))?;
                let Some(group) = self.groups.get_mut(place) else { continue };
                group.events += i64::from(events);
                if sets.are_needed() {
                    counts.pairs_of(combination, &mut found);
                    sets.insert(group, &actors, found.iter().copied(), changed);
                }
                if let Some(slot) = places.get_mut(combination) {
                    *slot = place;
                }
            }
            for event in events.filter(|_| !numbers.is_empty()) {
                if passing.as_ref().is_some_and(|passing| !passing.get(event).copied().unwrap_or(false)) {
                    continue;
                }
                let place = places.get(combinations.of_event(event)).copied().unwrap_or(usize::MAX);
                let Some(group) = self.groups.get_mut(place) else { continue };
                for (tally, numbers) in group.numbers.iter_mut().zip(&numbers) {
                    numbers.of_event(event).into_iter().for_each(|number| tally.add(lane, number));
                }
            }
        }
        self.check_size()
    }

    fn beside(&self) -> Self {
        let (buckets, fields) = (self.buckets.clone(), self.fields.clone());
        let empty = Self::new(self.range, buckets, fields, &self.filters, self.counted.clone());
        Self { most: self.most, ..empty }
    }

    fn settle(&mut self) {
        self.groups.iter_mut().for_each(Group::settle);
    }

    fn join(&mut self, mut other: Self) -> Result<(), Stop> {
        if self.groups.is_empty() && self.text_bytes == 0 {
            *self = other;
            return Ok(());
        }
        let mut places = Vec::with_capacity(other.texts.len());
        for (field, texts) in std::mem::take(&mut other.texts).into_iter().enumerate() {
            let mut own = vec![ABSENT; texts.len()];
            for (text, place) in texts {
                if let Some(slot) = own.get_mut(place as usize) {
                    *slot = self.place_of(field, &text);
                }
            }
            places.push(own);
        }
        for group in other.groups {
            let own = |(place, own): (&u32, &Vec<u32>)| own.get(*place as usize).copied().unwrap_or(ABSENT);
            let texts: Vec<u32> = group.texts.iter().zip(&places).map(own).collect();
            let bucket = self.buckets.is_some().then_some(group.bucket);
            let place = self.group(bucket, &texts)?;
            if let Some(own) = self.groups.get_mut(place) {
                own.join(group);
            }
        }
        Ok(())
    }

    fn weight(&self) -> usize {
        self.text_bytes.max(self.set_bytes)
    }

    fn most(&self) -> usize {
        self.most
    }

    fn check(&self) -> Result<(), Stop> {
        if self.text_bytes.max(self.bytes_of_sets()) > self.most { Err(too_large()) } else { Ok(()) }
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
        let is_ranked = |property: &Property| {
            counted.iter().any(|counted| matches!(counted, Counted::Percentile(_, ranked) if ranked == property))
        };
        let ranked = numbers.iter().map(is_ranked).collect();
        let texts = vec![HashMap::default(); fields.len()];
        // Without a field the bucket alone tells the group.
        let found = vec![HashMap::default(); fields.len().max(1)];
        let filters = filters.to_vec();
        Self {
            range,
            buckets,
            fields,
            filters,
            counted,
            numbers,
            ranked,
            texts,
            text_bytes: 0,
            set_bytes: 0,
            most: SET_BYTES,
            found,
            groups: Vec::new(),
            taken: 0,
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

    /// Under which name blocks keep what is asked for: they count all events, and those of each type and of each action.
    fn counted_by_blocks(&self) -> Option<&'static str> {
        if !self.numbers.is_empty() {
            return None;
        }
        let mut name = ACTORS;
        for field in self.fields.iter().cloned().chain(self.filters.iter().flat_map(fields_of)) {
            let own = match field {
                Field::EventType => EVENT_TYPE,
                Field::EventAction => EVENT_ACTION,
                Field::SessionId | Field::UserId | Field::Metadata(_) => return None,
            };
            if name != ACTORS && name != own {
                return None;
            }
            name = own;
        }
        Some(name)
    }

    fn needs_sets(&self) -> bool {
        Sets::of(&self.counted).are_needed()
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
    fn places_of_texts<'s>(&mut self, fields: &mut Fields<'s>) -> Result<Vec<PlacedTexts<'s>>, Corrupt> {
        let mut all = Vec::with_capacity(self.fields.len());
        for field in 0..self.fields.len() {
            let Some(values) = self.fields.get(field).map(|field| fields.values(field)).transpose()? else { continue };
            let places = values.values.iter().map(|value| self.place_of_text(field, *value)).collect();
            all.push(PlacedTexts { places, values });
        }
        Ok(all)
    }

    /// The place of a value's text among those found of the field at this place.
    fn place_of_text(&mut self, field: usize, value: FieldValue<'_>) -> u32 {
        value.text().map_or(ABSENT, |text| self.place_of(field, &text))
    }

    fn place_of(&mut self, field: usize, text: &str) -> u32 {
        let Some(known) = self.texts.get_mut(field) else { return ABSENT };
        if let Some(place) = known.get(text) {
            return *place;
        }
        let place = known.len() as u32;
        self.text_bytes += text.len() + TEXT_ENTRY;
        known.insert(text.into(), place);
        place
    }

    fn numbers_of_events<'s>(&self, fields: &mut Fields<'s>) -> Result<Vec<Numbers<'s>>, Corrupt> {
        let numbers =
            self.numbers.iter().map(|property| Ok(Numbers::new(fields.values(&Field::Metadata(property.clone()))?)));
        numbers.collect()
    }

    /// The place of a group, which is a new one where there was none.
    fn group(&mut self, bucket: Option<usize>, texts: &[u32]) -> Result<usize, Stop> {
        let bucket = bucket.unwrap_or(0);
        let mut number = bucket as u32;
        let last = self.found.len() - 1;
        for (level, found) in self.found.iter_mut().enumerate() {
            let next = if level == last { self.groups.len() } else { found.len() } as u32;
            number = *found.entry((number, texts.get(level).copied().unwrap_or(0))).or_insert(next);
        }
        if number as usize == self.groups.len() {
            if self.groups.len() > ROW_BUDGET {
                return Err(too_large());
            }
            let numbers = self.ranked.iter().map(|ranked| NumberTally::new(*ranked)).collect();
            self.groups.push(Group { bucket, texts: texts.to_vec(), numbers, ..Group::default() });
        }
        Ok(number as usize)
    }

    fn bytes_of_sets(&self) -> usize {
        self.groups.iter().map(Group::bytes).sum()
    }

    fn check_size(&mut self) -> Result<(), Stop> {
        if self.text_bytes > self.most {
            return Err(too_large());
        }
        // With few groups looked at seldom: their sets grow slowly, and the sum over all is not for every quarter.
        let is_due = self.taken.is_multiple_of(CHECKED_EVERY);
        if self.groups.len() < 1_000 && !self.ranked.contains(&true) && !is_due {
            return Ok(());
        }
        self.set_bytes = self.bytes_of_sets();
        if self.set_bytes > self.most { Err(too_large()) } else { Ok(()) }
    }

    /// The groups as rows: the bucket, where there are buckets; the text of each field; the aggregates.
    pub(crate) fn rows(mut self) -> Vec<Row> {
        if self.buckets.is_none() && self.fields.is_empty() && self.groups.is_empty() {
            // Of everything there is a row, also where that is nothing.
            let _ = self.group(None, &[]);
        }
        let texts: Vec<HashMap<u32, Box<str>>> = self
            .texts
            .into_iter()
            .map(|texts| texts.into_iter().map(|(text, place)| (place, text)).collect())
            .collect();
        let mut rows = Vec::with_capacity(self.groups.len());
        for group in &mut self.groups {
            let mut row: Row = Vec::with_capacity(1 + group.texts.len() + self.counted.len());
            if self.buckets.is_some() {
                row.push(Cell::Int(group.bucket as i64));
            }
            row.extend(group.texts.iter().zip(&texts).map(|(place, texts)| match texts.get(place) {
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

#[cfg(test)]
mod tests {
    use analytics_columns::{EventRow, columns};

    use super::*;
    use crate::columns::reader::ColumnReader;
    use crate::columns::threads::Threads;
    use crate::{QueryError, QueryErrorCode};

    #[test]
    fn only_so_many_blocks_are_named() {
        let blocks = |count: i64| {
            let range = Range { from: Block(7).start(), to: Block(7 + count).start() };
            Counting::new(range, None, Vec::new(), &[], vec![Counted::Sessions]).blocks().numbers
        };
        assert_eq!(blocks(3), [7, 8, 9]);
        assert_eq!(blocks(BLOCKS_MAX).len(), BLOCKS_MAX as usize);
        assert!(blocks(BLOCKS_MAX + 1).is_empty());
    }

    /// The sessions of many quarters, each of which has the same, counted within so many bytes.
    fn sessions(most: usize, threads: Threads) -> Result<Vec<Row>, QueryError> {
        let row = |session| EventRow {
            timestamp: Quarter(0).start(),
            session,
            user: 0,
            known: 0,
            event_type: "a",
            event_action: "b",
            metadata: "{}",
        };
        let rows: Vec<EventRow<'_>> = (1..=3_000).map(row).collect();
        let actors = columns(&rows).into_iter().find(|column| column.name == ACTORS).unwrap();
        let range = Range { from: Quarter(0).start(), to: Quarter(400).start() };
        let counting = Counting::new(range, None, Vec::new(), &[], vec![Counted::Sessions]);
        let mut reader = ColumnReader::new(Counting { most, ..counting }, threads);
        for quarter in 0..400 {
            let cells =
                [Cell::Int(quarter), Cell::Int(0), Cell::Text(ACTORS.to_owned()), Cell::Bytes(actors.data.clone())];
            reader.push(3, cells.to_vec())?;
        }
        Ok(reader.finish()?.0.rows())
    }

    #[test]
    fn the_sets_of_all_threads_are_bounded_and_the_same_set_counts_once() {
        for most in 1..=4 {
            let threads = Threads::of_test(most);
            // A page takes 512 bytes, and each thread has one.
            assert_eq!(sessions(900, threads), Ok(vec![vec![Cell::Int(3_000)]]));
            assert_eq!(sessions(400, threads).unwrap_err().code, QueryErrorCode::QueryTooLarge);
        }
    }
}
