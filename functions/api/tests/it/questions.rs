//! Whether what the document says of questions and parameters is what the routes read.

use std::collections::BTreeSet;

use analytics_query::{Question, RetentionQuestion, corpus};
use axum::http::Method;
use serde_json::{Value, json};

use crate::served::{ADMIN_KEY, Api, Document, Operation};

const QUESTION: &str = "/components/schemas/Question";

#[tokio::test]
async fn every_question_of_the_corpus_fits() {
    let document = Document::of(&Api::start().await).await;
    let questions = corpus::questions();
    assert!(questions.len() > 20);
    for (name, question) in questions {
        assert_eq!(document.misfit(QUESTION, &question), None, "{name}");
    }
}

#[tokio::test]
async fn what_does_not_fit_is_refused_and_the_other_way_round() {
    let document = Document::of(&Api::start().await).await;
    let with = |name: &str, value: Value| {
        let mut question = json!({ "metrics": ["events"], "dimensions": ["event_type"] });
        question[name] = value;
        question
    };
    for value in [json!(null), json!([]), json!("events"), json!(["p101:metadata.x"]), json!([7]), json!(["sum:x"])] {
        refused(&document, &with("metrics", value));
    }
    for metric in [
        "p1:metadata.ms",
        "p99:metadata.\"a b\"",
        "(events - users)/sessions",
        "100 * sum:metadata.price / events",
        "2*(users)",
    ] {
        read(&document, &with("metrics", json!([metric])));
    }
    for metric in ["p0:metadata.ms", "p100:metadata.ms", "p5.5:metadata.ms", "7", "1 + 2", "", "-events"] {
        refused(&document, &with("metrics", json!([metric])));
    }
    let names = [json!("today"), json!("1d"), json!("10000h"), json!("all"), json!(["2026-11-01", "2026-11-02"])];
    for value in names {
        read(&document, &with("date_range", value.clone()));
        read(&document, &with("compare", value));
    }
    for value in [json!(null), json!("0d"), json!("10001d"), json!("7w"), json!(["2026-11-01"]), json!({})] {
        refused(&document, &with("date_range", value));
    }
    for value in [json!("previous_period"), json!("previous_year"), json!(null)] {
        read(&document, &with("compare", value));
    }
    for value in [json!("next_year"), json!(true)] {
        refused(&document, &with("compare", value));
    }
    for name in ["timezone", "dimensions", "filters", "order_by", "limit"] {
        refused(&document, &with(name, json!(null)));
    }
    for value in [json!(0), json!(10_001), json!("10"), json!(1.5)] {
        refused(&document, &with("limit", value));
    }
    for value in [json!(null), json!("some text")] {
        read(&document, &with("cursor", value));
    }
    for value in [json!("time:year"), json!("metadata."), json!("price")] {
        refused(&document, &with("dimensions", json!([value])));
    }
    for value in [json!(["events", "desc"]), json!(["event_type", "asc"])] {
        read(&document, &with("order_by", json!([value])));
    }
    for value in [json!("events"), json!(["events"]), json!(["events", "down"]), json!(["events", "asc", 1])] {
        refused(&document, &with("order_by", json!([value])));
    }
    for filter in [
        json!(["is", "event_type", ["a", 1, true]]),
        json!(["matches", "metadata.path", ["/*"], { "case_sensitive": false }]),
        json!(["matches", "metadata.path", ["/*"], {}]),
        json!(["lte", "metadata.ms", [1, 2.5]]),
        json!(["between", "metadata.ms", [1, 2]]),
        json!(["not_exists", "user_id"]),
        json!(["and", [["exists", "user_id"], ["not", ["or", [["exists", "session_id"]]]]]]),
        json!(["not", [["exists", "user_id"]]]),
        json!(["has_done", [["is", "event_type", ["a"]], ["or", [["gt", "metadata.ms", [1]]]]]]),
        json!(["or", [["has_not_done", [["exists", "user_id"]]], ["exists", "user_id"]]]),
    ] {
        read(&document, &with("filters", json!([filter])));
    }
    for filter in [
        json!("is"),
        json!([]),
        json!(["equals", "event_type", ["a"]]),
        json!(["is", "event_type"]),
        json!(["is", "event_type", []]),
        json!(["is", "event_type", "a"]),
        json!(["is", "event_type", [null]]),
        json!(["is", "colour", ["a"]]),
        json!(["is", "event_type", ["a"], { "case": false }]),
        json!(["gt", "event_type", [1]]),
        json!(["gt", "metadata.ms", ["1"]]),
        json!(["gt", "metadata.ms", [1], {}]),
        json!(["between", "metadata.ms", [1]]),
        json!(["exists"]),
        json!(["and", []]),
        json!(["and", ["exists", "user_id"]]),
        json!(["has_done"]),
        json!(["has_done", []]),
        json!(["has_not_done", ["exists", "user_id"]]),
        json!(["has_done", [["exists", "user_id"]], {}]),
        json!(["not", [["exists", "user_id"], ["exists", "session_id"]]]),
    ] {
        refused(&document, &with("filters", json!([filter])));
    }
    refused(&document, &with("metric", json!(["events"])));
    refused(&document, &json!({}));
    refused(&document, &json!([]));
}

