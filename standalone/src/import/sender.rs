//! Posting an import's events to a collector.

use std::collections::VecDeque;
use std::time::Duration;

use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use thiserror::Error;
use tokio::task::JoinHandle;

/// Requests under way at once.
const IN_FLIGHT: usize = 4;

/// How often a request is tried where the collector says to come back.
const TRIES: u32 = 30;

/// Why events could not be sent.
#[derive(Debug, Error)]
pub enum SendError {
    /// No connection, or it broke.
    #[error("the collector at {url} cannot be reached")]
    Unreachable {
        /// Where it should be.
        url: String,
        /// The client's error.
        #[source]
        source: reqwest::Error,
    },
    /// The collector refuses the whole request.
    #[error("the collector refuses: {status} {detail}")]
    Refused {
        /// Its status.
        status: u16,
        /// Its problem's code and detail.
        detail: String,
    },
}

/// What became of events that were sent.
#[derive(Debug, Default)]
pub struct Sent {
    /// Accepted.
    pub accepted: u64,
    /// Refused one by one.
    pub rejected: u64,
    /// The first reasons, with their rows.
    pub reasons: Vec<String>,
}

/// Posts batches, a few at once, and takes the answers in order.
pub struct Sender {
    client: reqwest::Client,
    url: String,
    key: Option<String>,
    in_flight: VecDeque<(u64, JoinHandle<Result<Sent, SendError>>)>,
}

#[derive(Deserialize)]
struct Answer {
    accepted: u64,
    rejected: Vec<Rejected>,
}

#[derive(Deserialize)]
struct Rejected {
    index: usize,
    code: String,
    message: String,
}

impl Sender {
    /// A sender to the collector at `base_url`.
    #[must_use]
    pub fn new(base_url: &str, key: Option<&str>) -> Self {
        let url = format!("{}/collect", base_url.trim_end_matches('/'));
        Self { client: reqwest::Client::new(), url, key: key.map(str::to_owned), in_flight: VecDeque::new() }
    }

    /// Starts to send a batch of rows and their events; returns what an earlier one came to.
    ///
    /// # Errors
    /// The first row of the batch that failed, and why.
    pub async fn send(&mut self, batch: Vec<(u64, Value)>) -> Result<Sent, (u64, SendError)> {
        let Some((first, _)) = batch.first() else { return Ok(Sent::default()) };
        let first = *first;
        let answered = if self.in_flight.len() >= IN_FLIGHT { self.next_answer().await? } else { Sent::default() };
        let post = post(self.client.clone(), self.url.clone(), self.key.clone(), batch);
        self.in_flight.push_back((first, tokio::spawn(post)));
        Ok(answered)
    }

    /// Waits for everything under way.
    ///
    /// # Errors
    /// The first row of the batch that failed, and why.
    pub async fn finish(&mut self) -> Result<Sent, (u64, SendError)> {
        let mut all = Sent::default();
        while !self.in_flight.is_empty() {
            let sent = self.next_answer().await?;
            all.accepted += sent.accepted;
            all.rejected += sent.rejected;
            all.reasons.extend(sent.reasons);
        }
        Ok(all)
    }

    async fn next_answer(&mut self) -> Result<Sent, (u64, SendError)> {
        let Some((first, task)) = self.in_flight.pop_front() else { return Ok(Sent::default()) };
        match task.await {
            Ok(answer) => answer.map_err(|error| (first, error)),
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }
}

/// Posts one batch, again where the collector asks to come back: the ids make that harmless.
async fn post(
    client: reqwest::Client,
    url: String,
    key: Option<String>,
    batch: Vec<(u64, Value)>,
) -> Result<Sent, SendError> {
    let (rows, events): (Vec<u64>, Vec<Value>) = batch.into_iter().unzip();
    let body = json!({ "events": events }).to_string();
    let mut tried = 0;
    loop {
        tried += 1;
        let mut request = client.post(&url).header("content-type", "application/json").body(body.clone());
        if let Some(key) = &key {
            request = request.bearer_auth(key);
        }
        let response = match request.send().await {
            Ok(response) => response,
            Err(_) if tried < TRIES => {
                tokio::time::sleep(Duration::from_millis(500)).await;
                continue;
            }
            Err(source) => return Err(SendError::Unreachable { url, source }),
        };
        let status = response.status();
        if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) && tried < TRIES {
            let seconds = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
            tokio::time::sleep(Duration::from_secs(seconds.unwrap_or(1))).await;
            continue;
        }
        let text = response.text().await.map_err(|source| SendError::Unreachable { url: url.clone(), source })?;
        let answer: Result<Answer, _> = serde_json::from_str(&text);
        return match answer {
            Ok(answer) if matches!(status, StatusCode::ACCEPTED | StatusCode::BAD_REQUEST) => Ok(sent(&rows, answer)),
            _ => Err(SendError::Refused { status: status.as_u16(), detail: detail(&text) }),
        };
    }
}

fn sent(rows: &[u64], answer: Answer) -> Sent {
    let reason = |rejected: &Rejected| {
        let row = rows.get(rejected.index).copied().unwrap_or_default();
        format!("row {row}: {}: {}", rejected.code, rejected.message)
    };
    Sent {
        accepted: answer.accepted,
        rejected: answer.rejected.len() as u64,
        reasons: answer.rejected.iter().take(10).map(reason).collect(),
    }
}

/// `code: detail` of a problem, or the beginning of whatever came.
fn detail(text: &str) -> String {
    let problem: Option<Value> = serde_json::from_str(text).ok();
    let field = |name: &str| problem.as_ref().and_then(|problem| problem[name].as_str()).map(str::to_owned);
    match (field("code"), field("detail")) {
        (Some(code), Some(detail)) => format!("{code}: {detail}"),
        _ => text.chars().take(200).collect(),
    }
}
