//! The answers to questions as schemas: what `analytics_query` writes, which knows nothing of documents.
#![allow(dead_code, reason = "these types only describe; the tests hold them to what is answered")]

use std::collections::BTreeMap;

use serde_json::json;
use utoipa::ToSchema;
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
use uuid::Uuid;

use super::question::{Filter, OrderBy};

/// What is answered to a question of metrics and dimensions.
#[derive(ToSchema)]
#[schema(example = json!({
    "results": [{ "dimensions": ["2026-11-02T00:00:00+01:00"], "metrics": [12, 4.5] }],
    "columns": [
        { "name": "time:day", "kind": "dimension", "type": "time" },
        { "name": "events", "kind": "metric", "type": "integer" },
        { "name": "avg:metadata.price", "kind": "metric", "type": "number" },
    ],
    "meta": {
        "source": "raw", "exact": true, "fresh_as_of": "2026-11-02T10:00:00.000000Z",
        "incomplete_buckets": ["2026-11-02T00:00:00+01:00"], "total_rows": 1, "rows_read": 1,
        "next_cursor": null, "cached": false,
        "took_ms": 3, "warnings": [],
    },
    "query": {
        "metrics": ["events", "avg:metadata.price"],
        "date_range": ["2026-11-02T00:00:00+01:00", "2026-11-03T00:00:00+01:00"], "timezone": "Europe/Berlin",
        "dimensions": ["time:day"], "filters": [["is", "event_type", ["commerce"]]], "order_by": [], "compare": null,
        "limit": 100,
    },
}))]
pub(crate) struct Answer {
    /// The rows of this page, in order.
    results: Vec<ResultRow>,
    /// What stands at each place of a row: the dimensions, then the metrics, in the order asked.
    columns: Vec<Column>,
    meta: Meta,
    query: NormalisedQuery,
}

/// A row.
#[derive(ToSchema)]
pub(crate) struct ResultRow {
    /// The tuple; `null` where the value is absent. A bucket of time is its own start, `2026-11-02T00:00:00+01:00`.
    dimensions: Vec<Option<String>>,
    /// The figures: counts are whole numbers, everything else is a double; `null` where there is nothing to tell.
    metrics: Vec<Option<f64>>,
    /// With `compare`, and only then: the figures of the row with the same tuple at the same bucket position in the range
    /// compared with, `null` where there is none.
    #[schema(required = false)]
    comparison: Option<Vec<Option<f64>>>,
}

/// What stands at a place of a row.
#[derive(ToSchema)]
pub(crate) struct Column {
    /// The dimension's or metric's name in its one form.
    name: String,
    kind: ColumnKind,
    #[schema(rename = "type")]
    data_type: DataType,
    /// The unit of the values, where they have one.
    #[schema(required = false)]
    unit: String,
}

/// Whether a column tells rows apart or tells their figures.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum ColumnKind {
    Dimension,
    Metric,
}

/// What the values of a column are: starts of buckets, texts, whole numbers or doubles.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum DataType {
    Time,
    String,
    Integer,
    Number,
}

/// How an answer came about.
#[derive(ToSchema)]
pub(crate) struct Meta {
    source: Source,
    #[schema(schema_with = exactness)]
    exact: f64,
    /// When the newest stored event that could be counted was received; `null` where nothing is stored.
    #[schema(required = true, format = DateTime)]
    fresh_as_of: Option<String>,
    /// The buckets, by their starts as in the rows, whose figures can still change or that the range cuts.
    incomplete_buckets: Vec<String>,
    /// How many rows there are on all pages.
    total_rows: u64,
    /// How many rows the store handed over for it: groups that it counted, counts of days, columns of quarters, or events.
    rows_read: u64,
    /// What to send as `cursor`, with the same question, for the next page; `null` on the last.
    #[schema(required = true)]
    next_cursor: Option<String>,
    /// Whether the answer was computed for an earlier question of the same kind, at most 5 s ago.
    cached: bool,
    /// How long it took to answer, in milliseconds.
    took_ms: u64,
    /// What the reader should know.
    warnings: Vec<Warning>,
}

/// What an answer was made from; the rows are the same whichever it is.
///
/// `rollup`: counts a UTC day that are kept up to date. `raw`: the events themselves. `mixed`: one for the range, the other
/// for the range compared with.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum Source {
    Rollup,
    Raw,
    Mixed,
}

/// Something that the reader of an answer should know.
#[derive(ToSchema)]
pub(crate) struct Warning {
    /// A stable word: `range_cut` (the range, or the one compared with, reaches back beyond the retention).
    code: String,
    /// One sentence.
    message: String,
}

/// The question in its one form, every member present and instants absolute; asked again it gives the same rows.
#[derive(ToSchema)]
pub(crate) struct NormalisedQuery {
    metrics: Vec<String>,
    /// The first instant of the range and its end, which is not part of it, with the zone's offset.
    #[schema(min_items = 2, max_items = 2)]
    date_range: Vec<String>,
    timezone: String,
    dimensions: Vec<String>,
    filters: Vec<Filter>,
    order_by: Vec<OrderBy>,
    /// The range compared with.
    #[schema(required = true, min_items = 2, max_items = 2)]
    compare: Option<Vec<String>>,
    limit: u32,
}

