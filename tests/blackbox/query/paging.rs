//! Limits and cursors.

use analytics_blackbox::Deployment;
use serde_json::{Value, json};

use crate::corpus::{at, event};

every_form! {
    pages_hold_every_row_once,
    events_page_newest_first,
    a_cursor_belongs_to_its_question,
}

fn many(count: usize) -> Vec<Value> {
    let one = |n: usize| {
        event(
            &format!("s{}", n % 13),
            &format!("type-{:02}", n % 30),
            "a",
            &at(1, &format!("10:{:02}:{:02}", n / 60, n % 60)),
        )
    };
    (0..count).map(one).collect()
}

async fn pages_hold_every_row_once(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    tenant.store(&many(100)).await;
    let whole = json!({ "metrics": ["events"], "dimensions": ["event_type"], "date_range": "7d" });
    let whole = tenant.query(&whole).await.expect_status(200);
    assert_eq!(whole.metrics().len(), 30);
    let mut question = json!({ "metrics": ["events"], "dimensions": ["event_type"], "date_range": "7d", "limit": 7 });
    let mut rows = Vec::new();
    for page in 1.. {
        let answer = tenant.query(&question).await.expect_status(200);
        assert_eq!(answer.body["meta"]["total_rows"], 30, "{}", answer.text);
        rows.extend(answer.body["results"].as_array().unwrap().clone());
        assert_eq!(rows.len(), 30.min(page * 7), "{}", answer.text);
        question["cursor"] = answer.body["meta"]["next_cursor"].clone();
        if question["cursor"].is_null() {
            break;
        }
    }
    assert_eq!(Value::from(rows), whole.body["results"]);
}

async fn events_page_newest_first(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let mut events = many(45);
    // Equal times: a page may end between them.
    for event in events.iter_mut().take(20) {
        event["timestamp"] = at(1, "09:00:00").into();
    }
    tenant.store(&events).await;
    let mut found = Vec::new();
    let mut path = "/api/events?limit=7".to_owned();
    loop {
        let answer = tenant.get(&path).await.expect_status(200);
        for event in answer.body["results"].as_array().unwrap() {
            found.push((event["timestamp"].as_str().unwrap().to_owned(), event["id"].as_str().unwrap().to_owned()));
        }
        let Some(cursor) = answer.body["meta"]["next_cursor"].as_str() else { break };
        path = format!("/api/events?limit=7&cursor={cursor}");
        assert!(found.len() <= 45, "a page came again");
    }
    assert_eq!(found.len(), 45);
    assert!(found.windows(2).all(|pair| pair[0] > pair[1]), "{found:?}");
}

async fn a_cursor_belongs_to_its_question(deployment: &'static Deployment) {
    let (tenant, other) = (deployment.tenant(), deployment.tenant());
    tenant.store(&many(60)).await;
    other.store(&many(60)).await;
    let question = json!({ "metrics": ["events"], "dimensions": ["event_type"], "date_range": "7d", "limit": 5 });
    let answer = tenant.query(&question).await.expect_status(200);
    let cursor = answer.body["meta"]["next_cursor"].clone();
    let with = |field: &str, value: Value| {
        let mut changed = question.clone();
        changed["cursor"] = cursor.clone();
        changed[field] = value;
        changed
    };
    let _ = tenant.query(&with("limit", json!(5))).await.expect_status(200);
    let _ = other.query(&with("limit", json!(5))).await.expect_problem(400, "invalid_cursor");
    for (field, value) in [
        ("metrics", json!(["sessions"])),
        ("date_range", json!("30d")),
        ("filters", json!([["is", "session_id", ["s1"]]])),
        ("cursor", json!("bm9uc2Vuc2U")),
        ("cursor", json!("")),
    ] {
        let answer = tenant.query(&with(field, value.clone())).await;
        assert_eq!(
            (answer.status, answer.body["code"].as_str()),
            (400, Some("invalid_cursor")),
            "{field} {value}: {}",
            answer.text
        );
    }
    let text = cursor.as_str().unwrap();
    let _ = tenant.query(&with("cursor", json!(&text[..text.len() / 2]))).await.expect_problem(400, "invalid_cursor");
    let _ = tenant.get(&format!("/api/events?cursor={text}")).await.expect_problem(400, "invalid_cursor");
}
