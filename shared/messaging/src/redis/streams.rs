//! One processor's reading side of all streams.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;

use super::consumer::RedisConsumer;
use super::shards::Shards;
use crate::queue::{Consumer, Delivery, QueueError, Receipt};
use crate::reason::sentence;

/// How long a stream without entries is left alone, and how long is waited at one while others may get some.
const LOOK: Duration = Duration::from_millis(100);

/// How long a stream is left alone after its server failed, at first and at most: a silent one costs each look two seconds.
const REST: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(8));

/// A consumer of every stream of the queue, also of those that are added while it runs.
///
/// It waits at one stream, another one than the process's next consumer does, and looks at the others in between.
pub(super) struct StreamsConsumer {
    shards: Arc<Shards>,
    name: String,
    number: usize,
    streams: Vec<Stream>,
    /// Where the next look begins, so that no stream is always served last.
    turn: usize,
}

struct Stream {
    consumer: RedisConsumer,
    look_at: Instant,
    /// How long it rests after its next failure.
    rest: Duration,
}

impl StreamsConsumer {
    pub(super) fn new(shards: Arc<Shards>, name: &str) -> Self {
        let number = shards.next_consumer();
        Self { shards, name: name.to_owned(), number, streams: Vec::new(), turn: number }
    }

    /// Takes in the streams that are new.
    fn grow(&mut self) {
        let all = self.shards.all();
        for shard in &all[self.streams.len()..] {
            let (link, keys) = (Arc::clone(&shard.link), shard.keys.clone());
            let consumer = RedisConsumer::new(link, keys, &self.name, self.shards.visibility());
            self.streams.push(Stream { consumer, look_at: Instant::now(), rest: REST.0 });
        }
    }

    /// The stream to wait at: a healthy one, each consumer of a process its own as far as they go.
    fn home(&self) -> usize {
        let count = self.streams.len();
        let places = (0..count).map(|step| (self.number + step) % count);
        let soon = Instant::now() + LOOK;
        places.into_iter().find(|place| self.streams[*place].look_at <= soon).unwrap_or(self.number % count)
    }

    /// Receives at one stream and notes when to look at it again.
    async fn receive_at(&mut self, place: usize, most: usize, wait: Duration) -> Result<Vec<Delivery>, QueueError> {
        let stream = &mut self.streams[place];
        let received = stream.consumer.receive(most, wait).await;
        if received.is_ok() {
            stream.rest = REST.0;
        }
        match &received {
            Ok(deliveries) if deliveries.is_empty() => stream.look_at = Instant::now() + LOOK,
            Ok(_) => stream.look_at = Instant::now(),
            Err(error) => {
                stream.look_at = Instant::now() + stream.rest;
                stream.rest = (stream.rest * 2).min(REST.1);
                tracing::warn!(shard = place, error = %sentence(error), "a shard of the queue cannot be read");
            }
        }
        let tagged = |delivery: Delivery| Delivery { receipt: tag(place, delivery.receipt), ..delivery };
        Ok(received?.into_iter().map(tagged).collect())
    }

    /// The receipts of each stream.
    fn by_stream(&mut self, receipts: &[Receipt]) -> Vec<(usize, Vec<Receipt>)> {
        self.grow();
        let mut parts: Vec<(usize, Vec<Receipt>)> = Vec::new();
        for receipt in receipts {
            let (place, inner) = untag(receipt);
            match parts.iter_mut().find(|(known, _)| *known == place) {
                Some((_, part)) => part.push(inner),
                None => parts.push((place, vec![inner])),
            }
        }
        parts.retain(|(place, _)| *place < self.streams.len());
        parts
    }
}

/// A receipt with its stream; that of the first stream stays as it is.
fn tag(place: usize, receipt: Receipt) -> Receipt {
    if place == 0 { receipt } else { Receipt(format!("{place}@{}", receipt.0)) }
}

fn untag(receipt: &Receipt) -> (usize, Receipt) {
    let tagged = receipt.0.split_once('@').and_then(|(place, inner)| Some((place.parse().ok()?, inner)));
    tagged.map_or_else(|| (0, receipt.clone()), |(place, inner)| (place, Receipt(inner.to_owned())))
}

/// The first failure, after all was tried.
fn all_of(outcomes: Vec<Result<(), QueueError>>) -> Result<(), QueueError> {
    outcomes.into_iter().collect()
}

#[async_trait]
impl Consumer for StreamsConsumer {
    async fn receive(&mut self, most: usize, wait: Duration) -> Result<Vec<Delivery>, QueueError> {
        let until = Instant::now() + wait;
        self.grow();
        if let [only] = &mut self.streams[..] {
            return only.consumer.receive(most, wait).await;
        }
        let (mut answered, mut failure) = (false, None);
        loop {
            self.grow();
            let (count, mut received) = (self.streams.len(), Vec::new());
            self.turn = (self.turn + 1) % count;
            for step in 0..count {
                let place = (self.turn + step) % count;
                if received.len() == most || self.streams[place].look_at > Instant::now() {
                    continue;
                }
                match self.receive_at(place, most - received.len(), Duration::ZERO).await {
                    Ok(deliveries) => {
                        answered = true;
                        received.extend(deliveries);
                    }
                    Err(error) => failure = Some(error),
                }
            }
            let left = until.saturating_duration_since(Instant::now());
            if !received.is_empty() || most == 0 {
                return Ok(received);
            }
            if left.is_zero() {
                // A stream whose server is away does not keep the others from being drained.
                return failure.filter(|_| !answered).map_or(Ok(received), Err);
            }
            match self.receive_at(self.home(), most, left.min(LOOK)).await {
                Ok(deliveries) if deliveries.is_empty() => answered = true,
                Ok(deliveries) => return Ok(deliveries),
                // Its failure has been told; the pause keeps a queue that is away altogether from being asked all the time.
                Err(error) => {
                    failure = Some(error);
                    tokio::time::sleep(left.min(LOOK)).await;
                }
            }
        }
    }

    async fn acknowledge(&mut self, receipts: &[Receipt]) -> Result<(), QueueError> {
        let mut outcomes = Vec::new();
        for (place, part) in self.by_stream(receipts) {
            outcomes.push(self.streams[place].consumer.acknowledge(&part).await);
        }
        all_of(outcomes)
    }

    async fn extend(&mut self, receipts: &[Receipt]) -> Result<(), QueueError> {
        let mut outcomes = Vec::new();
        for (place, part) in self.by_stream(receipts) {
            outcomes.push(self.streams[place].consumer.extend(&part).await);
        }
        all_of(outcomes)
    }

    async fn release(&mut self, receipts: &[Receipt]) -> Result<(), QueueError> {
        let mut outcomes = Vec::new();
        for (place, part) in self.by_stream(receipts) {
            outcomes.push(self.streams[place].consumer.release(&part).await);
            self.streams[place].look_at = Instant::now();
        }
        all_of(outcomes)
    }
}
