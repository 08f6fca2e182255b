//! The edge and what hangs on it, over real sockets.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    unreachable_pub,
    reason = "a test may panic and is no library"
)]

mod bodies;
mod drain;
mod harness;
mod pages;
mod refusals;
mod requests;
mod settings;
mod signals;
mod slowness;
