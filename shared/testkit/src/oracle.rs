//! The naive oracle: what a question about events has to answer, worked out with loops over a list.
//!
//! It is the second opinion on the query compiler and on every store: written from the rules alone, it shares no code with
//! either, keeps nothing up to date and takes no short cut, so that each of its lines can be held against a sentence of
//! the documentation. It is far too slow for anything but tests.
//!
//! It knows every metric and formulas over them, every dimension, every filter, every form of `date_range`, `compare`, the order
//! of rows, `limit` and `total_rows`; [`funnel`]s, [`paths`] and [`retention`](fn@retention) whole; lists of
//! [`sessions`](fn@sessions), and the timelines of one [`session`] and one [`user`].
//!
//! It reads a little more than the language has: weeks that begin on Sunday, windows to the microsecond. By these a test asks
//! what a store that is a little wrong would say, to see that such a store is found out.
//!
//! [`random_world`], [`random_events`] and [`random_question`] make, from a seed, worlds in which the hard cases lie close
//! together: clock changes, edges of days, equal timestamps, values that only look alike. [`random_trails`] makes events of
//! which one often follows another, for [`random_funnel`] and [`random_paths`].

mod answer;
mod filter;
mod formula;
mod funnel;
mod paths;
mod question;
mod random_events;
mod random_question;
mod random_sequence;
mod random_totals;
mod range;
mod retention;
mod sessions;
mod value;

#[cfg(test)]
mod sequence_tests;
#[cfg(test)]
mod tests;

use analytics_domain::{Event, Project, Timestamp};
use thiserror::Error;

pub use answer::{answer, passes};
pub use funnel::funnel;
pub use paths::paths;
pub use random_events::{canonical_json, random_events, random_world};
pub use random_question::{
    Extent, random_filters, random_question, random_retention, random_sessions, random_timeline,
};
pub use random_sequence::{random_funnel, random_paths, random_trails};
pub use random_totals::random_totals;
pub use retention::retention;
pub use sessions::{session, sessions, user};

/// The zones that random questions ask in: whole and broken offsets, clock changes by an hour, by half an hour, at
/// midnight, on different days of the year, and none.
pub const ZONES: [&str; 8] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kathmandu",
    "Pacific/Chatham",
    "Australia/Lord_Howe",
    "Africa/Cairo",
    "America/Sao_Paulo",
];

/// An event as a store holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// Whose it is.
    pub project: Project,
    /// The event, its metadata in canonical form.
    pub event: Event<'static>,
    /// When it was received.
    pub created_at: Timestamp,
}

/// What a question is asked in: the instant, the retention and the project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct World {
    /// The instant that counts as now.
    pub now: Timestamp,
    /// How many whole UTC days are answered; 0 for all since 2000.
    pub retention_days: u32,
    /// Whose events are asked about.
    pub project: Project,
}

/// What a question has to answer.
#[derive(Debug, Clone, PartialEq)]
pub struct OracleAnswer {
    /// The rows in order, at most `limit`.
    pub rows: Vec<OracleRow>,
    /// How many rows there are without the limit.
    pub total_rows: usize,
    /// The first instant of the resolved range.
    pub from: Timestamp,
    /// The end of the resolved range, itself outside.
    pub to: Timestamp,
    /// The receipt of the newest event counted.
    pub fresh_as_of: Option<Timestamp>,
}

/// A row of an answer, in the order asked.
#[derive(Debug, Clone, PartialEq)]
pub struct OracleRow {
    /// The tuple: texts, `None` where absent; a bucket is its start as `2026-11-02T00:00:00+01:00`.
    pub dimensions: Vec<Option<String>>,
    /// The figures; `None` where there is nothing to take an average, a ratio or an extreme of.
    pub metrics: Vec<Option<f64>>,
    /// The figures of the paired row of the range compared with; `None` where no comparison was asked or no row pairs.
    pub comparison: Option<Vec<Option<f64>>>,
}

/// A question that the oracle does not understand.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the oracle does not understand `{path}`: {message}")]
pub struct OracleError {
    /// Where in the question, such as `filters[0]`.
    pub path: String,
    /// What was expected there.
    pub message: String,
}

impl OracleError {
    pub(crate) fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into() }
    }
}
