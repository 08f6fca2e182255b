//! `analytics import`: events of a file, each exactly once however often the command is run.
//!
//! The file is read twice: once for its digest, once for its rows. A row without an id of its own gets one made from
//! the digest and its row number ([`identity`]), so that a second run of the same file sends the same ids and adds
//! nothing, while two identical rows of one file stay two events.

pub mod identity;
pub mod mapping;
pub mod row;
pub mod sender;
pub mod source;

use std::path::PathBuf;

use analytics_host::clock::{Clock, SystemClock};
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use thiserror::Error;

use self::mapping::{Mapping, MappingError};
use self::row::{RowError, Rows};
use self::sender::{SendError, Sender, Sent};
use self::source::{Source, SourceError};

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
    /// Moves all times by whole days so that the newest event lies within the last day; for trying out old logs
    #[arg(long)]
    pub shift_to_now: bool,
    /// Skips the rows before this one, counted from 0; an interrupted import prints where it stood
    #[arg(long, default_value_t = 0, value_name = "ROW")]
    pub from_row: u64,
    /// Events a request
    #[arg(long, default_value_t = 500, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub batch: u16,
    /// The write key to send with, where the collector wants one
    #[arg(long, env = "ANALYTICS_WRITE_KEY", hide_env_values = true, value_name = "KEY")]
    pub key: Option<String>,
}

/// Why an import ended early.
#[derive(Debug, Error)]
pub enum ImportError {
    /// The file cannot be read.
    #[error("the file cannot be imported")]
    Source(#[from] SourceError),
    /// `--map`, `--set` or `--timezone` is wrong.
    #[error("the mapping cannot be used")]
    Mapping(#[from] MappingError),
    /// A row cannot be read at all.
    #[error(
        "the import stopped at row {row}; mend the file, then run the same command again (rows already sent count once)"
    )]
    Row {
        /// The row, counted from 0.
        row: u64,
        /// What is wrong with it.
        #[source]
        source: RowError,
    },
    /// The collector cannot be reached or refuses the whole request.
    #[error("the import stopped; continue with the same command and --from-row {from_row}")]
    Send {
        /// The first row that is not known to be accepted.
        from_row: u64,
        /// What the collector said.
        #[source]
        source: SendError,
    },
}

/// What an import did.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Imported {
    /// Rows read, skipped ones not counted.
    pub rows: u64,
    /// Events that the collector accepted; those sent before count as duplicates once they reach the store.
    pub accepted: u64,
    /// Events that it refused, with the first few reasons.
    pub rejected: u64,
    /// `row 17: timestamp_out_of_range: ...`, at most ten.
    pub reasons: Vec<String>,
}

/// Reads the file and posts its events to the collector at `base_url`.
///
/// # Errors
/// [`ImportError`]; what was accepted before stays accepted, and a second run counts it once.
pub async fn import(options: &ImportOptions, base_url: &str) -> Result<Imported, ImportError> {
    let source = Source::open(&options.file)?;
    let format = match options.format {
        Some(format) => format,
        None => source.guess_format()?,
    };
    let mapping = Mapping::new(&options.map, &options.set, &options.timezone)?;
    let shift = if options.shift_to_now { shift_micros(&source, format, &mapping)? } else { 0 };
    let progress = progress_bar(source.length);
    let rows = Rows::open(&source, format, &progress)?;
    let mut sender = Sender::new(base_url, options.key.as_deref());
    let mut imported = Imported::default();
    let mut batch = Vec::with_capacity(usize::from(options.batch));
    for row in rows {
        let (number, fields) = row.map_err(|(row, source)| ImportError::Row { row, source })?;
        if number < options.from_row {
            continue;
        }
        let event = mapping
            .event(fields, &source.digest, number, shift)
            .map_err(|source| ImportError::Row { row: number, source })?;
        imported.rows += 1;
        batch.push((number, event));
        if batch.len() == usize::from(options.batch) {
            take(&mut imported, sender.send(std::mem::take(&mut batch)).await)?;
        }
    }
    take(&mut imported, sender.send(batch).await)?;
    take(&mut imported, sender.finish().await)?;
    progress.finish_and_clear();
    Ok(imported)
}

fn take(imported: &mut Imported, sent: Result<Sent, (u64, SendError)>) -> Result<(), ImportError> {
    let sent = sent.map_err(|(from_row, source)| ImportError::Send { from_row, source })?;
    imported.accepted += sent.accepted;
    imported.rejected += sent.rejected;
    let room = 10_usize.saturating_sub(imported.reasons.len());
    imported.reasons.extend(sent.reasons.into_iter().take(room));
    Ok(())
}

/// By how many microseconds, in whole days, times move for the newest to lie within the last day.
fn shift_micros(source: &Source, format: Format, mapping: &Mapping) -> Result<i64, ImportError> {
    let hidden = ProgressBar::hidden();
    let mut newest = None;
    for row in Rows::open(source, format, &hidden)? {
        let (number, fields) = row.map_err(|(row, source)| ImportError::Row { row, source })?;
        let time = mapping.time(&fields).map_err(|source| ImportError::Row { row: number, source })?;
        newest = newest.max(time);
    }
    let now = SystemClock.now().as_micros();
    let day = analytics_domain::timestamp::MICROS_PER_DAY;
    Ok(newest.map_or(0, |newest| (now - newest.as_micros()).div_euclid(day) * day))
}

fn progress_bar(length: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta} left {msg}");
    style.map(|style| bar.clone().with_style(style)).unwrap_or(bar)
}
