//! The attempts of one actor that wait for the same step, kept together.
//!
//! Attempts that wait for a step all reach it with the same event, and from then on differ in nothing but how long their
//! windows are open. They therefore move as one, whatever their number: a group holds what waited before, and each attempt is
//! moved as often as there are steps. Oldest starts come first, so that those whose window has closed are at the front.

use std::collections::VecDeque;
use std::sync::Arc;

/// The event that an attempt began with.
#[derive(Debug, Clone)]
pub(super) struct Start {
    pub(super) at: i64,
    /// Its place among the events of the same instant.
    pub(super) place: usize,
    pub(super) label: Option<Arc<str>>,
}

impl Start {
    /// Whether it comes before another by (timestamp, id).
    pub(super) fn is_before(&self, other: &Self) -> bool {
        (self.at, self.place) < (other.at, other.place)
    }

    /// What it weighs in memory, in units of some 40 bytes.
    fn weight(&self) -> usize {
        1 + self.label.as_ref().map_or(0, |label| label.len() / 32)
    }
}

/// For so many the room stays where an actor's are gone.
const ROOM: usize = 64;

/// What a group weighs besides what is in it.
const GROUP_WEIGHT: usize = 3;

/// Attempts that have reached the same step, oldest start first.
#[derive(Debug)]
pub(super) enum Attempts {
    /// The first step.
    Begun(VecDeque<Start>),
    /// A later one.
    Moved(VecDeque<Group>),
}

/// Attempts that reached a step at the same instant.
#[derive(Debug)]
pub(super) struct Group {
    /// The instant at which they reached the last steps.
    at: i64,
    /// How many steps they had reached before it.
    before: usize,
    attempts: Attempts,
}

impl Group {
    pub(super) const fn new(at: i64, before: usize, attempts: Attempts) -> Self {
        Self { at, before, attempts }
    }

    /// Its earliest start, and the instants of the steps, so many of which all have reached.
    pub(super) fn earliest(&self, reached: usize) -> Option<(&Start, Vec<i64>)> {
        let (start, mut times) = self.attempts.earliest(self.before)?;
        times.resize(reached, self.at);
        Some((start, times))
    }

    /// What its attempts weigh.
    pub(super) fn weight(&self) -> usize {
        self.attempts.weight()
    }
}

impl Attempts {
    /// The earliest start, and the instants of the steps, so many of which all have reached.
    ///
    /// Starts are in order of time; of equal times a later one may have got here first.
    fn earliest(&self, reached: usize) -> Option<(&Start, Vec<i64>)> {
        match self {
            Self::Begun(starts) => {
                let first = starts.front()?;
                let equal = starts.iter().take_while(|start| start.at == first.at);
                let start = equal.min_by_key(|start| start.place)?;
                Some((start, vec![start.at]))
            }
            Self::Moved(groups) => {
                let mut best: Option<(&Start, Vec<i64>)> = None;
                for group in groups {
                    let Some((start, times)) = group.earliest(reached) else { continue };
                    if best.as_ref().is_some_and(|(best, _)| best.at < start.at) {
                        break;
                    }
                    if best.as_ref().is_none_or(|(best, _)| start.is_before(best)) {
                        best = Some((start, times));
                    }
                }
                best
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Begun(starts) => starts.is_empty(),
            Self::Moved(groups) => groups.is_empty(),
        }
    }

    /// Adds an attempt that begins now; returns what it weighs.
    pub(super) fn push_start(&mut self, start: Start) -> usize {
        let weight = start.weight();
        if let Self::Begun(starts) = self {
            starts.push_back(start);
        }
        weight
    }

    /// Adds attempts that got here now; returns what that weighs besides themselves.
    pub(super) fn push_group(&mut self, group: Group) -> usize {
        if let Self::Moved(groups) = self {
            groups.push_back(group);
        }
        GROUP_WEIGHT
    }

    /// Lets go of those that began before an instant; returns what they weighed.
    pub(super) fn forget_before(&mut self, oldest: i64) -> usize {
        let mut freed = 0;
        match self {
            Self::Begun(starts) => {
                while let Some(start) = starts.pop_front_if(|start| start.at < oldest) {
                    freed += start.weight();
                }
            }
            Self::Moved(groups) => {
                while let Some(group) = groups.front_mut() {
                    freed += group.attempts.forget_before(oldest);
                    if !group.attempts.is_empty() {
                        break;
                    }
                    groups.pop_front();
                    freed += GROUP_WEIGHT;
                }
            }
        }
        freed
    }

    /// Lets go of those that had reached the step `after` before the instant `now`; returns what they weighed.
    ///
    /// Those of a group have reached its last steps at one instant, and the steps before them earlier.
    pub(super) fn end_those_past(&mut self, after: usize, now: i64) -> usize {
        let mut freed = 0;
        match self {
            Self::Begun(starts) => starts.retain(|start| {
                let stays = start.at == now;
                freed += if stays { 0 } else { start.weight() };
                stays
            }),
            Self::Moved(groups) => groups.retain(|group| {
                let stays = group.at == now && group.before <= after;
                freed += if stays { 0 } else { GROUP_WEIGHT + group.attempts.weight() };
                stays
            }),
        }
        freed
    }

    fn weight(&self) -> usize {
        match self {
            Self::Begun(starts) => starts.iter().map(Start::weight).sum(),
            Self::Moved(groups) => groups.iter().map(|group| GROUP_WEIGHT + group.attempts.weight()).sum(),
        }
    }

    /// Lets go of all. The room for a few stays, for the next actor's.
    pub(super) fn clear(&mut self) {
        fn clear<T>(all: &mut VecDeque<T>) {
            all.clear();
            all.shrink_to(ROOM);
        }
        match self {
            Self::Begun(starts) => clear(starts),
            Self::Moved(groups) => clear(groups),
        }
    }

    /// Takes all out.
    pub(super) fn take(&mut self) -> Self {
        match self {
            Self::Begun(starts) => Self::Begun(std::mem::take(starts)),
            Self::Moved(groups) => Self::Moved(std::mem::take(groups)),
        }
    }
}
