//! A hostile text that was stored is found as the text that it is, by every route that looks for it.

use std::collections::BTreeSet;

use analytics_blackbox::{Deployment, Tenant};
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};

use super::AT_ONCE;
use super::texts::{self, encoded};
use crate::corpus::{at, by, date, event, with};

every_form! { what_is_stored_is_found_as_it_is }

fn stored() -> Vec<String> {
    let mut seen = BTreeSet::new();
    let texts = texts::all().into_iter().filter_map(|text| text.storable().map(str::to_owned));
    texts.filter(|text| !text.is_empty() && seen.insert(text.clone())).collect()
}

async fn what_is_stored_is_found_as_it_is(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let stored = stored();
    assert!(stored.len() > 55, "{stored:?}");
    let one = |text: &String| {
        let metadata = json!({ "v": text, "k": { text: text }, "list": [text] });
        with(by(event(text, text, text, &at(1, "10:00:00")), text), metadata)
    };
    tenant.store(&stored.iter().map(one).collect::<Vec<_>>()).await;
    let wrong: Vec<Vec<String>> =
        stream::iter(&stored).map(|text| looked_for(&tenant, text, &stored)).buffer_unordered(AT_ONCE).collect().await;
    let mut wrong = wrong.concat();
    wrong.extend(listed(&tenant, &stored).await);
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong[..wrong.len().min(40)].join("\n"));
    tenant.settled(stored.len() as u64).await;
}

/// How often the text is found where it is looked for, against how often a naive look finds it.
async fn looked_for(tenant: &Tenant, text: &str, stored: &[String]) -> Vec<String> {
    let mut wrong = Vec::new();
    let among = |passes: &dyn Fn(&str) -> bool| stored.iter().filter(|other| passes(other)).count();
    let lower = text.to_ascii_lowercase();
    let contained = among(&|other| other.contains(text));
    let alike = among(&|other| other.to_ascii_lowercase().contains(&lower));
    let beginning = among(&|other| other.starts_with(text));
    let key = format!("metadata.k.{}", Value::from(text));
    let mut filters = Vec::new();
    for field in ["event_type", "event_action", "user_id", "session_id", "metadata.v", key.as_str()] {
        filters.push((json!(["is", field, [text]]), 1));
        filters.push((json!(["starts_with", field, [text]]), if field == key { 1 } else { beginning }));
        filters.push((json!(["contains", field, [text]]), if field == key { 1 } else { contained }));
        let whole = if text.contains(['*', '?']) { continue } else { 1 };
        filters.push((json!(["matches", field, [text]]), whole));
    }
    filters.push((json!(["is_not", "metadata.v", [text]]), stored.len() - 1));
    filters.push((json!(["not_contains", "event_type", [text]]), stored.len() - contained));
    filters.push((json!(["contains", "metadata.v", [text], { "case_sensitive": false }]), alike));
    filters.push((json!(["exists", key]), 1));
    filters.push((json!(["has_done", [["is", "event_action", [text]]]]), 1));
    for (filter, count) in filters {
        // Another zone keeps it from the counts of days, which the plain question is answered from.
        for zone in ["UTC", "Asia/Kathmandu"] {
            let question = json!({ "metrics": ["events"], "filters": [filter], "timezone": zone });
            let answer = tenant.query(&question).await;
            let found = answer.metrics().first().map(|row| row[0].clone());
            if answer.status != 200 || found != Some(json!(count)) {
                wrong.push(format!("{question}: {count} was expected: {} {}", answer.status, answer.text));
            }
        }
    }
    let url = encoded(text.as_bytes());
    let range = format!("range={},{}", date(2), date(0));
    for (path, pointer, expected) in [
        (format!("/api/trends?metric=events&interval=month&{range}&event_type={url}"), "/meta/total_rows", None),
        (format!("/api/events?event_action={url}"), "/results/0/event_action", Some(json!(text))),
        (format!("/api/events?event_type={url}"), "/results/0/metadata/v", Some(json!(text))),
        (format!("/api/sessions?event_action={url}"), "/results/0/session_id", Some(json!(text))),
        (format!("/api/breakdown?dimension=metadata.v&event_type={url}"), "/results/0/dimensions/0", Some(json!(text))),
        (format!("/api/sessions/{url}"), "/session/session_id", Some(json!(text))),
        (format!("/api/users/{url}"), "/user/user_id", Some(json!(text))),
        (
            format!("/api/properties/event_type/values?event_action={url}&search={url}"),
            "/results/0/dimensions/0",
            Some(json!(text)),
        ),
        (format!("/api/properties/{}/values", encoded(key.as_bytes())), "/results/0/dimensions/0", Some(json!(text))),
    ] {
        // A part of a path that is a dot is taken out of the URL by clients, and nginx passes none on that leads above the root.
        if path.ends_with("/%2E") || text.contains("../") && tenant.tls().is_some() && path.ends_with(&url) {
            continue;
        }
        let answer = tenant.get(&path).await;
        let found = answer.body.pointer(pointer);
        if answer.status != 200 || found.is_none() || expected.as_ref().is_some_and(|text| found != Some(text)) {
            wrong.push(format!("{path}: {expected:?} at {pointer}: {} {}", answer.status, answer.text));
        }
    }
    let action = json!({ "filters": [["is", "event_action", [text]]] });
    for (path, question, pointer, expected) in [
        ("/api/funnel", json!({ "steps": [action, action], "breakdown": key }), "/breakdown/0/value", json!(text)),
        ("/api/funnel", json!({ "steps": [action, action] }), "/steps/0/count", json!(1)),
        ("/api/paths", json!({ "from": action, "name": key }), "/nodes/0/name", json!(text)),
        (
            "/api/retention",
            json!({ "start": action, "return": action, "unit": "month" }),
            "/meta/events_read",
            json!(1),
        ),
    ] {
        let answer = tenant.ask(path, &question).await;
        if answer.status != 200 || answer.body.pointer(pointer) != Some(&expected) {
            wrong.push(format!("{path} {question}: {expected} at {pointer}: {} {}", answer.status, answer.text));
        }
    }
    wrong
}

