//! The realtime role on real sockets, over the real feeds.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]
#![allow(clippy::print_stderr, reason = "figures are told to whoever runs a test by hand")]

mod access;
mod crowd;
mod ending;
mod events;
mod grammar;
mod live;
mod program;
mod replicas;
mod resume;
mod server;
mod slow;
mod socket;
mod stream;
