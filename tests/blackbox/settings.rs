//! Settings that change what is answered, and those that stop the start.

use std::time::Duration;

use analytics_blackbox::deployment::Settings;
use analytics_blackbox::tenant::send;
use analytics_blackbox::{Deployment, Form};
use analytics_testkit::role::{Role, RoleOptions, program};
use reqwest::Method;
use serde_json::json;

use crate::corpus::{at, event};

#[tokio::test]
async fn without_keys_only_loopback_is_answered() {
    let deployment = Deployment::start(Form::Single, &Settings::default().without_keys()).unwrap();
    let tenant = deployment.owned_tenant();
    tenant.store(&[event("s", "t", "a", &at(1, "10:00:00"))]).await;
    let trends = |header: &'static str, value: &'static str| {
        tenant.api_request(Method::GET, "/api/trends").header(header, value)
    };
    let port = tenant.api.rsplit(':').next().unwrap().to_owned();
    let allowed = tenant.api_request(Method::GET, "/api/trends").header("host", format!("localhost:{port}"));
    let answer = send(allowed).await.expect_status(200);
    assert_eq!(answer.header("access-control-allow-origin"), "", "no CORS headers without keys");
    for request in [
        trends("host", "rebound.example"),
        trends("x-forwarded-for", "203.0.113.9"),
        trends("forwarded", "for=203.0.113.9"),
        trends("origin", "https://elsewhere.example"),
    ] {
        let answer = send(request).await;
        assert!([401, 403].contains(&answer.status), "{} {}", answer.status, answer.text);
        assert!(answer.body["code"].is_string(), "{}", answer.text);
    }
    // Events may come from anywhere.
    let body = event("s", "t", "a", &at(1, "10:00:00")).to_string();
    let from_page =
        tenant.collect_request().header("origin", "https://shop.example").header("content-type", "text/plain");
    let _ = send(from_page.body(body)).await.expect_status(202);
}

async fn a_rate_has_its_limit(form: Form) {
    let deployment = Deployment::start(form, &Settings::default().variable("RATE_LIMIT", "20")).unwrap();
    let (tenant, other) = (deployment.owned_tenant(), deployment.owned_tenant());
    let events = vec![event("s", "t", "a", &at(1, "10:00:00")); 10];
    let mut refused = None;
    for _ in 0..20 {
        let answer = tenant.collect(json!(events).to_string()).await;
        if answer.status == 429 {
            refused = Some(answer);
            break;
        }
        let _ = answer.expect_status(202);
    }
    let refused = refused.expect("200 events at once are beyond 20 a second").expect_problem(429, "rate_limited");
    assert!(refused.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds >= 1), "{:?}", refused.headers);
    // Another key has a rate of its own.
    let _ = other.collect(json!(events).to_string()).await.expect_status(202);
}

#[tokio::test]
async fn a_rate_has_its_limit_in_one_process() {
    a_rate_has_its_limit(Form::Single).await;
}

#[tokio::test]
async fn a_rate_has_its_limit_in_four_roles() {
    a_rate_has_its_limit(Form::FourRoles).await;
}

/// Starts a program that must end by itself, with a sentence that names the variable.
fn refuses(name: &'static str, options: RoleOptions, words: &[&str], secrets: &[&str]) {
    let mut role = Role::spawn(&program(name).unwrap(), options).unwrap();
    let status = role.wait(Duration::from_secs(20)).unwrap_or_else(|error| panic!("{name} {words:?}: {error}"));
    let log = role.log();
    assert!(!status.success(), "{name} {words:?}: {log}");
    for word in words {
        assert!(log.contains(word), "{name}: {word} is not in: {log}");
    }
    for secret in secrets {
        assert!(!log.contains(secret), "{name} tells a secret: {log}");
    }
}

#[test]
fn a_wrong_setting_stops_the_start_by_name() {
    let serve = || RoleOptions::new().argument("serve").variable("DATA_DIR", "data");
    refuses("analytics", serve().variable("LOG_LEVEL", "loud"), &["LOG_LEVEL", "loud"], &[]);
    refuses("analytics", serve().variable("RETENTION_DAYS", "soon"), &["RETENTION_DAYS", "soon"], &[]);
    refuses("analytics", serve().variable("DURABILITY", "perhaps"), &["DURABILITY", "perhaps"], &[]);
    refuses("analytics", serve().variable("API_KEYS", "short-secret"), &["API_KEYS"], &["short-secret"]);
    let both = serve().variable("APP_ENV", "production").variable("NODE_ENV", "development");
    refuses("analytics", both, &["APP_ENV", "NODE_ENV"], &[]);
    refuses("analytics", serve().variable("HOST", "0.0.0.0"), &["HOST", "API_KEYS"], &[]);
    refuses("collector", RoleOptions::new(), &["REDIS_URL"], &[]);
    refuses("processor", RoleOptions::new().variable("REDIS_URL", "redis://127.0.0.1:1"), &["DATABASE_URL"], &[]);
    let database = "postgres://user:hunter2@127.0.0.1:1/x";
    refuses("api", RoleOptions::new().variable("DATABASE_URL", database), &["API_KEYS"], &["hunter2"]);
    let wrong = RoleOptions::new()
        .variable("DATABASE_URL", "mysql://user:hunter2@127.0.0.1/x")
        .variable("API_KEYS", "a-key-of-16-chars-or-more");
    refuses("api", wrong, &["DATABASE_URL"], &["hunter2"]);
}

#[test]
fn a_folder_has_one_owner() {
    let deployment = Deployment::start(Form::Single, &Settings::default()).unwrap();
    let folder = deployment.parts().roles[0].1.folder().join("data");
    let second = RoleOptions::new().argument("serve").variable("DATA_DIR", folder.to_str().unwrap());
    refuses("analytics", second, &["DATA_DIR"], &[]);
}