/// Whether lists and files hold every text.
async fn listed(tenant: &Tenant, stored: &[String]) -> Vec<String> {
    let mut wrong = Vec::new();
    let expected: BTreeSet<String> = stored.iter().cloned().collect();
    for field in ["event_type", "event_action", "user_id", "session_id", "metadata.v"] {
        let question = json!({ "metrics": ["events"], "dimensions": [field], "limit": 1_000 });
        let answer = tenant.query(&question).await.expect_status(200);
        let found: Vec<String> =
            answer.dimensions().iter().map(|row| row[0].as_str().unwrap_or_default().to_owned()).collect();
        if found.iter().cloned().collect::<BTreeSet<_>>() != expected || found.len() != expected.len() {
            wrong.push(format!("{question}: {}", answer.text));
        }
    }
    let export = tenant.get("/api/export?format=ndjson").await.expect_status(200);
    let found: BTreeSet<String> = export
        .text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|event| {
            let text = event["event_type"].as_str().unwrap_or_default().to_owned();
            let same = ["event_action", "user_id", "session_id"].iter().all(|field| event[*field] == *text);
            if same && event["metadata"]["k"][&text] == *text { text } else { event.to_string() }
        })
        .collect();
    if found != expected {
        wrong.push(format!("the export: {:?}", found.symmetric_difference(&expected).collect::<Vec<_>>()));
    }
    let table = tenant.get("/api/export?format=csv").await.expect_status(200);
    // No field of the table begins like a formula.
    let is_formula = |field: &str| field.trim_start_matches('"').starts_with(['=', '+', '-', '@', '\t', '\r']);
    wrong.extend(
        table.text.lines().flat_map(|line| line.split(',')).filter(|field| is_formula(field)).map(str::to_owned),
    );
    wrong
}
