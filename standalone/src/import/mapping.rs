//! From a row's columns to an event's fields.

use std::collections::{BTreeMap, BTreeSet};

use analytics_domain::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};
use thiserror::Error;
use uuid::Uuid;

use super::row::{Fields, RowError, typed};

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
    /// A field is given twice.
    #[error("the field {field:?} is given twice, by {first} and by {second}; an event has one of it")]
    Twice {
        /// The field.
        field: String,
        /// The first option with its value.
        first: String,
        /// The second.
        second: String,
    },
    /// A constant id.
    #[error("--set id gives every event the same id, and of events with one id a single one counts; leave it out")]
    ConstantId,
    /// A constant time that is none.
    #[error("--set timestamp cannot be used")]
    ConstantTime(#[source] RowError),
    /// A mapped column is not in the header.
    #[error("--map {field}={column} names no column of the file; it has {there}")]
    NoColumn {
        /// The field.
        field: String,
        /// The column.
        column: String,
        /// The columns of the file.
        there: String,
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
    /// Column by field.
    columns: BTreeMap<String, String>,
    /// The columns that are mapped somewhere.
    taken: BTreeSet<String>,
    constants: BTreeMap<String, String>,
    time: Option<Instant>,
    zone: TimeZone,
}

/// A time as it was understood.
#[derive(Debug, Clone, Copy)]
struct Instant {
    at: Timestamp,
    /// The number that it was written as.
    millis: Option<i64>,
}

impl Mapping {
    /// Reads `--map FIELD=COLUMN`, `--set FIELD=VALUE` and `--timezone`.
    ///
    /// # Errors
    /// [`MappingError`].
    pub fn new(map: &[String], set: &[String], zone: &str) -> Result<Self, MappingError> {
        let mut given = BTreeMap::new();
        let columns = pairs("--map", map, &mut given)?;
        let constants = pairs("--set", set, &mut given)?;
        if constants.contains_key("id") {
            return Err(MappingError::ConstantId);
        }
        let taken = columns.values().cloned().collect();
        let zone = TimeZone::get(zone).map_err(|_| MappingError::Zone { name: zone.to_owned() })?;
        let time = constants.get("timestamp").map(|text| instant(&Value::from(text.as_str()), &zone)).transpose();
        Ok(Self { columns, taken, constants, time: time.map_err(MappingError::ConstantTime)?, zone })
    }

    /// Holds the mapped columns against those of a file.
    ///
    /// # Errors
    /// [`MappingError::NoColumn`] for the first that is not there.
    pub fn check(&self, there: &[String]) -> Result<(), MappingError> {
        match self.columns.iter().find(|(_, column)| !there.contains(column)) {
            None => Ok(()),
            Some((field, column)) => Err(MappingError::NoColumn {
                field: field.clone(),
                column: column.clone(),
                there: if there.is_empty() { "none".to_owned() } else { there.join(", ") },
            }),
        }
    }

    /// The event of a row, as the JSON that the collector takes; `id` makes one of its time where the row has none.
    ///
    /// Columns go where they are mapped, else into the field of their name where nothing else fills it, else into metadata.
    ///
    /// # Errors
    /// [`RowError`] where the time cannot be understood; everything else the collector judges.
    pub fn event(
        &self,
        fields: Fields,
        shift: i64,
        id: impl FnOnce(Option<Timestamp>) -> Uuid,
    ) -> Result<Map<String, Value>, RowError> {
        let time = self.instant_of(&fields)?;
        let mut event = Map::new();
        let mut metadata = Map::new();
        let Fields { values, are_cells } = fields;
        let mut place = |field: &str, value: Value| match field.strip_prefix("metadata.") {
            Some(key) => {
                metadata.entry(key).or_insert_with(|| value_of(value, are_cells));
            }
            None => {
                event.entry(field).or_insert_with(|| text_of(value));
            }
        };
        for (field, column) in self.columns.iter().filter(|(field, _)| *field != "timestamp") {
            if let Some(value) = values.get(column) {
                place(field, value.clone());
            }
        }
        for (field, value) in self.constants.iter().filter(|(field, _)| *field != "timestamp") {
            match field.strip_prefix("metadata.") {
                // A constant is a text as it is written.
                Some(key) => _ = metadata.insert(key.to_owned(), Value::from(value.as_str())),
                None => _ = event.insert(field.clone(), Value::from(value.as_str())),
            }
        }
        for (column, value) in values.into_iter().filter(|(column, _)| !self.taken.contains(column)) {
            match (column.as_str(), value) {
                ("timestamp", _) if !self.fills("timestamp") => {}
                ("metadata", Value::Object(members)) => members.into_iter().for_each(|(key, value)| {
                    metadata.entry(key).or_insert(value);
                }),
                (own, value) if FIELDS[..6].contains(&own) && !self.fills(own) => {
                    event.entry(own).or_insert_with(|| text_of(value));
                }
                (_, value) => {
                    metadata.entry(column).or_insert_with(|| value_of(value, are_cells));
                }
            }
        }
        let moved = time.map(|time| time.at.saturating_add_micros(shift));
        event.entry("id").or_insert_with(|| json!(id(moved)));
        if let (Some(time), Some(moved)) = (time, moved) {
            // A number is sent as one: the collector knows seconds among the milliseconds.
            let number = time.millis.filter(|_| shift == 0);
            event.insert("timestamp".into(), number.map_or_else(|| json!(moved), Value::from));
        }
        if !metadata.is_empty() {
            event.insert("metadata".into(), Value::Object(metadata));
        }
        Ok(event)
    }

    /// The time of a row, `None` where it has none.
    ///
    /// # Errors
    /// [`RowError::Time`]; [`RowError::NoTime`] where the mapped column is missing or empty.
    pub fn time(&self, fields: &Fields) -> Result<Option<Timestamp>, RowError> {
        Ok(self.instant_of(fields)?.map(|time| time.at))
    }

    /// The fields and columns of `--map`.
    pub fn columns(&self) -> impl Iterator<Item = (&str, &str)> {
        self.columns.iter().map(|(field, column)| (field.as_str(), column.as_str()))
    }

    fn instant_of(&self, fields: &Fields) -> Result<Option<Instant>, RowError> {
        if let Some(time) = self.time {
            return Ok(Some(time));
        }
        let value = match self.columns.get("timestamp") {
            Some(column) => {
                let value = fields.values.get(column).filter(|value| !value.is_null());
                Some(value.ok_or_else(|| RowError::NoTime { column: column.clone() })?)
            }
            None => fields.values.get("timestamp"),
        };
        value.map(|value| instant(value, &self.zone)).transpose()
    }

    /// Whether an option says where the field comes from.
    fn fills(&self, field: &str) -> bool {
        self.columns.contains_key(field) || self.constants.contains_key(field)
    }
}

fn instant(value: &Value, zone: &TimeZone) -> Result<Instant, RowError> {
    let failed = || RowError::Time { text: value.as_str().map_or_else(|| value.to_string(), str::to_owned) };
    let number = || value.as_str().and_then(|text| text.trim().parse::<i64>().ok());
    if let Some(millis) = value.as_i64().or_else(number) {
        let at = Timestamp::from_millis(millis).ok_or_else(failed)?;
        return Ok(Instant { at, millis: Some(millis) });
    }
    let text = value.as_str().ok_or_else(failed)?.trim();
    let exactly = |at| Ok(Instant { at, millis: None });
    if let Some(at) = Timestamp::parse_rfc3339(text) {
        return exactly(at);
    }
    // `2026-11-02 10:00:00+01`, as databases write it; a civil time would be read over the offset.
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return exactly(Timestamp::from_jiff(at));
    }
    let naive: DateTime = text.parse().map_err(|_| failed())?;
    let zoned = naive.to_zoned(zone.clone()).map_err(|_| failed())?;
    exactly(Timestamp::from_jiff(zoned.timestamp()))
}

