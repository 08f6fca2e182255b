//! What a queue's servers are like, looked at without a change to any.

use std::collections::BTreeSet;

use redis::InfoDict;

use super::link::Link;
use super::options::RedisOptions;
use super::queue::{RedisQueue, TIMEOUT, unavailable};
use super::setup::inspect;
use super::shards::{Keys, most_ever, tag, weaker};
use crate::queue::{Durability, QueueError};

/// What was found of the servers of a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisExamination {
    /// Host and port, or how the server is found.
    pub address: String,
    /// What an answered entry survives on the weakest of them.
    pub durability: Durability,
    /// How many streams processors drain: the most that there ever were.
    pub shards: usize,
    /// On how many servers these lie.
    pub servers: usize,
    /// How many replicas the server with the fewest has.
    pub replicas: u32,
    /// Whether another server takes over from one that dies, and is then found.
    pub fails_over: bool,
}

impl RedisQueue {
    /// Looks at the servers that a queue with these options would use, and makes nothing there.
    ///
    /// # Errors
    /// As for [`RedisQueue::connect`].
    pub async fn examine(options: &RedisOptions) -> Result<RedisExamination, QueueError> {
        const DOING: &str = "be looked at";
        let (prefix, address) = (&options.key_prefix, options.endpoint.address());
        let mut found = RedisExamination {
            address: address.clone(),
            durability: Durability::Durable,
            shards: options.shards,
            servers: 0,
            replicas: u32::MAX,
            fails_over: false,
        };
        let (mut number, mut servers) = (0, BTreeSet::new());
        while number < found.shards {
            let tag = tag(prefix, number);
            let route = options.endpoint.route(&tag)?;
            found.fails_over = route.is_search();
            let link = Link::new(route, TIMEOUT);
            let durability = inspect(&link, &address, options.durability_required).await?;
            found.durability = weaker(found.durability, durability);
            if number == 0 {
                let ever = most_ever(&link, &Keys::new(&tag)).await.map_err(unavailable(DOING))?;
                found.shards = found.shards.max(ever);
            }
            let info: InfoDict = link
                .run(async |mut connection| {
                    redis::cmd("INFO").arg(&["server", "replication"]).query_async(&mut connection).await
                })
                .await
                .map_err(unavailable(DOING))?;
            servers.insert(info.get::<String>("run_id").unwrap_or_default());
            found.replicas = found.replicas.min(info.get("connected_slaves").unwrap_or(0));
            number += 1;
        }
        found.servers = servers.len();
        Ok(found)
    }
}
