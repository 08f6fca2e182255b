//! A batch sent again counts once: in raw events, in rollups, in every answer.

use analytics_blackbox::Deployment;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::corpus::{at, date, event};

every_form! {
    a_batch_sent_again_counts_once,
    the_first_stored_event_with_an_id_wins,
    an_id_is_unique_in_its_project_only,
    the_same_id_twice_in_a_batch,
    many_clients_send_the_same_at_once,
    every_verdict_is_in_the_account,
}

fn with_ids(count: usize, time: &str) -> Vec<Value> {
    let one = |n: usize| {
        let mut one = event(&format!("s{}", n % 7), "navigation", "page_view", time);
        one["id"] = Uuid::new_v4().to_string().into();
        one
    };
    (0..count).map(one).collect()
}

/// Days of the rollup and of raw rows, which must agree.
async fn assert_whole(tenant: &analytics_blackbox::Tenant, stored: u64, duplicate: u64) {
    let answer = tenant.get("/api/integrity").await.expect_status(200);
    let sum = |field: &str| -> u64 {
        answer.body["received"].as_array().unwrap().iter().map(|day| day[field].as_u64().unwrap()).sum()
    };
    assert_eq!(
        (sum("stored"), sum("duplicate"), sum("accepted")),
        (stored, duplicate, stored + duplicate),
        "{}",
        answer.text
    );
    assert_eq!(answer.body["drift"], 0, "{}", answer.text);
}

async fn a_batch_sent_again_counts_once(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let mut events = with_ids(100, &at(2, "10:00:00"));
    let ids = tenant.collect_all(&events).await;
    assert_eq!(tenant.collect_all(&events).await, ids);
    // Another time of the same events: also on another day.
    for event in &mut events {
        event["timestamp"] = at(1, "11:00:00").into();
    }
    assert_eq!(tenant.collect_all(&events).await, ids);
    tenant.accounted(300).await;
    tenant.settled(100).await;
    assert_whole(&tenant, 100, 200).await;
    let by_day = json!({ "metrics": ["events", "sessions"], "dimensions": ["event_type"], "date_range": "7d" });
    let answer = tenant.query(&by_day).await.expect_status(200);
    assert_eq!(answer.metrics(), [json!([100, 7])]);
}

async fn the_first_stored_event_with_an_id_wins(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let mut one = with_ids(1, &at(2, "10:00:00"));
    tenant.store(&one).await;
    one[0]["event_action"] = "another".into();
    one[0]["timestamp"] = at(1, "10:00:00").into();
    tenant.collect_all(&one).await;
    tenant.accounted(2).await;
    let answer = tenant.get("/api/events").await.expect_status(200);
    assert_eq!(answer.body["results"].as_array().unwrap().len(), 1, "{}", answer.text);
    assert_eq!(answer.body["results"][0]["event_action"], "page_view");
    assert_eq!(answer.body["results"][0]["timestamp"], format!("{}T10:00:00.000000Z", date(2)));
}

async fn an_id_is_unique_in_its_project_only(deployment: &'static Deployment) {
    let (one, other) = (deployment.tenant(), deployment.tenant());
    let events = with_ids(10, &at(1, "10:00:00"));
    one.store(&events).await;
    other.store(&events).await;
    assert_whole(&one, 10, 0).await;
    assert_whole(&other, 10, 0).await;
}

async fn the_same_id_twice_in_a_batch(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let mut events = with_ids(3, &at(1, "10:00:00"));
    events[2]["id"] = events[0]["id"].clone();
    let ids = tenant.collect_all(&events).await;
    assert_eq!(ids[0], ids[2]);
    tenant.accounted(3).await;
    tenant.settled(2).await;
    assert_whole(&tenant, 2, 1).await;
}

async fn many_clients_send_the_same_at_once(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let events = with_ids(60, &at(1, "10:00:00"));
    let clients = (0..8).map(|shift: usize| {
        let (tenant, mut events) = (tenant.clone(), events.clone());
        // In another order each, so that transactions that lock in the order of arrival would deadlock.
        events.rotate_left(shift * 7);
        async move { tenant.collect_all(&events).await }
    });
    futures::future::join_all(clients).await;
    tenant.accounted(480).await;
    tenant.settled(60).await;
    assert_whole(&tenant, 60, 420).await;
}

async fn every_verdict_is_in_the_account(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let mut events = with_ids(4, &at(1, "10:00:00"));
    events.push(json!({ "session_id": "s" }));
    events.push(event("", "t", "a", &at(1, "10:00:00")));
    events.push(event("s", "t", "a", &at(400, "10:00:00")));
    let _ = tenant.collect(json!(events).to_string()).await.expect_status(202);
    tenant.accounted(4).await;
    let answer = tenant.get("/api/integrity").await.expect_status(200);
    let days = answer.body["received"].as_array().unwrap();
    let sum = |code: &str| -> u64 { days.iter().filter_map(|day| day["rejected"][code].as_u64()).sum() };
    let found = (sum("missing_field"), sum("invalid_field"), sum("timestamp_out_of_range"));
    assert_eq!(found, (1, 1, 1), "{}", answer.text);
}