/// How an answer came about that was made of each person's or session's events in order.
#[derive(ToSchema)]
pub(crate) struct ScanMeta {
    source: Source,
    #[schema(schema_with = exactness)]
    exact: f64,
    /// How many events were read.
    events_read: u64,
    /// When the newest stored event that could be counted was received; `null` where nothing is stored.
    #[schema(required = true, format = DateTime)]
    fresh_as_of: Option<String>,
    /// Whether the answer was computed for an earlier question of the same kind, at most 5 s ago.
    cached: bool,
    /// How long it took to answer, in milliseconds.
    took_ms: u64,
    /// What the reader should know.
    warnings: Vec<Warning>,
}

/// A page of events.
#[derive(ToSchema)]
pub(crate) struct EventsAnswer {
    /// The events, newest first; of equal times the greatest id first.
    results: Vec<EventRecord>,
    meta: PageMeta,
    query: EventsQuery,
}

/// An event as it is shown.
#[derive(ToSchema)]
pub(crate) struct EventRecord {
    id: Uuid,
    #[schema(example = "s-7f3a")]
    session_id: String,
    /// `null` where the client did not know its user.
    #[schema(required = true, example = "u-42")]
    user_id: Option<String>,
    /// What kind of event it is.
    #[schema(example = "commerce")]
    event_type: String,
    /// What happened.
    #[schema(example = "purchase")]
    event_action: String,
    #[schema(schema_with = metadata)]
    metadata: String,
    /// When it happened.
    #[schema(format = DateTime, example = "2026-11-02T10:00:00.000000Z")]
    timestamp: String,
    /// When it was received.
    #[schema(format = DateTime, example = "2026-11-02T10:00:00.250000Z")]
    created_at: String,
}

/// How a page of a list came about.
#[derive(ToSchema)]
pub(crate) struct PageMeta {
    /// When the newest stored event was received; `null` where nothing is stored.
    #[schema(required = true, format = DateTime)]
    fresh_as_of: Option<String>,
    /// What to send as `cursor`, with the same question, for the next page; `null` on the last.
    #[schema(required = true)]
    next_cursor: Option<String>,
    /// Whether the answer was computed for an earlier question, at most 5 s ago.
    cached: bool,
    /// How long it took to answer, in milliseconds.
    took_ms: u64,
    /// What the reader should know.
    warnings: Vec<Warning>,
}

/// The question for events in its one form.
#[derive(ToSchema)]
pub(crate) struct EventsQuery {
    /// The first instant of the range and its end, which is not part of it, with the zone's offset.
    #[schema(min_items = 2, max_items = 2)]
    date_range: Vec<String>,
    timezone: String,
    filters: Vec<Filter>,
    limit: u32,
}

/// What properties there are.
#[derive(ToSchema)]
pub(crate) struct PropertiesAnswer {
    /// The properties: those of most events first, of equal counts by name.
    results: Vec<PropertyRecord>,
    meta: PropertiesMeta,
    query: PropertiesQuery,
}

/// A property of the events' metadata.
#[derive(ToSchema)]
pub(crate) struct PropertyRecord {
    /// Its path, as dimensions, filters and metrics take it.
    #[schema(example = "metadata.price")]
    name: String,
    /// In how many of the events looked at it is there.
    count: u64,
    /// The same by the type of its value: `string`, `number`, `boolean`, `object`, `array`.
    #[schema(example = json!({ "number": 120, "string": 3 }))]
    types: BTreeMap<String, u64>,
    /// The least and the greatest of its texts, numbers and booleans, as texts of at most 100 characters.
    #[schema(example = json!(["10", "99.5", "free"]))]
    examples: Vec<String>,
}

/// How a list of properties came about.
#[derive(ToSchema)]
pub(crate) struct PropertiesMeta {
    /// How many events were looked at: the newest of the range, at most 10,000.
    events_read: u64,
    /// How many properties were found, the limit left out of account.
    total_rows: u64,
    /// When the newest stored event was received; `null` where nothing is stored.
    #[schema(required = true, format = DateTime)]
    fresh_as_of: Option<String>,
    /// Whether the answer was computed for an earlier question, at most 5 s ago.
    cached: bool,
    /// How long it took to answer, in milliseconds.
    took_ms: u64,
    /// What the reader should know.
    warnings: Vec<Warning>,
}

/// The question for properties in its one form.
#[derive(ToSchema)]
pub(crate) struct PropertiesQuery {
    /// The first instant of the range and its end, which is not part of it, with the zone's offset.
    #[schema(min_items = 2, max_items = 2)]
    date_range: Vec<String>,
    timezone: String,
    filters: Vec<Filter>,
    /// What the names contain.
    #[schema(required = true)]
    search: Option<String>,
    limit: u32,
}

fn exactness() -> ObjectBuilder {
    let description = "`true`, or the greatest relative error of the figures.";
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::Boolean, Type::Number]))
        .description(Some(description))
}

fn metadata() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some("What the client added; `{}` where it added nothing."))
        .examples([json!({ "currency": "EUR", "price": 39.9 })])
}
