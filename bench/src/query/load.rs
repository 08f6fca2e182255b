//! Events into a store, as processors put them there, and the columns made of them.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use analytics_domain::{Batch, Event, Project};
use analytics_store::{EventStore, Ingest, IngestBatch};
use tokio::sync::{Mutex, mpsc};
use uuid::Uuid;

use super::visits::{Visits, now};
use super::{RETENTION, SEED};
use crate::Outcome;

/// Events of a transaction.
const A_BATCH: usize = 5_000;
/// Batches that wait for a writer.
const WAITING: usize = 4;

/// How long it took, in seconds.
#[derive(Debug, Clone, Copy)]
pub struct Loaded {
    /// Until all events were stored.
    pub stored: f64,
    /// Then, until all columns were made.
    pub columns: f64,
}

/// Stores the events through so many writers, then makes columns until nothing is left.
pub async fn load(store: &Arc<dyn EventStore>, events: u64, writers: usize) -> Outcome<Loaded> {
    let began = Instant::now();
    let (sender, receiver) = mpsc::channel(WAITING);
    let generator = std::thread::spawn(move || {
        let mut visits = Visits::new(SEED, events);
        loop {
            let batch: Vec<Event<'static>> = visits.by_ref().take(A_BATCH).collect();
            if batch.is_empty() || sender.blocking_send(batch).is_err() {
                return;
            }
        }
    });
    let receiver = Arc::new(Mutex::new(receiver));
    let mut running = Vec::new();
    for _ in 0..writers {
        running.push(tokio::spawn(write(Arc::clone(store), Arc::clone(&receiver))));
    }
    for writer in running {
        writer.await?.map_err(|error| -> Box<dyn std::error::Error> { error.into() })?;
    }
    generator.join().map_err(|_| "the generator of events panicked")?;
    let stored = began.elapsed().as_secs_f64();
    while store.refresh().await?.left {}
    Ok(Loaded { stored, columns: began.elapsed().as_secs_f64() - stored })
}

type Waiting = Arc<Mutex<mpsc::Receiver<Vec<Event<'static>>>>>;

/// Stores batches until no more come.
async fn write(store: Arc<dyn EventStore>, waiting: Waiting) -> Result<(), String> {
    loop {
        let Some(events) = waiting.lock().await.recv().await else { return Ok(()) };
        let received_at = events.last().map_or(now(), |event| event.timestamp);
        let batch = Batch {
            id: Uuid::new_v4(),
            project: Project::default(),
            received_at,
            refused: Vec::new(),
            context: None,
            events,
        };
        let batch = IngestBatch { batch: Cow::Owned(batch), failed: Vec::new(), attempt: 1 };
        let work = Ingest { batches: vec![batch], ..Ingest::default() };
        store.ingest(&work, RETENTION, now()).await.map_err(|error| format!("events were not stored: {error:?}"))?;
    }
}
