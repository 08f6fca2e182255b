//! What has to be done now and then: retention, forgotten ids, chunks made ahead, leftovers of crashes in the queue.

use std::time::Duration;

use analytics_host::failure::causes as cause;
use analytics_store::Maintenance;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::drain::Drain;
use crate::work::Work;

/// How often the store and the queue are tended.
const PERIOD: Duration = Duration::from_secs(300);

/// How often figures are looked up for the metrics.
const FIGURES: Duration = Duration::from_secs(1);

/// Tends store and queue at once, then every five minutes, until told to stop.
pub async fn run(drain: &Drain, stopping: CancellationToken) {
    loop {
        tend(drain).await;
        tokio::select! {
            () = stopping.cancelled() => return,
            () = tokio::time::sleep(PERIOD) => {}
        }
    }
}

/// Tends store and queue once; failures are logged, the next turn tries again.
pub async fn tend(drain: &Drain) {
    follow_retention(&drain.work).await;
    if let Err(error) = drain.queue.tell_retention(drain.work.settings.retention()).await {
        warn!(error = %error, cause = cause(&error), "the retention could not be told to the collectors; trying again later");
    }
    tend_store(&drain.work).await;
    if let Err(error) = drain.queue.tidy().await {
        warn!(error = %error, cause = cause(&error), "the queue could not be tidied; trying again later");
    }
}

/// Tends the store once: drops what is too old, makes chunks ahead.
pub async fn tend_store(work: &Work) {
    let settings = &work.settings;
    let maintenance =
        Maintenance { now: settings.clock.now(), retention: settings.retention(), dedupe_days: settings.dedupe_days };
    match work.store.maintain(maintenance).await {
        Ok(upkeep) if upkeep == analytics_store::Upkeep::default() => {}
        Ok(upkeep) => info!(
            raw_dropped = upkeep.raw_dropped,
            ids_dropped = upkeep.ids_dropped,
            made = upkeep.made,
            compressed = upkeep.compressed,
            "the store was tended"
        ),
        Err(error) => warn!(error = %error, cause = cause(&error), "the store could not be tended; trying again later"),
    }
}

/// Learns the retention from the store, where no setting says it.
pub async fn follow_retention(work: &Work) {
    if !work.settings.retention_is_set
        && let Ok(retention) = work.store.retention().await
    {
        work.settings.retention.set(retention.unwrap_or_default());
    }
}

/// Keeps the gauges that only a look-up can tell: dead letters, and the lag of an empty queue.
pub async fn watch(drain: &Drain, stopping: CancellationToken) {
    loop {
        if let Ok(count) = drain.work.store.dead_letter_count().await {
            drain.work.meters.dead_letters(count);
        }
        if let Ok(depth) = drain.queue.depth().await {
            drain.work.meters.queue(&depth);
        }
        tokio::select! {
            () = stopping.cancelled() => return,
            () = tokio::time::sleep(FIGURES) => {}
        }
    }
}
