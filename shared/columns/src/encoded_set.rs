//! Distinct numbers as bytes, page by page: a bit a number where a page is full, else each number's distance from the last.

use crate::bytes::{Corrupt, Reader, put_number};
use crate::number_set::{NumberSet, PAGE, WORDS};

/// A page of so many numbers is not larger as bits.
const MANY: usize = PAGE / 8 / 2;

/// Appends numbers, which ascend: how many pages; of each, its distance from the last and how many numbers it has; then bits or
/// distances.
pub(crate) fn put_set(bytes: &mut Vec<u8>, numbers: &[u32]) {
    let page = |number: &u32| number / PAGE as u32;
    let pages = || numbers.chunk_by(|one, other| page(one) == page(other));
    put_number(bytes, pages().count() as u64);
    let mut next_page = 0;
    for numbers in pages() {
        let own = numbers.first().map_or(0, page);
        put_number(bytes, u64::from(own - next_page));
        next_page = own + 1;
        put_number(bytes, numbers.len() as u64);
        if numbers.len() >= MANY {
            let mut words = [0_u64; WORDS];
            for bit in numbers.iter().map(|number| *number as usize % PAGE) {
                words[bit / 64] |= 1 << (bit % 64);
            }
            words.iter().for_each(|word| bytes.extend_from_slice(&word.to_le_bytes()));
        } else {
            let mut next = 0;
            for bit in numbers.iter().map(|number| number % PAGE as u32) {
                put_number(bytes, u64::from(bit - next));
                next = bit + 1;
            }
        }
    }
}

/// A set's bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EncodedSet<'b>(Reader<'b>);

/// What a page has.
enum Content<'p> {
    Bits(&'p [u64; WORDS]),
    /// Places in the page.
    Few(&'p [u16]),
}

impl<'b> EncodedSet<'b> {
    pub(crate) const fn new(bytes: &'b [u8]) -> Self {
        Self(Reader::bare(bytes))
    }

    pub(crate) fn add_to(&self, set: &mut NumberSet) -> Result<(), Corrupt> {
        self.pages(|page, content| match content {
            Content::Bits(words) => set.insert_bits(page, words),
            Content::Few(places) => set.insert_few(page, places),
        })
    }

    /// The numbers, ascending.
    pub(crate) fn numbers(&self) -> Result<Vec<u32>, Corrupt> {
        let mut numbers = Vec::new();
        self.pages(|page, content| {
            let first = (page * PAGE) as u32;
            match content {
                Content::Few(places) => numbers.extend(places.iter().map(|place| first + u32::from(*place))),
                Content::Bits(words) => {
                    let is_there = |bit: &usize| words.get(bit / 64).is_some_and(|word| word >> (bit % 64) & 1 == 1);
                    numbers.extend((0..PAGE).filter(is_there).map(|bit| first + bit as u32));
                }
            }
        })?;
        Ok(numbers)
    }

    fn pages(&self, mut each: impl FnMut(usize, Content<'_>)) -> Result<(), Corrupt> {
        let mut reader = self.0;
        let mut next_page = 0_usize;
        let mut few: Vec<u16> = Vec::with_capacity(MANY);
        for _ in 0..reader.count()? {
            let page = next_page.saturating_add(reader.small()? as usize);
            if page > u32::MAX as usize / PAGE {
                return Err(Corrupt("a number is too large"));
            }
            next_page = page + 1;
            let count = reader.number()?;
            if count >= MANY as u64 {
                let mut words = [0_u64; WORDS];
                let bytes = reader.take(PAGE / 8)?.as_chunks::<8>().0;
                words.iter_mut().zip(bytes).for_each(|(word, bytes)| *word = u64::from_le_bytes(*bytes));
                each(page, Content::Bits(&words));
                continue;
            }
            few.clear();
            let mut next = 0_u64;
            for _ in 0..count {
                let place = next.saturating_add(reader.number()?);
                if place >= PAGE as u64 {
                    return Err(Corrupt("a number is of another page"));
                }
                few.push(place as u16);
                next = place + 1;
            }
            each(page, Content::Few(&few));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn sets_come_back(
            runs in proptest::collection::vec((0_u32..2_000_000, 1_u32..600, 1_u32..9), 0..12),
            before in proptest::collection::vec(0_u32..2_000_000, 0..3_000),
        ) {
            let mut numbers: Vec<u32> =
                runs.iter().flat_map(|(from, count, step)| (0..*count).map(move |place| from + place * step)).collect();
            let mut set = NumberSet::default();
            numbers.iter().for_each(|number| set.insert(*number));
            numbers.sort_unstable();
            numbers.dedup();
            let mut bytes = Vec::new();
            set.encode(&mut bytes);
            let encoded = EncodedSet::new(&bytes);
            prop_assert_eq!(encoded.numbers().unwrap(), numbers.clone());
            // Into a set that has some already.
            let mut both = NumberSet::default();
            before.iter().for_each(|number| both.insert(*number));
            encoded.add_to(&mut both).unwrap();
            encoded.add_to(&mut both).unwrap();
            let mut all: Vec<u32> = numbers.into_iter().chain(before).collect();
            all.sort_unstable();
            all.dedup();
            prop_assert_eq!(both.count(), all.len());
            prop_assert_eq!(both.ordered(), all);
        }
    }
}
