//! Bodies and requests that are refused as a whole.

use analytics_blackbox::Deployment;
use analytics_blackbox::tenant::send;
use reqwest::Method;
use serde_json::{Value, json};

use crate::corpus::{at, event};

every_form! {
    json_that_cannot_be_read,
    an_empty_batch,
    too_many_events,
    too_many_bytes,
    other_media_types,
    an_unknown_key,
    other_methods_and_paths,
    hostile_bodies_are_never_a_servers_fault,
}

async fn json_that_cannot_be_read(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let answer = tenant.collect("{\"events\":[\n  {\"session_id\": \"s\"\n").await.expect_problem(400, "invalid_json");
    assert_eq!(answer.body["line"], 3, "{}", answer.text);
    assert!(answer.body["column"].is_u64(), "{}", answer.text);
    for body in
        ["", " ", "{", "[1", "nonsense", "{\"events\":[]} x", "{\"events\":[{}}", "\u{feff}[", "{\"events\":[{]}]}"]
    {
        let answer = tenant.collect(body).await;
        assert_eq!(
            (answer.status, answer.body["code"].as_str()),
            (400, Some("invalid_json")),
            "{body:?}: {}",
            answer.text
        );
    }
    let _ = tenant.collect(b"[{\"session_id\":\"\xff\"".to_vec()).await.expect_problem(400, "invalid_json");
}

async fn an_empty_batch(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    for body in ["[]", "{\"events\":[]}", " [ ] "] {
        let _ = tenant.collect(body).await.expect_problem(400, "empty_batch");
    }
}

async fn too_many_events(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let events: Vec<Value> = (0..1_001).map(|n| event("s", "t", &n.to_string(), &at(1, "10:00:00"))).collect();
    let answer = tenant.collect(json!(events).to_string()).await.expect_problem(413, "too_many_events");
    assert!(
        answer.body["detail"].as_str().unwrap().contains("1,000") || answer.text.contains("1000"),
        "{}",
        answer.text
    );
    // Nothing of it was taken.
    let _ = tenant.collect(event("s", "t", "a", &at(1, "10:00:00")).to_string()).await.expect_status(202);
    tenant.settled(1).await;
}

async fn too_many_bytes(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let padded = |bytes: usize| {
        let body = event("s", "t", "a", &at(1, "10:00:00")).to_string();
        format!("{body}{}", " ".repeat(bytes - body.len()))
    };
    let _ = tenant.collect(padded(1024 * 1024)).await.expect_status(202);
    let _ = tenant.collect(padded(1024 * 1024 + 1)).await.expect_problem(413, "body_too_large");
    // Without a length said before, too; so much beyond the limit is read that the client hears the answer.
    let piece = vec![b' '; 64 * 1024];
    let pieces = futures::stream::iter((0..24).map(move |_| Ok::<_, std::io::Error>(piece.clone())));
    let _ = tenant.collect(reqwest::Body::wrap_stream(pieces)).await.expect_problem(413, "body_too_large");
    tenant.settled(1).await;
}

async fn other_media_types(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    for kind in ["application/x-www-form-urlencoded", "text/html", "multipart/form-data; boundary=x", "application/xml"]
    {
        let request = tenant.collect_request().bearer_auth(&tenant.write_key).header("content-type", kind).body("[]");
        let _ = send(request).await.expect_problem(415, "unsupported_media_type");
    }
    for encoding in ["deflate", "gzip, br", "compress", "rot13"] {
        let request = tenant.collect_request().bearer_auth(&tenant.write_key).header("content-encoding", encoding);
        let _ = send(request.body("[]")).await.expect_problem(415, "unsupported_encoding");
    }
}

async fn an_unknown_key(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let body = event("s", "t", "a", &at(1, "10:00:00")).to_string();
    let _ = send(tenant.collect_request().body(body.clone())).await.expect_problem(401, "unknown_key");
    let wrong = tenant.collect_request().bearer_auth("not-one-of-the-keys").body(body);
    let answer = send(wrong).await.expect_problem(401, "unknown_key");
    assert!(!answer.text.contains("not-one-of-the-keys"), "an answer holds no key: {}", answer.text);
}

async fn other_methods_and_paths(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    for method in [Method::GET, Method::PUT, Method::DELETE, Method::PATCH] {
        let answer = send(tenant.client.request(method, format!("{}/collect", tenant.collector))).await;
        let answer = answer.expect_problem(405, "method_not_allowed");
        assert!(answer.header("allow").contains("POST"), "{:?}", answer.headers);
    }
    for path in ["/collect/more", "/nothing", "/", "/%ff"] {
        let answer = send(tenant.client.post(format!("{}{path}", tenant.collector))).await;
        if path != "/" {
            let _ = answer.expect_problem(404, "not_found");
        }
    }
}

async fn hostile_bodies_are_never_a_servers_fault(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let keys: String = (0..20_000).map(|n| format!("\"k{n}\":1,")).collect();
    let head = r#""session_id":"s","event_type":"t","event_action":"a""#;
    let bodies: Vec<Vec<u8>> = vec![
        "[".repeat(200_000).into_bytes(),
        format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000)).into_bytes(),
        "{\"a\":".repeat(100_000).into_bytes(),
        format!("{{{head},\"metadata\":{{{keys}\"z\":1}}}}").into_bytes(),
        format!("{{{keys}\"z\":1}}").into_bytes(),
        format!("{{{head},\"metadata\":{{\"a\":{}}}}}", "9".repeat(100_000)).into_bytes(),
        format!("{{\"events\":{{{head}}}}}").into_bytes(),
        format!("{{\"events\":[{{{head}}}],\"events\":[]}}").into_bytes(),
        b"[null,true,1,\"x\",[],{}]".to_vec(),
        b"\"text\"".to_vec(),
        b"12".to_vec(),
        b"\x00\x01\x02".to_vec(),
        b"[\xc0\x80]".to_vec(),
        b"[{\"session_id\":\"\xed\xa0\x80\",\"event_type\":\"t\",\"event_action\":\"a\"}]".to_vec(),
    ];
    for body in bodies {
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        let answer = tenant.collect(body).await;
        assert!((200..500).contains(&answer.status), "{shown}: {} {}", answer.status, answer.text);
        assert!(answer.body.is_object(), "{shown}: {}", answer.text);
    }
    // The server lives, and the connections are of use.
    let _ = tenant.collect(event("s", "t", "a", &at(1, "10:00:00")).to_string()).await.expect_status(202);
}
