//! Queue, feed and cache on Redis 7.0 and later.
//!
//! The queue is one stream with one consumer group and, beside it, a hash that counts its events a project; or several such
//! pairs, its shards, each with a hash tag of its own. Both of a pair change in one step, so that the count is exact over any
//! crash: acknowledgements in scripts, never in MULTI, which a server at its memory limit refuses as a whole. The feed is a
//! capped stream a project; all of it has one hash tag.
//!
//! What has one hash tag lies on one server, so a `link::Link` leads to one server: always the same, or the one that
//! sentinels call the master, or the node of a cluster that has the slot. The latter two are looked up when it connects.

mod address;
mod admission;
mod cache;
mod consumer;
mod endpoint;
mod examination;
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
pub use examination::RedisExamination;
pub use feed::RedisFeed;
pub use options::RedisOptions;
pub use queue::RedisQueue;
