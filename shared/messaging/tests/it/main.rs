//! The contract of the ports, held by every adapter against real servers and files.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a test may panic and needs no docs")]

mod beds;
mod cache_contract;
mod embedded;
mod feed_contract;
mod queue_contract;
mod redis_feed;
mod redis_queue;
mod redis_setup;

queue_contract::stamp!(embedded_queue, crate::beds::EmbeddedBed);
queue_contract::stamp!(embedded_fast_queue, crate::beds::FastEmbeddedBed);
queue_contract::stamp!(redis_stream_queue, crate::beds::RedisBed);
feed_contract::stamp!(in_process_feed, crate::beds::ProcessFeedBed);
feed_contract::stamp!(redis_stream_feed, crate::beds::RedisFeedBed);
