//! The answer, as it is sent.

use analytics_domain::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What is answered to a question of metrics and dimensions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The rows of this page, in order.
    pub results: Vec<ResultRow>,
    /// What stands at each place of a row: the dimensions, then the metrics, in the order asked.
    pub columns: Vec<Column>,
    /// How the answer came about.
    pub meta: Meta,
    /// The question, in one form and with absolute instants; asked again it gives the same rows.
    pub query: NormalisedQuery,
}

/// A row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResultRow {
    /// The tuple; `null` where the value is absent. A bucket of time is its own start, `2026-11-02T00:00:00+01:00`.
    pub dimensions: Vec<Option<String>>,
    /// The figures.
    pub metrics: Vec<Figure>,
    /// With `compare`: the figures of the row with the same tuple at the same bucket position in the range compared with,
    /// `null` where there is none. Not present without `compare`.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "comparison")]
    pub comparison: Option<Option<Vec<Figure>>>,
}

/// A present `null` is not the same as no member at all.
mod comparison {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Figure;

    #[allow(clippy::option_option, reason = "not asked for, and asked for without a pair, are two things")]
    type Comparison = Option<Option<Vec<Figure>>>;

    pub(super) fn serialize<S: Serializer>(comparison: &Comparison, serializer: S) -> Result<S::Ok, S::Error> {
        comparison.as_ref().and_then(Option::as_ref).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Comparison, D::Error> {
        Option::<Vec<Figure>>::deserialize(deserializer).map(Some)
    }
}

/// A figure: counts are whole numbers (`12`), everything else a double (`12.0`), `null` where there is nothing to tell.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Figure {
    /// A count.
    Count(i64),
    /// A sum, a mean, a ratio, a least or greatest value.
    Number(f64),
    /// Nothing to tell.
    Null,
}

/// What stands at a place of a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// The dimension's or metric's name in its one form.
    pub name: String,
    /// Which of the two it is.
    pub kind: ColumnKind,
    /// What its values are.
    #[serde(rename = "type")]
    pub data_type: DataType,
    /// The unit of its values, where they have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
}

/// Whether a column tells rows apart or tells their figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnKind {
    /// Tells rows apart.
    Dimension,
    /// A figure.
    Metric,
}

/// What the values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataType {
    /// The start of a bucket.
    Time,
    /// Text.
    String,
    /// Whole numbers.
    Integer,
    /// Doubles.
    Number,
}

/// How an answer came about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Meta {
    /// What was read.
    pub source: Source,
    /// Whether the figures are exact.
    pub exact: Exactness,
    /// When the newest stored event that could be counted was received; `null` where nothing is stored.
    pub fresh_as_of: Option<Timestamp>,
    /// The buckets, by their starts as in the rows, whose figures can still change or that the range cuts: not over at the
    /// instant of asking, or beginning before the range, or ending behind it. Empty without a time dimension.
    pub incomplete_buckets: Vec<String>,
    /// How many rows there are on all pages.
    pub total_rows: u64,
    /// How many rows the store handed over for it: groups that it counted, counts of days, columns of quarters, or events.
    #[serde(default)]
    pub rows_read: u64,
    /// What to send as `cursor`, with the same question, for the next page.
    pub next_cursor: Option<String>,
    /// Whether the answer was computed for an earlier question of the same kind, at most 5 s ago.
    pub cached: bool,
    /// How long it took to answer, in milliseconds.
    pub took_ms: u64,
    /// What the reader should know.
    pub warnings: Vec<Warning>,
}

/// What an answer was made from; the rows are the same whichever it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Counts a UTC day that are kept up to date.
    Rollup,
    /// The events themselves.
    Raw,
    /// One for the range, the other for the range compared with.
    Mixed,
}

/// How exact the figures are.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Exactness {
    /// `true`: to the last event.
    Exact(bool),
    /// The greatest relative error.
    Within(f64),
}

/// Something that the reader of an answer should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// A stable word: `range_cut` (the range, or the one compared with, reaches back beyond the retention).
    pub code: String,
    /// One sentence.
    pub message: String,
}

/// A question in its one form: every member present, names and paths as this build writes them, instants absolute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NormalisedQuery {
    /// The metrics.
    pub metrics: Vec<String>,
    /// The first instant of the range and its end, which is not part of it, with the zone's offset.
    pub date_range: [String; 2],
    /// The IANA name of the zone.
    pub timezone: String,
    /// The dimensions.
    pub dimensions: Vec<String>,
    /// The filters, all of which hold.
    pub filters: Vec<Value>,
    /// Names and directions.
    pub order_by: Vec<(String, String)>,
    /// The range compared with.
    pub compare: Option<[String; 2]>,
    /// Rows a page.
    pub limit: u32,
}
