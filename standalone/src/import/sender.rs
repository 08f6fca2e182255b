//! Posting an import's events to a collector.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use reqwest::{Client, RequestBuilder, StatusCode};
use serde::Deserialize;
use thiserror::Error;
use tokio::task::JoinHandle;

use crate::http::{Address, sentence};

/// Requests under way at once.
const IN_FLIGHT: usize = 4;

/// How often a request is tried where the collector says to come back, or is away.
const TRIES: u32 = 30;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Reasons that are kept of one answer.
const REASONS: usize = 10;

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
    #[error("the collector at {url} refuses: {said}")]
    Refused {
        /// Where it is.
        url: String,
        /// What it says.
        said: String,
    },
}

/// Where an event comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Origin {
    /// Its row, counted from 0.
    pub row: u64,
    /// Its line, counted from 1.
    pub line: u64,
}

/// What became of events that were sent.
#[derive(Debug, Default)]
pub struct Sent {
    /// Accepted.
    pub accepted: u64,
    /// Refused one by one.
    pub rejected: u64,
    /// The first reasons of each answer, with where the event comes from.
    pub reasons: Vec<(Origin, String)>,
    /// Whether some were refused for their time.
    pub out_of_range: bool,
}

impl Sent {
    /// Adds what became of others.
    pub fn add(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.rejected += other.rejected;
        self.reasons.extend(other.reasons);
        self.out_of_range |= other.out_of_range;
    }
}

/// A batch that could not be sent.
#[derive(Debug)]
pub struct Failed {
    /// The first row of the batch.
    pub first: Origin,
    /// Why.
    pub error: SendError,
}

/// Posts batches, a few at once, and takes the answers in order.
pub struct Sender {
    client: Client,
    url: String,
    key: Option<String>,
    in_flight: VecDeque<(Origin, JoinHandle<Result<Sent, SendError>>)>,
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
    /// A sender to the collector at `address`.
    ///
    /// # Errors
    /// [`SendError::Unreachable`] where the system's certificates cannot be read.
    pub fn new(address: &Address, key: Option<&str>) -> Result<Self, SendError> {
        let url = address.at("/collect");
        let client = address.client(PATIENCE);
        let client = client.map_err(|source| SendError::Unreachable { url: url.clone(), source })?;
        Ok(Self { client, url, key: key.map(str::to_owned), in_flight: VecDeque::new() })
    }

    /// Starts to send a batch of events, each as JSON; returns what earlier ones came to. Where one of those failed, the
    /// batch is not sent.
    pub async fn send(&mut self, batch: Vec<(Origin, String)>) -> (Sent, Option<Failed>) {
        let Some((first, _)) = batch.first() else { return (Sent::default(), None) };
        let first = *first;
        let mut answered = Sent::default();
        if self.in_flight.len() >= IN_FLIGHT {
            match self.next_answer().await {
                Ok(sent) => answered = sent,
                Err(failed) => return (answered, Some(failed)),
            }
        }
        let post = post(self.client.clone(), self.url.clone(), self.key.clone(), batch);
        self.in_flight.push_back((first, tokio::spawn(post)));
        (answered, None)
    }

    /// Waits for everything under way; returns what it came to and the first batch that failed.
    pub async fn finish(&mut self) -> (Sent, Option<Failed>) {
        let mut all = Sent::default();
        let mut first_failed = None;
        while !self.in_flight.is_empty() {
            match self.next_answer().await {
                Ok(sent) => all.add(sent),
                Err(failed) => _ = first_failed.get_or_insert(failed),
            }
        }
        (all, first_failed)
    }

    async fn next_answer(&mut self) -> Result<Sent, Failed> {
        let Some((first, task)) = self.in_flight.pop_front() else { return Ok(Sent::default()) };
        match task.await {
            Ok(answer) => answer.map_err(|error| Failed { first, error }),
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }
}

/// Posts one batch, again where the collector asks to come back or the connection breaks: the ids make that harmless.
async fn post(
    client: Client,
    url: String,
    key: Option<String>,
    batch: Vec<(Origin, String)>,
) -> Result<Sent, SendError> {
    let (origins, events): (Vec<Origin>, Vec<String>) = batch.into_iter().unzip();
    let body = Bytes::from(format!("{{\"events\":[{}]}}", events.join(",")));
    let mut tried = 0;
    loop {
        tried += 1;
        let mut request = client.post(&url).header("content-type", "application/json").body(body.clone());
        if let Some(key) = &key {
            request = request.bearer_auth(key);
        }
        let (status, wait, text) = match answer(request).await {
            Ok(answer) => answer,
            Err(_) if tried < TRIES => {
                tokio::time::sleep(Duration::from_millis(500)).await;
                continue;
            }
            Err(source) => return Err(SendError::Unreachable { url, source }),
        };
        if is_passing(status) && tried < TRIES {
            tokio::time::sleep(wait).await;
            continue;
        }
        return match serde_json::from_str::<Answer>(&text) {
            Ok(answer) if matches!(status, StatusCode::ACCEPTED | StatusCode::BAD_REQUEST) => {
                Ok(sent(&origins, answer))
            }
            _ => Err(SendError::Refused { url, said: sentence(status.as_u16(), &text) }),
        };
    }
}

/// The status, how long to wait before the next try, and the body.
async fn answer(request: RequestBuilder) -> Result<(StatusCode, Duration, String), reqwest::Error> {
    let response = request.send().await?;
    let seconds = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
    Ok((response.status(), Duration::from_secs(seconds.unwrap_or(1)), response.text().await?))
}

/// Whether a later try may find the collector, or one behind a proxy, ready.
fn is_passing(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    )
}

fn sent(origins: &[Origin], answer: Answer) -> Sent {
    let reason = |rejected: &Rejected| {
        let origin = origins.get(rejected.index).copied().unwrap_or_default();
        (origin, format!("{}: {}", rejected.code, rejected.message))
    };
    Sent {
        accepted: answer.accepted,
        rejected: answer.rejected.len() as u64,
        reasons: answer.rejected.iter().take(REASONS).map(reason).collect(),
        out_of_range: answer.rejected.iter().any(|rejected| rejected.code == "timestamp_out_of_range"),
    }
}
