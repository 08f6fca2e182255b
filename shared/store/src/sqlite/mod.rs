//! The store of the single process: one SQLite file, written by one connection, read by a few.
//!
//! Write-ahead log with `synchronous=FULL`: a commit that returned survives a power cut. Readers never wait for the writer.

mod blocks;
mod columns;
mod connection;
mod copy;
mod dead_letters;
mod erasure;
mod fault;
mod footprint;
mod ingest;
mod integrity;
mod projects;
mod rollups;
mod rows;
mod select;
mod store;
mod upkeep;

pub use copy::copy;
pub use store::{SqliteOptions, SqliteStore};
