//! The contract of the port `EventStore`, held against every adapter on real servers and files.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod answering;
mod contract;
mod oracle;
mod partitions;
mod pooler;
mod postgres;
mod replica;
mod sqlite;
