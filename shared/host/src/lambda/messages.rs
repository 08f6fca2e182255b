//! A handler behind a queue: SQS messages, and the ticks of a schedule.

use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::clock::{Clock as _, SystemClock};
use crate::metrics;
use crate::program::Failure;

/// What is kept of an invocation's time to answer in: one that runs out of time answers nothing.
const TO_ANSWER: Duration = Duration::from_millis(500);

/// The longest that Lambda lets an invocation take.
const LONGEST: Duration = Duration::from_secs(900);

/// A message of the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What names it in the answer.
    pub id: String,
    /// Its text; empty where it has none.
    pub body: String,
    /// How often it was received, this time included.
    pub attempt: u32,
}

/// What a function behind a queue is invoked with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageEvent {
    /// Messages to work on.
    Messages(Vec<Message>),
    /// The schedule's tick.
    Tick,
}

impl MessageEvent {
    /// The ids of its messages.
    #[must_use]
    pub fn ids(&self) -> Vec<String> {
        match self {
            Self::Messages(messages) => messages.iter().map(|message| message.id.clone()).collect(),
            Self::Tick => Vec::new(),
        }
    }
}

/// An event, told apart by what it holds: `Records` of a queue, or the `source` of a schedule.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Event {
    Messages(SqsEvent),
    Tick(Tick),
}

#[derive(Debug, Deserialize)]
struct Tick {
    source: Source,
}

#[derive(Debug, Deserialize)]
enum Source {
    #[serde(rename = "aws.events", alias = "aws.scheduler")]
    Schedule,
}

/// Answers the function's invocations by `handle` until the process is ended from outside.
///
/// `handle` is given the event and the time that it has, and gives back the ids of messages that must come again. Messages
/// whose handling takes longer all come again.
///
/// # Errors
/// Where the runtime's API cannot be spoken to.
pub async fn serve_messages<H, F>(handle: H) -> Result<(), Failure>
where
    H: Fn(MessageEvent, Duration) -> F,
    F: Future<Output = Vec<String>>,
{
    let handle = Arc::new(handle);
    let handler = move |invocation: LambdaEvent<Box<RawValue>>| {
        let handle = Arc::clone(&handle);
        async move {
            // An emulator may tell a deadline that was over before the event came: that is none.
            let now = u64::try_from(SystemClock.now().as_millis()).unwrap_or(0);
            let left = invocation.context.deadline.checked_sub(now).map_or(LONGEST, Duration::from_millis);
            let time = left.saturating_sub(TO_ANSWER);
            let Ok(event) = serde_json::from_str::<Event>(invocation.payload.get()) else {
                let unknown = "this function takes SQS events and scheduled events; the event is neither";
                return Err(Diagnostic { error_type: "UnknownEvent".into(), error_message: unknown.into() });
            };
            let event = match event {
                Event::Messages(event) => MessageEvent::Messages(event.records.into_iter().map(message).collect()),
                Event::Tick(Tick { source: Source::Schedule }) => MessageEvent::Tick,
            };
            let all = event.ids();
            let again = tokio::time::timeout(time, handle(event, time)).await.unwrap_or_else(|_| {
                tracing::warn!(
                    messages = all.len(),
                    "the function ran out of time; what it did not finish comes again"
                );
                all
            });
            let answer = response(again);
            metrics::tell_embedded();
            Ok(answer)
        }
    };
    lambda_runtime::run(service_fn(handler)).await
}

fn message(message: SqsMessage) -> Message {
    let attempt = message.attributes.get("ApproximateReceiveCount").and_then(|count| count.parse().ok());
    Message {
        id: message.message_id.unwrap_or_default(),
        body: message.body.unwrap_or_default(),
        attempt: attempt.unwrap_or(1),
    }
}

fn response(again: Vec<String>) -> SqsBatchResponse {
    let mut response = SqsBatchResponse::default();
    response.batch_item_failures = again
        .into_iter()
        .map(|id| {
            let mut failure = BatchItemFailure::default();
            failure.item_identifier = id;
            failure
        })
        .collect();
    response
}
