//! Whether what the document says of funnels is what is read and answered.

use analytics_query::FunnelQuestion;
use axum::http::Method;
use serde_json::{Value, json};

use crate::served::{Api, Document};

const FUNNEL: &str = "/components/schemas/FunnelQuestion";

fn with(name: &str, value: Value) -> Value {
    let mut question = json!({ "steps": [{ "filters": [["is", "event_type", ["a"]]] }, {}, {}] });
    question[name] = value;
    question
}

#[tokio::test]
async fn what_does_not_fit_is_refused_and_the_other_way_round() {
    let document = Document::of(&Api::start().await).await;
    let step = json!({ "filters": [["exists", "user_id"]], "name": "x" });
    let good = [
        ("steps", json!(vec![&step; 2])),
        ("steps", json!(vec![&step; 10])),
        ("steps", json!([{ "name": null }, { "filters": [] }])),
        ("window", json!("1s")),
        ("window", json!("90d")),
        ("window", json!("2160h")),
        ("order", json!("ordered")),
        ("order", json!("strict")),
        ("order", json!("any")),
        ("by", json!("person")),
        ("by", json!("session")),
        ("exclude", json!(null)),
        ("exclude", json!([])),
        ("exclude", json!([{}, { "filters": [], "after": 1, "before": 2 }])),
        ("breakdown", json!("metadata.\"a.b\"")),
        ("breakdown", json!("user_id")),
        ("breakdown", json!(null)),
        ("date_range", json!("all")),
        ("timezone", json!("Asia/Kathmandu")),
        ("filters", json!([["not", ["exists", "user_id"]]])),
    ];
    for (name, value) in good {
        let question = with(name, value);
        assert_eq!(document.misfit(FUNNEL, &question), None, "{question}");
        FunnelQuestion::from_json(&question).unwrap_or_else(|error| panic!("{question} is refused: {error}"));
    }
    let bad = [
        ("steps", json!(null), "steps"),
        ("steps", json!([]), "steps"),
        ("steps", json!([{}]), "steps"),
        ("steps", json!(vec![&step; 11]), "steps"),
        ("steps", json!([{}, []]), "steps[1]"),
        ("steps", json!([{}, { "filter": [] }]), "steps[1].filter"),
        ("steps", json!([{ "name": 7 }, {}]), "steps[0].name"),
        ("steps", json!([{}, { "filters": null }]), "steps[1].filters"),
        ("steps", json!([{}, {}, { "filters": [["isnt", "event_type", ["a"]]] }]), "steps[2].filters[0][0]"),
        ("window", json!(null), "window"),
        ("window", json!("1"), "window"),
        ("window", json!("d"), "window"),
        ("window", json!("0d"), "window"),
        ("window", json!("1w"), "window"),
        ("window", json!("-1d"), "window"),
        ("window", json!("1.5h"), "window"),
        ("window", json!(""), "window"),
        ("window", json!(3600), "window"),
        ("order", json!("sorted"), "order"),
        ("order", json!(null), "order"),
        ("by", json!("device"), "by"),
        ("exclude", json!({}), "exclude"),
        ("exclude", json!(vec![json!({}); 11]), "exclude"),
        ("exclude", json!([{ "filters": [["is", "event_type", []]] }]), "exclude[0].filters[0][2]"),
        ("exclude", json!([{ "until": 1 }]), "exclude[0].until"),
        ("exclude", json!([{ "after": "0" }]), "exclude[0].after"),
        ("exclude", json!([{ "after": -1 }]), "exclude[0].after"),
        ("breakdown", json!("weather"), "breakdown"),
        ("breakdown", json!(["user_id"]), "breakdown"),
        ("breakdown", json!("time:day"), "breakdown"),
        ("date_range", json!("soon"), "date_range"),
        ("timezone", json!(7), "timezone"),
        ("filters", json!([["is"]]), "filters[0]"),
        ("metrics", json!(["events"]), "metrics"),
        ("limit", json!(10), "limit"),
    ];
    for (name, value, path) in bad {
        let question = with(name, value);
        assert!(document.misfit(FUNNEL, &question).is_some(), "{question} fits");
        let error = FunnelQuestion::from_json(&question).expect_err(&question.to_string());
        assert_eq!(error.path, path, "{question}: {error}");
        assert!(error.message.len() > 15, "{error}");
    }
    // What a schema of one member cannot say.
    for (name, value, path) in [
        ("window", json!("91d"), "window"),
        ("window", json!("4294967296d"), "window"),
        ("window", json!("99999999999999999999s"), "window"),
        ("exclude", json!([{ "after": 1, "before": 1 }]), "exclude[0].before"),
        ("exclude", json!([{ "after": 0, "before": 3 }]), "exclude[0].before"),
        ("exclude", json!([{ "after": 2 }]), "exclude[0].after"),
        ("timezone", json!("Mars/Olympus"), "timezone"),
        ("breakdown", json!("metadata.a..b"), "breakdown"),
    ] {
        let error = FunnelQuestion::from_json(&with(name, value)).unwrap_err();
        assert_eq!(error.path, path, "{error}");
    }
    // One budget for all filters of a question.
    let many: Vec<Value> = vec![json!(["exists", "user_id"]); 100];
    let question = json!({ "steps": [{ "filters": many }, { "filters": many }], "filters": [["exists", "user_id"]] });
    assert_eq!(FunnelQuestion::from_json(&question).unwrap_err().path, "filters[0]");
}

#[tokio::test]
async fn answers_to_funnels_fit_and_their_questions_can_be_asked_again() {
    let api = Api::start().await;
    let document = Document::of(&api).await;
    let mut reached = 0;
    for question in [
        json!({ "steps": [{}, {}], "date_range": "30d" }),
        json!({
            "steps": [{ "name": "All", "filters": [["is", "event_type", ["navigation"]]] }, {}, { "name": "日本" }],
            "date_range": "30d", "window": "36h", "order": "any", "by": "session", "breakdown": "metadata.path",
            "exclude": [{ "filters": [["is", "event_type", ["error"]]] }], "timezone": "Europe/Berlin",
            "filters": [["exists", "metadata.path"]],
        }),
        json!({ "steps": [{}, {}], "order": "strict", "date_range": ["2020-01-01", "2026-11-15"] }),
        json!({ "steps": [{}, {}], "date_range": ["2020-01-01", "2020-01-01"], "breakdown": "user_id" }),
    ] {
        let answered = api.post("/api/funnel", &question).await;
        assert_eq!(answered.status, 200, "{question}: {}", answered.text);
        document.hold("/api/funnel", &Method::POST, &answered);
        let answer = answered.json();
        reached += answer["steps"][1]["count"].as_u64().unwrap();
        assert_eq!(answer["meta"]["cached"], false);
        let again = api.post("/api/funnel", &answer["query"]).await;
        assert_eq!(again.status, 200, "{}: {}", answer["query"], again.text);
        assert_eq!((&again.json()["steps"], &again.json()["breakdown"]), (&answer["steps"], &answer["breakdown"]));
        assert_eq!(again.json()["query"], answer["query"]);
        assert_eq!(api.post("/api/funnel", &question).await.json()["meta"]["cached"], true);
    }
    assert!(reached > 10, "{reached}");
}
