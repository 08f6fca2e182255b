//! The store on PostgreSQL 15 and later, with or without TimescaleDB.
//!
//! One transaction of events: begin with the transaction's limits, a look which ids are known, those that are not written
//! down, the fresh rows written (many by a binary COPY, few by a statement), one statement for all that is counted,
//! two more where a day gets a new value, commit. A call that is dropped half-way closes
//! its connection: nothing of it is stored, and no later call meets its leftovers.

mod blocks;
mod chunks;
mod columns;
mod connection;
mod copy;
mod database;
mod dead_letters;
mod edition;
mod erasure;
mod fault;
mod footprint;
mod ingest;
mod insert;
mod integrity;
mod known_sessions;
mod link;
mod new_values;
mod numeric;
mod partitions;
mod projects;
mod replica;
mod select;
mod settings;
mod store;
mod upkeep;
mod values;

pub use connection::{PostgresOptions, StatementCache};
pub use database::create_database;
pub use store::PostgresStore;
