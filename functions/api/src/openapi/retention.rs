//! The question of retention and its cohorts as schemas; reading and answering are `analytics_query`'s.
#![allow(dead_code, reason = "these types only describe; the tests hold them to what is read and answered")]

use utoipa::ToSchema;

use super::answer::ScanMeta;
use super::question::{DateRange, Filter};

/// Who came back: cohorts by the calendar unit of their first start event, and returns in the units after.
///
/// A member that is not listed here is refused by name.
#[derive(ToSchema)]
#[schema(as = RetentionQuestion, example = json!({
    "start": { "filters": [["is", "event_action", ["sign_up"]]] },
    "return": { "filters": [["is", "event_type", ["navigation"]]] },
    "unit": "week", "periods": 8, "mode": "on", "first": "ever", "date_range": "90d", "timezone": "Europe/Berlin"
}))]
#[serde(deny_unknown_fields)]
pub(crate) struct RetentionBody {
    /// What a start event is. All filters of a question together are at most 200.
    start: EventSelection,
    /// What a return event is.
    #[schema(rename = "return")]
    returned: EventSelection,
    /// The calendar unit of cohorts and cells, in `timezone`; weeks begin on Monday.
    #[schema(required = false, inline, default = "week")]
    unit: RetentionUnit,
    /// Cells of a cohort, the unit of the start counted.
    #[schema(required = false, default = 8, minimum = 1, maximum = 366)]
    periods: u32,
    /// Which units a return counts for: the one in which it lies, or that and all before it.
    #[schema(required = false, inline, default = "on")]
    mode: ReturnMode,
    /// Which start event counts: the first in the range, or the first ever, where that lies in the range.
    #[schema(required = false, inline, default = "in_range")]
    first: FirstStart,
    /// Who is counted.
    #[schema(required = false, inline, default = "person")]
    by: CountedBy,
    /// The range of the start events; `7d` where none is given. Returns count past its end.
    #[schema(required = false)]
    date_range: DateRange,
    /// The IANA name of the zone whose calendar is meant.
    #[schema(required = false, default = "UTC", example = "Europe/Berlin")]
    timezone: String,
}

/// What an event has to be.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventSelection {
    /// The filters, all of which hold; without any, it is every event.
    #[schema(required = false)]
    filters: Vec<Filter>,
}

/// A unit of the calendar.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub(crate) enum RetentionUnit {
    Day,
    Week,
    Month,
}

/// Which units a return counts for.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum ReturnMode {
    On,
    OnOrAfter,
}

/// Which start event counts.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum FirstStart {
    InRange,
    Ever,
}

/// Who is counted.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub(crate) enum CountedBy {
    Person,
    Session,
}

/// What is answered to a question of retention.
#[derive(ToSchema)]
pub(crate) struct RetentionAnswer {
    /// The cohorts, oldest first: one for each unit of the range up to now, also one that nobody is in.
    cohorts: Vec<Cohort>,
    meta: ScanMeta,
    query: RetentionQuery,
}

/// Those who started in one unit.
#[derive(ToSchema)]
pub(crate) struct Cohort {
    /// The first date of the unit, also where the range begins later in it.
    #[schema(example = "2026-11-02", pattern = r"^\d{4}-\d{2}-\d{2}$")]
    start: String,
    /// How many they are.
    #[schema(example = 120)]
    size: u64,
    /// The unit itself and those after it.
    cells: Vec<RetentionCell>,
}

/// Those of a cohort who came back.
#[derive(ToSchema)]
pub(crate) struct RetentionCell {
    /// How many they are.
    #[schema(example = 80)]
    count: u64,
    /// Of how many: the cohort's size.
    #[schema(example = 120)]
    out_of: u64,
    /// Whether the cell's unit is not over, so that more may come.
    incomplete: bool,
}

/// The question of retention in its one form, every member present and instants absolute.
#[derive(ToSchema)]
pub(crate) struct RetentionQuery {
    start: EventSelection,
    #[schema(rename = "return")]
    returned: EventSelection,
    #[schema(inline)]
    unit: RetentionUnit,
    periods: u32,
    #[schema(inline)]
    mode: ReturnMode,
    #[schema(inline)]
    first: FirstStart,
    #[schema(inline)]
    by: CountedBy,
    /// The first instant of the range and its end, which is not part of it, with the zone's offset.
    #[schema(min_items = 2, max_items = 2)]
    date_range: Vec<String>,
    timezone: String,
}
