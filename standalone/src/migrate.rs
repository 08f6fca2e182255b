//! `analytics migrate`: the schema, by hand.

use std::process::ExitCode;

use analytics_host::config::{RoleConfig, StandaloneConfig, Variables};
use analytics_store::EventStore;
use analytics_store::postgres::{PostgresStore, create_database};
use analytics_store::sqlite::{SqliteOptions, SqliteStore};

use crate::command::Ended;
use crate::output::say;
use crate::stack::{DataFolder, EVENTS, postgres_options};

/// Applies what is pending; with `create` the database is made first.
pub async fn run(variables: &Variables, create: bool) -> Ended {
    let config = StandaloneConfig::read(variables)?;
    let applied = match &config.database {
        Some(database) => {
            if create && create_database(&database.url).await? {
                say("the database was made");
            }
            let store = PostgresStore::connect(postgres_options(database, 1)).await?;
            let applied = store.migrate().await?;
            store.close().await;
            applied
        }
        None => {
            let _folder = DataFolder::hold(&config.data_dir)?;
            let store = SqliteStore::open(config.data_dir.join(EVENTS), SqliteOptions::default()).await?;
            let applied = store.migrate().await?;
            store.close().await;
            applied
        }
    };
    match applied {
        0 => say("the schema is up to date"),
        1 => say("1 migration was applied"),
        count => say(format_args!("{count} migrations were applied")),
    };
    Ok(ExitCode::SUCCESS)
}
