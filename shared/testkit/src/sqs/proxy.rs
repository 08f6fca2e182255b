//! A way to SQS on which single requests meet what real networks and real queues do to them.

use std::io::{self, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use super::ask::ask;
use super::server::SqsServer;
use crate::http::Message;

/// An answer to one of SQS's actions.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// Its JSON; an error has `__type` and `message`.
    pub body: Value,
}

impl Reply {
    /// An error as SQS answers it.
    #[must_use]
    pub fn error(status: u16, code: &str, message: &str) -> Self {
        let body = serde_json::json!({ "__type": format!("com.amazonaws.sqs#{code}"), "message": message });
        Self { status, body }
    }
}

/// Asks the server behind the proxy.
pub type Forward<'a> = &'a dyn Fn(Value) -> Reply;

/// What happens to a request: its action, its JSON, and a way to the server.
type Script = dyn Fn(&str, Value, Forward<'_>) -> Reply + Send + Sync;

/// An HTTP proxy on a loopback port in front of an SQS; ends when dropped.
pub struct SqsProxy {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    ended: Arc<AtomicBool>,
}

impl SqsProxy {
    /// Starts a proxy that lets `script` answer each request; `|_, request, forward| forward(request)` changes nothing.
    ///
    /// # Errors
    /// Where no loopback port is to be had.
    pub fn start(
        server: &SqsServer,
        script: impl Fn(&str, Value, Forward<'_>) -> Reply + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let (server, script): (SocketAddr, Arc<Script>) = (server.address(), Arc::new(script));
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let (asked, ended) = (Arc::<Mutex<Vec<String>>>::default(), Arc::<AtomicBool>::default());
        let (log, over) = (Arc::clone(&asked), Arc::clone(&ended));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                let (script, log) = (Arc::clone(&script), Arc::clone(&log));
                std::thread::spawn(move || serve(client, server, &*script, &log));
            }
        });
        Ok(Self { address, asked, ended })
    }

    /// Where clients connect to.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The actions that were asked for so far, in order.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How often an action was asked for so far.
    #[must_use]
    pub fn count(&self, action: &str) -> usize {
        self.asked().iter().filter(|asked| *asked == action).count()
    }
}

impl Drop for SqsProxy {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
    }
}

/// Answers a connection's requests until it ends.
fn serve(client: TcpStream, server: SocketAddr, script: &Script, log: &Mutex<Vec<String>>) {
    let Ok(mut to_client) = client.try_clone() else { return };
    let mut from_client = BufReader::new(client);
    while let Ok(Some(request)) = Message::read(&mut from_client) {
        let target = request.header("x-amz-target").unwrap_or_default();
        let action = target.rsplit('.').next().unwrap_or_default().to_owned();
        log.lock().unwrap_or_else(PoisonError::into_inner).push(action.clone());
        let forward = |request: Value| match ask(server, SqsServer::REGION, &action, request.to_string().as_bytes()) {
            Ok((status, body)) => Reply { status, body: serde_json::from_slice(&body).unwrap_or_default() },
            Err(error) => Reply::error(502, "Unreachable", &error.to_string()),
        };
        let reply = script(&action, serde_json::from_slice(&request.body).unwrap_or_default(), &forward);
        let body = if reply.body.is_null() { String::new() } else { reply.body.to_string() };
        let head = format!(
            "HTTP/1.1 {} Told\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: {}\r\n\r\n",
            reply.status,
            body.len()
        );
        if to_client.write_all((head + &body).as_bytes()).is_err() {
            return;
        }
    }
}
