//! Pings, and how a server says goodbye.

use std::time::{Duration, Instant};

use analytics_realtime::Limits;
use futures::StreamExt as _;
use tokio_tungstenite::tungstenite::Message;

use crate::server::{KEY, Server, Setup, event};
use crate::socket::{Client, number, request};

#[tokio::test]
async fn who_answers_pings_stays_and_who_does_not_goes() {
    let limits = Limits { ping_every: Duration::from_millis(200), ..Limits::default() };
    let server = Server::start(Setup { limits, ..Setup::default() }).await;
    let mut alive = Client::connect(server.address).await;
    let mut silent = Client::connect(server.address).await;
    alive.say(r#"{"type":"subscribe","id":"a","events":{}}"#).await;
    // Reading answers pings; the silent one does not read.
    let started = Instant::now();
    let mut pings = 0;
    while started.elapsed() < Duration::from_millis(1_500) {
        if let Ok(Some(Ok(Message::Ping(_)))) =
            tokio::time::timeout(Duration::from_millis(100), alive.socket.next()).await
        {
            pings += 1;
        }
    }
    assert!(pings >= 4, "{pings} pings");
    server.publish(&[event(1)]).await;
    assert_eq!(number(&alive.next().await), 1);
    assert_eq!(silent.closed().await.0, 1008);
}

#[tokio::test]
async fn a_server_that_stops_says_when_to_come_back() {
    let server = Server::start(Setup::default()).await;
    let mut clients = Vec::new();
    for _ in 0..10 {
        let mut client = Client::connect(server.address).await;
        client.say(r#"{"type":"subscribe","id":"a","events":{}}"#).await;
        clients.push(client);
    }
    let never_reads = Client::connect(server.address).await;
    let mut stream = crate::stream::open(&server, r#"{"events":{}}"#, None).await;
    let stopped = Instant::now();
    server.shutdown.stop();
    let mut waits = Vec::new();
    for client in &mut clients {
        let (code, reason) = client.closed().await;
        assert_eq!(code, 1012);
        let hint: serde_json::Value = serde_json::from_str(&reason).unwrap();
        waits.push(hint["retry_after_ms"].as_u64().unwrap());
        // The client's library answers the close with the next read.
        assert!(client.socket.next().await.is_none_or(|frame| frame.is_err()));
    }
    assert!(waits.iter().all(|wait| *wait <= 30_000));
    waits.dedup();
    assert!(waits.len() > 5, "the hints are spread: {waits:?}");
    let mut text = String::new();
    while let Some(chunk) = stream.chunk().await.unwrap() {
        text.push_str(&String::from_utf8_lossy(&chunk));
    }
    assert!(text.trim_end().lines().last().unwrap().starts_with("retry: "), "{text}");
    server.realtime.drained().await;
    assert!(stopped.elapsed() < Duration::from_secs(4), "{:?}", stopped.elapsed());
    drop(never_reads);
}

#[tokio::test]
async fn a_stopping_server_lets_nobody_in() {
    // The listener still takes connections in the moment between; the router is asked on one that is open already.
    let server = Server::start(Setup::default()).await;
    let http = reqwest::Client::new();
    let url = format!("http://{}/realtime/sse", server.address);
    assert_eq!(http.get(&url).bearer_auth(KEY).send().await.unwrap().status(), 400);
    server.shutdown.stop();
    let refused = Client::open(request(server.address, &[("x-api-key", KEY)]), server.address, None);
    let answered = tokio::time::timeout(Duration::from_secs(5), async {
        match tokio::net::TcpStream::connect(server.address).await {
            Ok(_) => refused.await.is_err(),
            Err(_) => true,
        }
    });
    assert!(answered.await.unwrap_or(true));
}
