//! The verb enqueue: a batch becomes durable, or is not accepted.

use std::sync::atomic::{AtomicI64, Ordering};

use analytics_domain::RejectionCode;
use analytics_messaging::{EnqueueError, Entry};
use tokio::time::timeout;

use crate::collect::Collector;
use crate::refusal::Refusal;

/// Makes a batch of accepted events durable. Gives back which of them, by their place in the batch, were lost: most often
/// none; some where a queue takes a large batch in parts and not all of them.
pub(crate) async fn events(collector: &Collector, entry: Entry) -> Result<Vec<u32>, Refusal> {
    let events = entry.events;
    match enqueue(collector, entry).await {
        Ok(()) => {
            collector.meters.queued(events);
            Ok(Vec::new())
        }
        Err(Some(EnqueueError::Partial { lost, reason })) => {
            let told = EnqueueError::Unavailable { reason };
            collector.complaints.tell(collector.clock.now().as_millis(), Some(&told));
            collector.meters.queued(events.saturating_sub(u32::try_from(lost.len()).unwrap_or(u32::MAX)));
            collector.meters.refused(RejectionCode::NotQueued.as_str(), lost.len() as u64);
            Ok(lost)
        }
        Err(source) => {
            collector.complaints.tell(collector.clock.now().as_millis(), source.as_ref());
            Err(Refusal::QueueUnavailable { events: events as usize, source })
        }
    }
}

/// Sends the counts of a body of which every event was refused. They are worth a try and no more: no event is lost with
/// them, and the client's answer is the same.
pub(crate) async fn counts(collector: &Collector, entry: Entry) {
    if let Err(error) = enqueue(collector, entry).await {
        let error = error.map(|error| error.to_string());
        tracing::debug!(error, "the counts of a refused body were not queued");
    }
}

async fn enqueue(collector: &Collector, entry: Entry) -> Result<(), Option<EnqueueError>> {
    match timeout(collector.limits.enqueue_time, collector.queue.enqueue(entry)).await {
        Ok(answer) => answer.map_err(Some),
        Err(_) => Err(None),
    }
}

/// Tells the log once a second that the queue fails, however many requests meet it.
#[derive(Debug, Default)]
pub(crate) struct Complaints {
    last_millis: AtomicI64,
}

impl Complaints {
    fn tell(&self, now_millis: i64, error: Option<&EnqueueError>) {
        let last = self.last_millis.load(Ordering::Relaxed);
        let due = now_millis.saturating_sub(last) >= 1_000;
        let mine =
            due && self.last_millis.compare_exchange(last, now_millis, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if mine {
            let error = error.map_or_else(|| "no answer in time".to_owned(), ToString::to_string);
            tracing::error!(error, "batches are not accepted: the queue does not take them; told once a second");
        }
    }
}
