//! The rows of a file, as fields by name.

use std::io::{self, BufReader};

use indicatif::ProgressBar;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::Format;
use super::lines::{LONGEST, Line, Lines};
use super::record::{Record, next_record};
use super::source::{Source, SourceError};

/// Integers beyond it are not all doubles: 2^53.
const LARGEST_INTEGER: u64 = 1 << 53;

/// What is wrong with a row.
#[derive(Debug, Error)]
pub enum RowError {
    /// The line is no JSON.
    #[error("the line is no JSON object: {what} at column {column}")]
    Json {
        /// What the parser says, without a place.
        what: String,
        /// Counted from 1, in bytes.
        column: usize,
    },
    /// The line is JSON but no object.
    #[error("the line is JSON but no object; an event is written as {{...}}")]
    NotAnObject,
    /// The line holds bytes that are no text.
    #[error("the line is not UTF-8")]
    NotUtf8,
    /// A cell holds bytes that are no text.
    #[error("cell {place} is not UTF-8")]
    CellNotUtf8 {
        /// Counted from 1.
        place: usize,
    },
    /// The row is longer than an event can be.
    #[error("the row is longer than {LONGEST} bytes")]
    TooLong,
    /// A quote is opened and not closed.
    #[error("a quote is opened and not closed; within quotes a quote is written twice")]
    OpenQuote,
    /// The record has another number of cells than the header.
    #[error("it has {found} {}, the header has {expected}", if *.found == 1 { "cell" } else { "cells" })]
    Cells {
        /// In the record.
        found: usize,
        /// In the header.
        expected: usize,
    },
    /// The time cannot be understood.
    #[error(
        "the time {text:?} cannot be understood; write 2026-11-02T10:00:00Z, 2026-11-02 10:00:00 (in --timezone) or Unix milliseconds"
    )]
    Time {
        /// The cell.
        text: String,
    },
    /// There is no time where the mapping takes it from.
    #[error("it has no time in the column {column:?}")]
    NoTime {
        /// The column.
        column: String,
    },
}

/// A row of the file, read or not.
#[derive(Debug)]
pub struct Row {
    /// Counted from 0, without the header and blank lines.
    pub number: u64,
    /// The line that it begins on, counted from 1.
    pub line: u64,
    /// SHA-256 of what was read: column names and texts, or the object as canonical JSON.
    pub digest: [u8; 32],
    /// Its fields, or what is wrong with it.
    pub fields: Result<Fields, RowError>,
}

/// The fields of a row by name.
#[derive(Debug, Default)]
pub struct Fields {
    /// Of CSV the texts of the cells that are not empty, of NDJSON the object's members.
    pub values: Map<String, Value>,
    /// Whether the texts are cells, whose types only show in how they are written.
    pub are_cells: bool,
}

/// Walks the rows of a file.
pub struct Rows {
    number: u64,
    lines: Lines,
    /// The columns of CSV.
    header: Option<Vec<String>>,
}

impl Rows {
    /// Starts at the first row and tells `progress` how far the file is read.
    ///
    /// # Errors
    /// [`SourceError`] where the file or its header row cannot be read.
    pub fn open(source: &mut Source, format: Format, progress: &ProgressBar) -> Result<Self, SourceError> {
        let bar = progress.clone();
        let reader = source.reader(move |bytes| bar.inc(bytes))?;
        let mut lines = Lines::new(Box::new(BufReader::with_capacity(1 << 16, reader)));
        let header = match format {
            Format::Ndjson => None,
            Format::Csv => Some(read_header(&mut lines, &source.name)?),
        };
        Ok(Self { number: 0, lines, header })
    }

    /// The columns that the header names; `None` where there is no header.
    pub fn header(&self) -> Option<&[String]> {
        self.header.as_deref()
    }

    /// The next row, `None` at the end of the file.
    ///
    /// # Errors
    /// Where the file cannot be read on.
    pub fn next_row(&mut self) -> io::Result<Option<Row>> {
        let read = match &self.header {
            None => self.lines.next_filled()?.map(object),
            Some(header) => next_record(&mut self.lines)?.map(|record| cells(header, record)),
        };
        let number = self.number;
        self.number += 1;
        Ok(read.map(|(line, digest, fields)| Row { number, line, digest, fields }))
    }
}

type Read = (u64, [u8; 32], Result<Fields, RowError>);

fn read_header(lines: &mut Lines, path: &str) -> Result<Vec<String>, SourceError> {
    let failed = |reason: String| SourceError::Header { path: path.to_owned(), reason };
    let record = next_record(lines).map_err(|source| SourceError::Read { path: path.to_owned(), source })?;
    let Some(record) = record else { return Ok(Vec::new()) };
    let header = record.fields.map_err(|(error, _)| failed(error.to_string()))?;
    let twice = header.iter().enumerate().find(|(index, name)| header[..*index].contains(name));
    match twice {
        Some((_, name)) => {
            Err(failed(format!("it names the column {name:?} twice; give each column a name of its own")))
        }
        None => Ok(header),
    }
}

