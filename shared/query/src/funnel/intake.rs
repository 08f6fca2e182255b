//! The rows of a funnel's scan, folded one by one.

use std::sync::Arc;

use super::tally::Tally;
use super::walk::{Rules, Seen, Walk};
use super::{FunnelAnswer, FunnelPlan};
use crate::intake::Intake;
use crate::scan::{ScanMeta, ScannedEvent};
use crate::{QueryError, Row};

/// Takes the rows of a funnel's scan in, actor by actor.
#[derive(Debug)]
pub struct FunnelIntake {
    plan: FunnelPlan,
    rules: Rules,
    walk: Walk,
    /// Whose events the walk has taken.
    actor: Option<String>,
    /// The value that came last: the same one is kept once while it repeats.
    value: Option<Arc<str>>,
    tally: Tally,
    events_read: u64,
}

impl FunnelIntake {
    pub(super) fn new(plan: &FunnelPlan) -> Self {
        Self {
            rules: plan.rules(),
            walk: Walk::new(plan.question.order),
            plan: plan.clone(),
            actor: None,
            value: None,
            tally: Tally::default(),
            events_read: 0,
        }
    }

    /// Counts the attempt of the actor whose events are over.
    fn count(&mut self) -> Result<(), QueryError> {
        match self.walk.finish(&self.rules) {
            Some(attempt) => self.tally.take(&attempt),
            None => Ok(()),
        }
    }
}

impl Intake for FunnelIntake {
    type Answer = FunnelAnswer;

    fn push(&mut self, _: usize, row: Row) -> Result<(), QueryError> {
        let Some(event) = ScannedEvent::from_row(row) else { return Ok(()) };
        self.events_read += 1;
        if self.actor.as_ref() != Some(&event.actor) {
            self.count()?;
            self.actor = Some(event.actor);
        }
        if self.value.as_deref() != event.label.as_deref() {
            self.value = event.label.map(Arc::from);
        }
        let seen = Seen { at: event.timestamp.as_micros(), marks: event.marks, label: self.value.clone() };
        self.walk.event(&self.rules, seen)
    }

    fn finish(mut self) -> Result<FunnelAnswer, QueryError> {
        self.count()?;
        let (steps, breakdown) = self.tally.finish(&self.plan.question.steps);
        Ok(FunnelAnswer {
            steps,
            breakdown: self.plan.question.breakdown.is_some().then_some(breakdown),
            meta: ScanMeta::new(self.events_read, self.plan.newest_receipt, &self.plan.warnings),
            query: self.plan.query,
        })
    }
}
