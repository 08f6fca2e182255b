//! The processor: drains the queue into the store, each event exactly once.
//!
//! A slot of the processor repeats one page of verbs ([`mod@drain`]): gather whole queued batches, process them in one
//! transaction, publish what is new, acknowledge. Only the acknowledgement takes an entry from the queue, and it comes
//! after the commit: a crash anywhere before it brings the entry again, and the events' ids make that harmless.
//!
//! - [`mod@processor`] runs `CONCURRENCY` slots, the replay of dead letters and the upkeep until told to stop.
//! - [`mod@function`] is the same work invoked by Lambda: a queue's messages, or the tick of a schedule.
//! - [`mod@process_batch`] is one transaction's work: decode, ingest, and where the store refuses an event, find it.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic"))]

pub mod backoff;
pub mod columns;
pub mod drain;
#[cfg(feature = "program")]
pub mod function;
pub mod gather;
pub mod meters;
pub mod poison;
pub mod process_batch;
pub mod processor;
pub mod publish;
pub mod replay;
pub mod upkeep;
pub mod work;
pub mod write_keys;

pub use process_batch::{Processed, ProcessedBatch, process_batch};
pub use processor::{Processor, ProcessorSettings};
