//! Live queries: when they run, who gets the answer, and what is said when there is none.
//!
//! The answers here are the test's own, so that it can count how often and when it was asked; the store's answers are
//! tested where a store is.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use analytics_domain::Project;
use analytics_realtime::{Limits, LiveQueries, Refusal};
use async_trait::async_trait;
use serde_json::{Value, json};

use crate::server::{Server, Setup, event};
use crate::socket::Client;

/// Answers with a figure that the test sets.
#[derive(Default)]
struct Figures {
    figure: AtomicU64,
    runs: AtomicU64,
    /// 0: answer; 1: the store is away; 2: too large; 3: a long answer.
    mood: AtomicU64,
}

#[async_trait]
impl LiveQueries for Figures {
    fn normalise(&self, question: &Value) -> Result<String, Refusal> {
        Ok(analytics_query::Question::from_json(question)?.to_json().to_string())
    }

    async fn run(&self, project: &Project, question: &Value) -> Result<Value, Refusal> {
        let runs = self.runs.fetch_add(1, Ordering::SeqCst);
        match self.mood.load(Ordering::SeqCst) {
            1 => Err(Refusal::new("store_unavailable", "the store is away").passing()),
            2 => Err(Refusal::new("query_too_large", "too many rows").at("dimensions")),
            3 => Ok(json!({"results": ["x".repeat(300_000)]})),
            _ => Ok(json!({
                "results": [{"dimensions": [project.as_str()], "metrics": [self.figure.load(Ordering::SeqCst)]}],
                "columns": question["metrics"],
                "meta": {"took_ms": runs},
            })),
        }
    }
}

const QUESTION: &str = r#"{"metrics":["events"],"date_range":"7d"}"#;

