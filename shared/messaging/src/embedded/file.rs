//! The SQLite file under the queue: rows in, rows out, and what a commit of it survives.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use analytics_domain::Project;
use bytes::Bytes;
use rusqlite::{Connection, ErrorCode, OptionalExtension, params};
use thiserror::Error;

use super::ledger::{Facts, Stock};
use crate::queue::{Entry, QueueError};

/// The layout that this build reads and writes, kept in `PRAGMA user_version`.
const LAYOUT: i64 = 1;

/// Pages in the log from which on a commit also copies it into the file: 16 MiB.
const CHECKPOINT_PAGES: u32 = 4_096;

/// Bytes that the log keeps on disk between uses; writing over them is quicker than growing, and they are there for the
/// acknowledgements of a full disk.
const LOG_BYTES_KEPT: u32 = 16 << 20;

/// Free pages in the file below which shrinking is not worth it: 8 MiB.
const FREE_PAGES_KEPT: i64 = 2_048;

/// Free pages given back to the file system in one step: 16 MiB, some ten milliseconds.
const SHRINK_STEP_PAGES: u32 = 4_096;

/// What the collector takes at most in one body, as sent: 1 MiB.
const LARGEST_BODY: usize = 1 << 20;

/// An entry as it is read for a delivery.
#[derive(Debug)]
pub(super) struct StoredEntry {
    pub(super) id: i64,
    pub(super) facts: Facts,
    pub(super) payload: Bytes,
}

/// The right to use a queue's file: no other process, and no other queue of this one, has it.
#[derive(Debug)]
pub(super) struct FileLock {
    path: PathBuf,
    /// Held by its open handle; the system frees it with the process.
    _handle: File,
}

impl FileLock {
    /// Takes the lock beside the file, so that a second open fails with a sentence and not with a locked database.
    pub(super) fn take(path: &Path) -> Result<Self, QueueError> {
        let unavailable =
            |source: std::io::Error| QueueError::Unavailable { doing: "lock its file", source: source.into() };
        let handle = File::options()
            .create(true)
            .write(true)
            .truncate(false)
            .open(path.with_extension("lock"))
            .map_err(unavailable)?;
        match handle.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _handle: handle }),
            Err(TryLockError::WouldBlock) => Err(QueueError::Misconfigured {
                problem: format!("the queue {} is already open", path.display()),
                mend: "stop the process that has it, or use another data folder".to_owned(),
            }),
            Err(TryLockError::Error(error)) => Err(unavailable(error)),
        }
    }

    /// The file that it guards.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// Why the file cannot be used.
#[derive(Debug, Error)]
pub(super) enum OpenError {
    #[error("the file cannot be opened or is no queue")]
    Sqlite(#[from] rusqlite::Error),
    #[error("the file has layout {found}, this build reads {LAYOUT}")]
    NewerLayout { found: i64 },
}

/// The open file.
#[derive(Debug)]
pub(super) struct QueueFile {
    connection: Connection,
    lock: FileLock,
    flushing: bool,
    /// Whether commits since the last flush are in the system's hands only.
    unflushed: bool,
}

impl QueueFile {
    /// Opens or creates the file.
    pub(super) fn open(lock: FileLock) -> Result<Self, (FileLock, OpenError)> {
        match Self::connect(&lock.path) {
            Ok(connection) => Ok(Self { connection, lock, flushing: true, unflushed: false }),
            Err(error) => Err((lock, error)),
        }
    }

    /// Closes the file and keeps the right to it.
    pub(super) fn into_lock(self) -> FileLock {
        self.lock
    }

    fn connect(path: &Path) -> Result<Connection, OpenError> {
        let connection = Connection::open(path)?;
        // Exclusive before the first read: the log's index then lives in this process and needs no shared memory.
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update_and_check(None, "wal_autocheckpoint", CHECKPOINT_PAGES, |_| Ok(()))?;
        connection.pragma_update_and_check(None, "journal_size_limit", LOG_BYTES_KEPT, |_| Ok(()))?;
        connection.pragma_update(None, "cache_size", -16_384)?;
        connection.set_prepared_statement_cache_capacity(32);
        let layout: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        match layout {
            0 => connection.execute_batch(include_str!("layout.sql"))?,
            LAYOUT => {}
            found => return Err(OpenError::NewerLayout { found }),
        }
        // What a killed process left in the log is copied into the file and flushed, before anything new relies on it.
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        Ok(connection)
    }

