//! `analytics backup`: a consistent copy of `DATA_DIR`, of a server that runs or of one that is stopped.
//!
//! The queue is copied first and the store after it. What moved from one to the other meanwhile is then in both, and counts
//! once; the other way round it would be in neither.

pub mod handover;

use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use analytics_host::config::{RoleConfig, StandaloneConfig, Variables};
use analytics_host::program::Failure;
use analytics_messaging::embedded::{EmbeddedOptions, EmbeddedQueue};
use analytics_store::sqlite;
use clap::Args;
use thiserror::Error;

use crate::command::Ended;
use crate::output::say;
use crate::stack::{DataFolder, EVENTS, FolderError, QUEUE};

/// Options of `analytics backup`.
#[derive(Debug, Args)]
pub struct BackupOptions {
    /// The folder to write to, which is made; one that is there must be empty
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// How long a running server may take to copy its queue
    #[arg(long, default_value_t = 60, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    wait: u64,
}

/// Why there is no backup.
#[derive(Debug, Error)]
pub enum BackupError {
    /// The folder is that of no server.
    #[error("{folder} holds no data; set DATA_DIR to the folder that the server uses")]
    NoData {
        /// The folder.
        folder: String,
    },
    /// Something else lies where the backup should.
    #[error(
        "{folder} is not empty; name a folder that is not there yet, so that no older backup is mixed with this one"
    )]
    NotEmpty {
        /// The folder.
        folder: String,
    },
    /// SQLite takes paths as text.
    #[error("{folder} has characters that are no UTF-8; name a folder without such")]
    NotText {
        /// The folder, as well as it can be shown.
        folder: String,
    },
    /// The system refuses.
    #[error("the backup cannot be written to {folder}")]
    Unwritable {
        /// The folder.
        folder: String,
        /// The system's error.
        #[source]
        source: io::Error,
    },
}

/// Copies queue and store.
pub async fn run(options: &BackupOptions, variables: &Variables) -> Ended {
    let config = StandaloneConfig::read(variables)?;
    if !config.data_dir.join(QUEUE).exists() {
        return Err(BackupError::NoData { folder: config.data_dir.display().to_string() }.into());
    }
    prepare(&options.to)?;
    if let Err(error) = copy(&config, options).await {
        // Half a backup must not be taken for one; nothing else lay there.
        for name in [QUEUE, EVENTS] {
            let _ = fs::remove_file(options.to.join(name));
        }
        return Err(error);
    }
    if config.database.is_some() {
        say("the events lie in DATABASE_URL: dump it now, after the queue (docs/backup.md)");
    }
    Ok(ExitCode::SUCCESS)
}

async fn copy(config: &StandaloneConfig, options: &BackupOptions) -> Result<(), Failure> {
    let (from, to) = (config.data_dir.as_path(), options.to.as_path());
    let unwritable = |source| BackupError::Unwritable { folder: to.display().to_string(), source };
    // Held to the end, so that no server starts on a folder that is being copied as a stopped one's.
    let held = match DataFolder::hold(from) {
        Ok(folder) => {
            let queue = EmbeddedQueue::open(from.join(QUEUE), EmbeddedOptions::default())?;
            queue.copy_to(&to.join(QUEUE)).await?;
            Some(folder)
        }
        Err(FolderError::InUse { .. }) => {
            let copy = handover::ask(from, Duration::from_secs(options.wait)).await?;
            // Not renamed: who makes the backup owns it, and it may lie on another disk.
            let moved = fs::copy(&copy, to.join(QUEUE));
            let _ = fs::remove_file(&copy);
            moved.map_err(unwritable)?;
            None
        }
        Err(error) => return Err(error.into()),
    };
    let has_store = config.database.is_none() && from.join(EVENTS).exists();
    if has_store {
        sqlite::copy(&from.join(EVENTS), &to.join(EVENTS)).await?;
    }
    drop(held);
    for name in [QUEUE, EVENTS].iter().filter(|name| has_store || **name == QUEUE) {
        let path = to.join(name);
        // The folder may be one that others look into.
        fs::set_permissions(&path, Permissions::from_mode(0o600)).map_err(unwritable)?;
        File::open(&path).and_then(|file| file.sync_all()).map_err(unwritable)?;
        say(format_args!("{} ({} bytes)", path.display(), path.metadata().map_err(unwritable)?.len()));
    }
    File::open(to).and_then(|folder| folder.sync_all()).map_err(unwritable)?;
    Ok(())
}

/// Makes the folder, readable by its owner only, or sees that it is empty.
fn prepare(folder: &Path) -> Result<(), BackupError> {
    let told = || folder.display().to_string();
    let unwritable = |source| BackupError::Unwritable { folder: told(), source };
    if folder.to_str().is_none() {
        return Err(BackupError::NotText { folder: told() });
    }
    match fs::read_dir(folder) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(BackupError::NotEmpty { folder: told() }),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(unwritable)
        }
        Err(error) => Err(unwritable(error)),
    }
}
