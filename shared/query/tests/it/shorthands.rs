//! The `GET` forms are the same questions.

use analytics_query::{EventsQuestion, PropertiesQuestion, Question};
use serde_json::json;

use crate::question;

fn parameters(text: &[(&str, &str)]) -> Vec<(String, String)> {
    text.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn they_compile_to_the_same() {
    assert_eq!(
        Question::trends(&parameters(&[
            ("interval", "hour"),
            ("range", "24h"),
            ("tz", "Asia/Kathmandu"),
            ("event_type", "a"),
            ("event_type", "b"),
            ("filter", r#"["exists","user_id"]"#),
            ("limit", "24")
        ]))
        .unwrap(),
        question(&json!({
            "metrics": ["events"], "dimensions": ["time:hour"], "date_range": "24h", "timezone": "Asia/Kathmandu",
            "filters": [["exists", "user_id"], ["is", "event_type", ["a", "b"]]], "limit": 24,
        }))
    );
    assert_eq!(
        Question::trends(&parameters(&[("metric", "p95:metadata.ms"), ("metric", "events/(sessions)")])).unwrap(),
        question(&json!({
            "metrics": ["p95:metadata.ms", "events / sessions"], "dimensions": ["time:day"], "date_range": "7d",
        }))
    );
    assert_eq!(
        Question::trends(&parameters(&[("range", r#"["2026-11-01","2026-11-02"]"#)])).unwrap(),
        Question::trends(&parameters(&[("range", "2026-11-01,2026-11-02")])).unwrap()
    );
    assert_eq!(
        Question::trends(&parameters(&[])).unwrap(),
        question(&json!({"metrics": ["events"], "dimensions": ["time:day"], "date_range": "7d"}))
    );
    assert_eq!(
        Question::breakdown(&parameters(&[
            ("dimension", "event_type"),
            ("metric", "sessions"),
            ("range", "2026-11-01,2026-11-02"),
            ("compare", "previous_period"),
            ("filter", r#"[["exists","user_id"],["is","event_action",["a"]]]"#)
        ]))
        .unwrap(),
        question(&json!({
            "metrics": ["sessions"], "dimensions": ["event_type"], "date_range": ["2026-11-01", "2026-11-02"],
            "filters": [["exists", "user_id"], ["is", "event_action", ["a"]]], "compare": "previous_period",
        }))
    );
    let values = question(&json!({
        "metrics": ["events"], "dimensions": ["metadata.a.b"],
        "filters": [["contains", "metadata.a.b", ["X"], {"case_sensitive": false}]], "limit": 5,
    }));
    for key in ["a.b", "metadata.a.b"] {
        assert_eq!(Question::property_values(key, &parameters(&[("search", "X"), ("limit", "5")])).unwrap(), values);
    }
    assert_eq!(
        Question::property_values("event_type", &parameters(&[])).unwrap(),
        question(
            &json!({"metrics": ["events"], "dimensions": ["event_type"], "filters": [["matches", "event_type", ["*"]]]})
        )
    );
    assert_eq!(
        EventsQuestion::from_parameters(&parameters(&[("event_action", "a"), ("limit", "7")])).unwrap(),
        EventsQuestion::from_json(
            &json!({"filters": [["is", "event_action", ["a"]]], "limit": 7, "date_range": "all"})
        )
        .unwrap()
    );
    assert_eq!(
        PropertiesQuestion::from_parameters(&parameters(&[("search", "pri"), ("range", "30d")])).unwrap(),
        PropertiesQuestion::from_json(&json!({"search": "pri", "date_range": "30d"})).unwrap()
    );
}

#[test]
fn errors_name_the_parameter() {
    let trends = |given: &[(&str, &str)]| Question::trends(&parameters(given)).unwrap_err().path;
    assert_eq!(trends(&[("intervall", "day")]), "intervall");
    assert_eq!(trends(&[("interval", "year")]), "interval");
    assert_eq!(trends(&[("interval", "day"), ("interval", "day")]), "interval");
    assert_eq!(trends(&[("metric", "clicks")]), "metric");
    assert_eq!(trends(&[("range", "1w")]), "range");
    assert_eq!(trends(&[("range", "2026-11-01,x")]), "range");
    assert_eq!(trends(&[("tz", "Mars")]), "tz");
    assert_eq!(trends(&[("filter", "{")]), "filter");
    assert_eq!(trends(&[("filter", r#"[["exists","user_id"],["is","x",["a"]]]"#)]), "filter[1][1]");
    assert_eq!(trends(&[("filter", r#"["is","x",["a"]]"#)]), "filter[1]");
    let half = Question::trends(&parameters(&[("range", "2026-11-01")])).unwrap_err();
    assert!(half.message.contains("range=2026-11-01,2026-11-20"), "{half}");
    assert_eq!(trends(&[("limit", "many")]), "limit");
    assert_eq!(trends(&[("compare", "x")]), "compare");
    assert_eq!(Question::breakdown(&[]).unwrap_err().path, "dimension");
    assert_eq!(Question::breakdown(&parameters(&[("dimension", "x")])).unwrap_err().path, "dimension");
    assert_eq!(Question::property_values("", &[]).unwrap_err().path, "key");
}
