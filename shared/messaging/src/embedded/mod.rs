//! The queue of the single process: one SQLite file, written by one thread.
//!
//! Requests that wait together share a transaction and its flush (group commit), and each is answered after it. Entries
//! and how often each was handed out live in the file; who holds what, and the depth, live in memory and are rebuilt at
//! open, so that the leases of a dead process end with it.

mod access;
mod file;
mod ledger;
mod mailbox;
mod options;
mod queue;
mod writer;

pub use options::EmbeddedOptions;
pub use queue::EmbeddedQueue;
