//! Who gets in: judged before the upgrade, so that a refusal is a plain HTTP answer.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use analytics_access::{Access, Admitted, Asking, Pass, site};
use analytics_host::client::ClientAddress;
use analytics_host::cors::Origins;
use analytics_host::keys::{Scope, header_key};
use analytics_host::problem::Problem;
use http::{HeaderMap, StatusCode, header};

use crate::limits::Limits;
use crate::meters::Meters;
use crate::origin::check_origin;
use crate::rate::Rate;

/// The subprotocol of this server; a browser offers it beside its key.
pub(crate) const SUBPROTOCOL: &str = "analytics.v1";

/// What stands before the key in the second subprotocol.
const BEARER: &str = "bearer.";

/// Judges new connections and counts those that are open.
pub(crate) struct Admission {
    access: Access,
    origins: Origins,
    limits: Arc<Limits>,
    rate: Rate,
    hasher: RandomState,
    open: Mutex<Open>,
    meters: Meters,
}

#[derive(Default)]
struct Open {
    all: usize,
    by_key: HashMap<u64, usize>,
    by_address: HashMap<IpAddr, usize>,
}

/// An open connection; dropping it makes room for another.
pub(crate) struct Place {
    admission: Arc<Admission>,
    key: u64,
    address: Option<IpAddr>,
}

impl Admission {
    /// Nobody is in yet.
    pub(crate) fn new(access: Access, origins: Origins, limits: Arc<Limits>, meters: Meters) -> Arc<Self> {
        let rate = Rate::new(limits.connects_per_second);
        let hasher = RandomState::new();
        Arc::new(Self { access, origins, limits, rate, hasher, open: Mutex::default(), meters })
    }

    /// Which web pages may connect.
    pub(crate) fn origins(&self) -> &Origins {
        &self.origins
    }

    /// Who knows who may ask.
    pub(crate) fn access(&self) -> &Access {
        &self.access
    }

    /// Lets a request in, or says why not: too many at once, a foreign page, no key, no room.
    ///
    /// A session's cookie is taken from pages of this server only: browsers send it with every connection, whoever opens it.
    pub(crate) async fn admit(
        self: &Arc<Self>,
        headers: &HeaderMap,
        address: Option<ClientAddress>,
        project: Option<&str>,
    ) -> Result<(Admitted, Place), Problem> {
        if self.rate.take().is_err() {
            return Err(Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "rate_limited",
                format!("more than {} new connections a second", self.limits.connects_per_second),
            )
            .retry_after(rand::random_range(1..=5)));
        }
        let key = header_key(headers).or_else(|| protocol_key(headers).filter(|_| !has_header_key(headers)));
        let asking = Asking { headers, key, project };
        let token = asking.token().filter(|_| !self.access.keys().is_open_on_loopback());
        match token {
            Some(_) => site::require_own_origin(headers)?,
            None => check_origin(&self.origins, headers)?,
        }
        let guest = self.access.admit(&asking, Scope::Read).await?;
        let place = self.take_place(key.or(token), address.map(|ClientAddress(address)| network(address)))?;
        Ok((guest, place))
    }

    /// Comes back when what let a guest in does so no more.
    pub(crate) async fn put_out(&self, guest: &Admitted) {
        if guest.pass == Pass::Lasting {
            return std::future::pending().await;
        }
        loop {
            tokio::time::sleep(self.limits.look_every).await;
            if !self.access.still_lets_in(&guest.pass, &guest.grant.project).await {
                return;
            }
        }
    }

    fn take_place(self: &Arc<Self>, key: Option<&str>, address: Option<IpAddr>) -> Result<Place, Problem> {
        // A key is counted by a hash that only this process knows: the map holds no key.
        let key = self.hasher.hash_one(key);
        let mut open = self.open();
        if open.all >= self.limits.connections {
            return Err(full(StatusCode::SERVICE_UNAVAILABLE, "this server", self.limits.connections));
        }
        if open.by_key.get(&key).is_some_and(|count| *count >= self.limits.connections_per_key) {
            return Err(full(StatusCode::TOO_MANY_REQUESTS, "one key", self.limits.connections_per_key));
        }
        if address
            .and_then(|address| open.by_address.get(&address))
            .is_some_and(|count| *count >= self.limits.connections_per_address)
        {
            return Err(full(StatusCode::TOO_MANY_REQUESTS, "one address", self.limits.connections_per_address));
        }
        open.all += 1;
        *open.by_key.entry(key).or_default() += 1;
        if let Some(address) = address {
            *open.by_address.entry(address).or_default() += 1;
        }
        drop(open);
        self.meters.connections.increment(1.0);
        Ok(Place { admission: Arc::clone(self), key, address })
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.admission.open();
        open.all = open.all.saturating_sub(1);
        leave(&mut open.by_key, &self.key);
        if let Some(address) = &self.address {
            leave(&mut open.by_address, address);
        }
        drop(open);
        self.admission.meters.connections.decrement(1.0);
    }
}

fn leave<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

fn full(status: StatusCode, who: &str, most: usize) -> Problem {
    Problem::new(status, "too_many_connections", format!("{who} may have {most} realtime connections; close one first"))
        .retry_after(rand::random_range(1..=30))
}

/// The subprotocols that a client offers, in its order.
pub(crate) fn offered_protocols(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers
        .get_all(header::SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}

fn protocol_key(headers: &HeaderMap) -> Option<&str> {
    offered_protocols(headers).find_map(|protocol| protocol.strip_prefix(BEARER))
}

fn has_header_key(headers: &HeaderMap) -> bool {
    headers.contains_key(header::AUTHORIZATION) || headers.contains_key("x-api-key")
}

/// What counts as one address: an IPv6 client has a whole /64 to itself.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_key_among_the_subprotocols() {
        let mut headers = HeaderMap::new();
        assert_eq!(protocol_key(&headers), None);
        headers.append(header::SEC_WEBSOCKET_PROTOCOL, "analytics.v1 ,bearer.secret".parse().unwrap());
        assert_eq!(protocol_key(&headers), Some("secret"));
        assert_eq!(offered_protocols(&headers).collect::<Vec<_>>(), ["analytics.v1", "bearer.secret"]);
        let mut apart = HeaderMap::new();
        apart.append(header::SEC_WEBSOCKET_PROTOCOL, "analytics.v1".parse().unwrap());
        apart.append(header::SEC_WEBSOCKET_PROTOCOL, "bearer.other".parse().unwrap());
        assert_eq!(protocol_key(&apart), Some("other"));
    }

    #[test]
    fn neighbours_of_a_64_are_one_address() {
        let network = |text: &str| network(text.parse().unwrap()).to_string();
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(network("::ffff:192.0.2.1"), "192.0.2.1");
        assert_eq!(network("192.0.2.1"), "192.0.2.1");
    }
}
