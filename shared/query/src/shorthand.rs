//! The `GET` forms: parameters that compile to the same questions as JSON does.
//!
//! Common parameters: `range` (a word, `from,to`, or the JSON list), `tz`, `event_type` and `event_action` (again and again: one of them),
//! `filter` (JSON: one filter, or a list of filters that all hold), `limit`. An unknown parameter, or one given twice that
//! may come once, is refused by name. The `path` of an error is the parameter's name.

use serde_json::{Value, json};

use crate::question::object;
use crate::{
    EventsQuestion, ExportQuestion, Field, PropertiesQuestion, QueryError, Question, SessionQuestion, SessionsQuestion,
    UserQuestion,
};

/// The parameters of a query string, decoded, in their order.
pub type Parameters = [(String, String)];

impl Question {
    /// A series: `metric` (`events`; several times: several), `interval` (`day`), `dimension` (any number), `compare`,
    /// `cursor`, and the common ones.
    ///
    /// # Errors
    /// [`QueryError`] whose path is the parameter's name.
    pub fn trends(parameters: &Parameters) -> Result<Self, QueryError> {
        let given = Given::new(
            parameters,
            &[
                "metric",
                "interval",
                "dimension",
                "range",
                "tz",
                "event_type",
                "event_action",
                "filter",
                "compare",
                "limit",
                "cursor",
            ],
        )?;
        let interval = given.one("interval")?.unwrap_or("day");
        if crate::Interval::parse(interval).is_none() {
            return Err(QueryError::invalid("interval", format!("expected {}", crate::dimension::INTERVALS)));
        }
        let mut dimensions = vec![format!("time:{interval}")];
        dimensions.extend(given.all("dimension").map(str::to_owned));
        given.question(dimensions)
    }

    /// A ranking: `dimension` (required, several times: several), `metric`, `compare`, `cursor`, and the common ones.
    ///
    /// # Errors
    /// [`QueryError`] whose path is the parameter's name.
    pub fn breakdown(parameters: &Parameters) -> Result<Self, QueryError> {
        let given = Given::new(
            parameters,
            &[
                "dimension",
                "metric",
                "range",
                "tz",
                "event_type",
                "event_action",
                "filter",
                "compare",
                "limit",
                "cursor",
            ],
        )?;
        let dimensions: Vec<String> = given.all("dimension").map(str::to_owned).collect();
        if dimensions.is_empty() {
            let message = format!("expected a dimension: {}", crate::field::ALLOWED);
            return Err(QueryError::invalid("dimension", message));
        }
        given.question(dimensions)
    }

    /// The values of a property or field with the number of events of each, most frequent first; events without a text at
    /// the path are left out. `search` (a part of the value, `A`-`Z` taken as `a`-`z`), `cursor`, and the common parameters.
    ///
    /// `key` is a field (`event_type`, `metadata.price`) or the path within the metadata (`price`).
    ///
    /// # Errors
    /// [`QueryError`] whose path is the parameter's name, or `key`.
    pub fn property_values(key: &str, parameters: &Parameters) -> Result<Self, QueryError> {
        let given = Given::new(
            parameters,
            &["search", "range", "tz", "event_type", "event_action", "filter", "limit", "cursor"],
        )?;
        let field = Field::parse(key, "key").or_else(|_| Field::parse(&format!("metadata.{key}"), "key"))?.to_string();
        let found = match given.one("search")? {
            None => json!(["matches", field, ["*"]]),
            Some(search) if search.chars().count() > crate::filter::TEXT_MAX || search.contains('\0') => {
                return Err(QueryError::invalid("search", "expected at most 1000 characters, without U+0000"));
            }
            Some(search) => json!(["contains", field, [search], { "case_sensitive": false }]),
        };
        let mut question = given.body()?;
        question.push(("metrics", json!(["events"])));
        question.push(("dimensions", json!([field])));
        if let Some((_, Value::Array(filters))) = question.iter_mut().find(|(name, _)| *name == "filters") {
            filters.push(found);
        }
        Self::from_json(&Value::Object(object(question))).map_err(|error| given.place(error))
    }
}

impl EventsQuestion {
    /// A page of events: `cursor`, and the common parameters; `range` is `all` unless given.
    ///
    /// # Errors
    /// [`QueryError`] whose path is the parameter's name.
    pub fn from_parameters(parameters: &Parameters) -> Result<Self, QueryError> {
        let given =
            Given::new(parameters, &["range", "tz", "event_type", "event_action", "filter", "limit", "cursor"])?;
        Self::from_json(&Value::Object(object(given.body()?))).map_err(|error| given.place(error))
    }
}