fn subscribe(id: &str, question: &str) -> String {
    format!(r#"{{"type":"subscribe","id":"{id}","query":{question}}}"#)
}

async fn start() -> (Server, Arc<Figures>) {
    let figures = Arc::new(Figures::default());
    let server = Server::start(Setup { queries: Some(Arc::clone(&figures) as _), ..Setup::default() }).await;
    (server, figures)
}

fn figure(message: &Value) -> u64 {
    message["result"]["results"][0]["metrics"][0].as_u64().unwrap_or_else(|| panic!("{message}"))
}

#[tokio::test]
async fn a_snapshot_at_once_and_an_update_after_a_commit() {
    let (server, figures) = start().await;
    let mut client = Client::connect(server.address).await;
    client.send(subscribe("a", QUESTION)).await;
    let snapshot = client.next().await;
    assert_eq!((&snapshot["type"], &snapshot["id"], figure(&snapshot)), (&"snapshot".into(), &"a".into(), 0));
    assert!(snapshot["cursor"].as_str().is_some_and(|cursor| cursor.split('-').count() == 3), "{snapshot}");
    figures.figure.store(5, Ordering::SeqCst);
    // Nothing was committed: nobody asks.
    assert_eq!(client.next_within(Duration::from_millis(1_300)).await, None);
    assert_eq!(figures.runs.load(Ordering::SeqCst), 1);
    server.publish(&[event(1)]).await;
    let update = client.next().await;
    assert_eq!((&update["type"], figure(&update)), (&"update".into(), 5));
    // A commit that changes nothing in the answer is no update.
    server.publish(&[event(2)]).await;
    assert_eq!(client.next_within(Duration::from_millis(1_500)).await, None);
    assert_eq!(figures.runs.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_thousand_commits_and_twenty_dashboards_cost_one_run_a_second() {
    let (server, figures) = start().await;
    let mut clients = Vec::new();
    for index in 0..20 {
        let mut client = Client::connect(server.address).await;
        // The same question, written in two ways.
        let question =
            if index % 2 == 0 { QUESTION } else { r#"{"date_range":"7d","limit":100,"metrics":["events"]}"# };
        client.send(subscribe(&format!("q{index}"), question)).await;
        assert_eq!(client.next().await["type"], "snapshot");
        clients.push(client);
    }
    assert_eq!(figures.runs.load(Ordering::SeqCst), 1);
    for number in 1..=250 {
        figures.figure.store(number, Ordering::SeqCst);
        server.publish(&[event(u128::from(number))]).await;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let runs = figures.runs.load(Ordering::SeqCst);
    assert!((2..=6).contains(&runs), "{runs} runs in about 3 seconds");
    for (index, client) in clients.iter_mut().enumerate() {
        loop {
            let update = client.next().await;
            assert_eq!((&update["type"], &update["id"]), (&"update".into(), &format!("q{index}").into()));
            if figure(&update) == 250 {
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_bad_question_has_the_code_and_path_of_the_api() {
    let (server, _) = start().await;
    let mut client = Client::connect(server.address).await;
    client.send(subscribe("a", r#"{"metrics":["events"],"filters":[["is","colour",["x"]]]}"#)).await;
    let error = client.next().await;
    assert_eq!(error["type"], "error");
    assert_eq!((&error["code"], &error["path"]), (&"invalid_query".into(), &"filters[0][1]".into()), "{error}");
    client.send(subscribe("a", r#"{"metrics":[]}"#)).await;
    assert_eq!(client.next().await["path"], "metrics");
    client.send(subscribe("a", QUESTION)).await;
    assert_eq!(client.next().await["type"], "snapshot");
}

#[tokio::test]
async fn a_store_that_is_away_is_told_once_and_asked_again() {
    let (server, figures) = start().await;
    figures.mood.store(1, Ordering::SeqCst);
    let mut client = Client::connect(server.address).await;
    client.send(subscribe("a", QUESTION)).await;
    let error = client.next().await;
    assert_eq!((&error["code"], &error["id"]), (&"store_unavailable".into(), &"a".into()));
    figures.mood.store(0, Ordering::SeqCst);
    assert_eq!(client.next().await["type"], "snapshot");
    figures.mood.store(1, Ordering::SeqCst);
    server.publish(&[event(1)]).await;
    assert_eq!(client.next().await["code"], "store_unavailable");
    figures.mood.store(0, Ordering::SeqCst);
    assert_eq!(client.next().await["type"], "update");
}

#[tokio::test]
async fn a_question_that_cannot_be_answered_ends_the_subscription() {
    let (server, figures) = start().await;
    let mut client = Client::connect(server.address).await;
    for mood in [2, 3] {
        figures.mood.store(mood, Ordering::SeqCst);
        client.send(subscribe("a", QUESTION)).await;
        let error = client.next().await;
        assert_eq!((&error["code"], &error["id"]), (&"query_too_large".into(), &"a".into()), "{error}");
    }
    // The id is free again, and a new try is one.
    figures.mood.store(0, Ordering::SeqCst);
    client.send(subscribe("a", QUESTION)).await;
    assert_eq!(client.next().await["type"], "snapshot");
}

#[tokio::test]
async fn different_questions_are_bounded() {
    let figures = Arc::new(Figures::default());
    let limits = Limits { live_queries: 2, ..Limits::default() };
    let server = Server::start(Setup { queries: Some(figures), limits, ..Setup::default() }).await;
    let mut client = Client::connect(server.address).await;
    let question = |limit: u32| format!(r#"{{"metrics":["events"],"limit":{limit}}}"#);
    for limit in 1..=2 {
        client.send(subscribe(&limit.to_string(), &question(limit))).await;
        assert_eq!(client.next().await["type"], "snapshot");
    }
    client.send(subscribe("3", &question(3))).await;
    assert_eq!(client.next().await["code"], "too_many_live_queries");
    client.say(r#"{"type":"unsubscribe","id":"1"}"#).await;
    client.send(subscribe("3", &question(3))).await;
    assert_eq!(client.next().await["type"], "snapshot");
}
