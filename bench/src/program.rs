//! A release binary under measurement: started, asked for its memory and CPU time, killed at the end.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Outcome;

/// A running binary; killed when dropped.
pub struct Program {
    child: Child,
    started: Instant,
}

impl Program {
    /// Starts a release binary with only these variables; its log goes to a file named after it in the temp folder.
    pub fn start(name: &str, arguments: &[&str], variables: &[(&str, String)]) -> Outcome<Self> {
        let path = binary(name)?;
        let log = fs::File::create(std::env::temp_dir().join(format!("analytics-bench-{name}.log")))?;
        let started = Instant::now();
        let child = Command::new(path)
            .args(arguments)
            .env_clear()
            .env("LOG_LEVEL", "warn")
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        Ok(Self { child, started })
    }

    /// Waits until `url` answers 200; how long it took since the start.
    pub fn wait_for(&mut self, url: &str) -> Outcome<Duration> {
        let address = url.strip_prefix("http://").and_then(|rest| rest.split('/').next()).unwrap_or_default();
        let path = url.split_once(address).map_or("/", |(_, path)| path);
        let deadline = Instant::now() + Duration::from_secs(30);
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("the program ended before it answered: {status}").into());
            }
            if asks_ok(address, path) {
                return Ok(self.started.elapsed());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Err(format!("{url} did not answer within 30 s").into())
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Resident memory now, in MB.
    pub fn resident_mb(&self) -> f64 {
        status_mb(self.pid(), "VmRSS:")
    }

    /// The most resident memory since its start, in MB.
    pub fn peak_mb(&self) -> f64 {
        status_mb(self.pid(), "VmHWM:")
    }

    /// CPU seconds, user and system, since its start.
    pub fn cpu_seconds(&self) -> f64 {
        cpu_seconds(self.pid())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One plain GET; whether it was answered 200.
pub fn asks_ok(address: &str, path: &str) -> bool {
    use std::io::{Read, Write};
    let Ok(address) = address.parse() else { return false };
    let Ok(mut stream) = std::net::TcpStream::connect_timeout(&address, Duration::from_millis(200)) else {
        return false;
    };
    let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
    let asked = write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    let mut head = [0; 12];
    asked.is_ok() && stream.read_exact(&mut head).is_ok() && &head == b"HTTP/1.1 200"
}

fn status_mb(pid: u32, field: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}

/// CPU seconds of a process; Linux counts in hundredths.
pub fn cpu_seconds(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = |index: usize| -> f64 {
        after_name.split_whitespace().nth(index).and_then(|tick| tick.parse().ok()).unwrap_or(0.0)
    };
    (ticks(11) + ticks(12)) / 100.0
}

/// A release binary beside this one.
pub fn binary(name: &str) -> Outcome<PathBuf> {
    let here = std::env::current_exe()?;
    let path = here.parent().unwrap_or(Path::new(".")).join(name);
    if path.exists() { Ok(path) } else { Err(format!("{} is not built; run cargo xtask bench", path.display()).into()) }
}

/// A port of loopback that nobody listens on.
pub fn free_port() -> Outcome<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
