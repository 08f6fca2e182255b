//! One slot of the processor: gather, process, publish, acknowledge.

use std::sync::Arc;
use std::time::Duration;

use analytics_host::failure::causes as cause;
use analytics_messaging::{Consumer, Delivery, Queue, Receipt};
use analytics_store::StoreError;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::backoff::Backoff;
use crate::gather::Gatherer;
use crate::process_batch::Processed;
use crate::work::Work;

/// What every slot works with.
pub struct Drain {
    /// Where entries come from.
    pub queue: Arc<dyn Queue>,
    /// What is done with them.
    pub work: Work,
}

impl Drain {
    /// Drains until told to stop; what is in hand then is finished, or released where the store is away.
    pub async fn run(&self, slot: usize, stopping: CancellationToken) {
        let name = format!("{}-{slot}", self.work.settings.name);
        let mut backoff = Backoff::default();
        while !stopping.is_cancelled() {
            match self.queue.consumer(&name).await {
                Ok(mut consumer) => {
                    backoff = Backoff::default();
                    if let Err(error) = self.drain(consumer.as_mut(), &stopping).await {
                        warn!(consumer = name, error = %error, cause = cause(&error), "the queue cannot be read; trying again");
                    }
                }
                Err(error) => {
                    warn!(consumer = name, error = %error, cause = cause(&error), "the queue cannot be reached; trying again")
                }
            }
            pause(backoff.next_wait(self.work.settings.spread()), &stopping).await;
        }
    }

    /// Repeats the verbs until told to stop or until the queue fails.
    async fn drain(
        &self,
        consumer: &mut dyn Consumer,
        stopping: &CancellationToken,
    ) -> Result<(), analytics_messaging::QueueError> {
        let mut gatherer = Gatherer::new(self.work.settings.batch_size, self.work.settings.linger);
        while !stopping.is_cancelled() {
            let deliveries = gatherer.gather(consumer, events_of).await?;
            if deliveries.is_empty() {
                continue;
            }
            let receipts: Vec<Receipt> = deliveries.iter().map(|delivery| delivery.receipt.clone()).collect();
            #[cfg(feature = "fault-ack-before-commit")]
            consumer.acknowledge(&receipts).await?;
            let Some(processed) = self.process(consumer, &deliveries, &receipts, stopping).await else {
                return consumer.release(&receipts).await;
            };
            self.work.publish(&processed).await;
            consumer.acknowledge(&receipts).await?;
        }
        Ok(())
    }

    /// Processes entries, trying again for as long as the store is away; `None` where it is told to stop meanwhile.
    async fn process<'a>(
        &self,
        consumer: &mut dyn Consumer,
        deliveries: &'a [Delivery],
        receipts: &[Receipt],
        stopping: &CancellationToken,
    ) -> Option<Processed<'a>> {
        let mut backoff = Backoff::default();
        loop {
            match self.process_held(consumer, deliveries, receipts).await {
                Ok(processed) => {
                    if backoff.failures() > 0 {
                        info!(tries = backoff.failures() + 1, "the store takes events again");
                    }
                    return Some(processed);
                }
                Err(error) => {
                    let wait = backoff.next_wait(self.work.settings.spread());
                    warn!(
                        error = %error, cause = cause(&error), entries = deliveries.len(), wait_ms = wait.as_millis() as u64,
                        "events could not be stored; they stay in the queue and are tried again"
                    );
                    if !self.hold(consumer, receipts, wait, stopping).await {
                        return None;
                    }
                }
            }
        }
    }

    /// Processes entries while their visibility timeout is started anew, so that no other worker takes them.
    async fn process_held<'a>(
        &self,
        consumer: &mut dyn Consumer,
        deliveries: &'a [Delivery],
        receipts: &[Receipt],
    ) -> Result<Processed<'a>, StoreError> {
        let mut work = std::pin::pin!(self.work.store(deliveries));
        let mut renew = tokio::time::interval(self.work.settings.visibility / 3);
        renew.tick().await;
        loop {
            tokio::select! {
                done = &mut work => return done,
                _ = renew.tick() => extend(consumer, receipts).await,
            }
        }
    }

    /// Waits with the entries in hand; `false` where it is told to stop meanwhile.
    async fn hold(
        &self,
        consumer: &mut dyn Consumer,
        receipts: &[Receipt],
        wait: Duration,
        stopping: &CancellationToken,
    ) -> bool {
        extend(consumer, receipts).await;
        pause(wait, stopping).await;
        !stopping.is_cancelled()
    }
}

/// A lost extension is harmless: another worker may take the entries, and only one of the two stores them.
async fn extend(consumer: &mut dyn Consumer, receipts: &[Receipt]) {
    if let Err(error) = consumer.extend(receipts).await {
        warn!(error = %error, cause = cause(&error), "the visibility timeout of entries in hand could not be renewed");
    }
}

/// Waits, or less where told to stop.
async fn pause(wait: Duration, stopping: &CancellationToken) {
    tokio::select! {
        () = tokio::time::sleep(wait) => {}
        () = stopping.cancelled() => {}
    }
}

/// How many events an entry holds, for the size of a transaction; an unreadable one counts as one.
fn events_of(delivery: &Delivery) -> usize {
    analytics_domain::envelope::count_events(&delivery.payload).unwrap_or(1)
}
