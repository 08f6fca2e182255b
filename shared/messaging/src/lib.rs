//! The ports between the roles, and their adapters.
//!
//! - [`Queue`] takes accepted batches and gives each to a processor at least once.
//! - [`Feed`] tells the realtime role what was stored; it may forget, the queue may not.
//! - [`Cache`] keeps answers for seconds; it may forget at any time.
//!
//! Which adapter stands behind a port is chosen at run time by what is configured; which are compiled in is a cargo
//! feature (`redis`, `embedded`, `sqs`).

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic"))]

pub mod cache;
#[cfg(feature = "embedded")]
pub mod embedded;
pub mod feed;
pub mod process;
pub mod queue;
#[cfg(any(feature = "embedded", feature = "redis", feature = "sqs"))]
mod reason;
#[cfg(feature = "redis")]
pub mod redis;
mod ring;
#[cfg(feature = "sqs")]
pub mod sqs;
pub mod write_keys;

pub use cache::{Cache, CacheError};
pub use feed::{Feed, FeedCursor, FeedError, FeedItem, FeedMessage, FeedSubscription, Resume};
pub use queue::{Consumer, Delivery, Durability, EnqueueError, Entry, Queue, QueueDepth, QueueError, Receipt};
pub use write_keys::{ToldWriteKeys, WriteKey};