#[tokio::test]
async fn what_does_not_fit_retention_is_refused_and_the_other_way_round() {
    let document = Document::of(&Api::start().await).await;
    let schema = "/components/schemas/RetentionQuestion";
    let with = |name: &str, value: Value| {
        let mut question = json!({ "start": {}, "return": { "filters": [["exists", "user_id"]] } });
        question[name] = value;
        question
    };
    for question in [
        with("unit", json!("month")),
        with("periods", json!(366)),
        with("mode", json!("on_or_after")),
        with("first", json!("ever")),
        with("by", json!("session")),
        with("date_range", json!(["2026-11-01", "2026-11-02"])),
        with("start", json!({ "filters": [] })),
    ] {
        assert_eq!(document.misfit(schema, &question), None, "{question}");
        RetentionQuestion::from_json(&question).unwrap_or_else(|error| panic!("{question} is refused: {error}"));
    }
    for question in [
        json!({}),
        json!([]),
        json!({ "start": {} }),
        json!({ "return": {} }),
        with("start", json!(null)),
        with("start", json!([])),
        with("return", json!({ "filter": [] })),
        with("return", json!({ "filters": [["is"]] })),
        with("unit", json!("hour")),
        with("unit", json!(null)),
        with("periods", json!(0)),
        with("periods", json!(367)),
        with("periods", json!(2.5)),
        with("mode", json!("after")),
        with("first", json!("last")),
        with("by", json!("user")),
        with("date_range", json!(null)),
        with("filters", json!([])),
    ] {
        assert!(document.misfit(schema, &question).is_some(), "{question} fits");
        assert!(RetentionQuestion::from_json(&question).is_err(), "{question} is read");
    }
}

fn read(document: &Document, question: &Value) {
    assert_eq!(document.misfit(QUESTION, question), None, "{question}");
    Question::from_json(question).unwrap_or_else(|error| panic!("{question} is refused: {error}"));
}

fn refused(document: &Document, question: &Value) {
    assert!(document.misfit(QUESTION, question).is_some(), "{question} fits");
    assert!(Question::from_json(question).is_err(), "{question} is read");
}

fn parameters(operation: &Operation) -> impl Iterator<Item = &Value> {
    operation.described["parameters"].as_array().into_iter().flatten()
}

/// The path with its own parameters filled in.
pub fn filled(operation: &Operation) -> String {
    let mut path = operation.path.clone();
    for parameter in parameters(operation).filter(|parameter| parameter["in"] == "path") {
        let name = parameter["name"].as_str().unwrap();
        path = path.replace(&format!("{{{name}}}"), parameter["example"].as_str().unwrap());
    }
    path
}

/// The parameters that are described are those that an unknown one is told to choose from.
#[tokio::test]
async fn the_parameters_are_those_that_are_read() {
    let api = Api::start().await;
    let document = Document::of(&api).await;
    let mut looked_at = 0;
    for operation in document.operations() {
        let described: BTreeSet<String> = parameters(&operation)
            .filter(|parameter| parameter["in"] == "query")
            .map(|parameter| parameter["name"].as_str().unwrap().to_owned())
            .collect();
        if operation.method != Method::GET || described.is_empty() {
            continue;
        }
        looked_at += 1;
        let answered = api.get(&format!("{}?no_such=1", filled(&operation))).await;
        assert_eq!(answered.status, 400, "{}", operation.path);
        let detail = answered.json()["detail"].as_str().unwrap().to_owned();
        let (_, expected) = detail.split_once("expected ").unwrap_or_else(|| panic!("{detail}"));
        let words = expected.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty());
        let known: BTreeSet<String> =
            words.filter(|word| !["or", "one", "of"].contains(word)).map(str::to_owned).collect();
        assert_eq!(described, known, "{}", operation.path);
    }
    assert!(looked_at > 6);
}

/// The examples of a request, all parameters that have one together.
pub fn examples(operation: &Operation) -> Vec<(String, String)> {
    let path = filled(operation);
    let bodies = &operation.described["requestBody"]["content"]["application/json"]["examples"];
    if let Some(bodies) = bodies.as_object() {
        return bodies.values().map(|example| (path.clone(), example["value"].to_string())).collect();
    }
    let mut pairs = Vec::new();
    for parameter in parameters(operation).filter(|parameter| parameter["in"] == "query") {
        let name = parameter["name"].as_str().unwrap();
        match &parameter["example"] {
            Value::Null => assert_eq!(name, "cursor", "{}: {name} has no example", operation.path),
            Value::Array(values) => pairs.extend(values.iter().map(|value| pair(name, value))),
            value => pairs.push(pair(name, value)),
        }
    }
    let query = if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) };
    vec![(format!("{path}{query}"), String::new())]
}

fn pair(name: &str, value: &Value) -> String {
    let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let escaped: String = value.bytes().map(|byte| format!("%{byte:02X}")).collect();
    format!("{name}={escaped}")
}

#[tokio::test]
async fn every_example_of_a_request_works() {
    let api = Api::start().await;
    let document = Document::of(&api).await;
    for operation in document.operations() {
        for (uri, body) in examples(&operation) {
            let answered = api.send(Some(ADMIN_KEY), &operation.method, &uri, body).await;
            assert!(answered.status.is_success(), "{} {uri}: {}", operation.method, answered.text);
            document.hold(&operation.path, &operation.method, &answered);
        }
    }
}
