//! What an import came to, and how it is told.

use std::collections::BTreeMap;
use std::io;

use thiserror::Error;

use super::sender::{Origin, SendError, Sent};

/// Reasons that are told.
const REASONS: usize = 10;

/// What an import did.
#[derive(Debug, Default)]
pub struct Imported {
    /// Rows read, skipped ones not counted.
    pub rows: u64,
    /// Events that the collector accepted; those sent before count as duplicates once they reach the store.
    pub accepted: u64,
    /// Rows that could not be read and events that the collector refused.
    pub refused: u64,
    /// Why, by line: the first ten.
    pub reasons: BTreeMap<u64, String>,
    /// Whether events were refused for their time.
    pub out_of_range: bool,
    /// Whether the file's first row was refused.
    pub first_row_refused: bool,
    /// Whether ids were made of rows.
    pub has_made_ids: bool,
    /// What stopped it before the end of the file.
    pub stopped: Option<Stopped>,
}

/// Why an import ended before its file.
#[derive(Debug, Error)]
#[error("the import stopped; continue with the same command and --from-row {from_row}")]
pub struct Stopped {
    /// The first row that is not known to be accepted or refused.
    pub from_row: u64,
    /// What stopped it.
    #[source]
    pub cause: StopCause,
}

/// What stops an import.
#[derive(Debug, Error)]
pub enum StopCause {
    /// The collector cannot be reached or refuses whole requests.
    #[error(transparent)]
    Send(#[from] SendError),
    /// Reading the file failed.
    #[error("the file cannot be read on after line {line}")]
    Read {
        /// The last line that was read.
        line: u64,
        /// The system's error, or that of the unpacking.
        #[source]
        source: io::Error,
    },
}

impl Imported {
    /// Counts a row as refused.
    pub fn refuse(&mut self, origin: Origin, why: String) {
        self.refused += 1;
        self.keep(origin, why);
    }

    /// Adds what became of events.
    pub fn add(&mut self, sent: Sent) {
        self.accepted += sent.accepted;
        self.refused += sent.rejected;
        self.out_of_range |= sent.out_of_range;
        sent.reasons.into_iter().for_each(|(origin, why)| self.keep(origin, why));
    }

    fn keep(&mut self, origin: Origin, why: String) {
        self.first_row_refused |= origin.row == 0;
        self.reasons.insert(origin.line, why);
        if self.reasons.len() > REASONS {
            self.reasons.pop_last();
        }
    }

    /// The lines that tell a person; `is_shifted` where `--shift-to-now` was given.
    #[must_use]
    pub fn lines(&self, is_shifted: bool) -> Vec<String> {
        let mut lines =
            vec![format!("{} rows read, {} events accepted, {} refused", self.rows, self.accepted, self.refused)];
        lines.extend(self.reasons.iter().map(|(line, why)| format!("  line {line}: {why}")));
        match self.refused.saturating_sub(self.reasons.len() as u64) {
            0 => {}
            more => lines.push(format!("  and {more} more")),
        }
        if self.out_of_range {
            let shift = if is_shifted { "" } else { ", or try them out with --shift-to-now" };
            lines.push(format!(
                "  events older than the server's RETENTION_DAYS are refused: RETENTION_DAYS=0 keeps all since 2000{shift}"
            ));
        }
        if self.first_row_refused && self.has_made_ids && self.accepted > 0 {
            lines.push(
                "  the ids of all rows are made of the first row too: mend it in a file of its own, or all count again"
                    .to_owned(),
            );
        }
        if self.accepted > 0 {
            lines.push("accepted events that were stored before count once".to_owned());
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_the_first_reasons_in_the_order_of_the_file() {
        let mut imported = Imported { rows: 30, ..Imported::default() };
        for line in (2..30).rev() {
            imported.refuse(Origin { row: line - 1, line }, format!("reason {line}"));
        }
        let lines = imported.lines(false);
        assert_eq!(lines[0], "30 rows read, 0 events accepted, 28 refused");
        assert_eq!((lines[1].as_str(), lines[10].as_str()), ("  line 2: reason 2", "  line 11: reason 11"));
        assert_eq!(lines[11..], ["  and 18 more"]);
    }

    #[test]
    fn advises_only_what_was_not_done() {
        let told = |is_shifted| Imported { out_of_range: true, ..Imported::default() }.lines(is_shifted).concat();
        assert!(told(false).contains("--shift-to-now"));
        assert!(told(true).contains("RETENTION_DAYS") && !told(true).contains("--shift-to-now"));
        let first =
            |accepted| Imported { first_row_refused: true, has_made_ids: true, accepted, ..Imported::default() };
        assert!(first(1).lines(false).concat().contains("file of its own"));
        assert_eq!(first(0).lines(false).len(), 1);
    }
}
