//! Web pages of other origins.

use analytics_host::cors::Origins;
use reqwest::Method;

use crate::running::{Running, Setup, event};

#[tokio::test(flavor = "multi_thread")]
async fn a_preflight_is_answered_and_credentials_are_never_allowed() {
    let running = Running::start(Setup::default()).await;
    let preflight = running
        .client
        .request(Method::OPTIONS, running.url("/collect"))
        .header("origin", "https://shop.example.com")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "content-type,x-write-key");
    let response = preflight.send().await.unwrap();
    assert!(response.status().is_success());
    let headers = response.headers();
    assert_eq!(headers["access-control-allow-origin"], "*");
    assert!(headers["access-control-allow-methods"].to_str().unwrap().contains("POST"));
    assert!(headers["access-control-allow-headers"].to_str().unwrap().contains("x-write-key"));
    assert!(!headers.contains_key("access-control-allow-credentials"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_beacon_is_taken_and_refusals_can_be_read_by_the_page() {
    let keys = "shop-key-00000000:shop";
    let origins = Origins::parse("https://shop.example.com").unwrap();
    let running = Running::start(Setup { write_keys: keys, origins, ..Setup::default() }).await;
    let beacon = |origin: &str, key: &str| {
        let request = running.client.post(running.url(&format!("/collect?key={key}"))).body(event(""));
        request.header("origin", origin).header("content-type", "text/plain;charset=UTF-8").send()
    };
    let response = beacon("https://shop.example.com", "shop-key-00000000").await.unwrap();
    assert_eq!(response.status(), 202);
    assert_eq!(response.headers()["access-control-allow-origin"], "https://shop.example.com");
    let response = beacon("https://shop.example.com", "unknown").await.unwrap();
    assert_eq!(response.status(), 401);
    assert_eq!(response.headers()["access-control-allow-origin"], "https://shop.example.com");
    let response = beacon("https://evil.example.com", "shop-key-00000000").await.unwrap();
    assert!(!response.headers().contains_key("access-control-allow-origin"));
}
