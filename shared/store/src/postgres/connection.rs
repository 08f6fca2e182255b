//! How a server is reached, and the limits of a transaction.

use std::str::FromStr as _;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, Row as _};
use thiserror::Error;
use tokio::time::timeout;

use super::fault::{Cause, cause, fault};
use super::link::Pool;
use crate::{Cardinality, StoreError};

/// How a PostgreSQL store is reached.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// `postgres://` or `postgresql://`, with `sslmode` and the like as parameters.
    pub url: String,
    /// A streaming replica of it, where questions may be read from one.
    pub replica_url: Option<String>,
    /// How far the replica may be behind; further, it is left out.
    pub replica_max_lag: Duration,
    /// Whether the replica is looked at all the time, and not only by who asks. A function sleeps between requests.
    pub watch_replica: bool,
    /// Most connections to each server.
    pub max_connections: u32,
    /// The longest that a question may take.
    pub statement_timeout: Duration,
    /// The longest to wait for a free connection, making one included.
    pub acquire_timeout: Duration,
    /// Whether statements stay prepared.
    pub statement_cache: StatementCache,
    /// What the server's own views show as the name of the process.
    pub application_name: String,
    /// How many days a chunk or partition that is made from now on is wide.
    pub chunk_days: u32,
    /// How many values of a dimension a day counts one by one; the same for all who write to the database.
    pub cardinality: Cardinality,
}

/// Whether statements stay prepared on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StatementCache {
    /// They do, unless a pooler is found to stand between here and the server.
    #[default]
    Found,
    /// They do: there is no pooler, or one that follows prepared statements.
    On,
    /// They do not: a pooler gives each transaction another connection.
    Off,
}

/// As a setting says it: on, off, or nothing.
impl From<Option<bool>> for StatementCache {
    fn from(said: Option<bool>) -> Self {
        match said {
            None => Self::Found,
            Some(true) => Self::On,
            Some(false) => Self::Off,
        }
    }
}

/// A setting that only a connection of our own can carry to the server: a pooler refuses it, or drops it.
const MARK: (&str, &str) = ("analytics.direct", "on");

/// `protocol_violation`: how a pooler refuses a parameter of the start that it does not know.
const PROTOCOL_VIOLATION: &str = "08P01";

impl PostgresOptions {
    /// The usual settings for a server.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            replica_url: None,
            replica_max_lag: Duration::from_secs(5),
            watch_replica: true,
            max_connections: 10,
            statement_timeout: Duration::from_secs(30),
            acquire_timeout: Duration::from_secs(10),
            statement_cache: StatementCache::default(),
            application_name: "analytics".to_owned(),
            chunk_days: 7,
            cardinality: Cardinality::default(),
        }
    }
}

/// Reads the URL of a setting. The error says nothing of the URL's text but the value of a parameter that is wrong: it holds a
/// password.
pub(super) fn parse(
    setting: &'static str,
    url: &str,
    options: &PostgresOptions,
) -> Result<PgConnectOptions, StoreError> {
    let connect = PgConnectOptions::from_str(url).map_err(|error| {
        let form = "it takes postgres://user:password@host:5432/database, with sslmode and the like as ?name=value; sslmode is \
                    one of disable, allow, prefer, require, verify-ca and verify-full";
        StoreError::Setting { setting, reason: format!("{}; {form}", cause(error)) }
    })?;
    // Numbers come in binary, so the server need not be told how to write them: a pooler may not know that setting.
    Ok(connect.application_name(&options.application_name).extra_float_digits(None).disable_statement_logging())
}