/// What goes into metadata: of a cell the value that it stands for.
fn value_of(value: Value, is_cell: bool) -> Value {
    match value {
        Value::String(text) if is_cell => typed(&text),
        other => other,
    }
}

/// Texts of an event's own fields are sent as texts, whatever they look like: a session `1234` is `"1234"`.
fn text_of(value: Value) -> Value {
    match value {
        Value::Number(number) => Value::from(number.to_string()),
        Value::Bool(truth) => Value::from(truth.to_string()),
        other => other,
    }
}

/// The pairs of an option; `given` holds the fields that options have named so far.
fn pairs(
    option: &'static str,
    texts: &[String],
    given: &mut BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, MappingError> {
    let mut pairs = BTreeMap::new();
    for text in texts {
        let (field, value) =
            text.split_once('=').ok_or_else(|| MappingError::NoEquals { option, text: text.clone() })?;
        let known = FIELDS[..6].contains(&field) || field.strip_prefix("metadata.").is_some_and(|key| !key.is_empty());
        if !known {
            return Err(MappingError::UnknownField { option, field: field.to_owned() });
        }
        let told = format!("{option} {text}");
        if let Some(first) = given.insert(field.to_owned(), told.clone()) {
            return Err(MappingError::Twice { field: field.to_owned(), first, second: told });
        }
        pairs.insert(field.to_owned(), value.to_owned());
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(map: &[&str], set: &[&str], zone: &str) -> Result<Mapping, MappingError> {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        Mapping::new(&owned(map), &owned(set), zone)
    }

    fn event(mapping: &Mapping, cells: &[(&str, &str)]) -> Value {
        let values = cells.iter().map(|(name, cell)| ((*name).to_owned(), Value::from(*cell))).collect();
        let fields = Fields { values, are_cells: true };
        Value::Object(mapping.event(fields, 0, |_| Uuid::nil()).unwrap())
    }

    #[test]
    fn cells_of_an_events_own_fields_stay_texts_and_those_of_metadata_are_typed() {
        let mapping = mapping(&["session_id=visit", "user_id=visit"], &["event_type=1.0"], "UTC").unwrap();
        let event = event(&mapping, &[("visit", "10.50"), ("event_action", "1.0"), ("price", "10.50"), ("zip", "007")]);
        assert_eq!(
            event,
            json!({
                "id": Uuid::nil(), "session_id": "10.50", "user_id": "10.50", "event_type": "1.0", "event_action": "1.0",
                "metadata": {"price": 10.5, "zip": "007"},
            })
        );
    }

    #[test]
    fn a_column_that_bears_the_name_of_a_filled_field_goes_into_metadata() {
        let mapping = mapping(&["event_action=event"], &["event_type=shop"], "UTC").unwrap();
        let event = event(&mapping, &[("event", "buy"), ("event_action", "old"), ("event_type", "x")]);
        assert_eq!((&event["event_action"], &event["event_type"]), (&json!("buy"), &json!("shop")));
        assert_eq!(event["metadata"], json!({"event_action": "old", "event_type": "x"}));
    }

    #[test]
    fn a_field_has_one_origin() {
        let twice = |map: &[&str], set: &[&str]| mapping(map, set, "UTC").unwrap_err().to_string();
        for told in [
            twice(&["event_action=a", "event_action=b"], &[]),
            twice(&["event_action=a"], &["event_action=b"]),
            twice(&[], &["event_action=a", "event_action=b"]),
        ] {
            assert!(told.contains("\"event_action\" is given twice"), "{told}");
        }
        assert!(matches!(mapping(&[], &["id=1"], "UTC"), Err(MappingError::ConstantId)));
        assert!(matches!(mapping(&[], &["timestamp=soon"], "UTC"), Err(MappingError::ConstantTime(_))));
    }

    #[test]
    fn times_are_read_as_they_are_written() {
        let mapping = mapping(&[], &[], "Europe/Berlin").unwrap();
        let at = |text: &str| {
            let values = Map::from_iter([("timestamp".to_owned(), Value::from(text))]);
            mapping.time(&Fields { values, are_cells: true }).map(|time| time.unwrap().to_string())
        };
        for text in [
            "2026-11-02T10:00:00Z",
            "2026-11-02T11:00:00",
            "2026-11-02 11:00:00",
            "2026-11-02 11:00",
            "2026-11-02 11:00:00+01",
            "2026-11-02T11:00:00+0100",
            "2026-11-02T05:00:00-05:00",
            "1793613600000",
            " 2026-11-02T10:00:00Z ",
        ] {
            assert_eq!(at(text).unwrap(), "2026-11-02T10:00:00.000000Z", "{text}");
        }
        assert_eq!(at("2026-11-02").unwrap(), "2026-11-01T23:00:00.000000Z");
        for text in ["soon", "02.11.2026", "11/02/2026", "2026-13-01", "2026-11-02 11:00:00 +0100x", "1793613600.5"] {
            assert!(at(text).is_err(), "{text}");
        }
    }
}
