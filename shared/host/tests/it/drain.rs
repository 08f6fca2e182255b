//! Stopping: what is in flight ends, what is idle goes, what hangs is cut.

use std::time::{Duration, Instant};

use analytics_host::body;
use analytics_host::edge::EdgeLimits;
use analytics_host::problem::Problem;
use axum::Router;
use axum::extract::Request;
use axum::extract::ws::WebSocketUpgrade;
use axum::routing::{any, get, post};
use tokio::net::TcpStream;

use crate::harness::{closed_after, ms, receive, send, start};

fn routes() -> Router {
    let slow = || async {
        tokio::time::sleep(ms(500)).await;
        "slow"
    };
    let silent = |upgrade: WebSocketUpgrade| async {
        upgrade.on_upgrade(|socket| async move {
            futures::future::pending::<()>().await;
            drop(socket);
        })
    };
    let length = |request: Request| async move {
        let bytes = body::read(request.into_body(), 1 << 20, body::BODY_TIME).await.map_err(Problem::from)?;
        Ok::<_, Problem>(bytes.len().to_string())
    };
    Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/length", post(length))
        .route("/slow", get(slow))
        .route("/never", get(futures::future::pending::<()>))
        .route("/socket", any(silent))
}

fn request(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n")
}

#[tokio::test]
async fn requests_in_flight_end_and_idle_connections_do_not_hold_the_process() {
    let edge = start(routes(), EdgeLimits::default()).await;
    let mut idle = edge.connect().await;
    send(&mut idle, request("/")).await;
    receive(&mut idle).await;
    let fresh = edge.connect().await;
    let (socket, _) = tokio_tungstenite::connect_async(format!("ws://{}/socket", edge.address)).await.unwrap();
    let mut busy = edge.connect().await;
    send(&mut busy, request("/slow")).await;
    tokio::time::sleep(ms(100)).await;

    let began = Instant::now();
    edge.shutdown.stop();
    assert!(closed_after(&mut idle).await < ms(1_000));
    let answer = receive(&mut busy).await;
    assert!(answer.ends_with("slow") && answer.to_ascii_lowercase().contains("connection: close"), "{answer}");
    edge.task.await.unwrap().unwrap();
    assert!(began.elapsed() < ms(3_000), "{:?}", began.elapsed());
    assert!(TcpStream::connect(edge.address).await.is_err());
    drop((socket, fresh));
}

#[tokio::test]
async fn a_connection_whose_first_request_is_on_its_way_is_served() {
    let edge = start(routes(), EdgeLimits::default()).await;
    let mut fresh = edge.connect().await;
    tokio::time::sleep(ms(100)).await;
    edge.shutdown.stop();
    tokio::time::sleep(ms(100)).await;
    send(&mut fresh, request("/")).await;
    assert!(receive(&mut fresh).await.ends_with("hello"));
    tokio::time::timeout(Duration::from_secs(3), edge.task).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn what_hangs_is_cut_at_the_deadline() {
    let edge = start(routes(), EdgeLimits { drain_time: ms(400), ..EdgeLimits::default() }).await;
    let mut hung = edge.connect().await;
    send(&mut hung, request("/never")).await;
    let mut half = edge.connect().await;
    send(&mut half, "GET / HTTP/1.1\r\nHost").await;
    tokio::time::sleep(ms(100)).await;
    let began = Instant::now();
    edge.shutdown.stop();
    edge.task.await.unwrap().unwrap();
    assert!((ms(350)..ms(2_000)).contains(&began.elapsed()), "{:?}", began.elapsed());
    assert_eq!(receive(&mut hung).await, "");
}

#[tokio::test]
async fn who_leaves_a_stopping_server_waiting_is_waited_for_a_few_seconds_and_who_moves_is_served() {
    let edge = start(routes(), EdgeLimits::default()).await;
    let upload = |length: usize| format!("POST /length HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n");
    let (mut stalled, mut late, mut half) = (edge.connect().await, edge.connect().await, edge.connect().await);
    send(&mut stalled, upload(1_000) + "xx").await;
    // Answered without its body, which still does not come.
    send(&mut late, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n").await;
    assert!(receive(&mut late).await.starts_with("HTTP/1.1 405 "));
    send(&mut half, "GET / HTTP/1.1\r\nHost").await;
    let mut moving = edge.connect().await;
    send(&mut moving, upload(8)).await;
    tokio::time::sleep(ms(100)).await;

    let began = Instant::now();
    edge.shutdown.stop();
    let moves = tokio::spawn(async move {
        for _ in 0..8 {
            tokio::time::sleep(ms(500)).await;
            send(&mut moving, "x").await;
        }
        receive(&mut moving).await
    });
    for stream in [&mut stalled, &mut late, &mut half] {
        let took = closed_after(stream).await;
        assert!(took < ms(4_000), "{took:?}");
    }
    assert!(began.elapsed() >= ms(2_500), "{:?}", began.elapsed());
    assert!(moves.await.unwrap().ends_with('8'));
    edge.task.await.unwrap().unwrap();
    assert!(began.elapsed() < ms(5_500), "{:?}", began.elapsed());
}

#[tokio::test]
async fn no_request_is_lost_while_the_server_stops_under_load() {
    let edge = start(routes(), EdgeLimits::default()).await;
    let address = edge.address;
    let clients: Vec<_> = (0..20)
        .map(|_| {
            tokio::spawn(async move {
                let mut answered = 0;
                loop {
                    let Ok(mut stream) = TcpStream::connect(address).await else { return (answered, 0) };
                    // What is accepted and asked at once has to be answered, however the server stops meanwhile.
                    send(&mut stream, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").await;
                    if !receive(&mut stream).await.ends_with("hello") {
                        return (answered, 1);
                    }
                    answered += 1;
                }
            })
        })
        .collect();
    tokio::time::sleep(ms(300)).await;
    edge.shutdown.stop();
    edge.task.await.unwrap().unwrap();
    let mut total = (0, 0);
    for client in clients {
        let (answered, lost) = client.await.unwrap();
        total = (total.0 + answered, total.1 + lost);
    }
    assert!(total.0 > 20, "{total:?}");
    // The moment between the last look at the backlog and the closing of the port is the system's.
    assert!(total.1 <= 1, "{total:?}");
}
