//! `analytics doctor`: what is wrong with the set-up, and how to mend it.

use std::error::Error;
use std::process::ExitCode;

use analytics_host::config::{StandaloneConfig, Variables};
use analytics_messaging::redis::{RedisOptions, RedisQueue};
use analytics_store::postgres::PostgresStore;
use analytics_store::{Edition, EventStore};

use crate::command::Ended;
use crate::healthcheck;
use crate::stack::{DataFolder, FolderError, postgres_options};

/// Looks at everything that is set and tells each finding on a line; fails where something is wrong.
pub async fn run(variables: &Variables) -> Ended {
    let mut findings = Findings::default();
    match StandaloneConfig::read(variables) {
        Err(error) => findings.wrong("settings", &error),
        Ok(config) => {
            findings.fine("settings", "every variable that is set can be used");
            config.common.warnings.iter().for_each(|warning| findings.note("settings", warning));
            check_folder(&mut findings, &config).await;
            if let Some(database) = &config.database {
                check_database(&mut findings, postgres_options(database, 1)).await;
            }
        }
    }
    if let Some(url) = variables.get("REDIS_URL") {
        match RedisQueue::connect(RedisOptions::new(url.as_str())).await {
            Ok(_) => findings.fine("redis", "it answers, keeps what it is given, and evicts nothing"),
            Err(error) => findings.wrong("redis", &error),
        }
    }
    Ok(if findings.wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn check_folder(findings: &mut Findings, config: &StandaloneConfig) {
    let folder = config.data_dir.display();
    match DataFolder::hold(&config.data_dir) {
        Ok(_) => findings.fine("folder", &format!("{folder} can be written, and no other process holds it")),
        Err(FolderError::InUse { .. }) => {
            let url = format!("http://{}:{}", config.http.host, config.http.port);
            match healthcheck::ask(&url).await {
                Ok(_) => findings.fine("folder", &format!("{folder} is held by the server that answers on {url}")),
                Err(error) => findings.wrong("folder", &error),
            }
        }
        Err(error) => findings.wrong("folder", &error),
    }
}

async fn check_database(findings: &mut Findings, options: analytics_store::postgres::PostgresOptions) {
    let store = match PostgresStore::connect(options).await {
        Ok(store) => store,
        Err(error) => return findings.wrong("database", &error),
    };
    match store.edition() {
        Edition::TimescaleCommunity { version } => findings.fine("database", &format!("TimescaleDB {version}, community licence")),
        Edition::TimescaleApache { version } => findings.note(
            "database",
            &format!("TimescaleDB {version}, Apache 2 licence: no compression and no policies; the processor drops old chunks itself"),
        ),
        Edition::Postgres { version } => findings.note(
            "database",
            &format!("PostgreSQL {version} without TimescaleDB: old events are deleted row by row; with the timescaledb extension they are dropped by the chunk"),
        ),
        Edition::Sqlite { version } => findings.fine("database", &format!("SQLite {version}")),
    }
    match store.check_schema().await {
        Ok(()) => findings.fine("schema", "it is the one this build needs"),
        Err(error) => findings.wrong("schema", &error),
    }
}

#[derive(Default)]
struct Findings {
    wrong: usize,
}

impl Findings {
    fn fine(&mut self, what: &str, sentence: &str) {
        println!("ok     {what}: {sentence}");
    }

    fn note(&mut self, what: &str, sentence: &str) {
        println!("note   {what}: {sentence}");
    }

    fn wrong(&mut self, what: &str, error: &(dyn Error + 'static)) {
        self.wrong += 1;
        let told = analytics_host::failure::chain(error);
        println!("WRONG  {what}: {told}");
    }
}
