//! What is added to events, over whole requests.

use std::borrow::Cow;

use analytics_domain::event::METADATA_MAX_BYTES;
use analytics_domain::{Batch, DecodeContext, Project, Retention, decode};
use http::{HeaderName, HeaderValue, Request};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::*;

const NOW: Timestamp = Timestamp::from_micros(1_793_613_600_000_000);

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";

fn everything() -> Enrichment {
    Enrichment { user_agent: true, bots: true, channel: true, utm: true, countries: None }
}

fn parts(headers: &[(&'static str, &str)]) -> Parts {
    let mut request = Request::new(());
    for (name, value) in headers {
        request.headers_mut().append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    }
    request.into_parts().0
}

fn of_a_page() -> Parts {
    parts(&[("origin", "https://shop.example"), ("user-agent", FIREFOX)])
}

/// The parameters of campaigns.
const CAMPAIGN: [&str; 6] = ["utm_campaign", "utm_content", "utm_id", "utm_medium", "utm_source", "utm_term"];

/// The metadata as it is kept, by way of the queue, of an event of this type that came with these headers.
fn kept_as(event_type: &str, wanted: Enrichment, parts: &Parts, metadata: &Value) -> String {
    let body =
        json!({ "session_id": "s", "event_type": event_type, "event_action": "a", "metadata": metadata }).to_string();
    let context = DecodeContext { received_at: NOW, retention: Retention { days: 0 } };
    let decoded = decode(body.as_bytes(), &context, &mut Uuid::nil).unwrap();
    assert!(decoded.rejected.is_empty(), "{:?}", decoded.rejected);
    let facts = Enricher::new(wanted).facts(parts, || NOW);
    let batch = Batch {
        id: Uuid::nil(),
        project: Project::default(),
        received_at: NOW,
        refused: Vec::new(),
        context: None,
        events: decoded.events,
    };
    let entry = batch.encode_with(facts.as_ref());
    let read = Batch::decode(&entry).unwrap();
    // Whoever reads the entry again reads the same.
    assert_eq!(Batch::decode(&entry).unwrap(), read);
    read.events[0].metadata.clone().into_owned()
}

fn kept(wanted: Enrichment, parts: &Parts, metadata: &Value) -> Value {
    serde_json::from_str(&kept_as("page", wanted, parts, metadata)).unwrap()
}

#[test]
fn what_a_page_sends_is_told_of_its_browser_and_its_way() {
    let view = json!({ "path": "/", "host": "shop.example", "referrer": "https://www.google.com/" });
    let expected = json!({
        "path": "/", "host": "shop.example", "referrer": "https://www.google.com/",
        "browser": "Firefox", "os": "Linux", "device": "desktop", "channel": "search",
    });
    assert_eq!(kept(everything(), &of_a_page(), &view), expected);
    let by_fetch = parts(&[("sec-fetch-site", "same-origin"), ("user-agent", FIREFOX)]);
    assert_eq!(kept(everything(), &by_fetch, &view), expected);
}

#[test]
fn what_a_server_sends_is_kept_byte_for_byte() {
    let told = json!({ "referrer": "https://www.google.com/", "url": "https://a.example/?utm_source=x" });
    for headers in [
        &[("user-agent", "curl/8.14.1")][..],
        &[("user-agent", FIREFOX), ("referer", "https://shop.example/")],
        // Node.js sends this one of the three.
        &[("user-agent", "node"), ("sec-fetch-mode", "cors")],
        &[],
    ] {
        assert_eq!(kept(everything(), &parts(headers), &told), told, "{headers:?}");
    }
}

#[test]
fn a_request_of_which_nothing_is_wanted_has_no_facts() {
    let page = of_a_page();
    assert!(Enricher::new(Enrichment::default()).facts(&page, || NOW).is_none());
    let bots = || Enricher::new(Enrichment { bots: true, ..Enrichment::default() });
    assert!(bots().facts(&page, || NOW).is_none(), "a person's browser");
    assert!(bots().facts(&parts(&[("origin", "https://shop.example")]), || NOW).is_some());
}

#[test]
fn each_part_can_be_switched_off() {
    let bot = parts(&[("origin", "https://shop.example"), ("user-agent", "GPTBot/1.2")]);
    let told = json!({ "referrer": "", "path": "/?utm_id=7" });
    let added = |wanted: Enrichment| -> Vec<String> {
        let Value::Object(kept) = kept(wanted, &bot, &told) else { panic!("no object") };
        kept.keys().filter(|key| told.get(key).is_none()).cloned().collect()
    };
    assert_eq!(added(everything()), ["bot", "channel", "device", "utm_id"]);
    assert_eq!(added(Enrichment { user_agent: true, ..Enrichment::default() }), ["device"]);
    assert_eq!(added(Enrichment { bots: true, ..Enrichment::default() }), ["bot"]);
    assert_eq!(added(Enrichment { channel: true, ..Enrichment::default() }), ["channel"]);
    assert_eq!(added(Enrichment { utm: true, ..Enrichment::default() }), ["utm_id"]);
    assert!(added(Enrichment::default()).is_empty());
}

#[test]
fn what_the_client_said_of_itself_stays() {
    let told = json!({
        "browser": "mine", "os": null, "device": { "kind": "watch" }, "bot": false, "channel": 7, "country": "",
        "referrer": "https://www.google.com/", "url": "https://a.example/?utm_source=x", "utm_medium": "",
    });
    assert_eq!(kept(everything(), &of_a_page(), &told), told);
}

#[test]
fn a_bot_is_marked_and_kept() {
    let page = parts(&[("origin", "https://shop.example"), ("user-agent", "Mozilla/5.0 (compatible; Googlebot/2.1)")]);
    assert_eq!(kept(everything(), &page, &json!({}))["bot"], "crawler: Googlebot");
    let unnamed = parts(&[("origin", "https://shop.example")]);
    assert_eq!(kept(everything(), &unnamed, &json!({})), json!({ "bot": "no user agent", "device": "other" }));
}

#[test]
fn campaigns_come_from_the_address_of_the_page() {
    let utm = || Enrichment { utm: true, channel: true, ..Enrichment::default() };
    let kept = |metadata: Value| kept(utm(), &of_a_page(), &metadata);
    let told = kept(json!({ "url": "https://shop.example/?utm_source=x&utm_medium=cpc&key=secret" }));
    assert_eq!(
        (&told["utm_source"], &told["utm_medium"], &told["channel"]),
        (&json!("x"), &json!("cpc"), &json!("paid"))
    );
    assert_eq!(told["key"], Value::Null);
    assert_eq!(kept(json!({ "path": "/a?utm_campaign=may" }))["utm_campaign"], "may");
    // A client that tells campaigns itself has said all that there is.
    assert_eq!(kept(json!({ "path": "/a?utm_campaign=may", "utm_source": "x" }))["utm_campaign"], Value::Null);
    let link = json!({ "url": "https://elsewhere.example/?utm_source=shop" });
    assert_eq!(kept_as("link", utm(), &of_a_page(), &link), link.to_string());
}

#[test]
fn a_page_of_the_same_site_is_internal() {
    let channel = |metadata: Value| kept(everything(), &of_a_page(), &metadata)["channel"].clone();
    assert_eq!(channel(json!({ "host": "a.example", "referrer": "https://a.example/x" })), "internal");
    assert_eq!(channel(json!({ "url": "https://b.example/y", "referrer": "https://b.example/x" })), "internal");
    assert_eq!(channel(json!({ "referrer": "https://www.shop.example/x" })), "internal");
    assert_eq!(channel(json!({ "host": "a.example", "referrer": "https://shop.example/x" })), "referral");
    assert_eq!(channel(json!({ "referrer": "" })), "direct");
    assert_eq!(channel(json!({ "host": "a.example" })), Value::Null);
}

#[test]
fn a_user_agent_of_any_length_and_bytes_is_read() {
    let mut page = of_a_page();
    for bytes in [&[b'x'; 60_000][..], b"\xff\xfe Firefox/\xe9", &[b'\xc3'; 513]] {
        page.headers.insert("user-agent", HeaderValue::from_bytes(bytes).unwrap());
        assert!(kept(everything(), &page, &json!({}))["device"].is_string());
    }
    let enricher = Enricher::new(everything());
    for number in 0..3 * REMEMBERED {
        let _ = enricher.facts(&parts(&[("origin", "x"), ("user-agent", &format!("a{number}"))]), || NOW);
    }
    assert!(enricher.known.len() <= REMEMBERED);
}

fn value() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        "[a-z]{0,5}",
        "\\PC{0,20}",
        Just("https://www.google.com/".to_owned()),
        Just("/p?utm_source=%00a&utm_medium=%FF+&utm_term=\"\\&utm_id=%F0%9F%98%80".to_owned()),
        Just(String::new()),
        "https?://[a-z.:@]{0,12}/?\\?utm_source=[%a-f0-9+&=]{0,20}",
        (METADATA_MAX_BYTES - 600..METADATA_MAX_BYTES - 60).prop_map(|length| "x".repeat(length)),
    ];
    let leaf = prop_oneof![
        6 => text.prop_map(Value::from),
        1 => any::<i32>().prop_map(Value::from),
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,3}", inner, 0..3).prop_map(|members| json!(members)),
        ]
    })
}

