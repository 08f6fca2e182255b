//! The retention, which is of every project: set by the environment, or by an administrator of `default`.

use analytics_blackbox::deployment::Settings;
use analytics_blackbox::tenant::send;
use analytics_blackbox::{Answer, Deployment, Form};
use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::corpus::{at, event};

const ADMIN: &str = "admin-key-of-default";

/// A deployment with a key of `default` and those of the suite.
fn start(form: Form, retention: Option<&str>) -> Deployment {
    let settings = Settings::default().without_keys().variable("API_KEYS", ADMIN);
    let settings = retention.into_iter().fold(settings, |settings, days| settings.variable("RETENTION_DAYS", days));
    Deployment::start(form, &settings).unwrap()
}

async fn ask(deployment: &Deployment, method: Method, path: &str, body: Value) -> Answer {
    let api = deployment.owned_tenant().api;
    let request = Client::new().request(method, format!("{api}{path}")).bearer_auth(ADMIN);
    send(if body.is_null() { request } else { request.body(body.to_string()) }).await
}

async fn retention(deployment: &Deployment) -> Value {
    let answer = ask(deployment, Method::GET, "/api/settings", Value::Null).await.expect_status(200);
    answer.body["settings"][0].clone()
}

async fn the_environment_wins(form: Form) {
    let deployment = start(form, Some("60"));
    let expected =
        json!({ "name": "retention_days", "value": 60, "source": "environment", "editable": false, "unit": "days" });
    assert_eq!(retention(&deployment).await, expected);
    for days in [json!(30), json!(null)] {
        let answer = ask(
            &deployment,
            Method::PATCH,
            "/api/settings",
            json!({ "retention_days": days, "timezone": "Asia/Tokyo" }),
        );
        let answer = answer.await.expect_problem(409, "read_only");
        assert!(answer.body["detail"].as_str().unwrap().contains("RETENTION_DAYS"), "{}", answer.text);
    }
    assert_eq!(retention(&deployment).await, expected);
    // Of several changes none was made.
    let settings = ask(&deployment, Method::GET, "/api/settings", Value::Null).await;
    assert!(!settings.text.contains("Tokyo"), "{}", settings.text);
}

#[tokio::test]
async fn the_environment_wins_in_one_process() {
    the_environment_wins(Form::Single).await;
}

/// The api is not told `RETENTION_DAYS` here: the processor is, and says so through the store.
#[tokio::test]
async fn the_environment_of_the_processor_wins() {
    the_environment_wins(Form::FourRolesPlain).await;
}

#[tokio::test]
async fn an_administrator_sets_the_retention() {
    let deployment = start(Form::Single, None);
    let unset = json!({ "name": "retention_days", "value": 90, "source": "default", "editable": true, "unit": "days" });
    assert_eq!(retention(&deployment).await, unset);
    let tenant = deployment.owned_tenant();
    let old = event("s", "t", "a", &at(40, "10:00:00"));
    let sent =
        async || tenant.collect_request().header("content-type", "application/json").body(old.to_string()).send().await;
    assert_eq!(sent().await.unwrap().status(), 202);
    let _ = ask(&deployment, Method::PATCH, "/api/settings", json!({ "retention_days": 30 })).await.expect_status(200);
    let expected =
        json!({ "name": "retention_days", "value": 30, "source": "store", "editable": true, "unit": "days" });
    assert_eq!(retention(&deployment).await, expected);
    // At once an older event is in no answer, and is refused.
    assert_eq!(sent().await.unwrap().status(), 400);
    let question = json!({ "metrics": ["events"], "date_range": "90d" });
    let answer = ask(&deployment, Method::POST, "/api/query", question).await.expect_status(200);
    assert_eq!(answer.number(), json!(0), "{}", answer.text);
    let _ =
        ask(&deployment, Method::PATCH, "/api/settings", json!({ "retention_days": null })).await.expect_status(200);
    assert_eq!(retention(&deployment).await, unset);
    assert_eq!(sent().await.unwrap().status(), 202);
}
