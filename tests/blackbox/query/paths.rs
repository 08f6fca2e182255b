//! Paths over a corpus counted by hand.

use analytics_blackbox::{Deployment, Tenant};
use serde_json::{Value, json};

use crate::corpus::{at, date, event, shop, with};

every_form! {
    ways_are_counted,
    a_bad_question_of_paths_is_told_by_its_path,
    what_a_client_writes_in_paths_is_data,
}

/// Nodes and links as `step name count` and `step from to count`.
async fn ways(tenant: &Tenant, question: &Value) -> (Vec<String>, Vec<String>) {
    let answer = tenant.ask("/api/paths", question).await.expect_status(200);
    let rows = |name: &str, members: &[&str]| {
        let word = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let row = |row: &Value| members.iter().map(|member| word(&row[member])).collect::<Vec<_>>().join(" ");
        answer.body[name].as_array().unwrap_or_else(|| panic!("{}", answer.text)).iter().map(row).collect()
    };
    (rows("nodes", &["step", "name", "count"]), rows("links", &["step", "from", "to", "count"]))
}

async fn ways_are_counted(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    tenant.store(&shop()).await;
    let days = json!([date(3), date(1)]);
    // ann: view, purchase, purchase of another day in a row, view. bob: view, purchase, view. c: view. cyd: crash.
    let (nodes, links) = ways(&tenant, &json!({ "date_range": days })).await;
    assert_eq!(nodes, ["0 page_view 3", "0 crash 1", "1 purchase 2", "2 page_view 2"]);
    assert_eq!(links, ["0 page_view purchase 2", "1 purchase page_view 2"]);
    // a: view, purchase. b: view, purchase, view. c: view. d: purchase, view. e: crash.
    let (nodes, links) = ways(&tenant, &json!({ "date_range": days, "by": "session", "limit": 1 })).await;
    assert_eq!(nodes, ["0 page_view 3", "0 other 2", "1 purchase 2", "1 other 1", "2 page_view 1"]);
    assert_eq!(links, ["0 page_view purchase 2", "0 other other 1", "1 purchase page_view 1"]);
    // What has no path is a step of its own.
    let shown = json!({
        "from": { "filters": [["is", "metadata.path", ["/docs"]]] }, "name": "metadata.path", "by": "session",
        "date_range": days, "depth": 2,
    });
    let (nodes, links) = ways(&tenant, &shown).await;
    assert_eq!(nodes, ["0 /docs 3", "1 /docs/start 1", "1 null 1"]);
    assert_eq!(links, ["0 /docs /docs/start 1", "0 /docs null 1"]);
    let bought = json!({
        "to": { "filters": [["is", "event_type", ["commerce"]]] }, "by": "session", "date_range": days, "name": "metadata.path",
    });
    let (nodes, links) = ways(&tenant, &bought).await;
    assert_eq!(nodes, ["0 /cart 1", "0 /docs 1", "0 /shop 1", "1 /cart 1", "1 /docs/start 1", "2 /cart 1"]);
    assert_eq!(links, ["0 /docs /docs/start 1", "0 /shop /cart 1", "1 /docs/start /cart 1"]);
    // Nothing beyond the range is part of a path.
    let (nodes, links) = ways(&tenant, &json!({ "date_range": [date(2), date(2)] })).await;
    assert_eq!(nodes, ["0 page_view 1", "0 purchase 1", "1 page_view 1"]);
    assert_eq!(links, ["0 purchase page_view 1"]);
    let nothing = ways(&tenant, &json!({ "date_range": [date(200), date(190)] })).await;
    assert_eq!(nothing, (Vec::new(), Vec::new()));
}

async fn a_bad_question_of_paths_is_told_by_its_path(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    for (question, path) in [
        (json!({ "from": [] }), "from"),
        (json!({ "to": { "filters": [["isnt", "event_type", ["a"]]] } }), "to.filters[0][0]"),
        (json!({ "depth": 11 }), "depth"),
        (json!({ "by": "device" }), "by"),
        (json!({ "name": "weather" }), "name"),
        (json!({ "limit": 101 }), "limit"),
        (json!({ "date_range": "soon" }), "date_range"),
        (json!({ "timezone": "Mars/Olympus" }), "timezone"),
        (json!({ "metrics": ["events"] }), "metrics"),
    ] {
        let answer = tenant.ask("/api/paths", &question).await.expect_problem(400, "invalid_query");
        assert_eq!(answer.body["path"], path, "{question}: {}", answer.text);
    }
}

async fn what_a_client_writes_in_paths_is_data(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let steps = |(number, text): (usize, &&str)| {
        let session = format!("s{number}");
        [("10:00:00", *text), ("10:01:00", "end")]
            .map(|(time, name)| with(event(&session, "t", name, &at(1, time)), json!({ *text: name })))
    };
    tenant.store(&super::HOSTILE.iter().enumerate().flat_map(steps).collect::<Vec<_>>()).await;
    for text in super::HOSTILE {
        let key = format!("metadata.{}", json!(text));
        let question = json!({
            "from": { "filters": [["is", key, [text]]] }, "to": { "filters": [["is", key, ["end"]]] }, "name": key,
        });
        let found = ways(&tenant, &question).await;
        assert_eq!(found.0, [format!("0 {text} 1"), "1 end 1".to_owned()], "{question}");
        assert_eq!(found.1, [format!("0 {text} end 1")], "{question}");
        for member in ["from", "to", "depth", "by", "name", "limit", "date_range", "timezone", text] {
            let _ = tenant.ask("/api/paths", &json!({ member: text })).await.expect_problem(400, "invalid_query");
        }
    }
    tenant.settled(2 * super::HOSTILE.len() as u64).await;
}
