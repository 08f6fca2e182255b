//! Real answers, held to the schemas of the document.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::served::{Api, Document};

#[tokio::test]
async fn answers_to_questions_fit() {
    let api = Api::start().await;
    let document = Document::of(&api).await;
    let metrics = ["events", "sessions", "visitors", "events_per_session", "sum:metadata.price", "avg:metadata.price"];
    let mut shapes = Vec::new();
    for question in [
        json!({ "metrics": ["events"] }),
        json!({ "metrics": metrics, "dimensions": ["time:day", "metadata.path"], "date_range": "30d", "limit": 7 }),
        json!({ "metrics": metrics, "dimensions": ["user_id"], "date_range": "30d", "order_by": [["events", "asc"]] }),
        json!({ "metrics": ["events"], "dimensions": ["time:week"], "date_range": "7d", "compare": "previous_period" }),
        json!({ "metrics": ["events"], "dimensions": ["event_action"], "date_range": "30d", "compare": "yesterday" }),
        json!({ "metrics": ["events"], "date_range": ["2020-01-01", "2026-11-15"], "timezone": "Europe/Berlin" }),
        json!({
            "metrics": ["users"], "dimensions": ["time:hour"], "date_range": "yesterday",
            "filters": [["not", ["or", [["is", "event_type", ["error", 1]], ["gt", "metadata.price", [50]]]]]],
        }),
    ] {
        let answered = api.post("/api/query", &question).await;
        assert_eq!(answered.status, 200, "{question}: {}", answered.text);
        document.hold("/api/query", &Method::POST, &answered);
        let answer = answered.json();

        let again = api.post("/api/query", &answer["query"]).await;
        assert_eq!(again.status, 200, "{}: {}", answer["query"], again.text);
        assert_eq!(again.json()["results"], answer["results"], "{question}");
        shapes.push(answer);
    }
    // What is optional or may be null was there both ways, so the schemas were really held to it.
    let any = |holds: &dyn Fn(&Value) -> bool| shapes.iter().any(holds);
    let rows = |answer: &Value| answer["results"].as_array().unwrap().clone();
    assert!(any(&|answer| rows(answer).iter().any(|row| row["comparison"].is_array())));
    assert!(any(&|answer| rows(answer).iter().any(|row| row.get("comparison") == Some(&Value::Null))));
    assert!(any(&|answer| rows(answer)
        .iter()
        .any(|row| row["dimensions"][0].is_null() && row["dimensions"] != json!([]))));
    assert!(any(&|answer| rows(answer).iter().any(|row| row["metrics"]
        .as_array()
        .unwrap()
        .iter()
        .any(Value::is_null))));
    assert!(any(&|answer| answer["meta"]["next_cursor"].is_string()));
    assert!(any(&|answer| !answer["meta"]["warnings"].as_array().unwrap().is_empty()));
    assert!(any(&|answer| !answer["meta"]["incomplete_buckets"].as_array().unwrap().is_empty()));
    assert!(any(&|answer| answer["query"]["compare"].is_array()));
    for source in ["rollup", "raw"] {
        assert!(any(&|answer| answer["meta"]["source"] == source), "{source}");
    }
}

#[tokio::test]
async fn pages_follow_each_other_and_fit() {
    let api = Api::start().await;
    let document = Document::of(&api).await;
    for (path, uri) in [
        ("/api/trends", "/api/trends?range=30d&dimension=event_type&limit=20"),
        ("/api/breakdown", "/api/breakdown?dimension=metadata.path&range=30d&limit=2"),
        ("/api/events", "/api/events?limit=300"),
        ("/api/sessions", "/api/sessions?range=30d&limit=5"),
        ("/api/users/{id}", "/api/users/user-0?limit=2"),
        ("/api/properties/{key}/values", "/api/properties/path/values?range=30d&limit=3"),
    ] {
        let first = api.get(uri).await;
        document.hold(path, &Method::GET, &first);
        let cursor = first.json()["meta"]["next_cursor"].as_str().unwrap_or_else(|| panic!("{uri}")).to_owned();
        let second = api.get(&format!("{uri}&cursor={cursor}")).await;
        document.hold(path, &Method::GET, &second);
        assert_eq!(second.status, 200, "{uri}: {}", second.text);
        assert_ne!(first.json()["results"], second.json()["results"], "{uri}");
    }
}

#[tokio::test]
async fn properties_and_events_fit() {
    let api = Api::start().await;
    let document = Document::of(&api).await;
    for uri in [
        "/api/properties?range=30d",
        "/api/properties?range=30d&search=NO+SUCH",
        "/api/properties?range=2020-01-01,2020-01-02",
    ] {
        let answered = api.get(uri).await;
        assert_eq!(answered.status, 200, "{}", answered.text);
        document.hold("/api/properties", &Method::GET, &answered);
    }
    let answered = api.get("/api/events?limit=1000").await;
    document.hold("/api/events", &Method::GET, &answered);
    let events = answered.json()["results"].as_array().unwrap().clone();
    assert!(
        events.iter().any(|event| event["user_id"].is_null())
            && events.iter().any(|event| event["user_id"].is_string())
    );
}

