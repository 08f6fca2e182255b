//! A child process that ends with this one and can be killed, paused and asked to stop.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::{Result, TestkitError, spawner};

/// The user id of this process.
pub(crate) fn user_id() -> u32 {
    rustix::process::getuid().as_raw()
}

/// Whether this process runs as root.
pub(crate) fn is_root() -> bool {
    user_id() == 0
}

/// A signal that a test sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blow {
    /// SIGKILL: gone at once, without a last word.
    Kill,
    /// SIGTERM: please stop.
    Terminate,
    /// SIGINT.
    Interrupt,
    /// SIGQUIT: PostgreSQL's immediate shutdown.
    Quit,
    /// SIGSTOP: frozen, its sockets stay open.
    Pause,
    /// SIGCONT.
    Resume,
}

impl Blow {
    fn signal(self) -> Signal {
        match self {
            Self::Kill => Signal::KILL,
            Self::Terminate => Signal::TERM,
            Self::Interrupt => Signal::INT,
            Self::Quit => Signal::QUIT,
            Self::Pause => Signal::STOP,
            Self::Resume => Signal::CONT,
        }
    }
}

/// A running child; killed when dropped, and by the kernel when this process dies.
#[derive(Debug)]
pub struct ServerProcess {
    name: String,
    child: Child,
    log: PathBuf,
}

impl ServerProcess {
    /// Starts `program` with its output appended to the file `log`.
    ///
    /// `death` is what the kernel sends the child when this process dies; `user` the user that it runs as, where this
    /// process is root. `prepare` adds arguments and variables.
    ///
    /// # Errors
    /// Where the log cannot be opened or the program not be started.
    pub fn start(
        program: &Path,
        log: &Path,
        death: Blow,
        user: Option<&str>,
        prepare: impl FnOnce(&mut Command),
    ) -> Result<Self> {
        let name = program.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let output = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(log)
            .map_err(TestkitError::io(format!("open the log {}", log.display())))?;
        let errors = output.try_clone().map_err(TestkitError::io("share the log"))?;
        let mut command = Command::new("setpriv");
        command.arg(format!("--pdeathsig={}", if death == Blow::Quit { "QUIT" } else { "KILL" }));
        if let Some(user) = user.filter(|_| is_root()) {
            command.args(["--reuid", user, "--regid", user, "--init-groups"]);
        }
        command.arg("--").arg(program);
        prepare(&mut command);
        command.stdin(Stdio::null()).stdout(output).stderr(errors);
        // A group of its own: an interrupt at the terminal reaches the tests, and the servers end with them.
        command.process_group(0);
        let child = spawner::spawn(command).map_err(TestkitError::io(format!("start {name} through setpriv")))?;
        Ok(Self { name, child, log: log.to_owned() })
    }

    /// The process id; setpriv replaces itself, so it is the program's own.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Where its output goes.
    #[must_use]
    pub fn log_path(&self) -> &Path {
        &self.log
    }

    /// All that it has written so far; empty where the file cannot be read.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// The exit status, where it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Sends a signal; nothing happens where the process has ended.
    pub fn send(&mut self, blow: Blow) {
        // Not yet waited for, so the id cannot belong to anybody else.
        if self.ended().is_none()
            && let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
        {
            let _ = kill_process(pid, blow.signal());
        }
    }

    /// Kills it and waits until it is gone.
    pub fn kill9(&mut self) {
        self.send(Blow::Kill);
        let _ = self.child.wait();
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// Where it still runs after `limit`; it goes on running.
    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let started = Instant::now();
        loop {
            if let Some(status) = self.ended() {
                return Ok(status);
            }
            if started.elapsed() > limit {
                return Err(self.failure(&format!("still runs after {limit:?}")));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until `ready` says yes.
    ///
    /// # Errors
    /// Where the process ends first or `limit` passes; the error holds the end of the log.
    pub fn wait_until(&mut self, limit: Duration, mut ready: impl FnMut() -> io::Result<bool>) -> Result<()> {
        let started = Instant::now();
        loop {
            if ready().unwrap_or(false) {
                return Ok(());
            }
            if let Some(status) = self.ended() {
                return Err(self.failure(&format!("ended with {status}")));
            }
            if started.elapsed() > limit {
                return Err(self.failure(&format!("not ready after {limit:?}")));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn failure(&self, what: &str) -> TestkitError {
        let log = self.log();
        let tail: Vec<&str> = log.lines().rev().take(20).collect();
        let tail: Vec<&str> = tail.into_iter().rev().collect();
        TestkitError::Failed {
            program: self.name.clone(),
            detail: format!("{what}; its log ends:\n{}", tail.join("\n")),
        }
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        self.kill9();
    }
}

/// Runs a program to its end and gives its standard output back, without the last line break.
///
/// # Errors
/// Where it cannot be started or ends with another status than 0; the error holds its standard error.
pub(crate) fn run(command: &mut Command) -> Result<String> {
    let program = Path::new(command.get_program()).display().to_string();
    let output = command.stdin(Stdio::null()).output().map_err(TestkitError::io(format!("start {program}")))?;
    if !output.status.success() {
        let detail = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(TestkitError::Failed { program, detail: format!("{}: {detail}", output.status) });
    }
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    if text.ends_with('\n') {
        text.pop();
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    use crate::redis::{RedisOptions, RedisServer};

    const VICTIM: &str = "process::tests::victim";

    /// Not a test: the process that `servers_end_with_a_killed_process` kills.
    #[test]
    #[ignore = "run by another test"]
    fn victim() {
        // On a thread that ends at once, as a test's does: the server must not end with it.
        let start = || RedisServer::start(RedisOptions::default()).unwrap();
        let server = std::thread::spawn(start).join().unwrap();
        std::thread::sleep(Duration::from_millis(200));
        #[expect(clippy::print_stdout, reason = "the other process reads it")]
        {
            println!("\nvictim {} {}", server.url(), server.folder().display());
        }
        std::thread::sleep(Duration::from_secs(60));
    }

    #[test]
    fn servers_end_with_a_killed_process() {
        let mut victim = Command::new(std::env::current_exe().unwrap())
            .args([VICTIM, "--exact", "--ignored", "--nocapture"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines().map(Result::unwrap);
        let line = lines.find(|line| line.starts_with("victim ")).unwrap();
        let [_, url, folder] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let address = url.strip_prefix("redis://").unwrap();
        assert!(std::net::TcpStream::connect(address).is_ok(), "the server ended with the thread that asked for it");
        victim.kill().unwrap();
        victim.wait().unwrap();
        let started = Instant::now();
        while std::net::TcpStream::connect(address).is_ok() || std::path::Path::new(folder).exists() {
            assert!(started.elapsed() < Duration::from_secs(10), "{address} or {folder} is still there");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
