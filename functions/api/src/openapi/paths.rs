//! Paths as schemas; reading and answering are `analytics_query`'s.
#![allow(dead_code, reason = "these types only describe; the tests hold them to what is read and answered")]

use utoipa::ToSchema;

use super::answer::ScanMeta;
use super::question::{DateRange, Field, Filter};

/// Which events follow which.
///
/// A member that is not listed here is refused by name.
#[derive(ToSchema)]
#[schema(as = PathsQuestion, example = json!({
    "from": { "filters": [["is", "metadata.path", ["/pricing"]]] }, "name": "metadata.path", "depth": 4,
    "date_range": "30d", "timezone": "Europe/Berlin"
}))]
#[serde(deny_unknown_fields)]
pub(crate) struct PathsBody {
    /// What a path begins with: the first such event in the range; else with the first event.
    #[schema(required = false, nullable)]
    from: PathEnd,
    /// What a path ends with: the first such event; who never gets there is left out. Else it ends with the last event.
    #[schema(required = false, nullable)]
    to: PathEnd,
    /// Most steps.
    #[schema(required = false, default = 5, minimum = 1, maximum = 10)]
    depth: u32,
    /// Who is counted.
    #[schema(required = false, inline, default = "person")]
    by: PathActor,
    /// The field whose text is the name of a step; equal names in a row are one step.
    #[schema(required = false, default = "event_action")]
    name: Field,
    /// How many names of a step are told by themselves; the others are `other`.
    #[schema(required = false, default = 10, minimum = 1, maximum = 100)]
    limit: u32,
    /// The range; `7d` where none is given.
    #[schema(required = false)]
    date_range: DateRange,
    /// The IANA name of the zone whose days are meant.
    #[schema(required = false, default = "UTC", example = "Europe/Berlin")]
    timezone: String,
}

/// An event that a path begins or ends with.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PathEnd {
    /// The filters, all of which hold; without any, it is every event.
    #[schema(required = false)]
    filters: Vec<Filter>,
}

/// Who is counted.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub(crate) enum PathActor {
    Person,
    Session,
}

/// What is answered to a question of paths.
#[derive(ToSchema)]
pub(crate) struct PathsAnswer {
    /// The names of each step: step by step, those of most first, of equal counts bytewise, null last; what is beyond the limit
    /// comes behind them as `other`.
    nodes: Vec<PathNode>,
    /// What follows what: step by step, those of most first, of equal counts in the order of the nodes.
    links: Vec<PathLink>,
    meta: ScanMeta,
    query: PathsQuery,
}

/// A name at a step.
#[derive(ToSchema)]
pub(crate) struct PathNode {
    /// The step, from 0.
    step: u32,
    /// `null` where the event has none.
    #[schema(required = true)]
    name: Option<String>,
    /// How many had it there.
    count: u64,
}

/// A name at a step and one at the next.
#[derive(ToSchema)]
pub(crate) struct PathLink {
    /// The step of `from`; `to` is at the next.
    step: u32,
    #[schema(required = true)]
    from: Option<String>,
    #[schema(required = true)]
    to: Option<String>,
    /// How many went this way.
    count: u64,
}

/// The question of paths in its one form, every member present and instants absolute; asked again it gives the same figures.
#[derive(ToSchema)]
pub(crate) struct PathsQuery {
    #[schema(required = true)]
    from: Option<PathEnd>,
    #[schema(required = true)]
    to: Option<PathEnd>,
    depth: u32,
    #[schema(inline)]
    by: PathActor,
    name: String,
    limit: u32,
    /// The first instant of the range and its end, which is not part of it, with the zone's offset.
    #[schema(min_items = 2, max_items = 2)]
    date_range: Vec<String>,
    timezone: String,
}
