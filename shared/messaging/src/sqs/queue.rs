//! The adapter behind the port.

use std::sync::Arc;
use std::time::Duration;

use analytics_domain::Retention;
use async_trait::async_trait;
use aws_sdk_sqs::types::QueueAttributeName as Name;

use super::attributes::{Setup, check, inspect, sum};
use super::consumer::SqsConsumer;
use super::link::Link;
use super::options::SqsOptions;
use super::producer::Producer;
use crate::queue::{Consumer, Durability, EnqueueError, Entry, Queue, QueueDepth, QueueError};
use crate::write_keys::{ToldWriteKeys, WriteKey};

/// What counts a message that lies in the queue: waiting, handed out, or not yet to be handed out.
const COUNTS: [Name; 3] = [
    Name::ApproximateNumberOfMessages,
    Name::ApproximateNumberOfMessagesNotVisible,
    Name::ApproximateNumberOfMessagesDelayed,
];

/// A queue on Amazon SQS.
#[derive(Debug)]
pub struct SqsQueue {
    link: Arc<Link>,
    producer: Arc<Producer>,
    setup: Setup,
    visibility: Duration,
}

impl SqsQueue {
    /// Looks at the queue, refuses one that cannot work, and warns of what is unwise about it.
    ///
    /// # Errors
    /// [`QueueError::Misconfigured`] with the mend, [`QueueError::Unavailable`] where SQS does not answer within two seconds
    /// or does not let these credentials in: to be tried again.
    pub async fn connect(options: SqsOptions) -> Result<Self, QueueError> {
        let link = Arc::new(Link::new(&options).await?);
        let setup = inspect(&link).await?;
        let producer = Arc::new(Producer::new(Arc::clone(&link), setup.size_max));
        tracing::info!(queue = link.queue_url, size_max = setup.size_max, "queue opened");
        Ok(Self { link, producer, setup, visibility: options.visibility })
    }
}

#[async_trait]
impl Queue for SqsQueue {
    async fn enqueue(&self, entry: Entry) -> Result<(), EnqueueError> {
        self.producer.add(entry).await
    }

    /// The name means nothing here: SQS knows receipts and no consumers, so what a dead one held comes back after the
    /// visibility timeout.
    async fn consumer(&self, _name: &str) -> Result<Box<dyn Consumer>, QueueError> {
        Ok(Box::new(SqsConsumer::new(Arc::clone(&self.link), self.visibility)))
    }

    /// About: SQS counts its messages approximately and its events not at all. They are taken to be as many a message as
    /// this process has seen on average.
    async fn depth(&self) -> Result<QueueDepth, QueueError> {
        let attributes =
            self.link.attributes(&COUNTS).await.map_err(|fault| fault.while_it_should("tell its depth"))?;
        let batches = sum(&attributes, &COUNTS);
        Ok(QueueDepth { batches, events: self.link.mean.events_of(batches), by_project: None, oldest: None })
    }

    async fn check(&self) -> Result<(), QueueError> {
        check(&self.link, self.setup).await.map_err(|fault| fault.while_it_should("take entries"))
    }

    /// SQS keeps a message in several places before it answers.
    fn durability(&self) -> Durability {
        Durability::Durable
    }

    /// SQS carries messages and nothing beside them; collectors are told by their own setting.
    async fn tell_retention(&self, _retention: Retention) -> Result<(), QueueError> {
        Ok(())
    }

    async fn told_retention(&self) -> Result<Option<Retention>, QueueError> {
        Ok(None)
    }

    fn carries_write_keys(&self) -> bool {
        false
    }

    async fn tell_write_keys(&self, _keys: &[WriteKey], _holds: Duration) -> Result<(), QueueError> {
        Ok(())
    }

    async fn told_write_keys(&self) -> Result<Option<ToldWriteKeys>, QueueError> {
        Ok(None)
    }

    /// SQS tidies up by itself.
    async fn tidy(&self) -> Result<(), QueueError> {
        Ok(())
    }
}
