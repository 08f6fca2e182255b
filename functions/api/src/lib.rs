//! The API: answers questions about one project's events, the one its key belongs to.
//!
//! A question goes through one page of verbs ([`answering`]): check the key, look into the cache, ask the store, keep the
//! answer for a moment. Every route that asks compiles to the same question language, so there is one planner, one cache
//! key and one kind of error.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic"))]

pub mod answering;
mod boards;
pub mod dashboard;
pub mod dead_letters;
pub mod erasure;
pub mod events;
pub mod export;
mod files;
pub mod funnel;
pub mod integrity;
mod keys;
mod members;
pub mod meters;
pub mod openapi;
mod page_session;
pub mod paths;
pub mod problems;
pub mod properties;
pub mod query;
pub mod retention;
pub mod router;
mod saved;
pub mod sessions;
mod settings;
pub mod tracker;
mod views;

pub use router::{ApiDeps, router};
