//! Collector requests a second against a bare route of the same framework that reads the same body.

use std::net::SocketAddr;
use std::process::{Child, Command};

use analytics_testkit::redis::{AppendFsync, RedisOptions, RedisServer};
use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use bytes::Bytes;

use crate::program::{self, Program};
use crate::table::{Table, median};
use crate::{Outcome, bodies, wrk};

const CONNECTIONS: u32 = 32;
const SECONDS: u32 = 4;
const TURNS: usize = 3;

/// The least ratio wanted for bodies of so many events.
const GOALS: [(usize, f64); 3] = [(1, 0.75), (10, 0.5), (100, 0.3)];

/// Runs bare route and collector in turns.
pub fn measure(table: &mut Table) -> Outcome<()> {
    for fsync in [AppendFsync::EverySecond, AppendFsync::Always] {
        for (events, goal) in GOALS {
            measure_one(table, fsync, events, goal)?;
        }
    }
    Ok(())
}

/// Runs a collector that enriches and one that does not in turns.
pub fn measure_enrichment(table: &mut Table) -> Outcome<()> {
    [1, 10].into_iter().try_for_each(|events| measure_enriched(table, events))
}

/// A user agent of a phone, as a page's requests carry it.
const USER_AGENT: &str = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 \
                          Mobile Safari/537.36";

/// The least ratio wanted of a collector that finds all that it can without a file of countries.
const ENRICHED_GOAL: f64 = 0.95;

/// Runs a collector that queues what a browser tells, and one that does not, in turns: views as the tracker sends them.
fn measure_enriched(table: &mut Table, events: usize) -> Outcome<()> {
    let redis = RedisServer::start(RedisOptions { appendfsync: AppendFsync::EverySecond, ..RedisOptions::default() })?;
    let (mut with, with_port) = start_with(&redis, &[])?;
    let (mut without, without_port) = start_with(&redis, &[("ENRICH", "none".into())])?;
    let bodies: Vec<String> = (0..16).map(|seed| bodies::views(events, seed)).collect();
    let headers = [("origin", "https://shop.example"), ("user-agent", USER_AGENT)];
    let post = |collector: &mut Program, port: u16, seconds: u32| -> Outcome<(f64, f64)> {
        collector.wait_for(&format!("http://127.0.0.1:{port}/health"))?;
        let before = program::cpu_seconds(collector.pid());
        let url = format!("http://127.0.0.1:{port}/collect");
        let load = wrk::post_with(&url, &headers, &bodies, CONNECTIONS, seconds)?;
        if load.failures > 0 {
            return Err(format!("{} requests failed under load; the figures mean nothing", load.failures).into());
        }
        let cpu = (program::cpu_seconds(collector.pid()) - before) * 1e6 / load.requests as f64;
        redis.command(&["FLUSHALL"])?;
        Ok((load.requests_per_second, cpu))
    };
    post(&mut with, with_port, 1)?;
    post(&mut without, without_port, 1)?;
    let (mut ratios, mut ours, mut plain) = (Vec::new(), Vec::new(), Vec::new());
    let mut cpu = [Vec::new(), Vec::new()];
    for _ in 0..TURNS {
        let (other, other_cpu) = post(&mut without, without_port, SECONDS)?;
        let (rate, rate_cpu) = post(&mut with, with_port, SECONDS)?;
        ratios.push(rate / other);
        ours.push(rate);
        plain.push(other);
        cpu[0].push(rate_cpu);
        cpu[1].push(other_cpu);
    }
    let name = format!("collector, {events} views a body of a browser, enriched against ENRICH=none");
    let rate = |values: Vec<f64>| format!("{:.0} requests/s", median(values));
    table.ratio(&name, rate(ours), rate(plain), median(ratios), ENRICHED_GOAL);
    let [enriched, bare] = cpu.map(median);
    table.note(&format!("{name}: CPU a request"), format!("{enriched:.1} us, without {bare:.1} us"));
    Ok(())
}

/// A collector over a Redis whose queue never fills, and its port; it may not answer yet.
pub fn start(redis: &RedisServer) -> Outcome<(Program, u16)> {
    start_with(redis, &[])
}

