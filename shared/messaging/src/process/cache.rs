//! The cache inside one process: bounded by bytes, forgetful by age.

use std::fmt;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use quick_cache::sync::Cache as QuickCache;
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};

use crate::cache::{Cache, CacheError};

/// What an entry takes beside key and value, about.
const ENTRY_OVERHEAD: u64 = 96;

/// The size of an entry that the first tables are laid out for; they grow.
const USUAL_ENTRY: u64 = 4_096;

/// Parts of the cache with a lock of their own; an entry larger than a part is not kept.
const SHARDS: usize = 4;

/// A value and its end.
#[derive(Debug, Clone)]
struct Kept {
    value: Bytes,
    until: Instant,
}

/// Counts an entry in bytes.
#[derive(Debug, Clone)]
struct ByBytes;

impl Weighter<String, Kept> for ByBytes {
    fn weight(&self, key: &String, kept: &Kept) -> u64 {
        key.len() as u64 + kept.value.len() as u64 + ENTRY_OVERHEAD
    }
}

/// Answers kept in this process's memory, at most so many bytes of them.
pub struct ProcessCache {
    entries: QuickCache<String, Kept, ByBytes, DefaultHashBuilder>,
}

impl fmt::Debug for ProcessCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessCache").field("bytes", &self.bytes()).finish_non_exhaustive()
    }
}

impl ProcessCache {
    /// An empty cache of at most `max_bytes`; entries of more than a quarter of that are not kept.
    #[must_use]
    pub fn new(max_bytes: u64) -> Self {
        let items = usize::try_from(max_bytes / USUAL_ENTRY).unwrap_or(usize::MAX).max(SHARDS);
        let mut options = OptionsBuilder::new();
        options.estimated_items_capacity(items).weight_capacity(max_bytes).shards(SHARDS);
        let entries = match options.build() {
            Ok(options) => {
                QuickCache::with_options(options, ByBytes, DefaultHashBuilder::default(), Default::default())
            }
            // Only where a required option is missing; the same sizes with the library's own number of parts.
            Err(_) => QuickCache::with_weighter(items, max_bytes, ByBytes),
        };
        Self { entries }
    }

    /// The bytes kept now.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.entries.weight()
    }
}

#[async_trait]
impl Cache for ProcessCache {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, CacheError> {
        let now = Instant::now();
        match self.entries.get(key) {
            Some(kept) if kept.until > now => Ok(Some(kept.value)),
            Some(_) => {
                // Only where it is still the old one: a fresh answer may have come in between.
                self.entries.remove_if(key, |kept| kept.until <= now);
                Ok(None)
            }
            None => Ok(None),
        }
    }

    async fn put(&self, key: &str, value: Bytes, lifetime: Duration) -> Result<(), CacheError> {
        if let Some(until) = Instant::now().checked_add(lifetime) {
            self.entries.insert(key.to_owned(), Kept { value, until });
        }
        Ok(())
    }

    async fn check(&self) -> Result<(), CacheError> {
        Ok(())
    }
}
