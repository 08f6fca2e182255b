//! A stored event in the one shape that lists, timelines and live feeds show.

use std::borrow::Cow;
use std::collections::BTreeMap;

use analytics_domain::{Event, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::{Cell, Row};

/// An event as the API shows it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EventRecord {
    /// Its id.
    pub id: Uuid,
    /// Its session.
    pub session_id: String,
    /// Its user, `null` where the client did not know one.
    pub user_id: Option<String>,
    /// What kind of event it is.
    pub event_type: String,
    /// What happened.
    pub event_action: String,
    /// A JSON object in canonical form: compact, keys sorted bytewise, doubles in plain decimals; `{}` where none was sent.
    pub metadata: Box<RawValue>,
    /// When it happened.
    pub timestamp: Timestamp,
    /// When it was received.
    pub created_at: Timestamp,
}

/// The cells of [`EventRecord::from_row`], of `raw_events e`.
pub(crate) const POSTGRES_COLUMNS: &str =
    "e.id, e.session_id, e.user_id, e.event_type, e.event_action, e.metadata::text, e.timestamp, e.created_at";

/// The same for SQLite.
pub(crate) const SQLITE_COLUMNS: &str =
    "e.id, e.session_id, e.user_id, e.event_type, e.event_action, e.metadata, e.timestamp, e.created_at";

impl EventRecord {
    /// The record of an event that was received at `created_at`.
    #[must_use]
    pub fn from_event(event: &Event<'_>, created_at: Timestamp) -> Self {
        Self {
            id: event.id,
            session_id: event.session_id.as_ref().to_owned(),
            user_id: event.user_id.as_deref().map(str::to_owned),
            event_type: event.event_type.as_ref().to_owned(),
            event_action: event.event_action.as_ref().to_owned(),
            metadata: canonical(&event.metadata),
            timestamp: event.timestamp,
            created_at,
        }
    }

    /// The record of a row of the columns above; `None` where a cell is of another kind than its column.
    pub(crate) fn from_row(row: Row) -> Option<Self> {
        let Ok([id, session_id, user_id, event_type, event_action, metadata, timestamp, created_at]) =
            <[Cell; 8]>::try_from(row)
        else {
            return None;
        };
        Some(Self {
            id: if let Cell::Uuid(id) = id { id } else { return None },
            session_id: text(session_id)?,
            user_id: text(user_id),
            event_type: text(event_type)?,
            event_action: text(event_action)?,
            metadata: canonical(&text(metadata).unwrap_or_default()),
            timestamp: instant(&timestamp)?,
            created_at: instant(&created_at)?,
        })
    }
}

pub(crate) fn text(cell: Cell) -> Option<String> {
    if let Cell::Text(text) = cell { Some(text) } else { None }
}

pub(crate) fn instant(cell: &Cell) -> Option<Timestamp> {
    match cell {
        Cell::Timestamp(instant) => Some(*instant),
        Cell::Int(micros) => Some(Timestamp::from_micros(*micros)),
        _ => None,
    }
}

/// JSON with its keys sorted bytewise and nothing between its tokens. PostgreSQL gives `jsonb` in an order and with spaces of
/// its own; the texts of numbers, which are canonical since they were received, stay as they are.
fn canonical(json: &str) -> Box<RawValue> {
    let mut out = String::with_capacity(json.len());
    if write_canonical(json, &mut out).is_err() {
        out.clear();
        out.push_str("{}");
    }
    RawValue::from_string(out).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

fn write_canonical(json: &str, out: &mut String) -> Result<(), serde_json::Error> {
    let json = json.trim();
    match json.as_bytes().first() {
        Some(b'{') => {
            let members: BTreeMap<Text<'_>, &RawValue> = serde_json::from_str(json)?;
            out.push('{');
            for (index, (key, value)) in members.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                out.push_str(&serde_json::to_string(&key.0)?);
                out.push(':');
                write_canonical(value.get(), out)?;
            }
            out.push('}');
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(json)?;
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_canonical(item.get(), out)?;
            }
            out.push(']');
        }
        Some(b'"') => out.push_str(&serde_json::to_string(&serde_json::from_str::<Text<'_>>(json)?.0)?),
        _ => out.push_str(serde_json::from_str::<&RawValue>(json)?.get()),
    }
    Ok(())
}

/// A string that borrows where it holds no escape.
#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(transparent)]
struct Text<'t>(#[serde(borrow)] Cow<'t, str>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_canonical_again() {
        let from_database = r#"{"b": [1, {"z": null, "é": "a\"\n"}], "aa": 9007199254740993.25, "a": {}}"#;
        assert_eq!(
            canonical(from_database).get(),
            r#"{"a":{},"aa":9007199254740993.25,"b":[1,{"z":null,"é":"a\"\n"}]}"#
        );
        assert_eq!(canonical("").get(), "{}");
    }
}
