//! A running PostgreSQL.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::edition::Edition;
use super::template::{self, SERVER_USER};
use crate::folder::ServerFolder;
use crate::process::{Blow, ServerProcess, run};
use crate::{Result, TestkitError, ports};

const START_LIMIT: Duration = Duration::from_secs(60);

/// How a server is set up.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// Which PostgreSQL.
    pub edition: Edition,
    /// Whether commits reach the disk. Off is quicker and survives a killed server, but not a power cut; default off.
    pub durable: bool,
    /// Most connections; default 200.
    pub max_connections: u16,
    /// Further settings, which win over the testkit's: `("log_statement", "all")`.
    pub settings: Vec<(String, String)>,
}

impl PostgresOptions {
    /// The defaults for `edition`.
    #[must_use]
    pub fn new(edition: Edition) -> Self {
        Self { edition, durable: false, max_connections: 200, settings: Vec::new() }
    }
}

/// A running PostgreSQL, ended and cleaned up when dropped.
#[derive(Debug)]
pub struct PostgresServer {
    process: ServerProcess,
    port: u16,
    options: PostgresOptions,
    // Last: the folder goes after the process.
    folder: ServerFolder,
}

impl PostgresServer {
    /// Starts a server on a free port and waits until it takes connections.
    ///
    /// # Errors
    /// Where the edition is not installed or does not come up; the error holds the end of its log.
    pub fn start(options: PostgresOptions) -> Result<Self> {
        let folder = ServerFolder::create(options.edition.name())?;
        template::give_to_server_user(folder.path())?;
        template::fill(options.edition, &folder.path().join("data"))?;
        let port = ports::free();
        let process = launch(&folder, port, &options)?;
        let mut server = Self { process, port, options, folder };
        server.wait_ready()?;
        Ok(server)
    }

    /// Starts a streaming replica of this server on a free port, with further `settings` of its own, and waits until it takes
    /// connections.
    ///
    /// # Errors
    /// Where the copy cannot be made or does not come up.
    pub fn standby(&self, settings: &[(&str, &str)]) -> Result<Self> {
        let mut options = self.options.clone();
        options.settings.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let folder = ServerFolder::create("standby")?;
        template::give_to_server_user(folder.path())?;
        run(template::as_server_user(&options.edition.program("pg_basebackup")?)
            .args(["--write-recovery-conf", "--checkpoint=fast", "--no-sync", "--wal-method=stream"])
            .arg("--pgdata")
            .arg(folder.path().join("data"))
            .arg("--dbname")
            .arg(self.url("postgres")))?;
        let port = ports::free();
        let process = launch(&folder, port, &options)?;
        let mut server = Self { process, port, options, folder };
        server.wait_ready()?;
        Ok(server)
    }

