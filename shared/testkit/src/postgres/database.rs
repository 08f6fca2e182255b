//! Fresh databases of shared servers.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use super::edition::Edition;
use super::server::{PostgresOptions, PostgresServer};
use crate::Result;

/// The server of `edition` that all tests of this process share; started by the first that asks.
///
/// Do not kill or reconfigure it: start one of your own for that.
///
/// # Errors
/// Where it does not come up.
pub fn shared(edition: Edition) -> Result<Arc<PostgresServer>> {
    static SERVERS: Mutex<BTreeMap<Edition, Arc<PostgresServer>>> = Mutex::new(BTreeMap::new());
    // A start that panicked left no entry behind, so the map is whole.
    let mut servers = match SERVERS.lock() {
        Ok(servers) => servers,
        Err(poisoned) => poisoned.into_inner(),
    };
    if let Some(server) = servers.get(&edition) {
        return Ok(Arc::clone(server));
    }
    let server = Arc::new(PostgresServer::start(PostgresOptions::new(edition))?);
    servers.insert(edition, Arc::clone(&server));
    Ok(server)
}

/// A fresh, empty database of the shared server of `edition`.
///
/// # Errors
/// Where the server does not come up.
pub fn database(edition: Edition) -> Result<Database> {
    Database::create(&shared(edition)?)
}

/// An empty database of a test's own, dropped with its value even where connections are open.
///
/// TimescaleDB is not created in it: that is for the code under test.
#[derive(Debug)]
pub struct Database {
    server: Arc<PostgresServer>,
    name: String,
}

impl Database {
    /// Makes a database on `server`.
    ///
    /// # Errors
    /// Where the server cannot be reached.
    pub fn create(server: &Arc<PostgresServer>) -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        server.psql("postgres", &format!("create database {name}"))?;
        Ok(Self { server: Arc::clone(server), name })
    }

    /// `postgres://postgres@127.0.0.1:PORT/NAME`.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url(&self.name)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The server that it is on.
    #[must_use]
    pub fn server(&self) -> &Arc<PostgresServer> {
        &self.server
    }

    /// Runs SQL in it; see [`PostgresServer::psql`].
    ///
    /// # Errors
    /// Where the server refuses a statement.
    pub fn psql(&self, sql: &str) -> Result<String> {
        self.server.psql(&self.name, sql)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // A killed server drops nothing, and its folder goes anyway.
        let _ = self.server.psql("postgres", &format!("drop database if exists {} with (force)", self.name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorts_by_language_and_lives_in_an_odd_zone(edition: Edition) {
        let database = database(edition).unwrap();
        assert_eq!(database.psql("select string_agg(x, '' order by x) from unnest('{B,a}'::text[]) x").unwrap(), "aB");
        assert_eq!(database.psql("show timezone").unwrap(), "America/St_Johns");
        assert!(database.psql("select nothing").unwrap_err().to_string().contains("\"nothing\" does not exist"));
        let other = super::database(edition).unwrap();
        database.psql("create table t ()").unwrap();
        assert_eq!(other.psql("select to_regclass('t') is null").unwrap(), "t");
    }

    fn committed_rows_survive_a_kill(edition: Edition) {
        let mut server = PostgresServer::start(PostgresOptions::new(edition)).unwrap();
        server.psql("postgres", "create table t as select 1 as a").unwrap();
        server.kill9();
        assert!(server.psql("postgres", "select 1").is_err());
        server.restart().unwrap();
        assert_eq!(server.psql("postgres", "select a from t").unwrap(), "1");
    }

    #[test]
    fn plain_databases() {
        sorts_by_language_and_lives_in_an_odd_zone(Edition::Plain15);
    }

    #[test]
    fn plain_after_a_kill() {
        committed_rows_survive_a_kill(Edition::Plain15);
    }

    #[test]
    fn timescale_databases() {
        sorts_by_language_and_lives_in_an_odd_zone(Edition::Timescale17);
        let database = database(Edition::Timescale17).unwrap();
        database.psql("create extension timescaledb").unwrap();
        assert!(
            database
                .psql("select extversion from pg_extension where extname = 'timescaledb'")
                .unwrap()
                .starts_with("2.")
        );
        assert_eq!(database.psql("show timescaledb.license").unwrap(), "apache");
    }

    #[test]
    fn timescale_after_a_kill() {
        committed_rows_survive_a_kill(Edition::Timescale17);
    }
}
