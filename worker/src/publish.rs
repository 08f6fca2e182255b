//! Telling the feed what was stored.

use std::time::Duration;

use analytics_domain::EventOutcome;
use analytics_host::failure::causes;
use analytics_messaging::Feed;
use futures::future::join_all;
use tracing::warn;

use crate::process_batch::{Processed, ProcessedBatch};

/// How long the feed may take: after it the batch is acknowledged all the same, since the store has it.
const PATIENCE: Duration = Duration::from_secs(2);

/// Publishes the events that a transaction stored; of a redelivered batch also those that were stored before, since the
/// worker that stored them may have died before it told. Readers drop what they have shown.
///
/// A failure is logged and not returned: the feed may forget, counts come from the store.
pub async fn publish(feed: &dyn Feed, processed: &Processed<'_>) {
    let told = processed.batches.iter().map(|batch| async move {
        let events: Vec<_> = batch
            .batch
            .events
            .iter()
            .zip(&batch.outcome.events)
            .filter(|(_, outcome)| is_news(batch, **outcome))
            .map(|(event, _)| event.clone())
            .collect();
        if events.is_empty() {
            return Ok(());
        }
        feed.publish(&batch.batch.project, batch.batch.received_at, &events).await
    });
    match tokio::time::timeout(PATIENCE, join_all(told)).await {
        Ok(results) => {
            if let Some(Err(error)) = results.into_iter().find(Result::is_err) {
                warn!(error = %error, cause = causes(&error), "stored events were not told to the live feed");
            }
        }
        Err(_) => {
            warn!(seconds = PATIENCE.as_secs(), "the live feed takes too long; stored events were not told to it")
        }
    }
}

fn is_news(batch: &ProcessedBatch<'_>, outcome: EventOutcome) -> bool {
    outcome == EventOutcome::Stored || batch.attempt > 1 && outcome == EventOutcome::Duplicate
}
