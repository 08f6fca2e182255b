//! What is accepted, and how it comes back.

use analytics_blackbox::Deployment;
use analytics_blackbox::tenant::send;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::corpus::{at, event, now};

every_form! {
    three_shapes_of_a_body,
    ids_are_given_in_order,
    a_clients_id_comes_back_in_lower_case,
    a_key_is_taken_from_three_places,
    media_types_of_beacons,
    an_event_comes_back_as_it_was_sent,
    numbers_are_doubles_and_keys_are_sorted,
    the_largest_of_everything,
    times_at_the_edges,
    a_web_page_may_send,
}

async fn three_shapes_of_a_body(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let one = event("s", "navigation", "page_view", &at(1, "10:00:00"));
    let bodies = [
        one.to_string(),
        json!([one, one]).to_string(),
        json!({ "events": [one], "sent_at": "2026-11-02T10:00:00+01:00" }).to_string(),
        format!("\n\t {one} \r\n"),
    ];
    for (body, count) in bodies.into_iter().zip([1, 2, 1, 1]) {
        let answer = tenant.collect(body).await.expect_status(202);
        assert_eq!(answer.body["accepted"], count, "{}", answer.text);
        assert_eq!(answer.body["ids"].as_array().unwrap().len(), count);
        assert_eq!(answer.body["rejected"], json!([]));
        assert!(answer.header("content-type").starts_with("application/json"));
    }
    tenant.settled(5).await;
}

async fn ids_are_given_in_order(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let events: Vec<Value> = (0..50).map(|n| event("s", "t", &format!("a{n}"), &at(1, "10:00:00"))).collect();
    let ids = tenant.collect_all(&events).await;
    let parsed: Vec<Uuid> = ids.iter().map(|id| id.parse().unwrap()).collect();
    assert!(parsed.is_sorted() && parsed.windows(2).all(|pair| pair[0] != pair[1]), "{ids:?}");
    assert!(parsed.iter().all(|id| id.get_version_num() == 7), "{ids:?}");
}

async fn a_clients_id_comes_back_in_lower_case(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let mut sent = event("s", "t", "a", &at(1, "10:00:00"));
    sent["id"] = "0190F3C0-AAAA-7BBB-8CCC-0123456789AB".into();
    let ids = tenant.collect_all(&[sent]).await;
    assert_eq!(ids, ["0190f3c0-aaaa-7bbb-8ccc-0123456789ab"]);
}

async fn a_key_is_taken_from_three_places(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let body = event("s", "t", "a", &at(1, "10:00:00")).to_string();
    let request = || tenant.collect_request().header("content-type", "application/json").body(body.clone());
    let key = tenant.write_key.as_str();
    let accepted = [
        request().bearer_auth(key),
        request().header("x-write-key", key),
        request().query(&[("key", key)]),
        // The first of them counts, whatever the others say.
        request()
            .bearer_auth(key)
            .header("x-write-key", "a-wrong-key-altogether")
            .query(&[("key", "another-wrong-key")]),
        request().header("x-write-key", key).query(&[("key", "another-wrong-key")]),
    ];
    for request in accepted {
        let _ = send(request).await.expect_status(202);
    }
    let refused = [
        request(),
        request().bearer_auth("a-wrong-key-altogether").header("x-write-key", key),
        request().header("x-write-key", "a-wrong-key-altogether").query(&[("key", key)]),
        request().bearer_auth(&tenant.read_key),
    ];
    for request in refused {
        let _ = send(request).await.expect_problem(401, "unknown_key");
    }
    tenant.settled(5).await;
}

async fn media_types_of_beacons(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let body = event("s", "t", "a", &at(1, "10:00:00")).to_string();
    let types = [
        None,
        Some("application/json"),
        Some("application/json; charset=utf-8"),
        Some("Application/JSON"),
        Some("text/plain"),
        Some("text/plain;charset=UTF-8"),
    ];
    for kind in types {
        let request = tenant.collect_request().bearer_auth(&tenant.write_key).body(body.clone());
        let request = if let Some(kind) = kind { request.header("content-type", kind) } else { request };
        let answer = send(request).await;
        assert_eq!(answer.status, 202, "{kind:?}: {}", answer.text);
    }
}

