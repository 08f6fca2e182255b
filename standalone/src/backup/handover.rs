//! How a running server hands a copy of its queue to `analytics backup`: by files of `DATA_DIR`.
//!
//! Nobody else can read the queue's file while a server has it. So the command leaves a request in the folder, and the server
//! writes a copy beside it. Whoever may write to the folder may ask: no key opens this, since the queue holds the events of
//! every project.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use analytics_host::failure::chain;
use analytics_messaging::embedded::EmbeddedQueue;
use thiserror::Error;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};
use uuid::Uuid;

/// The request: it holds a name for the copy.
const WANTED: &str = "backup.wanted";
/// What the names of copies begin with.
const COPY: &str = "backup-";
/// How often the server looks.
const SERVER_LOOKS: Duration = Duration::from_millis(250);
/// How often the command looks.
const COMMAND_LOOKS: Duration = Duration::from_millis(20);

/// Why the server handed nothing over.
#[derive(Debug, Error)]
pub enum HandoverError {
    /// The command may not write to the folder.
    #[error(
        "{folder} is in use by a running server, and the request for a copy cannot be left there; be who owns the folder"
    )]
    NoRequest {
        /// The folder.
        folder: String,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// The server says nothing.
    #[error(
        "the server that uses {folder} has handed over no copy of its queue within {seconds} s; ask with a longer --wait, or \
         stop it first"
    )]
    Silent {
        /// The folder.
        folder: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// The server could not do it.
    #[error("the server cannot copy its queue: {said}")]
    Refused {
        /// What it says.
        said: String,
    },
}

/// Asks the server that uses `folder` for a copy of its queue, and returns where that is.
///
/// # Errors
/// [`HandoverError`].
pub async fn ask(folder: &Path, patience: Duration) -> Result<PathBuf, HandoverError> {
    let name = Uuid::new_v4().simple().to_string();
    let (copy, failed) = (copy_of(folder, &name, "db"), copy_of(folder, &name, "failed"));
    let no_request = |source| HandoverError::NoRequest { folder: folder.display().to_string(), source };
    // Under its name only once it is whole.
    let draft = copy_of(folder, &name, "wanted");
    fs::write(&draft, &name).and_then(|()| fs::rename(&draft, folder.join(WANTED))).map_err(no_request)?;
    let begun = Instant::now();
    while begun.elapsed() < patience {
        if copy.exists() {
            return Ok(copy);
        }
        if let Ok(said) = fs::read_to_string(&failed) {
            let _ = fs::remove_file(&failed);
            return Err(HandoverError::Refused { said });
        }
        tokio::time::sleep(COMMAND_LOOKS).await;
    }
    let _ = fs::remove_file(folder.join(WANTED));
    Err(HandoverError::Silent { folder: folder.display().to_string(), seconds: patience.as_secs() })
}

/// Answers such requests until the server stops.
pub async fn serve(folder: PathBuf, queue: Arc<EmbeddedQueue>, stopping: CancellationToken) {
    sweep(&folder);
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            () = tokio::time::sleep(SERVER_LOOKS) => {}
        }
        let Ok(name) = tokio::fs::read_to_string(folder.join(WANTED)).await else { continue };
        let _ = fs::remove_file(folder.join(WANTED));
        if Uuid::try_parse(&name).is_err() {
            error!("a request for a backup names no copy: analytics backup of this build leaves others");
            continue;
        }
        sweep(&folder);
        let draft = copy_of(&folder, &name, "part");
        let copied = match queue.copy_to(&draft).await {
            Ok(()) => fs::rename(&draft, copy_of(&folder, &name, "db")).map_err(|error| chain(&error)),
            Err(error) => Err(chain(&error)),
        };
        match copied {
            Ok(()) => info!("the queue was copied for a backup"),
            Err(said) => {
                error!(error = said, "the queue could not be copied for a backup");
                let _ = fs::remove_file(&draft);
                let _ = fs::write(copy_of(&folder, &name, "failed"), said);
            }
        }
    }
}

fn copy_of(folder: &Path, name: &str, ending: &str) -> PathBuf {
    folder.join(format!("{COPY}{name}.{ending}"))
}

/// Removes what a command that was killed has not fetched.
fn sweep(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if entry.file_name().to_str().is_some_and(is_ours) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Whether a file of this name was made here: somebody else's `backup-of-friday.db` was not.
fn is_ours(name: &str) -> bool {
    let parts = name.strip_prefix(COPY).and_then(|rest| rest.split_once('.'));
    parts.is_some_and(|(name, ending)| {
        Uuid::try_parse(name).is_ok() && ["db", "part", "failed", "wanted"].contains(&ending)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_made_here_is_swept() {
        let name = Uuid::from_u128(7).simple().to_string();
        for ending in ["db", "part", "failed", "wanted"] {
            assert!(is_ours(&format!("backup-{name}.{ending}")), "{ending}");
        }
        for other in ["backup-of-friday.db", "backup-.db", "queue.db", "backup.wanted", &format!("backup-{name}.gz")] {
            assert!(!is_ours(other), "{other}");
        }
    }
}
