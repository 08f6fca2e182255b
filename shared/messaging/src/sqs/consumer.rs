//! A consumer of an SQS queue.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::BuildError;
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, Message,
    MessageSystemAttributeName,
};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::client::{unavailable, waiting};
use super::text::unpack;
use crate::queue::{Consumer, Delivery, QueueError, Receipt};

/// Messages of one request at most, as SQS says.
const GROUP: usize = 10;

/// The longest that SQS waits for a message.
const LONG_POLL: Duration = Duration::from_secs(20);

/// Tries for messages that a request failed for a fault of SQS's own, and the pause before each further one.
const TRIES: u32 = 4;
const PAUSE: Duration = Duration::from_millis(100);

/// A consumer: SQS knows none of them, so a name means nothing.
pub(super) struct SqsConsumer {
    client: Client,
    url: String,
    /// Whole seconds.
    visibility: i32,
    /// A request under way: it goes on where its caller has given up, since what it brings is ours then.
    under_way: Option<JoinHandle<Result<Vec<Message>, QueueError>>>,
    brought: VecDeque<Message>,
}

impl SqsConsumer {
    pub(super) fn new(client: Client, url: String, visibility: Duration) -> Self {
        let seconds = visibility.as_secs() + u64::from(visibility.subsec_nanos() > 0);
        let visibility = i32::try_from(seconds.clamp(1, 43_200)).unwrap_or(43_200);
        Self { client, url, visibility, under_way: None, brought: VecDeque::new() }
    }

    /// Asks for messages, and lets SQS wait for the first for so many whole seconds.
    fn ask(&self, most: usize, wait: Duration) -> JoinHandle<Result<Vec<Message>, QueueError>> {
        let whole = wait.min(LONG_POLL).as_secs();
        let request = self
            .client
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(i32::try_from(most.min(GROUP)).unwrap_or(1))
            .visibility_timeout(self.visibility)
            .wait_time_seconds(i32::try_from(whole).unwrap_or(0))
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount);
        tokio::spawn(async move {
            let request = request.customize().config_override(waiting(Duration::from_secs(whole)));
            let answer = request.send().await.map_err(unavailable("hand out entries"))?;
            Ok(answer.messages.unwrap_or_default())
        })
    }

    /// Waits for the request under way, or begins one; it stays under way where it takes longer, or this future is dropped.
    async fn bring(&mut self, most: usize, wait: Duration) -> Result<(), QueueError> {
        if self.under_way.is_none() {
            self.under_way = Some(self.ask(most, wait));
        }
        let Some(request) = &mut self.under_way else { return Ok(()) };
        let Ok(ended) = timeout(wait + GRACE, request).await else { return Ok(()) };
        self.under_way = None;
        let messages =
            ended.map_err(|error| QueueError::Unavailable { doing: "hand out entries", source: error.into() })?;
        self.brought.extend(messages?);
        Ok(())
    }

    fn take(&mut self, most: usize) -> Vec<Delivery> {
        let count = most.min(self.brought.len());
        self.brought.drain(..count).map(delivery).collect()
    }
}

/// What is added to the time that a caller waits, for the way there and back.
const GRACE: Duration = Duration::from_millis(500);

fn delivery(message: Message) -> Delivery {
    let attempt = message
        .attributes
        .as_ref()
        .and_then(|attributes| attributes.get(&MessageSystemAttributeName::ApproximateReceiveCount))
        .and_then(|count| count.parse().ok());
    Delivery {
        receipt: Receipt(message.receipt_handle.unwrap_or_default()),
        payload: unpack(message.body.as_deref().unwrap_or_default()),
        attempt: attempt.unwrap_or(1),
    }
}

