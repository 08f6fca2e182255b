//! Sessions, and what one person did, over a corpus counted by hand.

use std::fmt::Write as _;

use analytics_blackbox::{Answer, Deployment, Form};
use serde_json::{Value, json};

use crate::corpus::{at, by, date, event, shop};

every_form! {
    sessions_are_listed_newest_first,
    pages_hold_every_session_once,
    a_session_is_shown_in_order,
    a_person_is_shown_over_all_sessions,
    what_is_not_there_is_told,
    an_id_is_literal,
}

/// A text as a part of a path.
fn encoded(text: &str) -> String {
    let mut path = String::new();
    for byte in text.bytes() {
        let _ = write!(path, "%{byte:02X}");
    }
    path
}

fn column<'a>(answer: &'a Answer, name: &str) -> Vec<&'a Value> {
    answer.body["results"].as_array().unwrap().iter().map(|row| &row[name]).collect()
}

async fn sessions_are_listed_newest_first(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    tenant.store(&shop()).await;
    let answer = tenant.get("/api/sessions?range=7d").await.expect_status(200);
    assert_eq!(column(&answer, "session_id"), ["e", "d", "c", "b", "a"], "{}", answer.text);
    assert_eq!(column(&answer, "user_id"), [&json!("cyd"), &json!("ann"), &Value::Null, &json!("bob"), &json!("ann")]);
    assert_eq!(column(&answer, "events"), [1, 2, 2, 4, 3]);
    assert_eq!(column(&answer, "entry_action"), ["crash", "purchase", "page_view", "page_view", "page_view"]);
    assert_eq!(column(&answer, "exit_action"), ["crash", "page_view", "page_view", "page_view", "purchase"]);
    assert_eq!(column(&answer, "duration_seconds"), [0.0, 1800.0, 60.0, 15_600.0, 300.0]);
    let b = &answer.body["results"][3];
    assert_eq!(b["started_at"], format!("{}T20:00:00.000000Z", date(3)));
    assert_eq!(b["ended_at"], format!("{}T00:20:00.000000Z", date(2)));

    // One event has to pass; the figures are the whole session's.
    let bought = tenant.get("/api/sessions?range=7d&event_type=commerce").await.expect_status(200);
    assert_eq!(column(&bought, "session_id"), ["d", "b", "a"], "{}", bought.text);
    assert_eq!(column(&bought, "events"), [2, 4, 3]);
    let none = tenant.get("/api/sessions?range=7d&event_type=commerce&event_action=page_view").await.expect_status(200);
    assert_eq!(none.body["results"], json!([]));
    // The range says what there is of a session.
    let one_day = tenant.get(&format!("/api/sessions?range={0},{0}", date(2))).await.expect_status(200);
    assert_eq!(column(&one_day, "session_id"), ["c", "b"], "{}", one_day.text);
    assert_eq!(column(&one_day, "events"), [2, 2]);
    assert_eq!(column(&one_day, "entry_action"), ["page_view", "purchase"]);
}

async fn pages_hold_every_session_once(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    // Equal starts: a page may end between them.
    let events: Vec<Value> = (0..23)
        .map(|n| event(&format!("s{n:02}"), "t", "a", &at(1, if n < 15 { "09:00:00" } else { "10:00:00" })))
        .collect();
    tenant.store(&events).await;
    let (mut found, mut path) = (Vec::new(), "/api/sessions?limit=4".to_owned());
    loop {
        let answer = tenant.get(&path).await.expect_status(200);
        found.extend(column(&answer, "session_id").into_iter().map(|id| id.as_str().unwrap().to_owned()));
        let Some(cursor) = answer.body["meta"]["next_cursor"].as_str() else { break };
        // A cursor is good for its question alone.
        for other in [
            "/api/sessions?limit=5",
            "/api/sessions?limit=4&range=30d",
            "/api/sessions/s01?limit=4",
            "/api/events?limit=4",
        ] {
            let refused = tenant.get(&format!("{other}&cursor={cursor}")).await;
            let _ = refused.expect_problem(400, "invalid_cursor");
        }
        path = format!("/api/sessions?limit=4&cursor={cursor}");
    }
    let expected: Vec<String> = (15..23).rev().chain((0..15).rev()).map(|n| format!("s{n:02}")).collect();
    assert_eq!(found, expected);
}

async fn a_session_is_shown_in_order(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    tenant.store(&shop()).await;
    let answer = tenant.get("/api/sessions/b").await.expect_status(200);
    assert_eq!(answer.body["session"]["events"], 4, "{}", answer.text);
    let times: Vec<String> = [at(3, "20:00:00"), at(3, "23:30:00"), at(2, "00:10:00"), at(2, "00:20:00")]
        .iter()
        .map(|time| time.replace('Z', ".000000Z"))
        .collect();
    assert_eq!(column(&answer, "timestamp"), times.iter().map(String::as_str).collect::<Vec<_>>());
    let listed = tenant.get("/api/sessions?range=all").await.expect_status(200);
    assert_eq!(listed.body["results"][3], answer.body["session"]);

    let first = tenant.get("/api/sessions/b?limit=3").await.expect_status(200);
    let cursor = first.body["meta"]["next_cursor"].as_str().unwrap();
    let second = tenant.get(&format!("/api/sessions/b?limit=3&cursor={cursor}")).await.expect_status(200);
    assert_eq!(second.body["session"], answer.body["session"], "the whole session on every page");
    assert_eq!(second.body["results"].as_array().unwrap()[..], answer.body["results"].as_array().unwrap()[3..]);
    assert_eq!(second.body["meta"]["next_cursor"], Value::Null);
}

