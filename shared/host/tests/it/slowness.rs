//! Clients that take their time, and those that only look like it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use analytics_host::edge::EdgeLimits;
use axum::Router;
use axum::body::Body;
use axum::routing::get;
use tokio::sync::Notify;

use crate::harness::{closed_after, ms, receive, send, start};

fn hello() -> Router {
    Router::new().route("/", get(|| async { "hello" }))
}

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

#[tokio::test]
async fn a_head_that_does_not_come_is_not_waited_for() {
    let limits = EdgeLimits { head_time: ms(400), ..EdgeLimits::default() };
    let edge = start(hello(), limits).await;
    // Nothing at all; the beginning of HTTP/2; the beginning of a head.
    for beginning in ["", "PRI * HTTP/2.0\r\n", "GET / HTTP/1.1\r\nHost: h\r\nX-Slow: "] {
        let mut stream = edge.connect().await;
        send(&mut stream, beginning).await;
        let took = closed_after(&mut stream).await;
        assert!((ms(350)..ms(1_500)).contains(&took), "{beginning:?} {took:?}");
    }
}

#[tokio::test]
async fn a_head_that_dribbles_is_cut_while_others_are_served() {
    let limits = EdgeLimits { head_time: ms(400), ..EdgeLimits::default() };
    let edge = start(hello(), limits).await;
    let mut slow = Vec::new();
    for after_a_request in [false, true] {
        let mut stream = edge.connect().await;
        slow.push(tokio::spawn(async move {
            if after_a_request {
                send(&mut stream, REQUEST).await;
                assert!(receive(&mut stream).await.ends_with("hello"));
            }
            send(&mut stream, "GET / HTTP/1.1\r\nHost: h\r\n").await;
            let began = Instant::now();
            let mut buffer = [0; 64];
            while began.elapsed() < Duration::from_secs(5) {
                send(&mut stream, "X-A: b\r\n").await;
                tokio::time::sleep(ms(20)).await;
                if !matches!(stream.try_read(&mut buffer), Err(ref error) if error.kind() == std::io::ErrorKind::WouldBlock) {
                    break;
                }
            }
            began.elapsed()
        }));
    }
    let mut honest = edge.connect().await;
    for _ in 0..60 {
        send(&mut honest, REQUEST).await;
        assert!(receive(&mut honest).await.ends_with("hello"));
        tokio::time::sleep(ms(20)).await;
    }
    for slow in slow {
        let took = slow.await.unwrap();
        assert!((ms(350)..ms(2_000)).contains(&took), "{took:?}");
    }
}

#[tokio::test]
async fn an_idle_connection_outlives_the_head_time_and_not_the_idle_time() {
    let limits = EdgeLimits { head_time: ms(200), idle_time: ms(900), ..EdgeLimits::default() };
    let edge = start(hello(), limits).await;
    let mut stream = edge.connect().await;
    send(&mut stream, REQUEST).await;
    receive(&mut stream).await;
    tokio::time::sleep(ms(500)).await;
    send(&mut stream, REQUEST).await;
    assert!(receive(&mut stream).await.ends_with("hello"));
    let took = closed_after(&mut stream).await;
    assert!((ms(800)..ms(2_500)).contains(&took), "{took:?}");
}

#[tokio::test]
async fn a_handler_may_take_longer_than_any_bound() {
    let limits = EdgeLimits { head_time: ms(100), idle_time: ms(100), stalled_time: ms(100), ..EdgeLimits::default() };
    let slow = || async {
        tokio::time::sleep(ms(700)).await;
        "at last"
    };
    let edge = start(Router::new().route("/", get(slow)), limits).await;
    let mut stream = edge.connect().await;
    send(&mut stream, REQUEST).await;
    assert!(receive(&mut stream).await.ends_with("at last"));
}

#[tokio::test]
async fn an_answer_that_nobody_reads_is_given_up() {
    struct TellsDrop(Arc<Notify>);
    impl Drop for TellsDrop {
        fn drop(&mut self) {
            self.0.notify_one();
        }
    }
    let dropped = Arc::new(Notify::new());
    let endless = {
        let dropped = Arc::clone(&dropped);
        move || {
            let guard = TellsDrop(Arc::clone(&dropped));
            async move {
                Body::from_stream(futures::stream::repeat_with(move || {
                    let _held = &guard;
                    Ok::<_, Infallible>(vec![b'x'; 64 * 1024])
                }))
            }
        }
    };
    let limits = EdgeLimits { stalled_time: ms(300), ..EdgeLimits::default() };
    let edge = start(Router::new().route("/", get(endless)), limits).await;
    let mut stream = edge.connect().await;
    send(&mut stream, REQUEST).await;
    let began = Instant::now();
    tokio::time::timeout(Duration::from_secs(10), dropped.notified()).await.expect("the answer is given up");
    assert!(began.elapsed() >= ms(250));
    drop(stream);
}
