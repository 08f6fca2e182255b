//! `/api/views`, `/api/boards` and `/api/settings`.

use analytics_blackbox::Deployment;
use analytics_blackbox::tenant::send;
use reqwest::Method;
use serde_json::{Value, json};

use super::{administrate, with_key};

every_form! {
    views_are_saved_changed_and_deleted, boards_show_the_views_that_there_are, what_cannot_be_saved, a_project_has_settings_of_its_own,
    a_state_comes_back_as_it_was,
}

fn view(name: &str, state: Value) -> Value {
    json!({ "name": name, "page": "explore", "state": state })
}

async fn views_are_saved_changed_and_deleted(deployment: &'static Deployment) {
    let (tenant, other) = (deployment.tenant(), deployment.tenant());
    let post =
        async |body: Value| administrate(&tenant, Method::POST, "/api/views", Some(body)).await.expect_status(201).body;
    let (b, a) = (post(view("b", json!({ "x": 1 }))).await, post(view("a", json!({}))).await);
    assert_eq!((&b["name"], &b["page"], &b["state"]), (&json!("b"), &json!("explore"), &json!({ "x": 1 })));
    // Who may read may look, and nothing else.
    let listed = tenant.get("/api/views").await.expect_status(200);
    assert_eq!(listed.body, json!({ "views": [a, b] }));
    let place = format!("/api/views/{}", b["id"].as_str().unwrap());
    for (method, path) in [(Method::POST, "/api/views"), (Method::PUT, &place), (Method::DELETE, &place)] {
        let request = with_key(&tenant, &tenant.read_key, method, path).body(view("c", json!({})).to_string());
        let _ = send(request).await.expect_problem(403, "forbidden_scope");
    }
    // Another project has none of them.
    assert_eq!(other.get("/api/views").await.expect_status(200).body, json!({ "views": [] }));
    for (method, body) in [(Method::PUT, Some(view("theirs", json!({})))), (Method::DELETE, None)] {
        let _ = administrate(&other, method, &place, body).await.expect_problem(404, "view_not_found");
    }
    let changed =
        administrate(&tenant, Method::PUT, &place, Some(view("z", json!({ "y": [] })))).await.expect_status(200).body;
    assert_eq!((&changed["id"], &changed["name"], &changed["state"]), (&b["id"], &json!("z"), &json!({ "y": [] })));
    assert!(changed["updated_at"].as_str() >= b["updated_at"].as_str());
    assert_eq!(tenant.get("/api/views").await.body, json!({ "views": [a, changed] }));
    let _ = administrate(&tenant, Method::DELETE, &place, None).await.expect_status(204);
    let _ = administrate(&tenant, Method::DELETE, &place, None).await.expect_problem(404, "view_not_found");
    assert_eq!(tenant.get("/api/views").await.body, json!({ "views": [a] }));
}

async fn boards_show_the_views_that_there_are(deployment: &'static Deployment) {
    let (tenant, other) = (deployment.tenant(), deployment.tenant());
    let mut ids = Vec::new();
    for owner in [&tenant, &tenant, &other] {
        let saved =
            administrate(owner, Method::POST, "/api/views", Some(view("v", json!({})))).await.expect_status(201);
        ids.push(saved.body["id"].clone());
    }
    let tiles = json!([{ "view": ids[1], "width": 2 }, { "view": ids[2], "width": 1 }, { "view": ids[0], "width": 1 }]);
    let board = json!({ "name": "Marketing", "tiles": tiles });
    let saved = administrate(&tenant, Method::POST, "/api/boards", Some(board)).await.expect_status(201).body;
    // The view of another project is none of this one's.
    assert_eq!(saved["tiles"], json!([{ "view": ids[1], "width": 2 }, { "view": ids[0], "width": 1 }]));
    assert_eq!(tenant.get("/api/boards").await.expect_status(200).body, json!({ "boards": [saved] }));
    let path = format!("/api/views/{}", ids[1].as_str().unwrap());
    let _ = administrate(&tenant, Method::DELETE, &path, None).await.expect_status(204);
    let left = tenant.get("/api/boards").await.expect_status(200).body;
    assert_eq!(left["boards"][0]["tiles"], json!([{ "view": ids[0], "width": 1 }]));
    let place = format!("/api/boards/{}", saved["id"].as_str().unwrap());
    let empty = json!({ "name": "Empty", "tiles": [] });
    let changed = administrate(&tenant, Method::PUT, &place, Some(empty.clone())).await.expect_status(200).body;
    assert_eq!((&changed["name"], &changed["tiles"], &changed["id"]), (&json!("Empty"), &json!([]), &saved["id"]));
    let _ = administrate(&other, Method::PUT, &place, Some(empty)).await.expect_problem(404, "board_not_found");
    let _ = administrate(&other, Method::DELETE, &place, None).await.expect_problem(404, "board_not_found");
    let _ = administrate(&tenant, Method::DELETE, &place, None).await.expect_status(204);
    assert_eq!(tenant.get("/api/boards").await.body, json!({ "boards": [] }));
}

