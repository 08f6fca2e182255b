//! Sockets and event streams through nginx.

use std::time::{Duration, Instant};

use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::event;
use crate::front::Front;

type Socket = WebSocketStream<TlsStream<TcpStream>>;

/// Longest wait for what is said at once.
const SOON: Duration = Duration::from_secs(10);

pub(crate) async fn sockets_are_passed_on(front: &Front) {
    let tenant = front.tenant();
    let mut request = format!("wss://localhost:{}/realtime", front.secure.port()).into_client_request().unwrap();
    request.headers_mut().insert("authorization", format!("Bearer {}", tenant.read_key).parse().unwrap());
    let (mut socket, response) = client_async(request, front.connect().await).await.unwrap();
    assert_eq!(response.status().as_u16(), 101);
    heard(&mut socket, "welcome").await;
    let subscribe =
        json!({ "type": "subscribe", "id": "q", "query": { "metrics": ["events"], "date_range": "today" } });
    socket.send(Message::text(subscribe.to_string())).await.unwrap();
    assert_eq!(heard(&mut socket, "snapshot").await["result"]["results"][0]["metrics"], json!([0]));
    tenant.collect_all(&[event("s", "t", "a")]).await;
    assert_eq!(heard(&mut socket, "update").await["result"]["results"][0]["metrics"], json!([1]));
}

/// The next message of this type.
async fn heard(socket: &mut Socket, wanted: &str) -> Value {
    loop {
        let message = tokio::time::timeout(SOON, socket.next()).await.expect("a message soon").unwrap().unwrap();
        if let Message::Text(text) = message {
            let value: Value = serde_json::from_str(&text).unwrap();
            if value["type"] == wanted {
                return value;
            }
        }
    }
}

pub(crate) async fn streams_are_not_held_back(front: &Front) {
    let tenant = front.tenant();
    let subscribe = json!({ "id": "q", "query": { "metrics": ["events"], "date_range": "today" } });
    let request = tenant.client.get(format!("{}/realtime/sse", front.url()));
    let began = Instant::now();
    let response = request.query(&[("subscribe", subscribe.to_string())]).bearer_auth(&tenant.read_key).send();
    let response = response.await.unwrap();
    assert_eq!(response.status().as_u16(), 200);
    let mut stream = response.bytes_stream();
    let mut read = String::new();
    let mut until = async |wanted: &str| {
        while !read.contains(wanted) {
            let part = tokio::time::timeout(SOON, stream.next()).await;
            let part = part.unwrap_or_else(|_| panic!("{wanted} does not come; what came: {read}"));
            read.push_str(&String::from_utf8_lossy(&part.unwrap().unwrap()));
        }
    };
    // A few bytes, and the answer does not end: what is held back until it is enough would never come.
    until("snapshot").await;
    assert!(began.elapsed() < SOON, "the first bytes took {:?}", began.elapsed());
    tenant.collect_all(&[event("s", "t", "a")]).await;
    until("update").await;
}
