//! `analytics serve` from outside.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use analytics_store::postgres::create_database;
use analytics_testkit::postgres::{Edition, PostgresOptions, PostgresServer};
use analytics_testkit::role::{Role, RoleOptions};
use serde_json::Value;

const EVENT: &str = r#"{"session_id":"s","event_type":"t","event_action":"a"}"#;

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_analytics"))
}

/// Status and document of an answer.
async fn told(request: reqwest::RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

/// Waits until the port is open.
async fn listens(role: &Role) {
    let begin = Instant::now();
    while reqwest::get(format!("{}/health/live", role.url())).await.is_err() {
        assert!(begin.elapsed() < Duration::from_secs(10), "{}", role.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_202_survives_is_told() {
    let client = reqwest::Client::new();
    for (wish, metric, survives) in [(None, "1", "a power cut"), (Some("fast"), "0", "a killed process")] {
        let options = wish.map_or(RoleOptions::new(), |wish| RoleOptions::new().variable("DURABILITY", wish));
        let role = Role::start(program(), options).unwrap();
        let page = client.get(format!("{}/metrics", role.url())).send().await.unwrap().text().await.unwrap();
        assert!(page.contains(&format!("\nanalytics_queue_durable {metric}\n")), "{page}");
        assert!(role.log().contains(&format!(r#""survives":"{survives}"#)), "{}", role.log());
        // What was asked for is there.
        let (status, health) = told(client.get(format!("{}/health", role.url()))).await;
        assert_eq!((status, &health["status"], &health["checks"]["queue"]), (200, &"healthy".into(), &"ok".into()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_away_is_waited_for_and_clients_are_told() {
    let start = || PostgresServer::start(PostgresOptions::new(Edition::Plain15)).unwrap();
    let mut server = tokio::task::spawn_blocking(start).await.unwrap();
    let url = server.url("events");
    create_database(&url).await.unwrap();
    server.kill9();
    let mut role = Role::spawn(program(), RoleOptions::new().variable("DATABASE_URL", url)).unwrap();
    listens(&role).await;
    let client = reqwest::Client::new();
    let at = |path: &str| format!("{}{path}", role.url());
    let (status, health) = told(client.get(at("/health"))).await;
    assert_eq!((status, &health["status"]), (503, &"unhealthy".into()), "{health}");
    assert_eq!(health["checks"]["database"], "it has not answered since the start");
    assert_eq!(client.get(at("/health/live")).send().await.unwrap().status(), 200);
    // How old an event may be is not known yet: none is refused for it.
    let old = EVENT.replace('}', r#","timestamp":"2001-02-03T04:05:06Z"}"#);
    for event in [EVENT, &old] {
        let (status, problem) = told(client.post(at("/collect")).body(event.to_owned())).await;
        assert_eq!((status, &problem["code"]), (503, &"queue_unavailable".into()), "{problem}");
    }
    let response = client.get(at("/api/trends?metric=events")).send().await.unwrap();
    assert!(response.headers().contains_key("retry-after"));
    let problem: Value = response.json().await.unwrap();
    assert_eq!((&problem["status"], &problem["code"]), (&503.into(), &"store_unavailable".into()));
    assert_eq!(client.get(at("/nowhere")).send().await.unwrap().status(), 404);

    let server = tokio::task::spawn_blocking(move || {
        server.restart().unwrap();
        server
    });
    let _server = server.await.unwrap();
    role.wait_ready().unwrap();
    let at = |path: &str| format!("{}{path}", role.url());
    assert_eq!(client.post(at("/collect")).body(EVENT).send().await.unwrap().status(), 202);
    let (status, problem) = told(client.post(at("/collect")).body(old)).await;
    assert_eq!((status, &problem["rejected"][0]["code"]), (400, &"timestamp_out_of_range".into()), "{problem}");
    let begin = Instant::now();
    loop {
        let (status, answer) = told(client.get(at("/api/events"))).await;
        if status == 200 && answer["results"].as_array().is_some_and(|events| events.len() == 1) {
            break;
        }
        assert!(begin.elapsed() < Duration::from_secs(10), "{status} {answer}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(client.get(at("/api/nowhere")).send().await.unwrap().status(), 404);
    assert!(role.stop(Duration::from_secs(10)).unwrap().success(), "{}", role.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wait_for_a_database_tells_why_and_ends_when_asked() {
    let url = "postgres://u:hunter2@127.0.0.1:1/db";
    let mut role = Role::spawn(program(), RoleOptions::new().variable("DATABASE_URL", url)).unwrap();
    listens(&role).await;
    let begin = Instant::now();
    while !role.log().contains("a server is not ready") {
        assert!(begin.elapsed() < Duration::from_secs(10), "{}", role.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let log = role.log();
    assert!(log.contains("cannot connect to 127.0.0.1:1 (database db): Connection refused"), "{log}");
    assert!(!log.contains("hunter2"), "{log}");
    let begin = Instant::now();
    assert!(role.stop(Duration::from_secs(10)).unwrap().success(), "{}", role.log());
    assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());

    // A command that has no time to wait says the same and fails.
    let options = RoleOptions::new().argument("migrate").variable("DATABASE_URL", url);
    let mut migrate = Role::spawn(program(), options).unwrap();
    assert!(!migrate.wait(Duration::from_secs(10)).unwrap().success());
    assert!(migrate.log().contains("cannot connect to 127.0.0.1:1 (database db)"), "{}", migrate.log());
    assert!(migrate.log().contains("Connection refused"), "{}", migrate.log());
    // So does one that would open the data itself where no server runs.
    let nobody = format!("http://127.0.0.1:{}", analytics_testkit::ports::free());
    let options = RoleOptions::new().argument("dead-letters").argument("list").argument("--url").argument(nobody);
    let options = options.variable("DATABASE_URL", url);
    let mut list = Role::spawn(program(), options).unwrap();
    assert!(!list.wait(Duration::from_secs(10)).unwrap().success());
    assert!(list.log().contains("(database db): Connection refused"), "{}", list.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_upload_and_an_open_stream_do_not_hold_the_stop() {
    let mut role = Role::start(program(), RoleOptions::new()).unwrap();
    let ask = |head: &str| {
        let mut stream = TcpStream::connect(role.address()).unwrap();
        stream.write_all(format!("{head}\r\nHost: localhost\r\n").as_bytes()).unwrap();
        stream
    };
    let mut stalled = ask("POST /collect HTTP/1.1");
    stalled.write_all(b"Content-Length: 1000\r\n\r\n{").unwrap();
    let mut live = ask("GET /realtime/sse?subscribe=%7B%22id%22:%22a%22,%22events%22:%7B%7D%7D HTTP/1.1");
    live.write_all(b"\r\n").unwrap();
    let mut piece = [0; 64];
    let read = live.read(&mut piece).unwrap();
    assert!(piece[..read].starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&piece));
    let begin = Instant::now();
    assert!(role.stop(Duration::from_secs(15)).unwrap().success(), "{}", role.log());
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
}
