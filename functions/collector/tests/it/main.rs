//! The collector over real sockets, with real queues behind it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod bombs;
mod cors;
mod enrichment;
mod function;
mod limits;
mod made_keys;
mod program;
mod queue_down;
mod refusals;
mod running;
mod shapes;
