//! The commands, each a verb of its own file.

use std::process::ExitCode;

use analytics_host::config::Variables;
use analytics_host::program::Failure;
use clap::{Args, Subcommand};

use crate::dead_letters::{self, DeadLetterCommand};
use crate::demo::{self, DemoOptions};
use crate::doctor::{self, DoctorOptions};
use crate::import::{self, ImportOptions};
use crate::reach::Reached;
use crate::{healthcheck, migrate, serve};

/// What a command ends with.
pub type Ended = Result<ExitCode, Failure>;

/// Where the running server is.
#[derive(Debug, Args)]
pub struct Server {
    /// The server to talk to; where none answers there and DATA_DIR is free, the command opens the folder itself
    #[arg(long, default_value = "http://127.0.0.1:4000", value_name = "URL")]
    pub url: String,
}

/// A command of `analytics`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serves everything in one process (what happens without a command)
    Serve,
    /// Applies pending migrations to DATABASE_URL, or to the store in DATA_DIR
    Migrate {
        /// Makes the database first where it is missing
        #[arg(long)]
        create_database: bool,
    },
    /// Imports events of an NDJSON or CSV file, each exactly once however often it is run
    Import {
        #[command(flatten)]
        options: ImportOptions,
        #[command(flatten)]
        server: Server,
    },
    /// Sends a believable stream of made-up visitors
    Demo {
        #[command(flatten)]
        options: DemoOptions,
        #[command(flatten)]
        server: Server,
    },
    /// Lists what could not be stored, or has it tried again
    DeadLetters {
        #[command(subcommand)]
        command: DeadLetterCommand,
        #[command(flatten)]
        server: Server,
        /// The API key to ask with, where the server wants one
        #[arg(long, env = "ANALYTICS_API_KEY", hide_env_values = true, value_name = "KEY", global = true)]
        key: Option<String>,
    },
    /// Looks at settings, folder and servers, and tells what is wrong and how to mend it
    Doctor {
        #[command(flatten)]
        options: DoctorOptions,
    },
    /// Asks a server for its health; the exit status is the answer
    Healthcheck {
        /// The server, or the whole address of a health page
        #[arg(default_value = "http://127.0.0.1:4000")]
        url: String,
    },
}

impl Command {
    /// Runs the command.
    pub async fn run(self, variables: &Variables) -> Ended {
        match self {
            Self::Serve => serve::run(variables).await,
            Self::Migrate { create_database } => migrate::run(variables, create_database).await,
            Self::Import { options, server } => {
                let reached = Reached::reach(&server.url, variables).await?;
                let imported = import::import(&options, &reached.url).await;
                if imported.is_ok() {
                    reached.settle().await?;
                }
                reached.close().await;
                tell_imported(&imported?)
            }
            Self::Demo { options, server } => {
                let reached = Reached::reach(&server.url, variables).await?;
                let accepted = demo::run(&options, &reached.url, |line| println!("{line}")).await;
                if accepted.is_ok() {
                    reached.settle().await?;
                }
                reached.close().await;
                println!("{} events of made-up visitors were accepted", accepted?);
                Ok(ExitCode::SUCCESS)
            }
            Self::DeadLetters { command, server, key } => {
                let reached = Reached::reach(&server.url, variables).await?;
                let lines = dead_letters::run(&command, &reached.url, key.as_deref()).await;
                reached.close().await;
                lines?.iter().for_each(|line| println!("{line}"));
                Ok(ExitCode::SUCCESS)
            }
            Self::Doctor { options } => doctor::run(&options, variables).await,
            Self::Healthcheck { url } => {
                println!("{}", healthcheck::ask(&url).await?);
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

fn tell_imported(imported: &import::Imported) -> Ended {
    println!("{} rows read, {} events accepted, {} refused", imported.rows, imported.accepted, imported.rejected);
    imported.reasons.iter().for_each(|reason| println!("  {reason}"));
    if imported.reasons.iter().any(|reason| reason.contains("timestamp_out_of_range")) {
        println!(
            "  old events are refused by RETENTION_DAYS; set RETENTION_DAYS=0 to keep all, or import with --shift-to-now"
        );
    }
    println!("events that were stored before count once: running the same import again adds nothing");
    Ok(if imported.rejected == 0 { ExitCode::SUCCESS } else { ExitCode::from(2) })
}
