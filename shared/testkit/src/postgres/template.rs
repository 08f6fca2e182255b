//! Data folders made once by `initdb` and copied for each server.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::edition::{Edition, servers_folder};
use crate::process::{is_root, run};
use crate::{Result, TestkitError};

/// The user that servers run as where this process is root, which PostgreSQL refuses to run as.
pub(super) const SERVER_USER: &str = "postgres";

/// Part of the prepared folder's name: raise it when the arguments of `initdb` change.
const RECIPE: u32 = 1;

/// Makes `data` a fresh data folder of `edition`, owned by the user that runs the server.
pub(super) fn fill(edition: Edition, data: &Path) -> Result<()> {
    let template = prepared(edition)?;
    run(Command::new("cp").arg("-a").arg("--reflink=auto").arg(&template).arg(data))?;
    Ok(())
}

/// The prepared folder, made by the first process that asks; others wait for it.
fn prepared(edition: Edition) -> Result<PathBuf> {
    let folder = servers_folder().join("prepared");
    let template = folder.join(format!("{}-{RECIPE}", edition.prepared_name()));
    if template.exists() {
        return Ok(template);
    }
    std::fs::create_dir_all(&folder).map_err(TestkitError::io(format!("make the folder {}", folder.display())))?;
    let lock = File::create(folder.join("lock")).map_err(TestkitError::io("make the lock of prepared folders"))?;
    lock.lock().map_err(TestkitError::io("wait for the lock of prepared folders"))?;
    if template.exists() {
        return Ok(template);
    }
    let draft = folder.join(format!("{}-draft", edition.prepared_name()));
    let _ = std::fs::remove_dir_all(&draft);
    std::fs::create_dir(&draft).map_err(TestkitError::io(format!("make the folder {}", draft.display())))?;
    give_to_server_user(&draft)?;
    run(as_server_user(&edition.program("initdb")?)
        .arg("--pgdata")
        .arg(&draft)
        .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-sync", "--no-instructions"])
        // Sorting by a real language shows queries that forget COLLATE "C".
        .args(["--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US", "--wal-segsize=4"]))?;
    std::fs::rename(&draft, &template).map_err(TestkitError::io(format!("name the folder {}", template.display())))?;
    Ok(template)
}

/// A command run as [`SERVER_USER`] where this process is root.
pub(super) fn as_server_user(program: &Path) -> Command {
    if is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", SERVER_USER, "--regid", SERVER_USER, "--init-groups", "--"]).arg(program);
        // The caller's folder may be closed to that user, and initdb insists on entering it.
        command.current_dir("/");
        command
    } else {
        Command::new(program)
    }
}

/// Lets the server's user own `folder`.
pub(super) fn give_to_server_user(folder: &Path) -> Result<()> {
    if is_root() {
        run(Command::new("chown").arg(format!("{SERVER_USER}:")).arg(folder))?;
    }
    Ok(())
}
