//! The adapter itself.

use std::ops::ControlFlow;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use analytics_domain::{BatchOutcome, DeadLetter, DeadLetterId, Project, Retention, Timestamp};
use analytics_query::{Dialect, Row, Statement};
use async_trait::async_trait;
use sqlx::postgres::PgConnectOptions;

use super::connection::{self, Begin, PostgresOptions, StatementCache};
use super::fault::{fault, question_fault};
use super::known_sessions::KnownSessions;
use super::link::{Link, Pool, Session};
use super::replica::{self, Replica};
use super::settings::{put_setting, setting};
use super::{columns, dead_letters, edition, erasure, footprint, ingest, integrity, select, upkeep};
use crate::cardinality::Cardinality;
use crate::migration::{self, POSTGRES, SchemaState, schema_state};
use crate::{
    DeadLetterPage, Edition, Erasure, EventStore, Footprint, Ingest, Inquiry, Integrity, Maintenance, OnRow,
    ProjectState, Reading, Refreshed, ReplicaReport, StoreError, Upkeep,
};

/// The longest that a statement which writes may take.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// Serializes migrations over processes.
const MIGRATION_LOCK: i64 = 0x616E_616C_7974_6900;

/// The store on a PostgreSQL server.
#[derive(Debug, Clone)]
pub struct PostgresStore {
    pub(super) primary: Pool,
    replica: Option<Arc<Replica>>,
    health: Pool,
    connect: PgConnectOptions,
    edition: Arc<RwLock<Edition>>,
    pub(super) writing: Begin,
    storing: Begin,
    /// Of what this process wrote; clones share it.
    known_sessions: Arc<KnownSessions>,
    cardinality: Cardinality,
    chunk_days: u32,
    pub(super) reading: Begin,
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

pub(super) use transaction;

impl PostgresStore {
    /// Reaches the server and finds what it is. The schema is not touched: see [`EventStore::migrate`].
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where the server cannot be reached, [`StoreError::Setting`] where a URL cannot be read, or the
    /// server is older than PostgreSQL 15.
    pub async fn connect(options: PostgresOptions) -> Result<Self, StoreError> {
        let fault = fault("reach the database");
        let connect = connection::parse("DATABASE_URL", &options.url, &options)?;
        let keeps_statements = connection::keeps_statements(
            &connect,
            options.statement_cache,
            options.acquire_timeout,
            "reach the database",
        )
        .await?;
        if !keeps_statements && options.statement_cache == StatementCache::Found {
            tracing::info!("a pooler stands before the database; statements are prepared anew each time");
        }
        let primary = connection::pool(&connect, &options, keeps_statements);
        // Of its own, so that slow questions on every other connection do not look like a server that does not answer.
        let one = PostgresOptions { max_connections: 1, ..options.clone() };
        let health = connection::pool(&connect, &one, keeps_statements);
        let replica = options.replica_url.as_deref().map(|url| Replica::new(url, &options)).transpose()?.map(Arc::new);
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
        if let Some(replica) = replica.as_ref().filter(|_| options.watch_replica) {
            tokio::spawn(replica::watch(Arc::downgrade(replica), health.clone()));
        }
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
            chunk_days: options.chunk_days.max(1),
            reading_together: Begin::reading_one_state(options.statement_timeout),
            refreshing: Begin::writing_of_one_state(WRITE_TIMEOUT, server.commits_late),
            erasing: Begin::erasing(server.commits_late),
            reading,
            statement_timeout: options.statement_timeout,
        })
    }

    /// Whether statements are prepared anew each time, as behind a pooler.
    #[must_use]
    pub fn goes_through_a_pooler(&self) -> bool {
        !self.primary.keeps_statements()
    }

    /// Looks at the replica now, and gives what was found; `None` where none is set.
    pub async fn look_at_replica(&self) -> Option<ReplicaReport> {
        let replica = self.replica.as_ref()?;
        replica.look(&self.health).await;
        Some(replica.report())
    }

    /// Closes every connection after its running statement.
    pub async fn close(&self) {
        self.primary.close().await;
        self.health.close().await;
        if let Some(replica) = &self.replica {
            replica.close().await;
        }
    }

    /// Begins a question's transaction on the replica, where the question may be read from it; with how far it has come.
    async fn on_replica(&self, reading: Reading, begin: &Begin) -> Option<(&Replica, Session, i64)> {
        let (Some(replica), Reading::Replica { at_least }) = (&self.replica, reading) else { return None };
        let (session, replayed) = replica.begin(&self.health, begin, at_least).await?;
        Some((replica.as_ref(), session, replayed))
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
    async fn refresh_edition(&self, connection: &mut Link) -> Result<(), sqlx::Error> {
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
pub(super) async fn applied(connection: &mut Link) -> Result<Option<i64>, sqlx::Error> {
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

/// The primary answers what the replica failed at, unless rows were handed over already: those cannot be taken back here.
fn replaced(source: Box<dyn std::error::Error + Send + Sync>, has_begun: bool) -> Result<(), StoreError> {
    if has_begun {
        return Err(StoreError::ReplicaLost { source });
    }
    tracing::warn!(error = %source, "the replica did not answer a question; the primary is asked");
    Ok(())
}

/// Knows whether something of an inquiry cannot be taken back: a row was handed over, or what comes behind the first statement
/// was decided.
struct Begun<'i> {
    inquiry: &'i mut dyn Inquiry,
    has_begun: bool,
}

impl Inquiry for Begun<'_> {
    fn statement(&mut self, place: usize) -> Option<Statement> {
        self.has_begun |= place > 0;
        self.inquiry.statement(place)
    }

    fn push(&mut self, place: usize, row: Row) -> ControlFlow<()> {
        self.has_begun = true;
        self.inquiry.push(place, row)
    }
}

/// Asks for next to nothing, within two seconds.
async fn ping(pool: &Pool) -> Result<(), StoreError> {
    let fault = fault("answer a health check");
    match tokio::time::timeout(Duration::from_secs(2), sqlx::raw_sql("SELECT 1").execute(pool.driver())).await {
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

    fn replica(&self) -> Option<ReplicaReport> {
        self.replica.as_ref().map(|replica| replica.report())
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
        let erased = erasure::erase(&self.primary, &self.erasing, project, user, until).await;
        let erased = erased.map_err(fault("erase a person"))?;
        if let Some(replica) = &self.replica {
            // Who is told of the erasure finds the person in no answer, wherever it is read from.
            replica.follow(&self.health).await;
        }
        Ok(erased)
    }

    async fn select_each(
        &self,
        reading: Reading,
        statement: &Statement,
        on_row: &mut OnRow<'_>,
    ) -> Result<(), StoreError> {
        let timeout = self.statement_timeout;
        if let Some((replica, session, _)) = self.on_replica(reading, &self.reading).await {
            let mut has_begun = false;
            let mut first = |row| {
                has_begun = true;
                on_row(row)
            };
            match replica.answer(select::select_each(session, statement, timeout, &mut first)).await {
                Err(StoreError::Unavailable { source, .. }) => replaced(source, has_begun)?,
                answer => return answer,
            }
        }
        let session = Session::begin(&self.primary, &self.reading).await.map_err(question_fault(timeout))?;
        select::select_each(session, statement, timeout, on_row).await
    }

    async fn select_together(&self, reading: Reading, inquiry: &mut dyn Inquiry) -> Result<(), StoreError> {
        let timeout = self.statement_timeout;
        if let Some((replica, session, _)) = self.on_replica(reading, &self.reading_together).await {
            let mut first = Begun { inquiry: &mut *inquiry, has_begun: false };
            match replica.answer(select::select_together(session, &mut first, timeout)).await {
                Err(StoreError::Unavailable { source, .. }) => replaced(source, first.has_begun)?,
                answer => return answer,
            }
        }
        let session = Session::begin(&self.primary, &self.reading_together).await.map_err(question_fault(timeout))?;
        select::select_together(session, inquiry, timeout).await
    }

    async fn refresh(&self) -> Result<Refreshed, StoreError> {
        columns::refresh(&self.primary, &self.refreshing).await.map_err(fault("make columns"))
    }

    async fn project_state(&self, project: &Project, cutoff: Timestamp) -> Result<ProjectState, StoreError> {
        let fault = question_fault(self.statement_timeout);
        let anywhere = Reading::Replica { at_least: 0 };
        if let Some((replica, mut session, replayed)) = self.on_replica(anywhere, &self.reading).await {
            let found = replica.answer(async move {
                let state = integrity::project_state(session.connection().map_err(fault)?, project, cutoff).await;
                let state = state.map_err(fault)?;
                session.commit().await.map_err(fault)?;
                Ok(ProjectState { reading: Reading::Replica { at_least: replayed }, ..state })
            });
            match found.await {
                Err(StoreError::Unavailable { source, .. }) => replaced(source, false)?,
                found => return found,
            }
        }
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

    async fn footprint(&self, now: Timestamp, dedupe_days: u32) -> Result<Footprint, StoreError> {
        let has_chunks = !matches!(self.current_edition(), Edition::Postgres { .. });
        transaction!(&self.primary, &self.reading, question_fault(self.statement_timeout), |connection| {
            footprint::footprint(connection, has_chunks, now, dedupe_days)
        })
    }

    async fn maintain(&self, maintenance: Maintenance) -> Result<Upkeep, StoreError> {
        upkeep::maintain(&self.primary, &self.writing, &self.current_edition(), self.chunk_days, maintenance).await
    }
}
