//! The Prometheus of `deploy/prometheus` over real roles: what is asked for is there, and gives something.

use std::time::{Duration, Instant};

use analytics_blackbox::deployment::Settings;
use analytics_blackbox::tenant::send;
use analytics_blackbox::{Deployment, Form, Tenant};
use analytics_testkit::prometheus::{PrometheusServer, deploy_check};
use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use crate::{event, repository};

/// Longest wait until everything has been scraped often enough for a rate.
const PATIENCE: Duration = Duration::from_secs(60);

/// One who asks Prometheus.
struct Asker {
    url: String,
    client: reqwest::Client,
}

impl Asker {
    async fn get(&self, path: &str, query: &[(&str, &str)]) -> Value {
        let answer = send(self.client.get(format!("{}{path}", self.url)).query(query)).await;
        assert_eq!(answer.body["status"], "success", "{path} {query:?}: {}", answer.text);
        answer.body["data"].clone()
    }

    /// The series that an expression gives now.
    async fn ask(&self, expression: &str) -> Vec<Value> {
        let data = self.get("/api/v1/query", &[("query", expression)]).await;
        data["result"].as_array().unwrap_or_else(|| panic!("{expression}: {data}")).clone()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_panel_and_every_rule_gives_something() {
    let deployment = Deployment::start(Form::FourRoles, &Settings::default()).unwrap();
    let targets: Vec<String> =
        deployment.roles().iter().map(|(role, url)| format!("{role}={}", url.trim_start_matches("http://"))).collect();
    let repository = repository();
    let scrape = deploy_check(&repository, &[vec!["live-scrape".to_owned()], targets].concat()).unwrap();
    let prometheus = PrometheusServer::start(&scrape, &repository.join("deploy/prometheus/rules")).unwrap();
    let asker = Asker { url: prometheus.url(), client: reqwest::Client::new() };
    let asked: Value = serde_json::from_str(&deploy_check(&repository, &["live-queries".to_owned()]).unwrap()).unwrap();

    let tenant = deployment.owned_tenant();
    let traffic = tokio::spawn(keep_busy(tenant));
    let began = Instant::now();
    let mut missing = vec!["nothing was asked yet".to_owned()];
    while !missing.is_empty() {
        assert!(
            began.elapsed() < PATIENCE,
            "after {PATIENCE:?} these give nothing: {missing:#?}\n{}",
            prometheus.log()
        );
        assert!(!traffic.is_finished(), "the traffic has ended: {:?}", traffic.await);
        tokio::time::sleep(Duration::from_secs(2)).await;
        missing = what_gives_nothing(&asker, &asked).await;
    }

    let rules = asker.get("/api/v1/rules", &[]).await;
    let rules: Vec<&Value> =
        rules["groups"].as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap()).collect();
    assert!(rules.len() > 25, "{rules:?}");
    for rule in rules {
        assert_eq!(rule["health"], "ok", "{rule}");
        assert_ne!(rule["state"], "firing", "an alert of a deployment that is well: {rule}");
    }
    traffic.abort();
}

/// What is asked for and is not there: series by label, panels, recorded rules.
async fn what_gives_nothing(asker: &Asker, asked: &Value) -> Vec<String> {
    let mut missing = Vec::new();
    for pair in asked["series"].as_array().unwrap() {
        let (metric, label) = (pair[0].as_str().unwrap(), pair[1].as_str().unwrap());
        let expression = if label.is_empty() { metric.to_owned() } else { format!("{metric}{{{label}!=\"\"}}") };
        if asker.ask(&expression).await.is_empty() {
            missing.push(expression);
        }
    }
    for panel in asked["panels"].as_array().unwrap() {
        if asker.ask(panel["expr"].as_str().unwrap()).await.is_empty() {
            missing.push(panel.to_string());
        }
    }
    for name in asked["recorded"].as_array().unwrap() {
        if asker.ask(name.as_str().unwrap()).await.is_empty() {
            missing.push(name.to_string());
        }
    }
    missing
}

/// Traffic of every kind that a panel shows, until it is ended.
async fn keep_busy(tenant: Tenant) {
    let mut request =
        format!("{}/realtime", tenant.realtime.replace("http://", "ws://")).into_client_request().unwrap();
    request.headers_mut().insert("authorization", format!("Bearer {}", tenant.read_key).parse().unwrap());
    let (mut socket, _) = connect_async(request).await.unwrap();
    let subscribe = json!({ "type": "subscribe", "id": "b", "events": {} });
    socket.send(Message::text(subscribe.to_string())).await.unwrap();
    let reading = tokio::spawn(async move { while socket.next().await.is_some() {} });
    loop {
        assert!(!reading.is_finished(), "the socket was closed");
        let known = uuid::Uuid::now_v7().to_string();
        let mut twice = event("s", "navigation", "page_view");
        twice["id"] = known.into();
        tenant.collect_all(&[event("s", "navigation", "page_view"), twice.clone(), twice]).await;
        // Refused: a field too few, and no JSON at all.
        let _ =
            tenant.collect(json!([event("s", "t", "a"), { "session_id": "s" }]).to_string()).await.expect_status(202);
        let _ = tenant.collect("{").await.expect_problem(400, "invalid_json");
        let _ = tenant.get("/api/trends").await.expect_status(200);
        let _ = tenant.get("/api/trends?metric=applause").await.expect_problem(400, "invalid_query");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
