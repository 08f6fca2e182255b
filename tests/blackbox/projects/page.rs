//! `/api/session`: signing in at the page.

use std::time::Duration;

use analytics_blackbox::deployment::Settings;
use analytics_blackbox::tenant::send;
use analytics_blackbox::{Deployment, Form};
use reqwest::Method;
use serde_json::{Value, json};

use super::{Browser, administrate, ends, is_in_projects, make_key, with_key};
use crate::corpus::{at, event};

every_form! {
    who_is_not_signed_in_is_told_so, a_browser_signs_in_and_out, a_session_has_several_projects,
    a_cookie_is_taken_from_own_pages, wrong_keys_get_a_sentence, a_session_ends_with_its_key, a_sign_in_changes_the_token,
    an_export_says_its_project_in_its_address,
}

/// What the page is told where nobody is signed in.
fn nobody() -> Value {
    json!({ "open": false, "projects": [] })
}

async fn who_is_not_signed_in_is_told_so(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let ask = || tenant.client.get(format!("{}/api/session", tenant.api));
    let answer = send(ask()).await.expect_status(200);
    assert_eq!(answer.body, nobody());
    assert_eq!(answer.header("cache-control"), "private, no-store");
    for cookie in
        ["analytics_session=", "analytics_session=' OR 1=1 --", &format!("analytics_session={}", "a".repeat(43))]
    {
        assert_eq!(send(ask().header("cookie", cookie)).await.expect_status(200).body, nobody(), "{cookie}");
    }
    // It is another thing to come with a key that is none; one in the URL is not looked at.
    let _ = send(ask().bearer_auth("no-key-of-this-server")).await.expect_problem(401, "unknown_key");
    let _ = send(ask().header("x-api-key", "no-key-of-this-server")).await.expect_problem(401, "unknown_key");
    let _ = send(ask().query(&[("key", &tenant.read_key)])).await.expect_problem(400, "invalid_query");
}

async fn a_browser_signs_in_and_out(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    tenant.store(&[event("s", "t", "a", &at(1, "10:00:00"))]).await;
    let (browser, answer) = Browser::try_sign_in(&tenant, None, &tenant.read_key).await.unwrap();
    assert_eq!(answer.body, json!({ "open": false, "projects": [{ "project": tenant.project, "scope": "read" }] }));
    let cookie = answer.header("set-cookie");
    for part in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=2592000"] {
        assert!(cookie.split("; ").any(|found| found == part), "{part}: {cookie}");
    }
    // Functions and the door are reached by TLS, or say so; the others are not.
    let by_tls = matches!(deployment.form(), Form::Serverless | Form::Door);
    assert_eq!(cookie.split("; ").any(|part| part == "Secure"), by_tls, "{cookie}");
    assert!(!cookie.contains(&tenant.read_key) && !answer.text.contains(&tenant.read_key));
    assert_eq!(answer.header("cache-control"), "private, no-store");
    assert!(answer.header("vary").contains("Cookie") && answer.header("vary").contains("X-Project"));

    assert_eq!(browser.get("/api/session").await.expect_status(200).body, answer.body);
    let asked = browser.get("/api/breakdown?dimension=event_type&metric=events&range=7d").await.expect_status(200);
    assert_eq!(asked.metrics(), [json!([1])]);
    let _ = browser.get("/api/keys").await.expect_problem(403, "forbidden_scope");
    let out = send(browser.request(Method::DELETE, "/api/session")).await.expect_status(204);
    assert!(out.header("set-cookie").contains("analytics_session=;") && out.header("set-cookie").contains("Max-Age=0"));
    // It has ended on the server, not only in the browser.
    ends(|| browser.get("/api/trends")).await;
    assert_eq!(browser.get("/api/session").await.expect_status(200).body, nobody());
    let _ = send(browser.request(Method::DELETE, "/api/session")).await.expect_status(204);
}

