//! One transaction's work: queue entries in, outcomes out.
//!
//! The same function serves the drain loop and any other way in which entries come: it knows no queue.

use std::borrow::Cow;

use analytics_domain::{
    Batch, BatchOutcome, DeadLetter, DeadLetterReason, EnvelopeError, EventOutcome, Project, Retention, Timestamp,
};
use analytics_messaging::Delivery;
use analytics_store::{EventStore, FailedEvent, Ingest, IngestBatch, StoreError};
use tracing::warn;
use uuid::Uuid;

use crate::poison::find_refused;

/// How often an entry may come again before it is processed in a transaction of its own: whatever stopped the worker
/// then stops no innocent neighbour.
const ALONE_FROM_ATTEMPT: u32 = 3;

/// What became of the entries: all of them are in the store's care now and can be acknowledged.
#[derive(Debug, Default)]
pub struct Processed<'a> {
    /// The batches that could be read, in the entries' order.
    pub batches: Vec<ProcessedBatch<'a>>,
    /// How many entries could not be read and lie among the dead letters.
    pub unreadable: usize,
}

/// A batch and what became of its events.
#[derive(Debug)]
pub struct ProcessedBatch<'a> {
    /// The batch, borrowing from its entry.
    pub batch: Batch<'a>,
    /// How often its entry was handed out.
    pub attempt: u32,
    /// One outcome an event.
    pub outcome: BatchOutcome,
}

impl Processed<'_> {
    /// How many events ended as `outcome`.
    #[must_use]
    pub fn count(&self, outcome: EventOutcome) -> usize {
        self.batches.iter().map(|batch| batch.outcome.count(outcome)).sum()
    }

    /// How many events the batches held.
    #[must_use]
    pub fn events(&self) -> usize {
        self.batches.iter().map(|batch| batch.batch.events.len()).sum()
    }
}

/// Stores queue entries: whole batches together in one transaction, the refused and the unreadable as dead letters.
///
/// # Errors
/// Only those that a later try may mend ([`StoreError::Unavailable`], [`StoreError::Schema`]): nothing may be
/// acknowledged then. A part of the entries may be stored already; trying all again is harmless.
pub async fn process_batch<'a>(
    store: &dyn EventStore,
    deliveries: &'a [Delivery],
    retention: Retention,
    now: Timestamp,
) -> Result<Processed<'a>, StoreError> {
    let mut processed = Processed::default();
    let mut together = Work::default();
    let mut alone = Vec::new();
    for delivery in deliveries {
        match Batch::decode(&delivery.payload) {
            Ok(batch) if delivery.attempt >= ALONE_FROM_ATTEMPT => alone.push((batch, delivery.attempt)),
            Ok(batch) => together.batches.push((batch, delivery.attempt)),
            Err(error) => {
                processed.unreadable += 1;
                together.unreadable.push(unreadable(delivery, &error, now));
            }
        }
    }
    match store_together(store, &together, retention, now).await {
        Ok(outcomes) => processed.take(together.batches, outcomes),
        // One event of the transaction is refused: each batch gets a transaction of its own, and only the one with the
        // refused event pays for finding it.
        Err(StoreError::Data { .. }) => {
            store_unreadable(store, together.unreadable, retention, now).await?;
            alone.splice(0..0, together.batches);
        }
        Err(error) => return Err(error),
    }
    for (batch, attempt) in alone {
        let outcome = store_alone(store, &batch, attempt, retention, now).await?;
        processed.batches.push(ProcessedBatch { batch, attempt, outcome });
    }
    Ok(processed)
}

/// Batches for one transaction, and entries that could not be read.
#[derive(Debug, Default)]
struct Work<'a> {
    batches: Vec<(Batch<'a>, u32)>,
    unreadable: Vec<DeadLetter>,
}

