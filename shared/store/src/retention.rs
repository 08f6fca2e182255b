//! The retention that is in force: said by an operator, or what the store was last given.

use std::sync::Arc;
use std::time::Duration;

use analytics_domain::{Retention, SharedRetention};

use crate::{EventStore, StoreError};

/// How often those who follow look.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// The retention that an operator `said`, kept in the store for those who are not told; else what the store was last given,
/// else the default.
///
/// # Errors
/// The store's.
pub async fn settle(store: &dyn EventStore, said: Option<u32>) -> Result<Retention, StoreError> {
    match said {
        Some(days) => {
            store.set_retention(Retention { days }).await?;
            Ok(Retention { days })
        }
        None => Ok(store.retention().await?.unwrap_or_default()),
    }
}

/// Keeps `shared` at what the store was last given, for as long as it runs.
pub async fn follow(store: Arc<dyn EventStore>, shared: SharedRetention) {
    loop {
        match store.retention().await {
            Ok(Some(retention)) => shared.set(retention),
            Ok(None) => {}
            // The store's absence is told by all that need it; here it would only repeat itself.
            Err(error) => tracing::debug!(%error, "the retention cannot be looked up"),
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
