//! A Redis server of a test's own.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use crate::folder::ServerFolder;
use crate::process::{Blow, ServerProcess};
use crate::{Result, TestkitError, ports};

mod cluster;
mod sentinels;

pub use cluster::RedisCluster;
pub use sentinels::{MASTER, RedisSentinels};

const PROGRAM: &str = "/usr/bin/redis-server";
const START_LIMIT: Duration = Duration::from_secs(30);

/// When Redis brings its append-only file to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AppendFsync {
    /// Before each answer.
    Always,
    /// Once a second: the default.
    #[default]
    EverySecond,
    /// When the system likes to.
    Never,
}

impl AppendFsync {
    fn name(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::EverySecond => "everysec",
            Self::Never => "no",
        }
    }
}

/// How a server is set up.
#[derive(Debug, Clone, Default)]
pub struct RedisOptions {
    /// When the append-only file reaches the disk.
    pub appendfsync: AppendFsync,
    /// Most bytes of data; none: unbounded. What does not fit is refused (`noeviction`).
    pub maxmemory: Option<u64>,
    /// A password that clients must give; it is in [`RedisServer::url`].
    pub password: Option<String>,
    /// Further settings, as in `redis.conf`: `("rename-command", "CONFIG \"\"")`.
    pub settings: Vec<(String, String)>,
}

/// A running Redis, ended and cleaned up when dropped.
#[derive(Debug)]
pub struct RedisServer {
    process: ServerProcess,
    port: u16,
    options: RedisOptions,
    // Last: the folder goes after the process.
    folder: ServerFolder,
}

impl RedisServer {
    /// Starts a server on a free port and waits until it answers.
    ///
    /// # Errors
    /// Where `redis-server` is not installed or does not come up.
    pub fn start(options: RedisOptions) -> Result<Self> {
        if !Path::new(PROGRAM).exists() {
            return Err(TestkitError::NotInstalled { program: "Redis", looked_for: PROGRAM.into() });
        }
        let folder = ServerFolder::create("redis")?;
        let port = ports::free();
        let process = launch(&folder, port, &options)?;
        let mut server = Self { process, port, options, folder };
        server.wait_ready()?;
        Ok(server)
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// `redis://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        match &self.options.password {
            Some(password) => format!("redis://:{password}@127.0.0.1:{}", self.port),
            None => format!("redis://127.0.0.1:{}", self.port),
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// The folder of its append-only file.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Kills it at once; what was written to the kernel before stays.
    pub fn kill9(&mut self) {
        self.process.kill9();
    }

    /// Starts it again on the same port and folder, killing it first where it runs.
    ///
    /// # Errors
    /// Where it does not come up.
    pub fn restart(&mut self) -> Result<()> {
        self.process.kill9();
        self.process = launch(&self.folder, self.port, &self.options)?;
        self.wait_ready()
    }

    /// Freezes it: connections stay open and nothing is answered.
    pub fn pause(&mut self) {
        self.process.send(Blow::Pause);
    }

    /// Lets it go on.
    pub fn resume(&mut self) {
        self.process.send(Blow::Resume);
    }

    /// Runs one command and gives the answer's text back: a simple or bulk string, a number, or the nested lines of
    /// an array, as `redis-cli` prints them to a pipe.
    ///
    /// # Errors
    /// Where the server cannot be reached or answers with an error.
    pub fn command(&self, parts: &[&str]) -> Result<String> {
        let mut command = std::process::Command::new("redis-cli");
        command.args(["-e", "-h", "127.0.0.1", "-p", &self.port.to_string()]);
        if let Some(password) = &self.options.password {
            command.args(["--no-auth-warning", "-a", password]);
        }
        crate::process::run(command.args(parts))
    }

    fn wait_ready(&mut self) -> Result<()> {
        let (address, password) = (self.address(), self.options.password.clone());
        self.process.wait_until(START_LIMIT, || answers(address, password.as_deref()))
    }
}

fn launch(folder: &ServerFolder, port: u16, options: &RedisOptions) -> Result<ServerProcess> {
    let log = folder.path().join("server.log");
    ServerProcess::start(Path::new(PROGRAM), &log, Blow::Kill, None, |command| {
        // The folder of the process too: files that Redis makes before it reads `--dir` stay in there.
        command.current_dir(folder.path());
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--daemonize", "no"]);
        command.args(["--appendonly", "yes", "--appendfsync", options.appendfsync.name()]);
        command.args(["--maxmemory-policy", "noeviction", "--databases", "16"]).arg("--dir").arg(folder.path());
        if let Some(bytes) = options.maxmemory {
            command.args(["--maxmemory", &bytes.to_string()]);
        }
        if let Some(password) = &options.password {
            command.args(["--requirepass", password]);
        }
        for (name, value) in &options.settings {
            command.arg(format!("--{name}")).args(value.split(' '));
        }
    })
}

/// Whether a PING gets its PONG; a server that still loads its file says `-LOADING`.
fn answers(address: SocketAddr, password: Option<&str>) -> io::Result<bool> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_millis(200))?;
    stream.set_read_timeout(Some(Duration::from_millis(500)))?;
    let auth = password.map_or_else(String::new, |password| format!("AUTH {password}\r\n"));
    stream.write_all(format!("{auth}PING\r\nQUIT\r\n").as_bytes())?;
    let (mut answer, mut part) = (Vec::<u8>::new(), [0; 256]);
    // Not to its end: a sentinel knows no QUIT and goes on listening.
    while !answer.windows(5).any(|text| text == b"+PONG") {
        match stream.read(&mut part)? {
            0 => return Ok(false),
            count => answer.extend(&part[..count]),
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_there_after_a_kill() {
        let mut server = RedisServer::start(RedisOptions::default()).unwrap();
        assert_eq!(server.command(&["SET", "a", "1"]).unwrap(), "OK");
        let url = server.url();
        server.kill9();
        assert!(server.command(&["GET", "a"]).is_err());
        server.restart().unwrap();
        assert_eq!(server.url(), url);
        assert_eq!(server.command(&["GET", "a"]).unwrap(), "1");
    }

    #[test]
    fn a_paused_server_is_silent_and_goes_on_afterwards() {
        let mut server = RedisServer::start(RedisOptions::default()).unwrap();
        server.pause();
        assert!(answers(server.address(), None).is_err());
        server.resume();
        assert!(answers(server.address(), None).unwrap());
    }

    #[test]
    fn settings_reach_the_server() {
        let server = RedisServer::start(RedisOptions {
            appendfsync: AppendFsync::Always,
            maxmemory: Some(5_000_000),
            password: Some("secret".into()),
            settings: vec![("rename-command".into(), "FLUSHALL never".into())],
        })
        .unwrap();
        assert_eq!(server.command(&["CONFIG", "GET", "appendfsync"]).unwrap(), "appendfsync\nalways");
        assert_eq!(server.command(&["CONFIG", "GET", "maxmemory"]).unwrap(), "maxmemory\n5000000");
        assert!(server.command(&["FLUSHALL"]).unwrap_err().to_string().contains("unknown command"));
        assert!(server.url().contains(":secret@"));
    }
}
