//! The rate a sender may keep, and the memory that all may take.

use analytics_collector::Limits;

use crate::running::{Running, Setup, event, refused};

fn rate(events_per_second: u32) -> Limits {
    Limits { events_per_second: Some(events_per_second), ..Limits::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_has_its_own_rate() {
    let keys = "shop-key-00000000:shop, blog-key-00000000:blog";
    // So low that the test's own duration fills no bucket.
    let running = Running::start(Setup { write_keys: keys, limits: rate(1), ..Setup::default() }).await;
    let send = |key: &'static str, body: String| running.post(body).bearer_auth(key).send();
    assert_eq!(send("shop-key-00000000", event("")).await.unwrap().status(), 202);
    let five = format!("[{}]", vec![event(""); 5].join(","));
    assert_eq!(send("blog-key-00000000", five).await.unwrap().status(), 202);
    let response = send("blog-key-00000000", event("")).await.unwrap();
    let wait: u64 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((2..=5).contains(&wait), "{wait}");
    assert_eq!(refused(response).await, (429, "rate_limited".to_owned()));
    assert_eq!(running.drain().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_keys_the_address_counts_and_no_invented_key_helps() {
    let running = Running::start(Setup { limits: rate(2), ..Setup::default() }).await;
    let ten = format!("[{}]", vec![event(""); 10].join(","));
    assert_eq!(running.post(ten).send().await.unwrap().status(), 202);
    for (name, value) in [("x-write-key", "invented"), ("x-forwarded-for", "192.0.2.1"), ("authorization", "Bearer x")]
    {
        let response = running.post(event("")).header(name, value).send().await.unwrap();
        assert_eq!(response.status(), 429);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_beyond_the_budget_are_told_to_come_back() {
    let limits = Limits { bytes_in_flight: 64 << 10, ..Limits::default() };
    let running = Running::start(Setup { limits, ..Setup::default() }).await;
    let response = running.post(vec![b' '; 65 << 10]).send().await.unwrap();
    assert!(response.headers().contains_key("retry-after"));
    assert_eq!(refused(response).await, (503, "overloaded".to_owned()));
    assert_eq!(running.post(event("")).send().await.unwrap().status(), 202);
}
