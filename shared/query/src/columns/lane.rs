//! Lanes: which quarters of an answer are taken one after the other, whatever threads there are.

use analytics_columns::{Block, Quarter};

/// How many there are, and so the most threads that can take the quarters of one answer.
pub(super) const LANES: usize = 4;

/// The lane of a quarter. Quarters of a block have one: the numbers of its sessions stand close together, so that the sets of two
/// threads have few pages in common.
pub(super) fn lane_of(quarter: Quarter) -> usize {
    Block::of(quarter).0.rem_euclid(LANES as i64) as usize
}

/// A sum that is the same to the last bit, whichever threads have added to it: the numbers of each lane are added in their order,
/// and the lanes at the end.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct LaneSum([f64; LANES]);

impl LaneSum {
    pub(super) fn add(&mut self, lane: usize, number: f64) {
        if let Some(sum) = self.0.get_mut(lane) {
            *sum += number;
        }
    }

    /// Takes in what was added elsewhere, to other lanes.
    pub(super) fn join(&mut self, other: Self) {
        self.0.iter_mut().zip(other.0).for_each(|(sum, other)| *sum += other);
    }

    pub(super) fn total(self) -> f64 {
        self.0.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_in_one_lane_and_the_next_in_another() {
        assert_eq!(lane_of(Quarter(0)), lane_of(Quarter(15)));
        assert_ne!(lane_of(Quarter(15)), lane_of(Quarter(16)));
        assert_eq!(lane_of(Quarter(-1)), LANES - 1);
        let met: Vec<usize> = (0..=LANES as i64).map(|block| lane_of(Block(block).first())).collect();
        assert_eq!(met, [0, 1, 2, 3, 0]);
    }

    #[test]
    fn a_sum_does_not_tell_who_added() {
        let numbers: Vec<(usize, f64)> = (0..1_000).map(|n| (n * 7 % LANES, 0.1 * n as f64)).collect();
        let mut one = LaneSum::default();
        numbers.iter().for_each(|(lane, number)| one.add(*lane, *number));
        let mut two = [LaneSum::default(); 2];
        numbers.iter().for_each(|(lane, number)| two[lane % 2].add(*lane, *number));
        let [mut joined, other] = two;
        joined.join(other);
        assert_eq!(joined.total().to_bits(), one.total().to_bits());
    }
}
