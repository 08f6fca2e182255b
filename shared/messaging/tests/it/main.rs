//! The contract of the ports, held by every adapter against real servers and files.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a test may panic and needs no docs")]

mod beds;
mod cache_contract;
mod embedded;
mod feed_contract;
mod load;
mod queue_contract;
mod queue_stamp;
mod redis_cluster;
mod redis_feed;
mod redis_queue;
mod redis_sentinel;
mod redis_setup;
mod redis_shards;
mod sqs_batches;
mod sqs_consumer;
mod sqs_queue;

queue_stamp::stamp!(embedded_queue, crate::beds::EmbeddedBed);
queue_stamp::stamp!(embedded_fast_queue, crate::beds::FastEmbeddedBed);
queue_stamp::stamp!(redis_stream_queue, crate::beds::RedisBed);
queue_stamp::stamp!(sharded_redis_queue, crate::beds::ShardedRedisBed);
queue_stamp::stamp!(redis_cluster_queue, crate::beds::RedisClusterBed<1>);
queue_stamp::stamp!(sharded_redis_cluster_queue, crate::beds::RedisClusterBed<4>);
queue_stamp::stamp!(sqs_queue_of_moto, crate::beds::SqsBed, of_a_service);
feed_contract::stamp!(in_process_feed, crate::beds::ProcessFeedBed);
feed_contract::stamp!(redis_stream_feed, crate::beds::RedisFeedBed);
feed_contract::stamp!(redis_cluster_feed, crate::beds::RedisClusterFeedBed);
