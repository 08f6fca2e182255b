//! What the server adds to the events of a browser, and that nothing of an address is left anywhere.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use analytics_collector::{Countries, Enrichment};
use analytics_messaging::Queue;
use analytics_messaging::redis::{RedisOptions as QueueOptions, RedisQueue};
use analytics_testkit::mmdb;
use analytics_testkit::redis::{RedisOptions, RedisServer};
use analytics_testkit::role::{Role, RoleOptions};
use serde_json::{Value, json};

use crate::program::program;
use crate::running::{Running, Setup, event};

/// The address of a visitor, as a proxy writes it; it stands nowhere else in these tests.
const VISITOR: &str = "198.51.100.77";

fn countries(path: &Path, country: &str) {
    let next = path.with_extension("next");
    fs::write(&next, mmdb::countries(&[("198.51.100.0/24", country), ("2001:db8::/32", "NZ")])).unwrap();
    fs::rename(next, path).unwrap();
}

async fn kept(running: &Running) -> Vec<Value> {
    let batches = running.drain().await;
    let events = batches.iter().flat_map(|batch| &batch.events);
    events.map(|event| serde_json::from_str(&event.metadata).unwrap()).collect()
}

#[tokio::test]
async fn the_country_is_that_of_the_client_and_not_of_a_proxy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("countries.mmdb");
    countries(&path, "FR");
    let enrichment = Enrichment { countries: Some(Arc::new(Countries::open(&path).unwrap())), ..Enrichment::default() };
    let running = Running::start(Setup { enrichment, trusted_proxies: "127.0.0.1", ..Setup::default() }).await;
    for forwarded in [VISITOR, "2001:db8::7", "192.0.2.1", "1.1.1.1, 198.51.100.77"] {
        let page =
            running.post(event("")).header("origin", "https://shop.example").header("x-forwarded-for", forwarded);
        assert_eq!(page.send().await.unwrap().status(), 202);
    }
    // From a server, whose address is nobody's country.
    let server = running.post(event("")).header("x-forwarded-for", VISITOR);
    assert_eq!(server.send().await.unwrap().status(), 202);
    let found = kept(&running).await;
    assert_eq!(
        found,
        [json!({ "country": "FR" }), json!({ "country": "NZ" }), json!({}), json!({ "country": "FR" }), json!({})]
    );
}

