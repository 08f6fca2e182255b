//! Filters from their JSON form, with the place of what is wrong.

use serde_json::{Map, Value};

use super::{Filter, NumberOperator, TextOperator};
use crate::{Field, QueryError};

/// Deepest nesting of `and`, `or`, `not`, `has_done` and `has_not_done`, a filter that stands alone being level 1.
pub const DEPTH_MAX: usize = 10;
/// Most values of one filter.
pub const VALUES_MAX: usize = 100;
/// Longest text in a question, in Unicode scalar values.
pub const TEXT_MAX: usize = 1_000;
/// Most filters in a question, those that hold others counted.
pub const FILTERS_MAX: usize = 200;
/// Most of `has_done` and `has_not_done` in a question: for each the range is read once more.
pub const DEEDS_MAX: usize = 10;

/// The operators, for messages.
const OPERATORS: &str = "is, is_not, contains, not_contains, starts_with, matches, gt, gte, lt, lte, between, exists, \
                         not_exists, and, or, not, has_done, has_not_done";

/// How many filters a question may still hold, and whether persons may be asked for.
#[derive(Debug)]
pub(crate) struct Limits {
    left: usize,
    deeds: Deeds,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deeds {
    /// So many more.
    Left(usize),
    /// Not within another.
    Within,
    /// Not where one event is judged.
    Never,
}

impl Default for Limits {
    fn default() -> Self {
        Self { left: FILTERS_MAX, deeds: Deeds::Left(DEEDS_MAX) }
    }
}

impl Limits {
    /// For filters that one event alone is judged by.
    pub(crate) const fn of_an_event() -> Self {
        Self { left: FILTERS_MAX, deeds: Deeds::Never }
    }
}

impl Filter {
    /// Reads one filter.
    ///
    /// # Errors
    /// [`QueryError`] with the place below `path` and what is allowed there.
    pub fn parse(value: &Value, path: &str) -> Result<Self, QueryError> {
        parse(value, path, 1, &mut Limits::default())
    }

