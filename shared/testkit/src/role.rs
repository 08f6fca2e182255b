//! The programs of the workspace as black boxes.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use crate::folder::ServerFolder;
use crate::process::{Blow, ServerProcess};
use crate::{Result, TestkitError, ports};

/// Names the folder of the built programs, where they are not beside the test executable.
pub const PROGRAMS_VARIABLE: &str = "ANALYTICS_PROGRAMS_DIR";

const START_LIMIT: Duration = Duration::from_secs(30);

/// The path of a built program: in `$ANALYTICS_PROGRAMS_DIR`, else in the profile's folder of the running test
/// (`target/debug`).
///
/// # Errors
/// Where it has not been built.
pub fn program(name: &'static str) -> Result<PathBuf> {
    let beside = || {
        let test = std::env::current_exe().ok()?;
        // target/debug/deps/TEST
        Some(test.parent()?.parent()?.to_owned())
    };
    let folder = std::env::var_os(PROGRAMS_VARIABLE).map(PathBuf::from).or_else(beside).unwrap_or_default();
    let path = folder.join(name);
    if path.exists() {
        return Ok(path);
    }
    let detail = format!("{} is not there: build it (`cargo build --workspace --bins`)", path.display());
    Err(TestkitError::Failed { program: name.to_owned(), detail })
}

/// How a program is started.
#[derive(Debug, Clone, Default)]
pub struct RoleOptions {
    /// Arguments.
    pub arguments: Vec<String>,
    /// All the variables that it sees; of the test's own only `PATH` is passed on.
    pub variables: Vec<(String, String)>,
    /// The variable that takes the port, `PORT` or `METRICS_PORT`.
    pub port_variable: &'static str,
    /// Where it listens; none: a free port of 127.0.0.1.
    pub address: Option<(Ipv4Addr, u16)>,
}

impl RoleOptions {
    /// A role that listens on `PORT`.
    #[must_use]
    pub fn new() -> Self {
        Self { port_variable: "PORT", ..Self::default() }
    }

    /// Adds an argument.
    #[must_use]
    pub fn argument(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Sets a variable.
    #[must_use]
    pub fn variable(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    /// Lets it listen on another loopback address, at a port of the caller's: replicas share one.
    #[must_use]
    pub fn at(mut self, address: Ipv4Addr, port: u16) -> Self {
        self.address = Some((address, port));
        self
    }

    /// Lets another variable take the port.
    #[must_use]
    pub fn port_in(mut self, variable: &'static str) -> Self {
        self.port_variable = variable;
        self
    }
}

/// A running program of the workspace, ended when dropped.
#[derive(Debug)]
pub struct Role {
    process: ServerProcess,
    program: PathBuf,
    options: RoleOptions,
    address: SocketAddr,
    // Last: the folder goes after the process.
    folder: ServerFolder,
}

impl Role {
    /// Starts `program` on a free loopback port; it need not be ready yet.
    ///
    /// # Errors
    /// Where the program cannot be started.
    pub fn spawn(program: &Path, options: RoleOptions) -> Result<Self> {
        let name = program.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let folder = ServerFolder::create(&name)?;
        let (host, port) = options.address.unwrap_or_else(|| (Ipv4Addr::LOCALHOST, ports::free()));
        let address = SocketAddr::from((host, port));
        let process = launch(program, &options, address, &folder)?;
        Ok(Self { process, program: program.to_owned(), options, address, folder })
    }

    /// Starts `program` and waits until its `/health` answers 200.
    ///
    /// # Errors
    /// Where it ends or is not healthy in time; the error holds the end of its log.
    pub fn start(program: &Path, options: RoleOptions) -> Result<Self> {
        let mut role = Self::spawn(program, options)?;
        role.wait_ready()?;
        Ok(role)
    }

    /// `http://127.0.0.1:PORT`, or the address that it was given.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// A folder of its own, its working folder too, which goes with the role.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What it has logged, over all its starts.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Waits until `/health` answers 200.
    ///
    /// # Errors
    /// Where the program ends or 30 s pass.
    pub fn wait_ready(&mut self) -> Result<()> {
        let address = self.address();
        self.process.wait_until(START_LIMIT, || Ok(get_status(address, "/health")? == 200))
    }

    /// Kills it at once.
    pub fn kill9(&mut self) {
        self.process.kill9();
    }

    /// Asks it to stop (SIGTERM), and waits for the end.
    ///
    /// # Errors
    /// Where it still runs after `limit`.
    pub fn stop(&mut self, limit: Duration) -> Result<ExitStatus> {
        self.process.send(Blow::Terminate);
        self.process.wait(limit)
    }

    /// Waits for the end of a program that ends by itself.
    ///
    /// # Errors
    /// Where it still runs after `limit`.
    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        self.process.wait(limit)
    }

    /// Sends a signal and does not wait.
    pub fn send(&mut self, blow: Blow) {
        self.process.send(blow);
    }

    /// Starts it again on the same port with the same variables, killing it first where it runs.
    ///
    /// # Errors
    /// Where it does not become ready.
    pub fn restart(&mut self) -> Result<()> {
        self.process.kill9();
        self.process = launch(&self.program, &self.options, self.address, &self.folder)?;
        self.wait_ready()
    }
}

fn launch(program: &Path, options: &RoleOptions, address: SocketAddr, folder: &ServerFolder) -> Result<ServerProcess> {
    let log = folder.path().join("role.log");
    ServerProcess::start(program, &log, Blow::Kill, None, |command| {
        command.current_dir(folder.path()).args(&options.arguments);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOST", address.ip().to_string()).env("LOG_FORMAT", "json");
        if !options.port_variable.is_empty() {
            command.env(options.port_variable, address.port().to_string());
        }
        for (name, value) in &options.variables {
            command.env(name, value);
        }
    })
}

/// The status of a GET, without a client library, so that it can be asked from anywhere.
pub(crate) fn get_status(address: SocketAddr, path: &str) -> io::Result<u16> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_millis(500))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(64 * 1024).read_to_string(&mut answer)?;
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    status.ok_or_else(|| io::Error::other("not an HTTP answer"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_sees_its_own_variables_only() {
        let options = RoleOptions::new().argument("-c").argument("env; exit 3").variable("REDIS_URL", "redis://x");
        let mut role = Role::spawn(Path::new("/bin/sh"), options).unwrap();
        assert_eq!(role.wait(Duration::from_secs(5)).unwrap().code(), Some(3));
        let log = role.log();
        assert!(
            log.contains("REDIS_URL=redis://x\n") && log.contains(&format!("PORT={}\n", role.address.port())),
            "{log}"
        );
        assert!(!log.contains("CARGO"), "{log}");
    }

    #[test]
    fn a_program_that_ends_instead_of_listening_is_told_with_its_log() {
        let options = RoleOptions::new().argument("-c").argument("echo the key is missing >&2; exit 1");
        let error = Role::start(Path::new("/bin/sh"), options).unwrap_err().to_string();
        assert!(error.contains("the key is missing") && error.contains("exit status: 1"), "{error}");
    }
}
