//! The verb limit: how many events a second a sender may send.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::refusal::Refusal;

/// By whom events are counted: a key, or an address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Sender {
    Key(Box<str>),
    Address(IpAddr),
}

impl Sender {
    pub(crate) fn of_key(key: &str) -> Self {
        Self::Key(key.into())
    }

    /// An IPv6 sender is its /64, since whoever has one address of it has them all; who has no address is counted with all
    /// others who have none.
    pub(crate) fn of_address(address: Option<IpAddr>) -> Self {
        Self::Address(match address.map(|address| address.to_canonical()) {
            Some(IpAddr::V6(address)) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
            Some(address) => address,
            None => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        })
    }
}

/// Locks that senders are spread over.
const SHARDS: usize = 16;

/// Most senders that a shard knows apart; those beyond are counted together until others have been quiet for a second.
const SENDERS: usize = 4_096;

/// Shortest time between two searches for senders that can be forgotten.
const SWEEP: Duration = Duration::from_millis(100);

/// Token buckets, a sender each: a second's worth of events, filled all the time.
///
/// A batch larger than a second's worth is taken when the bucket is full, and its sender then waits until the rest is paid:
/// the rate holds over time, and no batch is impossible.
pub(crate) struct RateLimiter {
    rate: u32,
    hasher: RandomState,
    shards: Vec<Mutex<Shard>>,
}

#[derive(Debug)]
struct Shard {
    senders: HashMap<Sender, Bucket>,
    others: Bucket,
    swept: Instant,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl RateLimiter {
    pub(crate) fn new(rate: u32) -> Self {
        let now = Instant::now();
        let shard = || Shard { senders: HashMap::new(), others: Bucket { tokens: rate.into(), at: now }, swept: now };
        Self {
            rate,
            hasher: RandomState::new(),
            shards: std::iter::repeat_with(|| Mutex::new(shard())).take(SHARDS).collect(),
        }
    }

    /// Refuses a sender who may not send even one event now, before its body is read.
    pub(crate) fn admit(&self, sender: &Sender) -> Result<(), Refusal> {
        self.take_at(sender, 1, false, Instant::now())
    }

    /// Counts `events` of a sender, or refuses them all.
    pub(crate) fn take(&self, sender: &Sender, events: usize) -> Result<(), Refusal> {
        self.take_at(sender, events, true, Instant::now())
    }

    fn take_at(&self, sender: &Sender, events: usize, pay: bool, now: Instant) -> Result<(), Refusal> {
        let rate = f64::from(self.rate);
        let shard = self.hasher.hash_one(sender) as usize % SHARDS;
        let mut shard = self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = shard.bucket(sender, rate, now);
        bucket.fill(rate, now);
        let needed = (events as f64).min(rate);
        if bucket.tokens < needed {
            let wait =
                Duration::try_from_secs_f64((needed - bucket.tokens) / rate).unwrap_or(Duration::from_secs(3_600));
            return Err(Refusal::RateLimited { rate: self.rate, events, wait });
        }
        if pay {
            bucket.tokens -= events as f64;
        }
        Ok(())
    }
}

impl Shard {
    fn bucket(&mut self, sender: &Sender, rate: f64, now: Instant) -> &mut Bucket {
        if self.senders.len() >= SENDERS && !self.senders.contains_key(sender) {
            if now.duration_since(self.swept) >= SWEEP {
                self.swept = now;
                // A bucket that is full again is the same as none.
                self.senders.retain(|_, bucket| {
                    bucket.fill(rate, now);
                    bucket.tokens < rate
                });
            }
            if self.senders.len() >= SENDERS {
                return &mut self.others;
            }
        }
        self.senders.entry(sender.clone()).or_insert(Bucket { tokens: rate, at: now })
    }
}

impl Bucket {
    fn fill(&mut self, rate: f64, now: Instant) {
        let seconds = now.saturating_duration_since(self.at).as_secs_f64();
        self.tokens = (self.tokens + seconds * rate).min(rate);
        self.at = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(refused: Result<(), Refusal>) -> Duration {
        match refused {
            Err(Refusal::RateLimited { wait, .. }) => wait,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn gives_a_seconds_worth_and_fills_it_again() {
        let limiter = RateLimiter::new(10);
        let (sender, start) = (Sender::of_key("a"), Instant::now());
        let take = |events, millis| limiter.take_at(&sender, events, true, start + Duration::from_millis(millis));
        take(4, 0).unwrap();
        take(6, 0).unwrap();
        assert!(wait(take(1, 0)) > Duration::from_millis(50));
        take(1, 150).unwrap();
        assert!(wait(take(5, 150)) > Duration::from_millis(400));
        // Another sender is not touched.
        limiter.take(&Sender::of_key("b"), 10).unwrap();
    }

    #[test]
    fn a_large_batch_passes_once_and_is_paid_for() {
        let limiter = RateLimiter::new(10);
        let (sender, start) = (Sender::of_key("a"), Instant::now());
        let take = |events, seconds| limiter.take_at(&sender, events, true, start + Duration::from_secs(seconds));
        take(100, 0).unwrap();
        assert!(wait(take(1, 8)) > Duration::from_secs(1));
        take(1, 10).unwrap();
        assert!(take(100, 10).is_err());
        take(100, 11).unwrap();
    }

    #[test]
    fn counts_networks_of_six_as_one_and_addresses_of_four_apart() {
        let sender = |text: &str| Sender::of_address(Some(text.parse().unwrap()));
        assert_eq!(sender("2001:db8::1"), sender("2001:db8::ffff:1"));
        assert_ne!(sender("2001:db8::1"), sender("2001:db8:0:1::1"));
        assert_ne!(sender("192.0.2.1"), sender("192.0.2.2"));
        assert_eq!(sender("::ffff:192.0.2.1"), sender("192.0.2.1"));
    }

    #[test]
    fn memory_stays_bounded_and_known_senders_keep_their_place() {
        let limiter = RateLimiter::new(1);
        let start = Instant::now();
        let sender = |index: u32| Sender::of_address(Some(IpAddr::from(index.to_be_bytes())));
        limiter.take_at(&sender(0), 1, true, start).unwrap();
        for index in 1..300_000 {
            let _ = limiter.take_at(&sender(index), 1, true, start);
        }
        let known = || limiter.shards.iter().map(|shard| shard.lock().unwrap().senders.len()).sum::<usize>();
        assert!(known() <= SHARDS * SENDERS);
        // Strangers beyond the bound share a bucket, and it is empty.
        assert!(limiter.take_at(&sender(900_000), 1, true, start).is_err());
        assert!(limiter.take_at(&sender(0), 1, true, start).is_err());
        // When the others have been quiet, there is room again.
        let later = start + Duration::from_secs(2);
        for index in 1_000_000..1_000_100 {
            limiter.take_at(&sender(index), 1, true, later).unwrap();
        }
        assert!(known() <= 200, "{}", known());
    }
}
