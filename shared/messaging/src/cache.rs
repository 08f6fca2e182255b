//! The port `Cache`: answers kept for seconds.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use thiserror::Error;

/// Why the cache failed; a caller computes the answer instead.
#[derive(Debug, Error)]
#[error("the cache is unavailable")]
pub struct CacheError {
    /// The driver's error.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// Keeps bytes by key for a time; it may forget at any time, and holds a bounded amount.
///
/// Keys name the project, so that no answer crosses from one to another.
#[async_trait]
pub trait Cache: Send + Sync {
    /// What was put under `key`, unless its time has passed.
    async fn get(&self, key: &str) -> Result<Option<Bytes>, CacheError>;

    /// Keeps `value` under `key` for at most `lifetime`.
    async fn put(&self, key: &str, value: Bytes, lifetime: Duration) -> Result<(), CacheError>;

    /// Whether the cache answers now; within two seconds.
    async fn check(&self) -> Result<(), CacheError>;
}
