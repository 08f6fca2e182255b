//! What a process needs around its router: settings, logs, metrics, health, the HTTP edge, keys, shutdown.
//!
//! Roles hand in a router and a list of checks; everything that is the same for all of them is here, and only here: how a
//! setting is read and refused, how a connection is accepted and drained, what `/health` and `/metrics` look like.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic"))]

pub mod body;
pub mod client;
pub mod clock;
pub mod config;
pub mod cors;
mod dispatch;
pub mod edge;
pub mod failure;
pub mod health;
pub mod keys;
#[cfg(feature = "lambda")]
pub mod lambda;
pub mod late;
pub mod metrics;
pub mod opening;
pub mod problem;
pub mod program;
pub mod serve;
pub mod shutdown;
pub mod telemetry;
