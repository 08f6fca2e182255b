//! The retention that is in force: said by an operator, or what the store was last given.

use std::sync::Arc;
use std::time::Duration;

use analytics_domain::{Retention, SharedRetention};

use crate::{EventStore, StoreError};

/// How often those who follow look.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// The setting that tells whether an operator said the retention to the process that keeps to it.
const SAID: &str = "retention_said_by";

/// The setting that [`EventStore::set_retention`] writes.
const DAYS: &str = "retention_days";

/// Whether an operator said the retention to the process that deletes by it, when that was started: what the store is given then
/// holds until its next start only.
///
/// # Errors
/// The store's.
pub async fn is_said(store: &dyn EventStore) -> Result<bool, StoreError> {
    Ok(store.kept_setting(SAID).await?.is_some())
}

/// Takes away what the store was given.
///
/// # Errors
/// The store's.
pub async fn forget(store: &dyn EventStore) -> Result<(), StoreError> {
    store.keep_setting(DAYS, None).await
}

/// The retention that an operator `said`, kept in the store for those who are not told; else what the store was last given,
/// else the default.
///
/// # Errors
/// The store's.
pub async fn settle(store: &dyn EventStore, said: Option<u32>) -> Result<Retention, StoreError> {
    match said {
        Some(days) => {
            store.set_retention(Retention { days }).await?;
            store.keep_setting(SAID, Some("environment")).await?;
            Ok(Retention { days })
        }
        None => {
            store.keep_setting(SAID, None).await?;
            Ok(store.retention().await?.unwrap_or_default())
        }
    }
}

/// Keeps `shared` at what the store was last given, for as long as it runs.
pub async fn follow(store: Arc<dyn EventStore>, shared: SharedRetention) {
    loop {
        match store.retention().await {
            Ok(retention) => shared.set(retention.unwrap_or_default()),
            // The store's absence is told by all that need it; here it would only repeat itself.
            Err(error) => tracing::debug!(%error, "the retention cannot be looked up"),
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
