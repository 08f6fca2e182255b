//! A running emulator of Lambda's runtime API.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::folder::ServerFolder;
use crate::http::post;
use crate::postgres::servers_folder;
use crate::process::{Blow, ServerProcess};
use crate::{Result, TestkitError, ports};

/// Names another program than the installed `cargo-lambda`.
pub const CARGO_LAMBDA_VARIABLE: &str = "ANALYTICS_CARGO_LAMBDA";

const PROGRAM: &str = "cargo-lambda";
const START_LIMIT: Duration = Duration::from_secs(60);

/// After which an invocation is given up: its function died, or never came. The emulator's own bound would also end the
/// requests by which functions wait for work, which Lambda never does.
const INVOCATION_TIME: Duration = Duration::from_secs(8);

/// The functions that it takes invocations for. It knows them as programs of the package that it is started in.
const FUNCTIONS: [&str; 4] = ["collector", "api", "processor", "maintenance"];

/// cargo-lambda's emulator, ended when dropped. It starts no functions: those are [`super::FunctionInstance`]s.
#[derive(Debug)]
pub struct LambdaEmulator {
    process: ServerProcess,
    port: u16,
    // Last: the folder goes after the process.
    _folder: ServerFolder,
}

impl LambdaEmulator {
    /// Starts an emulator on a free port and waits until it listens.
    ///
    /// # Errors
    /// Where `cargo-lambda` is not installed or does not come up.
    pub fn start() -> Result<Self> {
        Self::start_on(ports::free())
    }

    /// Starts an emulator on a port and waits until it listens.
    ///
    /// # Errors
    /// Where `cargo-lambda` is not installed or does not come up.
    pub fn start_on(port: u16) -> Result<Self> {
        let program = cargo_lambda()?;
        let folder = ServerFolder::create("lambda")?;
        let log = folder.path().join("emulator.log");
        write_package(folder.path())?;
        let process = ServerProcess::start(&program, &log, Blow::Kill, None, |command| {
            command.args(["lambda", "watch", "--only-lambda-apis", "--disable-cors"]);
            command.args(["--invoke-address", "127.0.0.1", "--invoke-port", &port.to_string()]);
            command.current_dir(folder.path());
        })?;
        let mut emulator = Self { process, port, _folder: folder };
        let address = emulator.address();
        emulator
            .process
            .wait_until(START_LIMIT, || TcpStream::connect_timeout(&address, Duration::from_secs(1)).map(|_| true))?;
        Ok(emulator)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// What `AWS_LAMBDA_RUNTIME_API` has to be for an instance of a function.
    #[must_use]
    pub fn runtime_api(&self, function: &str) -> String {
        format!("http://{}/.rt/{function}", self.address())
    }

    /// Where a function answers HTTP by itself: `http://127.0.0.1:PORT/lambda-url/FUNCTION`.
    #[must_use]
    pub fn function_url(&self, function: &str) -> String {
        format!("http://{}/lambda-url/{function}", self.address())
    }

    /// Invokes a function with an event; its answer where it succeeded.
    ///
    /// # Errors
    /// Where the function fails, dies, or does not answer within eight seconds.
    pub fn invoke(&self, function: &str, event: &str) -> Result<Vec<u8>> {
        invoke(self.address(), function, event).map_err(TestkitError::io(format!("invoke the function {function}")))
    }

    /// What it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }
}

/// Writes a package with a program for each function. It is never built; not all functions have a program of their own name
/// in the workspace.
fn write_package(folder: &Path) -> Result<()> {
    let mut manifest =
        "[workspace]\n[package]\nname = \"functions\"\nversion = \"0.0.0\"\nedition = \"2024\"\n".to_owned();
    for function in FUNCTIONS {
        manifest.push_str(&format!("[[bin]]\nname = \"{function}\"\npath = \"{function}.rs\"\n"));
    }
    let mut files = vec![("Cargo.toml".to_owned(), manifest)];
    files.extend(FUNCTIONS.map(|function| (format!("{function}.rs"), "fn main() {}\n".to_owned())));
    for (name, text) in files {
        let path = folder.join(name);
        std::fs::write(&path, text).map_err(TestkitError::io(format!("write {}", path.display())))?;
    }
    Ok(())
}

/// Invokes a function with an event; its answer where it succeeded.
pub(super) fn invoke(emulator: SocketAddr, function: &str, event: &str) -> io::Result<Vec<u8>> {
    let path = format!("/2015-03-31/functions/{function}/invocations");
    let (status, answer) =
        post(emulator, &path, "Content-Type: application/json\r\n", event.as_bytes(), INVOCATION_TIME)?;
    if status == 200 {
        return Ok(answer);
    }
    let answer: String = String::from_utf8_lossy(&answer).chars().take(300).collect();
    Err(io::Error::other(format!("invoking {function} got {status}: {answer}")))
}

/// The program `cargo-lambda`: `$ANALYTICS_CARGO_LAMBDA`, else that of the unpacked servers, else the one on the path.
///
/// # Errors
/// Where there is none.
pub fn cargo_lambda() -> Result<PathBuf> {
    if let Some(program) = std::env::var_os(CARGO_LAMBDA_VARIABLE) {
        return Ok(program.into());
    }
    let installed = servers_folder().join("python/bin").join(PROGRAM);
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    std::iter::once(installed.clone())
        .chain(std::env::split_paths(&on_path).map(|folder| folder.join(PROGRAM)))
        .find(|program| program.exists())
        .ok_or(TestkitError::NotInstalled { program: PROGRAM, looked_for: installed })
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Write as _};

    use super::*;
    use crate::http::Message;

    /// Asks for work, as an instance does, and waits a little longer for it than an invocation is waited for.
    fn wait_for_work(emulator: &LambdaEmulator, function: &str) -> io::Result<Option<Message>> {
        let mut stream = TcpStream::connect(emulator.address())?;
        stream.set_read_timeout(Some(INVOCATION_TIME + Duration::from_secs(2)))?;
        let next = format!("/.rt/{function}/2018-06-01/runtime/invocation/next");
        write!(stream, "GET {next} HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
        Message::read(&mut BufReader::new(stream))
    }

    #[test]
    fn every_function_gets_its_invocations() {
        let emulator = LambdaEmulator::start().unwrap();
        for function in FUNCTIONS {
            let address = emulator.address();
            // Nobody answers it.
            std::thread::spawn(move || invoke(address, function, "{\"a\":1}"));
            let work = wait_for_work(&emulator, function).unwrap().unwrap();
            assert_eq!((work.status(), work.body.as_slice()), (200, b"{\"a\":1}".as_slice()), "{function}");
        }
    }

    #[test]
    fn an_instance_without_work_is_left_waiting() {
        let emulator = LambdaEmulator::start().unwrap();
        let error = wait_for_work(&emulator, "api").unwrap_err();
        assert!([io::ErrorKind::WouldBlock, io::ErrorKind::TimedOut].contains(&error.kind()), "{error}");
    }

    #[test]
    fn an_invocation_without_an_instance_is_given_up() {
        let emulator = LambdaEmulator::start().unwrap();
        assert!(invoke(emulator.address(), "api", "{}").is_err());
    }
}
