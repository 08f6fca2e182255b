//! Keys and scopes: every answer is of one project, the key's.

use analytics_blackbox::Deployment;
use analytics_blackbox::tenant::send;
use reqwest::Method;
use serde_json::json;

use crate::corpus::{at, event};

every_form! { routes_need_a_key, scopes, projects_never_mix, answers_are_private }

const ROUTES: [(&str, &str); 22] = [
    ("POST", "/api/query"),
    ("GET", "/api/trends"),
    ("GET", "/api/breakdown?dimension=event_type"),
    ("POST", "/api/retention"),
    ("GET", "/api/sessions"),
    ("GET", "/api/sessions/shared"),
    ("GET", "/api/users/nobody"),
    ("GET", "/api/events"),
    ("GET", "/api/properties"),
    ("GET", "/api/properties/event_type/values"),
    ("GET", "/api/integrity"),
    ("GET", "/api/dead-letters"),
    ("POST", "/api/dead-letters/replay"),
    ("GET", "/api/keys"),
    ("POST", "/api/keys"),
    ("DELETE", "/api/keys/none"),
    ("GET", "/api/settings"),
    ("PATCH", "/api/settings"),
    ("GET", "/api/views"),
    ("POST", "/api/views"),
    ("GET", "/api/boards"),
    ("PUT", "/api/boards/none"),
];

async fn routes_need_a_key(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    for (method, path) in ROUTES {
        let request =
            || tenant.client.request(Method::from_bytes(method.as_bytes()).unwrap(), format!("{}{path}", tenant.api));
        let _ = send(request()).await.expect_problem(401, "unknown_key");
        let _ = send(request().bearer_auth("no-key-of-this-server")).await.expect_problem(401, "unknown_key");
        let _ = send(request().header("x-api-key", "no-key-of-this-server")).await.expect_problem(401, "unknown_key");
        // A key in the URL is none.
        let _ = send(request().query(&[("key", &tenant.read_key)])).await.expect_problem(401, "unknown_key");
    }
    let by_header = tenant.client.get(format!("{}/api/trends", tenant.api)).header("x-api-key", &tenant.read_key);
    let _ = send(by_header).await.expect_status(200);
}

async fn scopes(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    for (method, path) in ROUTES {
        let request =
            || tenant.client.request(Method::from_bytes(method.as_bytes()).unwrap(), format!("{}{path}", tenant.api));
        let by_reader = send(request().bearer_auth(&tenant.read_key)).await;
        let of_admins = path.starts_with("/api/dead-letters") || path.starts_with("/api/keys");
        if of_admins || ["PATCH", "PUT"].contains(&method) || (method, path) == ("POST", "/api/views") {
            let _ = by_reader.expect_problem(403, "forbidden_scope");
        } else {
            assert!([200, 400, 404].contains(&by_reader.status), "{path}: {}", by_reader.text);
        }
        let by_admin = send(request().bearer_auth(&tenant.admin_key)).await;
        assert!([200, 400, 404].contains(&by_admin.status), "{path}: {}", by_admin.text);
    }
}

async fn projects_never_mix(deployment: &'static Deployment) {
    let (one, other) = (deployment.tenant(), deployment.tenant());
    one.store(&[event("shared", "mine", "a", &at(1, "10:00:00"))]).await;
    other
        .store(&[event("shared", "theirs", "a", &at(1, "10:00:00")), event("x", "theirs", "a", &at(1, "11:00:00"))])
        .await;
    let question = json!({ "metrics": ["events"], "dimensions": ["event_type"], "date_range": "7d" });
    // The same question, cached: each gets the own answer.
    for _ in 0..2 {
        for (tenant, kind, count) in [(&one, "mine", 1), (&other, "theirs", 2)] {
            let request = tenant.api_request(Method::POST, "/api/query").header("content-type", "application/json");
            let answer = send(request.body(question.to_string())).await.expect_status(200);
            assert_eq!((answer.dimensions(), answer.metrics()), (vec![json!([kind])], vec![json!([count])]));
        }
    }
    for path in [
        "/api/events",
        "/api/breakdown?dimension=event_type",
        "/api/properties/event_type/values",
        "/api/sessions",
        "/api/sessions/shared",
        "/api/integrity",
    ] {
        let answer = one.get(path).await.expect_status(200);
        assert!(!answer.text.contains("theirs"), "{path}: {}", answer.text);
    }
}

async fn answers_are_private(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let answer = tenant.get("/api/trends").await.expect_status(200);
    assert!(
        answer.header("cache-control").contains("private") || answer.header("cache-control").contains("no-store"),
        "{:?}",
        answer.headers
    );
    assert!(answer.header("content-type").starts_with("application/json"));
    let with_origin = tenant.api_request(Method::GET, "/api/trends").header("origin", "https://elsewhere.example");
    let answer = send(with_origin).await.expect_status(200);
    assert_eq!(answer.header("access-control-allow-credentials"), "", "credentials are never allowed");
}
