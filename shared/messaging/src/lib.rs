//! The ports between the roles, and their adapters.
//!
//! - [`Queue`] takes accepted batches and gives each to a processor at least once.
//! - [`Feed`] tells the realtime role what was stored; it may forget, the queue may not.
//! - [`Cache`] keeps answers for seconds; it may forget at any time.
//!
//! Which adapter stands behind a port is chosen at run time by what is configured; which are compiled in is a cargo
//! feature (`redis`, `embedded`).

pub mod cache;
pub mod feed;
pub mod queue;

pub use cache::{Cache, CacheError};
pub use feed::{Feed, FeedCursor, FeedError, FeedItem, FeedMessage, FeedSubscription, Resume};
pub use queue::{Consumer, Delivery, Durability, EnqueueError, Entry, Queue, QueueDepth, QueueError, Receipt};
