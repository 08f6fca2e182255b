//! The rows of a file, as fields by name.

use std::io::{BufRead, BufReader, Read};

use indicatif::ProgressBar;
use serde_json::{Map, Value};
use thiserror::Error;

use super::Format;
use super::source::{Source, SourceError};

/// Longest line of NDJSON, in bytes: far beyond what one event may hold.
const LONGEST_LINE: u64 = 1024 * 1024;

/// What is wrong with a row.
#[derive(Debug, Error)]
pub enum RowError {
    /// The line is no JSON.
    #[error("the line is no JSON object")]
    Json(#[source] serde_json::Error),
    /// The line is JSON but no object.
    #[error("the line is JSON but no object; an event is written as {{...}}")]
    NotAnObject,
    /// The line is longer than an event can be.
    #[error("the line is longer than {LONGEST_LINE} bytes")]
    TooLong,
    /// The CSV record cannot be read.
    #[error("the record cannot be read")]
    Csv(#[source] csv::Error),
    /// Reading the file failed.
    #[error("the file cannot be read on")]
    Read(#[source] std::io::Error),
    /// The time cannot be understood.
    #[error(
        "the time {text:?} cannot be understood; write 2026-11-02T10:00:00Z, 2026-11-02 10:00:00 (in --timezone) or Unix milliseconds"
    )]
    Time {
        /// The cell.
        text: String,
    },
    /// A column that the mapping names is not there.
    #[error("there is no column {column:?}; the row has {there}")]
    NoColumn {
        /// The column.
        column: String,
        /// The columns of the row.
        there: String,
    },
}

/// A row's number, counted from 0, and its fields; or its number and what is wrong.
pub type Row = Result<(u64, Map<String, Value>), (u64, RowError)>;

/// Walks the rows of a file.
pub struct Rows {
    number: u64,
    kind: Kind,
}

enum Kind {
    Ndjson(BufReader<Box<dyn Read>>),
    Csv { header: csv::StringRecord, records: csv::StringRecordsIntoIter<Box<dyn Read>> },
}

impl Rows {
    /// Starts at the first row and tells `progress` how far the file is read.
    ///
    /// # Errors
    /// [`SourceError`] where the file or its header row cannot be read.
    pub fn open(source: &Source, format: Format, progress: &ProgressBar) -> Result<Self, SourceError> {
        let bar = progress.clone();
        let reader = source.reader(move |bytes| bar.inc(bytes))?;
        let kind = match format {
            Format::Ndjson => Kind::Ndjson(BufReader::new(reader)),
            Format::Csv => {
                let mut csv = csv::ReaderBuilder::new().flexible(false).from_reader(reader);
                let header = csv.headers().cloned();
                let header = header
                    .map_err(|source_error| SourceError::Header { path: source.name.clone(), source: source_error })?;
                Kind::Csv { header, records: csv.into_records() }
            }
        };
        Ok(Self { number: 0, kind })
    }
}

impl Iterator for Rows {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        let fields = match &mut self.kind {
            Kind::Ndjson(lines) => next_object(lines)?,
            Kind::Csv { header, records } => {
                records.next()?.map_err(RowError::Csv).map(|record| cells(header, &record))
            }
        };
        let number = self.number;
        self.number += 1;
        Some(fields.map(|fields| (number, fields)).map_err(|error| (number, error)))
    }
}

/// The next line that is not empty, as an object.
fn next_object(lines: &mut BufReader<Box<dyn Read>>) -> Option<Result<Map<String, Value>, RowError>> {
    loop {
        let mut line = Vec::new();
        match lines.by_ref().take(LONGEST_LINE + 1).read_until(b'\n', &mut line) {
            Ok(0) => return None,
            Ok(read) if read as u64 > LONGEST_LINE => return Some(Err(RowError::TooLong)),
            Ok(_) if line.trim_ascii().is_empty() => continue,
            Ok(_) => {}
            Err(error) => return Some(Err(RowError::Read(error))),
        }
        return Some(match serde_json::from_slice(&line) {
            Ok(Value::Object(fields)) => Ok(fields),
            Ok(_) => Err(RowError::NotAnObject),
            Err(error) => Err(RowError::Json(error)),
        });
    }
}

/// A record as fields: an empty cell is absent; what reads as a number or a boolean and prints the same again becomes one.
fn cells(header: &csv::StringRecord, record: &csv::StringRecord) -> Map<String, Value> {
    let filled = header.iter().zip(record.iter()).filter(|(_, cell)| !cell.is_empty());
    filled.map(|(name, cell)| (name.to_owned(), typed(cell))).collect()
}

/// `10.5` and `true` are values, `007` and `1e3` stay texts: a cell is typed only where its text survives.
fn typed(cell: &str) -> Value {
    match cell {
        "true" => return Value::Bool(true),
        "false" => return Value::Bool(false),
        _ => {}
    }
    let number = cell.parse::<f64>().ok().filter(|number| number.is_finite() && format!("{number}") == cell);
    match number {
        Some(number) if number.fract() == 0.0 && number.abs() < 9.0e15 => Value::from(number as i64),
        Some(number) => Value::from(number),
        None => Value::from(cell),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::typed;

    #[test]
    fn types_only_what_survives() {
        assert_eq!(typed("10.5"), json!(10.5));
        assert_eq!(typed("-3"), json!(-3));
        assert_eq!(typed("true"), json!(true));
        for text in ["007", "1e3", "+1", "NaN", "inf", "1.0", "", "0x1", "12345678901234567890123"] {
            assert_eq!(typed(text), json!(text), "{text}");
        }
    }
}
