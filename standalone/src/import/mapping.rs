//! From a row's columns to an event's fields.

use std::collections::BTreeMap;

use analytics_domain::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};
use thiserror::Error;

use super::identity::row_id;
use super::row::RowError;

/// The fields of an event that a column can be mapped to.
const FIELDS: [&str; 7] = ["id", "session_id", "user_id", "event_type", "event_action", "timestamp", "metadata"];

/// Why `--map`, `--set` or `--timezone` cannot be used.
#[derive(Debug, Error)]
pub enum MappingError {
    /// No `=`.
    #[error("{option} {text:?} has no '='; write {option} event_action=event")]
    NoEquals {
        /// The option.
        option: &'static str,
        /// What was given.
        text: String,
    },
    /// The field is none of an event.
    #[error("{option} names the field {field:?}; an event has {}, and anything under metadata. as in metadata.plan", FIELDS[..6].join(", "))]
    UnknownField {
        /// The option.
        option: &'static str,
        /// What was given.
        field: String,
    },
    /// The zone is not known.
    #[error("--timezone {name:?} is no IANA time zone; write UTC or Europe/Berlin")]
    Zone {
        /// What was given.
        name: String,
    },
}

/// Which column goes into which field, which fields are constants, and the zone of naive times.
#[derive(Debug)]
pub struct Mapping {
    /// Field by column.
    columns: BTreeMap<String, String>,
    constants: BTreeMap<String, String>,
    zone: TimeZone,
}

impl Mapping {
    /// Reads `--map FIELD=COLUMN`, `--set FIELD=VALUE` and `--timezone`.
    ///
    /// # Errors
    /// [`MappingError`].
    pub fn new(map: &[String], set: &[String], zone: &str) -> Result<Self, MappingError> {
        let columns = pairs("--map", map)?.into_iter().map(|(field, column)| (column, field)).collect();
        let constants = pairs("--set", set)?.into_iter().collect();
        let zone = TimeZone::get(zone).map_err(|_| MappingError::Zone { name: zone.to_owned() })?;
        Ok(Self { columns, constants, zone })
    }

    /// The event of a row, as the JSON that the collector takes.
    ///
    /// Columns go where they are mapped, else into the field of their name, else into metadata.
    ///
    /// # Errors
    /// [`RowError`] where a mapped column is missing or the time cannot be understood; everything else the collector judges.
    pub fn event(
        &self,
        mut row: Map<String, Value>,
        digest: &[u8; 32],
        number: u64,
        shift: i64,
    ) -> Result<Value, RowError> {
        let time = self.time(&row)?;
        let mut event = Map::new();
        let mut metadata = match row.remove("metadata") {
            Some(Value::Object(metadata)) => metadata,
            Some(other) => Map::from_iter([("metadata".to_owned(), other)]),
            None => Map::new(),
        };
        for (column, value) in row {
            let field = self.field_of(&column);
            if field == "timestamp" {
                continue;
            }
            place(&mut event, &mut metadata, &field, value);
        }
        for (field, value) in &self.constants {
            place(&mut event, &mut metadata, field, Value::from(value.as_str()));
        }
        if let Some(time) = time {
            event.entry("id").or_insert_with(|| json!(row_id(time, number, digest)));
            event.insert("timestamp".into(), json!(time.saturating_add_micros(shift)));
        } else {
            event.entry("id").or_insert_with(|| json!(row_id(Timestamp::from_micros(0), number, digest)));
        }
        if !metadata.is_empty() {
            event.insert("metadata".into(), Value::Object(metadata));
        }
        Ok(Value::Object(event))
    }

    /// The time of a row, `None` where it has none.
    ///
    /// # Errors
    /// [`RowError::Time`]; [`RowError::NoColumn`] where a mapped column is missing from the row.
    pub fn time(&self, row: &Map<String, Value>) -> Result<Option<Timestamp>, RowError> {
        let mapped = self.columns.iter().find(|(_, field)| *field == "timestamp").map(|(column, _)| column.as_str());
        let value = match mapped {
            Some(column) => Some(row.get(column).ok_or_else(|| RowError::NoColumn {
                column: column.to_owned(),
                there: row.keys().cloned().collect::<Vec<_>>().join(", "),
            })?),
            None => row.get("timestamp"),
        };
        value.map(|value| self.instant(value)).transpose()
    }

    fn field_of(&self, column: &str) -> String {
        match self.columns.get(column) {
            Some(field) => field.clone(),
            None if FIELDS.contains(&column) => column.to_owned(),
            None => format!("metadata.{column}"),
        }
    }

    fn instant(&self, value: &Value) -> Result<Timestamp, RowError> {
        let failed = || RowError::Time { text: value.as_str().map_or_else(|| value.to_string(), str::to_owned) };
        if let Some(millis) = value.as_i64() {
            return Timestamp::from_millis(millis).ok_or_else(failed);
        }
        let text = value.as_str().ok_or_else(failed)?;
        if let Some(instant) = Timestamp::parse_rfc3339(text) {
            return Ok(instant);
        }
        let naive: DateTime = text.parse().map_err(|_| failed())?;
        let zoned = naive.to_zoned(self.zone.clone()).map_err(|_| failed())?;
        Ok(Timestamp::from_jiff(zoned.timestamp()))
    }
}

/// Texts of an event's own fields are sent as texts, whatever they look like: a session `1234` is `"1234"`.
fn place(event: &mut Map<String, Value>, metadata: &mut Map<String, Value>, field: &str, value: Value) {
    match field.strip_prefix("metadata.") {
        Some(key) => {
            metadata.insert(key.to_owned(), value);
        }
        None => {
            let text = match value {
                Value::Number(number) => Value::from(number.to_string()),
                Value::Bool(truth) => Value::from(truth.to_string()),
                other => other,
            };
            event.insert(field.to_owned(), text);
        }
    }
}

fn pairs(option: &'static str, texts: &[String]) -> Result<Vec<(String, String)>, MappingError> {
    let pair = |text: &String| {
        let (field, value) =
            text.split_once('=').ok_or_else(|| MappingError::NoEquals { option, text: text.clone() })?;
        let known = FIELDS[..6].contains(&field) || field.strip_prefix("metadata.").is_some_and(|key| !key.is_empty());
        if known {
            Ok((field.to_owned(), value.to_owned()))
        } else {
            Err(MappingError::UnknownField { option, field: field.to_owned() })
        }
    };
    texts.iter().map(pair).collect()
}
