//! Queue, feed and cache on Redis 7.0 and later.
//!
//! The queue is one stream with one consumer group and, beside it, a hash that counts its events a project. Both change
//! in scripts only, so that the count is exact over any crash; never in MULTI, which a server at its memory limit refuses
//! as a whole, acknowledgements too. The feed is a capped stream a project. Keys of one port share a hash tag.

mod address;
mod admission;
mod cache;
mod consumer;
mod endpoint;
mod feed;
mod feed_entry;
mod feed_reader;
mod link;
mod options;
mod producer;
mod queue;
mod reply;
mod route;
mod script;
mod setup;
mod shards;
mod streams;

pub use cache::RedisCache;
pub use endpoint::RedisEndpoint;
pub use feed::RedisFeed;
pub use options::RedisOptions;
pub use queue::RedisQueue;
