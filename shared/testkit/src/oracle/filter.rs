//! The filters: each of them is true or false for one event.

use std::collections::BTreeSet;

use analytics_domain::Event;
use serde_json::Value as Json;

use super::OracleError;
use super::value::{Field, Value, number_text};

/// What a filter says.
#[derive(Debug, Clone)]
pub(super) enum Filter {
    And(Vec<Filter>),
    Or(Vec<Filter>),
    Not(Box<Filter>),
    /// The person has an event in the range that passes all.
    HasDone(Vec<Filter>),
    HasNotDone(Vec<Filter>),
    Exists(Field),
    NotExists(Field),
    Text {
        field: Field,
        operator: TextOperator,
        values: Vec<String>,
        case_sensitive: bool,
    },
    Number {
        field: Field,
        operator: NumberOperator,
        values: Vec<f64>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextOperator {
    Is,
    IsNot,
    Contains,
    NotContains,
    StartsWith,
    Matches,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NumberOperator {
    Gt,
    Gte,
    Lt,
    Lte,
    Between,
}

impl Filter {
    pub(super) fn parse_all(filters: &Json, path: &str) -> Result<Vec<Self>, OracleError> {
        let filters = filters.as_array().ok_or_else(|| OracleError::new(path, "a list of filters"))?;
        filters.iter().enumerate().map(|(index, filter)| Self::parse(filter, &format!("{path}[{index}]"))).collect()
    }

    fn parse(filter: &Json, path: &str) -> Result<Self, OracleError> {
        let wrong = || OracleError::new(path, format!("a filter, not {filter}"));
        let parts = filter.as_array().ok_or_else(wrong)?;
        let name = parts.first().and_then(Json::as_str).ok_or_else(wrong)?;
        let second = parts.get(1).ok_or_else(wrong)?;
        match name {
            "and" => return Ok(Self::And(Self::parse_all(second, path)?)),
            "or" => return Ok(Self::Or(Self::parse_all(second, path)?)),
            "not" => return Ok(Self::Not(Box::new(Self::parse(second, path)?))),
            "has_done" => return Ok(Self::HasDone(Self::parse_all(second, path)?)),
            "has_not_done" => return Ok(Self::HasNotDone(Self::parse_all(second, path)?)),
            _ => {}
        }
        let field = Field::parse(second.as_str().ok_or_else(wrong)?, path)?;
        match name {
            "exists" => return Ok(Self::Exists(field)),
            "not_exists" => return Ok(Self::NotExists(field)),
            _ => {}
        }
        let values = parts.get(2).and_then(Json::as_array).ok_or_else(wrong)?;
        if let Some(operator) = NumberOperator::parse(name) {
            let values = values.iter().map(|value| value.as_f64().ok_or_else(wrong)).collect::<Result<_, _>>()?;
            return Ok(Self::Number { field, operator, values });
        }
        let operator = TextOperator::parse(name).ok_or_else(wrong)?;
        let values = values.iter().map(|value| text_of(value).ok_or_else(wrong)).collect::<Result<_, _>>()?;
        let case_sensitive = parts.get(3).is_none_or(|options| options["case_sensitive"] != Json::Bool(false));
        Ok(Self::Text { field, operator, values, case_sensitive })
    }

    /// Whether the event passes. `persons_who` gives the persons who have an event in the range that passes all of the
    /// filters given to it; `person` is the event's own.
    pub(super) fn passes(
        &self,
        event: &Event<'_>,
        person: &str,
        persons_who: &dyn Fn(&[Self]) -> BTreeSet<String>,
    ) -> bool {
        match self {
            Self::And(filters) => filters.iter().all(|filter| filter.passes(event, person, persons_who)),
            Self::Or(filters) => filters.iter().any(|filter| filter.passes(event, person, persons_who)),
            Self::Not(filter) => !filter.passes(event, person, persons_who),
            Self::HasDone(filters) => persons_who(filters).contains(person),
            Self::HasNotDone(filters) => !persons_who(filters).contains(person),
            Self::Exists(field) => field.of(event) != Value::Absent,
            Self::NotExists(field) => field.of(event) == Value::Absent,
            Self::Text { field, operator, values, case_sensitive } => {
                let fold = |text: String| if *case_sensitive { text } else { text.to_ascii_lowercase() };
                let found = field.of(event).text().map(fold);
                let any = |test: fn(&str, &str) -> bool| {
                    found.as_deref().is_some_and(|text| values.iter().any(|value| test(text, &fold(value.clone()))))
                };
                match operator {
                    TextOperator::Is => any(|text, value| text == value),
                    TextOperator::IsNot => !any(|text, value| text == value),
                    TextOperator::Contains => any(|text, value| text.contains(value)),
                    TextOperator::NotContains => !any(|text, value| text.contains(value)),
                    TextOperator::StartsWith => any(|text, value| text.starts_with(value)),
                    TextOperator::Matches => {
                        any(|text, value| glob(&text.chars().collect::<Vec<_>>(), &value.chars().collect::<Vec<_>>()))
                    }
                }
            }
            Self::Number { field, operator, values } => field.of(event).number().is_some_and(|number| match operator {
                NumberOperator::Gt => values.iter().any(|value| number > *value),
                NumberOperator::Gte => values.iter().any(|value| number >= *value),
                NumberOperator::Lt => values.iter().any(|value| number < *value),
                NumberOperator::Lte => values.iter().any(|value| number <= *value),
                NumberOperator::Between => {
                    matches!(values.as_slice(), [low, high] if *low <= number && number <= *high)
                }
            }),
        }
    }
}

impl TextOperator {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "is" => Self::Is,
            "is_not" => Self::IsNot,
            "contains" => Self::Contains,
            "not_contains" => Self::NotContains,
            "starts_with" => Self::StartsWith,
            "matches" => Self::Matches,
            _ => return None,
        })
    }
}

impl NumberOperator {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "gt" => Self::Gt,
            "gte" => Self::Gte,
            "lt" => Self::Lt,
            "lte" => Self::Lte,
            "between" => Self::Between,
            _ => return None,
        })
    }
}

/// A value of a filter as the text that it stands for.
fn text_of(value: &Json) -> Option<String> {
    match value {
        Json::String(text) => Some(text.clone()),
        Json::Bool(value) => Some(value.to_string()),
        Json::Number(number) => number.as_f64().map(number_text),
        _ => None,
    }
}

/// Whether a pattern of `*` (any characters) and `?` (one character) covers the whole text.
fn glob(text: &[char], pattern: &[char]) -> bool {
    match (text, pattern) {
        ([], []) => true,
        (_, ['*', rest @ ..]) => (0..=text.len()).any(|skipped| glob(&text[skipped..], rest)),
        ([_, text @ ..], ['?', rest @ ..]) => glob(text, rest),
        ([first, text @ ..], [expected, rest @ ..]) => first == expected && glob(text, rest),
        _ => false,
    }
}
