//! Every answer that is no 202, with its code.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::running::{Running, Setup, event, refused, told};
use crate::shapes::packed;

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_has_its_status_and_code() {
    let running = Running::start(Setup::default()).await;
    let post = |body: &str| running.post(body.to_owned());
    let thousand_and_one = format!("[{}]", vec![event(""); 1_001].join(","));
    let [(_, gzip), (_, brotli), (_, zstd)] = packed(event("").as_bytes());
    let cut = |body: &[u8]| running.post(body[..body.len() - 3].to_vec());
    let cases = [
        (post(""), 400, "invalid_json"),
        (post("{"), 400, "invalid_json"),
        (post("[]"), 400, "empty_batch"),
        (post(r#"{"events":[]}"#), 400, "empty_batch"),
        (post(&format!(r#"{{"events":[{}],"source":"x"}}"#, event(""))), 400, "invalid_json"),
        (post(&thousand_and_one), 413, "too_many_events"),
        (running.post(vec![b' '; (1 << 20) + 1]), 413, "body_too_large"),
        (post("{}").header("content-type", "application/x-www-form-urlencoded"), 415, "unsupported_media_type"),
        (post("{}").header("content-encoding", "deflate"), 415, "unsupported_encoding"),
        (running.post(gzip.clone()).header("content-encoding", "gzip, gzip"), 415, "unsupported_encoding"),
        (cut(&gzip).header("content-encoding", "gzip"), 400, "invalid_encoding"),
        (cut(&brotli).header("content-encoding", "br"), 400, "invalid_encoding"),
        (cut(&zstd).header("content-encoding", "zstd"), 400, "invalid_encoding"),
        (running.post([&gzip[..], b"more"].concat()).header("content-encoding", "gzip"), 400, "invalid_encoding"),
        (post("plain").header("content-encoding", "br"), 400, "invalid_encoding"),
        (running.client.get(running.url("/collect")), 405, "method_not_allowed"),
        (running.client.request(Method::DELETE, running.url("/collect")), 405, "method_not_allowed"),
        (running.client.post(running.url("/collect/")), 404, "not_found"),
        (running.client.get(running.url("/realtime")), 404, "not_found"),
    ];
    for (request, status, code) in cases {
        let shown = format!("{request:?}");
        let response = request.send().await.unwrap();
        assert_eq!(refused(response).await, (status, code.to_owned()), "{}", &shown[..shown.len().min(300)]);
    }
    assert!(running.drain().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_says_what_would_be_right() {
    let running = Running::start(Setup::default()).await;
    let (_, document) = told(running.post("[{\"session_id\":\"s\"},\n  oops oops]").send().await.unwrap()).await;
    insta::assert_json_snapshot!("invalid_json", document);
    let (_, document) = told(running.post(r#"{"events":[],"batch":1}"#).send().await.unwrap()).await;
    insta::assert_json_snapshot!("unknown_field_of_a_batch", document);
    let response = running.post("{}").header("content-encoding", "deflate").send().await.unwrap();
    assert_eq!(response.headers()["accept-encoding"], "gzip, br, zstd");
    insta::assert_json_snapshot!("unsupported_encoding", told(response).await.1);
    let response = running.client.get(running.url("/collect")).send().await.unwrap();
    assert!(response.headers()["allow"].to_str().unwrap().contains("POST"));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_asked_for_before_the_body_is_read() {
    let running = Running::start(Setup { write_keys: "shop-key-00000000:shop", ..Setup::default() }).await;
    for request in [
        running.post(event("")),
        running.post(event("")).bearer_auth("shop-key-00000001"),
        // A wrong key in the first place is not mended by a right one in the second.
        running.post(event("")).bearer_auth("wrong").header("x-write-key", "shop-key-00000000"),
        running.post(vec![b' '; 2 << 20]),
        running.post("no json").header("content-type", "text/html"),
    ] {
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()["www-authenticate"], "Bearer");
        assert_eq!(refused(response).await, (401, "unknown_key".to_owned()));
    }
    // A client that never sends its body is answered all the same.
    let mut stream = TcpStream::connect(running.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    write!(stream, "POST /collect HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\nexpect: 100-continue\r\n\r\n")
        .unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 401");
    assert!(running.drain().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_json_forbids_inside_an_event_is_that_events_alone() {
    let running = Running::start(Setup::default()).await;
    let good = event("");
    let bad = [
        (event(r#","metadata":{"a":1e400}"#), "bad_number"),
        (event(r#","user_id":"\ud800""#), "bad_text"),
        (event(r#","user_id":"\u0000""#), "bad_text"),
        (event(r#","metadata":{"a":undefined}"#), "invalid_field"),
        (event(&format!(r#","metadata":{{"a":{}{}}}"#, "[".repeat(200_000), "]".repeat(200_000))), "too_deep"),
    ];
    let events: Vec<&str> = bad.iter().flat_map(|(bad, _)| [good.as_str(), bad]).collect();
    let (status, answer) = told(running.post(format!("[{}]", events.join(","))).send().await.unwrap()).await;
    assert_eq!((status, &answer["accepted"]), (202, &json!(bad.len())));
    let codes: Vec<&Value> =
        answer["rejected"].as_array().unwrap().iter().map(|rejection| &rejection["code"]).collect();
    assert_eq!(json!(codes), json!(bad.iter().map(|(_, code)| code).collect::<Vec<_>>()));
    assert_eq!(running.drain().await[0].events.len(), bad.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_without_a_length_is_bounded_too() {
    let running = Running::start(Setup::default()).await;
    let chunks = |count: usize| {
        let pieces = (0..count).map(|_| Ok::<_, std::io::Error>(vec![b' '; 100_000]));
        reqwest::Body::wrap_stream(futures::stream::iter(pieces))
    };
    assert_eq!(refused(running.post(chunks(11)).send().await.unwrap()).await, (413, "body_too_large".to_owned()));
    assert_eq!(refused(running.post(chunks(10)).send().await.unwrap()).await, (400, "invalid_json".to_owned()));
}
