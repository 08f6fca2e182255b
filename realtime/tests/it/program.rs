//! The program itself, on a real Redis and a real PostgreSQL.

use std::borrow::Cow;
use std::path::Path;
use std::time::Duration;

use analytics_domain::{Batch, Project, Retention};
use analytics_host::clock::{Clock as _, SystemClock};
use analytics_messaging::Feed;
use analytics_messaging::redis::{RedisEndpoint, RedisFeed};
use analytics_store::postgres::{PostgresOptions, PostgresStore};
use analytics_store::{EventStore, Ingest, IngestBatch};
use analytics_testkit::postgres::{Edition, database};
use analytics_testkit::process::Blow;
use analytics_testkit::redis::{RedisOptions, RedisServer};
use analytics_testkit::role::{Role, RoleOptions};
use futures::future::join_all;
use serde_json::Value;
use uuid::Uuid;

use crate::server::{KEY, event, publish};
use crate::socket::{Client, number};

const PROGRAM: &str = env!("CARGO_BIN_EXE_realtime");

const QUESTION: &str = r#"{"type":"subscribe","id":"live","query":{"metrics":["events"],"date_range":"all"}}"#;

fn options(redis: &RedisServer) -> RoleOptions {
    RoleOptions::new()
        .variable("HOST", "127.0.0.1")
        .variable("REDIS_URL", redis.url())
        .variable("API_KEYS", format!("{KEY}:default:read"))
}

fn feed(redis: &RedisServer) -> RedisFeed {
    RedisFeed::new(&RedisEndpoint { url: redis.url(), root_certificates: None }, "analytics").unwrap()
}

/// Stores events and tells the feed, as the processor does.
async fn commit(store: &PostgresStore, feed: &dyn Feed, numbers: std::ops::RangeInclusive<u128>) {
    let now = SystemClock.now();
    let mut events: Vec<_> = numbers.map(event).collect();
    events.iter_mut().for_each(|event| event.timestamp = now);
    let batch = Batch {
        id: Uuid::now_v7(),
        project: Project::default(),
        received_at: now,
        refused: Vec::new(),
        context: None,
        events: events.clone(),
    };
    let batches = vec![IngestBatch { batch: Cow::Owned(batch), failed: Vec::new(), attempt: 1 }];
    let work = Ingest { batches, ..Ingest::default() };
    store.ingest(&work, Retention::default(), now).await.unwrap();
    publish(feed, &events).await;
}

fn figure(message: &Value) -> u64 {
    message["result"]["results"][0]["metrics"][0].as_u64().unwrap_or_else(|| panic!("{message}"))
}

async fn get(role: &Role, path: &str) -> String {
    reqwest::get(format!("{}{path}", role.url())).await.unwrap().text().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_stream_at_once_and_answers_as_soon_as_the_schema_is_there() {
    let redis = RedisServer::start(RedisOptions::default()).unwrap();
    let database = database(Edition::Plain15).unwrap();
    let options = options(&redis).variable("DATABASE_URL", database.url());
    let mut role = Role::start(Path::new(PROGRAM), options).unwrap();
    let health: Value = serde_json::from_str(&get(&role, "/health").await).unwrap();
    assert_eq!((&health["status"], &health["checks"]["redis"]), (&"degraded".into(), &"ok".into()), "{health}");

    let mut client = Client::connect(role.address()).await;
    client.say(r#"{"type":"subscribe","id":"events","events":{}}"#).await;
    client.send(QUESTION).await;
    let error = client.next().await;
    assert_eq!((&error["code"], &error["id"]), (&"store_unavailable".into(), &"live".into()), "{error}");
    let feed = feed(&redis);
    publish(&feed, &[event(1)]).await;
    assert_eq!(number(&client.next().await), 1);

    let store = PostgresStore::connect(PostgresOptions::new(database.url())).await.unwrap();
    store.migrate().await.unwrap();
    let snapshot = client.next().await;
    assert_eq!((&snapshot["type"], figure(&snapshot)), (&"snapshot".into(), 0), "{snapshot}");
    commit(&store, &feed, 11..=15).await;
    let mut told = Vec::new();
    for _ in 0..6 {
        told.push(client.next().await);
    }
    let update = told.iter().find(|message| message["type"] == "update").expect("an update");
    assert_eq!(figure(update), 5);
    assert_eq!(told.iter().filter(|message| message["type"] == "event").count(), 5);

    let metrics = get(&role, "/metrics").await;
    assert!(metrics.lines().any(|line| line == "analytics_realtime_connections 1"), "{metrics}");
    let health: Value = serde_json::from_str(&get(&role, "/health").await).unwrap();
    assert_eq!((&health["status"], &health["checks"]["database"]), (&"healthy".into(), &"ok".into()), "{health}");

    role.send(Blow::Terminate);
    assert_eq!(client.closed().await.0, 1012);
    let status = role.wait(Duration::from_secs(10)).unwrap();
    assert!(status.success(), "{status}: {}", role.log());
    assert!(!role.log().contains(KEY), "a key is in the log");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_sockets_are_small() {
    let redis = RedisServer::start(RedisOptions::default()).unwrap();
    let role = Role::start(Path::new(PROGRAM), options(&redis)).unwrap();
    let mut clients = Vec::new();
    while clients.len() < 1_000 {
        // The server takes 500 a second.
        let some = (0..50).map(|_| async {
            let mut client = Client::connect(role.address()).await;
            client.say(r#"{"type":"subscribe","id":"feed","events":{}}"#).await;
            client
        });
        clients.extend(join_all(some).await);
        tokio::time::sleep(Duration::from_millis(80)).await;
    }
    let feed = feed(&redis);
    for number in 0..20 {
        publish(&feed, &[event(number)]).await;
    }
    for client in &mut clients {
        for expected in 0..20 {
            assert_eq!(number(&client.next().await), expected);
        }
    }
    let status = std::fs::read_to_string(format!("/proc/{}/status", role.id())).unwrap();
    let line = |name: &str| {
        let value = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        value.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() / 1_024
    };
    eprintln!("1,000 sockets: {} MiB resident, {} MiB at most", line("VmRSS:"), line("VmHWM:"));
    assert!(line("VmHWM:") < 128, "{} MiB", line("VmHWM:"));
}

#[test]
fn what_is_missing_is_named_at_the_start() {
    let output = std::process::Command::new(PROGRAM).env_clear().output().unwrap();
    assert!(!output.status.success());
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("REDIS_URL") && told.contains("API_KEYS"), "{told}");
}
