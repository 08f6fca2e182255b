//! The question of metrics and dimensions: the body of `POST /api/query`, and what its `GET` shorthands compile to.

use std::collections::HashSet;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, json};

use crate::reading::{self, Member, members};
use crate::{Compare, DateRange, Dimension, Filter, Metric, QueryError, Zone};

/// Most metrics of a question.
pub const METRICS_MAX: usize = 20;
/// Most figures of a question that are no formulas, those in formulas counted, each once.
pub const FIGURES_MAX: usize = 100;
/// Most dimensions of a question.
pub const DIMENSIONS_MAX: usize = 10;
/// Rows a page unless asked.
pub const LIMIT_DEFAULT: u32 = 100;
/// Most rows a page.
pub const LIMIT_MAX: u32 = 10_000;

const MEMBERS: [&str; 9] =
    ["metrics", "date_range", "timezone", "dimensions", "filters", "order_by", "compare", "limit", "cursor"];

/// What is asked: figures of the events in a range, told apart by dimensions.
///
/// As JSON: `metrics` (required), `date_range` (`"7d"` unless given), `timezone` (`"UTC"`), `dimensions`, `filters`,
/// `order_by`, `compare`, `limit` ([`LIMIT_DEFAULT`], at most [`LIMIT_MAX`]) and `cursor`; other members are refused by name.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// The figures, 1 to [`METRICS_MAX`], each once.
    pub metrics: Vec<Metric>,
    /// The range.
    pub date_range: DateRange,
    /// The zone whose days, hours and dates are meant.
    pub timezone: Zone,
    /// What tells rows apart, at most [`DIMENSIONS_MAX`], each once, at most one of time.
    pub dimensions: Vec<Dimension>,
    /// Which events count: those for which all hold.
    pub filters: Vec<Filter>,
    /// The order of rows; what is left open is decided by the order that holds without it.
    pub order_by: Vec<OrderBy>,
    /// The range to compare with.
    pub compare: Option<Compare>,
    /// Rows a page.
    pub limit: u32,
    /// Where the page begins, from the answer before.
    pub cursor: Option<String>,
}

/// A column to order by; what is null comes last in both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderBy {
    /// Which column.
    pub column: OrderColumn,
    /// Whether the greatest comes first.
    pub descending: bool,
}

/// A column of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderColumn {
    /// The metric at this place of [`Question::metrics`].
    Metric(usize),
    /// The dimension at this place of [`Question::dimensions`].
    Dimension(usize),
}

impl Question {
    /// Reads the JSON text of a question.
    ///
    /// # Errors
    /// [`QueryError`] with the place of what is wrong; with an empty path where the text is no JSON.
    pub fn from_slice(body: &[u8]) -> Result<Self, QueryError> {
        Self::from_json(&reading::json(body)?)
    }

    /// Reads a question.
    ///
    /// # Errors
    /// [`QueryError`] with the place of what is wrong and what is allowed there.
    pub fn from_json(value: &Value) -> Result<Self, QueryError> {
        let members = members(value, "", &MEMBERS)?;
        let metrics = parse_metrics(members.get("metrics"))?;
        let dimensions = parse_dimensions(members.get("dimensions"))?;
        let order_by = parse_order(members.get("order_by"), &metrics, &dimensions)?;
        let compare = match members.present("compare") {
            Some(compare) => Some(Compare::parse(compare, "compare")?),
            None => None,
        };
        Ok(Self {
            date_range: members.date_range()?,
            timezone: members.timezone()?,
            filters: members.filters()?,
            limit: members.limit(LIMIT_DEFAULT, LIMIT_MAX)?,
            cursor: members.cursor()?,
            metrics,
            dimensions,
            order_by,
            compare,
        })
    }

    /// The question as JSON, every member present, in one form.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "metrics": self.metrics.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "date_range": self.date_range.to_json(),
            "timezone": self.timezone.name(),
            "dimensions": self.dimensions.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "filters": self.filters.iter().map(Filter::to_json).collect::<Vec<_>>(),
            "order_by": self.order_names(),
            "compare": match &self.compare {
                None => Value::Null,
                Some(Compare::Range(other)) => other.to_json(),
                Some(word) => json!(word.to_string()),
            },
            "limit": self.limit,
            "cursor": self.cursor,
        })
    }

    /// The names and directions of `order_by`.
    pub(crate) fn order_names(&self) -> Vec<(String, String)> {
        let named = |order: &OrderBy| {
            let name = match order.column {
                OrderColumn::Metric(index) => self.metrics.get(index).map(ToString::to_string),
                OrderColumn::Dimension(index) => self.dimensions.get(index).map(ToString::to_string),
            };
            let direction = if order.descending { "desc" } else { "asc" };
            (name.unwrap_or_default(), direction.to_owned())
        };
        self.order_by.iter().map(named).collect()
    }
}

impl Serialize for Question {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

/// The error's text begins with the place of what is wrong; [`Question::from_json`] gives it as a part of its own.
impl<'de> Deserialize<'de> for Question {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Self::from_json(&value).map_err(serde::de::Error::custom)
    }
}