    /// Lets a standby take what comes and apply none of it.
    ///
    /// # Errors
    /// Where it is none, or cannot be reached.
    pub fn pause_replay(&self) -> Result<()> {
        self.psql("postgres", "select pg_wal_replay_pause()")?;
        let started = Instant::now();
        while self.psql("postgres", "select pg_get_wal_replay_pause_state()")? != "paused" {
            if started.elapsed() > Duration::from_secs(10) {
                let detail = "replay is not paused after 10 s".to_owned();
                return Err(TestkitError::Failed { program: "postgres".to_owned(), detail });
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Lets it apply what came.
    ///
    /// # Errors
    /// Where it is no standby, or cannot be reached.
    pub fn resume_replay(&self) -> Result<()> {
        self.psql("postgres", "select pg_wal_replay_resume()").map(drop)
    }

    /// The edition that it was started with.
    #[must_use]
    pub fn edition(&self) -> Edition {
        self.options.edition
    }

    /// `postgres://postgres@127.0.0.1:PORT/DATABASE`; the user may do everything and needs no password.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// What it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Kills the postmaster and every process of it at once, as a crash of the machine's software would; commits that
    /// reached the kernel stay.
    pub fn kill9(&mut self) {
        let children = children_of(self.process.id());
        self.process.kill9();
        for child in children {
            // A child that has ended meanwhile leaves nobody to kill: ids are not reused within milliseconds.
            let _ = kill_process(child, Signal::KILL);
        }
    }

    /// Starts it again on the same port and folder, killing it first where it runs; it recovers by its log.
    ///
    /// # Errors
    /// Where it does not come up.
    pub fn restart(&mut self) -> Result<()> {
        self.kill9();
        // A killed server's last child may hold the shared memory for a moment more, which refuses the start.
        let started = Instant::now();
        loop {
            self.process = launch(&self.folder, self.port, &self.options)?;
            match self.wait_ready() {
                Err(_) if started.elapsed() < Duration::from_secs(10) => {
                    std::thread::sleep(Duration::from_millis(100));
                }
                other => return other,
            }
        }
    }

    /// Ends every connection but the asking one's: what a fail-over or an administrator does.
    ///
    /// # Errors
    /// Where the server cannot be reached.
    pub fn end_connections(&self) -> Result<()> {
        let sql = "select count(pg_terminate_backend(pid)) from pg_stat_activity \
                   where pid <> pg_backend_pid() and backend_type = 'client backend'";
        self.psql("postgres", sql).map(drop)
    }

    /// Runs SQL in `database` and gives the rows back, one a line, columns parted by `|`, as `psql -At` prints them.
    ///
    /// # Errors
    /// Where the server cannot be reached or refuses a statement; the error holds what it said.
    pub fn psql(&self, database: &str, sql: &str) -> Result<String> {
        let mut command = Command::new(self.edition().program("psql")?);
        // The caller's own settings for psql must not change what a test sees.
        command.env_remove("PGOPTIONS").env("PGCONNECT_TIMEOUT", "10");
        command.args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--set=ON_ERROR_STOP=1"]);
        run(command.arg("--dbname").arg(self.url(database)).args(["--command", sql]))
    }

    fn wait_ready(&mut self) -> Result<()> {
        let address = self.address();
        self.process.wait_until(START_LIMIT, || accepts(address))
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        // An immediate shutdown frees the shared memory, which a kill would leave behind.
        self.process.send(Blow::Quit);
        let _ = self.process.wait(Duration::from_secs(5));
    }
}

fn launch(folder: &ServerFolder, port: u16, options: &PostgresOptions) -> Result<ServerProcess> {
    let program = options.edition.program("postgres")?;
    let log = folder.path().join("server.log");
    let durable = if options.durable { "on" } else { "off" };
    let port = port.to_string();
    let connections = options.max_connections.to_string();
    let own = [
        ("listen_addresses", "127.0.0.1"),
        ("port", port.as_str()),
        ("unix_socket_directories", ""),
        ("max_connections", connections.as_str()),
        ("shared_buffers", "32MB"),
        ("max_wal_size", "256MB"),
        // Shared memory in the data folder goes with it, also after a kill.
        ("dynamic_shared_memory_type", "mmap"),
        ("fsync", durable),
        ("synchronous_commit", "on"),
        ("full_page_writes", durable),
        ("timezone", "America/St_Johns"),
        ("log_timezone", "UTC"),
        ("log_min_messages", "warning"),
        ("max_locks_per_transaction", "256"),
    ];
    ServerProcess::start(&program, &log, Blow::Quit, Some(SERVER_USER), |command| {
        command.current_dir(folder.path()).arg("-D").arg(folder.path().join("data"));
        for (name, value) in own.iter().chain(options.edition.settings()) {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        for (name, value) in &options.settings {
            command.arg("-c").arg(format!("{name}={value}"));
        }
    })
}

/// Whether a server or a pooler answers a start-up message with a request for authentication, not with "is starting up".
pub(super) fn accepts(address: SocketAddr) -> io::Result<bool> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_millis(200))?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    let parameters = b"user\0postgres\0database\0postgres\0\0";
    let length = u32::try_from(8 + parameters.len()).map_err(io::Error::other)?;
    // Protocol 3.0: length, version, then names and values.
    let mut message = length.to_be_bytes().to_vec();
    message.extend_from_slice(&(3_u32 << 16).to_be_bytes());
    message.extend_from_slice(parameters);
    stream.write_all(&message)?;
    let mut kind = [0_u8; 1];
    stream.read_exact(&mut kind)?;
    // 'X', terminate: else the server logs a lost connection.
    stream.write_all(&[b'X', 0, 0, 0, 4])?;
    Ok(kind == *b"R")
}

/// The processes whose parent is `parent`.
fn children_of(parent: u32) -> Vec<Pid> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let child = |entry: std::fs::DirEntry| {
        let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).ok()?;
        // The name, in brackets, may hold spaces; state and parent follow it.
        let its_parent: u32 = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
        (its_parent == parent).then(|| Pid::from_raw(pid)).flatten()
    };
    entries.flatten().filter_map(child).collect()
}