#[async_trait]
impl Consumer for SqsConsumer {
    async fn receive(&mut self, most: usize, wait: Duration) -> Result<Vec<Delivery>, QueueError> {
        if most == 0 {
            return Ok(Vec::new());
        }
        let until = Instant::now() + wait;
        if self.brought.is_empty() {
            self.bring(most, wait).await?;
        }
        if self.brought.is_empty() {
            // What is left is less than the second that SQS counts in, or nothing.
            let left = until.saturating_duration_since(Instant::now());
            if self.under_way.is_none() && left >= Duration::from_secs(1) {
                self.bring(most, left).await?;
            }
            if self.brought.is_empty() {
                sleep(until.saturating_duration_since(Instant::now())).await;
            }
        }
        Ok(self.take(most))
    }

    async fn acknowledge(&mut self, receipts: &[Receipt]) -> Result<(), QueueError> {
        self.change(Change::Remove, receipts).await
    }

    async fn extend(&mut self, receipts: &[Receipt]) -> Result<(), QueueError> {
        self.change(Change::Hold(self.visibility), receipts).await
    }

    async fn release(&mut self, receipts: &[Receipt]) -> Result<(), QueueError> {
        self.change(Change::Hold(0), receipts).await
    }
}

/// What is done to messages in hand.
#[derive(Debug, Clone, Copy)]
enum Change {
    Remove,
    /// For so many seconds from now; none: they are free.
    Hold(i32),
}

impl Change {
    const fn doing(self) -> &'static str {
        match self {
            Self::Remove => "remove acknowledged entries",
            Self::Hold(0) => "give entries back",
            Self::Hold(_) => "hold entries for longer",
        }
    }
}

impl SqsConsumer {
    /// Changes messages, in groups of as many as a request takes. Those that failed for a fault of SQS's own are tried again;
    /// a fault of the receipt (it is no longer valid) is none: its message is in other hands or gone.
    async fn change(&self, change: Change, receipts: &[Receipt]) -> Result<(), QueueError> {
        let mut seen = HashSet::new();
        let once: Vec<&str> =
            receipts.iter().map(|receipt| receipt.0.as_str()).filter(|receipt| seen.insert(*receipt)).collect();
        for group in once.chunks(GROUP) {
            let mut group = group.to_vec();
            for attempt in 1.. {
                let failed = self.request(change, &group).await?;
                let again: Vec<&str> = failed
                    .iter()
                    .filter(|failed| !failed.sender_fault)
                    .filter_map(|failed| group.get(failed.id.parse::<usize>().ok()?).copied())
                    .collect();
                if again.is_empty() {
                    break;
                }
                if attempt >= TRIES {
                    let code = failed.first().map_or_else(String::new, |failed| failed.code.clone());
                    return Err(QueueError::Unavailable { doing: change.doing(), source: code.into() });
                }
                group = again;
                sleep(PAUSE * attempt).await;
            }
        }
        Ok(())
    }

    /// One request for a group; what failed of it.
    async fn request(&self, change: Change, group: &[&str]) -> Result<Vec<BatchResultErrorEntry>, QueueError> {
        let doing = change.doing();
        let incomplete = |error: BuildError| QueueError::Unavailable { doing, source: error.into() };
        let numbered = group.iter().enumerate();
        match change {
            Change::Remove => {
                let entry = |(id, receipt): (usize, &&str)| {
                    DeleteMessageBatchRequestEntry::builder().id(id.to_string()).receipt_handle(*receipt).build()
                };
                let entries = numbered.map(entry).collect::<Result<Vec<_>, _>>().map_err(incomplete)?;
                let request = self.client.delete_message_batch().queue_url(&self.url).set_entries(Some(entries));
                Ok(request.send().await.map_err(unavailable(doing))?.failed)
            }
            Change::Hold(seconds) => {
                let entry = |(id, receipt): (usize, &&str)| {
                    ChangeMessageVisibilityBatchRequestEntry::builder()
                        .id(id.to_string())
                        .receipt_handle(*receipt)
                        .visibility_timeout(seconds)
                        .build()
                };
                let entries = numbered.map(entry).collect::<Result<Vec<_>, _>>().map_err(incomplete)?;
                let request =
                    self.client.change_message_visibility_batch().queue_url(&self.url).set_entries(Some(entries));
                Ok(request.send().await.map_err(unavailable(doing))?.failed)
            }
        }
    }
}
