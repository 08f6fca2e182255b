//! How the store's connections are opened, and how a reading one is bounded in time.

use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::sqlite::{
    SqliteAutoVacuum, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{ConnectOptions, Sqlite};

use super::fault::{fault, question_fault};
use super::store::SqliteOptions;
use crate::StoreError;

/// Virtual-machine steps of SQLite between two looks at the clock: some tens of microseconds.
const STEPS_BETWEEN_LOOKS: i32 = 2_000;

/// The one connection that writes. Opening it makes the file, as a write-ahead log that gives pages back.
pub(super) async fn writer(path: &Path, options: &SqliteOptions) -> Result<SqlitePool, StoreError> {
    if options.only_looks {
        return pool(1).connect_with(common(path, options)).await.map_err(fault("open the store's file"));
    }
    let connect = common(path, options)
        .create_if_missing(true)
        .auto_vacuum(SqliteAutoVacuum::Incremental)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        // A log of 16 MB before it is folded into the file: fewer flushes of the file under load.
        .pragma("wal_autocheckpoint", "4000")
        .pragma("journal_size_limit", "67108864")
        .pragma("cache_size", format!("-{}", options.writer_cache_kib))
        .statement_cache_capacity(128);
    pool(1).connect_with(connect).await.map_err(fault("open the store's file"))
}

/// The connections that read, each bounded in time.
#[derive(Debug, Clone)]
pub(super) struct Readers {
    pool: SqlitePool,
    timeout: Duration,
}

impl Readers {
    /// Prepares the pool; connections are opened when first needed.
    pub(super) fn new(path: &Path, options: &SqliteOptions) -> Self {
        let connect = common(path, options)
            .pragma("query_only", "ON")
            .pragma("cache_size", format!("-{}", options.reader_cache_kib))
            .statement_cache_capacity(32);
        let pool = pool(options.readers.max(1)).connect_lazy_with(connect);
        Self { pool, timeout: options.statement_timeout }
    }

    /// A connection whose statements end with `SQLITE_INTERRUPT` once the timeout has passed or nobody waits for them any
    /// more. Every use takes its own: a deadline that was left behind would end the next one's statements.
    pub(super) async fn take(&self) -> Result<Reading, StoreError> {
        let fault = question_fault(self.timeout);
        let mut connection = self.pool.acquire().await.map_err(fault)?;
        let deadline = Instant::now() + self.timeout;
        let waiting = Arc::new(());
        let waits = Arc::downgrade(&waiting);
        connection
            .lock_handle()
            .await
            .map_err(fault)?
            .set_progress_handler(STEPS_BETWEEN_LOOKS, move || waits.strong_count() > 0 && Instant::now() < deadline);
        Ok(Reading { _waiting: waiting, connection })
    }

    /// The port's error of a failed statement on such a connection.
    pub(super) fn fault(&self) -> impl Fn(sqlx::Error) -> StoreError + Copy + use<> {
        question_fault(self.timeout)
    }

    /// Closes every connection.
    pub(super) async fn close(&self) {
        self.pool.close().await;
    }
}

/// A reading connection while somebody waits for its statements.
#[derive(Debug)]
pub(super) struct Reading {
    /// Dropped first: a statement that runs on then ends, and the connection is free for the next question.
    _waiting: Arc<()>,
    connection: PoolConnection<Sqlite>,
}

impl Deref for Reading {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.connection
    }
}

impl DerefMut for Reading {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }
}

fn common(path: &Path, options: &SqliteOptions) -> SqliteConnectOptions {
    // Who has the file open has a log beside it; without one nobody has, and to read it as it lies there makes none.
    let is_at_rest = options.only_looks && !log(path).exists();
    SqliteConnectOptions::new()
        .filename(path)
        .read_only(options.only_looks)
        .immutable(is_at_rest)
        .busy_timeout(options.busy_timeout)
        .disable_statement_logging()
        .thread_name(|index| format!("sqlite-{index}"))
}

/// The write-ahead log of the file at `path`.
fn log(path: &Path) -> PathBuf {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    log.into()
}

fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .min_connections(0)
        .acquire_timeout(Duration::from_secs(30))
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
}
