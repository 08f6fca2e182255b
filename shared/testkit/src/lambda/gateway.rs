//! An HTTP API in front of a function.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;

use super::emulator::{LambdaEmulator, invoke};
use crate::http::Message;

/// A loopback port whose requests become events of an HTTP API (payload version 2.0) and invoke a function; ends when dropped.
///
/// As Amazon's does, it hands bodies that are no plain text over as base64, joins headers of one name, gives and takes cookies in a
/// place of their own, and answers 502 for a function that fails. The emulator's own function URLs refuse bodies that are compressed and called JSON.
#[derive(Debug)]
pub struct Gateway {
    address: SocketAddr,
    ended: Arc<AtomicBool>,
}

impl Gateway {
    /// Opens one for a function of an emulator.
    ///
    /// # Errors
    /// Where no loopback port is to be had.
    pub fn start(emulator: &LambdaEmulator, function: &'static str) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let ended = Arc::<AtomicBool>::default();
        let (over, emulator) = (Arc::clone(&ended), emulator.address());
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                std::thread::spawn(move || serve(&client, emulator, function));
            }
        });
        Ok(Self { address, ended })
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
    }
}

/// Answers a connection's requests until it ends.
fn serve(client: &TcpStream, emulator: SocketAddr, function: &str) {
    let Ok(reading) = client.try_clone() else { return };
    let mut from_client = BufReader::new(reading);
    let peer = client.peer_addr().map_or_else(|_| "127.0.0.1".to_owned(), |peer| peer.ip().to_string());
    while let Ok(Some(request)) = Message::read(&mut from_client) {
        let is_head = request.first_line.starts_with("HEAD ");
        let answer = invoke(emulator, function, &event(&request, &peer));
        let answered = answer.and_then(|answer| Ok(serde_json::from_slice::<Answer>(&answer)?));
        let bytes = answered.unwrap_or_else(|_| Answer::failed()).bytes(is_head);
        if (&mut &*client).write_all(&bytes).is_err() {
            return;
        }
    }
}

/// The event of a request.
fn event(request: &Message, peer: &str) -> String {
    let mut words = request.first_line.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut headers: BTreeMap<&str, String> = BTreeMap::new();
    for (name, value) in &request.headers {
        headers.entry(name).and_modify(|known| *known = format!("{known},{value}")).or_insert_with(|| value.clone());
    }
    let cookies = headers.remove("cookie");
    let cookies: Vec<&str> = cookies.iter().flat_map(|cookies| cookies.split("; ")).collect();
    let forwarded = headers.entry("x-forwarded-for").or_default();
    *forwarded = if forwarded.is_empty() { peer.to_owned() } else { format!("{forwarded}, {peer}") };
    let text = std::str::from_utf8(&request.body).ok().filter(|_| !headers.contains_key("content-encoding"));
    let (body, is_base64) = match text {
        Some(text) => (text.to_owned(), false),
        None => (STANDARD.encode(&request.body), true),
    };
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": query, "headers": headers,
        "cookies": cookies,
        "requestContext": {
            "accountId": "123456789012", "apiId": "api", "domainName": "127.0.0.1", "domainPrefix": "api", "requestId": "request",
            "routeKey": "$default", "stage": "$default", "time": "01/Jan/2026:00:00:00 +0000", "timeEpoch": 1_767_225_600_000_u64,
            "http": {
                "method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": peer,
                "userAgent": headers.get("user-agent").map_or("", String::as_str)
            }
        },
        "body": body, "isBase64Encoded": is_base64
    })
    .to_string()
}

/// What a function answers.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    status_code: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    cookies: Vec<String>,
    #[serde(default)]
    body: String,
    #[serde(default)]
    is_base64_encoded: bool,
}

impl Answer {
    fn failed() -> Self {
        Self {
            status_code: 502,
            headers: BTreeMap::from([("content-type".to_owned(), "application/json".to_owned())]),
            cookies: Vec::new(),
            body: r#"{"message":"Internal Server Error"}"#.to_owned(),
            is_base64_encoded: false,
        }
    }

    fn bytes(self, is_head: bool) -> Vec<u8> {
        let body = match self.is_base64_encoded {
            true => STANDARD.decode(&self.body).unwrap_or_default(),
            false => self.body.into_bytes(),
        };
        let mut answer = format!("HTTP/1.1 {} Answered\r\n", self.status_code);
        let length_is_told = self.headers.contains_key("content-length");
        for (name, value) in self.headers.iter().filter(|(name, _)| is_head || name.as_str() != "content-length") {
            answer.push_str(&format!("{name}: {value}\r\n"));
        }
        for cookie in &self.cookies {
            answer.push_str(&format!("set-cookie: {cookie}\r\n"));
        }
        if !(is_head && length_is_told) {
            answer.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        answer.push_str("\r\n");
        let mut bytes = answer.into_bytes();
        if !is_head {
            bytes.extend(body);
        }
        bytes
    }
}
