//! A person's erasure: contract, `DELETE /api/users/{id}`.

use analytics_blackbox::tenant::send;
use analytics_blackbox::{Answer, Deployment, Form, Tenant};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::corpus::{at, by, event, shop};

every_form! {
    a_person_is_erased,
    what_waits_in_the_queue_is_erased_too,
    only_an_administrator_erases,
    whom_to_erase_is_read_as_whom_to_show,
}

/// Each event with an id of its own.
fn with_ids(mut events: Vec<Value>) -> Vec<Value> {
    for event in &mut events {
        event["id"] = Uuid::new_v4().to_string().into();
    }
    events
}

async fn erase(tenant: &Tenant, path: &str) -> Answer {
    let request = tenant.client.delete(format!("{}/api/users/{path}", tenant.api));
    send(if tenant.admin_key.is_empty() { request } else { request.bearer_auth(&tenant.admin_key) }).await
}

/// The counts of a receipt.
fn counts(answer: &Answer) -> (u64, u64, u64) {
    let count = |name: &str| answer.body[name].as_u64().unwrap_or_else(|| panic!("{name}: {}", answer.text));
    assert!(answer.body["erased_at"].as_str().is_some_and(|instant| instant.ends_with('Z')), "{}", answer.text);
    (count("events"), count("sessions"), count("dead_letters"))
}

/// The sums of the account, where rollups, columns and raw rows agree.
async fn account(tenant: &Tenant) -> (u64, u64, u64, u64) {
    let answer = tenant.get("/api/integrity").await.expect_status(200);
    assert_eq!(answer.body["drift"], 0, "{}", answer.text);
    let days = answer.body["received"].as_array().unwrap();
    let sum = |field: &str| -> u64 { days.iter().map(|day| day[field].as_u64().unwrap()).sum() };
    (sum("accepted"), sum("stored"), sum("duplicate"), sum("erased"))
}

async fn a_person_is_erased(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let events = with_ids(shop());
    tenant.store(&events).await;
    let known = tenant.get("/api/users/ann").await.expect_status(200);
    assert_eq!(known.body["user"]["events"], 5);

    assert_eq!(counts(&erase(&tenant, "ann").await.expect_status(200)), (5, 2, 0));
    tenant.settled(7).await;
    let _ = tenant.get("/api/users/ann").await.expect_problem(404, "user_not_found");
    for session in ["a", "d"] {
        let _ = tenant.get(&format!("/api/sessions/{session}")).await.expect_problem(404, "session_not_found");
    }
    for path in [
        "/api/events",
        "/api/export?format=ndjson",
        "/api/sessions?range=all",
        "/api/properties/user_id/values?range=all",
    ] {
        let answer = tenant.get(path).await.expect_status(200);
        assert!(!answer.text.contains("\"ann\"") && answer.text.contains("\"bob\""), "{path}: {}", answer.text);
    }
    let question = json!({ "metrics": ["events", "sessions", "users", "visitors"], "date_range": "all" });
    assert_eq!(tenant.query(&question).await.expect_status(200).metrics(), [json!([7, 3, 2, 3])]);
    assert_eq!(account(&tenant).await, (12, 12, 0, 0));

    // Bob's session was unnamed at first.
    assert_eq!(counts(&erase(&tenant, "bob").await.expect_status(200)), (4, 1, 0));
    assert_eq!(tenant.query(&question).await.expect_status(200).metrics(), [json!([3, 2, 1, 2])]);
    // A second time there is nothing.
    assert_eq!(counts(&erase(&tenant, "ann").await.expect_status(200)), (0, 0, 0));

    // The client tries again: its ids are known.
    tenant.collect_all(&events).await;
    tenant.accounted(24).await;
    tenant.settled(3).await;
    assert_eq!(account(&tenant).await, (24, 12, 12, 0));
    // What is sent after the erasure is news, in an old session too.
    let back = with_ids(vec![by(event("d", "navigation", "page_view", &at(1, "12:00:00")), "ann")]);
    tenant.collect_all(&back).await;
    tenant.settled(4).await;
    let known = tenant.get("/api/users/ann").await.expect_status(200);
    assert_eq!((&known.body["user"]["events"], &known.body["results"][0]["id"]), (&json!(1), &back[0]["id"]));
    assert_eq!(account(&tenant).await, (25, 13, 12, 0));
}

