//! The adapter itself.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use analytics_domain::{BatchOutcome, DeadLetter, DeadLetterId, Project, Retention, Timestamp};
use analytics_query::{Dialect, Statement};
use async_trait::async_trait;
use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool};

use super::connection::{self, Begin, PostgresOptions, Session};
use super::fault::{fault, question_fault};
use super::known_sessions::KnownSessions;
use super::settings::{put_setting, setting};
use super::{columns, dead_letters, edition, erasure, ingest, integrity, select, upkeep};
use crate::cardinality::Cardinality;
use crate::migration::{self, POSTGRES, SchemaState, schema_state};
use crate::{
    DeadLetterPage, Edition, Erasure, EventStore, Ingest, Integrity, Maintenance, OnPlacedRow, OnRow, ProjectState,
    Refreshed, StoreError, Upkeep,
};

/// The longest that a statement which writes may take.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// Serializes migrations over processes.
const MIGRATION_LOCK: i64 = 0x616E_616C_7974_6900;

/// The store on a PostgreSQL server.
#[derive(Debug, Clone)]
pub struct PostgresStore {
    primary: PgPool,
    replica: Option<PgPool>,
    health: PgPool,
    connect: PgConnectOptions,
    edition: Arc<RwLock<Edition>>,
    writing: Begin,
    storing: Begin,
    /// Of what this process wrote; clones share it.
    known_sessions: Arc<KnownSessions>,
    cardinality: Cardinality,
    reading: Begin,
    reading_together: Begin,
    refreshing: Begin,
    erasing: Begin,
    statement_timeout: Duration,
}

/// Runs an expression over a connection inside a transaction of `$begin` on `$pool`, and commits.
macro_rules! transaction {
    ($pool:expr, $begin:expr, $fault:expr, |$connection:ident| $work:expr) => {{
        let fault = $fault;
        let mut session = Session::begin($pool, $begin).await.map_err(fault)?;
        let result = {
            let $connection = session.connection().map_err(fault)?;
            $work.await
        };
        match result {
            Ok(value) => {
                session.commit().await.map_err(fault)?;
                Ok(value)
            }
            Err(error) => {
                if matches!(&error, sqlx::Error::Database(_)) {
                    let _ = session.rollback().await;
                }
                Err(fault(error))
            }
        }
    }};
}

impl PostgresStore {
    /// Reaches the server and finds what it is. The schema is not touched: see [`EventStore::migrate`].
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where the server cannot be reached, [`StoreError::Schema`] where it is older than
    /// PostgreSQL 15.
    pub async fn connect(options: PostgresOptions) -> Result<Self, StoreError> {
        let fault = fault("reach the database");
        let connect = connection::parse(&options.url, &options)?;
        let first = connection::reach(&connect, options.acquire_timeout, "reach the database").await?;
        // It has done its work, however it ends.
        let _ = first.close().await;
        let primary = connection::pool(&options.url, &options)?;
        // Of its own, so that slow questions on every other connection do not look like a server that does not answer.
        let health = connection::pool(&options.url, &PostgresOptions { max_connections: 1, ..options.clone() })?;
        let replica = options.replica_url.as_deref().map(|url| connection::pool(url, &options)).transpose()?;
        let reading = Begin::reading(options.statement_timeout);
        // In a transaction: behind a pooler, a statement and its execution must meet the same server connection.
        let server = transaction!(&primary, &reading, fault, |connection| async {
            let version = edition::require_version(&mut *connection).await?;
            Ok::<_, sqlx::Error>((version, edition::ask(connection).await?))
        });
        let (version, server) = server?;
        version?;
        if server.commits_late {
            tracing::info!("the database has synchronous_commit = off; transactions of events commit with it on");
        }
        tracing::info!(edition = ?server.edition, "the database is reached");
        Ok(Self {
            primary,
            replica,
            health,
            connect,
            edition: Arc::new(RwLock::new(server.edition)),
            writing: Begin::writing(WRITE_TIMEOUT, server.commits_late),
            storing: Begin::storing(WRITE_TIMEOUT, server.commits_late),
            known_sessions: Arc::default(),
            cardinality: options.cardinality,
            reading_together: Begin::reading_one_state(options.statement_timeout),
            refreshing: Begin::writing_of_one_state(WRITE_TIMEOUT, server.commits_late),
            erasing: Begin::erasing(server.commits_late),
            reading,
            statement_timeout: options.statement_timeout,
        })
    }