async fn an_event_comes_back_as_it_was_sent(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let day = crate::corpus::date(1);
    let sent = json!({
        "id": "0190f3c0-aaaa-7bbb-8ccc-0123456789ac", "session_id": "sé–1", "user_id": "üser",
        "event_type": "commerce", "event_action": "in den Korb ✓",
        "metadata": { "path": "/größe", "quote": "a\"b\\c\nd", "emoji": "👍", "none": null, "list": [1, "x"], "yes": true },
        "timestamp": format!("{day}T12:00:00.123456+02:00"),
    });
    tenant.store(std::slice::from_ref(&sent)).await;
    let answer = tenant.get("/api/events?limit=10").await.expect_status(200);
    let event = &answer.body["results"][0];
    for field in ["id", "session_id", "user_id", "event_type", "event_action", "metadata"] {
        assert_eq!(event[field], sent[field], "{field}: {}", answer.text);
    }
    assert_eq!(event["timestamp"], format!("{day}T10:00:00.123456Z"));
    let created = event["created_at"].as_str().unwrap();
    assert!(created.len() == 27 && created.ends_with('Z'), "{created}");
}

async fn numbers_are_doubles_and_keys_are_sorted(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let metadata = r#"{"z":1e2,"b":9007199254740993,"a":{"d":1.0,"c":-0},"k":1,"k":2}"#;
    let head = r#""session_id":"s","event_type":"t","event_action":"a""#;
    let body = format!("{{{head},\"metadata\":{metadata},\"timestamp\":\"{}\"}}", at(1, "10:00:00"));
    let _ = tenant.collect(body).await.expect_status(202);
    tenant.settled(1).await;
    let text = tenant.get("/api/events").await.expect_status(200).text;
    let found = text.split_once("\"metadata\":").unwrap().1;
    assert!(found.starts_with(r#"{"a":{"c":0,"d":1},"b":9007199254740992,"k":2,"z":100}"#), "{found}");
}

async fn the_largest_of_everything(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let text = |count: usize| "😀".repeat(count);
    let mut deep = json!(1);
    for _ in 0..15 {
        deep = json!({ "a": deep });
    }
    let largest = json!({
        "session_id": text(64), "user_id": text(255), "event_type": text(100), "event_action": text(255),
        "timestamp": at(1, "10:00:00"), "metadata": { "deep": deep },
    });
    let mut wide = event("s", "t", "a", &at(1, "10:00:00"));
    // {"a":"..."} is eight bytes around its text.
    wide["metadata"] = json!({ "a": "x".repeat(32 * 1024 - 8) });
    tenant.store(&[largest, wide]).await;

    let thousand: Vec<Value> = (0..1_000).map(|n| event("s", "t", &n.to_string(), &at(1, "10:00:00"))).collect();
    let answer = tenant.collect(json!(thousand).to_string()).await.expect_status(202);
    assert_eq!(answer.body["accepted"], 1_000);
    tenant.settled(1_002).await;
}

async fn times_at_the_edges(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let now = now();
    let moved = |seconds: i64| now.saturating_add_micros(seconds * 1_000_000);
    let accepted = [
        json!(moved(0).as_millis()),
        json!(moved(3_540).to_string()),
        json!(moved(-89 * 86_400).to_string()),
        // RFC 3339 lets T and Z be small.
        json!(moved(-60).to_string().to_lowercase()),
    ];
    let mut events: Vec<Value> = Vec::new();
    for timestamp in accepted {
        let mut one = event("s", "t", "a", "");
        one["timestamp"] = timestamp;
        events.push(one);
    }
    let mut without = event("s", "t", "a", "");
    without.as_object_mut().unwrap().remove("timestamp");
    events.push(without);
    tenant.collect_all(&events).await;
    tenant.accounted(events.len() as u64).await;
    // Named ranges end with today, and an hour ahead may be tomorrow.
    let range = [moved(-89 * 86_400 - 1).to_string(), moved(7_200).to_string()];
    let found = tenant.query(&json!({ "metrics": ["events"], "date_range": range })).await.expect_status(200);
    assert_eq!(found.number(), json!(events.len()), "{}", found.text);
}

async fn a_web_page_may_send(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let preflight = tenant.client.request(reqwest::Method::OPTIONS, format!("{}/collect", tenant.collector));
    let preflight = preflight
        .header("origin", "https://shop.example")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "content-type,x-write-key");
    let answer = send(preflight).await;
    assert!((200..300).contains(&answer.status), "{} {}", answer.status, answer.text);
    assert!(
        ["*", "https://shop.example"].contains(&answer.header("access-control-allow-origin")),
        "{:?}",
        answer.headers
    );
    assert!(
        answer.header("access-control-allow-headers").to_lowercase().contains("x-write-key"),
        "{:?}",
        answer.headers
    );
    assert_eq!(answer.header("access-control-allow-credentials"), "", "credentials are never allowed");
    let request =
        tenant.collect_request().header("origin", "https://shop.example").query(&[("key", &tenant.write_key)]);
    let answer = send(request.body(event("s", "t", "a", &at(1, "10:00:00")).to_string())).await.expect_status(202);
    assert_ne!(answer.header("access-control-allow-origin"), "");
}