async fn what_waits_in_the_queue_is_erased_too(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let mut sent = 0;
    for round in 0..4 {
        // Half of them before the session has a name, in a batch of their own; nobody waits for the processor.
        let session = format!("s{round}");
        let unnamed: Vec<Value> = (0..20).map(|_| event(&session, "t", "a", &at(1, "10:00:00"))).collect();
        let named: Vec<Value> = (0..20).map(|_| by(event(&session, "t", "a", &at(1, "11:00:00")), "dee")).collect();
        let other = by(event("other", "t", "a", &at(1, "12:00:00")), "eve");
        tenant.collect_all(&unnamed).await;
        tenant.collect_all(&named).await;
        tenant.collect_all(&[other]).await;
        let _ = erase(&tenant, "dee").await.expect_status(200);
        sent += 41;
    }
    tenant.accounted(sent).await;
    tenant.settled(4).await;
    let _ = tenant.get("/api/users/dee").await.expect_problem(404, "user_not_found");
    let (accepted, stored, duplicate, erased) = account(&tenant).await;
    assert_eq!((accepted, duplicate), (sent, 0));
    assert_eq!(stored + erased, sent);
}

async fn only_an_administrator_erases(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let other = deployment.tenant();
    let one = [by(event("s", "t", "a", &at(1, "10:00:00")), "ann")];
    tenant.store(&one).await;
    let request = || tenant.client.delete(format!("{}/api/users/ann", tenant.api));
    let _ = send(request()).await.expect_problem(401, "unknown_key");
    let _ = send(request().bearer_auth(&tenant.write_key)).await.expect_problem(403, "forbidden_scope");
    let _ = send(tenant.api_request(Method::DELETE, "/api/users/ann")).await.expect_problem(403, "forbidden_scope");
    // Another project's administrator erases in another project.
    let answer = send(request().bearer_auth(&other.admin_key)).await.expect_status(200);
    assert_eq!(counts(&answer), (0, 0, 0));
    let _ = tenant.get("/api/users/ann").await.expect_status(200);
    let _ = send(tenant.client.delete(format!("{}/api/users", tenant.api)).bearer_auth(&tenant.admin_key))
        .await
        .expect_problem(404, "not_found");
    let sessions = tenant.client.delete(format!("{}/api/sessions/s", tenant.api)).bearer_auth(&tenant.admin_key);
    let _ = send(sessions).await.expect_problem(405, "method_not_allowed");
}

async fn whom_to_erase_is_read_as_whom_to_show(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    // Of these nginx passes none on.
    let nul = ["%00", "a%00b"].into_iter().filter(|_| deployment.form() != Form::Door);
    for path in nul.chain(["%FF", &"x".repeat(256)]) {
        let answer = erase(&tenant, path).await.expect_problem(400, "invalid_query");
        assert_eq!(answer.body["path"], "id", "{}", answer.text);
    }
    let answer = erase(&tenant, "ann?range=7d").await.expect_problem(400, "invalid_query");
    assert_eq!(answer.body["path"], "range", "{}", answer.text);
    let odd = ["%", "_", "'; DELETE FROM raw_events; --", "a/b", "a?b#c", "\u{202e}日本"];
    let events: Vec<Value> = odd.iter().map(|id| by(event(id, "t", "a", &at(1, "10:00:00")), id)).collect();
    tenant.store(&events).await;
    for (left, id) in (0..odd.len() as u64).rev().zip(odd) {
        let encoded: String = id.bytes().map(|byte| format!("%{byte:02X}")).collect();
        assert_eq!(counts(&erase(&tenant, &encoded).await.expect_status(200)), (1, 1, 0), "{id}");
        let question = json!({ "metrics": ["events"], "date_range": "all" });
        assert_eq!(tenant.query(&question).await.expect_status(200).number(), left, "{id}");
    }
}
