//! PostgreSQL servers of the editions that the store supports.
//!
//! A test takes a fresh database of a server that all tests of its process share ([`database`]); a test that kills or
//! reconfigures the server starts one of its own ([`PostgresServer::start`]). The servers sort by English rules and live
//! in an odd time zone, so that a query which forgets `COLLATE "C"` or leans on the session's zone is caught.

mod database;
mod edition;
mod pooler;
mod server;
mod template;

pub use database::{Database, database, shared};
pub use edition::{Edition, SERVERS_FOLDER_VARIABLE, TIMESCALE_PROGRAMS_VARIABLE, servers_folder};
pub use pooler::Pooler;
pub use server::{PostgresOptions, PostgresServer};
