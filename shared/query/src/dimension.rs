//! What rows are told apart by.

use std::fmt;

use crate::{Field, QueryError, field};

/// A column of an answer that tells its rows apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Dimension {
    /// `time:day` and its like; a question has at most one.
    Time(Interval),
    /// The text of a field; events in which it is absent, or an object or an array, are the row `null`.
    Field(Field),
}

/// How long a bucket of time is, on the clock of the question's zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Interval {
    /// While the clock shows one minute.
    Minute,
    /// While the clock shows one hour and keeps its offset: an hour that comes twice is two buckets.
    Hour,
    /// From the first instant of a date to that of the next.
    Day,
    /// From Monday.
    Week,
    /// From the first of the month.
    Month,
}

/// What an interval may be, for messages.
pub(crate) const INTERVALS: &str = "minute, hour, day, week or month";

impl Interval {
    /// Reads an interval's name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "minute" => Self::Minute,
            "hour" => Self::Hour,
            "day" => Self::Day,
            "week" => Self::Week,
            "month" => Self::Month,
            _ => return None,
        })
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }
}

impl Dimension {
    /// Reads a dimension's name.
    ///
    /// # Errors
    /// [`QueryError`] at `path`, with the dimensions that there are.
    pub fn parse(text: &str, path: &str) -> Result<Self, QueryError> {
        let wrong = || {
            QueryError::invalid(
                path,
                format!("expected a dimension: time: before {INTERVALS}, or a field: {}", field::ALLOWED),
            )
        };
        if let Some(name) = text.strip_prefix("time:") {
            return Interval::parse(name).map(Self::Time).ok_or_else(wrong);
        }
        if text.starts_with(crate::property::PREFIX) {
            return Field::parse(text, path).map(Self::Field);
        }
        Field::parse(text, path).map(Self::Field).map_err(|_| wrong())
    }
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(interval) => write!(f, "time:{}", interval.name()),
            Self::Field(field) => field.fmt(f),
        }
    }
}
