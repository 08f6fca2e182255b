//! Dead letters that somebody asked to be tried again.

use std::borrow::Cow;
use std::time::Duration;

use analytics_domain::{Batch, DeadLetter};
use analytics_host::failure::causes as cause;
use analytics_store::{FailedEvent, Ingest, IngestBatch, StoreError};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::poison::find_refused;
use crate::work::Work;

/// How often requests are looked for.
const PERIOD: Duration = Duration::from_secs(1);

/// Dead letters tried in one turn.
const A_TURN: u32 = 100;

/// Looks for requests and tries each dead letter once, until told to stop.
pub async fn run(work: &Work, stopping: CancellationToken) {
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            () = tokio::time::sleep(PERIOD) => {}
        }
        match replay(work).await {
            Ok(0) => {}
            Ok(tried) => info!(tried, "dead letters were tried again"),
            Err(error) => {
                warn!(error = %error, cause = cause(&error), "dead letters could not be tried again; they stay asked for")
            }
        }
    }
}

/// Tries the dead letters that are asked for; returns how many.
///
/// # Errors
/// The store's, where it is away: the requests stay.
pub async fn replay(work: &Work) -> Result<usize, StoreError> {
    let letters = work.store.replay_requests(A_TURN).await?;
    for letter in &letters {
        replay_one(work, letter).await?;
    }
    Ok(letters.len())
}

/// One dead letter in one transaction: it goes, and its event is stored, counted as a duplicate or as expired, or becomes
/// a dead letter anew. An entry that cannot be read yet stays what it is.
async fn replay_one(work: &Work, letter: &DeadLetter) -> Result<(), StoreError> {
    let (store, retention, now) = (work.store.as_ref(), work.settings.retention(), work.settings.clock.now());
    let batch = match Batch::decode(&letter.payload) {
        Ok(batch) => batch,
        Err(error) => {
            let mut again = letter.clone();
            again.reason.code = error.code().into();
            again.reason.message = error.to_string();
            again.attempts += 1;
            again.last_failed_at = now;
            again.replay_requested = false;
            let ingest = Ingest { batches: Vec::new(), unreadable: vec![again], replayed: vec![letter.id] };
            return store.ingest(&ingest, retention, now).await.map(|_| ());
        }
    };
    let mut failed: Vec<FailedEvent> = Vec::new();
    loop {
        let attempt = letter.attempts.saturating_add(1);
        let again = IngestBatch { batch: Cow::Borrowed(&batch), failed: failed.clone(), attempt };
        let ingest = Ingest { batches: vec![again], unreadable: Vec::new(), replayed: vec![letter.id] };
        match store.ingest(&ingest, retention, now).await {
            Ok(outcomes) => {
                work.meters.replayed(&outcomes);
                return Ok(());
            }
            Err(error @ StoreError::Data { .. }) => {
                let refused = find_refused(store, &batch, &failed, retention, now).await?;
                if refused.is_empty() {
                    return Err(error);
                }
                failed.extend(refused);
                failed.sort_by_key(|event| event.index);
            }
            Err(error) => return Err(error),
        }
    }
}
