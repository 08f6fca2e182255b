//! Finding the events that the store refuses, without splitting a batch over transactions.
//!
//! The store tries parts of the batch and rolls each try back ([`EventStore::probe`]); halving finds one refused event
//! among n in at most 2 log2(n) tries. The batch is then stored whole, the refused events as dead letters.

use std::borrow::Cow;

use analytics_domain::{Batch, DeadLetterReason, Retention, Timestamp};
use analytics_store::{EventStore, FailedEvent, Ingest, IngestBatch, StoreError};

/// Refused events found by halving before the rest of a batch is tried one by one.
const MOST_BY_HALVING: usize = 32;

/// The events of a batch that the store refuses, sorted by index, each with its reason; `known` are not tried again.
///
/// # Errors
/// [`StoreError::Unavailable`] and its like; never [`StoreError::Data`].
pub async fn find_refused(
    store: &dyn EventStore,
    batch: &Batch<'_>,
    known: &[FailedEvent],
    retention: Retention,
    now: Timestamp,
) -> Result<Vec<FailedEvent>, StoreError> {
    let candidates: Vec<usize> =
        (0..batch.events.len()).filter(|index| known.iter().all(|failed| failed.index != *index)).collect();
    let mut refused = Vec::new();
    // Parts still to be tried, the first events last so that they are taken first.
    let mut parts = vec![candidates];
    while let Some(part) = parts.pop() {
        if part.is_empty() {
            continue;
        }
        let Err(error) = try_part(store, batch, &part, retention, now).await else { continue };
        let StoreError::Data { sqlstate, message } = error else { return Err(error) };
        if let [index] = part[..] {
            let reason = DeadLetterReason { code: "data_error".into(), sqlstate: Some(sqlstate), message };
            refused.push(FailedEvent { index, reason });
        } else if refused.len() < MOST_BY_HALVING {
            let (first, second) = part.split_at(part.len() / 2);
            parts.push(second.to_vec());
            parts.push(first.to_vec());
        } else {
            parts.extend(part.iter().rev().map(|index| vec![*index]));
        }
    }
    refused.sort_by_key(|failed| failed.index);
    Ok(refused)
}

async fn try_part(
    store: &dyn EventStore,
    batch: &Batch<'_>,
    part: &[usize],
    retention: Retention,
    now: Timestamp,
) -> Result<(), StoreError> {
    let trial = Batch {
        id: batch.id,
        project: batch.project.clone(),
        received_at: batch.received_at,
        refused: Vec::new(),
        context: None,
        events: part.iter().map(|index| batch.events[*index].clone()).collect(),
    };
    let trial = IngestBatch { batch: Cow::Owned(trial), failed: Vec::new(), attempt: 1 };
    store.probe(&Ingest { batches: vec![trial], ..Ingest::default() }, retention, now).await
}
