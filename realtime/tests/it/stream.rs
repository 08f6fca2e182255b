//! Server-sent events.

use std::time::Duration;

use reqwest::Response;
use serde_json::Value;

use crate::server::{KEY, Server, Setup, event};
use crate::socket::number;

/// Opens a stream.
pub async fn open(server: &Server, subscribe: &str, last_event_id: Option<&str>) -> Response {
    let mut url = reqwest::Url::parse(&format!("http://{}/realtime/sse", server.address)).unwrap();
    url.query_pairs_mut().append_pair("subscribe", subscribe);
    let mut request = reqwest::Client::new().get(url).bearer_auth(KEY);
    if let Some(id) = last_event_id {
        request = request.header("last-event-id", id);
    }
    request.send().await.unwrap()
}

/// Reads a stream event by event, as a browser would.
struct Events {
    response: Response,
    unread: String,
}

impl Events {
    async fn open(server: &Server, subscribe: &str, last_event_id: Option<&str>) -> Self {
        let response = open(server, subscribe, last_event_id).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut events = Self { response, unread: String::new() };
        assert_eq!(events.next().await.1["type"], "welcome");
        events
    }

    /// The id and the data of the next event; comments are skipped.
    async fn next(&mut self) -> (Option<String>, Value) {
        loop {
            while let Some((block, rest)) = self.unread.split_once("\n\n") {
                let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
                let (id, data) = (field("id: "), field("data: "));
                self.unread = rest.to_owned();
                if let Some(data) = data {
                    return (id, serde_json::from_str(&data).unwrap());
                }
            }
            let chunk = tokio::time::timeout(Duration::from_secs(10), self.response.chunk()).await.unwrap();
            self.unread.push_str(std::str::from_utf8(&chunk.unwrap().expect("an open stream")).unwrap());
        }
    }
}

#[tokio::test]
async fn the_same_messages_with_the_cursor_as_id() {
    let server = Server::start(Setup::default()).await;
    let mut events =
        Events::open(&server, r#"{"id":"a","events":{"filters":[["is","event_type",["third"]]]}}"#, None).await;
    server.publish(&(1..=6).map(event).collect::<Vec<_>>()).await;
    for expected in [3, 6] {
        let (id, message) = events.next().await;
        assert_eq!(number(&message), expected);
        assert_eq!(message["id"], "a");
        assert_eq!(id.as_deref(), message["cursor"].as_str());
    }
}

#[tokio::test]
async fn last_event_id_takes_up_where_it_ended() {
    let server = Server::start(Setup::default()).await;
    let mut events = Events::open(&server, r#"{"type":"subscribe","events":{}}"#, None).await;
    server.publish(&(1..=5).map(event).collect::<Vec<_>>()).await;
    let mut last = None;
    for expected in 1..=3 {
        let (id, message) = events.next().await;
        assert_eq!((number(&message), message["id"].as_str()), (expected, Some("0")));
        last = id;
    }
    drop(events);
    server.publish(&[event(6)]).await;
    let mut again = Events::open(&server, r#"{"events":{}}"#, last.as_deref()).await;
    for expected in 4..=6 {
        assert_eq!(number(&again.next().await.1), expected);
    }
    server.publish(&[event(7)]).await;
    assert_eq!(number(&again.next().await.1), 7);
}

#[tokio::test]
async fn a_quiet_stream_is_kept_open_by_comments() {
    let limits = analytics_realtime::Limits { ping_every: Duration::from_millis(100), ..Default::default() };
    let server = Server::start(Setup { limits, ..Setup::default() }).await;
    let mut response = open(&server, r#"{"events":{}}"#, None).await;
    let mut text = String::new();
    while text.matches(": ping\n\n").count() < 3 {
        let chunk = tokio::time::timeout(Duration::from_secs(5), response.chunk()).await.unwrap().unwrap().unwrap();
        text.push_str(std::str::from_utf8(&chunk).unwrap());
    }
}

#[tokio::test]
async fn a_bad_subscription_is_a_problem_before_the_stream() {
    let server = Server::start(Setup::default()).await;
    for (subscribe, status, code, path) in [
        ("", 400, "invalid_json", None),
        ("[]", 400, "invalid_message", None),
        (r#"{"events":{},"x":1}"#, 400, "unknown_field", Some("x")),
        (r#"{"events":{"filters":[["is","nothing",["x"]]]}}"#, 400, "invalid_query", Some("events.filters[0][1]")),
        (r#"{"events":{},"since":"x"}"#, 400, "invalid_cursor", Some("since")),
        (r#"{"query":{"metrics":["events"]}}"#, 503, "queries_unavailable", None),
    ] {
        let response = open(&server, subscribe, None).await;
        assert_eq!(response.status(), status, "{subscribe}");
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        let problem: Value = response.json().await.unwrap();
        assert_eq!(problem["code"], code, "{subscribe}: {problem}");
        assert_eq!(problem.get("path").and_then(Value::as_str), path, "{subscribe}: {problem}");
    }
    assert_eq!(open(&server, r#"{"events":{}}"#, Some("not a cursor")).await.status(), 400);
    let long = format!(r#"{{"events":{{"filters":[["is","event_type",["{}"]]]}}}}"#, "x".repeat(17_000));
    assert_eq!(open(&server, &long, None).await.status(), 400);
}

#[tokio::test]
async fn a_parameter_that_is_unknown_missing_or_given_twice_is_named() {
    let server = Server::start(Setup::default()).await;
    for (parameters, code, path) in [
        ("", "missing_field", "subscribe"),
        ("subscribe=%7B%22events%22%3A%7B%7D%7D&subscribe=x", "invalid_field", "subscribe"),
        ("subscribe=%7B%22events%22%3A%7B%7D%7D&key=secret", "unknown_field", "key"),
    ] {
        let url = format!("http://{}/realtime/sse?{parameters}", server.address);
        let response = reqwest::Client::new().get(url).bearer_auth(KEY).send().await.unwrap();
        assert_eq!(response.status(), 400, "{parameters}");
        let problem: Value = response.json().await.unwrap();
        assert_eq!((&problem["code"], &problem["path"]), (&code.into(), &path.into()), "{problem}");
        assert!(!problem.to_string().contains("secret"), "{problem}");
    }
}
