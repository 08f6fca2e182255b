//! The port `EventStore` and its adapters: PostgreSQL with or without TimescaleDB, and SQLite.
//!
//! Every adapter returns the same rows for the same question; the contract suite (`contract`) holds them to it.

pub mod event_store;

pub use event_store::{
    DayCounts, DeadLetterPage, Drift, Edition, EventStore, FailedEvent, Ingest, IngestBatch, Integrity, Maintenance,
    ProjectState, StoreError, Upkeep,
};
