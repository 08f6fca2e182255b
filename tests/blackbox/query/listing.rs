//! Properties, dead letters, and the description of the api.

use analytics_blackbox::tenant::send;
use analytics_blackbox::{Deployment, Tenant};
use analytics_testkit::export::{from_csv, from_ndjson, from_parquet};
use reqwest::Method;
use serde_json::{Value, json};

use crate::corpus::{at, by, date, event, shop, with};

every_form! {
    properties_and_their_values,
    exports_give_what_is_stored,
    exports_go_on_where_they_ended,
    dead_letters_of_none,
    the_api_describes_itself,
}

async fn properties_and_their_values(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    tenant.store(&shop()).await;
    let answer = tenant.get("/api/properties?range=7d").await.expect_status(200);
    for name in ["path", "price", "ms", "fatal"] {
        assert!(answer.text.contains(name), "{name}: {}", answer.text);
    }
    let answer = tenant.get("/api/properties/event_type/values?range=7d").await.expect_status(200);
    assert_eq!(answer.dimensions(), [json!(["navigation"]), json!(["commerce"]), json!(["error"])], "{}", answer.text);
    assert_eq!(answer.metrics(), [json!([8]), json!([3]), json!([1])]);
    let answer = tenant.get("/api/properties/metadata.path/values?range=7d&search=docs").await.expect_status(200);
    assert!(answer.dimensions().contains(&json!(["/docs/start"])) && !answer.text.contains("/shop"), "{}", answer.text);
    // A bare name is a path within the metadata, known or not.
    let answer = tenant.get("/api/properties/path/values?range=7d&search=docs").await.expect_status(200);
    assert!(answer.dimensions().contains(&json!(["/docs/start"])), "{}", answer.text);
    let answer = tenant.get("/api/properties/weather/values").await.expect_status(200);
    assert!(answer.dimensions().is_empty(), "{}", answer.text);
}

/// An export's cursor, if more follows, and its events.
async fn export(tenant: &Tenant, format: &str, parameters: &str) -> (Option<String>, Vec<Value>) {
    let path = format!("/api/export?format={format}{parameters}");
    let response = tenant.api_request(Method::GET, &path).send().await.unwrap();
    assert_eq!(response.status().as_u16(), 200, "{path}");
    let cursor = response.headers().get("x-next-cursor").map(|cursor| cursor.to_str().unwrap().to_owned());
    let bytes = response.bytes().await.unwrap();
    let events = match format {
        "ndjson" => from_ndjson(&bytes),
        "csv" => from_csv(&bytes),
        _ => from_parquet(&bytes),
    };
    (cursor, events)
}

async fn exports_give_what_is_stored(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let hostile = [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\tx",
        "\rx",
        "'x",
        "''",
        "\"",
        "a,b",
        "a\r\nb",
        "größe 👩‍🚀",
        "\u{feff}x",
        " x ",
    ];
    let mut events: Vec<Value> = hostile
        .iter()
        .map(|text| {
            let event = event(text, text, text, &at(1, "10:00:00"));
            by(
                with(event, json!({ *text: text, "list": [1, 2.5, null, { "deep": [] }], "large": "x".repeat(2_000) })),
                text,
            )
        })
        .collect();
    events.extend((0..60).map(|second| event("s", "t", "a", &at(2, &format!("10:00:{second:02}.000001")))));
    tenant.store(&events).await;
    let mut stored = tenant.get("/api/events?limit=1000").await.expect_status(200).body["results"].clone();
    let stored = stored.as_array_mut().unwrap();
    stored.reverse();
    assert_eq!(stored.len(), events.len());
    for format in ["ndjson", "csv", "parquet"] {
        let (cursor, exported) = export(&tenant, format, "").await;
        assert_eq!((cursor, &exported), (None, &*stored), "{format}");
        let chosen = format!("&range={},{}&event_type=%3D1%2B1&event_type=-1", date(1), date(1));
        let (_, exported) = export(&tenant, format, &chosen).await;
        assert_eq!(exported.len(), 2, "{format}");
    }
    let (_, exported) = export(&tenant, "ndjson", "&range=2001-01-01,2001-01-02").await;
    assert!(exported.is_empty());
    let answer = tenant.get("/api/export?format=xls").await.expect_problem(400, "invalid_query");
    assert_eq!(answer.body["path"], "format", "{}", answer.text);
}

async fn exports_go_on_where_they_ended(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    // Equal times: the ids decide.
    let events: Vec<Value> =
        (0..50).map(|number| event("s", "t", "a", &at(1, &format!("10:00:{:02}", number / 10)))).collect();
    tenant.store(&events).await;
    let (_, whole) = export(&tenant, "ndjson", "").await;
    let (mut exported, mut cursor, mut parts) = (Vec::new(), String::new(), 0);
    loop {
        let (next, events) = export(&tenant, "ndjson", &format!("&limit=7{cursor}")).await;
        exported.extend(events);
        parts += 1;
        match next {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!((parts, &exported), (8, &whole));
    // The last part again: what came in meanwhile is in it.
    tenant.collect_all(&[event("late", "t", "a", &at(1, "11:00:00"))]).await;
    tenant.settled(51).await;
    let (next, events) = export(&tenant, "csv", &format!("&limit=7{cursor}")).await;
    assert_eq!((next, events.len(), &events[1]["session_id"]), (None, 2, &json!("late")));
    let other = deployment.tenant();
    for (tenant, parameters) in [(&other, cursor.clone()), (&tenant, format!("{cursor}&event_type=t"))] {
        let _ = tenant.get(&format!("/api/export?limit=7{parameters}")).await.expect_problem(400, "invalid_cursor");
    }
}

async fn dead_letters_of_none(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let answer = tenant.get_as_admin("/api/dead-letters").await.expect_status(200);
    assert_eq!((&answer.body["dead_letters"], &answer.body["total"]), (&json!([]), &json!(0)), "{}", answer.text);
    let replay = |body: &'static str| {
        let request = tenant.client.request(Method::POST, format!("{}/api/dead-letters/replay", tenant.api));
        send(request.bearer_auth(&tenant.admin_key).header("content-type", "application/json").body(body))
    };
    assert_eq!(replay("{\"all\":true}").await.expect_status(202).body["marked"], 0);
    for body in ["", "{}", "{\"ids\":[],\"all\":true}", "{\"ids\":[\"nonsense\"]}"] {
        assert_eq!(replay(body).await.status, 400, "{body}");
    }
}

async fn the_api_describes_itself(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let answer = tenant.get("/api/openapi.json").await.expect_status(200);
    assert!(answer.body["openapi"].as_str().unwrap().starts_with("3.1"), "{}", answer.text);
    for path in [
        "/api/query",
        "/api/trends",
        "/api/breakdown",
        "/api/retention",
        "/api/sessions",
        "/api/sessions/{id}",
        "/api/users/{id}",
        "/api/events",
        "/api/export",
        "/api/properties",
        "/api/integrity",
        "/api/dead-letters",
    ] {
        assert!(answer.body["paths"][path].is_object(), "{path} is not described");
    }
    let page = tenant.get("/api/docs").await.expect_status(200);
    assert!(page.header("content-type").starts_with("text/html"), "{:?}", page.headers);
}
