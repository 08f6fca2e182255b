//! A question, read from its JSON.

use jiff::tz::TimeZone;
use serde_json::Value as Json;

use super::OracleError;
use super::filter::Filter;
use super::formula::Formula;
use super::range::Interval;
use super::value::Field;

/// A question of the supported language.
#[derive(Debug, Clone)]
pub(super) struct Question {
    pub(super) metrics: Vec<(String, Metric)>,
    pub(super) dimensions: Vec<(String, Dimension)>,
    pub(super) filters: Vec<Filter>,
    pub(super) date_range: Json,
    pub(super) compare: Option<Json>,
    pub(super) zone: TimeZone,
    /// Names of metrics or dimensions, and whether descending.
    pub(super) order_by: Vec<(String, bool)>,
    pub(super) limit: usize,
}

#[derive(Debug, Clone)]
pub(super) enum Metric {
    Events,
    Sessions,
    Users,
    Visitors,
    EventsPerSession,
    Sum(Field),
    Avg(Field),
    Min(Field),
    Max(Field),
    /// The value below which so many of a hundred lie.
    Percentile(u32, Field),
    Formula(Formula),
}

#[derive(Debug, Clone)]
pub(super) enum Dimension {
    Time(Interval),
    Field(Field),
}

impl Question {
    pub(super) fn parse(question: &Json) -> Result<Self, OracleError> {
        let object = question.as_object().ok_or_else(|| OracleError::new("", "an object"))?;
        for key in object.keys() {
            let known = ["metrics", "dimensions", "filters", "date_range", "timezone", "order_by", "limit", "compare"];
            if !known.contains(&key.as_str()) {
                return Err(OracleError::new(key, "no such field"));
            }
        }
        let texts = |name: &str| -> Result<Vec<String>, OracleError> {
            let wrong = || OracleError::new(name, "a list of texts");
            let Some(list) = object.get(name) else { return Ok(Vec::new()) };
            let list = list.as_array().ok_or_else(wrong)?;
            list.iter().map(|text| text.as_str().map(str::to_owned).ok_or_else(wrong)).collect()
        };
        let metrics = texts("metrics")?
            .into_iter()
            .map(|name| Metric::parse(&name).map(|metric| (name, metric)))
            .collect::<Result<_, _>>()?;
        let dimensions = texts("dimensions")?
            .into_iter()
            .map(|name| Dimension::parse(&name).map(|dimension| (name, dimension)))
            .collect::<Result<_, _>>()?;
        let filters = match object.get("filters") {
            Some(filters) => Filter::parse_all(filters, "filters")?,
            None => Vec::new(),
        };
        let zone = object.get("timezone").map_or(Some("UTC"), Json::as_str);
        let zone = zone
            .and_then(|name| TimeZone::get(name).ok())
            .ok_or_else(|| OracleError::new("timezone", "the name of a zone"))?;
        let date_range = object.get("date_range").cloned().ok_or_else(|| OracleError::new("date_range", "a range"))?;
        let limit = object.get("limit").map_or(Some(100), Json::as_u64);
        let limit = limit.and_then(|limit| usize::try_from(limit).ok());
        Ok(Self {
            metrics,
            dimensions,
            filters,
            date_range,
            compare: object.get("compare").filter(|compare| !compare.is_null()).cloned(),
            zone,
            order_by: match object.get("order_by") {
                Some(order) => parse_order(order)?,
                None => Vec::new(),
            },
            limit: limit.ok_or_else(|| OracleError::new("limit", "a whole number"))?,
        })
    }
}

impl Metric {
    /// A metric's name, or a formula.
    pub(super) fn parse(name: &str) -> Result<Self, OracleError> {
        Ok(match name {
            "events" => Self::Events,
            "sessions" => Self::Sessions,
            "users" => Self::Users,
            "visitors" => Self::Visitors,
            "events_per_session" => Self::EventsPerSession,
            _ if Formula::is_one(name) => Self::Formula(Formula::parse(name)?),
            _ => {
                let (function, field) = name
                    .split_once(':')
                    .ok_or_else(|| OracleError::new("metrics", format!("a metric, not {name:?}")))?;
                let field = Field::parse(field, "metrics")?;
                match function {
                    "sum" => Self::Sum(field),
                    "avg" => Self::Avg(field),
                    "min" => Self::Min(field),
                    "max" => Self::Max(field),
                    _ if function.starts_with('p') => {
                        let percent = function[1..].parse().ok().filter(|percent| (1..100).contains(percent));
                        let wrong = || OracleError::new("metrics", format!("a percentile, not {name:?}"));
                        Self::Percentile(percent.ok_or_else(wrong)?, field)
                    }
                    _ => return Err(OracleError::new("metrics", format!("a metric, not {name:?}"))),
                }
            }
        })
    }
}

impl Dimension {
    fn parse(name: &str) -> Result<Self, OracleError> {
        match name.strip_prefix("time:") {
            Some(interval) => Interval::parse(interval)
                .map(Self::Time)
                .ok_or_else(|| OracleError::new("dimensions", format!("an interval, not {interval:?}"))),
            None => Field::parse(name, "dimensions").map(Self::Field),
        }
    }
}

fn parse_order(order: &Json) -> Result<Vec<(String, bool)>, OracleError> {
    let wrong = || OracleError::new("order_by", "a list of [name, \"asc\" or \"desc\"]");
    let order = order.as_array().ok_or_else(wrong)?;
    order
        .iter()
        .map(|key| match (key[0].as_str(), key[1].as_str()) {
            (Some(name), Some("asc")) => Ok((name.to_owned(), false)),
            (Some(name), Some("desc")) => Ok((name.to_owned(), true)),
            _ => Err(wrong()),
        })
        .collect()
}
