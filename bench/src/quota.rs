//! What one collector does on half a processor: a quota of the kernel's, as a container's limit is one.
//!
//! Requests are due at fixed instants, whether the ones before were answered or not, and an answer's time counts from when its
//! request was due: a collector that stands still for a while is late for all that came meanwhile.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use analytics_testkit::redis::{AppendFsync, RedisOptions, RedisServer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::table::Table;
use crate::{Outcome, bodies, collector};

/// Of a processor, in thousandths of a period of 100 ms.
const QUOTA: u32 = 500;

/// Requests a second, one event each: the first is 10,000 events a minute.
const RATES: [(u32, u64); 9] =
    [(167, 30), (1_000, 8), (2_000, 8), (4_000, 8), (6_000, 8), (8_000, 8), (12_000, 8), (16_000, 8), (20_000, 8)];

/// The answer time that 99 of 100 have to keep, in ms.
const P99_MS: f64 = 100.0;

const CONNECTIONS: usize = 64;

/// Asks a collector with a quota more and more, until its answers are late.
pub async fn measure(table: &mut Table) -> Outcome<()> {
    let redis = RedisServer::start(RedisOptions { appendfsync: AppendFsync::Always, ..RedisOptions::default() })?;
    // Made before the program and so dropped after it: a group that has a process cannot be removed.
    let quota = Quota::new(QUOTA)?;
    let (mut collector, port) = collector::start(&redis)?;
    quota.hold(collector.pid())?;
    collector.wait_for(&format!("http://127.0.0.1:{port}/health"))?;
    let requests: Arc<[Vec<u8>]> = (0..16).map(|seed| request(port, &bodies::body(1, seed))).collect();
    load(port, &requests, 500, Duration::from_secs(2)).await?;
    let mut most = 0;
    for (rate, seconds) in RATES {
        let before = collector.cpu_seconds();
        let took = load(port, &requests, rate, Duration::from_secs(seconds)).await?;
        let (p50, p99) = (percentile(&took, 50), percentile(&took, 99));
        let cpu = (collector.cpu_seconds() - before) / seconds as f64;
        let name = format!("collector on half a processor, {} events a minute, one a body", rate * 60);
        if rate == RATES[0].0 {
            table.at_most(&format!("{name}: p99"), p99, P99_MS, "ms");
        }
        table.note(&name, format!("p50 {p50:.1} ms, p99 {p99:.1} ms, {:.0} % of a processor", cpu * 100.0));
        if p99 > P99_MS {
            break;
        }
        most = rate;
    }
    table.note(
        "collector on half a processor: the most asked at which p99 stays within 100 ms",
        format!("{} events a minute", most * 60),
    );
    Ok(())
}

fn request(port: u16, body: &str) -> Vec<u8> {
    let head = format!(
        "POST /collect HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body.as_bytes()].concat()
}

/// Sends so many requests a second; how long each answer took from when its request was due, in ms, ascending.
async fn load(port: u16, requests: &Arc<[Vec<u8>]>, rate: u32, length: Duration) -> Outcome<Vec<f64>> {
    let next = Arc::new(AtomicU64::new(0));
    let all = (length.as_secs_f64() * f64::from(rate)) as u64;
    let took = Arc::new(Mutex::new(Vec::with_capacity(all as usize)));
    let began = Instant::now() + Duration::from_millis(50);
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (next, took, requests) = (Arc::clone(&next), Arc::clone(&took), Arc::clone(requests));
        clients.spawn(async move {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
            stream.set_nodelay(true)?;
            let mut own = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= all {
                    took.lock().unwrap_or_else(PoisonError::into_inner).append(&mut own);
                    return Ok::<(), std::io::Error>(());
                }
                let due = began + Duration::from_secs_f64(number as f64 / f64::from(rate));
                tokio::time::sleep_until(due).await;
                stream.write_all(&requests[number as usize % requests.len()]).await?;
                accepted(&mut stream).await?;
                own.push(due.elapsed().as_secs_f64() * 1e3);
            }
        });
    }
    while let Some(ended) = clients.join_next().await {
        ended??;
    }
    let mut took = std::mem::take(&mut *took.lock().unwrap_or_else(PoisonError::into_inner));
    took.sort_by(f64::total_cmp);
    Ok(took)
}

/// Reads one answer, which has to be 202.
async fn accepted(stream: &mut TcpStream) -> std::io::Result<()> {
    let mut read = Vec::with_capacity(512);
    loop {
        if stream.read_buf(&mut read).await? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let text = String::from_utf8_lossy(&read);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        if !head.starts_with("HTTP/1.1 202") {
            return Err(std::io::Error::other(format!("answered {}", head.lines().next().unwrap_or_default())));
        }
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
        if body.len() >= length.unwrap_or(0) {
            return Ok(());
        }
    }
}

fn percentile(ascending: &[f64], percent: usize) -> f64 {
    ascending.get(ascending.len().saturating_sub(1) * percent / 100).copied().unwrap_or(0.0)
}

/// A group of processes that the kernel gives no more than a part of a processor; gone when dropped.
struct Quota {
    folder: PathBuf,
}

impl Quota {
    /// Of so many thousandths; takes root, and the first or the second version of control groups.
    fn new(thousandths: u32) -> Outcome<Self> {
        let name = format!("analytics-bench-{}", std::process::id());
        let first = Path::new("/sys/fs/cgroup/cpu");
        let quota = if first.is_dir() {
            let quota = Self::make(first.join(name))?;
            quota.set("cpu.cfs_period_us", "100000")?;
            quota.set("cpu.cfs_quota_us", &(thousandths * 100).to_string())?;
            quota
        } else {
            let quota = Self::make(Path::new("/sys/fs/cgroup").join(name))?;
            quota.set("cpu.max", &format!("{} 100000", thousandths * 100))?;
            quota
        };
        Ok(quota)
    }

    fn make(folder: PathBuf) -> Outcome<Self> {
        fs::create_dir(&folder)
            .map_err(|error| format!("{} cannot be made: {error}; it takes root", folder.display()))?;
        Ok(Self { folder })
    }

    fn set(&self, file: &str, value: &str) -> Outcome<()> {
        let path = self.folder.join(file);
        Ok(fs::write(&path, value).map_err(|error| format!("{}: {error}", path.display()))?)
    }

    fn hold(&self, pid: u32) -> Outcome<()> {
        self.set("cgroup.procs", &pid.to_string())
    }
}

impl Drop for Quota {
    fn drop(&mut self) {
        // A process that was just killed may be in it for a moment more.
        for _ in 0..100 {
            if fs::remove_dir(&self.folder).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