    /// Whether the replica answers, within two seconds; `Ok` where none is set.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where it does not.
    pub async fn check_replica(&self) -> Result<(), StoreError> {
        match &self.replica {
            Some(replica) => ping(replica).await,
            None => Ok(()),
        }
    }

    /// Closes every connection after its running statement.
    pub async fn close(&self) {
        self.primary.close().await;
        self.health.close().await;
        if let Some(replica) = &self.replica {
            replica.close().await;
        }
    }

    fn current_edition(&self) -> Edition {
        self.edition.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Stores the work, or tries to and takes it back.
    async fn store(
        &self,
        work: &Ingest<'_>,
        retention: Retention,
        now: Timestamp,
        keep: bool,
    ) -> Result<Vec<BatchOutcome>, StoreError> {
        let (known, cardinality) = (&self.known_sessions, self.cardinality);
        ingest::ingest(&self.primary, &self.storing, known, work, cardinality, retention, now, keep).await
    }

    /// Asks again what the server is: the extension may have come since.
    async fn refresh_edition(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let server = edition::ask(connection).await?;
        *self.edition.write().unwrap_or_else(PoisonError::into_inner) = server.edition;
        Ok(())
    }

    /// Applies what is pending, in one transaction under a lock that other processes wait for.
    async fn apply_migrations(&self) -> Result<Result<u32, StoreError>, sqlx::Error> {
        let mut session = Session::begin(&self.primary, &Begin::waiting()).await?;
        let connection = session.connection()?;
        sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(MIGRATION_LOCK).execute(&mut *connection).await?;
        let newest = applied(connection).await?;
        if schema_state(POSTGRES, newest) == SchemaState::Newer {
            session.rollback().await?;
            return Ok(migration::require_current(POSTGRES, newest).map(|()| 0));
        }
        sqlx::raw_sql(
            "SET LOCAL lock_timeout = '30s';
             CREATE TABLE IF NOT EXISTS schema_migrations (
                number INT8 PRIMARY KEY, name TEXT NOT NULL, applied_at TIMESTAMPTZ NOT NULL DEFAULT now())",
        )
        .execute(&mut *connection)
        .await?;
        let mut count = 0;
        for step in POSTGRES.iter().filter(|step| step.number > newest.unwrap_or(0)) {
            sqlx::raw_sql(step.sql).execute(&mut *connection).await?;
            sqlx::query("INSERT INTO schema_migrations (number, name) VALUES ($1, $2)")
                .bind(step.number)
                .bind(step.name)
                .execute(&mut *connection)
                .await?;
            count += 1;
        }
        self.refresh_edition(connection).await?;
        session.commit().await?;
        Ok(Ok(count))
    }
}

/// The newest applied migration, `None` where there is none.
async fn applied(connection: &mut PgConnection) -> Result<Option<i64>, sqlx::Error> {
    // From the catalogue's table, not by `to_regclass`: after waiting for the lock of a migration, that may answer from what
    // the connection remembers of before.
    let known: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM pg_tables WHERE schemaname = current_schema() AND tablename = 'schema_migrations')",
    )
    .fetch_one(&mut *connection)
    .await?;
    if !known {
        return Ok(None);
    }
    sqlx::query_scalar("SELECT max(number) FROM schema_migrations").fetch_one(connection).await
}

/// Asks for next to nothing, within two seconds.
async fn ping(pool: &PgPool) -> Result<(), StoreError> {
    let fault = fault("answer a health check");
    match tokio::time::timeout(Duration::from_secs(2), sqlx::raw_sql("SELECT 1").execute(pool)).await {
        Ok(answer) => answer.map(|_| ()).map_err(fault),
        Err(_) => Err(fault(sqlx::Error::PoolTimedOut)),
    }
}

#[async_trait]
impl EventStore for PostgresStore {
    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    fn edition(&self) -> Edition {
        self.current_edition()
    }

    async fn migrate(&self) -> Result<u32, StoreError> {
        let fault = fault("apply migrations");
        edition::make_extension(&self.connect).await.map_err(fault)?;
        self.apply_migrations().await.map_err(fault)?
    }

    async fn check_schema(&self) -> Result<(), StoreError> {
        let newest =
            transaction!(&self.primary, &self.reading, fault("read the schema's state"), |connection| async {
                let newest = applied(&mut *connection).await?;
                self.refresh_edition(connection).await?;
                Ok(newest)
            })?;
        migration::require_current(POSTGRES, newest)
    }

    async fn check(&self) -> Result<(), StoreError> {
        ping(&self.health).await
    }