const KEYS: [&str; 14] = [
    "url",
    "path",
    "host",
    "referrer",
    "utm_source",
    "utm_medium",
    "channel",
    "bot",
    "browser",
    "os",
    "device",
    "country",
    "é\"",
    "z",
];

proptest! {
    /// Whatever was sent is there as it was sent, what came beside it has a name from the list, and the whole is as good as
    /// if the client had sent it: taken, and kept in the same form.
    #[test]
    fn what_was_sent_stays_and_what_is_added_is_valid(
        told in prop::collection::btree_map(prop::sample::select(KEYS.to_vec()), value(), 0..6),
        user_agent in prop_oneof!["[ -~]{0,60}", Just(FIREFOX.to_owned()), Just("GPTBot/1.2".to_owned())],
    ) {
        let told = json!(told);
        prop_assume!(told.to_string().len() <= METADATA_MAX_BYTES);
        let page = parts(&[("origin", "https://shop.example"), ("user-agent", &user_agent)]);
        let plain = kept_as("page", Enrichment::default(), &page, &told);
        let more = kept_as("page", everything(), &page, &told);
        prop_assert!(more.len() <= METADATA_MAX_BYTES);
        let members = |text: &str| serde_json::from_str::<Map<String, Value>>(text).unwrap();
        let (plain, found) = (members(&plain), members(&more));
        for (key, value) in &plain {
            prop_assert_eq!(found.get(key), Some(value), "{}", key);
        }
        let named = |key: &str| {
            ["browser", "os", "device", "bot", "channel"].contains(&key) || CAMPAIGN.contains(&key)
        };
        for key in found.keys().filter(|key| !plain.contains_key(*key)) {
            prop_assert!(named(key), "{}", key);
        }
        let body = format!(r#"{{"session_id":"s","event_type":"t","event_action":"a","metadata":{more}}}"#);
        let context = DecodeContext { received_at: NOW, retention: Retention { days: 0 } };
        let again = decode(body.as_bytes(), &context, &mut Uuid::nil).unwrap();
        prop_assert!(again.rejected.is_empty(), "{:?}", again.rejected);
        prop_assert!(matches!(&again.events[0].metadata, Cow::Borrowed(kept) if *kept == more), "{}", more);
    }
}
