//! Every refusal says where and what would be right.

use analytics_query::{QueryErrorCode, Question, plan};
use serde_json::{Value, json};

use crate::{context, question};

#[test]
fn places_and_words() {
    let with = |member: &str, value: Value| {
        let mut question = json!({"metrics": ["events"]});
        question[member] = value;
        question
    };
    let filter = |filter: Value| with("filters", json!([filter]));
    let done = json!(["exists", "user_id"]);
    let nested = (0..10).fold(json!(["exists", "user_id"]), |inner, _| json!(["not", inner]));
    let table = [
        (json!([]), "", "an object"),
        (json!({}), "metrics", "1 to 20 metrics"),
        (with("metrics", json!([])), "metrics", "1 to 20 metrics"),
        (with("metrics", json!(vec!["events"; 21])), "metrics", "at most 20"),
        (with("metrics", json!(["events", "p100:metadata.ms"])), "metrics[1]", "p1: to p99:"),
        (with("metrics", json!(["events", "p05:metadata.ms"])), "metrics[1]", "p1: to p99:"),
        (with("metrics", json!(["events", "p+5:metadata.ms"])), "metrics[1]", "a metric"),
        (with("metrics", json!(["events / evnts"])), "metrics[0]", "at character 10"),
        (
            with("metrics", json!(["events+users", "events + (users)"])),
            "metrics[1]",
            "events + users is asked for twice",
        ),
        (with("metrics", json!(["events", "(events)"])), "metrics[1]", "events is asked for twice"),
        (with("metrics", many_figures()), "metrics", "made of 101 figures; expected at most 100"),
        (with("order_by", json!([["events * 2", "desc"]])), "order_by[0][0]", "events"),
        (with("metrics", json!(["sum:price"])), "metrics[0]", "metadata."),
        (with("metrics", json!(["events", "events"])), "metrics[1]", "twice"),
        (with("metrics", json!([1])), "metrics[0]", "a text"),
        (with("metric", json!("events")), "metric", "no such member"),
        (with("date_range", json!("8w")), "date_range", "yesterday"),
        (with("date_range", json!("0d")), "date_range", "yesterday"),
        (with("date_range", json!("99999d")), "date_range", "yesterday"),
        (with("date_range", json!(null)), "date_range", "yesterday"),
        (with("date_range", json!(["2026-11-02"])), "date_range", "two dates"),
        (with("date_range", json!(["2026-11-02", "2026-11-31"])), "date_range[1]", "a date"),
        (with("date_range", json!(["now", "2026-11-30"])), "date_range[0]", "a date"),
        (with("date_range", json!(["2026-11-02", "2026-11-03T00:00:00Z"])), "date_range[1]", "same kind"),
        (with("date_range", json!(["2026-11-03", "2026-11-02"])), "date_range", "before it begins"),
        (with("timezone", json!("Berlin")), "timezone", "IANA"),
        (with("timezone", json!(1)), "timezone", "IANA"),
        (with("dimensions", json!("event_type")), "dimensions", "a list"),
        (with("dimensions", json!(["time:year"])), "dimensions[0]", "month"),
        (with("dimensions", json!(["event"])), "dimensions[0]", "session_id"),
        (with("dimensions", json!(["metadata."])), "dimensions[0]", "metadata.a.b"),
        (with("dimensions", json!(["time:day", "time:hour"])), "dimensions[1]", "at most one"),
        (with("dimensions", json!(["metadata.a", "metadata.\"a\""])), "dimensions[1]", "twice"),
        (
            with("dimensions", json!((0..11).map(|n| format!("metadata.p{n}")).collect::<Vec<_>>())),
            "dimensions",
            "at most 10",
        ),
        (with("order_by", json!([["sessions", "desc"]])), "order_by[0][0]", "events"),
        (with("order_by", json!([["events", "down"]])), "order_by[0][1]", "asc"),
        (with("order_by", json!(["events"])), "order_by[0]", "asc"),
        (with("limit", json!(0)), "limit", "1 to 10000"),
        (with("limit", json!(10_001)), "limit", "1 to 10000"),
        (with("limit", json!(1.5)), "limit", "1 to 10000"),
        (with("cursor", json!(1)), "cursor", "next_cursor"),
        (with("compare", json!("last_year")), "compare", "previous_period"),
        (with("compare", json!(["2026-11-02", "x"])), "compare[1]", "a date"),
        (with("filters", json!({})), "filters", "a list of filters"),
        (filter(json!("is")), "filters[0]", "a filter"),
        (filter(json!([])), "filters[0]", "not_exists"),
        (filter(json!(["equals", "event_type", ["a"]])), "filters[0][0]", "is_not"),
        (filter(json!(["is", "type", ["a"]])), "filters[0][1]", "event_type"),
        (filter(json!(["is", 1, ["a"]])), "filters[0][1]", "event_type"),
        (filter(json!(["is", "event_type"])), "filters[0]", "values"),
        (filter(json!(["is", "event_type", []])), "filters[0][2]", "1 to 100"),
        (filter(json!(["is", "event_type", vec!["a"; 101]])), "filters[0][2]", "1 to 100"),
        (filter(json!(["is", "event_type", "a"])), "filters[0][2]", "1 to 100"),
        (filter(json!(["is", "event_type", ["a", null]])), "filters[0][2][1]", "a text"),
        (filter(json!(["is", "event_type", ["a".repeat(1_001)]])), "filters[0][2][0]", "1000"),
        (filter(json!(["is", "event_type", ["a\0"]])), "filters[0][2][0]", "U+0000"),
        (filter(json!(["is", "event_type", ["a"], {"case": false}])), "filters[0][3].case", "case_sensitive"),
        (filter(json!(["is", "event_type", ["a"], false])), "filters[0][3]", "case_sensitive"),
        (filter(json!(["gt", "event_type", [1]])), "filters[0][1]", "metadata.<path>"),
        (filter(json!(["gt", "metadata.price", ["1"]])), "filters[0][2][0]", "a number"),
        (filter(json!(["gt", "metadata.price", [1], {"case_sensitive": false}])), "filters[0][3]", "no options"),
        (filter(json!(["between", "metadata.price", [1]])), "filters[0][2]", "two numbers"),
        (filter(json!(["or", []])), "filters[0][1]", "at least one"),
        (filter(json!(["and", [["or", [["exists", "user_id"], ["is"]]]]])), "filters[0][1][0][1][1]", "takes a field"),
        (filter(json!(["exists", "user_id", ["a"]])), "filters[0]", "takes a field"),
        (filter(json!(["has_done", []])), "filters[0][1]", "at least one"),
        (filter(json!(["has_done", ["exists", "user_id"]])), "filters[0][1][0]", "a filter"),
        (filter(json!(["has_done"])), "filters[0]", "a list of filters"),
        (filter(json!(["has_not_done", [["is", "type", ["a"]]]])), "filters[0][1][0][1]", "event_type"),
        (
            filter(json!(["has_done", [["not", ["has_not_done", [done]]]]])),
            "filters[0][1][0][1]",
            "cannot stand within",
        ),
        (with("filters", json!(vec![json!(["has_done", [done]]); 11])), "filters[10]", "10 of has_done"),
        (filter(nested), "filters[0][1][1][1][1][1][1][1][1][1][1]", "10 deep"),
        (with("filters", json!(vec![json!(["exists", "user_id"]); 201])), "filters[200]", "200 filters"),
    ];
    for (value, path, word) in table {
        let error = Question::from_json(&value).expect_err(&value.to_string());
        assert_eq!((error.path.as_str(), error.code), (path, QueryErrorCode::InvalidQuery), "{value}: {error}");
        assert!(error.message.contains(word), "{value}: {error}");
        assert!(error.message.len() < 400, "{error}");
        let by_serde = serde_json::from_value::<Question>(value).unwrap_err().to_string();
        assert_eq!(by_serde, error.to_string());
    }
}

