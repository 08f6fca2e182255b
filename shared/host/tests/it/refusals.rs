//! What the edge turns away by itself.

use analytics_host::edge::EdgeLimits;
use analytics_host::serve;
use axum::Router;
use axum::routing::get;

use crate::harness::{closed_after, ms, receive, send, start};

fn hello() -> Router {
    Router::new().route("/", get(|| async { "hello" }))
}

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

#[tokio::test]
async fn one_connection_too_many_hears_503_and_the_others_go_on() {
    let edge = start(hello(), EdgeLimits { connections: 2, ..EdgeLimits::default() }).await;
    let (mut first, mut second) = (edge.connect().await, edge.connect().await);
    for stream in [&mut first, &mut second] {
        send(stream, REQUEST).await;
        receive(stream).await;
    }
    let mut third = edge.connect().await;
    send(&mut third, REQUEST).await;
    let answer = receive(&mut third).await;
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("too_many_connections"), "{answer}");
    assert!(answer.to_ascii_lowercase().contains("retry-after: 1"), "{answer}");
    assert!(closed_after(&mut third).await < ms(2_000));
    send(&mut first, REQUEST).await;
    assert!(receive(&mut first).await.ends_with("hello"));
    drop(second);
    tokio::time::sleep(ms(100)).await;
    let mut fourth = edge.connect().await;
    send(&mut fourth, REQUEST).await;
    assert!(receive(&mut fourth).await.ends_with("hello"));
}

#[tokio::test]
async fn heads_are_bounded_in_number_and_size() {
    let edge = start(hello(), EdgeLimits::default()).await;
    let many: String = (0..200).map(|index| format!("X-{index}: a\r\n")).collect();
    let large = format!("X-Large: {}\r\n", "a".repeat(200 * 1024));
    for headers in [many, large] {
        let mut stream = edge.connect().await;
        send(&mut stream, format!("GET / HTTP/1.1\r\nHost: h\r\n{headers}\r\n")).await;
        let answer = receive(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 431 ") || answer.is_empty(), "{answer}");
        assert!(!answer.contains("hello"));
    }
    let mut stream = edge.connect().await;
    send(&mut stream, format!("GET / HTTP/1.1\r\nHost: h\r\nX-Large: {}\r\n\r\n", "a".repeat(16 * 1024))).await;
    assert!(receive(&mut stream).await.ends_with("hello"));
}

#[tokio::test]
async fn what_is_no_http_is_closed() {
    let edge = start(hello(), EdgeLimits::default()).await;
    for garbage in [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".as_slice(), b"hello there\r\n\r\n", &[0xff; 4_096]]
    {
        let mut stream = edge.connect().await;
        send(&mut stream, garbage).await;
        assert!(closed_after(&mut stream).await < ms(5_000));
    }
}

#[tokio::test]
async fn a_port_that_is_taken_is_named_with_the_variable_that_moves_it() {
    let host = std::net::Ipv4Addr::LOCALHOST.into();
    let first = serve::bind(host, 0, "PORT").unwrap();
    let port = first.local_addr().unwrap().port();
    let error = serve::bind(host, port, "METRICS_PORT").unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("port {port} of 127.0.0.1 is taken by another program; stop it, or set METRICS_PORT to another port")
    );
    drop(first);
    assert!(serve::bind(host, port, "PORT").is_ok());
    let elsewhere = serve::bind("203.0.113.1".parse().unwrap(), 0, "PORT").unwrap_err();
    assert!(std::error::Error::source(&elsewhere).is_some(), "{elsewhere}");
}
