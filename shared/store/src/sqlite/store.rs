//! The adapter itself.

use std::path::Path;
use std::time::Duration;

use analytics_domain::{BatchOutcome, DeadLetter, DeadLetterId, Project, Retention, Timestamp};
use analytics_query::{Dialect, Statement};
use async_trait::async_trait;
use sqlx::sqlite::{SqliteConnection, SqlitePool};

use super::connection::Readers;
use super::fault::fault;
use super::{columns, connection, dead_letters, erasure, footprint, ingest, integrity, select, upkeep};
use crate::cardinality::Cardinality;
use crate::migration::{self, SQLITE, SchemaState, schema_state};
use crate::{
    DeadLetterPage, Edition, Erasure, EventStore, Footprint, Ingest, Inquiry, Integrity, Maintenance, OnRow,
    ProjectState, Reading, Refreshed, StoreError, Upkeep,
};

/// How a SQLite store is opened; [`SqliteOptions::default`] is right for the single process.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    /// Connections that answer questions; each is a thread while it is used, and is opened when first needed.
    pub readers: u32,
    /// The longest that a question may take.
    pub statement_timeout: Duration,
    /// How long to wait for another process that holds the file's write lock.
    pub busy_timeout: Duration,
    /// Pages of the writing connection kept in memory, in KiB.
    pub writer_cache_kib: u32,
    /// Pages of each reading connection kept in memory, in KiB.
    pub reader_cache_kib: u32,
    /// How many values of a dimension a day counts one by one.
    pub cardinality: Cardinality,
    /// Only to look: nothing of what is kept is changed and no file is made, and what would write fails. Where a log lies beside
    /// the file, its index (`-shm`) may change, as it does for every reader.
    pub only_looks: bool,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            readers: 4,
            statement_timeout: Duration::from_secs(30),
            busy_timeout: Duration::from_secs(5),
            writer_cache_kib: 16 * 1024,
            reader_cache_kib: 8 * 1024,
            cardinality: Cardinality::default(),
            only_looks: false,
        }
    }
}

/// The store in one SQLite file.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    pub(super) writer: SqlitePool,
    pub(super) readers: Readers,
    health: Readers,
    version: String,
    cardinality: Cardinality,
}

impl SqliteStore {
    /// Opens the file at `path`, which is made where it is missing; its folder must exist. The schema is not touched: see
    /// [`EventStore::migrate`].
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where the file cannot be opened or is no SQLite database.
    pub async fn open(path: impl AsRef<Path>, options: SqliteOptions) -> Result<Self, StoreError> {
        let path = path.as_ref();
        // Of its own, so that slow questions on every other connection do not look like a store that does not answer.
        let health = SqliteOptions { readers: 1, reader_cache_kib: 64, ..options.clone() };
        let writer = connection::writer(path, &options).await?;
        let version = sqlx::query_scalar("SELECT sqlite_version()")
            .fetch_one(&writer)
            .await
            .map_err(fault("open the store's file"))?;
        Ok(Self {
            writer,
            readers: Readers::new(path, &options),
            health: Readers::new(path, &health),
            version,
            cardinality: options.cardinality,
        })
    }

    /// Closes every connection after its running statement; the log is folded into the file.
    pub async fn close(&self) {
        self.readers.close().await;
        self.health.close().await;
        self.writer.close().await;
    }
}

/// The newest applied migration, `None` where there is none.
async fn applied(connection: &mut SqliteConnection) -> Result<Option<i64>, sqlx::Error> {
    let known: i64 =
        sqlx::query_scalar("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'schema_migrations'")
            .fetch_one(&mut *connection)
            .await?;
    if known == 0 {
        return Ok(None);
    }
    sqlx::query_scalar("SELECT max(number) FROM schema_migrations").fetch_one(connection).await
}

/// A value of the table `settings`.
pub(super) async fn setting(
    connection: &mut SqliteConnection,
    name: &'static str,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar("SELECT value FROM settings WHERE name = ?").bind(name).fetch_optional(connection).await
}

/// Writes a value of the table `settings`.
pub(super) async fn put_setting(
    connection: &mut SqliteConnection,
    name: &'static str,
    value: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO settings (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    )
    .bind(name)
    .bind(value)
    .execute(connection)
    .await
    .map(|_| ())
}

#[async_trait]
impl EventStore for SqliteStore {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    fn edition(&self) -> Edition {
        Edition::Sqlite { version: self.version.clone() }
    }

