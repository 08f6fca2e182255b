//! The ordered scan: the events of each actor one after the other, each with the marks of the filters that it passes.
//!
//! Whatever depends on what an actor did before something else is one such select and one fold over its rows: the same for
//! every store, and without a table joined to itself.

use std::sync::Arc;

use analytics_domain::{Project, Timestamp};
use serde::{Deserialize, Serialize};

use crate::columns::{self, Scanning, Turns};
use crate::filter::{Columns, Filtered as _};
use crate::sql::Sql;
use crate::{Actor, Cell, Dialect, Exactness, Field, Filter, Range, Row, Source, Statement, Warning};

/// What is read, by (actor, timestamp, id), actors bytewise.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scan<'q> {
    /// Whose events.
    pub(crate) project: &'q Project,
    /// Who stands behind them.
    pub(crate) by: Actor,
    /// The question's range: in it lies what persons are asked to have done.
    pub(crate) range: Range,
    /// When the events that are read happened.
    pub(crate) read: Range,
    /// Which events exist for the question: those that pass all.
    pub(crate) filters: &'q [Filter],
    /// What is asked about each event, at most 62: the mark is set where it passes all filters of the list.
    pub(crate) marks: &'q [&'q [Filter]],
    /// Whether events without a mark are read too.
    pub(crate) unmarked: bool,
    /// The field whose text comes with each event.
    pub(crate) label: Option<&'q Field>,
}

impl Scan<'_> {
    /// The statements: those of columns, where they tell all that is asked and are nearly as new as the events.
    pub(crate) fn statements(&self, turns: Option<Turns>, dialect: Dialect) -> Vec<Statement> {
        match self.scanning(turns) {
            None => vec![self.statement(dialect)],
            Some((scanning, turns)) => {
                turns.statements(&columns::statements(self.project, self.read, &scanning, dialect))
            }
        }
    }

    /// Whether columns are read, so that all statements need to see one state of the store.
    pub(crate) fn is_of_columns(&self, turns: Option<Turns>) -> bool {
        self.scanning(turns).is_some()
    }

    /// What gathers the events from columns and in how many turns, where it can be told from them.
    pub(crate) fn scanning(&self, turns: Option<Turns>) -> Option<(Scanning, Turns)> {
        let filters = self.filters.iter().chain(self.marks.iter().copied().flatten());
        let tells = columns::can_be_judged(filters) && self.label.is_none_or(columns::can_be_read);
        let scanning = || Scanning::new(self.by, self.read, self.filters, self.marks, self.unmarked, self.label);
        turns.filter(|_| tells).map(|turns| (scanning(), turns))
    }

    /// The statement; [`ScannedEvent::from_row`] reads its rows.
    pub(crate) fn statement(&self, dialect: Dialect) -> Statement {
        let mut sql = Sql::new(dialect, self.project, self.range);
        let mut conditions = sql.in_part(self.read);
        conditions.extend(self.filters.iter().map(|filter| sql.filter(filter, Columns::Raw)));
        let marks: Vec<String> = self.marks.iter().map(|filters| all_of(&mut sql, filters)).collect();
        // Only what can matter leaves the store: sorting it is most of the work.
        if !self.unmarked && !self.marks.iter().any(|filters| filters.is_empty()) {
            conditions.push(if marks.is_empty() { "FALSE".to_owned() } else { format!("({})", marks.join(" OR ")) });
        }
        let bits: Vec<String> = marks
            .iter()
            .enumerate()
            .map(|(index, mark)| format!("CASE WHEN {mark} THEN {} ELSE 0 END", 1_i64 << index))
            .collect();
        let bits = if bits.is_empty() { "0".to_owned() } else { bits.join(" + ") };
        let label = self.label.map(|field| format!(", {}", sql.field(field, Columns::Raw))).unwrap_or_default();
        let collation = match dialect {
            Dialect::Postgres => " COLLATE \"C\"",
            // Bytewise as it is.
            Dialect::Sqlite => "",
        };
        let actor = self.by.key(&mut sql);
        let text = format!(
            "SELECT {actor}{collation}, e.timestamp, e.id, {bits}{label}\nFROM {}\nWHERE {}\nORDER BY 1, 2, 3",
            sql.events(),
            conditions.join("\n  AND ")
        );
        sql.finish(text)
    }
}

fn all_of(sql: &mut Sql, filters: &[Filter]) -> String {
    let all: Vec<String> = filters.iter().map(|filter| sql.filter(filter, Columns::Raw)).collect();
    if all.is_empty() { "TRUE".to_owned() } else { format!("({})", all.join(" AND ")) }
}

/// Whose events are scanned: the key that SQL gives, or a number of the columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ActorKey {
    Text(String),
    Number(u64),
}

/// An event of an ordered scan. Of equal times the lower id comes first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ScannedEvent {
    /// Its person or session.
    pub(crate) actor: ActorKey,
    /// When it happened.
    pub(crate) timestamp: Timestamp,
    /// Bit `n` is set where it passes the filters of mark `n`.
    pub(crate) marks: u64,
    /// The text of the label, where one was asked for and the event has one.
    pub(crate) label: Option<Arc<str>>,
}

impl ScannedEvent {
    /// Reads a row; `None` where it is none of a scan.
    pub(crate) fn from_row(row: Row) -> Option<Self> {
        let mut cells = row.into_iter();
        let Some(Cell::Text(actor)) = cells.next() else { return None };
        let timestamp = match cells.next()? {
            Cell::Timestamp(instant) => instant,
            Cell::Int(micros) => Timestamp::from_micros(micros),
            _ => return None,
        };
        let Some(Cell::Uuid(_)) = cells.next() else { return None };
        let Some(Cell::Int(marks)) = cells.next() else { return None };
        let label =
            cells.next().and_then(|cell| if let Cell::Text(text) = cell { Some(Arc::from(text)) } else { None });
        Some(Self { actor: ActorKey::Text(actor), timestamp, marks: u64::try_from(marks).unwrap_or(0), label })
    }
}

/// How an answer that was folded from an ordered scan came about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScanMeta {
    /// What was read.
    pub source: Source,
    /// Whether the figures are exact.
    pub exact: Exactness,
    /// How many events were read.
    pub events_read: u64,
    /// When the newest stored event that could be counted was received; `null` where nothing is stored.
    pub fresh_as_of: Option<Timestamp>,
    /// Whether the answer was computed for an earlier question of the same kind, at most 5 s ago.
    pub cached: bool,
    /// How long it took to answer, in milliseconds.
    pub took_ms: u64,
    /// What the reader should know.
    pub warnings: Vec<Warning>,
}

impl ScanMeta {
    /// Tells of an answer that has just been made of so many events.
    pub(crate) fn new(
        source: Source,
        events_read: u64,
        newest_receipt: Option<Timestamp>,
        warnings: &[Warning],
    ) -> Self {
        Self {
            source,
            exact: Exactness::Exact(true),
            events_read,
            fresh_as_of: newest_receipt,
            cached: false,
            took_ms: 0,
            warnings: warnings.to_vec(),
        }
    }
}
