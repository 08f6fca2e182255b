//! Bodies that are too large, too slow, or cut.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use analytics_host::body;
use analytics_host::edge::EdgeLimits;
use analytics_host::problem::Problem;
use axum::Router;
use axum::extract::Request;
use axum::routing::{get, post};
use bytes::Bytes;
use futures::SinkExt as _;
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use hyper_util::rt::{TokioExecutor, TokioIo};

use crate::harness::{Running, closed_after, ms, receive, send, start};

const LIMIT: usize = 1 << 20;

async fn server(time: Duration) -> Running {
    let length = move |request: Request| async move {
        let bytes = body::read(request.into_body(), LIMIT, time).await.map_err(Problem::from)?;
        Ok::<_, Problem>(bytes.len().to_string())
    };
    start(Router::new().route("/", post(length)).route("/plain", get(|| async { "plain" })), EdgeLimits::default())
        .await
}

#[tokio::test]
async fn a_body_at_the_bound_is_read() {
    let edge = server(body::BODY_TIME).await;
    let client = reqwest::Client::new();
    for length in [0, 1, 1_000, LIMIT] {
        let answer = client.post(edge.url("/")).body(vec![b'x'; length]).send().await.unwrap();
        assert_eq!(answer.text().await.unwrap(), length.to_string());
    }
}

#[tokio::test]
async fn what_is_too_large_gets_a_413_that_can_be_read() {
    let edge = server(body::BODY_TIME).await;
    for (chunked, length) in [(false, LIMIT + 1), (true, LIMIT + 1), (false, 2 * LIMIT - 1), (true, 2 * LIMIT - 1)] {
        let mut stream = edge.connect().await;
        if chunked {
            send(
                &mut stream,
                format!("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n{length:x}\r\n"),
            )
            .await;
        } else {
            send(&mut stream, format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n")).await;
        }
        // A client that writes everything before it reads.
        send(&mut stream, vec![b'x'; length]).await;
        if chunked {
            send(&mut stream, "\r\n0\r\n\r\n").await;
        }
        let answer = receive(&mut stream).await;
        assert!(
            answer.starts_with("HTTP/1.1 413 ") && answer.contains("body_too_large"),
            "{chunked} {length} {answer}"
        );
    }
    let answer = reqwest::Client::new().post(edge.url("/")).body(vec![b'x'; 1_000]).send().await.unwrap();
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn a_refusal_waits_for_no_body_and_what_comes_late_is_thrown_away() {
    let edge = server(body::BODY_TIME).await;
    let length = LIMIT + 1_000;
    // Too large; no route at all; a route that takes no POST.
    for (path, status) in [("/", 413), ("/nowhere", 404), ("/plain", 405)] {
        let mut stream = edge.connect().await;
        send(&mut stream, format!("POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n")).await;
        let began = Instant::now();
        let answer = receive(&mut stream).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{path} {answer}");
        assert!(began.elapsed() < ms(1_000), "{path} {:?}", began.elapsed());
        tokio::time::sleep(ms(100)).await;
        send(&mut stream, vec![b'x'; length]).await;
        send(&mut stream, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi").await;
        let answer = receive(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with('2'), "{path} {answer}");
    }
}

#[tokio::test]
async fn a_refused_stream_of_http2_is_read_on_and_not_reset() {
    let edge = server(body::BODY_TIME).await;
    let io = TokioIo::new(edge.connect().await);
    let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    let (mut feed, body) = futures::channel::mpsc::channel::<Result<Frame<Bytes>, Infallible>>(0);
    let request = http::Request::post("http://h/").header("content-length", LIMIT + 1_000);
    let answer = sender.send_request(request.body(StreamBody::new(body)).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 413);
    for piece in [LIMIT / 2, LIMIT / 2, 1_000] {
        tokio::time::sleep(ms(50)).await;
        feed.send(Ok(Frame::data(vec![b'x'; piece].into()))).await.expect("the stream is still open");
    }
    drop(feed);
    assert!(answer.into_body().collect().await.unwrap().to_bytes().starts_with(b"{"));
}

#[tokio::test]
async fn who_asks_before_sending_gets_the_answer_and_no_go_ahead() {
    let edge = server(body::BODY_TIME).await;
    let ask = |length: usize| {
        format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\nExpect: 100-continue\r\n\r\n")
    };
    let mut stream = edge.connect().await;
    send(&mut stream, ask(LIMIT + 1)).await;
    let answer = receive(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(closed_after(&mut stream).await < ms(1_000));
    let mut stream = edge.connect().await;
    send(&mut stream, ask(2)).await;
    assert_eq!(receive(&mut stream).await, "HTTP/1.1 100 Continue\r\n\r\n");
    send(&mut stream, "hi").await;
    assert!(receive(&mut stream).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn an_endless_body_is_cut_off() {
    let edge = server(body::BODY_TIME).await;
    let mut stream = edge.connect().await;
    send(&mut stream, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    let mut piece = format!("{:x}\r\n", 64 * 1024).into_bytes();
    piece.resize(piece.len() + 64 * 1024, b'x');
    piece.extend_from_slice(b"\r\n");
    let began = Instant::now();
    let mut sent = 0;
    loop {
        use tokio::io::AsyncWriteExt as _;
        if stream.write_all(&piece).await.is_err() {
            break;
        }
        sent += piece.len();
        assert!(began.elapsed() < Duration::from_secs(10), "the server never stopped reading");
    }
    assert!(sent < 64 << 20, "{sent}");
}

#[tokio::test]
async fn a_slow_body_is_408_in_time() {
    let edge = server(ms(500)).await;
    let mut stream = edge.connect().await;
    send(&mut stream, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n").await;
    let began = Instant::now();
    let (mut reader, mut writer) = stream.split();
    let dribble = async {
        use tokio::io::AsyncWriteExt as _;
        while writer.write_all(b"x").await.is_ok() {
            tokio::time::sleep(ms(50)).await;
        }
    };
    let mut answer = vec![0; 1_024];
    let read = tokio::select! {
        read = tokio::io::AsyncReadExt::read(&mut reader, &mut answer) => read.unwrap(),
        () = dribble => 0,
    };
    let answer = String::from_utf8_lossy(&answer[..read]).into_owned();
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("body_too_slow"), "{answer}");
    assert!((ms(450)..ms(2_000)).contains(&began.elapsed()), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_cut_or_broken_body_hurts_nobody() {
    let edge = server(body::BODY_TIME).await;
    let mut stream = edge.connect().await;
    send(&mut stream, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\nxx").await;
    drop(stream);
    let mut stream = edge.connect().await;
    send(&mut stream, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n").await;
    let answer = receive(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("body_interrupted"), "{answer}");
    let answer = reqwest::Client::new().post(edge.url("/")).body("fine").send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "4");
}