async fn what_cannot_be_saved(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let large = json!({ "x": "y".repeat(16 << 10) });
    let tile = |view: Value, width: Value| json!({ "name": "b", "tiles": [{ "view": view, "width": width }] });
    let id = json!("019a4310-8a00-7000-8000-000000000001");
    for (path, body, place) in [
        ("/api/views", json!({}), "name"),
        ("/api/views", view("", json!({})), "name"),
        ("/api/views", view("a\nb", json!({})), "name"),
        ("/api/views", json!({ "name": "n", "page": "Explore", "state": {} }), "page"),
        ("/api/views", json!({ "name": "n", "page": "x".repeat(33), "state": {} }), "page"),
        ("/api/views", json!({ "name": "n", "page": "p", "state": [] }), "state"),
        ("/api/views", view("n", large), "state"),
        ("/api/views", json!({ "name": "n", "page": "p", "state": {}, "id": id }), "id"),
        ("/api/boards", json!({ "name": "b" }), "tiles"),
        ("/api/boards", tile(json!("none"), json!(1)), "tiles[0].view"),
        ("/api/boards", tile(id.clone(), json!(3)), "tiles[0].width"),
        ("/api/boards", tile(id.clone(), json!(null)), "tiles[0].width"),
        ("/api/boards", json!({ "name": "b", "tiles": vec![json!({ "view": id, "width": 1 }); 25] }), "tiles"),
        ("/api/boards", json!({ "name": "b", "tiles": [{ "view": id, "width": 1, "x": 1 }] }), "tiles[0].x"),
    ] {
        let answer = administrate(&tenant, Method::POST, path, Some(body.clone())).await;
        let answer = answer.expect_problem(400, "invalid_body");
        assert_eq!(answer.body["path"], place, "{body}: {}", answer.text);
        let answer = administrate(&tenant, Method::PUT, &format!("{path}/{}", id.as_str().unwrap()), Some(body)).await;
        assert_eq!((answer.status, &answer.body["path"]), (400, &json!(place)), "{}", answer.text);
    }
    assert_eq!(tenant.get("/api/views").await.body, json!({ "views": [] }));
    assert_eq!(tenant.get("/api/boards").await.body, json!({ "boards": [] }));
}

async fn a_state_comes_back_as_it_was(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let state = json!({
        "'; DROP TABLE saved_items; --": "<img src=x onerror=alert(1)>", "nul": "a\u{0}b", "rtl": "\u{202e}txt.exe",
        "numbers": [0, -1, 1.5, 1e300, 9_007_199_254_740_993_u64], "null": null, "deep": { "a": [[[{}]]] }, "": "",
    });
    let name = "\u{1f468}\u{200d}\u{1f469} '; DELETE FROM api_keys; -- <b>";
    let saved =
        administrate(&tenant, Method::POST, "/api/views", Some(view(name, state.clone()))).await.expect_status(201);
    assert_eq!((&saved.body["state"], &saved.body["name"]), (&state, &json!(name)));
    assert_eq!(tenant.get("/api/views").await.expect_status(200).body["views"][0], saved.body);
}

async fn a_project_has_settings_of_its_own(deployment: &'static Deployment) {
    let (tenant, other) = (deployment.tenant(), deployment.tenant());
    let setting = |body: &Value, name: &str| {
        let settings = body["settings"].as_array().unwrap().iter();
        settings.clone().find(|setting| setting["name"] == name).unwrap().clone()
    };
    let before = tenant.get("/api/settings").await.expect_status(200).body;
    assert_eq!(setting(&before, "timezone")["value"], "UTC");
    assert_eq!(setting(&before, "timezone")["source"], "default");
    assert_eq!(setting(&before, "timezone")["editable"], false, "a reading key edits nothing");
    assert_eq!(setting(&before, "project_title")["value"], json!(tenant.project));
    assert!(setting(&before, "retention_days")["value"].is_u64());

    let patch = async |body: Value| administrate(&tenant, Method::PATCH, "/api/settings", Some(body)).await;
    let title = "Zoë's '; DROP TABLE project_settings; --";
    let changed = patch(json!({ "timezone": "europe/berlin", "project_title": title })).await.expect_status(200).body;
    let timezone =
        json!({ "name": "timezone", "value": "Europe/Berlin", "source": "store", "editable": true, "unit": null });
    assert_eq!(setting(&changed, "timezone"), timezone);
    assert_eq!(setting(&changed, "project_title")["value"], title);
    assert_eq!(setting(&tenant.get("/api/settings").await.body, "timezone")["value"], "Europe/Berlin");
    assert_eq!(setting(&other.get("/api/settings").await.body, "timezone")["value"], "UTC");
    let back = patch(json!({ "timezone": null })).await.expect_status(200).body;
    assert_eq!(
        (setting(&back, "timezone")["source"].clone(), setting(&back, "project_title")["value"].clone()),
        (json!("default"), json!(title))
    );

    for (body, place) in [
        (json!({ "timezone": "Europe/Atlantis" }), "timezone"),
        (json!({ "timezone": "UTC", "project_title": "" }), "project_title"),
        (json!({ "retention_days": -1 }), "retention_days"),
        (json!({ "retention_days": "30" }), "retention_days"),
        (json!({ "timezon": "UTC" }), "timezon"),
    ] {
        let answer = patch(body).await.expect_problem(400, "invalid_body");
        assert_eq!(answer.body["path"], place, "{}", answer.text);
    }
    // The retention is that of all projects.
    let _ = patch(json!({ "retention_days": 30 })).await.expect_problem(403, "forbidden_scope");
    let request = with_key(&tenant, &tenant.read_key, Method::PATCH, "/api/settings").body(r#"{"timezone":"UTC"}"#);
    let _ = send(request).await.expect_problem(403, "forbidden_scope");
}
