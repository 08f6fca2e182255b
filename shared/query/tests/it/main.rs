//! What the compiler promises: the SQL it writes, the ranges and buckets it works out, the errors it gives.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod buckets;
mod cursors;
mod errors;
mod filters;
mod ranges;
mod retention;
mod rollups;
mod sessions;
mod shaping;
mod shorthands;
mod sql;

use analytics_domain::{Project, Retention, Timestamp};
use analytics_query::{Context, Dialect, Executable as _, Plan, Question, Row};
use serde_json::Value;

/// Thursday 2026-11-12, noon in UTC; events are kept for ever.
pub(crate) fn context() -> Context {
    context_at("2026-11-12T12:00:00Z")
}

pub(crate) fn context_at(now: &str) -> Context {
    Context {
        now: at(now),
        project: Project::default(),
        retention: Retention { days: 0 },
        first_event: Some(at("2026-10-01T09:30:00Z")),
        newest_receipt: Some(at("2026-11-12T11:59:59Z")),
        has_columns: false,
    }
}

pub(crate) fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).unwrap()
}

pub(crate) fn question(value: &Value) -> Question {
    Question::from_json(value).unwrap_or_else(|error| panic!("{error}: {value}"))
}

/// The rows of each range as the plan's statements give them: where days are asked by value, the word comes first that no day
/// counts values together, which is no row.
pub(crate) fn of_statements(plan: &Plan, rows: Vec<Vec<Row>>) -> Vec<Vec<Row>> {
    let by_values = plan.statements(Dialect::Sqlite).len() == 2 * rows.len();
    rows.into_iter().flat_map(|rows| if by_values { vec![Vec::new(), rows] } else { vec![rows] }).collect()
}
