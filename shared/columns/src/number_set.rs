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

    fn settle(&mut self) {
        if self.sorted == self.list.len() {
            return;
        }
        self.list.sort_unstable();
        self.list.dedup();
        self.sorted = self.list.len();
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
