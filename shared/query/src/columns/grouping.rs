//! Events told apart by the texts of fields.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range as Places;
use std::rc::Rc;

use super::values::Values;

/// The place of an absent text.
pub(super) const ABSENT: u32 = u32::MAX;

/// Up to so many combinations of two fields' values a table tells which of them there are.
const TABLE_MAX: usize = 1 << 20;

/// A field's values over a quarter, and for each of them the place of its text among all that were found.
#[derive(Debug)]
pub(super) struct PlacedTexts<'s> {
    pub(super) places: Vec<u32>,
    pub(super) values: Rc<Values<'s>>,
}

/// A property's numbers over a quarter.
#[derive(Debug)]
pub(super) struct Numbers<'s> {
    by_code: Vec<Option<f64>>,
    values: Rc<Values<'s>>,
}

impl<'s> Numbers<'s> {
    pub(super) fn new(values: Rc<Values<'s>>) -> Self {
        Self { by_code: values.values.iter().map(|value| value.number()).collect(), values }
    }

    pub(super) fn of_event(&self, event: usize) -> Option<f64> {
        let code = self.values.codes.get(event)?;
        *self.by_code.get(*code as usize)?
    }
}

/// Every combination of the fields' values that a quarter's events have, and which of them each event has.
#[derive(Debug)]
pub(super) struct Combinations<'f> {
    /// The combination of each event; none where there is no field and all events have the only one.
    codes: Cow<'f, [u32]>,
    /// The places of each combination's texts, a field after the other.
    texts: Vec<u32>,
    fields: usize,
    count: usize,
}

impl<'f> Combinations<'f> {
    pub(super) fn of(fields: &'f [PlacedTexts<'_>]) -> Self {
        let Some((first, rest)) = fields.split_first() else {
            return Self { codes: Cow::Borrowed(&[]), texts: Vec::new(), fields: 0, count: 1 };
        };
        let (texts, count) = (first.places.clone(), first.places.len());
        let one = Self { codes: Cow::Borrowed(&first.values.codes), texts, fields: 1, count };
        rest.iter().fold(one, Self::with)
    }

    /// With one more field.
    fn with(self, field: &PlacedTexts<'_>) -> Self {
        const NONE: u32 = u32::MAX;
        let width = field.places.len();
        let mut table = vec![NONE; if self.count.saturating_mul(width) <= TABLE_MAX { self.count * width } else { 0 }];
        let mut map: HashMap<(u32, u32), u32, foldhash::fast::RandomState> = HashMap::default();
        let mut texts = Vec::new();
        let mut count = 0;
        let codes = self.codes.iter().zip(&field.values.codes).map(|(one, other)| {
            let known = match table.get_mut(*one as usize * width + *other as usize) {
                Some(known) => known,
                None => map.entry((*one, *other)).or_insert(NONE),
            };
            if *known == NONE {
                *known = count;
                count += 1;
                texts.extend_from_slice(self.texts_of(*one as usize));
                texts.push(field.places.get(*other as usize).copied().unwrap_or(ABSENT));
            }
            *known
        });
        let codes: Vec<u32> = codes.collect();
        Self { codes: Cow::Owned(codes), texts, fields: self.fields + 1, count: count as usize }
    }

    /// How many there are.
    pub(super) const fn len(&self) -> usize {
        self.count
    }

    /// The places of a combination's texts, a field after the other.
    pub(super) fn texts_of(&self, combination: usize) -> &[u32] {
        let from = combination * self.fields;
        self.texts.get(from..from + self.fields).unwrap_or_default()
    }

    /// The combination of an event.
    pub(super) fn of_event(&self, event: usize) -> usize {
        self.codes.get(event).map_or(0, |code| *code as usize)
    }

    /// Looks at those events at `places` that pass; `pairs` are the pairs of all events, below `pair_count`, or none.
    pub(super) fn count(
        &self,
        places: Places<usize>,
        passing: Option<&[bool]>,
        pairs: &[u32],
        pair_count: usize,
    ) -> CombinationCounts {
        let mut events = vec![0_u32; self.count];
        let passes = |event: &usize| passing.is_none_or(|passing| passing.get(*event).copied().unwrap_or(false));
        let mut count = |combination: usize| {
            if let Some(events) = events.get_mut(combination) {
                *events += 1;
            }
        };
        let width = pair_count.div_ceil(64);
        let pairs = if pairs.is_empty() {
            places.filter(passes).for_each(|event| count(self.of_event(event)));
            PairsOf::Bits { words: Vec::new(), width: 0 }
        } else if self.count.saturating_mul(width) <= TABLE_MAX {
            let mut words = vec![0_u64; self.count * width];
            for event in places.filter(passes) {
                let (combination, pair) = (self.of_event(event), pairs.get(event).copied().unwrap_or(0));
                count(combination);
                if let Some(word) = words.get_mut(combination * width + pair as usize / 64) {
                    *word |= 1 << (pair % 64);
                }
            }
            PairsOf::Bits { words, width }
        } else {
            let mut found = Vec::with_capacity(places.len());
            for event in places.filter(passes) {
                let combination = self.of_event(event);
                count(combination);
                found.push((combination as u32, pairs.get(event).copied().unwrap_or(0)));
            }
            found.sort_unstable();
            found.dedup();
            PairsOf::List(found)
        };
        CombinationCounts { events, pairs }
    }
}

