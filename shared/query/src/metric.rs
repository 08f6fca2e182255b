//! What can be counted.

use std::fmt;

use crate::{Formula, Property, QueryError, formula};

/// A figure of a row.
///
/// Counts of nothing are 0, and so is a sum; averages, ratios, least and greatest values of nothing are null.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Metric {
    /// `events`: how many.
    Events,
    /// `sessions`: distinct `session_id`.
    Sessions,
    /// `users`: distinct `user_id`.
    Users,
    /// `visitors`: distinct persons. A person is the event's `user_id`, else the first `user_id` (by timestamp, id) of the
    /// same session over everything stored, else the session.
    Visitors,
    /// `events_per_session`: of the row.
    EventsPerSession,
    /// `sum:metadata.x` and its like: over the JSON numbers at the path. Sums, means and percentiles take numbers beyond
    /// ±1e290 as that, so that no sum and no difference leaves the doubles.
    Number(Aggregate, Property),
    /// `(events - users) / sessions` and its like: worked out from other figures of the row.
    Formula(Formula),
}

/// What is made of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Aggregate {
    /// The sum; 0 of nothing.
    Sum,
    /// The mean.
    Avg,
    /// The least.
    Min,
    /// The greatest.
    Max,
    /// `p95` and its like, 1 to 99: the value below which so many of a hundred lie, null of nothing.
    ///
    /// It is PostgreSQL's `percentile_cont`: of n numbers in rising order, counted from 0, the one at rank p / 100 * (n - 1);
    /// between two ranks as far on the way from the lower number to the upper one as the rank is.
    Percentile(u8),
}

/// What a metric may be, for messages.
pub(crate) const ALLOWED: &str = "events, sessions, users, visitors, events_per_session, sum:, avg:, min:, max: or p1: to \
                                  p99: before metadata.<path>, or a formula of them";

impl Metric {
    /// Reads a metric's name, or a formula.
    ///
    /// # Errors
    /// [`QueryError`] at `path`, with the metrics that there are, and where in a formula it is wrong.
    pub fn parse(text: &str, path: &str) -> Result<Self, QueryError> {
        formula::parse(text, path)
    }

    /// Reads a metric that is no formula.
    pub(crate) fn parse_plain(text: &str, path: &str) -> Result<Self, QueryError> {
        Ok(match text {
            "events" => Self::Events,
            "sessions" => Self::Sessions,
            "users" => Self::Users,
            "visitors" => Self::Visitors,
            "events_per_session" => Self::EventsPerSession,
            _ => {
                let (aggregate, property) = text
                    .split_once(':')
                    .and_then(|(name, property)| Aggregate::parse(name).map(|aggregate| (aggregate, property)))
                    .ok_or_else(|| QueryError::invalid(path, format!("expected a metric: {ALLOWED}")))?;
                Self::Number(aggregate, Property::parse(property, path)?)
            }
        })
    }

    /// The metrics that it is made of, none of them a formula: itself, or those of the formula.
    pub(crate) fn parts(&self) -> Vec<&Self> {
        match self {
            Self::Formula(formula) => formula.metrics(),
            plain => vec![plain],
        }
    }

    /// Whether the figure is a whole number.
    #[must_use]
    pub const fn is_count(&self) -> bool {
        matches!(self, Self::Events | Self::Sessions | Self::Users | Self::Visitors)
    }
}

impl Aggregate {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "sum" => Self::Sum,
            "avg" => Self::Avg,
            "min" => Self::Min,
            "max" => Self::Max,
            _ => {
                let digits = name.strip_prefix('p').filter(|digits| !digits.starts_with(['0', '+']))?;
                Self::Percentile(digits.parse().ok().filter(|percent| (1..=99).contains(percent))?)
            }
        })
    }
}

impl fmt::Display for Aggregate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sum => f.write_str("sum"),
            Self::Avg => f.write_str("avg"),
            Self::Min => f.write_str("min"),
            Self::Max => f.write_str("max"),
            Self::Percentile(percent) => write!(f, "p{percent}"),
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Events => f.write_str("events"),
            Self::Sessions => f.write_str("sessions"),
            Self::Users => f.write_str("users"),
            Self::Visitors => f.write_str("visitors"),
            Self::EventsPerSession => f.write_str("events_per_session"),
            Self::Number(aggregate, property) => write!(f, "{aggregate}:{property}"),
            Self::Formula(formula) => formula.fmt(f),
        }
    }
}
