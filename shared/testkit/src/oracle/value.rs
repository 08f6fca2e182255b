//! The values of an event: its columns and what lies in its metadata.

use std::collections::BTreeMap;

use analytics_domain::Event;
use serde_json::value::RawValue;

use super::OracleError;

/// Where a value is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Field {
    EventType,
    EventAction,
    UserId,
    SessionId,
    /// The keys that lead into the metadata, at least one.
    Metadata(Vec<String>),
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// Nothing, or JSON null.
    Absent,
    Text(String),
    Number(f64),
    Bool(bool),
    /// An object or an array: it exists, and has no text.
    Compound,
}

impl Field {
    pub(super) fn parse(text: &str, path: &str) -> Result<Self, OracleError> {
        match text {
            "event_type" => Ok(Self::EventType),
            "event_action" => Ok(Self::EventAction),
            "user_id" => Ok(Self::UserId),
            "session_id" => Ok(Self::SessionId),
            _ => match text.strip_prefix("metadata.") {
                Some(keys) => Ok(Self::Metadata(parse_keys(keys, path)?)),
                None => Err(OracleError::new(path, format!("a field, not {text:?}"))),
            },
        }
    }

    pub(super) fn of(&self, event: &Event<'_>) -> Value {
        match self {
            Self::EventType => Value::Text(event.event_type.clone().into_owned()),
            Self::EventAction => Value::Text(event.event_action.clone().into_owned()),
            Self::SessionId => Value::Text(event.session_id.clone().into_owned()),
            Self::UserId => match &event.user_id {
                Some(user) => Value::Text(user.clone().into_owned()),
                None => Value::Absent,
            },
            Self::Metadata(keys) => in_json(&event.metadata, keys),
        }
    }
}

impl Value {
    /// The text that filters compare and dimensions show.
    pub(super) fn text(self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text),
            Self::Number(number) => Some(number_text(number)),
            Self::Bool(value) => Some(value.to_string()),
            Self::Absent | Self::Compound => None,
        }
    }

    /// The number that comparisons and number metrics see.
    pub(super) fn number(&self) -> Option<f64> {
        if let Self::Number(number) = self { Some(*number) } else { None }
    }
}

/// A number as text: the shortest decimal without an exponent, zero without a sign.
pub(super) fn number_text(number: f64) -> String {
    if number == 0.0 { "0".to_owned() } else { number.to_string() }
}

/// Walks into JSON. Numbers are read by the standard library, which rounds correctly at any length.
fn in_json(json: &str, keys: &[String]) -> Value {
    let json = json.trim();
    let Some((key, rest)) = keys.split_first() else {
        return match json.as_bytes().first() {
            Some(b'"') => serde_json::from_str(json).map_or(Value::Absent, Value::Text),
            Some(b't') => Value::Bool(true),
            Some(b'f') => Value::Bool(false),
            Some(b'{' | b'[') => Value::Compound,
            Some(b'-' | b'0'..=b'9') => json.parse().map_or(Value::Absent, Value::Number),
            _ => Value::Absent,
        };
    };
    match serde_json::from_str::<BTreeMap<String, &RawValue>>(json) {
        Ok(object) => object.get(key).map_or(Value::Absent, |value| in_json(value.get(), rest)),
        // No object: dots go into objects only.
        Err(_) => Value::Absent,
    }
}

/// Takes `a."b.c".d` apart; a quoted key is a JSON string.
fn parse_keys(text: &str, path: &str) -> Result<Vec<String>, OracleError> {
    let wrong = || OracleError::new(path, format!("keys joined by dots, quoted where they hold one, not {text:?}"));
    let mut keys = Vec::new();
    let mut rest = text;
    loop {
        if rest.starts_with('"') {
            let mut strings = serde_json::Deserializer::from_str(rest).into_iter::<String>();
            keys.push(strings.next().and_then(Result::ok).ok_or_else(wrong)?);
            let end = strings.byte_offset();
            rest = &rest[end..];
        } else {
            let end = rest.find('.').unwrap_or(rest.len());
            if end == 0 {
                return Err(wrong());
            }
            keys.push(rest[..end].to_owned());
            rest = &rest[end..];
        }
        match rest.strip_prefix('.') {
            Some(more) => rest = more,
            None if rest.is_empty() => return Ok(keys),
            None => return Err(wrong()),
        }
    }
}

/// A key as it is written in a path.
pub(super) fn write_key(key: &str) -> String {
    let plain = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    if plain { key.to_owned() } else { serde_json::Value::from(key).to_string() }
}
