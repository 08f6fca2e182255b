//! How long events are kept, as the processors tell it: the collector has no store to ask.

use std::sync::Arc;
use std::time::Duration;

use analytics_domain::SharedRetention;
use analytics_messaging::Queue;

/// How often it is looked up.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Keeps `shared` at what the queue was last told, for as long as it runs.
pub async fn follow(queue: Arc<dyn Queue>, shared: SharedRetention) {
    loop {
        match queue.told_retention().await {
            Ok(Some(retention)) => shared.set(retention),
            Ok(None) => {}
            // Each enqueue meets the same error and tells its client; here it would only repeat itself.
            Err(error) => tracing::debug!(%error, "the retention cannot be looked up"),
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
