//! The port `EventStore`: where each event is kept exactly once and questions are answered from.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::ControlFlow;

use analytics_domain::{
    Batch, BatchOutcome, DeadLetter, DeadLetterId, DeadLetterReason, Project, Retention, Timestamp,
};
use analytics_query::{Dialect, Row, Statement};
use async_trait::async_trait;
use thiserror::Error;

use crate::{Footprint, ProjectStore};

/// What kind of store stands behind the port, found when it is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edition {
    /// TimescaleDB with its community licence: hypertable, compression, policies.
    TimescaleCommunity {
        /// The extension's version.
        version: String,
    },
    /// TimescaleDB under Apache 2: hypertable; upkeep is ours.
    TimescaleApache {
        /// The extension's version.
        version: String,
    },
    /// PostgreSQL without the extension.
    Postgres {
        /// The server's version.
        version: String,
    },
    /// SQLite in the process.
    Sqlite {
        /// The library's version.
        version: String,
    },
}

/// `TimescaleDB 2.19.3 (Apache 2)`, `PostgreSQL 15.18`, `SQLite 3.51.3`.
impl std::fmt::Display for Edition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TimescaleCommunity { version } => write!(f, "TimescaleDB {version} (community)"),
            Self::TimescaleApache { version } => write!(f, "TimescaleDB {version} (Apache 2)"),
            Self::Postgres { version } => write!(f, "PostgreSQL {version}"),
            Self::Sqlite { version } => write!(f, "SQLite {version}"),
        }
    }
}

/// A batch and what is already known of its events.
#[derive(Debug, Clone)]
pub struct IngestBatch<'a> {
    /// The batch.
    pub batch: Cow<'a, Batch<'a>>,
    /// Events that the store was seen to refuse: they become dead letters in the same transaction. Sorted by index.
    pub failed: Vec<FailedEvent>,
    /// How often the queue has handed the entry out.
    pub attempt: u32,
}

/// An event of a batch that the store refuses.
#[derive(Debug, Clone)]
pub struct FailedEvent {
    /// Its index among the batch's events.
    pub index: usize,
    /// Why.
    pub reason: DeadLetterReason,
}

/// The work of one transaction.
#[derive(Debug, Clone, Default)]
pub struct Ingest<'a> {
    /// Whole batches, in any order.
    pub batches: Vec<IngestBatch<'a>>,
    /// Queue entries that could not be read, kept as they came.
    pub unreadable: Vec<DeadLetter>,
    /// Dead letters that `batches` try again: they go in the same transaction. An event that is refused again comes as
    /// `failed` and becomes a new dead letter that keeps `first_failed_at` of the old one.
    pub replayed: Vec<DeadLetterId>,
}

/// Why the store failed.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The data of this transaction cannot be stored (SQLSTATE class 22 or 23, an SQLite constraint): some event of it is
    /// poison. Nothing was stored.
    #[error("the store refuses the data ({sqlstate}): {message}")]
    Data {
        /// The SQLSTATE, or SQLite's result code as text.
        sqlstate: String,
        /// The server's sentence, without the row's values.
        message: String,
    },
    /// The store cannot be reached, is busy, restarts, ran out of a resource, or chose this transaction to end: the same
    /// work may be tried again. After a cut during commit it may have happened; ids make the second try harmless.
    #[error("the store is unavailable while it should {doing}")]
    Unavailable {
        /// What was being done, as a verb phrase.
        doing: &'static str,
        /// The driver's error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A setting of the store cannot be used, now or later.
    #[error("{setting} cannot be used: {reason}")]
    Setting {
        /// What is set.
        setting: &'static str,
        /// Why not, and what would be right; nothing of the value itself, which may hold a password.
        reason: String,
    },
    /// A replica failed after rows were handed over: all of the question has to be asked again, of the primary.
    #[error("the replica was lost in the middle of an answer")]
    ReplicaLost {
        /// The driver's error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The question took longer than the statement timeout.
    #[error("the question took longer than {seconds} s")]
    TooSlow {
        /// The timeout that was met.
        seconds: u64,
    },
    /// The schema is not the one that this build needs.
    #[error("the store {found}, this build needs {needed}; {mend}")]
    Schema {
        /// What there is, as a verb phrase: `has no schema yet`, `has the schema 0001_events`.
        found: String,
        /// The newest migration that this build knows.
        needed: String,
        /// What to do about it.
        mend: String,
    },
}

/// Takes a row of an answer and says whether the next one is wanted.
pub type OnRow<'r> = dyn FnMut(Row) -> ControlFlow<()> + Send + 'r;

/// Statements that are read one after another, of one state of the store. What comes next may depend on the rows before.
pub trait Inquiry: Send {
    /// The statement at this place; `None` behind the last. It is asked for once the rows of those before have been taken; the
    /// first one again where it has to be read elsewhere.
    fn statement(&mut self, place: usize) -> Option<Statement>;

    /// Takes a row of the statement at this place; [`ControlFlow::Break`] where no more are wanted, of this and any other.
    fn push(&mut self, place: usize, row: Row) -> ControlFlow<()>;
}

/// Statements that are known from the beginning.
#[derive(Debug)]
pub struct Listed<'s, F> {
    statements: &'s [Statement],
    on_row: F,
}

