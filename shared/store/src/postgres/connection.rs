//! Pools, and one transaction with its limits.

use std::str::FromStr as _;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Executor as _, Postgres};
use thiserror::Error;
use tokio::time::timeout;

use super::fault::{Cause, cause, fault};
use crate::{Cardinality, StoreError};

/// How a PostgreSQL store is reached.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// `postgres://` or `postgresql://`, with `sslmode` and the like as parameters.
    pub url: String,
    /// Where questions go, where that is another server.
    pub replica_url: Option<String>,
    /// Most connections to each server.
    pub max_connections: u32,
    /// The longest that a question may take.
    pub statement_timeout: Duration,
    /// The longest to wait for a free connection, making one included.
    pub acquire_timeout: Duration,
    /// Whether statements stay prepared. Off for a pooler in transaction mode that does not follow prepared statements.
    pub statement_cache: bool,
    /// What the server's own views show as the name of the process.
    pub application_name: String,
    /// How many values of a dimension a day counts one by one; the same for all who write to the database.
    pub cardinality: Cardinality,
}

impl PostgresOptions {
    /// The usual settings for a server.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            replica_url: None,
            max_connections: 10,
            statement_timeout: Duration::from_secs(30),
            acquire_timeout: Duration::from_secs(10),
            statement_cache: true,
            application_name: "analytics".to_owned(),
            cardinality: Cardinality::default(),
        }
    }
}

/// Reads a URL. The error says nothing of the URL's text, which holds a password.
pub(super) fn parse(url: &str, options: &PostgresOptions) -> Result<PgConnectOptions, StoreError> {
    let connect = PgConnectOptions::from_str(url).map_err(fault("read the database's URL"))?;
    let capacity = if options.statement_cache { 100 } else { 0 };
    Ok(connect
        .application_name(&options.application_name)
        .statement_cache_capacity(capacity)
        .disable_statement_logging())
}

/// A pool; no connection is made yet.
pub(super) fn pool(url: &str, options: &PostgresOptions) -> Result<PgPool, StoreError> {
    let pool = PgPoolOptions::new()
        .max_connections(options.max_connections.max(1))
        .acquire_timeout(options.acquire_timeout)
        .idle_timeout(Duration::from_secs(300))
        .max_lifetime(Duration::from_secs(1_800));
    Ok(pool.connect_lazy_with(parse(url, options)?))
}

/// No connection can be made to a server. Tells where the server is, never with what password it was asked.
#[derive(Debug, Error)]
#[error("cannot connect to {place}")]
struct CannotConnect {
    place: String,
    #[source]
    source: Cause,
}

/// One connection, to learn why there is none: a pool tries again by itself until its time is over, and says only that.
pub(super) async fn reach(
    options: &PgConnectOptions,
    within: Duration,
    doing: &'static str,
) -> Result<PgConnection, StoreError> {
    let source = match timeout(within, options.connect()).await {
        Ok(Ok(connection)) => return Ok(connection),
        Ok(Err(error)) => cause(error),
        Err(_) => format!("no answer within {} s", within.as_secs_f64()).into(),
    };
    let server = match options.get_socket() {
        Some(folder) => folder.display().to_string(),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    };
    let database = options.get_database().unwrap_or_else(|| options.get_username());
    let place = format!("{server} (database {database})");
    Err(StoreError::Unavailable { doing, source: Box::new(CannotConnect { place, source }) })
}

/// The statements that begin a transaction, and its limits. They are the transaction's own (`SET LOCAL`), so that they hold
/// behind a pooler too, and cost no exchange of their own.
#[derive(Debug, Clone)]
pub(super) struct Begin(String);

impl Begin {
    /// A transaction that writes: no lock is waited for longer than 5 s, no statement takes longer than `timeout`, and the
    /// commit is flushed before it returns, whatever the role or the database is set to.
    pub(super) fn writing(timeout: Duration, force_flush: bool) -> Self {
        let flush = if force_flush { "; SET LOCAL synchronous_commit = on" } else { "" };
        Self(format!(
            "BEGIN; SET LOCAL statement_timeout = {}; SET LOCAL lock_timeout = 5000; \
             SET LOCAL idle_in_transaction_session_timeout = 60000{flush}",
            timeout.as_millis()
        ))
    }

