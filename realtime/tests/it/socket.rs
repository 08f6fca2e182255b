//! A WebSocket client for tests: every wait has an end.

use std::net::SocketAddr;
use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue, Request, Response};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::server::KEY;

/// No wait of a test is longer.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Client {
    pub socket: WebSocketStream<TcpStream>,
    barriers: u64,
}

/// The upgrade request with these headers.
pub fn request(address: SocketAddr, headers: &[(&'static str, &str)]) -> Request<()> {
    let mut request = format!("ws://{address}/realtime").into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    }
    request
}

impl Client {
    /// Connects with the key of project `default` and takes the welcome.
    pub async fn connect(address: SocketAddr) -> Self {
        Self::connect_with_key(address, KEY).await
    }

    /// Connects with a key and takes the welcome.
    pub async fn connect_with_key(address: SocketAddr, key: &str) -> Self {
        let bearer = format!("Bearer {key}");
        let (client, _) = Self::open(request(address, &[("authorization", &bearer)]), address, None).await.unwrap();
        client.welcomed().await
    }

    /// Connects with a small receive buffer, so that not reading is soon felt.
    pub async fn connect_narrow(address: SocketAddr) -> Self {
        let bearer = format!("Bearer {KEY}");
        let request = request(address, &[("authorization", &bearer)]);
        let (client, _) = Self::open(request, address, Some(8 * 1024)).await.unwrap();
        client.welcomed().await
    }

    /// Connects by this request; the welcome is not taken.
    pub async fn open(
        request: Request<()>,
        address: SocketAddr,
        receive_buffer: Option<u32>,
    ) -> Result<(Self, Response<Option<Vec<u8>>>), Error> {
        let socket = TcpSocket::new_v4().unwrap();
        if let Some(bytes) = receive_buffer {
            socket.set_recv_buffer_size(bytes).unwrap();
        }
        let stream = socket.connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let config = WebSocketConfig::default().read_buffer_size(4 * 1024).write_buffer_size(4 * 1024);
        let (socket, response) = client_async_with_config(request, stream, Some(config)).await?;
        Ok((Self { socket, barriers: 0 }, response))
    }

    async fn welcomed(mut self) -> Self {
        assert_eq!(self.next().await, serde_json::json!({"type": "welcome"}));
        self
    }

    /// Sends a text.
    pub async fn send(&mut self, text: impl Into<String>) {
        self.socket.send(Message::text(text.into())).await.unwrap();
    }

    /// The next message of the server.
    pub async fn next(&mut self) -> Value {
        match self.next_frame().await {
            Message::Text(text) => serde_json::from_str(text.as_str()).unwrap(),
            other => panic!("a text was expected, {other:?} came"),
        }
    }

    /// The next message, where one comes within `wait`.
    pub async fn next_within(&mut self, wait: Duration) -> Option<Value> {
        tokio::time::timeout(wait, self.next()).await.ok()
    }

    /// The next frame that is no ping.
    pub async fn next_frame(&mut self) -> Message {
        loop {
            let frame = tokio::time::timeout(PATIENCE, self.socket.next()).await.expect("a frame in time");
            match frame.expect("an open socket").unwrap() {
                Message::Ping(_) => {}
                other => return other,
            }
        }
    }

    /// Waits until the server has done what was sent before; nothing else may come meanwhile.
    pub async fn barrier(&mut self) {
        self.barriers += 1;
        let token = self.barriers.to_be_bytes().to_vec();
        self.socket.send(Message::Ping(token.clone().into())).await.unwrap();
        match self.next_frame().await {
            Message::Pong(answer) => assert_eq!(answer, token),
            other => panic!("a pong was expected, {other:?} came"),
        }
    }

    /// Sends a text and waits until it is done.
    pub async fn say(&mut self, text: impl Into<String>) {
        self.send(text).await;
        self.barrier().await;
    }

    /// The code and reason of the server's close; what comes before is skipped.
    pub async fn closed(&mut self) -> (u16, String) {
        loop {
            if let Message::Close(frame) = self.next_frame().await {
                let frame = frame.expect("a close with a reason");
                return (frame.code.into(), frame.reason.to_string());
            }
        }
    }
}

/// The number of the event in an `event` message.
pub fn number(message: &Value) -> u128 {
    assert_eq!(message["type"], "event", "{message}");
    message["event"]["event_action"].as_str().unwrap().parse().unwrap()
}