impl<'s, F: FnMut(usize, Row) -> ControlFlow<()> + Send> Listed<'s, F> {
    /// Reads these, and hands over each row with the place of its statement.
    pub const fn new(statements: &'s [Statement], on_row: F) -> Self {
        Self { statements, on_row }
    }
}

impl<F: FnMut(usize, Row) -> ControlFlow<()> + Send> Inquiry for Listed<'_, F> {
    fn statement(&mut self, place: usize) -> Option<Statement> {
        self.statements.get(place).cloned()
    }

    fn push(&mut self, place: usize, row: Row) -> ControlFlow<()> {
        (self.on_row)(place, row)
    }
}

/// Where the statements of a question are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reading {
    /// From the primary: what is there is never older than what was seen before.
    #[default]
    Primary,
    /// From a replica, where one is set and has come so far; else from the primary.
    Replica {
        /// The position in the primary's log that it has to have replayed.
        at_least: i64,
    },
}

/// What is known of a replica.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReplicaReport {
    /// Why questions are not read from it, as a sentence; `None` where they are.
    pub left_out: Option<String>,
    /// How far it was behind the primary when it was last looked at: at most, or, beyond an hour, at least.
    pub lag: std::time::Duration,
    /// Readings that it answered.
    pub answered: u64,
    /// Readings that the primary was asked for because the replica was left out.
    pub passed_over: u64,
    /// Readings that it failed at, for which the primary was asked then.
    pub failed: u64,
}

/// What the planner needs to know of a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ProjectState {
    /// The time of its oldest stored event at or after the retention's cutoff; `None` where it has none.
    pub first_event: Option<Timestamp>,
    /// The receipt of the newest stored batch.
    pub newest_receipt: Option<Timestamp>,
    /// Whether at most [`CHANGED_QUARTERS`] quarters have changed since their columns were made.
    pub has_columns: bool,
    /// Where the question's statements are to be read, so that none sees an older state than this one.
    pub reading: Reading,
}

/// So many changed quarters are read from raw rows beside the columns of all others; with more, only raw rows are.
pub const CHANGED_QUARTERS: i64 = 64;

/// The counts of one UTC day of receipt.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DayCounts {
    /// Events that a collector accepted and a processor has taken from the queue.
    pub accepted: u64,
    /// Of these, now in the store for the first time.
    pub stored: u64,
    /// Of these, stored before.
    pub duplicate: u64,
    /// Of these, too old when they were taken.
    pub expired: u64,
    /// Of these, put aside; a replayed one leaves this count and joins another.
    pub dead_lettered: u64,
    /// Of these, dropped as those of somebody who was erased: while they waited in the queue, or as dead letters. Events that
    /// were stored before stay counted as stored.
    pub erased: u64,
    /// Events that the collector refused, by code.
    pub rejected: BTreeMap<String, u64>,
}

impl DayCounts {
    /// Takes one row of `receipt_counts` in.
    pub(crate) fn add(&mut self, kind: &str, reason: &str, count: i64) {
        let count = u64::try_from(count).unwrap_or(0);
        match kind {
            "accepted" => self.accepted += count,
            "stored" => self.stored += count,
            "duplicate" => self.duplicate += count,
            "expired" => self.expired += count,
            "dead_lettered" => self.dead_lettered += count,
            "erased" => self.erased += count,
            "rejected" => *self.rejected.entry(reason.to_owned()).or_default() += count,
            _ => {}
        }
    }
}