    async fn migrate(&self) -> Result<u32, StoreError> {
        let fault = fault("apply migrations");
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(fault)?;
        let newest = applied(&mut transaction).await.map_err(fault)?;
        if schema_state(SQLITE, newest) == SchemaState::Newer {
            migration::require_current(SQLITE, newest)?;
        }
        sqlx::raw_sql(
            "CREATE TABLE IF NOT EXISTS schema_migrations (
                number INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at TEXT NOT NULL DEFAULT (datetime('now')))",
        )
        .execute(&mut *transaction)
        .await
        .map_err(fault)?;
        let mut count = 0;
        for step in SQLITE.iter().filter(|step| step.number > newest.unwrap_or(0)) {
            sqlx::raw_sql(step.sql).execute(&mut *transaction).await.map_err(fault)?;
            sqlx::query("INSERT INTO schema_migrations (number, name) VALUES (?, ?)")
                .bind(step.number)
                .bind(step.name)
                .execute(&mut *transaction)
                .await
                .map_err(fault)?;
            count += 1;
        }
        transaction.commit().await.map_err(fault)?;
        Ok(count)
    }

    async fn check_schema(&self) -> Result<(), StoreError> {
        let mut connection = self.readers.take().await?;
        let newest = applied(&mut connection).await.map_err(self.readers.fault())?;
        migration::require_current(SQLITE, newest)
    }

    async fn check(&self) -> Result<(), StoreError> {
        let answer = async {
            let mut connection = self.health.take().await?;
            let query = sqlx::query("SELECT count(*) FROM sqlite_schema").fetch_one(&mut *connection);
            query.await.map(|_| ()).map_err(fault("answer a health check"))
        };
        match tokio::time::timeout(Duration::from_secs(2), answer).await {
            Ok(answer) => answer,
            Err(_) => Err(fault("answer a health check")(sqlx::Error::PoolTimedOut)),
        }
    }

    async fn ingest(
        &self,
        work: &Ingest<'_>,
        retention: Retention,
        now: Timestamp,
    ) -> Result<Vec<BatchOutcome>, StoreError> {
        ingest::ingest(&self.writer, work, self.cardinality, retention, now, true).await
    }

    async fn probe(&self, work: &Ingest<'_>, retention: Retention, now: Timestamp) -> Result<(), StoreError> {
        ingest::ingest(&self.writer, work, self.cardinality, retention, now, false).await.map(|_| ())
    }

    async fn erase(&self, project: &Project, user: &str, until: Timestamp) -> Result<Erasure, StoreError> {
        erasure::erase(&self.writer, project, user, until).await.map_err(fault("erase a person"))
    }

    async fn select_each(&self, _: Reading, statement: &Statement, on_row: &mut OnRow<'_>) -> Result<(), StoreError> {
        select::select_each(&self.readers, statement, on_row).await
    }

    async fn select_together(&self, _: Reading, inquiry: &mut dyn Inquiry) -> Result<(), StoreError> {
        select::select_together(&self.readers, inquiry).await
    }

    async fn refresh(&self) -> Result<Refreshed, StoreError> {
        columns::refresh(&self.writer).await.map_err(fault("make columns"))
    }

    async fn project_state(&self, project: &Project, cutoff: Timestamp) -> Result<ProjectState, StoreError> {
        integrity::project_state(&self.readers, project, cutoff).await
    }

    async fn integrity(&self, project: &Project, from: Timestamp) -> Result<Integrity, StoreError> {
        integrity::integrity(&self.readers, project, from).await
    }

    async fn dead_letters(
        &self,
        project: &Project,
        before: Option<DeadLetterId>,
        limit: u32,
    ) -> Result<DeadLetterPage, StoreError> {
        dead_letters::page(&self.readers, project, before, limit).await
    }

    async fn request_replay(&self, project: &Project, ids: Option<&[DeadLetterId]>) -> Result<u64, StoreError> {
        dead_letters::request_replay(&self.writer, project, ids).await
    }

    async fn replay_requests(&self, limit: u32) -> Result<Vec<DeadLetter>, StoreError> {
        dead_letters::replay_requests(&self.readers, limit).await
    }

    async fn dead_letter_count(&self) -> Result<u64, StoreError> {
        dead_letters::count(&self.readers).await
    }

    async fn retention(&self) -> Result<Option<Retention>, StoreError> {
        let mut connection = self.readers.take().await?;
        let days = setting(&mut connection, "retention_days").await.map_err(self.readers.fault())?;
        Ok(days.and_then(|days| days.parse().ok()).map(|days| Retention { days }))
    }

    async fn set_retention(&self, retention: Retention) -> Result<(), StoreError> {
        let fault = fault("keep the retention");
        let mut connection = self.writer.acquire().await.map_err(fault)?;
        put_setting(&mut connection, "retention_days", &retention.days.to_string()).await.map_err(fault)
    }

    async fn footprint(&self, now: Timestamp, dedupe_days: u32) -> Result<Footprint, StoreError> {
        footprint::footprint(&self.readers, now, dedupe_days).await
    }

    async fn maintain(&self, maintenance: Maintenance) -> Result<Upkeep, StoreError> {
        upkeep::maintain(&self.writer, maintenance).await
    }
}