    /// A transaction of events: as [`Begin::writing`], and ids are always looked up by their index, also while the server
    /// has not counted yet how large the tables have become.
    pub(super) fn storing(timeout: Duration, force_flush: bool) -> Self {
        Self(Self::writing(timeout, force_flush).0 + "; SET LOCAL enable_seqscan = off")
    }

    /// A transaction that reads; the server notices within a second that nobody waits for it any more.
    ///
    /// Without JIT: compiling a long filter takes minutes and gigabytes, and while it compiles, the server heeds neither the
    /// timeout nor a client that has gone.
    pub(super) fn reading(timeout: Duration) -> Self {
        Self(format!(
            "BEGIN READ ONLY; SET LOCAL statement_timeout = {}; SET LOCAL lock_timeout = 5000; SET LOCAL jit = off; \
             SET LOCAL client_connection_check_interval = 1000",
            timeout.as_millis()
        ))
    }

    /// A reading transaction whose statements all see the same state, each row looked up by its index: what is read is few,
    /// also where the server takes it for many.
    pub(super) fn reading_one_state(timeout: Duration) -> Self {
        Self::reading(timeout).of_one_state()
    }

    /// The same for one that writes; it fails where another changes what it writes.
    pub(super) fn writing_of_one_state(timeout: Duration, force_flush: bool) -> Self {
        Self::writing(timeout, force_flush).of_one_state()
    }

    fn of_one_state(self) -> Self {
        let Self(begin) = self;
        Self(
            begin.replacen("BEGIN", "BEGIN ISOLATION LEVEL REPEATABLE READ", 1)
                + "; SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL enable_bitmapscan = off",
        )
    }

    /// A transaction that erases: it may read all of a project's rows, however many these are, and ends when nobody waits for
    /// it any more. It keeps writers out from when it begins to wait for them, so it does not wait for ever.
    pub(super) fn erasing(force_flush: bool) -> Self {
        let flush = if force_flush { "; SET LOCAL synchronous_commit = on" } else { "" };
        Self(format!(
            "BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 30000; SET LOCAL jit = off; \
             SET LOCAL client_connection_check_interval = 1000; \
             SET LOCAL idle_in_transaction_session_timeout = 60000{flush}"
        ))
    }

    /// A transaction that waits: for another process's migration, or beside long upkeep.
    pub(super) fn waiting() -> Self {
        Self(
            "BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; \
             SET LOCAL idle_in_transaction_session_timeout = 0"
                .to_owned(),
        )
    }
}

/// One transaction on a connection of the pool. Dropped before its end it closes the connection, and with it the transaction:
/// a COPY or an answer that was left half-way is never met by the next user of the connection.
#[derive(Debug)]
pub(super) struct Session {
    connection: Option<PoolConnection<Postgres>>,
}

impl Session {
    /// Takes a connection and begins.
    pub(super) async fn begin(pool: &PgPool, begin: &Begin) -> Result<Self, sqlx::Error> {
        let mut session = Self { connection: Some(pool.acquire().await?) };
        // The text is one of the fixed ones of `Begin`, with numbers of our own.
        session.connection()?.execute(sqlx::raw_sql(AssertSqlSafe(begin.0.as_str()))).await?;
        Ok(session)
    }

    /// The connection inside the transaction.
    pub(super) fn connection(&mut self) -> Result<&mut PgConnection, sqlx::Error> {
        self.connection.as_deref_mut().ok_or(sqlx::Error::PoolClosed)
    }

    /// Makes it all durable.
    pub(super) async fn commit(self) -> Result<(), sqlx::Error> {
        self.end("COMMIT").await
    }

    /// Takes it all back.
    pub(super) async fn rollback(self) -> Result<(), sqlx::Error> {
        self.end("ROLLBACK").await
    }

    async fn end(mut self, how: &'static str) -> Result<(), sqlx::Error> {
        self.connection()?.execute(sqlx::raw_sql(how)).await?;
        // Only now the connection goes back to the pool.
        self.connection = None;
        Ok(())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            drop(connection.detach());
        }
    }
}
