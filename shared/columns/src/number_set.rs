//! Distinct numbers.

use crate::encoded_set::put_set;

/// So many numbers are gathered before they are looked through.
const FEW: usize = 1_024;

/// The numbers of a page, a bit each.
pub(crate) const PAGE: usize = 4_096;

/// The words of a page.
pub(crate) const WORDS: usize = PAGE / 64;

type Page = Box<[u64; WORDS]>;

/// A set of numbers that grows: a list while they are few, bits once that is about as small. Numbers of things that come one
/// after the other stand close together, and so in few pages.
#[derive(Debug, Clone, Default)]
pub struct NumberSet {
    /// The first `sorted` are ascending, each once; the rest as they came.
    list: Vec<u32>,
    sorted: usize,
    /// Where there is any, the list is empty.
    pages: Vec<Option<Page>>,
    /// How many pages there are.
    made: usize,
}

impl NumberSet {
    /// Takes a number in.
    pub fn insert(&mut self, number: u32) {
        if self.pages.is_empty() {
            self.list.push(number);
            if self.list.len() >= FEW.max(self.sorted * 2) {
                self.settle();
            }
        } else {
            self.set(number);
        }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&mut self) -> usize {
        if self.pages.is_empty() {
            self.settle();
        }
        if self.pages.is_empty() {
            self.list.len()
        } else {
            self.pages.iter().flatten().flat_map(|page| page.iter()).map(|word| word.count_ones() as usize).sum()
        }
    }

    /// About how many bytes it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.list.capacity() * 4
            + self.pages.capacity() * size_of::<Option<Page>>()
            + self.made * size_of::<[u64; WORDS]>()
    }

    /// Takes all numbers of another set in.
    pub fn merge(&mut self, mut other: Self) {
        self.settle();
        other.settle();
        if self.pages.is_empty() && !other.pages.is_empty() {
            std::mem::swap(self, &mut other);
        }
        if self.pages.is_empty() {
            if self.list.is_empty() || other.list.is_empty() {
                self.list.append(&mut other.list);
            } else {
                self.list = united(&self.list, &other.list);
            }
            self.sorted = self.list.len();
            self.fit();
            return;
        }
        other.list.iter().for_each(|number| self.set(*number));
        for (page, words) in other.pages.into_iter().enumerate().filter_map(|(page, words)| Some((page, words?))) {
            if let Some(slot @ None) = self.pages.get_mut(page) {
                *slot = Some(words);
                self.made += 1;
            } else {
                self.page(page).iter_mut().zip(words.iter()).for_each(|(own, other)| *own |= other);
            }
        }
    }

    /// The numbers, ascending.
    pub(crate) fn ordered(&mut self) -> Vec<u32> {
        if self.pages.is_empty() {
            self.settle();
        }
        if self.pages.is_empty() {
            return self.list.clone();
        }
        let mut numbers = Vec::new();
        for (page, words) in self.pages.iter().enumerate().filter_map(|(page, words)| Some((page, words.as_ref()?))) {
            for (place, word) in words.iter().enumerate() {
                let mut left = *word;
                while left != 0 {
                    numbers.push((page * PAGE + place * 64) as u32 + left.trailing_zeros());
                    left &= left - 1;
                }
            }
        }
        numbers
    }

    /// As bytes, behind those that are there.
    pub(crate) fn encode(&mut self, bytes: &mut Vec<u8>) {
        put_set(bytes, &self.ordered());
    }

    /// Takes a page's numbers in.
    pub(crate) fn insert_bits(&mut self, page: usize, bits: &[u64; WORDS]) {
        for number in std::mem::take(&mut self.list) {
            self.set(number);
        }
        self.sorted = 0;
        let words = self.page(page);
        words.iter_mut().zip(bits).for_each(|(word, bits)| *word |= bits);
    }

    /// Takes numbers in, by their places in a page.
    pub(crate) fn insert_few(&mut self, page: usize, places: &[u16]) {
        if self.pages.is_empty() {
            places.iter().for_each(|place| self.insert((page * PAGE) as u32 + u32::from(*place)));
            return;
        }
        let words = self.page(page);
        for place in places.iter().map(|place| usize::from(*place)) {
            if let Some(word) = words.get_mut(place / 64) {
                *word |= 1 << (place % 64);
            }
        }
    }

    /// Looks through what was gathered, so that counting and merging find it in order.
    pub fn settle(&mut self) {
        if self.sorted == self.list.len() {
            return;
        }
        let mut new = self.list.split_off(self.sorted);
        new.sort_unstable();
        new.dedup();
        // Numbers of things that come one after the other are mostly greater than those before.
        let first = new.first().copied().unwrap_or(0);
        let lower = self.list.partition_point(|number| *number < first);
        let met = self.list.split_off(lower);
        if met.is_empty() {
            self.list.append(&mut new)
        } else {
            self.list.append(&mut united(&met, &new))
        }
        self.sorted = self.list.len();
        self.fit();
    }

    /// Makes bits of the list, whose numbers ascend, where that is about as small.
    fn fit(&mut self) {
        let pages = self.list.chunk_by(|a, b| *a as usize / PAGE == *b as usize / PAGE).count();
        let places = self.list.last().map_or(0, |last| *last as usize / PAGE);
        // A list takes 32 bits a number, and twice that while it grows.
        if self.sorted >= FEW && pages * WORDS + places <= self.sorted {
            for number in std::mem::take(&mut self.list) {
                self.set(number);
            }
            self.sorted = 0;
        }
    }

    fn set(&mut self, number: u32) {
        let bit = number as usize % PAGE;
        if let Some(word) = self.page(number as usize / PAGE).get_mut(bit / 64) {
            *word |= 1 << (bit % 64);
        }
    }

    /// The words of a page, which is made where it is not there.
    fn page(&mut self, page: usize) -> &mut [u64; WORDS] {
        if self.pages.len() <= page {
            self.pages.resize_with(page + 1, || None);
        }
        let made = &mut self.made;
        self.pages[page].get_or_insert_with(|| {
            *made += 1;
            Box::new([0; WORDS])
        })
    }
}

