//! The queue on SQS.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use analytics_domain::Retention;
use async_trait::async_trait;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::ProvideErrorMetadata as _;
use aws_sdk_sqs::types::QueueAttributeName as Attribute;
use tokio::time::timeout;

use super::client::{client, told, unavailable};
use super::consumer::SqsConsumer;
use super::options::SqsOptions;
use super::parts::{Part, split};
use super::producer::Producer;
use crate::queue::{Consumer, Durability, EnqueueError, Entry, Queue, QueueDepth, QueueError};

/// How long looking the queue up may take.
const LOOK_UP: Duration = Duration::from_secs(2);

/// What every queue takes, where its own limit may not be asked for: the limit of queues made before August 2025.
const SAFE_LIMIT: usize = 256 << 10;

/// A standard queue of SQS.
#[derive(Debug)]
pub struct SqsQueue {
    client: Client,
    url: String,
    visibility: Duration,
    producer: Arc<Producer>,
    /// Entries and events that were enqueued here: their ratio is what the depth is estimated by.
    entries: AtomicU64,
    events: AtomicU64,
}

impl SqsQueue {
    /// Looks the queue up and learns how large its messages may be.
    ///
    /// # Errors
    /// [`QueueError::Misconfigured`] with the mend, where there is no such queue or it is a FIFO queue;
    /// [`QueueError::Unavailable`] where SQS does not answer within two seconds: to be tried again.
    pub async fn connect(options: SqsOptions) -> Result<Self, QueueError> {
        const DOING: &str = "be opened";
        let SqsOptions { queue_url: url, visibility, .. } = &options;
        if url.ends_with(".fifo") {
            return Err(QueueError::Misconfigured {
                problem: "SQS_QUEUE_URL names a FIFO queue, which takes 300 batches a second and no more".to_owned(),
                mend: "make a standard queue; events count once by their ids in any order".to_owned(),
            });
        }
        let client = client(&options).await;
        let wanted = [Attribute::MaximumMessageSize, Attribute::RedrivePolicy];
        let request = client.get_queue_attributes().queue_url(url).set_attribute_names(Some(wanted.to_vec()));
        let limit = match timeout(LOOK_UP, request.send()).await {
            Ok(Ok(answer)) => {
                let attributes = answer.attributes.unwrap_or_default();
                if !attributes.contains_key(&Attribute::RedrivePolicy) {
                    tracing::warn!(
                        queue = url,
                        "the queue has no redrive policy: an entry that kills its worker comes again until it expires; give the \
                         queue a dead-letter queue"
                    );
                }
                let limit = attributes.get(&Attribute::MaximumMessageSize).and_then(|limit| limit.parse().ok());
                limit.unwrap_or(SAFE_LIMIT)
            }
            Ok(Err(error)) => match error.code() {
                Some("AccessDenied" | "AccessDeniedException") => {
                    tracing::warn!(
                        queue = url,
                        "sqs:GetQueueAttributes is not allowed: messages are held to 256 KiB, and neither depth nor health can be \
                         told"
                    );
                    SAFE_LIMIT
                }
                Some("AWS.SimpleQueueService.NonExistentQueue" | "QueueDoesNotExist") => {
                    return Err(QueueError::Misconfigured {
                        problem: format!("SQS knows no queue {url}"),
                        mend: "set SQS_QUEUE_URL to the URL of one that is there, in the region that it is in"
                            .to_owned(),
                    });
                }
                _ => return Err(QueueError::Unavailable { doing: DOING, source: told(&error).into() }),
            },
            Err(elapsed) => return Err(QueueError::Unavailable { doing: DOING, source: elapsed.into() }),
        };
        tracing::info!(queue = url, message_bytes = limit, "queue opened");
        Ok(Self {
            producer: Arc::new(Producer::new(client.clone(), url.clone(), limit)),
            client,
            url: url.clone(),
            visibility: *visibility,
            entries: AtomicU64::new(0),
            events: AtomicU64::new(0),
        })
    }