impl ExportQuestion {
    /// An export: `cursor`, and the common parameters; `range` is `all` unless given. What it is written as, `format`, and of which
    /// `project` are the caller's to read.
    ///
    /// # Errors
    /// [`QueryError`] whose path is the parameter's name.
    pub fn from_parameters(parameters: &Parameters) -> Result<Self, QueryError> {
        let known = ["project", "format", "range", "tz", "event_type", "event_action", "filter", "limit", "cursor"];
        let given = Given::new(parameters, &known)?;
        given.one("project")?;
        Self::from_json(&Value::Object(object(given.body()?))).map_err(|error| given.place(error))
    }
}

impl SessionsQuestion {
    /// A page of sessions: `cursor`, and the common parameters.
    ///
    /// # Errors
    /// [`QueryError`] whose path is the parameter's name.
    pub fn from_parameters(parameters: &Parameters) -> Result<Self, QueryError> {
        let given =
            Given::new(parameters, &["range", "tz", "event_type", "event_action", "filter", "limit", "cursor"])?;
        Self::from_json(&Value::Object(object(given.body()?))).map_err(|error| given.place(error))
    }
}

impl SessionQuestion {
    /// A page of one session: `range` (`all` unless given), `tz`, `limit`, `cursor`.
    ///
    /// # Errors
    /// [`QueryError`] whose path is the parameter's name, or `id`.
    pub fn from_parameters(id: &str, parameters: &Parameters) -> Result<Self, QueryError> {
        let given = Given::new(parameters, &["range", "tz", "limit", "cursor"])?;
        Self::from_json(id, &Value::Object(object(given.frame()?))).map_err(|error| given.place(error))
    }
}

impl UserQuestion {
    /// A page of one person's timeline: `range` (`all` unless given), `tz`, `limit`, `cursor`.
    ///
    /// # Errors
    /// [`QueryError`] whose path is the parameter's name, or `id`.
    pub fn from_parameters(id: &str, parameters: &Parameters) -> Result<Self, QueryError> {
        let given = Given::new(parameters, &["range", "tz", "limit", "cursor"])?;
        Self::from_json(id, &Value::Object(object(given.frame()?))).map_err(|error| given.place(error))
    }
}

impl PropertiesQuestion {
    /// The properties: `search`, and the common parameters.
    ///
    /// # Errors
    /// [`QueryError`] whose path is the parameter's name.
    pub fn from_parameters(parameters: &Parameters) -> Result<Self, QueryError> {
        let given =
            Given::new(parameters, &["search", "range", "tz", "event_type", "event_action", "filter", "limit"])?;
        let mut question = given.body()?;
        question.extend(given.one("search")?.map(|search| ("search", json!(search))));
        Self::from_json(&Value::Object(object(question))).map_err(|error| given.place(error))
    }
}

/// Parameters, all of them known.
#[derive(Debug, Clone, Copy)]
pub struct Given<'p>(&'p Parameters);