/// What is kept up to date against raw rows on one UTC day of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Drift {
    /// `count(*)` of the raw rows.
    pub raw: u64,
    /// The sum of `daily_metrics` for metric `events` without dimension.
    pub rollup: u64,
    /// The events that columns tell of, and raw rows in the quarters that have changed since.
    pub columns: u64,
}

/// What [`EventStore::erase`] deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Erasure {
    /// Raw events.
    pub events: u64,
    /// The sessions that they lay in.
    pub sessions: u64,
    /// Dead letters.
    pub dead_letters: u64,
}

/// What [`EventStore::integrity`] found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Integrity {
    /// By UTC day of receipt, counted from 1970-01-01.
    pub received: BTreeMap<i64, DayCounts>,
    /// By UTC day of event; only days whose raw rows are all kept.
    pub stored: BTreeMap<i64, Drift>,
    /// By UTC day of event and dimension: the events whose values are counted together, where a day has more values than
    /// [`crate::Cardinality`] lets it count one by one.
    pub together: BTreeMap<i64, BTreeMap<String, u64>>,
}

/// A page of dead letters, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeadLetterPage {
    /// The dead letters.
    pub letters: Vec<DeadLetter>,
    /// All of the project's, on every page.
    pub total: u64,
}

/// What upkeep is to do.
#[derive(Debug, Clone, Copy)]
pub struct Maintenance {
    /// The instant that counts as now.
    pub now: Timestamp,
    /// How long raw events are kept.
    pub retention: Retention,
    /// How many days a client's id is remembered.
    pub dedupe_days: u32,
}

/// What upkeep did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Upkeep {
    /// Chunks or partitions of raw events that were dropped (SQLite: rows).
    pub raw_dropped: u64,
    /// Partitions of remembered ids that were dropped (SQLite: rows).
    pub ids_dropped: u64,
    /// Chunks or partitions made ahead.
    pub made: u64,
    /// Chunks that were compressed.
    pub compressed: u64,
}

/// What one call of [`EventStore::refresh`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Refreshed {
    /// Quarters whose columns were made anew.
    pub quarters: u64,
    /// The events in them.
    pub events: u64,
    /// Whether there is more to do at once.
    pub left: bool,
}

impl Refreshed {
    /// Takes the same of another project in.
    pub(crate) fn add(&mut self, other: Self) {
        self.quarters += other.quarters;
        self.events += other.events;
        self.left |= other.left;
    }
}

/// Keeps each event exactly once and answers statements.
///
/// The contract suite (`tests/it/contract`) holds every adapter to these rules:
/// - of all events of a project with one id, over any batches, times and transactions, one is stored: the first committed,
///   within one transaction the first by batch order and index;
/// - raw rows, `daily_metrics`, receipt counts, session identities and dead letters of one [`Ingest`] are there together
///   or not at all;
/// - a day counts at most so many values of a dimension one by one ([`crate::Cardinality`]) and all others together, each value
///   wholly in one of both, and their sum is the day's row without dimension;
/// - concurrent `ingest` calls never deadlock and never count twice, also over the same ids and the same rollup rows;
/// - in whatever order events and an erasure come, no event accepted up to the erasure is the person's in the end.
#[async_trait]
pub trait EventStore: ProjectStore {
    /// Whose SQL [`EventStore::select`] takes.
    fn dialect(&self) -> Dialect;

    /// What kind of store this is.
    fn edition(&self) -> Edition;

    /// What is known of its replica; `None` where none is set.
    fn replica(&self) -> Option<ReplicaReport> {
        None
    }

    /// Applies pending migrations under a lock; returns how many. Any number of processes may call it at once.
    async fn migrate(&self) -> Result<u32, StoreError>;

    /// Whether the schema is the one this build needs: [`StoreError::Schema`] where it is not.
    async fn check_schema(&self) -> Result<(), StoreError>;

    /// Whether the store answers; within two seconds.
    async fn check(&self) -> Result<(), StoreError>;

    /// Stores the work in one transaction; outcomes in the order of `batches`. `now` judges the retention (`expired`).
    ///
    /// Callers keep the events of one call below 50,000.
    async fn ingest(
        &self,
        work: &Ingest<'_>,
        retention: Retention,
        now: Timestamp,
    ) -> Result<Vec<BatchOutcome>, StoreError>;