    async fn ingest(
        &self,
        work: &Ingest<'_>,
        retention: Retention,
        now: Timestamp,
    ) -> Result<Vec<BatchOutcome>, StoreError> {
        self.store(work, retention, now, true).await
    }

    async fn probe(&self, work: &Ingest<'_>, retention: Retention, now: Timestamp) -> Result<(), StoreError> {
        self.store(work, retention, now, false).await.map(|_| ())
    }

    async fn erase(&self, project: &Project, user: &str, until: Timestamp) -> Result<Erasure, StoreError> {
        erasure::erase(&self.primary, &self.erasing, project, user, until).await.map_err(fault("erase a person"))
    }

    async fn select_each(&self, statement: &Statement, on_row: &mut OnRow<'_>) -> Result<(), StoreError> {
        let timeout = self.statement_timeout;
        if let Some(replica) = &self.replica {
            let mut has_begun = false;
            let mut first = |row| {
                has_begun = true;
                on_row(row)
            };
            match select::select_each(replica, &self.reading, statement, timeout, &mut first).await {
                Err(StoreError::Unavailable { source, .. }) if !has_begun => {
                    tracing::warn!(error = %source, "the replica did not answer a question; the primary is asked");
                }
                answer => return answer,
            }
        }
        select::select_each(&self.primary, &self.reading, statement, timeout, on_row).await
    }

    async fn select_together(&self, statements: &[Statement], on_row: &mut OnPlacedRow<'_>) -> Result<(), StoreError> {
        let timeout = self.statement_timeout;
        if let Some(replica) = &self.replica {
            let mut has_begun = false;
            let mut first = |place, row| {
                has_begun = true;
                on_row(place, row)
            };
            match select::select_together(replica, &self.reading_together, statements, timeout, &mut first).await {
                Err(StoreError::Unavailable { source, .. }) if !has_begun => {
                    tracing::warn!(error = %source, "the replica did not answer a question; the primary is asked");
                }
                answer => return answer,
            }
        }
        select::select_together(&self.primary, &self.reading_together, statements, timeout, on_row).await
    }

    async fn refresh(&self) -> Result<Refreshed, StoreError> {
        columns::refresh(&self.primary, &self.refreshing).await.map_err(fault("make columns"))
    }

    async fn project_state(&self, project: &Project, cutoff: Timestamp) -> Result<ProjectState, StoreError> {
        transaction!(&self.primary, &self.reading, question_fault(self.statement_timeout), |connection| {
            integrity::project_state(connection, project, cutoff)
        })
    }

    async fn integrity(&self, project: &Project, from: Timestamp) -> Result<Integrity, StoreError> {
        transaction!(&self.primary, &self.reading, question_fault(self.statement_timeout), |connection| {
            integrity::integrity(connection, project, from)
        })
    }

    async fn dead_letters(
        &self,
        project: &Project,
        before: Option<DeadLetterId>,
        limit: u32,
    ) -> Result<DeadLetterPage, StoreError> {
        transaction!(&self.primary, &self.reading, fault("list dead letters"), |connection| {
            dead_letters::page(connection, project, before, limit)
        })
    }

    async fn request_replay(&self, project: &Project, ids: Option<&[DeadLetterId]>) -> Result<u64, StoreError> {
        transaction!(&self.primary, &self.writing, fault("ask for a replay"), |connection| {
            dead_letters::request_replay(connection, project, ids)
        })
    }

    async fn replay_requests(&self, limit: u32) -> Result<Vec<DeadLetter>, StoreError> {
        transaction!(&self.primary, &self.reading, fault("list dead letters"), |connection| {
            dead_letters::replay_requests(connection, limit)
        })
    }

    async fn dead_letter_count(&self) -> Result<u64, StoreError> {
        transaction!(&self.primary, &self.reading, fault("count dead letters"), |connection| {
            dead_letters::count(connection)
        })
    }

    async fn retention(&self) -> Result<Option<Retention>, StoreError> {
        let days = transaction!(&self.primary, &self.reading, fault("read the retention"), |connection| {
            setting(connection, "retention_days")
        })?;
        Ok(days.and_then(|days| days.parse().ok()).map(|days| Retention { days }))
    }

    async fn set_retention(&self, retention: Retention) -> Result<(), StoreError> {
        let days = retention.days.to_string();
        transaction!(&self.primary, &self.writing, fault("keep the retention"), |connection| {
            put_setting(connection, "retention_days", &days)
        })
    }

    async fn maintain(&self, maintenance: Maintenance) -> Result<Upkeep, StoreError> {
        upkeep::maintain(&self.primary, &self.writing, &self.current_edition(), maintenance).await
    }
}