async fn a_person_is_shown_over_all_sessions(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    tenant.store(&shop()).await;
    let answer = tenant.get("/api/users/ann").await.expect_status(200);
    assert_eq!(column(&answer, "session_id"), ["d", "d", "a", "a", "a"], "{}", answer.text);
    let user = json!({
        "user_id": "ann", "first_seen_at": at(3, "08:00:00").replace('Z', ".000000Z"),
        "last_seen_at": at(1, "09:30:00").replace('Z', ".000000Z"), "events": 5, "sessions": 2,
    });
    assert_eq!(answer.body["user"], user);
    // Before he was known, bob was in the same session.
    let answer = tenant.get("/api/users/bob?limit=3").await.expect_status(200);
    assert_eq!((&answer.body["user"]["events"], &answer.body["user"]["sessions"]), (&json!(4), &json!(1)));
    assert_eq!(column(&answer, "user_id"), [&json!("bob"), &json!("bob"), &Value::Null]);
    let cursor = answer.body["meta"]["next_cursor"].as_str().unwrap();
    let rest = tenant.get(&format!("/api/users/bob?limit=3&cursor={cursor}")).await.expect_status(200);
    assert_eq!(column(&rest, "timestamp"), [&json!(at(3, "20:00:00").replace('Z', ".000000Z"))]);
    let one_day = tenant.get(&format!("/api/users/ann?range={0},{0}", date(1))).await.expect_status(200);
    assert_eq!((&one_day.body["user"]["events"], column(&one_day, "session_id").len()), (&json!(2), 2));
}

async fn what_is_not_there_is_told(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    tenant.store(&shop()).await;
    for path in ["/api/sessions/nobody", "/api/sessions/A", "/api/sessions/a?range=today", "/api/sessions/a%20"] {
        let answer = tenant.get(path).await.expect_problem(404, "session_not_found");
        assert_eq!(answer.body["path"], "id", "{}", answer.text);
    }
    // A session without a user is no user.
    for path in ["/api/users/nobody", "/api/users/c", "/api/users/ANN", "/api/users/ann?range=today"] {
        let _ = tenant.get(path).await.expect_problem(404, "user_not_found");
    }
    // Of these nginx passes none on.
    let nul = ["/api/sessions/a%00b", "/api/users/%00"].into_iter().filter(|_| deployment.form() != Form::Door);
    for path in nul.chain([format!("/api/sessions/{}", "x".repeat(65)).as_str(), "/api/users/%FF"]) {
        let answer = tenant.get(path).await.expect_problem(400, "invalid_query");
        assert_eq!(answer.body["path"], "id", "{}", answer.text);
    }
    for (path, place) in [
        ("/api/sessions?limit=0", "limit"),
        ("/api/sessions?range=soon", "range"),
        ("/api/sessions?tz=Mars", "tz"),
        ("/api/sessions?filter=%5B%22isnt%22%5D", "filter[0]"),
        ("/api/sessions?colour=red", "colour"),
        ("/api/sessions/a?filter=%5B%5D", "filter"),
        ("/api/users/ann?limit=x", "limit"),
    ] {
        let answer = tenant.get(path).await.expect_problem(400, "invalid_query");
        assert_eq!(answer.body["path"], place, "{}", answer.text);
    }
    for path in ["/api/sessions?cursor=x", "/api/sessions/a?cursor=x", "/api/users/ann?cursor=x"] {
        let _ = tenant.get(path).await.expect_problem(400, "invalid_cursor");
    }
}

async fn an_id_is_literal(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let hostile = [
        "'; DROP TABLE raw_events; --",
        "\" OR 1=1 --",
        "%",
        "_",
        "\\",
        "$1",
        "?1",
        "a/b",
        "a?b#c",
        "a%2Fb",
        "' || (SELECT 1) || '",
        "\u{202e}日本",
        " ",
        "{id}",
    ];
    let one = |text: &&str| by(event(text, "t", "a", &at(1, "10:00:00")), text);
    tenant.store(&hostile.iter().map(one).collect::<Vec<_>>()).await;
    for text in hostile {
        let answer = tenant.get(&format!("/api/sessions/{}", encoded(text))).await.expect_status(200);
        let session = &answer.body["session"];
        assert_eq!((&session["session_id"], &session["events"]), (&json!(text), &json!(1)), "{text}: {}", answer.text);
        let answer = tenant.get(&format!("/api/users/{}", encoded(text))).await.expect_status(200);
        let user = &answer.body["user"];
        assert_eq!((&user["user_id"], &user["events"]), (&json!(text), &json!(1)), "{text}: {}", answer.text);
        for parameter in ["event_type", "filter", "range", "tz", "limit", "cursor", "colour"] {
            let answer = tenant.get(&format!("/api/sessions?{parameter}={}", encoded(text))).await;
            assert!(answer.status == 400 || parameter == "event_type", "{parameter}={text}: {}", answer.text);
            assert!(answer.status == 400 || answer.body["results"] == json!([]), "{parameter}={text}: {}", answer.text);
        }
    }
    tenant.settled(hostile.len() as u64).await;
}
