//! A reader that does not read loses messages, is told how many, and costs nobody else anything.

use std::sync::Arc;
use std::time::{Duration, Instant};

use analytics_realtime::Limits;

use crate::server::{Server, Setup, wide_event};
use crate::socket::{Client, number};

const EVENTS: u128 = 4_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_event_is_shown_or_counted_and_the_others_keep_their_pace() {
    let limits =
        Limits { stuck_after: Duration::from_secs(120), ping_every: Duration::from_secs(120), ..Limits::default() };
    let server = Server::start(Setup { limits, ..Setup::default() }).await;
    let mut slow = Client::connect_narrow(server.address).await;
    let mut quick = Client::connect(server.address).await;
    for client in [&mut slow, &mut quick] {
        client.say(r#"{"type":"subscribe","id":"a","events":{}}"#).await;
    }
    let mut worst = Duration::ZERO;
    for expected in 0..EVENTS {
        let published = Instant::now();
        server.publish(&[wide_event(expected, 4_000)]).await;
        assert_eq!(number(&quick.next().await), expected);
        worst = worst.max(published.elapsed());
    }
    assert!(worst < Duration::from_millis(500), "an event took {worst:?} to a reader that reads");
    // Now the slow one reads: what it gets rises, and with what it is told it lost it is all there was.
    let (mut shown, mut missed, mut gaps, mut last) = (0_u128, 0_u128, 0, None);
    while shown + missed < EVENTS {
        let message = slow.next().await;
        if message["type"] == "lagged" {
            missed += u128::from(message["missed"].as_u64().unwrap());
            gaps += 1;
        } else {
            let number = number(&message);
            assert!(last.is_none_or(|last| last < number));
            assert_eq!(number, shown + missed, "a gap is told where it is");
            last = Some(number);
            shown += 1;
        }
    }
    assert!(gaps >= 1 && missed > 1_000, "{shown} shown, {missed} missed, {gaps} gaps");
    assert_eq!(last, Some(EVENTS - 1));
    slow.barrier().await;
}

/// Publishes more than queue and kernel hold, slowly enough that the socket is full and not only the queue.
async fn fill(server: &Server) {
    for number in 0..EVENTS {
        server.publish(&[wide_event(number, 4_000)]).await;
        if number % 16 == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_read_at_all_is_closed_with_1013() {
    let limits = Limits { stuck_after: Duration::from_millis(500), ..Limits::default() };
    let server = Server::start(Setup { limits, ..Setup::default() }).await;
    let mut client = Client::connect_narrow(server.address).await;
    client.say(r#"{"type":"subscribe","id":"a","events":{}}"#).await;
    fill(&server).await;
    tokio::time::sleep(Duration::from_millis(800)).await;
    assert_eq!(client.closed().await.0, 1013);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_is_not_read_leaves_the_project() {
    let limits = Limits { stuck_after: Duration::from_millis(400), ..Limits::default() };
    let server = Server::start(Setup { limits, ..Setup::default() }).await;
    let mut response = crate::stream::open(&server, r#"{"events":{}}"#, None).await;
    assert!(response.status().is_success());
    fill(&server).await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    // The stream's end: what the connection held, and a hint to come back.
    let mut text = String::new();
    while let Some(chunk) = tokio::time::timeout(Duration::from_secs(10), response.chunk()).await.unwrap().unwrap() {
        text.push_str(&String::from_utf8_lossy(&chunk));
    }
    assert!(text.ends_with("retry: 1000\n\n"), "{}", &text[text.len().saturating_sub(200)..]);
}

#[tokio::test]
async fn a_client_that_only_asks_and_never_reads_is_not_read_either() {
    let limits =
        Limits { messages_per_second: 1_000_000, stuck_after: Duration::from_millis(500), ..Limits::default() };
    let server = Arc::new(Server::start(Setup { limits, ..Setup::default() }).await);
    let mut client = Client::connect_narrow(server.address).await;
    let text = format!(r#"{{"type":"{}"}}"#, "x".repeat(1_000));
    let mut accepted = 0;
    // At last the client's own writes stand still or the server has closed.
    while accepted < 1_000_000 {
        let sending = tokio::time::timeout(Duration::from_millis(300), async {
            futures::SinkExt::send(&mut client.socket, tokio_tungstenite::tungstenite::Message::text(text.clone()))
                .await
        });
        match sending.await {
            Ok(Ok(())) => accepted += 1,
            _ => return,
        }
    }
    panic!("a million messages were taken from a client that never read");
}
