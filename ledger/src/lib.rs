//! The ledger: whether every acknowledged event is stored exactly once, whatever is killed meanwhile.
//!
//! Many clients send batches whose ids they chose themselves, and write into a [`book`] what each request was answered.
//! Meanwhile a seeded [`schedule`] kills programs and servers and starts them again. Afterwards the [`audit`] reads
//! everything back and balances it against the book: nothing acknowledged is missing, nothing is there twice, nothing is
//! there that nobody sent, every payload is what was sent, and the rollups agree with the raw rows. A request without an
//! answer leaves its events open: each may be there once or not at all.
//!
//! It knows the system through HTTP only, and links none of its code but the time type.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic"))]

pub mod audit;
pub mod book;
pub mod deployment;
pub mod event;
pub mod load;
pub mod report;
pub mod run;
pub mod schedule;

pub use deployment::{Form, Programs};
pub use report::Report;
pub use run::{LedgerError, Settings, run};
