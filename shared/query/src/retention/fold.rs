//! Cohorts, folded from the actors' stays, one actor after the other.

use analytics_domain::Timestamp;

use super::{ReturnMode, Stay};

/// The counts of all cohorts, and the actor that is being looked at. Its size does not depend on how many actors there are.
#[derive(Debug, Clone)]
pub(crate) struct Fold {
    mode: ReturnMode,
    periods: usize,
    /// The range ends here: who starts later does not start in it.
    range_end: Timestamp,
    sizes: Vec<u64>,
    /// The counts of all cells, one cohort after the other.
    cells: Vec<u64>,
    actor: Actor,
}

/// What is known of the actor that is being looked at.
#[derive(Debug, Clone, Default)]
struct Actor {
    start: Start,
    /// For each cell whether there was a return in its unit.
    returned: Vec<bool>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Start {
    /// No start event was seen.
    #[default]
    Awaited,
    /// The first one made it a member of this cohort.
    In(usize),
    /// The first one lies outside the range.
    Outside,
}

impl Fold {
    pub(crate) fn new(mode: ReturnMode, cohorts: usize, periods: usize, range_end: Timestamp) -> Self {
        Self {
            mode,
            periods,
            range_end,
            sizes: vec![0; cohorts],
            cells: vec![0; cohorts * periods],
            actor: Actor { start: Start::Awaited, returned: vec![false; periods] },
        }
    }

    /// Takes the next stay of the actor; an actor's stays come in the order of their units.
    pub(crate) fn take(&mut self, stay: &Stay) {
        if self.actor.start == Start::Awaited
            && let Some(first) = stay.first_start
        {
            self.actor.start = match stay.unit {
                Some(unit) if first < self.range_end && unit < self.sizes.len() => Start::In(unit),
                _ => Start::Outside,
            };
            // In the unit of the start, only what is not before it is a return.
            if stay.last_return.is_some_and(|last| last >= first) {
                self.returns(stay.unit);
            }
        } else if stay.last_return.is_some() {
            self.returns(stay.unit);
        }
    }

    fn returns(&mut self, unit: Option<usize>) {
        let (Start::In(start), Some(unit)) = (self.actor.start, unit) else { return };
        if let Some(cell) = unit.checked_sub(start).and_then(|cell| self.actor.returned.get_mut(cell)) {
            *cell = true;
        }
    }

    /// Counts the actor and looks at the next one.
    pub(crate) fn next_actor(&mut self) {
        if let Start::In(cohort) = self.actor.start {
            if let Some(size) = self.sizes.get_mut(cohort) {
                *size += 1;
            }
            let last = self.actor.returned.iter().rposition(|returned| *returned);
            let cells = self.cells.iter_mut().skip(cohort * self.periods).take(self.periods);
            for (index, (count, returned)) in cells.zip(&self.actor.returned).enumerate() {
                let counts = match self.mode {
                    ReturnMode::On => *returned,
                    ReturnMode::OnOrAfter => last.is_some_and(|last| index <= last),
                };
                *count += u64::from(counts);
            }
        }
        self.actor.start = Start::Awaited;
        self.actor.returned.fill(false);
    }

    /// Takes in what another fold counted of other actors.
    pub(crate) fn join(&mut self, other: &Self) {
        self.sizes.iter_mut().zip(&other.sizes).for_each(|(size, other)| *size += other);
        self.cells.iter_mut().zip(&other.cells).for_each(|(count, other)| *count += other);
    }

    /// The size and the cells' counts of each cohort; the last actor was counted.
    pub(crate) fn cohorts(&self) -> impl Iterator<Item = (u64, &[u64])> {
        self.sizes.iter().copied().zip(self.cells.chunks(self.periods.max(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(micros: i64) -> Option<Timestamp> {
        Some(Timestamp::from_micros(micros))
    }

    /// Units of ten microseconds from 0; a range of three of them that ends within the third.
    fn counts(mode: ReturnMode, actors: &[&[Stay]]) -> Vec<(u64, Vec<u64>)> {
        let mut fold = Fold::new(mode, 3, 3, Timestamp::from_micros(25));
        for stays in actors {
            stays.iter().for_each(|stay| fold.take(stay));
            fold.next_actor();
        }
        fold.cohorts().map(|(size, cells)| (size, cells.to_vec())).collect()
    }

    const fn stay(unit: usize, first_start: Option<Timestamp>, last_return: Option<Timestamp>) -> Stay {
        Stay { unit: Some(unit), first_start, last_return }
    }

    #[test]
    fn a_return_counts_at_or_after_the_start_in_its_own_unit() {
        let before = [stay(0, at(5), at(4))];
        let same_instant = [stay(0, at(5), at(5))];
        let later = [stay(0, at(5), at(3)), stay(2, at(20), at(20))];
        let counted = counts(ReturnMode::On, &[&before, &same_instant, &later]);
        assert_eq!(counted, [(3, vec![1, 0, 1]), (0, vec![0; 3]), (0, vec![0; 3])]);
        let counted = counts(ReturnMode::OnOrAfter, &[&before, &same_instant, &later]);
        assert_eq!(counted[0], (3, vec![2, 1, 1]));
    }

    #[test]
    fn the_first_start_decides_and_returns_before_it_are_none() {
        // Returns in unit 0, starts in unit 1, and again in 2; what comes behind the last cell is left out.
        let stays = [stay(0, None, at(1)), stay(1, at(12), None), stay(2, at(21), at(22)), stay(4, None, at(41))];
        assert_eq!(counts(ReturnMode::On, &[&stays])[1], (1, vec![0, 1, 0]));
        assert_eq!(counts(ReturnMode::OnOrAfter, &[&stays])[1], (1, vec![1, 1, 0]));
    }

    #[test]
    fn who_starts_outside_the_range_is_in_no_cohort() {
        let before = [Stay { unit: None, first_start: at(-1), last_return: None }, stay(0, at(0), at(0))];
        let behind = [stay(2, at(25), at(26))];
        let far_behind = [stay(3, at(30), at(31))];
        assert_eq!(counts(ReturnMode::On, &[&before, &behind, &far_behind]), vec![(0, vec![0; 3]); 3]);
        let just_in = [stay(2, at(24), at(26)), stay(4, None, at(40))];
        assert_eq!(counts(ReturnMode::On, &[&just_in])[2], (1, vec![1, 0, 1]));
    }
}