async fn a_session_has_several_projects(deployment: &'static Deployment) {
    let (one, other, third) = (deployment.tenant(), deployment.tenant(), deployment.tenant());
    one.store(&[event("s", "mine", "a", &at(1, "10:00:00"))]).await;
    other.store(&[event("s", "theirs", "a", &at(1, "10:00:00"))]).await;
    let browser = Browser::sign_in(&one, &one.read_key).await;
    let (browser, answer) = Browser::try_sign_in(&one, Some(&browser.cookie), &other.admin_key).await.unwrap();
    let scopes = json!([{ "project": one.project, "scope": "read" }, { "project": other.project, "scope": "admin" }]);
    assert_eq!(answer.body["projects"], scopes);
    let kinds = async |project: Option<&str>| {
        let mut request = browser.request(Method::GET, "/api/breakdown?dimension=event_type&metric=events&range=7d");
        if let Some(project) = project {
            request = request.header("x-project", project);
        }
        send(request).await
    };
    assert_eq!(kinds(None).await.expect_status(200).dimensions(), [json!(["mine"])]);
    assert_eq!(kinds(Some(&one.project)).await.expect_status(200).dimensions(), [json!(["mine"])]);
    assert_eq!(kinds(Some(&other.project)).await.expect_status(200).dimensions(), [json!(["theirs"])]);
    for foreign in [third.project.as_str(), "", "../x", "'; --"] {
        let _ = kinds(Some(foreign)).await.expect_problem(403, "unknown_project");
    }
    // The scope is that of the key in each project.
    let keys = |project: &str| browser.request(Method::GET, "/api/keys").header("x-project", project);
    let _ = send(keys(&one.project)).await.expect_problem(403, "forbidden_scope");
    let _ = send(keys(&other.project)).await.expect_status(200);
    // A key in a header wins, and is about its own project whatever X-Project says.
    let by_key =
        browser.request(Method::GET, "/api/session").header("x-project", &other.project).bearer_auth(&third.read_key);
    let answer = send(by_key).await.expect_status(200);
    assert_eq!(answer.body["projects"], json!([{ "project": third.project, "scope": "read" }]));
    let wrong = browser.request(Method::GET, "/api/session").bearer_auth("no-key-of-this-server");
    let _ = send(wrong).await.expect_problem(401, "unknown_key");
    // A key of a project that is there already takes the place of the one before.
    let (browser, answer) = Browser::try_sign_in(&one, Some(&browser.cookie), &one.admin_key).await.unwrap();
    assert_eq!(answer.body["projects"][0], json!({ "project": one.project, "scope": "admin" }));
    let leave = |project: &str| browser.request(Method::DELETE, &format!("/api/session?project={project}"));
    assert_eq!(send(leave(&one.project)).await.expect_status(204).header("set-cookie"), "");
    is_in_projects(&browser, &[&other.project]).await;
    let _ = send(leave("%20")).await.expect_problem(400, "invalid_query");
    assert_ne!(send(leave(&other.project)).await.expect_status(204).header("set-cookie"), "");
    ends(|| browser.get("/api/trends")).await;
    assert_eq!(browser.get("/api/session").await.expect_status(200).body, nobody());
}

/// A link has no headers.
async fn an_export_says_its_project_in_its_address(deployment: &'static Deployment) {
    let (one, other, third) = (deployment.tenant(), deployment.tenant(), deployment.tenant());
    one.store(&[event("s", "mine", "a", &at(1, "10:00:00"))]).await;
    other.store(&[event("s", "theirs", "a", &at(1, "10:00:00"))]).await;
    third.store(&[event("s", "nobodys", "a", &at(1, "10:00:00"))]).await;
    let browser = Browser::sign_in(&one, &one.read_key).await;
    let (browser, _) = Browser::try_sign_in(&one, Some(&browser.cookie), &other.read_key).await.unwrap();
    let link = |project: &str| browser.request(Method::GET, &format!("/api/export?format=ndjson&project={project}"));
    let kinds = async |request: reqwest::RequestBuilder| {
        let text = send(request).await.expect_status(200).text;
        ["mine", "theirs", "nobodys"].map(|kind| text.contains(&format!("\"{kind}\"")))
    };
    let (mine, theirs) = ([true, false, false], [false, true, false]);
    assert_eq!(kinds(browser.request(Method::GET, "/api/export?format=ndjson")).await, mine);
    assert_eq!(kinds(link(&one.project)).await, mine);
    assert_eq!(kinds(link(&other.project)).await, theirs);
    assert_eq!(kinds(link(&other.project).header("x-project", &one.project)).await, theirs, "the address wins");
    for foreign in [third.project.as_str(), "", "..%2Fx", "%27%3B%20--", "%00", "%FF"] {
        let _ = send(link(foreign)).await.expect_problem(403, "unknown_project");
    }
    let twice = format!("{}&project={}", one.project, other.project);
    let _ = send(link(&twice)).await.expect_problem(400, "invalid_query");
    // A key is of one project, and says so where another one is named.
    let by_key = |project: &str| link(project).bearer_auth(&third.read_key);
    assert_eq!(kinds(by_key(&third.project)).await, [false, false, true]);
    let _ = send(by_key(&one.project)).await.expect_problem(403, "unknown_project");
    let wrong = link(&one.project).bearer_auth("no-key-of-this-server");
    let _ = send(wrong).await.expect_problem(401, "unknown_key");
}

