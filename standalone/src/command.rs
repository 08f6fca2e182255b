//! The commands, each a verb of its own file.

use std::process::ExitCode;

use analytics_host::config::Variables;
use analytics_host::program::Failure;
use clap::{Args, Subcommand};

use crate::backup::{self, BackupOptions};
use crate::dead_letters::{self, DeadLetterCommand};
use crate::demo::{self, DemoOptions};
use crate::doctor::{self, DoctorOptions};
use crate::erase_user::{self, EraseUserOptions};
use crate::import::{self, ImportOptions};
use crate::keys::{self, KeyCommand};
use crate::output::{remark, say, say_all};
use crate::reach::Reached;
use crate::{healthcheck, migrate, serve};

/// What a command ends with.
pub type Ended = Result<ExitCode, Failure>;

/// Where the running server is.
#[derive(Debug, Args)]
pub struct Server {
    /// The server to talk to, http:// or https:// [default: http://127.0.0.1:4000]; where none answers on this machine and
    /// DATA_DIR is free, the command says so and opens the folder itself
    #[arg(long, value_name = "URL", global = true)]
    pub url: Option<String>,
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
    ///
    /// A row without an id gets one made of the file's first row, its number and its content: the same file again adds
    /// nothing, packed or not, and a log that has grown at its end adds what is new. A log whose beginning was cut off or
    /// changed is another file. Rows that cannot be taken are told by their lines, the others are sent. Exit status: 0 all
    /// accepted, 1 stopped or not begun, 2 some refused. More: docs/import.md
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
    /// Lists, makes and revokes keys of a project: those that ask, and those that web pages send with
    ///
    /// It is all about the project of the admin key that is asked with (--key, or ANALYTICS_API_KEY), at the server of --url. A
    /// key that sends works at every collector within 10 seconds of being made, and a key that is revoked opens nothing within 10
    /// seconds; no process is started anew. Keys of API_KEYS and WRITE_KEYS are listed too, and changed where they are set. More:
    /// docs/security.md
    Keys {
        #[command(subcommand)]
        command: KeyCommand,
        #[command(flatten)]
        server: Server,
        /// The admin key to ask with, where the server wants one
        #[arg(long, env = "ANALYTICS_API_KEY", hide_env_values = true, value_name = "KEY", global = true)]
        key: Option<String>,
    },
    /// Erases a person: all events of the user, and the unnamed ones of their sessions (docs/erasure.md)
    EraseUser {
        #[command(flatten)]
        options: EraseUserOptions,
        #[command(flatten)]
        server: Server,
        /// The admin key to ask with, where the server wants one
        #[arg(long, env = "ANALYTICS_API_KEY", hide_env_values = true, value_name = "KEY")]
        key: Option<String>,
    },
    /// Copies the data in DATA_DIR to a new folder, from under a running server too (docs/backup.md)
    Backup {
        #[command(flatten)]
        options: BackupOptions,
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
                let reached = Reached::reach(server.url.as_deref(), variables).await?;
                let imported = import::import(&options, &reached.address, |line| remark(line)).await;
                let settled = if imported.is_ok() { reached.settle().await } else { Ok(()) };
                reached.close().await;
                let imported = imported?;
                say_all(&imported.lines(options.shift_to_now));
                settled?;
                match imported.stopped {
                    Some(stopped) => Err(stopped.into()),
                    None => Ok(ended(imported.refused)),
                }
            }
            Self::Demo { options, server } => {
                let reached = Reached::reach(server.url.as_deref(), variables).await?;
                let sent = demo::run(&options, &reached.address, say).await;
                let settled = if sent.is_ok() { reached.settle().await } else { Ok(()) };
                reached.close().await;
                let sent = sent?;
                say_all(&demo::lines(&sent));
                settled?;
                Ok(ended(sent.rejected))
            }
            Self::DeadLetters { command, server, key } => {
                let reached = Reached::reach(server.url.as_deref(), variables).await?;
                let lines = dead_letters::run(&command, &reached.address, key.as_deref()).await;
                reached.close().await;
                say_all(&lines?);
                Ok(ExitCode::SUCCESS)
            }
            Self::Keys { command, server, key } => {
                let reached = Reached::reach(server.url.as_deref(), variables).await?;
                let done = keys::run(&command, &reached.address, key.as_deref()).await;
                reached.close().await;
                let done = done?;
                done.remarks.iter().for_each(remark);
                say_all(&done.lines);
                Ok(ExitCode::SUCCESS)
            }
            Self::EraseUser { options, server, key } => {
                erase_user::confirm(&options)?;
                let reached = Reached::reach(server.url.as_deref(), variables).await?;
                let erased = erase_user::run(&options, &reached.address, key.as_deref()).await;
                reached.close().await;
                erased
            }
            Self::Backup { options } => backup::run(&options, variables).await,
            Self::Doctor { options } => doctor::run(&options, variables).await,
            Self::Healthcheck { url } => {
                say(healthcheck::ask(&url).await?);
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

/// 2 where events were refused.
fn ended(refused: u64) -> ExitCode {
    if refused == 0 { ExitCode::SUCCESS } else { ExitCode::from(2) }
}
