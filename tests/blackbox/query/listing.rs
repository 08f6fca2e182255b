//! Properties, dead letters, and the description of the api.

use analytics_blackbox::Deployment;
use analytics_blackbox::tenant::send;
use reqwest::Method;
use serde_json::json;

use crate::corpus::shop;

every_form! { properties_and_their_values, dead_letters_of_none, the_api_describes_itself }

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
        "/api/properties",
        "/api/integrity",
        "/api/dead-letters",
    ] {
        assert!(answer.body["paths"][path].is_object(), "{path} is not described");
    }
    let page = tenant.get("/api/docs").await.expect_status(200);
    assert!(page.header("content-type").starts_with("text/html"), "{:?}", page.headers);
}