    async fn attributes(
        &self,
        doing: &'static str,
        wanted: &[Attribute],
    ) -> Result<HashMap<Attribute, String>, QueueError> {
        let request = self.client.get_queue_attributes().queue_url(&self.url);
        let asking = request.set_attribute_names(Some(wanted.to_vec())).send();
        match timeout(LOOK_UP, asking).await {
            Ok(answer) => Ok(answer.map_err(unavailable(doing))?.attributes.unwrap_or_default()),
            Err(elapsed) => Err(QueueError::Unavailable { doing, source: elapsed.into() }),
        }
    }

    /// What so many entries hold, as far as the entries that were enqueued here tell.
    fn estimate(&self, batches: u64) -> u64 {
        let (entries, events) = (self.entries.load(Ordering::Relaxed), self.events.load(Ordering::Relaxed));
        if entries == 0 { batches } else { (u128::from(batches) * u128::from(events) / u128::from(entries)) as u64 }
    }
}

#[async_trait]
impl Queue for SqsQueue {
    async fn enqueue(&self, entry: Entry) -> Result<(), EnqueueError> {
        let parts = split(&entry.payload, entry.events, self.producer.limit());
        let bodies: Vec<String> = parts.iter().filter_map(|part| part.body.clone()).collect();
        let mut answers = self.producer.send(bodies)?.into_iter();
        let mut outcomes: Vec<(&Part, Result<(), String>)> = Vec::with_capacity(parts.len());
        for part in &parts {
            let outcome = match part.body.as_ref().and_then(|_| answers.next()) {
                Some(answer) => answer.await.unwrap_or_else(|_| Err("the queue is shutting down".to_owned())),
                None => Err(format!("a message may have {} bytes, and an event has more", self.producer.limit())),
            };
            outcomes.push((part, outcome));
        }
        let reason = outcomes.iter().find_map(|(_, outcome)| outcome.as_ref().err().cloned());
        let taken = outcomes.iter().filter(|(_, outcome)| outcome.is_ok()).count() as u64;
        self.entries.fetch_add(taken, Ordering::Relaxed);
        let lost: Vec<u32> = outcomes
            .iter()
            .filter(|(_, outcome)| outcome.is_err())
            .flat_map(|(part, _)| part.events.clone())
            .filter_map(|place| u32::try_from(place).ok())
            .collect();
        let stored = u64::from(entry.events).saturating_sub(lost.len() as u64);
        self.events.fetch_add(stored, Ordering::Relaxed);
        match reason {
            None => Ok(()),
            Some(reason) if taken == 0 => Err(EnqueueError::Unavailable { reason }),
            Some(reason) => Err(EnqueueError::Partial { lost, reason }),
        }
    }

    async fn consumer(&self, _name: &str) -> Result<Box<dyn Consumer>, QueueError> {
        Ok(Box::new(SqsConsumer::new(self.client.clone(), self.url.clone(), self.visibility)))
    }

    async fn depth(&self) -> Result<QueueDepth, QueueError> {
        let wanted = [
            Attribute::ApproximateNumberOfMessages,
            Attribute::ApproximateNumberOfMessagesNotVisible,
            Attribute::ApproximateNumberOfMessagesDelayed,
        ];
        let attributes = self.attributes("tell its depth", &wanted).await?;
        let count = |name| attributes.get(name).and_then(|count| count.parse::<u64>().ok()).unwrap_or(0);
        let batches = wanted.iter().map(count).sum();
        Ok(QueueDepth { batches, events: self.estimate(batches), by_project: None, oldest: None })
    }

    async fn check(&self) -> Result<(), QueueError> {
        self.attributes("take entries", &[Attribute::QueueArn]).await.map(drop)
    }

    fn durability(&self) -> Durability {
        // A message is stored on several servers before SQS answers.
        Durability::Durable
    }

    async fn tell_retention(&self, _: Retention) -> Result<(), QueueError> {
        Ok(())
    }

    async fn told_retention(&self) -> Result<Option<Retention>, QueueError> {
        Ok(None)
    }

    async fn tidy(&self) -> Result<(), QueueError> {
        Ok(())
    }
}
