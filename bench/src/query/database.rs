//! The database that is asked: made for one run, or one of the caller's, which stays.

use std::process::Command;
use std::sync::Arc;

use analytics_store::EventStore;
use analytics_store::postgres::{PostgresOptions as StoreOptions, PostgresStore};
use analytics_testkit::postgres::{Database, Edition, PostgresOptions, PostgresServer};

use crate::Outcome;

/// A database with our tables.
pub struct Base {
    url: String,
    /// Its server ends with it.
    _made: Option<Database>,
}

impl Base {
    /// One on a server of its own, that syncs its commits.
    pub fn make() -> Outcome<Self> {
        let mut options = PostgresOptions::new(Edition::Timescale17);
        options.durable = true;
        options.settings.push(("shared_buffers".into(), "1GB".into()));
        options.settings.push(("max_wal_size".into(), "2GB".into()));
        let database = Database::create(&Arc::new(PostgresServer::start(options)?))?;
        Ok(Self { url: database.url(), _made: Some(database) })
    }

    /// The one at this address.
    pub fn at(url: &str) -> Self {
        Self { url: url.to_owned(), _made: None }
    }

    /// `postgres://…`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The store in it, with its tables made.
    pub async fn store(&self) -> Outcome<Arc<dyn EventStore>> {
        let store = PostgresStore::connect(StoreOptions::new(self.url.clone())).await?;
        store.migrate().await?;
        Ok(Arc::new(store))
    }

    /// How many events it holds.
    pub fn events(&self) -> Outcome<u64> {
        Ok(self.psql("SELECT count(*) FROM raw_events")?.trim().parse()?)
    }

    /// Runs SQL by psql and gives its lines back.
    pub fn psql(&self, sql: &str) -> Outcome<String> {
        let output = Command::new("psql")
            // The caller's own settings for psql must not change what is measured.
            .env_remove("PGOPTIONS")
            .env("PGCONNECT_TIMEOUT", "10")
            .args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--set=ON_ERROR_STOP=1"])
            .args(["--dbname", &self.url, "--command", sql])
            .output()?;
        match output.status.success() {
            true => Ok(String::from_utf8(output.stdout)?),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned().into()),
        }
    }
}