    /// Reads a list of filters, all of which are to hold.
    ///
    /// # Errors
    /// [`QueryError`] with the place below `path` and what is allowed there.
    pub fn parse_all(value: &Value, path: &str) -> Result<Vec<Self>, QueryError> {
        parse_list(value, path, 1, &mut Limits::default())
    }
}

pub(crate) fn parse_list(
    value: &Value,
    path: &str,
    depth: usize,
    limits: &mut Limits,
) -> Result<Vec<Filter>, QueryError> {
    let Value::Array(filters) = value else {
        return Err(QueryError::invalid(
            path,
            "expected a list of filters, such as [[\"is\", \"event_type\", [\"pageview\"]]]",
        ));
    };
    filters
        .iter()
        .enumerate()
        .map(|(index, filter)| parse(filter, &format!("{path}[{index}]"), depth, limits))
        .collect()
}

fn parse(value: &Value, path: &str, depth: usize, limits: &mut Limits) -> Result<Filter, QueryError> {
    if depth > DEPTH_MAX {
        return Err(QueryError::invalid(path, format!("filters may be nested {DEPTH_MAX} deep")));
    }
    limits.left = limits
        .left
        .checked_sub(1)
        .ok_or_else(|| QueryError::invalid(path, format!("a question may hold {FILTERS_MAX} filters")))?;
    let Some(([Value::String(name)], rest)) = value.as_array().and_then(|parts| parts.split_at_checked(1)) else {
        let message = format!("expected a filter: a list that begins with one of {OPERATORS}");
        return Err(QueryError::invalid(path, message));
    };
    match name.as_str() {
        "and" | "or" => {
            let [filters] = rest else { return Err(arity(path, name, "a list of filters")) };
            let filters = parse_list(filters, &format!("{path}[1]"), depth + 1, limits)?;
            if filters.is_empty() {
                return Err(QueryError::invalid(format!("{path}[1]"), "expected at least one filter"));
            }
            Ok(if name == "and" { Filter::And(filters) } else { Filter::Or(filters) })
        }
        "not" => {
            let [filter] = rest else { return Err(arity(path, name, "one filter")) };
            // `["not", [FILTER]]` is read as `["not", FILTER]`.
            let (filter, at) = match filter.as_array().map(Vec::as_slice) {
                Some([only @ Value::Array(_)]) => (only, format!("{path}[1][0]")),
                _ => (filter, format!("{path}[1]")),
            };
            parse(filter, &at, depth + 1, limits).map(|filter| Filter::Not(Box::new(filter)))
        }
        "has_done" | "has_not_done" => {
            let left = match limits.deeds {
                Deeds::Left(left) => left.checked_sub(1).ok_or_else(|| {
                    let message = format!("a question may hold {DEEDS_MAX} of has_done and has_not_done");
                    QueryError::invalid(path, message)
                })?,
                Deeds::Within => {
                    let message = format!("{name} cannot stand within has_done or has_not_done; join them by and");
                    return Err(QueryError::invalid(path, message));
                }
                Deeds::Never => {
                    let message = format!(
                        "{name} cannot be told of one event, which is all that is looked at here; ask a question instead"
                    );
                    return Err(QueryError::invalid(path, message));
                }
            };
            let [filters] = rest else { return Err(arity(path, name, "a list of filters")) };
            limits.deeds = Deeds::Within;
            let filters = parse_list(filters, &format!("{path}[1]"), depth + 1, limits)?;
            limits.deeds = Deeds::Left(left);
            if filters.is_empty() {
                return Err(QueryError::invalid(format!("{path}[1]"), "expected at least one filter"));
            }
            Ok(Filter::Deed { filters, done: name == "has_done" })
        }
        "exists" | "not_exists" => {
            let field = match rest {
                [field] => field,
                [field, Value::Array(values)] if values.is_empty() => field,
                _ => return Err(arity(path, name, "a field")),
            };
            Ok(Filter::Exists { field: parse_field(field, &format!("{path}[1]"))?, there: name == "exists" })
        }
        _ => compare(name, rest, path),
    }
}

fn compare(name: &str, rest: &[Value], path: &str) -> Result<Filter, QueryError> {
    let text = TextOperator::parse(name);
    let number = NumberOperator::parse(name);
    if text.is_none() && number.is_none() {
        return Err(QueryError::invalid(format!("{path}[0]"), format!("expected an operator: {OPERATORS}")));
    }
    let (field, values, options) = match rest {
        [field, values] => (field, values, None),
        [field, values, options] => (field, values, Some(options)),
        _ => return Err(arity(path, name, "a field and a list of values")),
    };
    let field = parse_field(field, &format!("{path}[1]"))?;
    let values_path = format!("{path}[2]");
    let Value::Array(values) = values else {
        return Err(QueryError::invalid(values_path, format!("expected a list of 1 to {VALUES_MAX} values")));
    };
    if values.is_empty() || values.len() > VALUES_MAX {
        return Err(QueryError::invalid(values_path, format!("expected 1 to {VALUES_MAX} values")));
    }
    if let Some(operator) = text {
        let values = values
            .iter()
            .enumerate()
            .map(|(index, value)| text_value(value, &format!("{values_path}[{index}]")))
            .collect::<Result<_, _>>()?;
        let case_sensitive = case_sensitive(options, &format!("{path}[3]"))?;
        return Ok(Filter::Text { operator, field, values, case_sensitive });
    }
    let Field::Metadata(property) = field else {
        let message = format!("{name} compares numbers, which are in metadata only: expected metadata.<path>");
        return Err(QueryError::invalid(format!("{path}[1]"), message));
    };
    if options.is_some() {
        return Err(QueryError::invalid(format!("{path}[3]"), format!("{name} takes no options")));
    }
    let numbers: Vec<f64> = values
        .iter()
        .enumerate()
        .map(|(index, value)| {
            let at = || QueryError::invalid(format!("{values_path}[{index}]"), "expected a number");
            // Minus zero is zero, also as it is written.
            value.as_f64().filter(|number| number.is_finite()).map(|number| number + 0.0).ok_or_else(at)
        })
        .collect::<Result<_, _>>()?;
    let operator = number.unwrap_or(NumberOperator::Between);
    if operator == NumberOperator::Between && numbers.len() != 2 {
        return Err(QueryError::invalid(values_path, "between takes two numbers: [from, to], both included"));
    }
    Ok(Filter::Number { operator, property, values: numbers })
}

fn parse_field(value: &Value, path: &str) -> Result<Field, QueryError> {
    let Value::String(name) = value else {
        return Err(QueryError::invalid(path, format!("expected a field: {}", crate::field::ALLOWED)));
    };
    Field::parse(name, path)
}

fn case_sensitive(options: Option<&Value>, path: &str) -> Result<bool, QueryError> {
    let Some(options) = options else { return Ok(true) };
    let wrong = || QueryError::invalid(path, "expected {\"case_sensitive\": true} or {\"case_sensitive\": false}");
    let options: &Map<String, Value> = options.as_object().ok_or_else(wrong)?;
    if let Some(unknown) = options.keys().find(|name| *name != "case_sensitive") {
        let message = "expected the option case_sensitive, and no other";
        return Err(QueryError::invalid(format!("{path}.{}", shown(unknown)), message));
    }
    options.get("case_sensitive").map_or(Ok(true), |value| value.as_bool().ok_or_else(wrong))
}

/// A value of a text operator as the text that it stands for: numbers as they are stored.
pub(crate) fn text_value(value: &Value, path: &str) -> Result<String, QueryError> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => match number.as_f64() {
            Some(0.0) => "0".to_owned(),
            Some(number) if number.is_finite() => number.to_string(),
            _ => return Err(QueryError::invalid(path, "expected a number that a double can hold")),
        },
        _ => return Err(QueryError::invalid(path, "expected a text, a number, true or false")),
    };
    if text.chars().count() > TEXT_MAX || text.contains('\0') {
        return Err(QueryError::invalid(path, format!("expected at most {TEXT_MAX} characters, without U+0000")));
    }
    Ok(text)
}

fn arity(path: &str, name: &str, what: &str) -> QueryError {
    QueryError::invalid(path, format!("{name} takes {what}"))
}

/// A name from a client as part of a path: cut, so that an answer does not grow with it.
fn shown(name: &str) -> String {
    name.chars().take(100).collect()
}
