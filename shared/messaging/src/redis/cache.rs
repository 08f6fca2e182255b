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

/// Over how many slots of a cluster answers are spread; each costs a connection.
const PARTS: u32 = 8;

/// Answers kept in a Redis server under `PREFIX:cache:`, in a cluster under `{PREFIX:cache:N}:`; the server's own
/// `maxmemory` bounds them.
#[derive(Debug)]
pub struct RedisCache {
    /// With the beginning of their keys.
    parts: Vec<(Link, String)>,
}

impl RedisCache {
    /// A cache that connects with its first use: a server that is away costs answers their speed, not the start-up.
    ///
    /// # Errors
    /// [`QueueError::Misconfigured`] where the URL cannot be read.
    pub fn new(endpoint: &RedisEndpoint, key_prefix: &str) -> Result<Self, QueueError> {
        let route = endpoint.route(&format!("{key_prefix}:cache:0"))?;
        if !route.is_cluster() {
            return Ok(Self { parts: vec![(Link::new(route, TIMEOUT), format!("{key_prefix}:cache:"))] });
        }
        let part = |number| {
            let tag = format!("{key_prefix}:cache:{number}");
            Ok((Link::new(endpoint.route(&tag)?, TIMEOUT), format!("{{{tag}}}:")))
        };
        Ok(Self { parts: (0..PARTS).map(part).collect::<Result<_, _>>()? })
    }

    /// Where a key lies, and its full name there.
    fn place(&self, key: &str) -> (&Link, String) {
        // FNV-1a: the same in every process and every build.
        let hash = key.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        let (link, prefix) = &self.parts[hash as usize % self.parts.len()];
        (link, format!("{prefix}{key}"))
    }
}

fn failed(source: RedisError) -> CacheError {
    CacheError { source: source.into() }
}

#[async_trait]
impl Cache for RedisCache {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, CacheError> {
        let (link, key) = self.place(key);
        link.run(async |mut connection| redis::cmd("GET").arg(&key).query_async(&mut connection).await)
            .await
            .map_err(failed)
    }

    async fn put(&self, key: &str, value: Bytes, lifetime: Duration) -> Result<(), CacheError> {
        let Some(millis) = u64::try_from(lifetime.as_millis()).ok().filter(|millis| *millis > 0) else { return Ok(()) };
        let (link, key) = self.place(key);
        link.run(async |mut connection| {
            redis::cmd("SET").arg(&key).arg(&value[..]).arg("PX").arg(millis).query_async(&mut connection).await
        })
        .await
        .map_err(failed)
    }

    async fn check(&self) -> Result<(), CacheError> {
        for (link, _) in &self.parts {
            link.run(async |mut connection| redis::cmd("PING").query_async::<()>(&mut connection).await)
                .await
                .map_err(failed)?;
        }
        Ok(())
    }
}