#[tokio::test]
async fn sessions_and_people_fit() {
    let api = Api::start().await;
    let document = Document::of(&api).await;
    let list = api.get("/api/sessions?range=all&limit=1000").await;
    document.hold("/api/sessions", &Method::GET, &list);
    let sessions = list.json()["results"].as_array().unwrap().clone();
    assert!(sessions.iter().any(|session| session["user_id"].is_null()));
    for session in sessions.iter().take(5) {
        let id = session["session_id"].as_str().unwrap();
        let shown = api.get(&format!("/api/sessions/{id}")).await;
        document.hold("/api/sessions/{id}", &Method::GET, &shown);
        assert_eq!(&shown.json()["session"], session);
        assert_eq!(shown.json()["results"].as_array().unwrap().len() as u64, session["events"]);
    }
    let longest = sessions.iter().max_by_key(|session| session["events"].as_u64()).unwrap();
    let uri = format!("/api/sessions/{}?limit=3", longest["session_id"].as_str().unwrap());
    let first = api.get(&uri).await.json();
    let cursor = first["meta"]["next_cursor"].as_str().unwrap();
    let second = api.get(&format!("{uri}&cursor={cursor}")).await;
    document.hold("/api/sessions/{id}", &Method::GET, &second);
    assert_eq!(second.json()["session"], first["session"]);
    assert_ne!(second.json()["results"], first["results"]);
    // A cursor of one session is none of another's, nor of the list.
    for other in ["/api/sessions/s-7f3a?limit=3", "/api/users/u-42?limit=3", "/api/sessions?limit=3&range=all"] {
        let refused = api.get(&format!("{other}&cursor={cursor}")).await;
        assert_eq!(
            (refused.status, &refused.json()["code"]),
            (StatusCode::BAD_REQUEST, &json!("invalid_cursor")),
            "{other}"
        );
    }
}

#[tokio::test]
async fn cohorts_fit() {
    let api = Api::start().await;
    let document = Document::of(&api).await;
    let mut shapes = Vec::new();
    for question in [
        json!({ "start": {}, "return": {} }),
        json!({ "start": {}, "return": {}, "unit": "day", "periods": 3, "by": "session", "date_range": "30d" }),
        json!({
            "start": { "filters": [["is", "event_action", ["purchase"]]] }, "return": { "filters": [["exists", "metadata.path"]] },
            "unit": "month", "mode": "on_or_after", "first": "ever", "date_range": "year", "timezone": "Asia/Kathmandu",
        }),
        json!({ "start": {}, "return": {}, "date_range": ["2020-01-01", "2020-01-02"] }),
    ] {
        let answered = api.post("/api/retention", &question).await;
        assert_eq!(answered.status, 200, "{question}: {}", answered.text);
        document.hold("/api/retention", &Method::POST, &answered);
        let answer = answered.json();
        let again = api.post("/api/retention", &answer["query"]).await;
        assert_eq!(again.status, 200, "{}: {}", answer["query"], again.text);
        assert_eq!(again.json()["cohorts"], answer["cohorts"], "{question}");
        shapes.push(answer);
    }
    assert!(shapes[1]["cohorts"].as_array().unwrap().len() == 30);
    assert!(shapes[2]["cohorts"].as_array().unwrap().iter().any(|cohort| cohort["cells"][1]["incomplete"] == true));
    assert!(!shapes[3]["meta"]["warnings"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn operations_fit() {
    let api = Api::start().await;
    let document = Document::of(&api).await;
    let answered = api.get("/api/integrity").await;
    document.hold("/api/integrity", &Method::GET, &answered);
    let report = answered.json();
    assert_eq!(report["in_flight"], 0);
    assert_eq!(report["received"][0]["rejected"], json!({ "invalid_field": 1 }));
    assert!(!report["rollups"].as_array().unwrap().is_empty());

    let answered = api.get("/api/dead-letters").await;
    document.hold("/api/dead-letters", &Method::GET, &answered);
    let letters = answered.json()["dead_letters"].as_array().unwrap().clone();
    assert_eq!(letters.len(), 2);
    for member in ["event", "event_id", "sqlstate"] {
        let empty = letters.iter().filter(|letter| letter[member].is_null()).count();
        assert_eq!(empty, 1, "{member}");
    }
    let first = api.get("/api/dead-letters?limit=1").await;
    document.hold("/api/dead-letters", &Method::GET, &first);
    let cursor = first.json()["next_cursor"].as_str().unwrap().to_owned();
    document.hold("/api/dead-letters", &Method::GET, &api.get(&format!("/api/dead-letters?cursor={cursor}")).await);

    let replay = "/api/dead-letters/replay";
    let ids = json!({ "ids": [letters[0]["id"]] });
    for body in [&ids, &json!({ "all": true })] {
        assert_eq!(document.misfit("/components/schemas/ReplayRequest", body), None, "{body}");
        let answered = api.post(replay, body).await;
        assert_eq!(answered.status, 202, "{}", answered.text);
        document.hold(replay, &Method::POST, &answered);
    }
    for body in [
        json!({}),
        json!({ "all": false }),
        json!({ "all": true, "more": 1 }),
        json!({ "ids": ["x"] }),
        json!({ "ids": [], "all": true }),
    ] {
        assert!(document.misfit("/components/schemas/ReplayRequest", &body).is_some(), "{body} fits");
        document.hold(replay, &Method::POST, &api.post(replay, &body).await);
    }
}