/// The numbers of two ascending lists, each once.
fn united(one: &[u32], other: &[u32]) -> Vec<u32> {
    let mut all = Vec::with_capacity(one.len() + other.len());
    let (mut one, mut other) = (one.iter().copied().peekable(), other.iter().copied().peekable());
    while let (Some(a), Some(b)) = (one.peek().copied(), other.peek().copied()) {
        all.push(a.min(b));
        if a <= b {
            one.next();
        }
        if b <= a {
            other.next();
        }
    }
    all.extend(one);
    all.extend(other);
    all
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Numbers that come in runs, as many or as few as make lists and pages.
    fn numbers() -> impl Strategy<Value = Vec<u32>> {
        let run = (0_u32..300_000, 1_u32..3_000, 1_u32..40);
        proptest::collection::vec(run, 0..5).prop_map(|runs| {
            runs.iter().flat_map(|(from, count, step)| (0..*count).map(move |place| from + place * step)).collect()
        })
    }

    proptest! {
        #[test]
        fn a_merged_set_holds_the_numbers_of_both(one in numbers(), other in numbers()) {
            let set = |numbers: &[u32]| {
                let mut set = NumberSet::default();
                numbers.iter().for_each(|number| set.insert(*number));
                set
            };
            let mut merged = set(&one);
            merged.merge(set(&other));
            let both: Vec<u32> = one.into_iter().chain(other).collect();
            let mut all = set(&both);
            prop_assert_eq!(merged.count(), all.count());
            prop_assert_eq!(merged.ordered(), all.ordered());
            prop_assert_eq!(merged.made, merged.pages.iter().flatten().count());
            // It goes on growing.
            merged.insert(1_000_000);
            prop_assert_eq!(merged.count(), all.count() + 1);
        }
    }
}
