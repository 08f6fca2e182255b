//! `analytics import`: events of a file, each exactly once however often the command is run.
//!
//! A row without an id of its own gets one made from the file's first row, its own number and its own content
//! ([`identity`]). So the same file again sends the same ids and adds nothing, packed or not; one that has grown at its end
//! adds what is new; and two identical rows of one file stay two events. A row that cannot be read is refused by its line
//! and the rows around it are sent; only a collector that is away or a file that cannot be read on stops an import.

pub mod identity;
pub mod lines;
pub mod mapping;
pub mod record;
pub mod row;
pub mod sender;
pub mod source;
pub mod summary;

use std::collections::BTreeSet;
use std::path::PathBuf;

use analytics_domain::timestamp::MICROS_PER_DAY;
use analytics_host::clock::{Clock, SystemClock};
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;
use thiserror::Error;

use self::identity::FileIdentity;
use self::lines::LONGEST;
use self::mapping::{Mapping, MappingError};
use self::row::{Row, RowError, Rows};
use self::sender::{Failed, Origin, SendError, Sender};
use self::source::{Source, SourceError};
use self::summary::{Imported, StopCause, Stopped};
use crate::http::Address;

/// Bytes of events in a request, at most: a collector takes a body of 1 MiB.
const REQUEST_BYTES: usize = 900_000;

/// Rows after which a mapped column that none of them has is mentioned.
const HINT_AFTER: u64 = 100;

/// What the file is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One JSON object a line.
    Ndjson,
    /// Comma-separated values with a header row.
    Csv,
}

/// Options of `analytics import`.
#[derive(Debug, Args)]
pub struct ImportOptions {
    /// The file to read, `-` for standard input; gzip is seen by itself
    pub file: PathBuf,
    /// What the file is made of; by default told by its name (.csv, .ndjson, .jsonl, with or without .gz)
    #[arg(long)]
    pub format: Option<Format>,
    /// Takes an event's field from a column: --map event_action=event (may be given again)
    #[arg(long = "map", value_name = "FIELD=COLUMN")]
    pub map: Vec<String>,
    /// Gives every event a constant: --set event_type=shop (may be given again)
    #[arg(long = "set", value_name = "FIELD=VALUE")]
    pub set: Vec<String>,
    /// The zone of times that name none, as an IANA name
    #[arg(long, default_value = "UTC", value_name = "ZONE")]
    pub timezone: String,
    /// Moves all times by whole days so that the newest event lies within the last day; for trying out old logs. Each
    /// number of days is an import of its own: its events count beside those of another
    #[arg(long)]
    pub shift_to_now: bool,
    /// Skips the rows before this one, whatever is wrong with them, counted from 0; an import that had to stop prints it
    #[arg(long, default_value_t = 0, value_name = "ROW")]
    pub from_row: u64,
    /// Events a request, at most
    #[arg(long, default_value_t = 500, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub batch: u16,
    /// The write key to send with, where the collector wants one
    #[arg(long, env = "ANALYTICS_WRITE_KEY", hide_env_values = true, value_name = "KEY")]
    pub key: Option<String>,
}

