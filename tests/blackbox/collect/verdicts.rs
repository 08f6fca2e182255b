//! The verdict of each event: a bad one never hurts its neighbours.

use analytics_blackbox::Deployment;
use serde_json::json;

use crate::corpus::{at, date, event, now};

every_form! {
    each_code_beside_good_neighbours,
    broken_json_inside_one_event,
    all_refused_is_400_with_the_same_body,
    indexes_are_those_of_the_body,
    a_message_says_what_would_be_right,
}

/// The text of an event in which one field is replaced or added.
fn changed(field: &str, value: &str) -> String {
    let time = format!("\"{}\"", at(1, "10:00:00"));
    let fields =
        [("session_id", "\"s\""), ("event_type", "\"t\""), ("event_action", "\"a\""), ("timestamp", time.as_str())];
    let mut text: Vec<String> =
        fields.iter().filter(|(name, _)| *name != field).map(|(name, value)| format!("\"{name}\":{value}")).collect();
    if !value.is_empty() {
        text.push(format!("\"{field}\":{value}"));
    }
    format!("{{{}}}", text.join(","))
}

fn quoted(text: &str) -> String {
    json!(text).to_string()
}

async fn each_code_beside_good_neighbours(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let ahead = now().saturating_add_micros(3_700 * 1_000_000);
    let long = |count: usize| quoted(&"x".repeat(count));
    let deep = format!("{}1{}", "{\"a\":".repeat(17), "}".repeat(17));
    let cases = [
        (changed("session_id", ""), "missing_field", Some("session_id")),
        (changed("event_type", ""), "missing_field", Some("event_type")),
        (changed("event_action", ""), "missing_field", Some("event_action")),
        (changed("session_id", "\"\""), "invalid_field", Some("session_id")),
        (changed("session_id", &long(65)), "invalid_field", Some("session_id")),
        (changed("session_id", "7"), "invalid_field", Some("session_id")),
        (changed("user_id", &long(256)), "invalid_field", Some("user_id")),
        (changed("user_id", "\"\""), "invalid_field", Some("user_id")),
        (changed("event_type", &long(101)), "invalid_field", Some("event_type")),
        (changed("event_action", &long(256)), "invalid_field", Some("event_action")),
        (changed("event_action", "[\"a\"]"), "invalid_field", Some("event_action")),
        (changed("metadata", "[1]"), "invalid_field", Some("metadata")),
        (changed("metadata", "\"text\""), "invalid_field", Some("metadata")),
        (changed("id", "\"no-uuid\""), "invalid_field", Some("id")),
        (changed("id", "\"0190f3c0aaaa7bbb8ccc0123456789ab\""), "invalid_field", Some("id")),
        (changed("timestamp", "\"yesterday\""), "invalid_field", Some("timestamp")),
        (changed("timestamp", "\"2026-11-02T10:00:00\""), "invalid_field", Some("timestamp")),
        (changed("timestamp", "true"), "invalid_field", Some("timestamp")),
        (changed("timestamp", &quoted(&ahead.to_string())), "timestamp_out_of_range", Some("timestamp")),
        (changed("timestamp", &quoted(&at(92, "10:00:00"))), "timestamp_out_of_range", Some("timestamp")),
        (changed("timestamp", "0"), "timestamp_out_of_range", Some("timestamp")),
        (changed("timestamp", "253402300799999"), "timestamp_out_of_range", Some("timestamp")),
        (changed("colour", "1"), "unknown_field", Some("colour")),
        (changed("created_at", &quoted(&date(1))), "unknown_field", Some("created_at")),
        (changed("metadata", &format!("{{\"a\":{}}}", long(32 * 1024 - 7))), "too_large", Some("metadata")),
        (changed("metadata", &deep), "too_deep", Some("metadata")),
    ];
    let good = event("good", "t", "a", &at(1, "10:00:00")).to_string();
    let mut texts = vec![good.clone()];
    for (text, _, _) in &cases {
        texts.push(text.clone());
        texts.push(good.clone());
    }
    let answer = tenant.collect(format!("{{\"events\":[{}]}}", texts.join(","))).await.expect_status(202);
    assert_eq!(answer.body["accepted"], cases.len() + 1, "{}", answer.text);
    let rejected = answer.rejected();
    assert_eq!(rejected.len(), cases.len(), "{}", answer.text);
    for (place, ((text, code, field), found)) in cases.iter().zip(&rejected).enumerate() {
        assert_eq!(*found, (place as u64 * 2 + 1, *code, *field), "{}", &text[..text.len().min(200)]);
    }
    tenant.settled(cases.len() as u64 + 1).await;
}

async fn broken_json_inside_one_event(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let cases = [
        (changed("user_id", r#""a\u0000b""#), "bad_text"),
        (changed("metadata", r#"{"a":"\u0000"}"#), "bad_text"),
        (changed("metadata", r#"{"\u0000":1}"#), "bad_text"),
        (changed("event_action", r#""\ud800""#), "bad_text"),
        (changed("metadata", r#"{"a":"\udc00x"}"#), "bad_text"),
        (changed("metadata", r#"{"a":1e400}"#), "bad_number"),
        (changed("metadata", r#"{"a":-1e999}"#), "bad_number"),
    ];
    let good = event("good", "t", "a", &at(1, "10:00:00")).to_string();
    for (text, code) in &cases {
        let answer = tenant.collect(format!("[{good},{text},{good}]")).await;
        assert_eq!(answer.status, 202, "{text}: {}", answer.text);
        let rejected: Vec<_> = answer.rejected().iter().map(|(index, code, _)| (*index, *code)).collect();
        assert_eq!(rejected, [(1, *code)], "{text}");
    }
    // A pair of surrogates is one character, and fine.
    let answer = tenant.collect(format!("[{}]", changed("metadata", r#"{"a":"\ud83d\ude00"}"#))).await;
    let _ = answer.expect_status(202);
    tenant.settled(cases.len() as u64 * 2 + 1).await;
}

async fn all_refused_is_400_with_the_same_body(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let answer = tenant.collect(format!("[{},7,null]", changed("session_id", ""))).await.expect_status(400);
    assert_eq!(answer.body["accepted"], 0, "{}", answer.text);
    assert_eq!(answer.body["ids"], json!([]));
    let codes: Vec<_> = answer.rejected().iter().map(|(index, code, _)| (*index, *code)).collect();
    assert_eq!(codes, [(0, "missing_field"), (1, "invalid_field"), (2, "invalid_field")]);
    assert!(answer.header("content-type").starts_with("application/json"));
}

async fn indexes_are_those_of_the_body(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let (good, bad) = (changed("user_id", "\"u\""), changed("session_id", ""));
    let answer = tenant.collect(format!("[{bad},{good},{good},{bad},{good}]")).await.expect_status(202);
    assert_eq!(answer.rejected().iter().map(|(index, _, _)| *index).collect::<Vec<_>>(), [0, 3]);
    assert_eq!(answer.body["ids"].as_array().unwrap().len(), 3);
}

async fn a_message_says_what_would_be_right(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let answer = tenant.collect(changed("session_id", &quoted(&"x".repeat(65)))).await.expect_status(400);
    let message = answer.body["rejected"][0]["message"].as_str().unwrap();
    assert!(message.contains("64"), "{message}");
    let answer = tenant.collect(changed("colour", "1")).await.expect_status(400);
    let message = answer.body["rejected"][0]["message"].as_str().unwrap();
    assert!(message.contains("colour") || message.contains("session_id"), "{message}");
}