async fn a_cookie_is_taken_from_own_pages(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let browser = Browser::sign_in(&tenant, &tenant.admin_key).await;
    let changes = [
        (Method::POST, "/api/query"),
        (Method::POST, "/api/keys"),
        (Method::POST, "/api/dead-letters/replay"),
        (Method::DELETE, "/api/users/nobody"),
        (Method::DELETE, "/api/session"),
        (Method::PATCH, "/api/settings"),
        (Method::PUT, "/api/views/none"),
    ];
    for (method, path) in changes {
        let plain = || browser.unproved(method.clone(), path);
        for request in [
            plain(),
            plain().header("sec-fetch-site", "cross-site"),
            plain().header("sec-fetch-site", "same-site"),
            plain().header("origin", "https://elsewhere.example"),
            plain().header("origin", "null"),
            plain().header("sec-fetch-site", "cross-site").header("origin", &tenant.api),
        ] {
            let _ = send(request).await.expect_problem(403, "cross_site");
        }
    }
    let question = json!({ "metrics": ["events"], "date_range": "7d" }).to_string();
    let ask = || browser.unproved(Method::POST, "/api/query").body(question.clone());
    let _ = send(ask().header("sec-fetch-site", "same-origin")).await.expect_status(200);
    let _ = send(ask().header("origin", &tenant.api)).await.expect_status(200);
    // It is the cookie's session that ends, whatever key comes beside it.
    let beside = browser.unproved(Method::DELETE, "/api/session").bearer_auth(&tenant.read_key);
    let _ = send(beside.header("origin", "https://elsewhere.example")).await.expect_problem(403, "cross_site");
    // Programs with a key have no origin, and pages with a key may be foreign ones.
    let by_key = with_key(&tenant, &tenant.read_key, Method::POST, "/api/query").header("cookie", &browser.cookie);
    let _ = send(by_key.header("origin", "https://elsewhere.example").body(question.clone())).await.expect_status(200);
    // No page of another server signs anybody in.
    for (name, value) in [("origin", "https://elsewhere.example"), ("sec-fetch-site", "cross-site")] {
        let request = tenant.client.post(format!("{}/api/session", tenant.api)).header(name, value);
        let body = json!({ "key": tenant.read_key }).to_string();
        let answer = send(request.body(body)).await.expect_problem(403, "cross_site");
        assert_eq!(answer.header("set-cookie"), "");
    }
    // A script may: nothing tells where it comes from, and it has the key.
    let script = tenant.client.post(format!("{}/api/session", tenant.api));
    let _ = send(script.body(json!({ "key": tenant.read_key }).to_string())).await.expect_status(201);
    let _ = browser.get("/api/session").await.expect_status(200);
}