    /// What lies in the file, counted.
    pub(super) fn count(&self) -> rusqlite::Result<Stock> {
        let mut stock = Stock::default();
        let mut statement = self.connection.prepare(
            "SELECT project, COUNT(*), SUM(events), SUM(LENGTH(payload)), MAX(id) FROM entries GROUP BY project",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let project = project(row, 0)?;
            let (batches, events, bytes, newest): (i64, i64, i64, i64) =
                (row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?);
            stock.batches += batches.unsigned_abs();
            stock.events += events.unsigned_abs();
            stock.bytes += bytes.unsigned_abs();
            stock.newest = stock.newest.max(newest);
            stock.by_project.insert(project, events.unsigned_abs());
        }
        stock.oldest = self.oldest()?;
        Ok(stock)
    }

    /// The oldest entry: its id and when it came, in milliseconds since the Unix epoch.
    pub(super) fn oldest(&self) -> rusqlite::Result<Option<(i64, i64)>> {
        self.connection
            .prepare_cached("SELECT id, enqueued_at FROM entries ORDER BY id LIMIT 1")?
            .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()
    }

    /// Whether the entry is in the file.
    pub(super) fn holds(&self, id: i64) -> rusqlite::Result<bool> {
        self.connection.prepare_cached("SELECT 1 FROM entries WHERE id = ?1")?.exists([id])
    }

    /// Runs `work` in one transaction; with `flush` its commit, and every commit before it, survives a power cut.
    pub(super) fn transaction<T>(
        &mut self,
        flush: bool,
        work: impl FnOnce(&Self) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        if flush != self.flushing {
            self.connection.pragma_update(None, "synchronous", if flush { "FULL" } else { "NORMAL" })?;
            self.flushing = flush;
        }
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let done = work(self).and_then(|value| {
            self.connection.prepare_cached("COMMIT")?.execute([])?;
            Ok(value)
        });
        if done.is_err() && !self.connection.is_autocommit() {
            self.connection.execute_batch("ROLLBACK")?;
        }
        if done.is_ok() {
            self.unflushed = !flush;
        }
        done
    }

    /// Adds an entry under an id that rises from call to call.
    pub(super) fn insert(&self, id: i64, entry: &Entry, now_millis: i64) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached(
                "INSERT INTO entries (id, project, events, enqueued_at, payload) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![id, entry.project.as_str(), entry.events, now_millis, &entry.payload[..]])?;
        Ok(())
    }

    /// Removes an entry and its count of deliveries.
    pub(super) fn delete(&self, id: i64) -> rusqlite::Result<()> {
        self.connection.prepare_cached("DELETE FROM entries WHERE id = ?1")?.execute([id])?;
        self.connection.prepare_cached("DELETE FROM deliveries WHERE id = ?1")?.execute([id])?;
        Ok(())
    }

    /// Notes how often an entry was handed out.
    pub(super) fn set_attempts(&self, id: i64, attempts: u32) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached(
                "INSERT INTO deliveries (id, attempts) VALUES (?1, ?2)
                 ON CONFLICT (id) DO UPDATE SET attempts = excluded.attempts",
            )?
            .execute(params![id, attempts])?;
        Ok(())
    }

