//! A deployment is saved while it works, by the commands of `docs/backup.md`, and put back on servers that know nothing of it.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use analytics_blackbox::Tenant;
use analytics_testkit::postgres::{Edition, PostgresOptions, PostgresServer, database};
use analytics_testkit::process::Blow;
use analytics_testkit::redis::{RedisOptions, RedisServer};
use analytics_testkit::role::{Role, RoleOptions, program};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::event;

const WRITE_KEY: &str = "sender-of-the-shop-01";
const READ_KEY: &str = "reader-of-the-shop-01";
/// Redis' folder of its append-only file.
const LOG: &str = "appendonlydir";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn timescale_and_its_queue_are_put_back() {
    put_back(Edition::Timescale17).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plain_postgres_and_its_queue_are_put_back() {
    put_back(Edition::Plain15).await;
}

/// Roles on a Redis and a database; the processor is started by itself.
struct Shop {
    processor: Option<Role>,
    options: RoleOptions,
    tenant: Tenant,
    _others: Vec<Role>,
}

impl Shop {
    fn open(redis: &str, database: &str) -> Self {
        let options = RoleOptions::new()
            .variable("REDIS_URL", redis)
            .variable("DATABASE_URL", database)
            // What the processor had in its hands when the queue was copied is handed out again after so long.
            .variable("VISIBILITY_SECONDS", "5")
            .variable("API_KEYS", format!("{READ_KEY}:shop:read"))
            .variable("WRITE_KEYS", format!("{WRITE_KEY}:shop"));
        let others = ["collector", "api"].map(|name| Role::spawn(&program(name).unwrap(), options.clone()).unwrap());
        let urls = [others[0].url(), others[1].url(), others[1].url()];
        let tenant = Tenant::new("shop".to_owned(), [WRITE_KEY, READ_KEY, ""].map(str::to_owned), urls);
        Self { processor: None, options, tenant, _others: others.into() }
    }

    fn start_processor(&mut self) {
        let processor = Role::start(&program("processor").unwrap(), self.options.clone().port_in("METRICS_PORT"));
        self.processor = Some(processor.unwrap());
        self._others.iter_mut().for_each(|role| role.wait_ready().unwrap());
    }
}

async fn put_back(edition: Edition) {
    let folder = tempfile::tempdir().unwrap();
    let redis = RedisServer::start(RedisOptions::default()).unwrap();
    let saved = database(edition).unwrap();
    let mut shop = Shop::open(&redis.url(), &saved.url());
    shop.start_processor();
    let over = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..3).map(|_| tokio::spawn(send_until(shop.tenant.clone(), Arc::clone(&over)))).collect();
    tokio::time::sleep(Duration::from_secs(2)).await;

    // A processor that stands still for a moment, so that events wait in the queue that is saved.
    let processor = shop.processor.as_mut().unwrap();
    processor.send(Blow::Pause);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let began = Instant::now();
    copy_log(&redis, folder.path());
    shop.processor.as_mut().unwrap().send(Blow::Resume);
    // Some of what was saved in the queue is stored before the dump: it will be in both.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let file = folder.path().join("analytics.dump");
    let (url, to) = (saved.url(), file.clone());
    tokio::task::spawn_blocking(move || dump(edition, &url, &to)).await.unwrap();
    over.store(true, Ordering::Relaxed);
    let mut sent = Vec::new();
    for client in clients {
        sent.extend(client.await.unwrap());
    }
    let all = sent.len() as u64 * 5;
    let before = sent.iter().filter(|(answered, _)| *answered < began).count() as u64 * 5;
    assert!(before > 200 && all > before, "{before} of {all}");
    drop(shop);
    drop(redis);

    // New servers, and what was saved.
    let server = PostgresServer::start(PostgresOptions::new(edition)).unwrap();
    restore(&server, &file);
    let dumped: u64 = server.psql("analytics", "SELECT count(*) FROM raw_events").unwrap().parse().unwrap();
    let mut redis = RedisServer::start(RedisOptions::default()).unwrap();
    redis.kill9();
    std::fs::remove_dir_all(redis.folder().join(LOG)).unwrap();
    copy(&folder.path().join(LOG), &redis.folder().join(LOG));
    redis.restart().unwrap();
    let mut shop = Shop::open(&redis.url(), &server.url("analytics"));
    shop._others.iter_mut().for_each(|role| role.wait_ready().unwrap());
    let waiting = shop.tenant.get("/api/integrity").await.expect_status(200).body["in_flight"].as_u64().unwrap();
    assert!(waiting > 0, "no event was saved in the queue");
    shop.start_processor();

    let [accepted, stored, duplicate] = account(&shop.tenant).await;
    assert!(dumped + waiting > stored, "nothing was in both: {dumped} dumped, {waiting} in the queue, {stored} stored");
    assert!(before <= stored && stored <= all, "{stored} stored; {before} were accepted before, {all} in all");
    // A batch that is known is counted once too.
    assert_eq!((accepted, duplicate), (stored, 0));
    // Whoever does not know what was lost sends everything again.
    let events: Vec<Value> = sent.into_iter().flat_map(|(_, events)| events).collect();
    shop.tenant.collect_all(&events).await;
    let [_, stored, _] = account(&shop.tenant).await;
    assert_eq!(stored, all);
    shop.tenant.settled(all).await;
}

