//! The parameters of the `GET` forms as schemas; the reading itself is `analytics_query`'s, which knows nothing of documents.
#![allow(dead_code, reason = "these types only describe; the tests hold them to what is read")]

use utoipa::IntoParams;

use super::question::{ExportFormat, Interval};

/// The parameters of a series.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct TrendsParams {
    /// A figure, as `metrics` of a question has it; again for more.
    #[param(max_items = 20, default = json!(["events"]), example = json!(["events", "visitors"]))]
    metric: Option<Vec<String>>,
    /// How long a bucket of time is.
    #[param(inline, default = "day", example = "day")]
    interval: Option<Interval>,
    /// What else tells rows apart, as `dimensions` of a question has it but for time; again for more.
    #[param(max_items = 9, example = json!(["event_type"]))]
    dimension: Option<Vec<String>>,
}

/// The parameters of a ranking.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct BreakdownParams {
    /// What tells rows apart, as `dimensions` of a question has it; again for more.
    #[param(min_items = 1, max_items = 10, example = json!(["event_type"]))]
    dimension: Vec<String>,
    /// A figure, as `metrics` of a question has it; again for more. The first one ranks.
    #[param(max_items = 20, default = json!(["events"]), example = json!(["visitors"]))]
    metric: Option<Vec<String>>,
}

/// The range of a question.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct RangeParams {
    /// The range: `today`, `yesterday`, `7d`, `30d`, `90d`, `24h`, `month`, `year`, `all`, or two dates or instants joined by a
    /// comma.
    #[param(default = "7d", example = "30d")]
    range: Option<String>,
}

/// The range of a list of events.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct EventsRangeParams {
    /// The range: `today`, `yesterday`, `7d`, `30d`, `90d`, `24h`, `month`, `year`, `all`, or two dates or instants joined by a
    /// comma.
    #[param(default = "all", example = "2026-11-01,2026-11-30")]
    range: Option<String>,
}

/// How an export is written.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExportParams {
    /// `ndjson`: a JSON object a line. `csv`: a line of names, then a line an event; a field that a spreadsheet would take for a
    /// formula, or that begins with `'`, has a `'` before it. `parquet`: a file of columns.
    #[param(inline, default = "ndjson", example = "ndjson")]
    format: Option<ExportFormat>,
    /// How many events at most; all where none is given. A part says in `X-Next-Cursor` how to go on.
    #[param(minimum = 1, maximum = 1_000_000, example = 100)]
    limit: Option<u32>,
    /// Which of the session's projects is meant, as `X-Project` says it elsewhere; of a key its own one.
    #[param(max_length = 64, example = "default")]
    project: Option<String>,
}

/// The range of a timeline.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct TimelineRangeParams {
    /// The range: `today`, `yesterday`, `7d`, `30d`, `90d`, `24h`, `month`, `year`, `all`, or two dates or instants joined by a
    /// comma.
    #[param(default = "all", example = "90d")]
    range: Option<String>,
}

/// The zone of a timeline's range.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ZoneParams {
    /// The IANA name of the zone whose days are meant.
    #[param(default = "UTC", example = "Europe/Berlin")]
    tz: Option<String>,
}

/// The range to compare with.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct CompareParams {
    /// What to compare with: `previous_period`, `previous_year`, or a range.
    #[param(example = "previous_period")]
    compare: Option<String>,
}

/// Which events count.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SelectionParams {
    /// The IANA name of the zone whose days, hours and dates are meant.
    #[param(default = "UTC", example = "Europe/Berlin")]
    tz: Option<String>,
    /// Only events of this type; again for one of several.
    #[param(max_items = 100, example = json!(["commerce", "navigation"]))]
    event_type: Option<Vec<String>>,
    /// Only events with this action; again for one of several.
    #[param(max_items = 100, example = json!(["purchase", "page_view"]))]
    event_action: Option<Vec<String>>,
    /// JSON: one filter, or a list of filters that all hold, as in `filters` of a question.
    #[param(example = "[\"exists\",\"user_id\"]")]
    filter: Option<String>,
}

/// What names or values contain.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SearchParams {
    /// Only those that contain this, `A`-`Z` taken as `a`-`z`.
    #[param(max_length = 1_000, example = "p")]
    search: Option<String>,
}

/// How many.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct LimitParams {
    /// How many at most.
    #[param(default = 100, minimum = 1, maximum = 10_000, example = 10)]
    limit: Option<u32>,
}

/// Which page.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct CursorParams {
    /// `meta.next_cursor` of the page before; all other parameters stay the same.
    #[param(max_length = 1_000)]
    cursor: Option<String>,
}