/// The object of a line.
fn object(line: Line) -> Read {
    let fields = parse_object(&line);
    let digest = match &fields {
        // A map of serde_json is sorted by key, so equal objects are written alike.
        Ok(values) => Sha256::digest(serde_json::to_vec(values).unwrap_or_default()),
        Err(_) => Sha256::digest(line.bytes.trim_ascii()),
    };
    (line.number, digest.into(), fields.map(|values| Fields { values, are_cells: false }))
}

fn parse_object(line: &Line) -> Result<Map<String, Value>, RowError> {
    if line.is_too_long {
        return Err(RowError::TooLong);
    }
    let text = str::from_utf8(&line.bytes).map_err(|_| RowError::NotUtf8)?;
    match serde_json::from_str(text) {
        Ok(Value::Object(values)) => Ok(values),
        Ok(_) => Err(RowError::NotAnObject),
        Err(error) => {
            let told = error.to_string();
            // The parser counts lines of what it is given, which is one.
            let what = told.split(" at line ").next().unwrap_or_default().to_owned();
            Err(RowError::Json { what, column: error.column() })
        }
    }
}

/// A record as fields: an empty cell is absent.
fn cells(header: &[String], record: Record) -> Read {
    let mut hash = Sha256::new();
    let fields = match record.fields {
        Ok(cells) => {
            let names = header.iter().map(Some).chain(std::iter::repeat(None));
            for (name, cell) in names.zip(&cells) {
                for text in [name.map_or("", String::as_str), cell] {
                    hash.update((text.len() as u64).to_be_bytes());
                    hash.update(text);
                }
            }
            if cells.len() == header.len() {
                let filled = header.iter().zip(cells).filter(|(_, cell)| !cell.is_empty());
                let values = filled.map(|(name, cell)| (name.clone(), Value::from(cell))).collect();
                Ok(Fields { values, are_cells: true })
            } else {
                Err(RowError::Cells { found: cells.len(), expected: header.len() })
            }
        }
        Err((error, bytes)) => {
            hash.update(bytes.trim_ascii());
            Err(error)
        }
    };
    (record.line, hash.finalize().into(), fields)
}

/// The value that a cell stands for: `true`, `false` and plain decimals (`10.50`, `-3`) are values; `007`, `+4`, `1e3` and
/// integers beyond 2^53, which would lose digits, stay texts.
pub fn typed(cell: &str) -> Value {
    match cell {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ => plain_decimal(cell).unwrap_or_else(|| Value::from(cell)),
    }
}

fn plain_decimal(cell: &str) -> Option<Value> {
    let magnitude = cell.strip_prefix('-').unwrap_or(cell);
    let (whole, fraction) = match magnitude.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (magnitude, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_plain = digits(whole) && fraction.is_none_or(digits) && (whole == "0" || !whole.starts_with('0'));
    if !is_plain || whole.parse::<u64>().ok()? > LARGEST_INTEGER {
        return None;
    }
    let number: f64 = cell.parse().ok().filter(|number: &f64| number.is_finite())?;
    // Written as an integer where it is one, so that `20.00` and `20` are one value.
    Some(if number.fract() == 0.0 { Value::from(number as i64) } else { Value::from(number) })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn plain_decimals_are_numbers_and_everything_else_stays_as_it_is() {
        for (cell, value) in [
            ("10.50", json!(10.5)),
            ("10.55", json!(10.55)),
            ("20.00", json!(20)),
            ("1.0", json!(1)),
            ("0.10", json!(0.1)),
            ("-3", json!(-3)),
            ("-0.0", json!(0)),
            ("0", json!(0)),
            ("9007199254740992", json!(9_007_199_254_740_992_i64)),
            ("true", json!(true)),
        ] {
            assert_eq!(typed(cell), value, "{cell}");
        }
        let texts = ["007", "00.5", "+4", "1e3", "1.", ".5", "-", "1.2.3", "NaN", "inf", "0x1", " 1", "1,5", "TRUE"];
        for text in texts.into_iter().chain(["9007199254740993", "12345678901234567890123", "9007199254740993.5"]) {
            assert_eq!(typed(text), json!(text), "{text}");
        }
    }

    #[test]
    fn a_line_that_is_no_object_says_why_in_its_own_words() {
        let line = |text: &str| Line { number: 7, bytes: text.as_bytes().to_vec(), is_too_long: false };
        let told = |text: &str| parse_object(&line(text)).unwrap_err().to_string();
        assert_eq!(told("{\"a\":}"), "the line is no JSON object: expected value at column 6");
        assert!(told("[1]").contains("no object"));
        assert!(!told("{\"a\":1").contains("line 1"), "{}", told("{\"a\":1"));
    }
}
