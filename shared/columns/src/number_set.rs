//! Distinct numbers.

/// So many numbers are gathered before they are looked through.
const FEW: usize = 1_024;

/// A set of numbers that grows: a list while they are few, bits once that is smaller.
#[derive(Debug, Clone, Default)]
pub struct NumberSet {
    /// The first `sorted` are ascending, each once; the rest as they came.
    list: Vec<u32>,
    sorted: usize,
    bits: Vec<u64>,
}

impl NumberSet {
    /// Takes a number in.
    pub fn insert(&mut self, number: u32) {
        if self.bits.is_empty() {
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
        if self.bits.is_empty() {
            self.settle();
        }
        if self.bits.is_empty() {
            self.list.len()
        } else {
            self.bits.iter().map(|word| word.count_ones() as usize).sum()
        }
    }

    /// About how many bytes it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.list.capacity() * 4 + self.bits.capacity() * 8
    }

    fn settle(&mut self) {
        if self.sorted == self.list.len() {
            return;
        }
        self.list.sort_unstable();
        self.list.dedup();
        self.sorted = self.list.len();
        // A list takes 32 bits a number.
        let span = self.list.last().map_or(0, |last| *last as usize / 32);
        if self.sorted >= FEW && span <= self.sorted {
            for number in std::mem::take(&mut self.list) {
                self.set(number);
            }
            self.sorted = 0;
        }
    }

    fn set(&mut self, number: u32) {
        let (word, bit) = (number as usize / 64, 1_u64 << (number % 64));
        if self.bits.len() <= word {
            self.bits.resize(word + 1, 0);
        }
        if let Some(found) = self.bits.get_mut(word) {
            *found |= bit;
        }
    }
}