/// A list of names, each read by `parse` and asked for once.
fn parse_names<T: fmt::Display>(
    value: &Value,
    member: &str,
    allowed: &str,
    most: usize,
    parse: impl Fn(&str, &str) -> Result<T, QueryError>,
) -> Result<Vec<T>, QueryError> {
    let Value::Array(names) = value else {
        return Err(QueryError::invalid(member, format!("expected a list of at most {most}: {allowed}")));
    };
    if names.len() > most {
        return Err(QueryError::invalid(member, format!("expected at most {most}, found {}", names.len())));
    }
    let mut parsed: Vec<T> = Vec::with_capacity(names.len());
    for (index, name) in names.iter().enumerate() {
        let path = format!("{member}[{index}]");
        let Value::String(name) = name else {
            return Err(QueryError::invalid(path, format!("expected a text: {allowed}")));
        };
        let item = parse(name, &path)?;
        if parsed.iter().any(|earlier| earlier.to_string() == item.to_string()) {
            return Err(QueryError::invalid(path, format!("{item} is asked for twice")));
        }
        parsed.push(item);
    }
    Ok(parsed)
}

fn parse_metrics(value: Option<&Value>) -> Result<Vec<Metric>, QueryError> {
    let wrong = || {
        let message = format!("expected a list of 1 to {METRICS_MAX} metrics: {}", crate::metric::ALLOWED);
        QueryError::invalid("metrics", message)
    };
    let metrics = parse_names(value.ok_or_else(wrong)?, "metrics", crate::metric::ALLOWED, METRICS_MAX, Metric::parse)?;
    let figures: HashSet<&Metric> = metrics.iter().flat_map(Metric::parts).collect();
    if figures.len() > FIGURES_MAX {
        let message = format!("the metrics are made of {} figures; expected at most {FIGURES_MAX}", figures.len());
        return Err(QueryError::invalid("metrics", message));
    }
    if metrics.is_empty() { Err(wrong()) } else { Ok(metrics) }
}

fn parse_dimensions(value: Option<&Value>) -> Result<Vec<Dimension>, QueryError> {
    let Some(value) = value else { return Ok(Vec::new()) };
    let allowed = format!("time: before {}, or a field: {}", crate::dimension::INTERVALS, crate::field::ALLOWED);
    let dimensions = parse_names(value, "dimensions", &allowed, DIMENSIONS_MAX, Dimension::parse)?;
    let mut times = dimensions.iter().enumerate().filter(|(_, dimension)| matches!(dimension, Dimension::Time(_)));
    if let Some((second, _)) = times.nth(1) {
        return Err(QueryError::invalid(
            format!("dimensions[{second}]"),
            "a question has at most one dimension of time",
        ));
    }
    Ok(dimensions)
}

fn parse_order(
    value: Option<&Value>,
    metrics: &[Metric],
    dimensions: &[Dimension],
) -> Result<Vec<OrderBy>, QueryError> {
    let Some(value) = value else { return Ok(Vec::new()) };
    let most = METRICS_MAX + DIMENSIONS_MAX;
    let shape = "expected [name, \"asc\"] or [name, \"desc\"]";
    let Some(keys) = value.as_array().filter(|keys| keys.len() <= most) else {
        return Err(QueryError::invalid(
            "order_by",
            format!("expected a list of at most {most} of [name, \"asc\" or \"desc\"]"),
        ));
    };
    keys.iter()
        .enumerate()
        .map(|(index, key)| {
            let path = format!("order_by[{index}]");
            let Some([Value::String(name), Value::String(direction)]) = key.as_array().map(Vec::as_slice) else {
                return Err(QueryError::invalid(path, shape));
            };
            let descending = match direction.as_str() {
                "asc" => false,
                "desc" => true,
                _ => return Err(QueryError::invalid(format!("{path}[1]"), "expected \"asc\" or \"desc\"")),
            };
            let unknown = || {
                let names: Vec<String> =
                    metrics.iter().map(ToString::to_string).chain(dimensions.iter().map(ToString::to_string)).collect();
                let message = format!("expected a metric or dimension of the question: {}", names.join(", "));
                QueryError::invalid(format!("{path}[0]"), message)
            };
            let metric =
                Metric::parse(name, "").ok().and_then(|asked| metrics.iter().position(|metric| *metric == asked));
            let dimension = || {
                let asked = Dimension::parse(name, "").ok()?;
                dimensions.iter().position(|dimension| *dimension == asked)
            };
            let column = match metric {
                Some(index) => OrderColumn::Metric(index),
                None => OrderColumn::Dimension(dimension().ok_or_else(unknown)?),
            };
            Ok(OrderBy { column, descending })
        })
        .collect()
}

/// An object with these members, for the shorthands.
pub(crate) fn object(members: impl IntoIterator<Item = (&'static str, Value)>) -> Map<String, Value> {
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