/// Six formulas of 17 figures each but for the last, no figure twice.
fn many_figures() -> Value {
    let figure = |number: usize| format!("sum:metadata.p{number}");
    let formula = |range: std::ops::Range<usize>| range.map(figure).collect::<Vec<_>>().join(" + ");
    json!((0..6).map(|number| formula(number * 17..(number * 17 + 17).min(101))).collect::<Vec<_>>())
}

#[test]
fn text_that_is_no_json() {
    let error = Question::from_slice(b"{\"metrics\": [").unwrap_err();
    assert_eq!((error.code.as_str(), error.path.as_str()), ("invalid_query", ""));
    let deep = "[".repeat(100_000);
    assert!(Question::from_slice(deep.as_bytes()).is_err());
    assert!(Question::from_slice(br#"{"metrics":["events"],"filters":[["gt","metadata.a",[1e400]]]}"#).is_err());
}

#[test]
fn too_many_buckets() {
    let value = json!({"metrics": ["events"], "date_range": "90d", "dimensions": ["event_type", "time:minute"]});
    let error = plan(&question(&value), &context()).unwrap_err();
    assert_eq!((error.code, error.path.as_str()), (QueryErrorCode::QueryTooLarge, "dimensions[1]"));
    assert!(error.message.contains("date_range"));
    // A range that runs far into the future has no more buckets than there is time until tomorrow.
    let value =
        json!({"metrics": ["events"], "date_range": ["2026-11-01", "2099-12-31"], "dimensions": ["time:minute"]});
    assert!(plan(&question(&value), &context()).is_ok());
}
