//! The whole processor: its slots, the replay and the upkeep, started and stopped together.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use analytics_domain::{Retention, SharedRetention};
use analytics_host::clock::SharedClock;
use analytics_messaging::{Feed, Queue};
use analytics_store::EventStore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::drain::Drain;
use crate::meters::Meters;
use crate::work::Work;
use crate::{columns, replay, upkeep, write_keys};

/// What the operator set.
pub struct ProcessorSettings {
    /// The consumer's name, stable for this host and process; slots add their number.
    pub name: String,
    /// `CONCURRENCY`: transactions in flight.
    pub concurrency: usize,
    /// `BATCH_SIZE`: events after which a transaction is not kept waiting.
    pub batch_size: usize,
    /// `BATCH_LINGER_MS`: how long a transaction waits for so many events.
    pub linger: Duration,
    /// `VISIBILITY_SECONDS`: after which a dead worker's entries are handed out again.
    pub visibility: Duration,
    /// `DEDUPE_DAYS`: how long a client's id is remembered.
    pub dedupe_days: u32,
    /// How long events are kept: shared with whoever judges by it in the same process.
    pub retention: SharedRetention,
    /// Whether `RETENTION_DAYS` said it; else it follows what the store was last given.
    pub retention_is_set: bool,
    /// The clock.
    pub clock: SharedClock,
}

impl ProcessorSettings {
    /// The retention in force.
    #[must_use]
    pub fn retention(&self) -> Retention {
        self.retention.get()
    }

    /// A number that differs between slots and turns, to spread waits.
    #[must_use]
    pub(crate) fn spread(&self) -> u64 {
        static TURN: AtomicU64 = AtomicU64::new(0);
        TURN.fetch_add(617, Ordering::Relaxed).wrapping_add(self.clock.now().as_micros().unsigned_abs())
    }
}

/// A processor ready to run.
pub struct Processor {
    drain: Arc<Drain>,
}

impl Processor {
    /// Puts a processor together.
    #[must_use]
    pub fn new(
        queue: Arc<dyn Queue>,
        store: Arc<dyn EventStore>,
        feed: Option<Arc<dyn Feed>>,
        settings: ProcessorSettings,
    ) -> Self {
        let meters = Arc::new(Meters::new());
        let work = Work { store, feed, settings: Arc::new(settings), meters };
        Self { drain: Arc::new(Drain { queue, work }) }
    }

    /// Drains until `stopping` is cancelled, then finishes the transactions in flight and returns.
    pub async fn run(self, stopping: CancellationToken) {
        let mut tasks = JoinSet::new();
        for slot in 0..self.drain.work.settings.concurrency.max(1) {
            let (drain, stopping) = (Arc::clone(&self.drain), stopping.clone());
            tasks.spawn(async move { drain.run(slot, stopping).await });
        }
        let (drain, stop) = (Arc::clone(&self.drain), stopping.clone());
        tasks.spawn(async move { replay::run(&drain.work, stop).await });
        let (drain, stop) = (Arc::clone(&self.drain), stopping.clone());
        tasks.spawn(async move { upkeep::run(&drain, stop).await });
        let (drain, stop) = (Arc::clone(&self.drain), stopping.clone());
        tasks.spawn(async move { write_keys::run(&drain, stop).await });
        let (drain, stop) = (Arc::clone(&self.drain), stopping.clone());
        tasks.spawn(async move { columns::run(&drain.work, stop).await });
        let (drain, stop) = (Arc::clone(&self.drain), stopping.clone());
        tasks.spawn(async move { upkeep::watch(&drain, stop).await });
        info!(
            slots = self.drain.work.settings.concurrency,
            batch_size = self.drain.work.settings.batch_size,
            "the processor drains the queue"
        );
        while let Some(ended) = tasks.join_next().await {
            if let Err(failure) = ended
                && failure.is_panic()
            {
                // A slot that panicked leaves its entries to the visibility timeout; running on with fewer slots would
                // hide it, so the process stops and its supervisor starts it anew.
                error!("a task of the processor panicked; the processor stops");
                stopping.cancel();
            }
        }
        info!("the processor has stopped");
    }
}