    /// Tries the same and rolls back: `Ok` where it would be stored. This is how poison is found without splitting a batch.
    async fn probe(&self, work: &Ingest<'_>, retention: Retention, now: Timestamp) -> Result<(), StoreError>;

    /// Erases a person: deletes all events accepted up to `until` that are the user's, by their name or by their session's,
    /// out of raw rows, rollups, columns and dead letters, in one transaction; and sees to it that such events are dropped
    /// by [`EventStore::ingest`] when they come later. Ids stay remembered.
    async fn erase(&self, project: &Project, user: &str, until: Timestamp) -> Result<Erasure, StoreError>;

    /// Runs a reading statement under the statement timeout, and hands over each row as it comes; [`ControlFlow::Break`] ends
    /// the reading, and that is no error.
    ///
    /// A replica that fails before its first row is replaced by the primary. After it the question fails with
    /// [`StoreError::ReplicaLost`]: rows that were handed over cannot be taken back.
    async fn select_each(
        &self,
        reading: Reading,
        statement: &Statement,
        on_row: &mut OnRow<'_>,
    ) -> Result<(), StoreError>;

    /// Runs reading statements one after another as [`EventStore::select_each`] does, all of the same state of the store.
    async fn select_together(&self, reading: Reading, inquiry: &mut dyn Inquiry) -> Result<(), StoreError>;

    /// Makes columns anew where events have come, for a bounded number of quarters; any number of processes may call it.
    async fn refresh(&self) -> Result<Refreshed, StoreError>;

    /// All rows of a statement whose rows are few, as [`EventStore::select_each`] hands them over; from the primary after all
    /// where a replica is lost.
    async fn select(&self, reading: Reading, statement: &Statement) -> Result<Vec<Row>, StoreError> {
        match gather(self, reading, statement).await {
            Err(StoreError::ReplicaLost { .. }) => gather(self, Reading::Primary, statement).await,
            gathered => gathered,
        }
    }

    /// What the planner needs to know of a project; `first_event` not before `cutoff`.
    async fn project_state(&self, project: &Project, cutoff: Timestamp) -> Result<ProjectState, StoreError>;

    /// Counts by day of receipt and drift by day of event, both from `from` on.
    async fn integrity(&self, project: &Project, from: Timestamp) -> Result<Integrity, StoreError>;

    /// Dead letters of a project, newest first, those before `before`.
    async fn dead_letters(
        &self,
        project: &Project,
        before: Option<DeadLetterId>,
        limit: u32,
    ) -> Result<DeadLetterPage, StoreError>;

    /// Marks dead letters to be tried again: those named, or all of the project where `ids` is `None`; returns how many.
    async fn request_replay(&self, project: &Project, ids: Option<&[DeadLetterId]>) -> Result<u64, StoreError>;

    /// Dead letters that somebody asked to be tried again, oldest first, of every project.
    async fn replay_requests(&self, limit: u32) -> Result<Vec<DeadLetter>, StoreError>;

    /// How many dead letters there are, of every project.
    async fn dead_letter_count(&self) -> Result<u64, StoreError>;

    /// The retention that the store was last given, `None` where never.
    async fn retention(&self) -> Result<Option<Retention>, StoreError>;

    /// Keeps the retention for those who are not given one.
    async fn set_retention(&self, retention: Retention) -> Result<(), StoreError>;

    /// What the store takes on disk at `now`, and how many events that is; by sizes and counts, not by reading events. Ids are
    /// remembered for `dedupe_days`.
    async fn footprint(&self, now: Timestamp, dedupe_days: u32) -> Result<Footprint, StoreError>;

    /// Drops what is older than the retention, forgets old ids, makes chunks ahead; any number of processes may call it.
    async fn maintain(&self, maintenance: Maintenance) -> Result<Upkeep, StoreError>;
}

async fn gather<S: EventStore + ?Sized>(
    store: &S,
    reading: Reading,
    statement: &Statement,
) -> Result<Vec<Row>, StoreError> {
    let mut rows = Vec::new();
    let mut keep = |row| {
        rows.push(row);
        ControlFlow::Continue(())
    };
    store.select_each(reading, statement, &mut keep).await?;
    Ok(rows)
}
