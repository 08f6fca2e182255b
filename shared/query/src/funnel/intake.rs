//! The rows of a funnel's scan, folded one by one.

use std::sync::Arc;

use super::tally::Tally;
use super::walk::{Rules, Seen, Walk};
use super::{FunnelAnswer, FunnelPlan};
use crate::columns::Threads;
use crate::folding::{self, Folding};
use crate::intake::Intake;
use crate::scan::{ActorKey, ScannedEvent};
use crate::{QueryError, Row};

/// Takes the rows of a funnel's scan in, actor by actor.
#[derive(Debug)]
pub struct FunnelIntake(Folding<Fold>);

/// The attempts of actors, each of whose events come together and in order.
#[derive(Debug)]
struct Fold {
    rules: Rules,
    walk: Walk,
    /// Whose events the walk has taken.
    actor: Option<ActorKey>,
    /// The value that came last: the same one is kept once while it repeats.
    value: Option<Arc<str>>,
    tally: Tally,
    events_read: u64,
}

impl folding::Fold for Fold {
    type Plan = FunnelPlan;

    fn new(plan: &FunnelPlan) -> Self {
        Self {
            rules: plan.rules(),
            walk: Walk::new(plan.question.order),
            actor: None,
            value: None,
            tally: Tally::default(),
            events_read: 0,
        }
    }

    fn end(&mut self) -> Result<(), QueryError> {
        match self.walk.finish(&self.rules) {
            Some(attempt) => self.tally.take(&attempt),
            None => Ok(()),
        }
    }

    fn event(&mut self, event: ScannedEvent) -> Result<(), QueryError> {
        self.events_read += 1;
        if self.actor.as_ref() != Some(&event.actor) {
            self.end()?;
            self.actor = Some(event.actor);
        }
        if self.value != event.label {
            self.value = event.label;
        }
        let seen = Seen { at: event.timestamp.as_micros(), marks: event.marks, label: self.value.clone() };
        self.walk.event(&self.rules, seen)
    }

    fn join(&mut self, other: Self) -> Result<(), QueryError> {
        self.events_read += other.events_read;
        self.tally.join(other.tally)
    }
}

impl FunnelIntake {
    pub(crate) fn new(plan: &FunnelPlan, threads: Threads) -> Self {
        Self(plan.scan(|scan| Folding::new(plan.clone(), &scan, plan.ground.turns, threads)))
    }
}

impl Intake for FunnelIntake {
    type Answer = FunnelAnswer;

    fn push(&mut self, statement: usize, row: Row) -> Result<(), QueryError> {
        self.0.push(statement, row)
    }

    fn finish(self) -> Result<FunnelAnswer, QueryError> {
        let (plan, fold, source) = self.0.finish()?;
        let (steps, breakdown) = fold.tally.finish(&plan.question.steps);
        Ok(FunnelAnswer {
            steps,
            breakdown: plan.question.breakdown.is_some().then_some(breakdown),
            meta: plan.ground.meta(source, fold.events_read),
            query: plan.query,
        })
    }
}