/// What a quarter tells of each combination.
#[derive(Debug)]
pub(super) struct CombinationCounts {
    /// How many events it has.
    events: Vec<u32>,
    pairs: PairsOf,
}

/// Which pairs each combination has.
#[derive(Debug)]
enum PairsOf {
    /// A bit for each pair, so many words a combination.
    Bits { words: Vec<u64>, width: usize },
    /// Combinations and pairs, in order, each once.
    List(Vec<(u32, u32)>),
}

impl CombinationCounts {
    /// The combinations that have events, and how many.
    pub(super) fn found(&self) -> impl Iterator<Item = (usize, u32)> {
        self.events.iter().copied().enumerate().filter(|(_, events)| *events > 0)
    }

    /// Puts the pairs of a combination in place of what `pairs` holds, each once.
    pub(super) fn pairs_of(&self, combination: usize, pairs: &mut Vec<usize>) {
        pairs.clear();
        match &self.pairs {
            PairsOf::Bits { words, width } => {
                let from = combination * width;
                for (place, word) in words.get(from..from + width).unwrap_or_default().iter().enumerate() {
                    let mut left = *word;
                    while left != 0 {
                        pairs.push(place * 64 + left.trailing_zeros() as usize);
                        left &= left - 1;
                    }
                }
            }
            PairsOf::List(found) => {
                let from = found.partition_point(|(other, _)| (*other as usize) < combination);
                let own = found.iter().skip(from).take_while(|(other, _)| *other as usize == combination);
                pairs.extend(own.map(|(_, pair)| *pair as usize));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(codes: &[u32], places: &[u32]) -> PlacedTexts<'static> {
        PlacedTexts { places: places.to_vec(), values: Rc::new(Values { values: Vec::new(), codes: codes.to_vec() }) }
    }

    /// The texts of each combination, how many events it has, and its pairs: the event's place, halved.
    fn told(fields: &[PlacedTexts<'_>], passing: Option<&[bool]>) -> Vec<(Vec<u32>, u32, Vec<usize>)> {
        let combinations = Combinations::of(fields);
        let counts = combinations.count(0..4, passing, &[0, 0, 1, 1], 2);
        let all = counts.found().map(|(one, events)| {
            let mut pairs = Vec::new();
            counts.pairs_of(one, &mut pairs);
            (combinations.texts_of(one).to_vec(), events, pairs)
        });
        let mut all: Vec<_> = all.collect();
        all.sort();
        all
    }

    #[test]
    fn events_are_told_apart_by_all_fields() {
        let one = || placed(&[1, 2, 1, 1], &[ABSENT, 7, 8]);
        let other = || placed(&[0, 0, 1, 0], &[ABSENT, 3]);
        assert_eq!(told(&[], None), [(vec![], 4, vec![0, 1])]);
        assert_eq!(told(&[one()], None), [(vec![7], 3, vec![0, 1]), (vec![8], 1, vec![0])]);
        assert_eq!(
            told(&[one(), other()], None),
            [(vec![7, 3], 1, vec![1]), (vec![7, ABSENT], 2, vec![0, 1]), (vec![8, ABSENT], 1, vec![0])]
        );
        let passing = [false, true, true, true];
        assert_eq!(
            told(&[one(), other(), one()], Some(&passing)),
            [(vec![7, 3, 7], 1, vec![1]), (vec![7, ABSENT, 7], 1, vec![1]), (vec![8, ABSENT, 8], 1, vec![0])]
        );
        assert_eq!(told(&[], Some(&[false; 4])), []);
    }

    #[test]
    fn combinations_that_fit_no_table_are_told_apart_too() {
        let many: Vec<u32> = (0..2_000).collect();
        let other: Vec<u32> = many.iter().map(|code| code / 2 * 2).collect();
        let fields = [placed(&many, &many), placed(&other, &many)];
        let combinations = Combinations::of(&fields);
        assert_eq!(combinations.count, 2_000);
        assert_eq!(combinations.texts_of(1_001), [1_001, 1_000]);
        // Neither does a bit for each of so many pairs.
        let pairs: Vec<u32> = many.iter().map(|event| event * 100).collect();
        let counts = combinations.count(0..2_000, None, &pairs, 200_000);
        assert_eq!(counts.found().collect::<Vec<_>>(), (0..2_000).map(|one| (one, 1)).collect::<Vec<_>>());
        let mut found = vec![7];
        counts.pairs_of(1_001, &mut found);
        assert_eq!(found, [100_100]);
    }
}
