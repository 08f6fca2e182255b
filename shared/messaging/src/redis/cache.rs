//! The cache in Redis.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use redis::RedisError;

use super::endpoint::RedisEndpoint;
use super::link::Link;
use crate::cache::{Cache, CacheError};
use crate::queue::QueueError;

/// How long an answer may wait for the cache before it is computed instead.
const TIMEOUT: Duration = Duration::from_millis(500);

/// Answers kept in a Redis server under `PREFIX:cache:`; the server's own `maxmemory` bounds them.
#[derive(Debug)]
pub struct RedisCache {
    link: Link,
    prefix: String,
}

impl RedisCache {
    /// A cache that connects with its first use: a server that is away costs answers their speed, not the start-up.
    ///
    /// # Errors
    /// [`QueueError::Misconfigured`] where the URL cannot be read.
    pub fn new(endpoint: &RedisEndpoint, key_prefix: &str) -> Result<Self, QueueError> {
        Ok(Self { link: Link::new(endpoint.client()?, TIMEOUT), prefix: format!("{key_prefix}:cache:") })
    }
}

fn failed(source: RedisError) -> CacheError {
    CacheError { source: source.into() }
}

#[async_trait]
impl Cache for RedisCache {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, CacheError> {
        let key = format!("{}{key}", self.prefix);
        self.link
            .run(async |mut connection| redis::cmd("GET").arg(key).query_async(&mut connection).await)
            .await
            .map_err(failed)
    }

    async fn put(&self, key: &str, value: Bytes, lifetime: Duration) -> Result<(), CacheError> {
        let Some(millis) = u64::try_from(lifetime.as_millis()).ok().filter(|millis| *millis > 0) else { return Ok(()) };
        let key = format!("{}{key}", self.prefix);
        self.link
            .run(async |mut connection| {
                redis::cmd("SET").arg(key).arg(&value[..]).arg("PX").arg(millis).query_async(&mut connection).await
            })
            .await
            .map_err(failed)
    }

    async fn check(&self) -> Result<(), CacheError> {
        self.link
            .run(async |mut connection| redis::cmd("PING").query_async::<()>(&mut connection).await)
            .await
            .map_err(failed)
    }
}