/// Sends batches with ids until it is over; each with the moment at which it was answered.
async fn send_until(tenant: Tenant, over: Arc<AtomicBool>) -> Vec<(Instant, Vec<Value>)> {
    let mut sent = Vec::new();
    while !over.load(Ordering::Relaxed) {
        let one = |_| {
            let mut event = event("s", "t", "a");
            event["id"] = json!(Uuid::now_v7());
            event
        };
        let events: Vec<Value> = (0..5).map(one).collect();
        let _ = tenant.collect(json!(events).to_string()).await.expect_status(202);
        sent.push((Instant::now(), events));
    }
    sent
}

/// Accepted, stored and duplicate events, once nothing is in flight; and that nothing drifts.
async fn account(tenant: &Tenant) -> [u64; 3] {
    let begin = Instant::now();
    let mut before = Value::Null;
    loop {
        let report = tenant.get("/api/integrity").await.expect_status(200);
        // Twice the same: the store is read before the queue, so what is in neither may have been on its way.
        let calm = report.body["received"] == std::mem::replace(&mut before, report.body["received"].clone());
        if calm && report.body["in_flight"] == 0 {
            assert_eq!(report.body["drift"], 0, "{}", report.text);
            let days = report.body["received"].as_array().unwrap();
            return ["accepted", "stored", "duplicate"]
                .map(|name| days.iter().map(|day| day[name].as_u64().unwrap()).sum());
        }
        assert!(begin.elapsed() < Duration::from_secs(60), "{}", report.text);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Copies the append-only file from under a running Redis: whole, as long as Redis does not begin it anew meanwhile.
fn copy_log(redis: &RedisServer, to: &Path) {
    redis.command(&["CONFIG", "SET", "auto-aof-rewrite-percentage", "0"]).unwrap();
    let state = redis.command(&["INFO", "persistence"]).unwrap();
    assert!(state.contains("aof_rewrite_in_progress:0"), "{state}");
    copy(&redis.folder().join(LOG), &to.join(LOG));
    redis.command(&["CONFIG", "SET", "auto-aof-rewrite-percentage", "100"]).unwrap();
}

fn copy(from: &Path, to: &Path) {
    ran(Command::new("cp").arg("-a").arg(from).arg(to));
}

fn dump(edition: Edition, url: &str, to: &Path) {
    ran(Command::new(edition.program("pg_dump").unwrap()).args(["--format=custom", "--dbname", url, "--file"]).arg(to));
}

fn restore(server: &PostgresServer, file: &Path) {
    let psql = |sql: &str| server.psql("analytics", sql).unwrap();
    server.psql("postgres", "CREATE DATABASE analytics").unwrap();
    let timescale = server.edition().has_timescale();
    if timescale {
        psql("CREATE EXTENSION timescaledb");
        psql("SELECT timescaledb_pre_restore()");
    }
    let mut command = Command::new(server.edition().program("pg_restore").unwrap());
    ran(command.args(["--exit-on-error", "--dbname", &server.url("analytics")]).arg(file));
    if timescale {
        psql("SELECT timescaledb_post_restore()");
    }
    psql("ANALYZE");
}

fn ran(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
