//! How often somebody may be wrong.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use analytics_host::client::ClientAddress;

/// Most addresses that are told apart; beyond, those that have been quiet longest are forgotten.
const ADDRESSES: usize = 10_000;

/// So many at once, and then one each time that `each` has passed.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    /// How much of the burst is used, in units of one.
    used: f64,
    at: Instant,
}

impl Bucket {
    fn new(now: Instant) -> Self {
        Self { used: 0.0, at: now }
    }

    fn drain(&mut self, each: Duration, now: Instant) {
        let passed = now.saturating_duration_since(self.at).as_secs_f64() / each.as_secs_f64();
        (self.used, self.at) = ((self.used - passed).max(0.0), now);
    }

    /// How long until there is room for one more; none where there is.
    fn wait(&self, burst: f64, each: Duration) -> Option<Duration> {
        let missing = self.used + 1.0 - burst;
        (missing > 1e-9).then(|| each.mul_f64(missing))
    }
}

/// Look-ups of texts that nobody knows, of the whole process.
#[derive(Debug)]
pub(crate) struct Strangers(Mutex<Bucket>);

impl Strangers {
    const BURST: f64 = 200.0;
    const EACH: Duration = Duration::from_millis(20);

    pub(crate) fn new() -> Self {
        Self(Mutex::new(Bucket::new(Instant::now())))
    }

    /// Counts one; how long to wait where there were too many.
    pub(crate) fn count(&self, now: Instant) -> Result<(), Duration> {
        let mut bucket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        bucket.drain(Self::EACH, now);
        match bucket.wait(Self::BURST, Self::EACH) {
            Some(wait) => Err(wait),
            None => {
                bucket.used += 1.0;
                Ok(())
            }
        }
    }
}

/// Wrong keys at the sign-in, by address.
#[derive(Debug, Default)]
pub(crate) struct Guesses(Mutex<HashMap<IpAddr, Bucket>>);

impl Guesses {
    const BURST: f64 = 10.0;
    const EACH: Duration = Duration::from_secs(3);

    /// How long an address that was wrong too often has to wait.
    pub(crate) fn check(&self, address: Option<ClientAddress>, now: Instant) -> Result<(), Duration> {
        let mut addresses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(bucket) = addresses.get_mut(&network(address)) else { return Ok(()) };
        bucket.drain(Self::EACH, now);
        bucket.wait(Self::BURST, Self::EACH).map_or(Ok(()), Err)
    }

    /// Counts a wrong key.
    pub(crate) fn count(&self, address: Option<ClientAddress>, now: Instant) {
        let mut addresses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if addresses.len() >= ADDRESSES {
            addresses.retain(|_, bucket| {
                bucket.drain(Self::EACH, now);
                bucket.used > 0.0
            });
            if addresses.len() >= ADDRESSES {
                addresses.clear();
            }
        }
        let bucket = addresses.entry(network(address)).or_insert_with(|| Bucket::new(now));
        bucket.drain(Self::EACH, now);
        bucket.used += 1.0;
    }
}

/// What counts as one address: an IPv6 client has a whole /64 to itself; who has no address is counted with all who have none.
fn network(address: Option<ClientAddress>) -> IpAddr {
    match address.map(|ClientAddress(address)| address.to_canonical()) {
        Some(IpAddr::V6(address)) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        Some(address) => address,
        None => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_be_wrong_so_often() {
        let (guesses, now) = (Guesses::default(), Instant::now());
        let address = |text: &str| Some(ClientAddress(text.parse().unwrap()));
        for _ in 0..10 {
            assert_eq!(guesses.check(address("2001:db8::1"), now), Ok(()));
            guesses.count(address("2001:db8::1"), now);
        }
        let wait = guesses.check(address("2001:db8::2"), now).unwrap_err();
        assert!(wait > Duration::from_secs(2) && wait <= Duration::from_secs(3), "{wait:?}");
        assert_eq!(guesses.check(address("2001:db8:0:1::1"), now), Ok(()));
        assert_eq!(guesses.check(address("2001:db8::1"), now + Duration::from_secs(4)), Ok(()));
        for number in 0..100_000_u32 {
            guesses.count(Some(ClientAddress(IpAddr::from(number.to_be_bytes()))), now);
        }
        assert!(guesses.0.lock().unwrap().len() <= ADDRESSES);
    }

    #[test]
    fn strangers_are_looked_up_so_often() {
        let (strangers, now) = (Strangers::new(), Instant::now());
        let counted = (0..10_000).filter(|_| strangers.count(now).is_ok()).count();
        assert_eq!(counted, 200);
        let later = (0..10_000).filter(|_| strangers.count(now + Duration::from_secs(1)).is_ok()).count();
        assert_eq!(later, 50);
    }
}
