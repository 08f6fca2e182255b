//! Whether what the document says of paths is what is read and answered.

use analytics_query::PathsQuestion;
use axum::http::Method;
use serde_json::{Value, json};

use crate::served::{Api, Document};

const PATHS: &str = "/components/schemas/PathsQuestion";

#[tokio::test]
async fn what_does_not_fit_is_refused_and_the_other_way_round() {
    let document = Document::of(&Api::start().await).await;
    let with = |name: &str, value: Value| json!({ name: value });
    for (name, value) in [
        ("from", json!({})),
        ("from", json!(null)),
        ("to", json!({ "filters": [["is", "event_type", ["a"]]] })),
        ("to", json!({ "filters": [] })),
        ("depth", json!(1)),
        ("depth", json!(10)),
        ("by", json!("session")),
        ("name", json!("metadata.path")),
        ("limit", json!(100)),
        ("date_range", json!("all")),
        ("timezone", json!("Asia/Kathmandu")),
    ] {
        let question = with(name, value);
        assert_eq!(document.misfit(PATHS, &question), None, "{question}");
        PathsQuestion::from_json(&question).unwrap_or_else(|error| panic!("{question} is refused: {error}"));
    }
    for (name, value, path) in [
        ("from", json!([]), "from"),
        ("from", json!({ "filter": [] }), "from.filter"),
        ("to", json!({ "filters": null }), "to.filters"),
        ("to", json!({ "filters": [["isnt", "event_type", ["a"]]] }), "to.filters[0][0]"),
        ("depth", json!(0), "depth"),
        ("depth", json!(11), "depth"),
        ("depth", json!("5"), "depth"),
        ("depth", json!(null), "depth"),
        ("by", json!("device"), "by"),
        ("name", json!("weather"), "name"),
        ("name", json!(["event_type"]), "name"),
        ("limit", json!(0), "limit"),
        ("limit", json!(101), "limit"),
        ("date_range", json!("soon"), "date_range"),
        ("filters", json!([]), "filters"),
        ("cursor", json!("x"), "cursor"),
    ] {
        let question = with(name, value);
        assert!(document.misfit(PATHS, &question).is_some(), "{question} fits");
        let error = PathsQuestion::from_json(&question).expect_err(&question.to_string());
        assert_eq!(error.path, path, "{question}: {error}");
        assert!(error.message.len() > 15, "{error}");
    }
    let many = json!({ "filters": vec![json!(["exists", "user_id"]); 101] });
    assert_eq!(PathsQuestion::from_json(&json!({ "from": many, "to": many })).unwrap_err().path, "to.filters[99]");
}

#[tokio::test]
async fn answers_to_paths_fit_and_their_questions_can_be_asked_again() {
    let api = Api::start().await;
    let document = Document::of(&api).await;
    let mut links = 0;
    for question in [
        json!({ "date_range": "30d" }),
        json!({
            "from": { "filters": [["is", "event_type", ["navigation"]]] }, "to": {}, "depth": 10, "by": "session",
            "name": "metadata.path", "limit": 2, "date_range": "30d", "timezone": "Europe/Berlin",
        }),
        json!({ "name": "user_id", "date_range": ["2020-01-01", "2026-11-15"] }),
        json!({ "date_range": ["2020-01-01", "2020-01-01"] }),
    ] {
        let answered = api.post("/api/paths", &question).await;
        assert_eq!(answered.status, 200, "{question}: {}", answered.text);
        document.hold("/api/paths", &Method::POST, &answered);
        let answer = answered.json();
        links += answer["links"].as_array().unwrap().len();
        let again = api.post("/api/paths", &answer["query"]).await;
        assert_eq!(again.status, 200, "{}: {}", answer["query"], again.text);
        for member in ["nodes", "links", "query"] {
            assert_eq!(again.json()[member], answer[member], "{question}");
        }
        assert_eq!(api.post("/api/paths", &question).await.json()["meta"]["cached"], true);
    }
    assert!(links > 10, "{links}");
}
