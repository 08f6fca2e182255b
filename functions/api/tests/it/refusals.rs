//! Every refusal that the document describes, met on a real router, and none that it does not describe.

use std::collections::BTreeSet;

use axum::http::Method;
use serde_json::json;

use crate::questions::{examples, filled};
use crate::served::{ADMIN_KEY, Api, Document, READ_KEY, WRITE_KEY};

/// Described because they can happen, and met nowhere here: a defect is none that a test could ask for, and a store without
/// time still answers what it looks up at once.
fn is_out_of_reach(status: &str) -> bool {
    status.ends_with(" 500") || ["GET /api/integrity 422", "GET /api/dead-letters 422"].contains(&status)
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
