//! What a client hears when there are too many connections.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

/// Refusals that may be under way at once; beyond it a connection is closed without a word.
const AT_ONCE: usize = 64;

/// The longest that a refusal may take.
const REFUSAL_TIME: Duration = Duration::from_secs(1);

/// Most bytes of a request that are read and thrown away, so that the answer is not lost to a reset.
const THROWN_AWAY: usize = 64 * 1024;

/// Turns connections away with a 503.
#[derive(Clone)]
pub(super) struct Refusals {
    answer: Arc<str>,
    places: Arc<Semaphore>,
}

impl Refusals {
    pub(super) fn new() -> Self {
        let document = serde_json::json!({
            "type": "about:blank",
            "title": "Service Unavailable",
            "status": 503,
            "code": "too_many_connections",
            "detail": "this server has as many connections as it may; try again in a moment",
        })
        .to_string();
        let length = document.len();
        let answer = format!(
            "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\nContent-Length: {length}\r\n\
             Retry-After: 1\r\nConnection: close\r\n\r\n{document}"
        );
        Self { answer: answer.into(), places: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Turns one away, in the background.
    pub(super) fn refuse(&self, mut stream: TcpStream) {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else { return };
        let answer = Arc::clone(&self.answer);
        tokio::spawn(async move {
            let _place = place;
            let talk = async {
                stream.write_all(answer.as_bytes()).await?;
                stream.shutdown().await?;
                let (mut thrown, mut buffer) = (0, [0; 4_096]);
                while thrown < THROWN_AWAY {
                    match stream.read(&mut buffer).await? {
                        0 => break,
                        bytes => thrown += bytes,
                    }
                }
                std::io::Result::Ok(())
            };
            // Whether the client hears it is the client's affair.
            let _ = tokio::time::timeout(REFUSAL_TIME, talk).await;
        });
    }
}
