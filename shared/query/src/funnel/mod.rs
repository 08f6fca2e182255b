//! Funnels: how many actors go through steps, how far, and how fast: `POST /api/funnel`.
//!
//! An ordered scan gives each actor's events that can matter, by (timestamp, id); `walk` finds the attempt that counts for
//! the actor, and `tally` takes it into the figures. What one actor's walk holds in memory does not grow beyond a bound.

mod answer;
mod attempts;
mod intake;
mod ordered;
mod parsing;
mod plan;
mod strict;
mod tally;
mod unordered;
mod walk;

#[cfg(test)]
mod tests;

use std::fmt;

use serde_json::{Value, json};

pub use answer::{BreakdownFunnel, FunnelAnswer, FunnelExclusion, FunnelQuery, FunnelStep, ReachedStep};
pub use intake::FunnelIntake;
pub use plan::FunnelPlan;

use crate::{Actor, DateRange, Field, Filter, Zone};

/// Fewest steps of a funnel.
pub const STEPS_MIN: usize = 2;
/// Most steps of a funnel.
pub const STEPS_MAX: usize = 10;
/// Most exclusions of a funnel.
pub const EXCLUSIONS_MAX: usize = 10;
/// Most values of a breakdown that are told by themselves; the rest is `other`.
pub const BREAKDOWN_MAX: usize = 25;

/// How many actors go through steps.
///
/// As JSON: `steps` (required, [`STEPS_MIN`] to [`STEPS_MAX`]), `window` (`"1d"` unless given), `order` (`"ordered"`), `by`
/// (`"person"`), `exclude`, `breakdown`, `date_range`, `timezone` and `filters`; other members are refused by name.
#[derive(Debug, Clone, PartialEq)]
pub struct FunnelQuestion {
    /// What has to happen.
    pub steps: Vec<Step>,
    /// How long an attempt lasts from its first step on.
    pub window: Window,
    /// How the steps follow each other.
    pub order: StepOrder,
    /// Whose events belong together.
    pub by: Actor,
    /// What ends an attempt.
    pub exclude: Vec<Exclusion>,
    /// The field whose text, on the event that begins the counted attempt, tells actors apart.
    pub breakdown: Option<Field>,
    /// When an attempt may begin.
    pub date_range: DateRange,
    /// The zone whose days are meant.
    pub timezone: Zone,
    /// Which events exist for the question: those for which all hold.
    pub filters: Vec<Filter>,
}

/// A step of a funnel.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// What it is called in the answer.
    pub name: Option<String>,
    /// Which events are such a step: those for which all hold.
    pub filters: Vec<Filter>,
}

/// Events that end an attempt between two of its steps.
#[derive(Debug, Clone, PartialEq)]
pub struct Exclusion {
    /// Which events: those for which all hold.
    pub filters: Vec<Filter>,
    /// They count strictly later than this step, counted from 0.
    pub after: usize,
    /// They count before this step is reached.
    pub before: usize,
}

/// How the steps of an attempt follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum StepOrder {
    /// One at or after the other; other events may lie between.
    #[default]
    Ordered,
    /// One after the other by (timestamp, id), with no event between.
    Strict,
    /// In any order, from the first event that is a step.
    Any,
}

impl StepOrder {
    /// The word as it stands in questions.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ordered => "ordered",
            Self::Strict => "strict",
            Self::Any => "any",
        }
    }
}

/// A length of time: a whole number of seconds, minutes, hours or days of 24 hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window {
    seconds: u32,
}

impl Window {
    /// The length in microseconds.
    #[must_use]
    pub fn micros(self) -> i64 {
        i64::from(self.seconds) * 1_000_000
    }
}

/// Prints the length in one form, with the largest unit that it is a whole number of.
impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = parsing::UNITS.iter().rev().find(|(_, length)| self.seconds.is_multiple_of(*length));
        let (unit, length) = whole.copied().unwrap_or(('s', 1));
        write!(f, "{}{unit}", self.seconds / length)
    }
}

impl FunnelQuestion {
    /// The question as JSON, every member present, in one form.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let filters = |filters: &[Filter]| filters.iter().map(Filter::to_json).collect::<Vec<_>>();
        json!({
            "steps": self.steps.iter().map(|step| json!({"name": step.name, "filters": filters(&step.filters)})).collect::<Vec<_>>(),
            "window": self.window.to_string(),
            "order": self.order.name(),
            "by": self.by.name(),
            "exclude": self.exclude.iter().map(|exclusion| json!({
                "filters": filters(&exclusion.filters), "after": exclusion.after, "before": exclusion.before,
            })).collect::<Vec<_>>(),
            "breakdown": self.breakdown.as_ref().map(ToString::to_string),
            "date_range": self.date_range.to_json(),
            "timezone": self.timezone.name(),
            "filters": filters(&self.filters),
        })
    }
}
