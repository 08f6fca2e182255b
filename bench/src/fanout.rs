//! Live events to a thousand sockets.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use analytics_testkit::postgres::{Database, Edition, PostgresOptions, PostgresServer};
use analytics_testkit::redis::{RedisOptions, RedisServer};
use futures::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::program::{self, Program};
use crate::table::Table;
use crate::{Outcome, bodies};

const SOCKETS: usize = 1_000;
const KEY: &str = "bench_key_0123456789";
/// Bodies of ten events each, one every 50 ms.
const BODIES: usize = 60;

/// Opens the sockets, posts events, and waits until each socket has seen all of them.
pub async fn measure(table: &mut Table) -> Outcome<()> {
    let redis = RedisServer::start(RedisOptions::default())?;
    let server = Arc::new(PostgresServer::start(PostgresOptions::new(Edition::Timescale17))?);
    let database = Database::create(&server)?;
    let ports = [program::free_port()?, program::free_port()?, program::free_port()?];
    let variables = |port: u16| {
        vec![
            ("HOST", "127.0.0.1".to_owned()),
            ("PORT", port.to_string()),
            ("METRICS_PORT", port.to_string()),
            ("REDIS_URL", redis.url()),
            ("DATABASE_URL", database.url()),
            ("API_KEYS", KEY.to_owned()),
        ]
    };
    let mut roles = Vec::new();
    for (name, port) in [("processor", ports[0]), ("collector", ports[1]), ("realtime", ports[2])] {
        let mut role = Program::start(name, &[], &variables(port))?;
        role.wait_for(&format!("http://127.0.0.1:{port}/health"))?;
        roles.push(role);
    }
    let seen = Arc::new(AtomicU64::new(0));
    let mut sockets = Vec::new();
    for _ in 0..SOCKETS {
        sockets.push(subscribe(ports[2], Arc::clone(&seen)).await?);
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    let client = reqwest::Client::new();
    let began = Instant::now();
    for index in 0..BODIES {
        let body = bodies::body(10, index as u64);
        let url = format!("http://127.0.0.1:{}/collect", ports[1]);
        client.post(url).header("content-type", "application/json").body(body).send().await?.error_for_status()?;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let all = (BODIES * 10 * SOCKETS) as u64;
    while seen.load(Ordering::Relaxed) < all && began.elapsed() < Duration::from_secs(60) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let seconds = began.elapsed().as_secs_f64();
    let seen = seen.load(Ordering::Relaxed);
    table.note(
        "fan-out: messages to 1,000 sockets",
        format!("{:.0} messages/s, {seen} of {all} shown", seen as f64 / seconds),
    );
    if let Some(realtime) = roles.last() {
        table.note(
            "fan-out: CPU of realtime a message",
            format!("{:.1} us", realtime.cpu_seconds() * 1e6 / seen.max(1) as f64),
        );
        table.at_most("fan-out: peak memory of realtime with 1,000 sockets", realtime.peak_mb(), 128.0, "MB");
    }
    Ok(())
}

/// A socket that counts the events it is shown.
async fn subscribe(port: u16, seen: Arc<AtomicU64>) -> Outcome<tokio::task::JoinHandle<()>> {
    let mut request = format!("ws://127.0.0.1:{port}/realtime").into_client_request()?;
    request.headers_mut().insert("authorization", format!("Bearer {KEY}").parse()?);
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await?;
    let ask = r#"{"type":"subscribe","id":"a","events":{"filters":[]}}"#;
    socket.send(Message::text(ask)).await?;
    Ok(tokio::spawn(async move {
        while let Some(Ok(message)) = socket.next().await {
            if let Message::Text(text) = message
                && text.contains(r#""type":"event""#)
            {
                seen.fetch_add(1, Ordering::Relaxed);
            }
        }
    }))
}
