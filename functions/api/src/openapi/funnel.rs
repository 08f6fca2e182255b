//! Funnels as schemas; reading and answering are `analytics_query`'s.
#![allow(dead_code, reason = "these types only describe; the tests hold them to what is read and answered")]

use utoipa::ToSchema;

use super::answer::ScanMeta;
use super::question::{DateRange, Field, Filter};

/// How many persons or sessions go through steps.
///
/// A member that is not listed here is refused by name.
#[derive(ToSchema)]
#[schema(as = FunnelQuestion, example = json!({
    "steps": [
        { "name": "Looked", "filters": [["is", "event_type", ["navigation"]]] },
        { "name": "Bought", "filters": [["is", "event_action", ["purchase"]]] }
    ],
    "window": "1h", "date_range": "30d", "timezone": "Europe/Berlin"
}))]
#[serde(deny_unknown_fields)]
pub(crate) struct FunnelBody {
    /// What has to happen. All filters of a question together are at most 200.
    #[schema(min_items = 2, max_items = 10)]
    steps: Vec<FunnelStep>,
    /// How long an attempt lasts from its first step on, both ends included: a number and `s`, `m`, `h` or `d`, at most 90
    /// days. It runs past the end of the range if need be.
    #[schema(required = false, default = "1d", pattern = r"^[1-9][0-9]*[smhd]$")]
    window: String,
    /// How the steps follow each other.
    #[schema(required = false, inline, default = "ordered")]
    order: StepOrder,
    /// Who is counted.
    #[schema(required = false, inline, default = "person")]
    by: FunnelActor,
    /// Events that end an attempt between two of its steps.
    #[schema(required = false, nullable, max_items = 10)]
    exclude: Vec<FunnelExclusion>,
    /// Tells those counted apart by this field's text on the event that begins the counted attempt.
    #[schema(required = false, nullable)]
    breakdown: Field,
    /// The range that the first step lies in; `7d` where none is given.
    #[schema(required = false)]
    date_range: DateRange,
    /// The IANA name of the zone whose days are meant.
    #[schema(required = false, default = "UTC", example = "Europe/Berlin")]
    timezone: String,
    /// Which events exist for the question: those for which all hold.
    #[schema(required = false)]
    filters: Vec<Filter>,
}

/// A step of a funnel.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FunnelStep {
    /// What the step is called in the answer.
    #[schema(max_length = 1_000)]
    name: Option<String>,
    /// The filters, all of which hold; without any, it is every event.
    #[schema(required = false)]
    filters: Vec<Filter>,
}

/// Events that end an attempt: strictly later than step `after`, before step `before` is reached; steps are counted from 0.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FunnelExclusion {
    /// The filters, all of which hold; without any, it is every event.
    #[schema(required = false)]
    filters: Vec<Filter>,
    /// The step that they are later than.
    #[schema(required = false, default = 0, maximum = 8)]
    after: u32,
    /// The step before which they count; the one behind `after` where none is given.
    #[schema(required = false, minimum = 1, maximum = 9)]
    before: u32,
}

/// How steps follow each other: one at or after the other, without an event between, or in any order.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub(crate) enum StepOrder {
    Ordered,
    Strict,
    Any,
}

/// Who is counted.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub(crate) enum FunnelActor {
    Person,
    Session,
}

/// What is answered to a funnel.
#[derive(ToSchema)]
pub(crate) struct FunnelAnswer {
    /// The steps, in the order asked.
    steps: Vec<ReachedStep>,
    /// The same for each value of the breakdown: those of most first, of equal counts bytewise, null last; behind the first 25
    /// the rest as `other`. Only there where one was asked for.
    #[schema(required = false)]
    breakdown: Vec<BreakdownFunnel>,
    meta: ScanMeta,
    query: FunnelQuery,
}

/// A step and how many reached it.
#[derive(ToSchema)]
pub(crate) struct ReachedStep {
    #[schema(required = true)]
    name: Option<String>,
    /// How many reached it.
    #[schema(example = 80)]
    count: u64,
    /// The count by that of the step before, the first step's by its own; `null` where that is 0.
    #[schema(required = true)]
    ratio_previous: Option<f64>,
    /// The count by that of the first step; `null` where that is 0.
    #[schema(required = true)]
    ratio_first: Option<f64>,
    /// The median of the seconds since the step before; `null` for the first, and where nobody reached it.
    #[schema(required = true)]
    median_seconds: Option<f64>,
    /// The mean of the seconds since the step before; `null` for the first, and where nobody reached it.
    #[schema(required = true)]
    average_seconds: Option<f64>,
}

/// The funnel of those whose counted attempt began with a value.
#[derive(ToSchema)]
pub(crate) struct BreakdownFunnel {
    /// `null` where it is absent.
    #[schema(required = true)]
    value: Option<String>,
    steps: Vec<ReachedStep>,
}

/// The funnel in its one form, every member present and instants absolute; asked again it gives the same figures.
#[derive(ToSchema)]
pub(crate) struct FunnelQuery {
    steps: Vec<FunnelStep>,
    window: String,
    #[schema(inline)]
    order: StepOrder,
    #[schema(inline)]
    by: FunnelActor,
    exclude: Vec<FunnelExclusion>,
    #[schema(required = true)]
    breakdown: Option<String>,
    /// The first instant of the range and its end, which is not part of it, with the zone's offset.
    #[schema(min_items = 2, max_items = 2)]
    date_range: Vec<String>,
    timezone: String,
    filters: Vec<Filter>,
}
