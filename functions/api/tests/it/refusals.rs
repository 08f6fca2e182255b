//! Every refusal that the document describes, met on a real router, and none that it does not describe.

use std::collections::BTreeSet;

use axum::http::Method;
use serde_json::json;

use crate::questions::{examples, filled};
use crate::served::{ADMIN_KEY, Api, Document, READ_KEY, STORED_KEY, WRITE_KEY};

/// A session that nobody has.
const COOKIE: &str = "analytics_session=token-of-nobody-012345678901234567890123456";

/// Fills what is bounded, and asks for what is not there or not to be changed.
async fn meet_bounds(api: &Api, document: &Document) {
    let view = json!({ "name": "v", "page": "explore", "state": {} });
    let board = json!({ "name": "b", "tiles": [] });
    let mut refused = Vec::new();
    for (path, body) in
        [("/api/keys", &json!({ "name": "k", "scope": "read" })), ("/api/views", &view), ("/api/boards", &board)]
    {
        for _ in 0..501 {
            let answered = api.post(path, body).await;
            if answered.status != 201 {
                document.hold(path, &Method::POST, &answered);
                refused.push((path, answered.json()["code"].as_str().unwrap().to_owned()));
                break;
            }
        }
    }
    let expected =
        [("/api/keys", "too_many_keys"), ("/api/views", "too_many_views"), ("/api/boards", "too_many_boards")];
    assert_eq!(refused, expected.map(|(path, code)| (path, code.to_owned())));
    // A function's queue carries no keys.
    let function = Api::in_parts(1 << 20).await;
    let refused = function.post("/api/keys", &json!({ "name": "k", "scope": "write" })).await;
    document.hold("/api/keys", &Method::POST, &refused);
    let told = refused.json();
    assert_eq!((refused.status.as_u16(), &told["code"]), (409, &json!("keys_not_carried")), "{told}");
    assert!(told["detail"].as_str().unwrap().contains("WRITE_KEYS"), "{told}");
    for (path, body) in [("/api/views/{id}", &view), ("/api/boards/{id}", &board)] {
        let answered = api.send(Some(ADMIN_KEY), &Method::PUT, &path.replace("{id}", "none"), body.to_string()).await;
        document.hold(path, &Method::PUT, &answered);
    }
    for path in ["/api/keys/{id}", "/api/views/{id}", "/api/boards/{id}"] {
        let answered = api.send(Some(ADMIN_KEY), &Method::DELETE, &path.replace("{id}", "none"), "").await;
        document.hold(path, &Method::DELETE, &answered);
    }
    for key in ["no-key-of-this-server", WRITE_KEY] {
        let answered = api.send(None, &Method::POST, "/api/session", json!({ "key": key }).to_string()).await;
        document.hold("/api/session", &Method::POST, &answered);
    }
    let said = Api::with_retention_said().await;
    let body = json!({ "retention_days": 30 }).to_string();
    let answered = said.send(Some(ADMIN_KEY), &Method::PATCH, "/api/settings", body).await;
    document.hold("/api/settings", &Method::PATCH, &answered);
    let of_environment = api.send(Some(ADMIN_KEY), &Method::DELETE, "/api/keys/env:1", "").await;
    document.hold("/api/keys/{id}", &Method::DELETE, &of_environment);
    // More unknown keys than are looked up in a second.
    let mut last = None;
    for number in 0..2_000 {
        let key = format!("unknown-key-{number:031}");
        let answered = api.send(Some(&key), &Method::GET, "/api/views", "").await;
        if answered.status != 401 {
            last = Some(answered);
            break;
        }
    }
    document.hold("/api/views", &Method::GET, &last.expect("unknown keys are looked up without bound"));
    // A key of the environment is not touched by it.
    assert_eq!(api.get("/api/views").await.status, 200);
}

/// Described because they can happen, and met nowhere here: a defect is none that a test could ask for, and a store without
/// time still answers what it looks up at once.
///
/// Unknown keys in masses are refused alike everywhere; one route meets it.
fn is_out_of_reach(status: &str) -> bool {
    let is_looking_up = status.ends_with(" 429") && status != "GET /api/views 429";
    let others = ["GET /api/integrity 422", "GET /api/dead-letters 422", "POST /api/session 409"];
    is_looking_up || status.ends_with(" 500") || others.contains(&status)
}

