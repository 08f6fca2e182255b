//! An edge on a free port and a client that writes bytes.

use std::net::SocketAddr;
use std::time::Duration;

use analytics_host::cors::Origins;
use analytics_host::edge::{self, EdgeLimits};
use analytics_host::problem::fallbacks;
use analytics_host::shutdown::Shutdown;
use axum::Router;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A running edge.
pub struct Running {
    pub address: SocketAddr,
    pub shutdown: Shutdown,
    pub task: JoinHandle<std::io::Result<()>>,
}

/// Serves `router` with `limits` on a free port; what no route takes is answered as roles do.
pub async fn start(router: Router, limits: EdgeLimits) -> Running {
    start_raw(fallbacks(router, &Origins::Any), limits).await
}

/// The same of a router as it is.
pub async fn start_raw(router: Router, limits: EdgeLimits) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = Shutdown::new();
    let task = tokio::spawn(edge::run(listener, router, shutdown.clone(), limits));
    Running { address, shutdown, task }
}

impl Running {
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

/// Writes `bytes`; a connection that was closed under it is fine.
pub async fn send(stream: &mut TcpStream, bytes: impl AsRef<[u8]>) {
    let _ = stream.write_all(bytes.as_ref()).await;
}

/// Reads one answer with `Content-Length`: head and body as text.
pub async fn receive(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| {
                    line.to_ascii_lowercase().strip_prefix("content-length:").map(str::trim).map(str::to_owned)
                })
                .map_or(0, |length| length.parse::<usize>().unwrap());
            if body.len() >= length {
                return text.into_owned();
            }
        }
        let mut piece = [0; 4096];
        let read = tokio::time::timeout(Duration::from_secs(20), stream.read(&mut piece)).await;
        match read.expect("an answer within 20 s") {
            Ok(0) | Err(_) => return String::from_utf8_lossy(&bytes).into_owned(),
            Ok(count) => bytes.extend_from_slice(&piece[..count]),
        }
    }
}

/// Waits until the server closes; how long it took.
pub async fn closed_after(stream: &mut TcpStream) -> Duration {
    let began = std::time::Instant::now();
    let mut piece = [0; 4096];
    let gone = async { while !matches!(stream.read(&mut piece).await, Ok(0) | Err(_)) {} };
    tokio::time::timeout(Duration::from_secs(20), gone).await.expect("the server closes within 20 s");
    began.elapsed()
}

/// Milliseconds.
pub const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
