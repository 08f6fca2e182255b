//! The port `EventStore` and its adapters: PostgreSQL with or without TimescaleDB, and SQLite.
//!
//! Every adapter returns the same rows for the same question; the contract suite (`tests/it`) holds them to it.
//!
//! An event counts once because its id is remembered in a table of its own, written first in the transaction that stores the
//! event; see `settlement` for what one transaction decides and the migrations for what it writes to.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic"))]

pub mod answer;
pub mod cardinality;
mod erasure;
pub mod event_store;
pub mod footprint;
mod migration;
#[cfg(feature = "postgres")]
pub mod postgres;
mod project_store;
mod refresh;
pub mod retention;
mod settlement;
#[cfg(feature = "sqlite")]
pub mod sqlite;

pub use answer::{AnswerError, Prepared, answer, ask, prepare};
pub use cardinality::Cardinality;
pub use event_store::{
    DayCounts, DeadLetterPage, Drift, Edition, Erasure, EventStore, FailedEvent, Ingest, IngestBatch, Inquiry,
    Integrity, Listed, Maintenance, OnRow, ProjectState, Reading, Refreshed, ReplicaReport, StoreError, Upkeep,
};
pub use footprint::{Footprint, Keeping};
pub use project_store::{
    ItemKind, KeyScope, MOST_WRITE_KEYS, ProjectStore, SavedItem, SecretDigest, SessionEntry, StoredKey,
};