/// Why an import did not begin.
#[derive(Debug, Error)]
pub enum ImportError {
    /// The file cannot be read.
    #[error("the file cannot be imported")]
    Source(#[from] SourceError),
    /// `--map`, `--set` or `--timezone` is wrong.
    #[error("the mapping cannot be used")]
    Mapping(#[from] MappingError),
    /// The collector cannot be spoken to.
    #[error("the collector cannot be spoken to")]
    Send(#[from] SendError),
}

/// Reads the file and posts its events to the collector at `address`; `hint` is told what the person should hear at once.
///
/// # Errors
/// [`ImportError`] before anything is sent; what stops it later is part of [`Imported`].
pub async fn import(options: &ImportOptions, address: &Address, hint: impl Fn(&str)) -> Result<Imported, ImportError> {
    let mapping = Mapping::new(&options.map, &options.set, &options.timezone)?;
    let mut source = Source::open(&options.file, options.shift_to_now)?;
    let format = match options.format {
        Some(format) => format,
        None => source.guess_format()?,
    };
    let shift_days = if options.shift_to_now { shift_days(&mut source, format, &mapping)? } else { 0 };
    let progress = progress_bar(source.length);
    let mut rows = open_rows(&mut source, format, &mapping, &progress)?;
    let mut lacking = rows.header().is_none().then(|| Lacking::new(&mapping));
    let mut file = None;
    let mut courier = Courier::new(Sender::new(address, options.key.as_deref())?, usize::from(options.batch));
    // The place after the last row that was read.
    let mut next = Origin { row: options.from_row, line: 0 };
    let stop = loop {
        let row = match rows.next_row() {
            Ok(Some(row)) => row,
            Ok(None) => break None,
            Err(source) => {
                break Some(Stopped { from_row: next.row, cause: StopCause::Read { line: next.line, source } });
            }
        };
        let file = file.get_or_insert_with(|| FileIdentity::new(&row.digest, shift_days));
        let origin = Origin { row: row.number, line: row.line };
        next = Origin { row: options.from_row.max(row.number + 1), line: row.line };
        if row.number < options.from_row {
            continue;
        }
        courier.imported.rows += 1;
        if let Some(told) = lacking.as_mut().and_then(|lacking| lacking.see(&row, courier.imported.rows)) {
            progress.suspend(|| hint(&told));
        }
        match event(row, &mapping, file, shift_days) {
            Ok((event, is_made)) => {
                courier.imported.has_made_ids |= is_made;
                if let Some(failed) = courier.take(origin, event).await {
                    break Some(failed.into());
                }
            }
            Err(error) => courier.imported.refuse(origin, error.to_string()),
        }
    };
    if let Some(told) = lacking.and_then(|lacking| lacking.end(courier.imported.rows)) {
        progress.suspend(|| hint(&told));
    }
    let imported = courier.finish(stop).await;
    progress.finish_and_clear();
    Ok(imported)
}

/// The event of a row as JSON, and whether its id was made here.
fn event(row: Row, mapping: &Mapping, file: &FileIdentity, shift_days: i64) -> Result<(String, bool), RowError> {
    let mut is_made = false;
    let event = mapping.event(row.fields?, shift_days.saturating_mul(MICROS_PER_DAY), |time| {
        is_made = true;
        file.row_id(time.unwrap_or_default(), row.number, &row.digest)
    })?;
    let event = Value::Object(event).to_string();
    if event.len() > LONGEST { Err(RowError::TooLong) } else { Ok((event, is_made)) }
}

/// Fills batches and hands them to the sender.
struct Courier {
    sender: Sender,
    most: usize,
    batch: Vec<(Origin, String)>,
    bytes: usize,
    imported: Imported,
}

impl Courier {
    fn new(sender: Sender, most: usize) -> Self {
        Self { sender, most, batch: Vec::with_capacity(most), bytes: 0, imported: Imported::default() }
    }

    /// Takes an event; returns what failed of those before.
    async fn take(&mut self, origin: Origin, event: String) -> Option<Failed> {
        let is_full = self.batch.len() >= self.most || self.bytes + event.len() > REQUEST_BYTES;
        let failed = if is_full { self.send().await } else { None };
        self.bytes += event.len() + 1;
        self.batch.push((origin, event));
        failed
    }

    async fn send(&mut self) -> Option<Failed> {
        self.bytes = 0;
        let (sent, failed) = self.sender.send(std::mem::take(&mut self.batch)).await;
        self.imported.add(sent);
        failed
    }

    /// Sends what is left, unless the collector has failed already, and waits for everything under way.
    async fn finish(mut self, stop: Option<Stopped>) -> Imported {
        let collector_failed = matches!(&stop, Some(Stopped { cause: StopCause::Send(_), .. }));
        let failed = if collector_failed { None } else { self.send().await };
        let (sent, later) = self.sender.finish().await;
        self.imported.add(sent);
        // Batches fail in the order of their rows: what failed first is safe to begin with again.
        self.imported.stopped = match (stop, failed.or(later)) {
            (Some(stop), _) if collector_failed => Some(stop),
            (_, Some(failed)) => Some(failed.into()),
            (stop, None) => stop,
        };
        self.imported
    }
}

impl From<Failed> for Stopped {
    fn from(failed: Failed) -> Self {
        Self { from_row: failed.first.row, cause: StopCause::Send(failed.error) }
    }
}

/// The mapped columns that no row of NDJSON has had so far.
struct Lacking {
    columns: Vec<(String, String)>,
    there: BTreeSet<String>,
}

impl Lacking {
    fn new(mapping: &Mapping) -> Self {
        let owned = |(field, column): (&str, &str)| (field.to_owned(), column.to_owned());
        Self { columns: mapping.columns().map(owned).collect(), there: BTreeSet::new() }
    }

    /// Looks at a row, the `count`th; returns what to say once enough have been seen.
    fn see(&mut self, row: &Row, count: u64) -> Option<String> {
        if count > HINT_AFTER || self.columns.is_empty() {
            return None;
        }
        if let Ok(fields) = &row.fields {
            self.columns.retain(|(_, column)| !fields.values.contains_key(column));
            self.there.extend(fields.values.keys().cloned());
        }
        (count == HINT_AFTER).then(|| self.told(count))?
    }

    /// What to say at the end of a file of `count` rows that was too short for it before.
    fn end(&self, count: u64) -> Option<String> {
        (0 < count && count < HINT_AFTER).then(|| self.told(count))?
    }

    fn told(&self, count: u64) -> Option<String> {
        let (field, column) = self.columns.first()?;
        let there: Vec<&str> = self.there.iter().map(String::as_str).collect();
        Some(format!(
            "note: --map {field}={column}: none of the first {count} rows has {column:?}; they have {}",
            there.join(", ")
        ))
    }
}

/// The rows of the file, whose header holds what is mapped.
fn open_rows(
    source: &mut Source,
    format: Format,
    mapping: &Mapping,
    progress: &ProgressBar,
) -> Result<Rows, ImportError> {
    let rows = Rows::open(source, format, progress)?;
    if let Some(header) = rows.header() {
        mapping.check(header)?;
    }
    Ok(rows)
}

/// By how many days times move for the newest to lie within the last day; rows that cannot be read have none.
fn shift_days(source: &mut Source, format: Format, mapping: &Mapping) -> Result<i64, ImportError> {
    let path = source.name.clone();
    let mut rows = open_rows(source, format, mapping, &ProgressBar::hidden())?;
    let mut newest = None;
    while let Some(row) = rows.next_row().map_err(|source| SourceError::Read { path: path.clone(), source })? {
        newest = newest.max(row.fields.and_then(|fields| mapping.time(&fields)).unwrap_or_default());
    }
    let now = SystemClock.now();
    Ok(newest.map_or(0, |newest| now.micros_since(newest).div_euclid(MICROS_PER_DAY)))
}

fn progress_bar(length: Option<u64>) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr());
    let template = match length {
        Some(_) => "{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta} left {msg}",
        None => "{bytes} {bytes_per_sec} {msg}",
    };
    ProgressStyle::with_template(template).map(|style| bar.clone().with_style(style)).unwrap_or(bar)
}
