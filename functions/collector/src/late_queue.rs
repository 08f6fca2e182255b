//! A queue whose server may come up after the collector.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use analytics_domain::Retention;
use analytics_messaging::{
    Consumer, Durability, EnqueueError, Entry, Queue, QueueDepth, QueueError, ToldWriteKeys, WriteKey,
};
use async_trait::async_trait;

/// A queue that refuses everything until it has been opened.
///
/// The collector listens before its queue's server answers, so that whoever watches it sees 503 and its health instead of a
/// closed port.
#[derive(Clone, Default)]
pub struct LateQueue(Arc<OnceLock<Arc<dyn Queue>>>);

const NOT_YET: &str = "its server has not answered since the start";

impl LateQueue {
    /// One that is not open.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens it; a second time changes nothing.
    pub fn open(&self, queue: Arc<dyn Queue>) {
        let _ = self.0.set(queue);
    }

    fn get(&self, doing: &'static str) -> Result<&Arc<dyn Queue>, QueueError> {
        self.0.get().ok_or_else(|| QueueError::Unavailable { doing, source: NOT_YET.into() })
    }
}

#[async_trait]
impl Queue for LateQueue {
    async fn enqueue(&self, entry: Entry) -> Result<(), EnqueueError> {
        match self.0.get() {
            Some(queue) => queue.enqueue(entry).await,
            None => Err(EnqueueError::Unavailable { reason: NOT_YET.to_owned() }),
        }
    }

    async fn consumer(&self, name: &str) -> Result<Box<dyn Consumer>, QueueError> {
        self.get("hand out a consumer")?.consumer(name).await
    }

    async fn depth(&self) -> Result<QueueDepth, QueueError> {
        self.get("tell its depth")?.depth().await
    }

    async fn check(&self) -> Result<(), QueueError> {
        self.get("take entries")?.check().await
    }

    fn durability(&self) -> Durability {
        self.0.get().map_or(Durability::Unknown, |queue| queue.durability())
    }

    async fn tell_retention(&self, retention: Retention) -> Result<(), QueueError> {
        self.get("tell the retention")?.tell_retention(retention).await
    }

    async fn told_retention(&self) -> Result<Option<Retention>, QueueError> {
        self.get("look up the retention")?.told_retention().await
    }

    fn carries_write_keys(&self) -> bool {
        self.0.get().is_some_and(|queue| queue.carries_write_keys())
    }

    async fn tell_write_keys(&self, keys: &[WriteKey], holds: Duration) -> Result<(), QueueError> {
        self.get("tell the keys that send")?.tell_write_keys(keys, holds).await
    }

    async fn told_write_keys(&self) -> Result<Option<ToldWriteKeys>, QueueError> {
        self.get("look up the keys that send")?.told_write_keys().await
    }

    async fn tidy(&self) -> Result<(), QueueError> {
        self.get("tidy up")?.tidy().await
    }
}
