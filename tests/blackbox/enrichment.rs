//! What the server adds to the events of a browser: contract, "Collect"; `docs/tracker.md`, "What the server adds".

use analytics_blackbox::deployment::Settings;
use analytics_blackbox::tenant::send;
use analytics_blackbox::{Deployment, Form, Tenant};
use analytics_testkit::mmdb;
use serde_json::{Value, json};

use crate::corpus::{at, event, with};

every_form! { what_a_browser_sends_is_told_by_what_it_says_and_what_a_server_sends_is_not }

const SAMSUNG: &str = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/28.0 \
                       Chrome/130.0.0.0 Mobile Safari/537.36";

/// Sends one event as a browser does, from a page of the shop.
async fn send_as_a_page(tenant: &Tenant, headers: &[(&str, &str)], action: &str, metadata: Value) {
    let body = with(event("s", "page", action, &at(1, "10:00:00")), metadata).to_string();
    let request =
        tenant.collect_request().header("content-type", "text/plain").header("origin", "https://shop.example");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let answer = send(request.query(&[("key", &tenant.write_key)]).body(body)).await.expect_status(202);
    assert_eq!(answer.body["accepted"], 1, "{}", answer.text);
}

/// The metadata that is kept of the event of an action.
async fn kept(tenant: &Tenant, action: &str) -> Value {
    let answer = tenant.get("/api/events?limit=100").await.expect_status(200);
    let mut events = answer.body["results"].as_array().into_iter().flatten();
    let found = events.find(|event| event["event_action"] == action);
    found.unwrap_or_else(|| panic!("{action} is not in {}", answer.text))["metadata"].clone()
}

async fn what_a_browser_sends_is_told_by_what_it_says_and_what_a_server_sends_is_not(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let view =
        json!({ "host": "shop.example", "path": "/?utm_campaign=may", "referrer": "https://www.bing.com/search" });
    send_as_a_page(&tenant, &[("user-agent", SAMSUNG)], "view", view.clone()).await;
    send_as_a_page(&tenant, &[("user-agent", "GPTBot/1.2")], "crawled", json!({ "os": "mine", "n": 1e3 })).await;
    let from_a_server = with(event("s", "page", "import", &at(1, "10:00:00")), view.clone());
    tenant.collect_all(&[from_a_server]).await;
    tenant.settled(3).await;
    let mut expected = view.clone();
    let added = json!({
        "browser": "Samsung Internet", "os": "Android", "device": "mobile", "channel": "search", "utm_campaign": "may",
    });
    expected.as_object_mut().unwrap().extend(added.as_object().unwrap().clone());
    assert_eq!(kept(&tenant, "view").await, expected);
    assert_eq!(
        kept(&tenant, "crawled").await,
        json!({ "bot": "ai: GPTBot", "device": "other", "n": 1000, "os": "mine" })
    );
    assert_eq!(kept(&tenant, "import").await, view);
    // It can be asked by as all metadata can.
    let path = "/api/breakdown?dimension=metadata.browser&metric=events&range=7d";
    let answer = tenant.get(path).await.expect_status(200);
    let browsers = answer.body["results"].as_array().unwrap();
    assert!(browsers.iter().any(|row| row["dimensions"] == json!(["Samsung Internet"])), "{}", answer.text);
}

/// The country comes from the file, by the address that the proxy names, and of the address nothing is stored.
async fn a_country_is_kept_and_no_address(form: Form) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("countries.mmdb");
    std::fs::write(&file, mmdb::countries(&[("198.51.100.0/24", "PT")])).unwrap();
    let settings = Settings::default()
        .variable("GEOIP_FILE", &file.display().to_string())
        .variable("TRUSTED_PROXIES", "127.0.0.1")
        .variable("LOG_LEVEL", "trace");
    let deployment = Deployment::start(form, &settings).unwrap();
    let tenant = deployment.owned_tenant();
    let headers = [("x-forwarded-for", "198.51.100.77"), ("user-agent", SAMSUNG)];
    send_as_a_page(&tenant, &headers, "view", json!({})).await;
    tenant.settled(1).await;
    let told = json!({ "browser": "Samsung Internet", "country": "PT", "device": "mobile", "os": "Android" });
    assert_eq!(kept(&tenant, "view").await, told);
    let export = tenant.get("/api/export?format=ndjson").await.expect_status(200);
    assert!(export.text.contains("\"PT\"") && !export.text.contains("198.51"), "{}", export.text);
    for (name, log) in deployment.parts().roles.iter().map(|(name, role)| (*name, role.log())) {
        assert!(!log.contains("198.51.100") && !log.contains("SamsungBrowser"), "{name}: {log}");
    }
    let parts = deployment.parts();
    let logs = parts.functions.iter().flat_map(analytics_testkit::lambda::Functions::logs);
    for (name, log) in logs.filter(|(name, _)| *name == "collector") {
        assert!(!log.contains("198.51.100") && !log.contains("SamsungBrowser"), "{name}: {log}");
    }
    // Everything that the single process has written: queue and store.
    for (_, role) in parts.roles.iter().filter(|(name, _)| *name == "analytics") {
        for file in std::fs::read_dir(role.folder().join("data")).unwrap() {
            let path = file.unwrap().path();
            let bytes = if path.is_file() { std::fs::read(&path).unwrap() } else { Vec::new() };
            for secret in [&b"198.51.100"[..], b"SamsungBrowser"] {
                let found = bytes.windows(secret.len()).any(|window| window == secret);
                assert!(!found, "{} holds {:?}", path.display(), String::from_utf8_lossy(secret));
            }
        }
    }
}

#[tokio::test]
async fn a_country_is_kept_and_no_address_in_one_process() {
    a_country_is_kept_and_no_address(Form::Single).await;
}

#[tokio::test]
async fn a_country_is_kept_and_no_address_in_four_roles() {
    a_country_is_kept_and_no_address(Form::FourRoles).await;
}

#[tokio::test]
async fn a_country_is_kept_and_no_address_as_functions() {
    a_country_is_kept_and_no_address(Form::Serverless).await;
}

#[tokio::test]
async fn without_it_everything_is_kept_as_it_was_sent() {
    let settings = Settings::default().variable("ENRICH", "none");
    let deployment = Deployment::start(Form::Single, &settings).unwrap();
    let tenant = deployment.owned_tenant();
    let view = json!({ "path": "/?utm_campaign=may", "referrer": "" });
    send_as_a_page(&tenant, &[("user-agent", SAMSUNG)], "view", view.clone()).await;
    tenant.settled(1).await;
    assert_eq!(kept(&tenant, "view").await, view);
}
