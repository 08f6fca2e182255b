//! A PgBouncer before a server.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use super::server::{PostgresServer, accepts};
use super::template::{SERVER_USER, give_to_server_user};
use crate::folder::ServerFolder;
use crate::process::{Blow, ServerProcess};
use crate::{Result, TestkitError, ports};

const PROGRAM: &str = "/usr/sbin/pgbouncer";

const START_LIMIT: Duration = Duration::from_secs(20);

/// A running PgBouncer in transaction mode, ended when dropped: each transaction of a client gets any of few connections.
#[derive(Debug)]
pub struct Pooler {
    process: ServerProcess,
    port: u16,
    // Last: the folder goes after the process.
    _folder: ServerFolder,
}

impl Pooler {
    /// Starts one before `server`, with at most `connections` to each of its databases; `settings` are further lines of its
    /// file, as `ignore_startup_parameters = options`.
    ///
    /// # Errors
    /// Where it is not installed or does not come up; the error holds the end of its log.
    pub fn start(server: &PostgresServer, connections: u16, settings: &[&str]) -> Result<Self> {
        if !Path::new(PROGRAM).exists() {
            return Err(TestkitError::NotInstalled { program: "pgbouncer", looked_for: PROGRAM.into() });
        }
        let folder = ServerFolder::create("pgbouncer")?;
        give_to_server_user(folder.path())?;
        let port = ports::free();
        let own = [
            "[databases]".to_owned(),
            format!("* = host=127.0.0.1 port={} user=postgres", server.address().port()),
            "[pgbouncer]".to_owned(),
            "listen_addr = 127.0.0.1".to_owned(),
            format!("listen_port = {port}"),
            "unix_socket_dir =".to_owned(),
            "auth_type = any".to_owned(),
            "pool_mode = transaction".to_owned(),
            "max_client_conn = 500".to_owned(),
            format!("default_pool_size = {connections}"),
        ];
        let lines: Vec<&str> = own.iter().map(String::as_str).chain(settings.iter().copied()).collect();
        let file = folder.path().join("pgbouncer.ini");
        std::fs::write(&file, lines.join("\n") + "\n").map_err(TestkitError::io("write pgbouncer.ini"))?;
        give_to_server_user(&file)?;
        let log = folder.path().join("server.log");
        // It refuses to run as root, as PostgreSQL does.
        let mut process = ServerProcess::start(Path::new(PROGRAM), &log, Blow::Kill, Some(SERVER_USER), |command| {
            command.current_dir(folder.path()).arg(&file);
        })?;
        process.wait_until(START_LIMIT, || accepts(SocketAddr::from(([127, 0, 0, 1], port))))?;
        Ok(Self { process, port, _folder: folder })
    }

    /// `postgres://postgres@127.0.0.1:PORT/DATABASE`, through it.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// What it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }
}
