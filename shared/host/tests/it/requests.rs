//! What a request carries, and what every path answers.

use std::convert::Infallible;

use analytics_host::client::{ClientAddress, TrustedProxies};
use analytics_host::cors::{self, Origins};
use analytics_host::edge::EdgeLimits;
use analytics_host::late::LateRoutes;
use axum::extract::ws::{Message, WebSocketUpgrade};
use axum::extract::{MatchedPath, Path};
use axum::routing::{any, get, post};
use axum::{Extension, Router};
use futures::{SinkExt as _, StreamExt as _};
use http::HeaderMap;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};

use crate::harness::{receive, send, start};

fn who() -> Router {
    let answer = |Extension(client): Extension<ClientAddress>, headers: HeaderMap| async move {
        let host = headers.get("host").map(|host| host.to_str().unwrap().to_owned());
        format!("{} {}", client.0, host.unwrap_or_default())
    };
    Router::new().route("/who", get(answer))
}

#[tokio::test]
async fn the_client_is_the_peer_unless_a_trusted_proxy_says_otherwise() {
    let ask = async |trusted: &str, forwarded: &[&str]| {
        let trusted_proxies = TrustedProxies::parse(trusted).unwrap();
        let edge = start(who(), EdgeLimits { trusted_proxies, ..EdgeLimits::default() }).await;
        let request = reqwest::Client::new().get(edge.url("/who"));
        let request = forwarded.iter().fold(request, |request, value| request.header("x-forwarded-for", *value));
        let text = request.send().await.unwrap().text().await.unwrap();
        text.split_once(' ').unwrap().0.to_owned()
    };
    assert_eq!(ask("", &["203.0.113.9"]).await, "127.0.0.1");
    assert_eq!(ask("10.0.0.0/8", &["203.0.113.9"]).await, "127.0.0.1");
    assert_eq!(ask("127.0.0.0/8", &[]).await, "127.0.0.1");
    assert_eq!(ask("127.0.0.0/8", &["203.0.113.9"]).await, "203.0.113.9");
    assert_eq!(ask("127.0.0.0/8, 10.0.0.0/8", &["6.6.6.6, 203.0.113.9, 10.2.3.4"]).await, "203.0.113.9");
    assert_eq!(ask("127.0.0.0/8, 10.0.0.0/8", &["6.6.6.6", "203.0.113.9", "10.2.3.4"]).await, "203.0.113.9");
    assert_eq!(ask("127.0.0.0/8", &["203.0.113.9, not an address"]).await, "127.0.0.1");
}

