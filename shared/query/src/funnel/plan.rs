//! A funnel in its context: what is scanned, and by which rules it is walked.

use serde_json::{Value, json};

use super::intake::FunnelIntake;
use super::walk::Rules;
use super::{FunnelAnswer, FunnelExclusion, FunnelQuery, FunnelQuestion, FunnelStep, StepOrder};
use crate::columns::Threads;
use crate::ground::Ground;
use crate::scan::Scan;
use crate::{Askable, Context, Dialect, Executable, Filter, QueryError, Range, Statement};

/// A planned [`FunnelQuestion`].
#[derive(Debug, Clone, PartialEq)]
pub struct FunnelPlan {
    pub(super) question: FunnelQuestion,
    pub(super) ground: Ground,
    pub(super) query: FunnelQuery,
}

impl Askable for FunnelQuestion {
    type Plan = FunnelPlan;

    fn plan(&self, context: &Context) -> Result<FunnelPlan, QueryError> {
        let ground = Ground::new(self.date_range, &self.timezone, context);
        let filters = |filters: &[Filter]| filters.iter().map(Filter::to_json).collect::<Vec<Value>>();
        let step = |step: &super::Step| FunnelStep { name: step.name.clone(), filters: filters(&step.filters) };
        let exclusion = |exclusion: &super::Exclusion| FunnelExclusion {
            filters: filters(&exclusion.filters),
            after: exclusion.after,
            before: exclusion.before,
        };
        let query = FunnelQuery {
            steps: self.steps.iter().map(step).collect(),
            window: self.window.to_string(),
            order: self.order.name().to_owned(),
            by: self.by.name().to_owned(),
            exclude: self.exclude.iter().map(exclusion).collect(),
            breakdown: self.breakdown.as_ref().map(ToString::to_string),
            date_range: ground.shown.clone(),
            timezone: self.timezone.name().to_owned(),
            filters: filters(&self.filters),
        };
        Ok(FunnelPlan { question: self.clone(), ground, query })
    }
}

impl FunnelPlan {
    /// The question in its one form, with absolute instants.
    #[must_use]
    pub const fn query(&self) -> &FunnelQuery {
        &self.query
    }

    /// One ordered scan: a mark for each step, then one for each exclusion.
    pub(super) fn scan<T>(&self, with: impl FnOnce(Scan<'_>) -> T) -> T {
        let steps = self.question.steps.iter().map(|step| step.filters.as_slice());
        let exclusions = self.question.exclude.iter().map(|exclusion| exclusion.filters.as_slice());
        let marks: Vec<&[Filter]> = steps.chain(exclusions).collect();
        // An attempt that begins just before the range ends still has its whole window.
        let range = self.ground.range;
        let to = match range.from < range.to {
            true => range.to.saturating_add_micros(self.question.window.micros()),
            false => range.to,
        };
        with(Scan {
            project: &self.ground.project,
            by: self.question.by,
            range,
            read: Range { from: range.from, to },
            filters: &self.question.filters,
            marks: &marks,
            // What stands between two steps is no step itself.
            unmarked: self.question.order == StepOrder::Strict,
            label: self.question.breakdown.as_ref(),
        })
    }

    pub(super) fn rules(&self) -> Rules {
        Rules {
            steps: self.question.steps.len(),
            window: self.question.window.micros(),
            starts_before: self.ground.range.to.as_micros(),
            exclusions: self.question.exclude.iter().map(|exclusion| (exclusion.after, exclusion.before)).collect(),
        }
    }
}

impl Executable for FunnelPlan {
    type Answer = FunnelAnswer;
    type Intake = FunnelIntake;

    fn statements(&self, dialect: Dialect) -> Vec<Statement> {
        self.scan(|scan| scan.statements(self.ground.turns, dialect))
    }

    fn is_of_one_state(&self) -> bool {
        self.scan(|scan| scan.is_of_columns(self.ground.turns))
    }

    fn fallback(&self) -> Option<Self> {
        self.is_of_one_state().then(|| Self { ground: self.ground.fallback(), ..self.clone() })
    }

    fn intake(&self) -> FunnelIntake {
        FunnelIntake::new(self, Threads::of_machine())
    }

    fn cache_key(&self) -> String {
        let query = &self.query;
        let steps: Vec<Value> = query.steps.iter().map(|step| json!([step.name, step.filters])).collect();
        let exclude: Vec<Value> = query
            .exclude
            .iter()
            .map(|exclusion| json!([exclusion.filters, exclusion.after, exclusion.before]))
            .collect();
        let asked = json!([
            self.question.date_range.to_string(),
            query.timezone,
            steps,
            query.window,
            query.order,
            query.by,
            exclude,
            query.breakdown,
            query.filters
        ]);
        self.ground.cache_key("funnel", &asked.to_string())
    }
}