fn start_with(redis: &RedisServer, more: &[(&str, String)]) -> Outcome<(Program, u16)> {
    let port = program::free_port()?;
    let mut variables = vec![
        ("HOST", "127.0.0.1".into()),
        ("PORT", port.to_string()),
        ("REDIS_URL", redis.url()),
        ("QUEUE_MAX_EVENTS", "1000000000".into()),
    ];
    variables.extend_from_slice(more);
    Ok((Program::start("collector", &[], &variables)?, port))
}

fn measure_one(table: &mut Table, fsync: AppendFsync, events: usize, goal: f64) -> Outcome<()> {
    let redis = RedisServer::start(RedisOptions { appendfsync: fsync, ..RedisOptions::default() })?;
    let bare = Bare::start()?;
    let (mut collector, port) = start(&redis)?;
    collector.wait_for(&format!("http://127.0.0.1:{port}/health"))?;
    let bodies: Vec<String> = (0..16).map(|seed| bodies::body(events, seed)).collect();
    let url = format!("http://127.0.0.1:{port}/collect");
    wrk::post(&url, &bodies, CONNECTIONS, 1)?;
    let (mut ratios, mut ours, mut plain, mut p99) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut cpu = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..TURNS {
        let spent = || [bare.child.id(), collector.pid(), redis.pid()].map(program::cpu_seconds);
        let before = spent();
        let other = wrk::post(&bare.url, &bodies, CONNECTIONS, SECONDS)?;
        let load = wrk::post(&url, &bodies, CONNECTIONS, SECONDS)?;
        let requests = [other.requests, load.requests, load.requests];
        for (place, (after, before)) in spent().into_iter().zip(before).enumerate() {
            cpu[place].push((after - before) * 1e6 / requests[place] as f64);
        }
        if load.failures > 0 || other.failures > 0 {
            return Err(format!(
                "{} requests failed under load; the figures mean nothing",
                load.failures + other.failures
            )
            .into());
        }
        ratios.push(load.requests_per_second / other.requests_per_second);
        ours.push(load.requests_per_second);
        plain.push(other.requests_per_second);
        p99.push(load.p99_ms);
        redis.command(&["FLUSHALL"])?;
    }
    let mode = if fsync == AppendFsync::Always { "always" } else { "everysec" };
    let name = format!("collector, {events} events a body, appendfsync {mode}");
    let rate = |values: Vec<f64>| format!("{:.0} requests/s", median(values));
    if fsync == AppendFsync::Always {
        table.note(&name, format!("{}, ratio {:.2}, p99 {:.1} ms", rate(ours), median(ratios), median(p99)));
        return Ok(());
    }
    table.ratio(&name, rate(ours), rate(plain), median(ratios), goal);
    table.at_most(&format!("{name}: p99"), median(p99), 15.0, "ms");
    let [of_bare, of_collector, of_redis] = cpu.map(median);
    table.note(
        &format!("{name}: CPU a request"),
        format!("collector {of_collector:.1} us, Redis {of_redis:.1} us, bare route {of_bare:.1} us"),
    );
    table.at_most(&format!("{name}: peak memory"), collector.peak_mb(), 64.0, "MB");
    Ok(())
}

/// The bare route in a process of its own.
struct Bare {
    child: Child,
    url: String,
}

impl Bare {
    fn start() -> Outcome<Self> {
        let port = program::free_port()?;
        let child = Command::new(std::env::current_exe()?).args(["bare", &format!("127.0.0.1:{port}")]).spawn()?;
        let bare = Self { child, url: format!("http://127.0.0.1:{port}/collect") };
        for _ in 0..500 {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Ok(bare);
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        Err("the bare route did not come up".into())
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A route that reads its body and answers 202.
pub async fn serve_bare(address: SocketAddr) -> Outcome<()> {
    let router = Router::new().route("/collect", post(|_: Bytes| async { StatusCode::ACCEPTED }));
    let listener = tokio::net::TcpListener::bind(address).await?;
    axum::serve(listener, router).await?;
    Ok(())
}
