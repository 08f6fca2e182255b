//! Filters on one event in memory: the same truth as the SQL, for events that are shown as they are stored.

use std::borrow::Cow;
use std::fmt;

use analytics_domain::Event;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::parsing::{Limits, parse_list};
use super::{Filter, NumberOperator, TextOperator};
use crate::{Field, Property, QueryError, glob};

/// Filters that one event alone is judged by, all of which are to hold.
///
/// They are the language's own but for `has_done` and `has_not_done`, which are refused: what else a person has done is not
/// told by an event, and there is no range in which it would be looked for.
#[derive(Debug, Clone, PartialEq)]
pub struct EventFilters(Vec<Filter>);

impl EventFilters {
    /// Reads a list of filters.
    ///
    /// # Errors
    /// [`QueryError`] with the place below `path` and what is allowed there.
    pub fn parse(value: &Value, path: &str) -> Result<Self, QueryError> {
        parse_list(value, path, 1, &mut Limits::of_an_event()).map(Self)
    }

    /// The filters.
    #[must_use]
    pub fn all(&self) -> &[Filter] {
        &self.0
    }

    /// Whether the event passes.
    #[must_use]
    pub fn matches(&self, event: &Event<'_>) -> bool {
        self.0.iter().all(|filter| filter.matches(event))
    }
}

impl Filter {
    /// Whether the event passes; a deed, which is refused where events are judged, holds for none.
    fn matches(&self, event: &Event<'_>) -> bool {
        match self {
            Self::And(filters) => filters.iter().all(|filter| filter.matches(event)),
            Self::Or(filters) => filters.iter().any(|filter| filter.matches(event)),
            Self::Not(filter) => !filter.matches(event),
            Self::Text { operator, field, values, case_sensitive } => {
                let (operator, negated) = operator.positive();
                let holds = text_of(field, event)
                    .is_some_and(|text| values.iter().any(|value| text_holds(operator, &text, value, *case_sensitive)));
                holds != negated
            }
            Self::Number { operator, property, values } => {
                number_at(property, &event.metadata).is_some_and(|number| number_holds(*operator, number, values))
            }
            Self::Exists { field, there } => {
                let found = match field {
                    Field::EventType | Field::EventAction | Field::SessionId => true,
                    Field::UserId => event.user_id.is_some(),
                    Field::Metadata(property) => {
                        find(property.keys(), &event.metadata).is_some_and(|json| json != "null")
                    }
                };
                found == *there
            }
            Self::Deed { .. } => false,
        }
    }
}

fn text_of<'e>(field: &Field, event: &'e Event<'_>) -> Option<Cow<'e, str>> {
    match field {
        Field::EventType => Some(Cow::Borrowed(&event.event_type)),
        Field::EventAction => Some(Cow::Borrowed(&event.event_action)),
        Field::SessionId => Some(Cow::Borrowed(&event.session_id)),
        Field::UserId => event.user_id.as_deref().map(Cow::Borrowed),
        Field::Metadata(property) => text_of_json(find(property.keys(), &event.metadata)?),
    }
}

/// The text of a value in metadata; none of null, objects and arrays.
pub(crate) fn text_of_json(json: &str) -> Option<Cow<'_, str>> {
    match json.as_bytes().first()? {
        // Without an escape the text is what stands between the quotes.
        b'"' if !json.contains('\\') => json.strip_prefix('"')?.strip_suffix('"').map(Cow::Borrowed),
        b'"' => serde_json::from_str::<Text<'_>>(json).ok().map(|text| text.0),
        b'{' | b'[' | b'n' => None,
        _ => Some(Cow::Borrowed(json)),
    }
}

fn number_at(property: &Property, metadata: &str) -> Option<f64> {
    find(property.keys(), metadata)
        .filter(|json| json.starts_with(|c: char| c == '-' || c.is_ascii_digit()))?
        .parse()
        .ok()
}

pub(crate) fn text_holds(operator: TextOperator, text: &str, value: &str, case_sensitive: bool) -> bool {
    if !case_sensitive {
        return text_holds(operator, &text.to_ascii_lowercase(), &value.to_ascii_lowercase(), true);
    }
    match operator {
        TextOperator::Is | TextOperator::IsNot => text == value,
        TextOperator::Contains | TextOperator::NotContains => text.contains(value),
        TextOperator::StartsWith => text.starts_with(value),
        TextOperator::Matches => glob::covers(value, text),
    }
}

pub(crate) fn number_holds(operator: NumberOperator, number: f64, values: &[f64]) -> bool {
    match operator {
        NumberOperator::Gt => values.iter().any(|value| number > *value),
        NumberOperator::Gte => values.iter().any(|value| number >= *value),
        NumberOperator::Lt => values.iter().any(|value| number < *value),
        NumberOperator::Lte => values.iter().any(|value| number <= *value),
        NumberOperator::Between => matches!(values, [low, high] if *low <= number && number <= *high),
    }
}

/// The JSON text at a path, nothing around it; `None` where the path leads to nothing.
pub(crate) fn find<'m>(keys: &[String], metadata: &'m str) -> Option<&'m str> {
    let mut json = metadata;
    for key in keys {
        let mut reader = serde_json::Deserializer::from_str(json);
        json = Member { key }.deserialize(&mut reader).ok()??.get();
    }
    Some(json)
}

/// Reads one member of an object and skips the others; what is no object is an error.
struct Member<'k> {
    key: &'k str,
}

impl<'de> DeserializeSeed<'de> for Member<'_> {
    type Value = Option<&'de RawValue>;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Member<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(key) = map.next_key::<Text<'de>>()? {
            if key.0 == self.key {
                found = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

/// A string that borrows where it holds no escape.
#[derive(serde::Deserialize)]
#[serde(transparent)]
struct Text<'t>(#[serde(borrow)] Cow<'t, str>);
