//! `/api/keys`.

use analytics_blackbox::Deployment;
use analytics_blackbox::tenant::send;
use reqwest::Method;
use serde_json::{Value, json};

use super::write_keys::becomes;
use super::{administrate, ends, make_key, with_key};

every_form! { a_key_is_made_works_and_is_revoked, keys_belong_to_their_project, what_a_key_cannot_be, a_key_is_shown_once }

async fn a_key_is_made_works_and_is_revoked(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let (reads, administrates) = (make_key(&tenant, "CI", "read").await, make_key(&tenant, "Zoë's", "admin").await);
    let key = |made: &Value| made["key"].as_str().unwrap().to_owned();
    let (reading, administrating) = (key(&reads), key(&administrates));
    assert_eq!(
        (&reads["project"], &reads["scope"], &reads["name"]),
        (&json!(tenant.project), &json!("read"), &json!("CI"))
    );
    for path in ["/api/trends", "/api/views", "/api/settings", "/api/session"] {
        let _ = send(with_key(&tenant, &reading, Method::GET, path)).await.expect_status(200);
    }
    let by_header = tenant.client.get(format!("{}/api/trends", tenant.api)).header("x-api-key", &reading);
    let _ = send(by_header).await.expect_status(200);
    for (method, path) in [(Method::GET, "/api/keys"), (Method::POST, "/api/views"), (Method::GET, "/api/dead-letters")]
    {
        let _ = send(with_key(&tenant, &reading, method, path)).await.expect_problem(403, "forbidden_scope");
    }
    let _ = send(with_key(&tenant, &administrating, Method::GET, "/api/keys")).await.expect_status(200);
    // It sends nothing.
    let _ = becomes(&tenant, &administrating, 401).await;

    let path = format!("/api/keys/{}", reads["id"].as_str().unwrap());
    let _ = administrate(&tenant, Method::DELETE, &path, None).await.expect_status(204);
    let _ = administrate(&tenant, Method::DELETE, &path, None).await.expect_problem(404, "key_not_found");
    ends(|| send(with_key(&tenant, &reading, Method::GET, "/api/trends"))).await;
    let _ = send(with_key(&tenant, &administrating, Method::GET, "/api/trends")).await.expect_status(200);
}

async fn keys_belong_to_their_project(deployment: &'static Deployment) {
    let (tenant, other) = (deployment.tenant(), deployment.tenant());
    let made = make_key(&tenant, "mine", "admin").await;
    let path = format!("/api/keys/{}", made["id"].as_str().unwrap());
    let _ = administrate(&other, Method::DELETE, &path, None).await.expect_problem(404, "key_not_found");
    let theirs = administrate(&other, Method::GET, "/api/keys", None).await.expect_status(200);
    assert!(!theirs.text.contains(made["id"].as_str().unwrap()), "{}", theirs.text);
    // Those of the environment are listed, and stay.
    let listed = administrate(&tenant, Method::GET, "/api/keys", None).await.expect_status(200);
    let keys = listed.body["keys"].as_array().unwrap().clone();
    let of = |source: &str| keys.iter().filter(|key| key["source"] == source).collect::<Vec<_>>();
    assert_eq!(of("store").len(), 1, "{}", listed.text);
    assert!(of("environment").len() >= 2, "{}", listed.text);
    for key in &keys {
        assert_eq!((&key["project"], &key["revocable"]), (&json!(tenant.project), &json!(key["source"] == "store")));
        assert_eq!(key["hint"].as_str().unwrap().len(), 4);
    }
    for key in of("environment") {
        let path = format!("/api/keys/{}", key["id"].as_str().unwrap());
        let _ = administrate(&tenant, Method::DELETE, &path, None).await.expect_problem(409, "read_only");
    }
}

async fn what_a_key_cannot_be(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    for (wish, place) in [
        (json!({}), "name"),
        (json!({ "name": "", "scope": "read" }), "name"),
        (json!({ "name": "x".repeat(101), "scope": "read" }), "name"),
        (json!({ "name": "a\u{0}b", "scope": "read" }), "name"),
        (json!({ "name": 7, "scope": "read" }), "name"),
        (json!({ "name": "n" }), "scope"),
        (json!({ "name": "n", "scope": "Admin" }), "scope"),
        (json!({ "name": "", "scope": "write" }), "name"),
        (json!({ "name": "n", "scope": "write", "project": "default" }), "project"),
        (json!({ "name": "n", "scope": "read", "project": "default" }), "project"),
    ] {
        let answer =
            administrate(&tenant, Method::POST, "/api/keys", Some(wish)).await.expect_problem(400, "invalid_body");
        assert_eq!(answer.body["path"], place, "{}", answer.text);
    }
    for path in ["none", "env:0", "%FF", "019a4310-8a00-7000-8000-000000000001"] {
        let path = format!("/api/keys/{path}");
        let _ = administrate(&tenant, Method::DELETE, &path, None).await.expect_problem(404, "key_not_found");
    }
}

async fn a_key_is_shown_once(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let made = make_key(&tenant, "secret", "admin").await;
    let key = made["key"].as_str().unwrap();
    assert_eq!((key.len(), &key[..4]), (43, made["hint"].as_str().unwrap()));
    let other = make_key(&tenant, "other", "read").await;
    assert_ne!(made["key"], other["key"]);
    for path in ["/api/keys", "/api/session", "/api/settings"] {
        let answer = send(with_key(&tenant, key, Method::GET, path)).await.expect_status(200);
        assert!(
            !answer.text.contains(key) && !format!("{:?}", answer.headers).contains(key),
            "{path}: {}",
            answer.text
        );
    }
    let _ =
        send(with_key(&tenant, &format!("{key}x"), Method::GET, "/api/keys")).await.expect_problem(401, "unknown_key");
    let logs = deployment.whole_logs();
    assert!(!logs.contains(key), "a key is in the log");
    assert!(deployment.form() == analytics_blackbox::Form::Door || !logs.is_empty());
}