async fn wrong_keys_get_a_sentence(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    for key in ["no-key-of-this-server", "short", "", "'; DROP TABLE api_keys; --", &"k".repeat(5_000)] {
        let refused = *Browser::try_sign_in(&tenant, None, key).await.unwrap_err();
        let refused = refused.expect_problem(401, "unknown_key");
        assert_eq!(refused.header("set-cookie"), "");
        assert!(key.is_empty() || !refused.text.contains(key), "{}", refused.text);
    }
    let written = *Browser::try_sign_in(&tenant, None, &tenant.write_key).await.unwrap_err();
    // A process that was not told the write keys does not know this one.
    assert!([401, 403].contains(&written.status), "{}", written.text);
    for (body, place) in [("{}", "key"), (r#"{"key":7}"#, "key"), (r#"{"key":"k","keys":1}"#, "keys")] {
        let request = tenant.client.post(format!("{}/api/session", tenant.api)).body(body);
        let answer = send(request).await.expect_problem(400, "invalid_body");
        assert_eq!(answer.body["path"], place, "{}", answer.text);
    }
    for cookie in
        ["analytics_session=", "analytics_session=' OR 1=1 --", &format!("analytics_session={}", "a".repeat(43))]
    {
        let request = tenant.client.get(format!("{}/api/trends", tenant.api)).header("cookie", cookie);
        let _ = send(request).await.expect_problem(401, "unknown_key");
    }
}

async fn a_session_ends_with_its_key(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let made = make_key(&tenant, "page", "read").await;
    let browser = Browser::sign_in(&tenant, made["key"].as_str().unwrap()).await;
    let _ = browser.get("/api/trends").await.expect_status(200);
    let path = format!("/api/keys/{}", made["id"].as_str().unwrap());
    let _ = administrate(&tenant, Method::DELETE, &path, None).await.expect_status(204);
    ends(|| browser.get("/api/trends")).await;
    assert_eq!(browser.get("/api/session").await.expect_status(200).body, nobody());
}

async fn a_sign_in_changes_the_token(deployment: &'static Deployment) {
    let (tenant, other) = (deployment.tenant(), deployment.tenant());
    let planted = Browser::sign_in(&other, &other.read_key).await;
    let (browser, _) = Browser::try_sign_in(&tenant, Some(&planted.cookie), &tenant.admin_key).await.unwrap();
    assert_ne!(browser.cookie, planted.cookie);
    // Whoever put the first token into the browser sees nothing of what came afterwards.
    ends(|| planted.get("/api/trends")).await;
    assert_eq!(planted.get("/api/session").await.expect_status(200).body, nobody());
    assert_eq!(browser.projects().await, [other.project.as_str(), tenant.project.as_str()]);
}

async fn guesses_are_bounded(form: Form) {
    let deployment = Deployment::start(form, &Settings::default()).unwrap();
    let tenant = deployment.owned_tenant();
    let browser = Browser::sign_in(&tenant, &tenant.read_key).await;
    let mut refused = None;
    for number in 0..12 {
        let wrong = *Browser::try_sign_in(&tenant, None, &format!("a-wrong-key-number-{number}")).await.unwrap_err();
        if wrong.status == 429 {
            refused = Some(wrong);
            break;
        }
        let _ = wrong.expect_problem(401, "unknown_key");
    }
    let refused = refused.expect("twelve wrong keys at once are beyond ten").expect_problem(429, "rate_limited");
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=3).contains(&wait), "{wait}");
    // Who is signed in goes on; a right key waits as long as everybody.
    let _ = browser.get("/api/trends").await.expect_status(200);
    let _ =
        Browser::try_sign_in(&tenant, None, &tenant.read_key).await.unwrap_err().expect_problem(429, "rate_limited");
    tokio::time::sleep(Duration::from_secs(wait)).await;
    Browser::sign_in(&tenant, &tenant.read_key).await;
}

#[tokio::test]
async fn guesses_are_bounded_in_one_process() {
    guesses_are_bounded(Form::Single).await;
}

#[tokio::test]
async fn guesses_are_bounded_in_four_roles() {
    guesses_are_bounded(Form::FourRoles).await;
}

#[tokio::test]
async fn without_keys_nobody_has_to_sign_in() {
    let deployment = Deployment::start(Form::Single, &Settings::default().without_keys()).unwrap();
    let tenant = deployment.owned_tenant();
    let open = json!({ "open": true, "projects": [{ "project": "default", "scope": "admin" }] });
    let answer = tenant.get("/api/session").await.expect_status(200);
    assert_eq!(answer.body, open);
    let (_, signed) = Browser::try_sign_in(&tenant, None, "any-key-at-all-1234")
        .await
        .map_err(|refused| refused.text)
        .unwrap_or_else(|text| panic!("{text}"));
    assert_eq!((signed.body.clone(), signed.header("set-cookie")), (open, ""));
    // A key that is made here has its own scope, here too.
    let made = make_key(&tenant, "CI", "read").await;
    let reads = with_key(&tenant, made["key"].as_str().unwrap(), Method::GET, "/api/keys");
    let _ = send(reads).await.expect_problem(403, "forbidden_scope");
    for (name, value) in [("host", "rebound.example"), ("origin", "https://elsewhere.example")] {
        let request = tenant.client.get(format!("{}/api/session", tenant.api)).header(name, value);
        let _ = send(request).await.expect_problem(403, "loopback_only");
    }
}
