//! Producers and consumers that go on while something happens to the servers.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use analytics_messaging::redis::RedisQueue;
use analytics_messaging::{Queue, Receipt};
use tokio::task::JoinSet;

use crate::beds::entry;

/// Eight producers and two consumers of a queue.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    producers: JoinSet<(BTreeSet<String>, u64)>,
    consumers: JoinSet<BTreeSet<String>>,
    queue: Arc<RedisQueue>,
}

/// What a load ended with.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) answered: BTreeSet<String>,
    pub(crate) refused: u64,
    pub(crate) delivered: BTreeSet<String>,
}

impl Account {
    /// What was answered and never came out.
    pub(crate) fn lost(&self) -> Vec<&String> {
        self.answered.difference(&self.delivered).collect()
    }
}

impl Load {
    pub(crate) async fn start(queue: Arc<RedisQueue>) -> Self {
        let (stop, answered): (Arc<AtomicBool>, Arc<AtomicU64>) = Default::default();
        let mut producers = JoinSet::new();
        for producer in 0..8 {
            let (queue, stop, answered) = (Arc::clone(&queue), Arc::clone(&stop), Arc::clone(&answered));
            producers.spawn(async move {
                let (mut taken, mut refused) = (BTreeSet::new(), 0);
                for index in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let text = format!("{producer}-{index}");
                    // A refused one is not sent again: what matters here is what was answered.
                    match queue.enqueue(entry("default", 1, &text)).await {
                        Ok(()) => {
                            answered.fetch_add(1, Ordering::Relaxed);
                            taken.insert(text);
                        }
                        Err(_) => {
                            refused += 1;
                            tokio::time::sleep(Duration::from_millis(20)).await;
                        }
                    }
                }
                (taken, refused)
            });
        }
        let mut consumers = JoinSet::new();
        for slot in 0..2 {
            let (queue, stop) = (Arc::clone(&queue), Arc::clone(&stop));
            consumers.spawn(async move {
                let mut seen = BTreeSet::new();
                let mut consumer = queue.consumer(&format!("slot-{slot}")).await.unwrap();
                while !stop.load(Ordering::Relaxed) {
                    let Ok(held) = consumer.receive(20, Duration::from_millis(200)).await else { continue };
                    let receipts: Vec<Receipt> = held.iter().map(|delivery| delivery.receipt.clone()).collect();
                    seen.extend(held.iter().map(|delivery| String::from_utf8(delivery.payload.to_vec()).unwrap()));
                    let _ = consumer.acknowledge(&receipts).await;
                }
                seen
            });
        }
        Self { stop, answered, producers, consumers, queue }
    }

    /// Waits until so many more were answered.
    pub(crate) async fn more(&self, count: u64, limit: Duration) {
        let (started, before) = (Instant::now(), self.answered.load(Ordering::Relaxed));
        while self.answered.load(Ordering::Relaxed) < before + count {
            assert!(started.elapsed() < limit, "no {count} more were answered within {limit:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Ends it, drains what is left, and gives the account; the queue is empty then.
    pub(crate) async fn end(self) -> Account {
        self.stop.store(true, Ordering::Relaxed);
        let (mut answered, mut refused) = (BTreeSet::new(), 0);
        for (taken, not_taken) in self.producers.join_all().await {
            answered.extend(taken);
            refused += not_taken;
        }
        let mut delivered: BTreeSet<String> = self.consumers.join_all().await.into_iter().flatten().collect();
        let mut consumers = Vec::new();
        for slot in 0..2 {
            consumers.push(self.queue.consumer(&format!("slot-{slot}")).await.unwrap());
        }
        let started = Instant::now();
        loop {
            for consumer in &mut consumers {
                let Ok(held) = consumer.receive(200, Duration::from_millis(300)).await else { continue };
                let receipts: Vec<Receipt> = held.iter().map(|delivery| delivery.receipt.clone()).collect();
                delivered.extend(held.iter().map(|delivery| String::from_utf8(delivery.payload.to_vec()).unwrap()));
                let _ = consumer.acknowledge(&receipts).await;
            }
            match self.queue.depth().await {
                Ok(depth) if depth.batches == 0 => {
                    assert_eq!(depth.events, 0, "the count is exact");
                    return Account { answered, refused, delivered };
                }
                outcome => assert!(started.elapsed() < Duration::from_secs(30), "still {outcome:?}"),
            }
        }
    }
}