#[tokio::test]
async fn every_refusal_is_met_and_described() {
    let api = Api::start().await;
    let document = Document::of(&api).await;
    let (no_schema, no_time, no_keys) =
        (Api::without_schema().await, Api::without_time().await, Api::without_keys().await);
    let too_large = vec![b' '; 256 * 1024 + 1];

    for operation in document.operations() {
        let (path, method) = (operation.path.as_str(), &operation.method);
        let (uri, body) = examples(&operation).swap_remove(0);
        for key in [None, Some("no-key-of-this-server"), Some(WRITE_KEY), Some(READ_KEY), Some(ADMIN_KEY)] {
            document.hold(path, method, &api.send(key, method, &uri, body.clone()).await);
        }
        document.hold(path, method, &no_keys.send(None, method, &uri, body.clone()).await);
        document.hold(path, method, &no_schema.send(Some(ADMIN_KEY), method, &uri, body.clone()).await);
        document.hold(path, method, &no_schema.send(Some(STORED_KEY), method, &uri, body.clone()).await);
        let by_cookie = [("cookie", COOKIE), ("sec-fetch-site", "same-origin")];
        document.hold(path, method, &no_schema.send_with(&by_cookie, method, &uri, body.clone()).await);
        document.hold(path, method, &no_schema.send_with(&by_cookie[..1], method, &uri, body.clone()).await);
        let foreign = [("origin", "https://elsewhere.example")];
        document.hold(path, method, &api.send_with(&foreign, method, &uri, body.clone()).await);
        document.hold(path, method, &no_time.send(Some(ADMIN_KEY), method, &uri, body.clone()).await);
        if body.is_empty() {
            for pair in ["no_such=1", "cursor=nonsense", "limit=0", "days=0"] {
                let uri = format!("{}?{pair}", filled(&operation));
                document.hold(path, method, &api.send(Some(ADMIN_KEY), method, &uri, "").await);
            }
        } else {
            document.hold(path, method, &api.send(Some(ADMIN_KEY), method, &uri, "{").await);
            document.hold(path, method, &api.send(Some(ADMIN_KEY), method, &uri, too_large.clone()).await);
        }
    }

    meet_bounds(&api, &document).await;
    for (path, uri) in [
        ("/api/trends", "/api/trends?interval=minute&range=all&dimension=session_id"),
        ("/api/trends", "/api/trends?interval=minute&range=2001-01-01,2026-01-01"),
        ("/api/properties/{key}/values", "/api/properties/%FF/values"),
        ("/api/properties/{key}/values", "/api/properties/metadata./values"),
        ("/api/sessions/{id}", "/api/sessions/nobody"),
        ("/api/sessions/{id}", "/api/sessions/%FF"),
        ("/api/sessions/{id}", "/api/sessions/a%00b"),
        ("/api/users/{id}", "/api/users/nobody"),
        ("/api/users/{id}", "/api/users/%FF"),
    ] {
        document.hold(path, &Method::GET, &api.get(uri).await);
    }
    let wide =
        json!({ "metrics": ["events"], "dimensions": ["time:minute"], "date_range": ["2001-01-01", "2026-11-15"] });
    document.hold("/api/query", &Method::POST, &api.post("/api/query", &wide).await);
    let slow = "/api/events?filter=%5B%22matches%22,%22metadata.path%22,%5B%22*a*b*c*%22%5D%5D";
    document.hold("/api/events", &Method::GET, &no_time.get(slow).await);
    let long = json!({ "steps": [{}, {}], "date_range": "30d" });
    document.hold("/api/funnel", &Method::POST, &no_time.post("/api/funnel", &long).await);
    document.hold("/api/paths", &Method::POST, &no_time.post("/api/paths", &json!({ "date_range": "30d" })).await);
    let cursor = json!({ "metrics": ["events"], "cursor": "nonsense" });
    document.hold("/api/query", &Method::POST, &api.post("/api/query", &cursor).await);

    let described: BTreeSet<String> = document
        .operations()
        .iter()
        .flat_map(|operation| {
            let statuses = operation.described["responses"].as_object().unwrap().keys();
            statuses.map(|status| format!("{} {} {status}", operation.method, operation.path)).collect::<Vec<_>>()
        })
        .filter(|status| !is_out_of_reach(status))
        .collect();
    let met: BTreeSet<String> = document.met().into_iter().filter(|status| !is_out_of_reach(status)).collect();
    assert_eq!(described.difference(&met).collect::<Vec<_>>(), Vec::<&String>::new(), "described and never met");
}
