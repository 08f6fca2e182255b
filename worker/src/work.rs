//! What is done with queue entries, however they came: store them, count them, tell of them.

use std::sync::Arc;
use std::time::Instant;

use analytics_messaging::{Delivery, Feed};
use analytics_store::{EventStore, StoreError};

use crate::meters::Meters;
use crate::process_batch::{Processed, process_batch};
use crate::processor::ProcessorSettings;
use crate::publish::publish;

/// The store and whatever else entries meet; the same for a drain loop and a function.
pub struct Work {
    /// Where events go.
    pub store: Arc<dyn EventStore>,
    /// Who is told; nobody, where there is no live feed.
    pub feed: Option<Arc<dyn Feed>>,
    /// What the operator set.
    pub settings: Arc<ProcessorSettings>,
    /// What is counted.
    pub meters: Arc<Meters>,
}

impl Work {
    /// Stores entries and counts them.
    ///
    /// # Errors
    /// Those of [`process_batch`]: nothing may be acknowledged then.
    pub async fn store<'a>(&self, deliveries: &'a [Delivery]) -> Result<Processed<'a>, StoreError> {
        let (retention, clock) = (self.settings.retention(), &self.settings.clock);
        let began = Instant::now();
        let stored = process_batch(self.store.as_ref(), deliveries, retention, clock.now()).await;
        match &stored {
            Ok(processed) => self.meters.processed(processed, began.elapsed(), clock.now()),
            Err(_) => self.meters.store_failed(),
        }
        stored
    }

    /// Tells the live feed what was stored, where there is one.
    pub async fn publish(&self, processed: &Processed<'_>) {
        if let Some(feed) = &self.feed {
            publish(feed.as_ref(), processed).await;
        }
    }
}
