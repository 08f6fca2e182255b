//! The rows of a funnel's scan, folded one by one.

use std::sync::Arc;

use super::tally::Tally;
use super::walk::{Rules, Seen, Walk};
use super::{FunnelAnswer, FunnelPlan};
use crate::columns::Threads;
use crate::intake::Intake;
use crate::scan::{ActorKey, ScanReader, ScannedEvent};
use crate::{QueryError, Row};

/// Takes the rows of a funnel's scan in, actor by actor.
#[derive(Debug)]
pub struct FunnelIntake {
    plan: FunnelPlan,
    reader: ScanReader,
    fold: Fold,
}

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

impl Fold {
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

    /// Counts the attempt of the actor whose events are over.
    fn count(&mut self) -> Result<(), QueryError> {
        match self.walk.finish(&self.rules) {
            Some(attempt) => self.tally.take(&attempt),
            None => Ok(()),
        }
    }

    fn event(&mut self, event: ScannedEvent) -> Result<(), QueryError> {
        self.events_read += 1;
        if self.actor.as_ref() != Some(&event.actor) {
            self.count()?;
            self.actor = Some(event.actor);
        }
        if self.value != event.label {
            self.value = event.label;
        }
        let seen = Seen { at: event.timestamp.as_micros(), marks: event.marks, label: self.value.clone() };
        self.walk.event(&self.rules, seen)
    }

    /// Takes in what another fold made of other actors.
    fn join(&mut self, mut other: Self) -> Result<(), QueryError> {
        other.count()?;
        self.events_read += other.events_read;
        self.tally.join(other.tally)
    }
}

impl FunnelIntake {
    pub(crate) fn new(plan: &FunnelPlan, threads: Threads) -> Self {
        Self {
            reader: plan.scan(|scan| scan.reader(plan.ground.has_columns, threads)),
            fold: Fold::new(plan),
            plan: plan.clone(),
        }
    }
}

impl Intake for FunnelIntake {
    type Answer = FunnelAnswer;

    fn push(&mut self, statement: usize, row: Row) -> Result<(), QueryError> {
        match self.reader.push(statement, row)? {
            Some(event) => self.fold.event(event),
            None => Ok(()),
        }
    }

    fn finish(mut self) -> Result<FunnelAnswer, QueryError> {
        let (gathered, source) = self.reader.finish()?;
        let mut fold = self.fold;
        fold.count()?;
        for other in gathered.fold(|| Fold::new(&self.plan), Fold::event)? {
            fold.join(other)?;
        }
        let (steps, breakdown) = fold.tally.finish(&self.plan.question.steps);
        Ok(FunnelAnswer {
            steps,
            breakdown: self.plan.question.breakdown.is_some().then_some(breakdown),
            meta: self.plan.ground.meta(source, fold.events_read),
            query: self.plan.query,
        })
    }
}