impl<'a> Processed<'a> {
    fn take(&mut self, batches: Vec<(Batch<'a>, u32)>, outcomes: Vec<BatchOutcome>) {
        let pairs = batches.into_iter().zip(outcomes);
        self.batches.extend(pairs.map(|((batch, attempt), outcome)| ProcessedBatch { batch, attempt, outcome }));
    }
}

async fn store_together(
    store: &dyn EventStore,
    work: &Work<'_>,
    retention: Retention,
    now: Timestamp,
) -> Result<Vec<BatchOutcome>, StoreError> {
    if work.batches.is_empty() && work.unreadable.is_empty() {
        return Ok(Vec::new());
    }
    let batches = work.batches.iter().map(|(batch, attempt)| ingest_batch(batch, Vec::new(), *attempt)).collect();
    let ingest = Ingest { batches, unreadable: work.unreadable.clone(), replayed: Vec::new() };
    store.ingest(&ingest, retention, now).await
}

async fn store_unreadable(
    store: &dyn EventStore,
    unreadable: Vec<DeadLetter>,
    retention: Retention,
    now: Timestamp,
) -> Result<(), StoreError> {
    if !unreadable.is_empty() {
        store.ingest(&Ingest { unreadable, ..Ingest::default() }, retention, now).await?;
    }
    Ok(())
}

/// Stores one batch in a transaction of its own; where an event is refused, finds it and stores the rest.
async fn store_alone(
    store: &dyn EventStore,
    batch: &Batch<'_>,
    attempt: u32,
    retention: Retention,
    now: Timestamp,
) -> Result<BatchOutcome, StoreError> {
    let mut failed = Vec::new();
    loop {
        let ingest = Ingest { batches: vec![ingest_batch(batch, failed.clone(), attempt)], ..Ingest::default() };
        let (sqlstate, message) = match store.ingest(&ingest, retention, now).await {
            Ok(outcomes) => return Ok(outcomes.into_iter().next().unwrap_or_default()),
            Err(StoreError::Data { sqlstate, message }) => (sqlstate, message),
            Err(error) => return Err(error),
        };
        if failed.len() == batch.events.len() {
            // Not even an empty shell of this batch is taken: the whole entry is put aside.
            let reason = DeadLetterReason { code: "data_error".into(), sqlstate: Some(sqlstate), message };
            let letter = put_aside(batch.project.clone(), batch.encode(), reason, attempt, now);
            store_unreadable(store, vec![letter], retention, now).await?;
            return Ok(BatchOutcome { events: vec![EventOutcome::DeadLettered; batch.events.len()] });
        }
        let mut refused = find_refused(store, batch, &failed, retention, now).await?;
        if refused.is_empty() {
            // Each event alone is taken and all together are not: no event can be named, so none may be lost.
            let reason = DeadLetterReason { code: "data_error".into(), sqlstate: Some(sqlstate), message };
            let all = 0..batch.events.len();
            refused = all.map(|index| FailedEvent { index, reason: reason.clone() }).collect();
            failed.clear();
        }
        warn!(
            batch = %batch.id, project = %batch.project, events = batch.events.len(), refused = refused.len(),
            sqlstate = refused.first().and_then(|event| event.reason.sqlstate.as_deref()),
            "the store refuses events of a batch; they become dead letters and the rest is stored"
        );
        failed.extend(refused);
        failed.sort_by_key(|event| event.index);
    }
}

fn ingest_batch<'a>(batch: &'a Batch<'a>, failed: Vec<FailedEvent>, attempt: u32) -> IngestBatch<'a> {
    IngestBatch { batch: Cow::Borrowed(batch), failed, attempt }
}

/// The dead letter of an entry that is no batch of ours.
fn unreadable(delivery: &Delivery, error: &EnvelopeError, now: Timestamp) -> DeadLetter {
    warn!(
        bytes = delivery.payload.len(),
        code = error.code(),
        "a queue entry cannot be read; it becomes a dead letter"
    );
    let reason = DeadLetterReason { code: error.code().into(), sqlstate: None, message: error.to_string() };
    put_aside(Project::default(), delivery.payload.to_vec(), reason, delivery.attempt, now)
}

/// A dead letter of a whole entry.
fn put_aside(
    project: Project,
    payload: Vec<u8>,
    reason: DeadLetterReason,
    attempts: u32,
    now: Timestamp,
) -> DeadLetter {
    DeadLetter {
        // The same entry delivered again is the same dead letter: its id is made from its bytes.
        id: Uuid::new_v5(&Uuid::NAMESPACE_OID, &payload),
        project,
        event_id: None,
        payload,
        reason,
        attempts,
        first_failed_at: now,
        last_failed_at: now,
        replay_requested: false,
    }
}
