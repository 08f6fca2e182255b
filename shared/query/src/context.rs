//! What a question is asked in.

use analytics_domain::{Project, Retention, Timestamp};

/// The instant, the project and what the store knows of it: everything besides the question that an answer depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// The instant that counts as now.
    pub now: Timestamp,
    /// Whose events are asked about.
    pub project: Project,
    /// Raw events before its cutoff at `now` are in no answer: every range is cut there.
    pub retention: Retention,
    /// The time of the project's oldest stored event at or after the cutoff: where the range `all` begins.
    pub first_event: Option<Timestamp>,
    /// The receipt of the newest stored batch: `fresh_as_of` of the answer.
    pub newest_receipt: Option<Timestamp>,
    /// Whether columns are nearly as new as the events: where many quarters have changed, raw rows are quicker.
    pub has_columns: bool,
}