/// A pool; no connection is made yet.
pub(super) fn pool(connect: &PgConnectOptions, options: &PostgresOptions, keeps_statements: bool) -> Pool {
    let pool = PgPoolOptions::new()
        .max_connections(options.max_connections.max(1))
        .acquire_timeout(options.acquire_timeout)
        .idle_timeout(Duration::from_secs(300))
        .max_lifetime(Duration::from_secs(1_800));
    let capacity = if keeps_statements { 100 } else { 0 };
    Pool::new(pool.connect_lazy_with(connect.clone().statement_cache_capacity(capacity)), keeps_statements)
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
    try_reach(options, within).await.map_err(|error| unreached(options, within, doing, error))
}

/// Makes a connection, and gives whether statements can stay prepared on such a one.
pub(super) async fn keeps_statements(
    connect: &PgConnectOptions,
    cache: StatementCache,
    within: Duration,
    doing: &'static str,
) -> Result<bool, StoreError> {
    let keeps = match cache {
        StatementCache::On => true,
        StatementCache::Off => false,
        StatementCache::Found => {
            let marked = connect.clone().options([MARK]);
            match try_reach(&marked, within).await {
                Ok(connection) => return is_marked(connection).await.map_err(fault(doing)),
                Err(Some(sqlx::Error::Database(error))) if error.code().as_deref() == Some(PROTOCOL_VIOLATION) => false,
                Err(error) => return Err(unreached(connect, within, doing, error)),
            }
        }
    };
    // It has done its work, however it ends.
    let _ = reach(connect, within, doing).await?.close().await;
    Ok(keeps)
}

async fn is_marked(mut connection: PgConnection) -> Result<bool, sqlx::Error> {
    let row = sqlx::raw_sql("SELECT current_setting('analytics.direct', true)").fetch_one(&mut connection).await?;
    let mark: Option<String> = row.try_get(0)?;
    let _ = connection.close().await;
    Ok(mark.as_deref() == Some(MARK.1))
}

/// One connection; the error is `None` where nothing answers in time.
async fn try_reach(options: &PgConnectOptions, within: Duration) -> Result<PgConnection, Option<sqlx::Error>> {
    match timeout(within, options.connect()).await {
        Ok(connected) => connected.map_err(Some),
        Err(_) => Err(None),
    }
}

/// What to do where nobody listens, or nobody answers.
const NOT_THERE: &str = "see that the server runs, and that the URL names it";

/// What to do about a connection that could not be made.
fn mend(error: &sqlx::Error) -> &'static str {
    let sqlstate = error.as_database_error().and_then(|error| error.code());
    match sqlstate.as_deref() {
        Some("3D000") => "make it with analytics migrate --create-database, or correct the URL",
        Some("28P01" | "28000") => "see the user and the password of the URL, and pg_hba.conf of the server",
        Some("53300") => "raise max_connections of the server, or put PgBouncer before it",
        Some("57P03") => "it is starting or stopping; wait for it",
        Some(_) => "the server's log tells more",
        None if matches!(error, sqlx::Error::Tls(_)) => "see sslmode and sslrootcert of the URL",
        None => NOT_THERE,
    }
}

fn unreached(
    options: &PgConnectOptions,
    within: Duration,
    doing: &'static str,
    error: Option<sqlx::Error>,
) -> StoreError {
    let mend = error.as_ref().map_or(NOT_THERE, mend);
    let source = match error {
        Some(error) => cause(error),
        None => format!("no answer within {} s", within.as_secs_f64()).into(),
    };
    let source = format!("{source}; {mend}").into();
    let server = match options.get_socket() {
        Some(folder) => folder.display().to_string(),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    };
    let database = options.get_database().unwrap_or_else(|| options.get_username());
    let place = format!("{server} (database {database})");
    StoreError::Unavailable { doing, source: Box::new(CannotConnect { place, source }) }
}

/// The statements that begin a transaction, and its limits. They are the transaction's own (`SET LOCAL`), so that they hold
/// behind a pooler too, and cost no exchange of their own.
#[derive(Debug, Clone)]
pub(super) struct Begin(String);

impl Begin {
    /// Its statements.
    pub(super) fn text(&self) -> &str {
        &self.0
    }

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
