//! Questions that are refused, with the place of what is wrong.

use analytics_blackbox::Deployment;
use analytics_blackbox::tenant::send;
use reqwest::Method;
use serde_json::json;

every_form! { a_bad_question_is_told_by_its_path, too_much_at_once, other_methods_and_paths }

async fn a_bad_question_is_told_by_its_path(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let cases = [
        (json!({ "metrics": [] }), "metrics"),
        (json!({}), "metrics"),
        (json!({ "metrics": ["applause"] }), "metrics[0]"),
        (json!({ "metrics": ["events", "sum:metadata."] }), "metrics[1]"),
        (json!({ "metrics": ["sum:event_type"] }), "metrics[0]"),
        (json!({ "metrics": ["events"], "dimensions": ["weather"] }), "dimensions[0]"),
        (json!({ "metrics": ["events"], "dimensions": ["time:fortnight"] }), "dimensions[0]"),
        (json!({ "metrics": ["events"], "date_range": "soon" }), "date_range"),
        (json!({ "metrics": ["events"], "date_range": ["2026-02-30", "2026-03-01"] }), "date_range"),
        (json!({ "metrics": ["events"], "date_range": ["2026-03-02", "2026-03-01"] }), "date_range"),
        (json!({ "metrics": ["events"], "timezone": "Mars/Olympus" }), "timezone"),
        (json!({ "metrics": ["events"], "filters": [["likes", "event_type", ["a"]]] }), "filters[0]"),
        (json!({ "metrics": ["events"], "filters": [["is", "weather", ["a"]]] }), "filters[0]"),
        (json!({ "metrics": ["events"], "filters": [["is", "event_type", []]] }), "filters[0]"),
        (json!({ "metrics": ["events"], "filters": [["or", [["is", "event_type", "a"]]]] }), "filters[0]"),
        (json!({ "metrics": ["events"], "filters": [["between", "metadata.x", [1]]] }), "filters[0]"),
        (json!({ "metrics": ["events"], "order_by": [["sessions", "desc"]] }), "order_by[0]"),
        (json!({ "metrics": ["events"], "order_by": [["events", "down"]] }), "order_by[0]"),
        (json!({ "metrics": ["events"], "limit": 0 }), "limit"),
        (json!({ "metrics": ["events"], "limit": 10_001 }), "limit"),
        (json!({ "metrics": ["events"], "limit": "many" }), "limit"),
        (json!({ "metrics": ["events"], "compare": "last_century" }), "compare"),
        (json!({ "metrics": ["events"], "colour": "red" }), "colour"),
    ];
    for (question, path) in cases {
        let answer = tenant.query(&question).await.expect_problem(400, "invalid_query");
        let found = answer.body["path"].as_str().unwrap_or_default();
        assert!(found.starts_with(path), "{question}: {found} is not in {path}: {}", answer.text);
    }
    for body in ["", "[]", "null", "{\"metrics\"", "\"events\""] {
        let request =
            tenant.api_request(Method::POST, "/api/query").header("content-type", "application/json").body(body);
        let answer = send(request).await;
        assert_eq!(answer.status, 400, "{body:?}: {}", answer.text);
    }
}

async fn too_much_at_once(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let minutes =
        json!({ "metrics": ["events"], "dimensions": ["time:minute"], "date_range": ["2024-01-01", "2026-01-01"] });
    let answer = tenant.query(&minutes).await;
    if answer.status != 200 {
        let answer = answer.expect_problem(422, "query_too_large");
        assert!(answer.body["detail"].as_str().unwrap().len() > 20, "{}", answer.text);
    }
    let deep = format!("{}[\"exists\",\"user_id\"]{}", "[\"not\",".repeat(20_000), "]".repeat(20_000));
    let body = format!("{{\"metrics\":[\"events\"],\"filters\":[{deep}]}}");
    let request = tenant.api_request(Method::POST, "/api/query").header("content-type", "application/json").body(body);
    let answer = send(request).await;
    assert!(answer.status == 400 || answer.status == 422, "{}", answer.status);
}

async fn other_methods_and_paths(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let _ = send(tenant.api_request(Method::GET, "/api/query")).await.expect_problem(405, "method_not_allowed");
    let _ = send(tenant.api_request(Method::POST, "/api/trends")).await.expect_problem(405, "method_not_allowed");
    let _ = send(tenant.api_request(Method::GET, "/api/nothing")).await.expect_problem(404, "not_found");
}
