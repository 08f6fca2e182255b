//! Folders of servers, removed when the test process ends, however it ends.

use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::{Result, TestkitError, spawner};

const PREFIX: &str = "analytics-testkit-";

/// A folder in the system's temporary folder that goes with the process.
///
/// A server in a `static` is never dropped, and a killed test drops nothing. So a shell of its own waits on a pipe that
/// closes with this process, and removes the folder then. What is left even so (the shell was killed as well) is removed
/// by the next test process.
#[derive(Debug)]
pub struct ServerFolder {
    path: PathBuf,
    broom: Child,
    pipe: Option<ChildStdin>,
}

impl ServerFolder {
    /// Makes an empty folder, readable by its owner only; `name` shows what it is for.
    ///
    /// # Errors
    /// Where the temporary folder cannot be written.
    pub fn create(name: &str) -> Result<Self> {
        static SWEEP: Once = Once::new();
        static NEXT: AtomicU32 = AtomicU32::new(0);
        SWEEP.call_once(sweep);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("{PREFIX}{}-{number}-{name}", std::process::id()));
        // An earlier process may have had the same id.
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).map_err(TestkitError::io(format!("make the folder {}", path.display())))?;
        let mut command = Command::new("sh");
        command
            .args(["-c", "cat >/dev/null; for _ in 1 2 3 4 5; do rm -rf -- \"$1\" && break; sleep 1; done", "broom"])
            .arg(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        // A group of its own: an interrupt at the terminal must not end the broom before its work.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut broom = spawner::spawn(command).map_err(TestkitError::io("start sh"))?;
        let pipe = broom.stdin.take();
        Ok(Self { path, broom, pipe })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for ServerFolder {
    fn drop(&mut self) {
        drop(self.pipe.take());
        let _ = self.broom.wait();
    }
}

/// Removes folders whose process is gone.
fn sweep() {
    let Ok(entries) = std::fs::read_dir(std::env::temp_dir()) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(rest) = name.to_str().and_then(|name| name.strip_prefix(PREFIX)) else { continue };
        let Some(pid) = rest.split('-').next().and_then(|pid| pid.parse::<u32>().ok()) else { continue };
        if !Path::new(&format!("/proc/{pid}")).exists() {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ServerFolder;

    #[test]
    fn a_dropped_folder_is_gone() {
        let folder = ServerFolder::create("gone").unwrap();
        let path = folder.path().to_owned();
        std::fs::write(path.join("file"), "x").unwrap();
        drop(folder);
        assert!(!path.exists());
    }
}