impl<'p> Given<'p> {
    /// The parameters, where each is one of `known`.
    ///
    /// # Errors
    /// [`QueryError`] whose path is the name that is not.
    pub fn new(parameters: &'p Parameters, known: &[&str]) -> Result<Self, QueryError> {
        if let Some((unknown, _)) = parameters.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            let name: String = unknown.chars().take(100).collect();
            let expected = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Err(QueryError::invalid(name, format!("there is no such parameter; expected {expected}")));
        }
        Ok(Self(parameters))
    }

    fn all(&self, name: &'static str) -> impl Iterator<Item = &'p str> {
        self.0.iter().filter(move |(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// The value of a parameter that may come once.
    ///
    /// # Errors
    /// [`QueryError`] at its name where it comes twice.
    pub fn one(&self, name: &'static str) -> Result<Option<&'p str>, QueryError> {
        let mut all = self.all(name);
        let first = all.next();
        if all.next().is_some() {
            return Err(QueryError::invalid(name, "the parameter is given twice; expected one"));
        }
        Ok(first)
    }

    /// A whole number from 1 to `most` that may come once; `default` where it is not there.
    ///
    /// # Errors
    /// [`QueryError`] at its name where it comes twice or is none.
    pub fn number(&self, name: &'static str, default: u32, most: u32) -> Result<u32, QueryError> {
        let Some(text) = self.one(name)? else { return Ok(default) };
        let number = text.parse().ok().filter(|number| (1..=most).contains(number));
        number.ok_or_else(|| QueryError::invalid(name, format!("expected a whole number from 1 to {most}")))
    }

    /// The members that most kinds share.
    fn body(&self) -> Result<Vec<(&'static str, Value)>, QueryError> {
        let mut body = vec![("filters", Value::Array(self.filters()?))];
        body.extend(self.frame()?);
        Ok(body)
    }

    /// The members that all kinds share.
    fn frame(&self) -> Result<Vec<(&'static str, Value)>, QueryError> {
        let mut body = Vec::new();
        body.extend(self.one("range")?.map(|range| ("date_range", range_value(range))));
        body.extend(self.one("tz")?.map(|zone| ("timezone", json!(zone))));
        body.extend(self.one("cursor")?.map(|cursor| ("cursor", json!(cursor))));
        if let Some(limit) = self.one("limit")? {
            let number = limit.parse::<u32>().map_or_else(|_| json!(limit), |limit| json!(limit));
            body.push(("limit", number));
        }
        Ok(body)
    }

    fn question(&self, dimensions: Vec<String>) -> Result<Question, QueryError> {
        let mut metrics: Vec<&str> = self.all("metric").collect();
        if metrics.is_empty() {
            metrics.push("events");
        }
        let mut body = self.body()?;
        body.push(("metrics", json!(metrics)));
        body.push(("dimensions", json!(dimensions)));
        body.extend(self.one("compare")?.map(|compare| ("compare", range_value(compare))));
        Question::from_json(&Value::Object(object(body))).map_err(|error| self.place(error))
    }

    /// The place of an error by the parameter that the member came from.
    fn place(&self, mut error: QueryError) -> QueryError {
        for (member, parameter) in [
            ("metrics", "metric"),
            ("dimensions", "dimension"),
            ("date_range", "range"),
            ("timezone", "tz"),
            ("filters", "filter"),
        ] {
            if let Some(rest) = error.path.strip_prefix(member) {
                if member == "date_range" {
                    error.message.push_str("; two ends are joined by a comma: range=2026-11-01,2026-11-20");
                }
                // Lists are parameters given again: only within a filter the place says more than the name. A filter that
                // stands alone is the first of its list.
                let within = if self.has_one_filter() { rest.strip_prefix("[0]").unwrap_or(rest) } else { rest };
                error.path = if member == "filters" { format!("{parameter}{within}") } else { parameter.to_owned() };
                break;
            }
        }
        error
    }

    /// Whether `filter` holds one filter and no list.
    fn has_one_filter(&self) -> bool {
        let filter = self.all("filter").next().and_then(|text| serde_json::from_str::<Value>(text).ok());
        filter.is_some_and(|filter| filter.get(0).is_some_and(Value::is_string))
    }

    /// What `filter` holds comes first, so that the places in errors are its own.
    fn filters(&self) -> Result<Vec<Value>, QueryError> {
        let mut filters = Vec::new();
        if let Some(text) = self.one("filter")? {
            let wrong = || {
                let message =
                    "expected JSON: a filter, such as [\"is\",\"event_action\",[\"click\"]], or a list of filters";
                QueryError::invalid("filter", message)
            };
            match serde_json::from_str(text).map_err(|_| wrong())? {
                Value::Array(parts) if parts.first().is_some_and(Value::is_string) => filters.push(Value::Array(parts)),
                Value::Array(list) => filters.extend(list),
                _ => return Err(wrong()),
            }
        }
        for name in ["event_type", "event_action"] {
            let values: Vec<&str> = self.all(name).collect();
            if values.len() > crate::filter::VALUES_MAX
                || values.iter().any(|value| value.chars().count() > crate::filter::TEXT_MAX || value.contains('\0'))
            {
                return Err(QueryError::invalid(
                    name,
                    "expected at most 100 values of at most 1000 characters, without U+0000",
                ));
            }
            if !values.is_empty() {
                filters.push(json!(["is", name, values]));
            }
        }
        Ok(filters)
    }
}

/// A word, two ends joined by a comma, or the JSON list of the long form.
fn range_value(text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(list @ Value::Array(_)) => list,
        _ => text.split_once(',').map_or_else(|| json!(text), |(from, to)| json!([from, to])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_parameter_is_told_what_there_is() {
        let given = vec![("rage".to_owned(), "7d".to_owned())];
        let told = |known: &[&str]| Given::new(&given, known).map(drop).unwrap_err();
        let refused = told(&["range", "search"]);
        assert_eq!(refused.path, "rage");
        assert_eq!(refused.message, "there is no such parameter; expected range, search");
        assert_eq!(told(&[]).message, "there is no such parameter; expected none");
    }
}
