//! Reads exported events back, each as `GET /api/events` shows it.

use analytics_domain::Timestamp;
use parquet::basic::{LogicalType, TimeUnit};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use serde_json::{Map, Value, json};

/// The events of a file of JSON lines.
///
/// # Panics
/// Where it is none.
#[must_use]
pub fn from_ndjson(bytes: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(bytes).unwrap_or_else(|error| panic!("{error}"));
    assert!(text.is_empty() || text.ends_with('\n'), "the last line ends like all others");
    let line = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    text.split_terminator('\n').map(line).collect()
}

/// The events of a table after RFC 4180, one leading `'` taken off each field.
///
/// # Panics
/// Where it is none, or a field is one that a spreadsheet takes for a formula.
#[must_use]
pub fn from_csv(bytes: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(bytes).unwrap_or_else(|error| panic!("{error}"));
    let mut records = records(text).into_iter();
    let names = records.next().unwrap_or_else(|| panic!("there is no line of names"));
    let event = |record: Vec<String>| {
        assert_eq!(record.len(), names.len(), "{record:?}");
        let fields = names.iter().zip(record).map(|(name, field)| {
            assert!(!field.starts_with(['=', '+', '-', '@', '\t', '\r']), "a formula: {field:?}");
            let field = field.strip_prefix('\'').unwrap_or(&field).to_owned();
            let value = match name.as_str() {
                "metadata" => serde_json::from_str(&field).unwrap_or_else(|error| panic!("{error}: {field}")),
                "user_id" if field.is_empty() => Value::Null,
                _ => Value::String(field),
            };
            (name.clone(), value)
        });
        Value::Object(fields.collect())
    };
    records.map(event).collect()
}

fn records(text: &str) -> Vec<Vec<String>> {
    let (mut records, mut record, mut field, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.next_if_eq(&'"').is_some() => field.push('"'),
            '"' => quoted = !quoted,
            ',' if !quoted => record.push(std::mem::take(&mut field)),
            '\r' if !quoted => {
                assert_eq!(chars.next(), Some('\n'), "a line ends with both");
                record.push(std::mem::take(&mut field));
                records.push(std::mem::take(&mut record));
            }
            _ => field.push(c),
        }
    }
    assert!(record.is_empty() && field.is_empty() && !quoted, "the last line has an end");
    records
}

/// The events of a Parquet file.
///
/// # Panics
/// Where it is none, or a column is of another type than it should be.
#[must_use]
pub fn from_parquet(bytes: &[u8]) -> Vec<Value> {
    let file = SerializedFileReader::new(bytes::Bytes::copy_from_slice(bytes));
    let file = file.unwrap_or_else(|error| panic!("{error}"));
    let columns = file.metadata().file_metadata().schema_descr();
    for index in 0..columns.num_columns() {
        let column = columns.column(index);
        let is_instant = ["timestamp", "created_at"].contains(&column.name());
        let kind = if is_instant { LogicalType::timestamp(true, TimeUnit::MICROS) } else { LogicalType::String };
        assert_eq!(column.logical_type_ref(), Some(&kind), "{}", column.name());
    }
    let rows = file.get_row_iter(None).unwrap_or_else(|error| panic!("{error}"));
    rows.map(|row| {
        let row = row.unwrap_or_else(|error| panic!("{error}"));
        let fields = row.get_column_iter().map(|(name, field)| {
            let value = match field {
                Field::Null => Value::Null,
                Field::Str(text) if name == "metadata" => {
                    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
                }
                Field::Str(text) => json!(text),
                Field::TimestampMicros(micros) => json!(Timestamp::from_micros(*micros).to_string()),
                other => panic!("{name} holds {other:?}"),
            };
            (name.clone(), value)
        });
        Value::Object(fields.collect::<Map<_, _>>())
    })
    .collect()
}
