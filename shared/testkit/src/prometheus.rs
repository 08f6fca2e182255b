//! A Prometheus of a test's own, and the checker of `deploy/` that says what it is started with.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::folder::ServerFolder;
use crate::postgres::servers_folder;
use crate::process::{Blow, ServerProcess, run};
use crate::role::get_status;
use crate::{Result, TestkitError, ports};

const PROGRAM: &str = "/usr/bin/prometheus";
const START_LIMIT: Duration = Duration::from_secs(30);

/// A running Prometheus, ended and cleaned up when dropped.
#[derive(Debug)]
pub struct PrometheusServer {
    process: ServerProcess,
    port: u16,
    // Last: the folder goes after the process.
    _folder: ServerFolder,
}

impl PrometheusServer {
    /// Starts a server with a configuration, beside which lies a copy of the folder `rules`; waits until it is ready.
    ///
    /// # Errors
    /// Where Prometheus is not installed or does not come up.
    pub fn start(configuration: &str, rules: &Path) -> Result<Self> {
        if !Path::new(PROGRAM).exists() {
            return Err(TestkitError::NotInstalled { program: "Prometheus", looked_for: PROGRAM.into() });
        }
        let folder = ServerFolder::create("prometheus")?;
        run(Command::new("cp").arg("-r").arg(rules).arg(folder.path().join("rules")))?;
        let file = folder.path().join("prometheus.yml");
        std::fs::write(&file, configuration).map_err(TestkitError::io(format!("write {}", file.display())))?;
        let (port, log) = (ports::free(), folder.path().join("server.log"));
        let mut process = ServerProcess::start(Path::new(PROGRAM), &log, Blow::Kill, None, |command| {
            command.current_dir(folder.path());
            command.arg(format!("--config.file={}", file.display()));
            command.arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()));
            command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
        })?;
        let address = ([127, 0, 0, 1], port).into();
        process.wait_until(START_LIMIT, || Ok(get_status(address, "/-/ready")? == 200))?;
        Ok(Self { process, port, _folder: folder })
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }
}

/// Runs the checker of `deploy/` in `repository` with a command that prints something, and gives that back.
///
/// # Errors
/// Where its tools are not installed or it ends badly.
pub fn deploy_check(repository: &Path, arguments: &[String]) -> Result<String> {
    let python = servers_folder().join("python-deploy/bin/python");
    if !python.exists() {
        return Err(TestkitError::NotInstalled { program: "the checker of deploy/", looked_for: python });
    }
    run(Command::new(python).current_dir(repository).args(["-B", "deploy/check"]).args(arguments))
}
