//! Kinds of gathered events: what millions of them have in common stands once.

use std::collections::HashMap;

/// Kinds that were met lately, by some bits of theirs: most events are of one of them.
const LATELY: usize = 256;

/// All that is told of an event but its actor and time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Kind {
    /// A bit for each list of filters that it passes.
    pub(super) marks: u64,
    /// The place of its label, counted from 1; 0 for none.
    pub(super) label: u32,
}

impl Kind {
    /// Where it stands among those that were met lately (multiplicative hashing: Knuth, The Art of Computer Programming, volume
    /// 3, 6.4).
    const fn slot(self) -> usize {
        let mixed = (self.marks ^ (self.label as u64).rotate_left(32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (mixed >> 56) as usize
    }
}

/// The kinds that there are, each with a place.
#[derive(Debug)]
pub(super) struct Kinds {
    pub(super) all: Vec<Kind>,
    places: HashMap<Kind, u32>,
    lately: Box<[(Kind, u32); LATELY]>,
}

impl Default for Kinds {
    fn default() -> Self {
        // No event is of this kind: at most 62 marks are told.
        let none = (Kind { marks: u64::MAX, label: 0 }, 0);
        Self { all: Vec::new(), places: HashMap::new(), lately: Box::new([none; LATELY]) }
    }
}

impl Kinds {
    /// The place of a kind, a new one where it is met for the first time.
    pub(super) fn place_of(&mut self, kind: Kind) -> u32 {
        let Self { all, places, lately } = self;
        let mut look_up = || {
            *places.entry(kind).or_insert_with(|| {
                all.push(kind);
                all.len() as u32 - 1
            })
        };
        let Some(slot) = lately.get_mut(kind.slot()) else { return look_up() };
        if slot.0 != kind {
            *slot = (kind, look_up());
        }
        slot.1
    }

    /// The kind at a place.
    pub(super) fn get(&self, place: u32) -> Kind {
        self.all.get(place as usize).copied().unwrap_or(Kind { marks: 0, label: 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_place_of_its_own_and_keeps_it() {
        let kind = |number: u64| Kind { marks: number % 70, label: (number / 70) as u32 };
        let mut kinds = Kinds::default();
        let places: Vec<u32> = (0..7_000).map(|number| kinds.place_of(kind(number))).collect();
        assert_eq!(places, (0..7_000).collect::<Vec<u32>>());
        for number in (0..7_000).rev() {
            let place = kinds.place_of(kind(number));
            assert_eq!((place, kinds.get(place)), (number as u32, kind(number)));
        }
        assert_eq!(kinds.all.len(), 7_000);
    }
}
