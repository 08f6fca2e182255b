//! Telling the collectors which keys of the store send: they have no store to ask.

use analytics_host::failure::causes as cause;
use analytics_messaging::write_keys::{HOLDS, TELL_EVERY, TELLING_TIME};
use analytics_messaging::{Queue, QueueError, WriteKey};
use analytics_store::{EventStore, StoreError};
use thiserror::Error;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::drain::Drain;

/// Why they were not told.
#[derive(Debug, Error)]
enum Untold {
    #[error("the keys that send cannot be read")]
    Store(#[from] StoreError),
    #[error("the keys that send cannot be told")]
    Queue(#[from] QueueError),
    #[error("the keys that send could not be told within {} s", TELLING_TIME.as_secs())]
    TooSlow,
}

/// Tells them every few seconds, until told to stop; nothing where the queue carries no such word.
pub async fn run(drain: &Drain, stopping: CancellationToken) {
    if !drain.queue.carries_write_keys() {
        return;
    }
    let mut turns = tokio::time::interval(TELL_EVERY);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_told = true;
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            _ = turns.tick() => {}
        }
        let told = tokio::time::timeout(TELLING_TIME, tell(drain.work.store.as_ref(), drain.queue.as_ref())).await;
        match told.unwrap_or(Err(Untold::TooSlow)) {
            Ok(()) if is_told => {}
            Ok(()) => info!("the collectors are told again which keys send"),
            // Once: while a server is away, every other part of the processor says so too.
            Err(error) if is_told => {
                warn!(
                    error = %error, cause = cause(&error),
                    "the collectors are not told which keys send; they go on with what they know, trying again"
                );
                is_told = false;
                continue;
            }
            Err(_) => continue,
        }
        is_told = true;
    }
}

/// Tells them once.
async fn tell(store: &dyn EventStore, queue: &dyn Queue) -> Result<(), Untold> {
    let keys = store.write_keys().await?;
    let keys: Vec<_> = keys.into_iter().map(|(digest, project)| WriteKey { digest, project }).collect();
    Ok(queue.tell_write_keys(&keys, HOLDS).await?)
}

#[cfg(test)]
mod tests {
    use analytics_messaging::write_keys::MOST_WRITE_KEYS;

    #[test]
    fn every_key_that_the_store_takes_can_be_told() {
        assert!(analytics_store::MOST_WRITE_KEYS as usize <= MOST_WRITE_KEYS);
    }
}
