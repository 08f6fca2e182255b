//! A connection of a pool, and one transaction on it.
//!
//! Everything that is asked of a server is asked within a transaction, and leaves nothing behind on the connection: a pooler
//! in transaction mode (PgBouncer) may stand in between.

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnection, PgPool, PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use sqlx::{AssertSqlSafe, Either, Execute, Executor, Postgres, Row as _, SqlStr};

use super::connection::Begin;

/// Connections to one server.
#[derive(Debug, Clone)]
pub(super) struct Pool {
    driver: PgPool,
    keeps_statements: bool,
}

impl Pool {
    /// A pool whose statements stay prepared or not.
    pub(super) fn new(driver: PgPool, keeps_statements: bool) -> Self {
        Self { driver, keeps_statements }
    }

    /// The driver's pool, for what is sent as it is and needs no transaction.
    pub(super) fn driver(&self) -> &PgPool {
        &self.driver
    }

    /// Whether statements stay prepared.
    pub(super) fn keeps_statements(&self) -> bool {
        self.keeps_statements
    }

    /// Closes every connection after its running statement.
    pub(super) async fn close(&self) {
        self.driver.close().await;
    }

    async fn link(&self) -> Result<Link, sqlx::Error> {
        Ok(Link { driver: self.driver.acquire().await?, keeps_statements: self.keeps_statements })
    }
}

/// A connection inside a transaction.
///
/// The driver names each statement that it prepares, and without a cache never takes a name back. Behind a pooler such a name
/// meets that of another client on the same connection. So where statements are not kept they are prepared without a name.
#[derive(Debug)]
pub(super) struct Link {
    driver: PoolConnection<Postgres>,
    keeps_statements: bool,
}

impl Link {
    /// The driver's connection, for COPY.
    pub(super) fn driver(&mut self) -> &mut PgConnection {
        &mut self.driver
    }
}

/// A statement that is prepared without a name.
struct Unnamed<E>(E);

impl<'q, E: Execute<'q, Postgres>> Execute<'q, Postgres> for Unnamed<E> {
    fn sql(self) -> SqlStr {
        self.0.sql()
    }

    fn statement(&self) -> Option<&PgStatement> {
        self.0.statement()
    }

    fn take_arguments(&mut self) -> Result<Option<<Postgres as sqlx::Database>::Arguments>, sqlx::error::BoxDynError> {
        self.0.take_arguments()
    }

    fn persistent(&self) -> bool {
        false
    }
}

impl<'c> Executor<'c> for &'c mut Link {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Either<PgQueryResult, PgRow>, sqlx::Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        if self.keeps_statements {
            Executor::fetch_many(&mut *self.driver, query)
        } else {
            Executor::fetch_many(&mut *self.driver, Unnamed(query))
        }
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, sqlx::Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        if self.keeps_statements {
            Executor::fetch_optional(&mut *self.driver, query)
        } else {
            Executor::fetch_optional(&mut *self.driver, Unnamed(query))
        }
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, Result<PgStatement, sqlx::Error>>
    where
        'c: 'e,
    {
        Executor::prepare_with(&mut *self.driver, sql, parameters)
    }
}

/// One transaction on a connection of the pool. Dropped before its end it closes the connection, and with it the transaction:
/// a COPY or an answer that was left half-way is never met by the next user of the connection.
#[derive(Debug)]
pub(super) struct Session {
    link: Option<Link>,
}

impl Session {
    /// Takes a connection and begins.
    pub(super) async fn begin(pool: &Pool, begin: &Begin) -> Result<Self, sqlx::Error> {
        let mut session = Self { link: Some(pool.link().await?) };
        // The text is one of the fixed ones of `Begin`, with numbers of our own.
        session.connection()?.execute(sqlx::raw_sql(AssertSqlSafe(begin.text()))).await?;
        Ok(session)
    }

    /// The same on a standby; with how much of the log it has replayed.
    pub(super) async fn begin_on_standby(pool: &Pool, begin: &Begin) -> Result<(Self, i64), sqlx::Error> {
        let mut session = Self { link: Some(pool.link().await?) };
        // One exchange with the beginning: each question knows it of the very server that answers.
        let text = format!("{}; SELECT coalesce((pg_last_wal_replay_lsn() - '0/0')::int8, 0)", begin.text());
        let row = session.connection()?.fetch_one(sqlx::raw_sql(AssertSqlSafe(text))).await?;
        let replayed = row.try_get(0)?;
        Ok((session, replayed))
    }

    /// The connection inside the transaction.
    pub(super) fn connection(&mut self) -> Result<&mut Link, sqlx::Error> {
        self.link.as_mut().ok_or(sqlx::Error::PoolClosed)
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
        self.link = None;
        Ok(())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(link) = self.link.take() {
            drop(link.driver.detach());
        }
    }
}
