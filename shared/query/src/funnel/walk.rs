//! One actor's events, one after the other, and the attempt that counts for it.

use std::sync::Arc;

use super::StepOrder;
use super::ordered::OrderedWalk;
use super::strict::StrictWalk;
use super::unordered::UnorderedWalk;
use crate::QueryError;

/// What the walks of a question go by; instants are microseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rules {
    /// How many steps there are.
    pub(crate) steps: usize,
    /// How long after its first step an attempt may reach another.
    pub(crate) window: i64,
    /// Where the range of first steps ends.
    pub(crate) starts_before: i64,
    /// The steps after and before which an excluded event ends an attempt.
    pub(crate) exclusions: Vec<(usize, usize)>,
}

impl Rules {
    /// The exclusions that an event matches.
    pub(super) fn excluding<'r>(&'r self, marks: u64) -> impl Iterator<Item = (usize, (usize, usize))> + 'r {
        let matches = move |index: usize| marks & (1 << (self.steps + index)) != 0;
        self.exclusions.iter().copied().enumerate().filter(move |(index, _)| matches(*index))
    }
}

/// An event of the actor that is walked.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// When it happened.
    pub(crate) at: i64,
    /// A bit for each step, then one for each exclusion.
    pub(crate) marks: u64,
    /// Its value of the breakdown.
    pub(crate) label: Option<Arc<str>>,
}

impl Seen {
    pub(super) const fn fits(&self, step: usize) -> bool {
        self.marks & (1 << step) != 0
    }
}

/// The attempt that counts for an actor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attempt {
    /// When each step was reached, the first one's instant first; as many as were reached.
    pub(crate) times: Vec<i64>,
    /// The breakdown's value on the event that it began with.
    pub(crate) label: Option<Arc<str>>,
}

/// The walk over one actor's events; after [`Walk::finish`] it is ready for the next actor's.
#[derive(Debug)]
pub(crate) enum Walk {
    Ordered(OrderedWalk),
    Strict(StrictWalk),
    Unordered(UnorderedWalk),
}

impl Walk {
    pub(crate) fn new(order: StepOrder) -> Self {
        match order {
            StepOrder::Ordered => Self::Ordered(OrderedWalk::default()),
            StepOrder::Strict => Self::Strict(StrictWalk::default()),
            StepOrder::Any => Self::Unordered(UnorderedWalk::default()),
        }
    }

    /// Takes the next event by (timestamp, id).
    ///
    /// # Errors
    /// [`QueryError`] `query_too_large` where too many attempts are under way at once.
    pub(crate) fn event(&mut self, rules: &Rules, event: Seen) -> Result<(), QueryError> {
        match self {
            Self::Ordered(walk) => return walk.event(rules, event),
            Self::Strict(walk) => walk.event(rules, &event),
            Self::Unordered(walk) => walk.event(rules, &event),
        }
        Ok(())
    }

    /// The attempt that counts, where there was one, once the actor's events are over.
    pub(crate) fn finish(&mut self, rules: &Rules) -> Option<Attempt> {
        match self {
            Self::Ordered(walk) => walk.finish(rules),
            Self::Strict(walk) => std::mem::take(walk).finish(),
            Self::Unordered(walk) => std::mem::take(walk).finish(),
        }
    }
}

/// One attempt that is followed step by step, with what its exclusions have seen.
#[derive(Debug, Clone)]
pub(super) struct Course {
    attempt: Attempt,
    /// For each exclusion the first excluded instant strictly later than its step `after`.
    excluded_at: Vec<Option<i64>>,
}

impl Course {
    pub(super) fn begin(rules: &Rules, event: &Seen) -> Self {
        let attempt = Attempt { times: vec![event.at], label: event.label.clone() };
        Self { attempt, excluded_at: vec![None; rules.exclusions.len()] }
    }

    /// How many steps were reached.
    pub(super) fn reached(&self) -> usize {
        self.attempt.times.len()
    }

    /// Whether the window is still open.
    pub(super) fn is_open(&self, rules: &Rules, at: i64) -> bool {
        self.attempt.times.first().is_some_and(|start| at <= start.saturating_add(rules.window))
    }

    /// Reaches the next step, unless an excluded event came before.
    pub(super) fn reach(&mut self, rules: &Rules, at: i64) -> bool {
        let next = self.reached();
        let mut seen = rules.exclusions.iter().zip(&self.excluded_at);
        let ended = seen.any(|((after, before), excluded)| {
            (*after < next && next <= *before) && excluded.is_some_and(|excluded| excluded < at)
        });
        if !ended {
            self.attempt.times.push(at);
        }
        !ended
    }

    /// Notes what an event excludes; called after it had its chance to be a step.
    pub(super) fn note(&mut self, rules: &Rules, event: &Seen) {
        for (index, (after, _)) in rules.excluding(event.marks) {
            let later = self.attempt.times.get(after).is_some_and(|reached| *reached < event.at);
            if let Some(excluded @ None) = self.excluded_at.get_mut(index)
                && later
            {
                *excluded = Some(event.at);
            }
        }
    }

    pub(super) fn attempt(&self) -> &Attempt {
        &self.attempt
    }

    pub(super) fn into_attempt(self) -> Attempt {
        self.attempt
    }
}