#[tokio::test]
async fn http2_and_whole_urls_name_the_host_too() {
    let edge = start(who(), EdgeLimits::default()).await;
    let mut stream = edge.connect().await;
    send(&mut stream, "GET http://evil.example/who HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let answer = receive(&mut stream).await;
    assert!(answer.ends_with("127.0.0.1 evil.example"), "{answer}");

    let io = TokioIo::new(edge.connect().await);
    let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    let request = http::Request::get("http://localhost:4000/who").body(Empty::<bytes::Bytes>::new()).unwrap();
    let answer = sender.send_request(request).await.unwrap();
    assert_eq!(answer.version(), http::Version::HTTP_2);
    let text = answer.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(text, "127.0.0.1 localhost:4000");
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problem_documents() {
    let collect = Router::new().route("/collect", post(|| async {})).layer(cors::layer(&Origins::Any));
    let merged = who().merge(collect);
    let edge = start(merged, EdgeLimits::default()).await;
    let client = reqwest::Client::new();
    let missing = client.get(edge.url("/nowhere")).send().await.unwrap();
    assert_eq!(missing.status(), 404);
    assert_eq!(missing.headers()["content-type"], "application/problem+json");
    let document: serde_json::Value = missing.json().await.unwrap();
    assert_eq!((&document["code"], &document["status"]), (&"not_found".into(), &404.into()));

    let wrong = client.delete(edge.url("/collect")).send().await.unwrap();
    assert_eq!(wrong.status(), 405);
    assert_eq!(wrong.headers()["allow"], "POST");
    assert_eq!(wrong.headers()["content-type"], "application/problem+json");
    assert_eq!(wrong.headers()["access-control-allow-origin"], "*", "a page can read why it was refused");
    assert_eq!(wrong.json::<serde_json::Value>().await.unwrap()["code"], "method_not_allowed");
}

#[tokio::test]
async fn routes_that_wait_for_the_store_say_so_and_then_answer_as_if_they_had_always_been_there() {
    let origins = Origins::parse("https://shop.example").unwrap();
    let late = LateRoutes::new(&origins);
    let edge = start(late.router("/api/{*rest}"), EdgeLimits::default()).await;
    let ask = async |method, path: &str| {
        let request = reqwest::Client::new().request(method, edge.url(path)).header("origin", "https://shop.example");
        let response = request.body("hi").send().await.unwrap();
        assert_eq!(response.headers()["access-control-allow-origin"], "https://shop.example", "{path}");
        let (status, retry) = (response.status().as_u16(), response.headers().contains_key("retry-after"));
        (status, retry, response.text().await.unwrap())
    };
    let (status, retry, told) = ask(reqwest::Method::GET, "/api/7").await;
    assert!(status == 503 && retry && told.contains(r#""code":"store_unavailable""#), "{status} {told}");
    let answer = |Path(number): Path<u8>, path: MatchedPath, client: Option<Extension<ClientAddress>>, body: String| async move {
        format!("{number} {} {} {body}", path.as_str(), client.is_some())
    };
    late.open(Router::new().route("/api/{number}", post(answer)).layer(cors::layer(&origins)));
    let (status, _, told) = ask(reqwest::Method::POST, "/api/7").await;
    assert_eq!((status, told.as_str()), (200, "7 /api/{number} true hi"));
    assert!(ask(reqwest::Method::GET, "/api/7").await.2.contains("method_not_allowed"));
    assert!(ask(reqwest::Method::GET, "/api/7/8").await.2.contains("not_found"));
}

#[tokio::test]
async fn a_panic_ends_one_request_and_nothing_else() {
    async fn defect() -> &'static str {
        panic!("a defect of the test")
    }
    let edge = start(who().route("/panic", get(defect)), EdgeLimits::default()).await;
    let mut stream = edge.connect().await;
    for _ in 0..3 {
        send(&mut stream, "GET /panic HTTP/1.1\r\nHost: h\r\n\r\n").await;
        let answer = receive(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 500 ") && answer.contains("internal_error"), "{answer}");
        assert!(!answer.contains("defect of the test"), "{answer}");
    }
    send(&mut stream, "GET /who HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert!(receive(&mut stream).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn sockets_are_upgraded() {
    let echo = |upgrade: WebSocketUpgrade| async {
        upgrade.on_upgrade(|mut socket| async move {
            while let Some(Ok(Message::Text(text))) = socket.recv().await {
                socket.send(Message::Text(text)).await.unwrap();
            }
        })
    };
    let edge = start(Router::new().route("/echo", any(echo)), EdgeLimits::default()).await;
    let url = format!("ws://{}/echo", edge.address);
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    for text in ["a", "b"] {
        socket.send(text.into()).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap().into_text().unwrap(), text);
    }
}

#[tokio::test]
async fn a_streamed_answer_is_whole() {
    let pieces = || async {
        let pieces = futures::stream::iter((0..1_000).map(|index| Ok::<_, Infallible>(format!("{index}\n"))));
        axum::body::Body::from_stream(pieces)
    };
    let edge = start(Router::new().route("/", get(pieces)), EdgeLimits::default()).await;
    let text = reqwest::get(edge.url("/")).await.unwrap().text().await.unwrap();
    assert_eq!(text.lines().count(), 1_000);
}