    /// The oldest entries above `after`, at most `most` and about `most_bytes`, but at least one.
    pub(super) fn read_after(&self, after: i64, most: usize, most_bytes: usize) -> rusqlite::Result<Vec<StoredEntry>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT e.id, e.project, e.events, COALESCE(d.attempts, 0), e.payload
             FROM entries e LEFT JOIN deliveries d ON d.id = e.id WHERE e.id > ?1 ORDER BY e.id LIMIT ?2",
        )?;
        let mut rows = statement.query(params![after, i64::try_from(most).unwrap_or(i64::MAX)])?;
        let (mut entries, mut bytes) = (Vec::new(), 0);
        while let Some(row) = rows.next()? {
            let entry = stored(row)?;
            bytes += entry.payload.len();
            if bytes > most_bytes && !entries.is_empty() {
                break;
            }
            entries.push(entry);
        }
        Ok(entries)
    }

    /// One entry, where it is still there.
    pub(super) fn read(&self, id: i64) -> rusqlite::Result<Option<StoredEntry>> {
        self.connection
            .prepare_cached(
                "SELECT e.id, e.project, e.events, COALESCE(d.attempts, 0), e.payload
                 FROM entries e LEFT JOIN deliveries d ON d.id = e.id WHERE e.id = ?1",
            )?
            .query_row([id], stored)
            .optional()
    }

    /// Whether a power cut could take commits that the system holds.
    pub(super) const fn is_unflushed(&self) -> bool {
        self.unflushed
    }

    /// Flushes every commit so far, by a commit of its own: also the proof that the file can be written.
    pub(super) fn flush(&mut self, now_millis: i64) -> rusqlite::Result<()> {
        self.transaction(true, |file| {
            file.connection
                .prepare_cached("INSERT OR REPLACE INTO flushes (id, flushed_at) VALUES (1, ?1)")?
                .execute([now_millis])
                .map(|_| ())
        })
    }

    /// Proves that there is room for a body of the largest size: a flush alone still passes where nothing else does.
    pub(super) fn prove_room(&self) -> std::io::Result<()> {
        let probe = self.lock.path.with_extension("probe");
        let written = std::fs::write(&probe, vec![0xA5; LARGEST_BODY]);
        let removed = std::fs::remove_file(&probe);
        written.and(removed)
    }

    /// Copies the log into the file, so that its room on disk can be written over.
    pub(super) fn checkpoint(&self) -> rusqlite::Result<()> {
        self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
    }

    /// Writes what lies in the file to a new one at `to`, of one state and without free pages.
    pub(super) fn copy_to(&self, to: &Path) -> rusqlite::Result<()> {
        self.connection.execute("VACUUM INTO ?1", [to.to_string_lossy()]).map(|_| ())
    }

    /// Gives a step of unused room back to the file system where more than half of the file is unused; tells whether there
    /// is more to give.
    pub(super) fn shrink(&mut self) -> rusqlite::Result<bool> {
        let number = |name: &str| self.connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0));
        let (free, pages) = (number("freelist_count")?, number("page_count")?);
        if free < FREE_PAGES_KEPT || free * 2 < pages {
            return Ok(false);
        }
        // A row a page: the statement ends, and its transaction with it, only once all have been read.
        let mut giving = self.connection.prepare(&format!("PRAGMA incremental_vacuum({SHRINK_STEP_PAGES})"))?;
        let mut rows = giving.query([])?;
        while rows.next()?.is_some() {}
        drop(rows);
        drop(giving);
        self.unflushed = true;
        let free_now = number("freelist_count")?;
        if free_now < FREE_PAGES_KEPT {
            self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        }
        Ok(free_now < free && free_now >= FREE_PAGES_KEPT)
    }
}

/// Whether the error is a full disk, which leaves the connection sound.
pub(super) fn is_disk_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
}

fn stored(row: &rusqlite::Row<'_>) -> rusqlite::Result<StoredEntry> {
    let payload = row.get_ref(4)?.as_blob()?;
    let facts =
        Facts { project: project(row, 1)?, events: row.get(2)?, attempts: row.get(3)?, bytes: payload.len() as u64 };
    Ok(StoredEntry { id: row.get(0)?, facts, payload: Bytes::copy_from_slice(payload) })
}

fn project(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<Project> {
    let name = row.get_ref(column)?.as_str()?;
    Project::new(name)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, error.into()))
}
