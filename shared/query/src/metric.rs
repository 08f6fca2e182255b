//! What can be counted.

use std::fmt;

use crate::{Property, QueryError};

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
    /// `sum:metadata.x` and its like: over the JSON numbers at the path. Sums and means take numbers beyond ±1e290 as
    /// that, so that no sum leaves the doubles.
    Number(Aggregate, Property),
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
}

/// What a metric may be, for messages.
pub(crate) const ALLOWED: &str =
    "events, sessions, users, visitors, events_per_session, or sum:, avg:, min: or max: before metadata.<path>";

impl Metric {
    /// Reads a metric's name.
    ///
    /// # Errors
    /// [`QueryError`] at `path`, with the metrics that there are.
    pub fn parse(text: &str, path: &str) -> Result<Self, QueryError> {
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
            _ => return None,
        })
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::Avg => "avg",
            Self::Min => "min",
            Self::Max => "max",
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
            Self::Number(aggregate, property) => write!(f, "{}:{property}", aggregate.name()),
        }
    }
}