/// A processor from before facts reads what servers send, and the counts of what was refused; what a browser tells is queued once
/// for all its events, which stay as they were sent.
#[tokio::test]
async fn facts_are_queued_once_and_only_where_there_are_some() {
    let running = Running::start(Setup {
        enrichment: Enrichment { user_agent: true, bots: true, channel: true, utm: true, countries: None },
        ..Setup::default()
    })
    .await;
    let view = event(r#","metadata":{"referrer":""}"#);
    let body = format!("[{}]", vec![view; 100].join(","));
    let agent = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";
    let page =
        |body: &str| running.post(body.to_owned()).header("origin", "https://shop.example").header("user-agent", agent);
    assert_eq!(page(&body).send().await.unwrap().status(), 202);
    assert_eq!(running.post(body.clone()).header("user-agent", agent).send().await.unwrap().status(), 202);
    assert_eq!(page("{}").send().await.unwrap().status(), 400);
    let mut consumer = running.queue.consumer("test").await.unwrap();
    let deliveries = consumer.receive(1_000, Duration::from_secs(1)).await.unwrap();
    let [told, plain, refused] = &deliveries[..] else { panic!("{} entries", deliveries.len()) };
    assert_eq!([told, plain, refused].map(|entry| entry.payload[0]), [2, 1, 1]);
    let (batch, facts) = analytics_domain::Batch::decode_apart(&told.payload).unwrap();
    assert!(facts.is_some() && batch.events.iter().all(|event| event.metadata == r#"{"referrer":""}"#));
    let more = told.payload.len() - plain.payload.len();
    assert!(more < 100, "{more} bytes for 100 events");
    let read = analytics_domain::Batch::decode(&told.payload).unwrap();
    let expected = r#"{"browser":"Firefox","channel":"direct","device":"desktop","os":"Linux","referrer":""}"#;
    assert!(read.events.iter().all(|event| event.metadata == expected), "{:?}", read.events[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_keeps_and_tells_nothing_of_an_address() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("countries.mmdb");
    countries(&path, "FR");
    let redis = RedisServer::start(RedisOptions::default()).unwrap();
    let options = RoleOptions::new()
        .variable("REDIS_URL", redis.url())
        .variable("GEOIP_FILE", path.display().to_string())
        .variable("TRUSTED_PROXIES", "127.0.0.1")
        .variable("LOG_LEVEL", "trace");
    let mut role = Role::start(program(), options).unwrap();
    let client = reqwest::Client::new();
    let agent = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile \
                 Safari/537.36";
    let post = |body: String| {
        let request = client.post(format!("{}/collect", role.url())).header("origin", "https://shop.example");
        request.header("x-forwarded-for", VISITOR).header("user-agent", agent).body(body)
    };
    assert_eq!(post(event("")).send().await.unwrap().status(), 202);
    assert_eq!(post("{}".to_owned()).send().await.unwrap().status(), 400);
    let queue = RedisQueue::connect(QueueOptions::new(redis.url().as_str())).await.unwrap();
    let mut consumer = queue.consumer("test").await.unwrap();
    let deliveries = consumer.receive(10, Duration::from_secs(1)).await.unwrap();
    let first = deliveries.first().expect("the batch is queued");
    let batch = analytics_domain::Batch::decode(&first.payload).unwrap();
    let metadata: Value = serde_json::from_str(&batch.events[0].metadata).unwrap();
    assert_eq!(metadata, json!({ "browser": "Chrome", "country": "FR", "device": "mobile", "os": "Android" }));
    assert_eq!(batch.context, None);
    // Neither as text nor as the four bytes that it is made of, whole or but for the last; and the user agent not either.
    for delivery in &deliveries {
        for secret in [VISITOR.as_bytes(), b"198.51.100", &[198, 51, 100], agent.as_bytes(), b"Mozilla"] {
            let found = delivery.payload.windows(secret.len()).any(|window| window == secret);
            assert!(!found, "{:?} is queued", String::from_utf8_lossy(secret));
        }
    }
    let metrics = client.get(format!("{}/metrics", role.url())).send().await.unwrap().text().await.unwrap();
    assert!(!metrics.contains("198.51.100"), "{metrics}");
    assert!(role.stop(Duration::from_secs(20)).unwrap().success());
    let log = role.log();
    assert!(log.contains("TRACE") || log.contains("DEBUG") || log.contains("\"level\""), "the log is on: {log}");
    assert!(!log.contains("198.51.100") && !log.contains("Mozilla"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_replaced_is_read_and_no_restart_is_needed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("countries.mmdb");
    countries(&path, "FR");
    let redis = RedisServer::start(RedisOptions::default()).unwrap();
    let options = RoleOptions::new()
        .variable("REDIS_URL", redis.url())
        .variable("ENRICH", "country")
        .variable("GEOIP_FILE", path.display().to_string())
        .variable("TRUSTED_PROXIES", "127.0.0.1");
    let role = Role::start(program(), options).unwrap();
    let queue = RedisQueue::connect(QueueOptions::new(redis.url().as_str())).await.unwrap();
    let mut consumer = queue.consumer("test").await.unwrap();
    let client = reqwest::Client::new();
    let mut country = async || {
        let request = client.post(format!("{}/collect", role.url())).header("origin", "https://shop.example");
        let answer = request.header("x-forwarded-for", VISITOR).body(event("")).send().await.unwrap();
        assert_eq!(answer.status(), 202, "{}", role.log());
        let deliveries = consumer.receive(10, Duration::from_secs(1)).await.unwrap();
        let batch = analytics_domain::Batch::decode(&deliveries[0].payload).unwrap();
        let metadata = batch.events[0].metadata.clone().into_owned();
        let receipts: Vec<_> = deliveries.into_iter().map(|delivery| delivery.receipt).collect();
        consumer.acknowledge(&receipts).await.unwrap();
        metadata
    };
    assert_eq!(country().await, r#"{"country":"FR"}"#);
    countries(&path, "PT");
    let begin = Instant::now();
    while country().await != r#"{"country":"PT"}"# {
        assert!(begin.elapsed() < Duration::from_secs(30), "the new file is not read: {}", role.log());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_used_stops_the_start_with_its_mend() {
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("broken.mmdb");
    fs::write(&broken, b"<html>").unwrap();
    let nowhere = folder.path().join("nowhere.mmdb");
    for (path, words) in [
        (nowhere, &["GEOIP_FILE", "nowhere.mmdb", "cannot be read", "unset GEOIP_FILE"][..]),
        (broken, &["GEOIP_FILE", "broken.mmdb", "no whole file in MaxMind's format", "download it anew"]),
    ] {
        let options = RoleOptions::new()
            .variable("REDIS_URL", "redis://127.0.0.1:1")
            .variable("GEOIP_FILE", path.display().to_string());
        let mut role = Role::spawn(program(), options).unwrap();
        assert!(!role.wait(Duration::from_secs(10)).unwrap().success());
        for word in words {
            assert!(role.log().contains(word), "{word} is not in {}", role.log());
        }
    }
}
