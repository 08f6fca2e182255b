//! A funnel in its context: what is scanned, and by which rules it is walked.

use analytics_domain::{Project, Timestamp};
use serde_json::{Value, json};

use super::intake::FunnelIntake;
use super::walk::Rules;
use super::{FunnelAnswer, FunnelExclusion, FunnelQuery, FunnelQuestion, FunnelStep, StepOrder};
use crate::cursor::Resolved;
use crate::plan::{cache_key, kept, resolve, warn_of_cut, within};
use crate::scan::{Scan, ScanReader};
use crate::{Askable, Context, Dialect, Executable, Filter, QueryError, Range, Statement, Warning};

/// A planned [`FunnelQuestion`].
#[derive(Debug, Clone, PartialEq)]
pub struct FunnelPlan {
    pub(super) question: FunnelQuestion,
    project: Project,
    pub(super) newest_receipt: Option<Timestamp>,
    pub(super) has_columns: bool,
    resolved: Resolved,
    range: Range,
    pub(super) query: FunnelQuery,
    pub(super) warnings: Vec<Warning>,
}

impl Askable for FunnelQuestion {
    type Plan = FunnelPlan;

    fn plan(&self, context: &Context) -> Result<FunnelPlan, QueryError> {
        let zone = &self.timezone;
        let resolved = resolve(self.date_range, None, zone, context);
        let mut warnings = Vec::new();
        warn_of_cut(resolved.range, "the range", context, &mut warnings);
        let shown = kept(resolved.range, context);
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
            date_range: [zone.write(shown.from), zone.write(shown.to)],
            timezone: zone.name().to_owned(),
            filters: filters(&self.filters),
        };
        Ok(FunnelPlan {
            question: self.clone(),
            project: context.project.clone(),
            newest_receipt: context.newest_receipt,
            has_columns: context.has_columns,
            range: within(resolved.range, zone, resolved.now, context),
            resolved,
            query,
            warnings,
        })
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
        let to = match self.range.from < self.range.to {
            true => self.range.to.saturating_add_micros(self.question.window.micros()),
            false => self.range.to,
        };
        with(Scan {
            project: &self.project,
            by: self.question.by,
            range: self.range,
            read: Range { from: self.range.from, to },
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
            starts_before: self.range.to.as_micros(),
            exclusions: self.question.exclude.iter().map(|exclusion| (exclusion.after, exclusion.before)).collect(),
        }
    }
}

impl Executable for FunnelPlan {
    type Answer = FunnelAnswer;
    type Intake = FunnelIntake;

    fn statements(&self, dialect: Dialect) -> Vec<Statement> {
        self.scan(|scan| scan.statements(self.has_columns, dialect))
    }

    fn is_of_one_state(&self) -> bool {
        self.scan(|scan| matches!(scan.reader(self.has_columns), ScanReader::Columns(_)))
    }

    fn fallback(&self) -> Option<Self> {
        self.is_of_one_state().then(|| Self { has_columns: false, ..self.clone() })
    }

    fn intake(&self) -> FunnelIntake {
        FunnelIntake::new(self)
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
        cache_key("funnel", &self.project, &asked.to_string(), self.question.date_range, &self.resolved, &None)
    }
}
