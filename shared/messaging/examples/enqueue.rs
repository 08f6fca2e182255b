//! How many entries a second a queue takes, alone and while it is drained.
//!
//! `cargo run --release -p analytics-messaging --example enqueue -- embedded FOLDER [durable|fast]`
//! `cargo run --release -p analytics-messaging --example enqueue -- redis redis://127.0.0.1:6379`
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "a measurement talks and may panic")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use analytics_domain::Project;
use analytics_messaging::{Durability, EnqueueError, Entry, Queue};
use bytes::Bytes;

const TIME: Duration = Duration::from_secs(5);

/// What one measurement saw.
struct Figures {
    taken: u64,
    drained: u64,
    seconds: f64,
    median: Duration,
    p99: Duration,
}

/// Text that looks like events and does not repeat byte for byte.
fn payload(events: u32, salt: u64) -> Bytes {
    (0..events)
        .flat_map(|index| format!("{index:08}{salt:016x}").into_bytes().into_iter().chain([b'x'; 196]))
        .collect::<Vec<u8>>()
        .into()
}

async fn measure(queue: &Arc<dyn Queue>, callers: usize, events: u32, consumers: usize) -> Figures {
    let (stop, taken, drained) =
        (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let started = Instant::now();
    let mut producers = Vec::new();
    for caller in 0..callers {
        let (queue, stop, taken) = (Arc::clone(queue), Arc::clone(&stop), Arc::clone(&taken));
        producers.push(tokio::spawn(async move {
            let payload = payload(events, caller as u64);
            let mut times = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let entry = Entry { project: Project::default(), events, payload: payload.clone() };
                let began = Instant::now();
                match queue.enqueue(entry).await {
                    Ok(()) => {
                        times.push(began.elapsed());
                        taken.fetch_add(1, Ordering::Relaxed);
                    }
                    Err(EnqueueError::Full { .. }) => tokio::time::sleep(Duration::from_millis(10)).await,
                    Err(error) => panic!("{error}"),
                }
            }
            times
        }));
    }
    let mut workers = Vec::new();
    for index in 0..consumers {
        let mut consumer = queue.consumer(&format!("bench-{index}")).await.unwrap();
        let (stop, drained) = (Arc::clone(&stop), Arc::clone(&drained));
        workers.push(tokio::spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                let deliveries = consumer.receive(100, Duration::from_millis(200)).await.unwrap();
                let receipts: Vec<_> = deliveries.into_iter().map(|delivery| delivery.receipt).collect();
                if !receipts.is_empty() {
                    consumer.acknowledge(&receipts).await.unwrap();
                    drained.fetch_add(receipts.len() as u64, Ordering::Relaxed);
                }
            }
        }));
    }
    tokio::time::sleep(TIME).await;
    let (taken, drained, seconds) =
        (taken.load(Ordering::Relaxed), drained.load(Ordering::Relaxed), started.elapsed().as_secs_f64());
    stop.store(true, Ordering::Relaxed);
    let mut times = Vec::new();
    for producer in producers {
        times.extend(producer.await.unwrap());
    }
    for worker in workers {
        worker.await.unwrap();
    }
    times.sort_unstable();
    let at = |share: f64| times.get((times.len() as f64 * share) as usize).copied().unwrap_or_default();
    Figures { taken, drained, seconds, median: at(0.5), p99: at(0.99) }
}

async fn drain(queue: &Arc<dyn Queue>) -> (u64, f64) {
    let mut consumer = queue.consumer("bench-drain").await.unwrap();
    let (started, mut count) = (Instant::now(), 0_u64);
    while queue.depth().await.unwrap().batches > 0 {
        let deliveries = consumer.receive(500, Duration::from_millis(200)).await.unwrap();
        let receipts: Vec<_> = deliveries.into_iter().map(|delivery| delivery.receipt).collect();
        count += receipts.len() as u64;
        consumer.acknowledge(&receipts).await.unwrap();
    }
    (count, started.elapsed().as_secs_f64())
}

async fn open(arguments: &[String]) -> Arc<dyn Queue> {
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        #[cfg(feature = "embedded")]
        ["embedded", folder, ref rest @ ..] => {
            use analytics_messaging::embedded::{EmbeddedOptions, EmbeddedQueue};
            let durability = if rest == ["fast"] { Durability::Fast } else { Durability::Durable };
            let options = EmbeddedOptions { durability, ..EmbeddedOptions::default() };
            Arc::new(EmbeddedQueue::open(folder, options).unwrap())
        }
        #[cfg(feature = "redis")]
        ["redis", url] => {
            use analytics_messaging::redis::{RedisOptions, RedisQueue};
            let options = RedisOptions { key_prefix: "bench".into(), ..RedisOptions::new(url) };
            Arc::new(RedisQueue::connect(options).await.unwrap())
        }
        _ => panic!("usage: enqueue embedded FOLDER [durable|fast] | enqueue redis URL"),
    }
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let queue = open(&arguments).await;
    println!("{arguments:?}: {:?}", queue.durability());
    for (callers, events, consumers) in [(1, 1, 0), (32, 1, 0), (32, 100, 0), (32, 1, 4), (32, 100, 4)] {
        let figures = measure(&queue, callers, events, consumers).await;
        println!(
            "{callers:>3} callers of {events:>3} events, {consumers} consumers: {:>8.0} entries/s, {:>8.0} events/s, \
             drained {:>8.0} entries/s, median {:?}, p99 {:?}",
            figures.taken as f64 / figures.seconds,
            figures.taken as f64 * f64::from(events) / figures.seconds,
            figures.drained as f64 / figures.seconds,
            figures.median,
            figures.p99,
        );
        let (count, seconds) = drain(&queue).await;
        println!("    drained the other {count} in {seconds:.2} s");
    }
}
