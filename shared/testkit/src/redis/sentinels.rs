//! A master, its replicas, and the sentinels that watch them, of a test's own.

use std::path::Path;
use std::time::{Duration, Instant};

use super::{AppendFsync, PROGRAM, RedisOptions, RedisServer, START_LIMIT, answers};
use crate::folder::ServerFolder;
use crate::process::{Blow, ServerProcess};
use crate::{Result, TestkitError, ports};

/// What the sentinels call the master.
pub const MASTER: &str = "main";

/// How long until the sentinels know each other and the replicas.
const KNOWN_LIMIT: Duration = Duration::from_secs(30);

/// Servers of which one is the master, and sentinels that make another one the master when it dies.
#[derive(Debug)]
pub struct RedisSentinels {
    /// The first master, then its replicas.
    pub servers: Vec<RedisServer>,
    sentinels: Vec<Sentinel>,
}

#[derive(Debug)]
struct Sentinel {
    _process: ServerProcess,
    port: u16,
    // Last: the folder goes after the process.
    _folder: ServerFolder,
}

impl RedisSentinels {
    /// Starts a master with so many replicas and so many sentinels, a majority of which decides; waits until all know all.
    ///
    /// # Errors
    /// Where `redis-server` is not installed or something does not come up.
    pub fn start(replicas: usize, sentinels: usize, appendfsync: AppendFsync) -> Result<Self> {
        let settings = vec![("repl-diskless-sync-delay".to_owned(), "0".to_owned())];
        let options = RedisOptions { appendfsync, settings, ..RedisOptions::default() };
        let master = RedisServer::start(options.clone())?;
        let port = master.address().port();
        let mut servers = vec![master];
        for _ in 0..replicas {
            let mut options = options.clone();
            options.settings.push(("replicaof".to_owned(), format!("127.0.0.1 {port}")));
            servers.push(RedisServer::start(options)?);
        }
        let quorum = sentinels / 2 + 1;
        let sentinels = (0..sentinels).map(|_| Sentinel::start(port, quorum)).collect::<Result<Vec<_>>>()?;
        let all = Self { servers, sentinels };
        all.wait_known(replicas)?;
        Ok(all)
    }

    /// `redis+sentinel://` with every sentinel and the master's name.
    #[must_use]
    pub fn url(&self) -> String {
        let hosts: Vec<String> = self.sentinels.iter().map(|sentinel| format!("127.0.0.1:{}", sentinel.port)).collect();
        format!("redis+sentinel://{}/{MASTER}", hosts.join(","))
    }

    /// Which server the sentinels call the master.
    ///
    /// # Errors
    /// Where the first sentinel does not answer.
    pub fn master(&self) -> Result<Option<usize>> {
        let answer = self.sentinels[0].command(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER])?;
        let port = answer.lines().nth(1).and_then(|port| port.parse::<u16>().ok());
        Ok(self.servers.iter().position(|server| Some(server.address().port()) == port))
    }

    /// Waits until the sentinels have agreed on another master than this one.
    ///
    /// # Errors
    /// Where that takes too long.
    pub fn wait_for_another(&self, old: usize) -> Result<usize> {
        let started = Instant::now();
        loop {
            match self.master()? {
                Some(master) if master != old => return Ok(master),
                _ if started.elapsed() > KNOWN_LIMIT => return Err(failed("no other master was made")),
                _ => std::thread::sleep(Duration::from_millis(50)),
            }
        }
    }

    fn wait_known(&self, replicas: usize) -> Result<()> {
        let started = Instant::now();
        let others = self.sentinels.len() - 1;
        for sentinel in &self.sentinels {
            loop {
                let told = sentinel.command(&["SENTINEL", "MASTER", MASTER])?;
                let lines: Vec<&str> = told.lines().collect();
                let number = |name: &str| {
                    lines.windows(2).find(|pair| pair[0] == name).and_then(|pair| pair[1].parse::<usize>().ok())
                };
                if number("num-slaves") == Some(replicas) && number("num-other-sentinels") == Some(others) {
                    break;
                }
                if started.elapsed() > KNOWN_LIMIT {
                    return Err(failed(&format!("a sentinel does not know all:\n{told}")));
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        for replica in &self.servers[1..] {
            while !replica.command(&["INFO", "replication"])?.contains("master_link_status:up") {
                if started.elapsed() > KNOWN_LIMIT {
                    return Err(failed("a replica does not follow"));
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        Ok(())
    }
}

impl Sentinel {
    fn start(master: u16, quorum: usize) -> Result<Self> {
        let folder = ServerFolder::create("sentinel")?;
        let port = ports::free();
        let settings = folder.path().join("sentinel.conf");
        let text = format!(
            "port {port}\nbind 127.0.0.1\ndir {}\nsentinel monitor {MASTER} 127.0.0.1 {master} {quorum}\n\
             sentinel down-after-milliseconds {MASTER} 700\nsentinel failover-timeout {MASTER} 3000\n",
            folder.path().display()
        );
        std::fs::write(&settings, text).map_err(TestkitError::io("write a sentinel's settings"))?;
        let log = folder.path().join("server.log");
        let mut process = ServerProcess::start(Path::new(PROGRAM), &log, Blow::Kill, None, |command| {
            command.current_dir(folder.path()).arg(&settings).arg("--sentinel");
        })?;
        process.wait_until(START_LIMIT, || answers(([127, 0, 0, 1], port).into(), None))?;
        Ok(Self { _process: process, port, _folder: folder })
    }

    fn command(&self, parts: &[&str]) -> Result<String> {
        let mut command = std::process::Command::new("redis-cli");
        command.args(["-e", "-h", "127.0.0.1", "-p", &self.port.to_string()]);
        crate::process::run(command.args(parts))
    }
}

fn failed(what: &str) -> TestkitError {
    TestkitError::Failed { program: "the sentinels".to_owned(), detail: what.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_takes_over() {
        let mut all = RedisSentinels::start(1, 3, AppendFsync::default()).unwrap();
        assert_eq!(all.master().unwrap(), Some(0));
        all.servers[0].kill9();
        assert_eq!(all.wait_for_another(0).unwrap(), 1);
    }
}
