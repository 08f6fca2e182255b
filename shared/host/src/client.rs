//! Who is at the other end of a connection.

use std::net::IpAddr;

use http::HeaderMap;
use ipnet::IpNet;
use thiserror::Error;

/// The address of the client, after trusted proxies: an extension of every request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientAddress(pub IpAddr);

/// Whether the client came by TLS, to this process or to a trusted proxy: an extension of every request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CameByTls(pub bool);

/// `TRUSTED_PROXIES` holds something that is no network.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text:?} is no address or network; write 10.0.0.0/8 or 192.0.2.7")]
pub struct InvalidNetwork {
    text: String,
}

/// The networks whose `X-Forwarded-For` is believed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Reads comma-separated networks; an address alone is a network of one.
    ///
    /// # Errors
    /// [`InvalidNetwork`] with the first that is none.
    pub fn parse(text: &str) -> Result<Self, InvalidNetwork> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let network = |part: &str| {
            let address = || part.parse::<IpAddr>().map(IpNet::from);
            part.parse::<IpNet>().or_else(|_| address()).map_err(|_| InvalidNetwork { text: part.to_owned() })
        };
        parts.map(network).collect::<Result<_, _>>().map(Self)
    }

    /// The client of a request that came from `peer`: walking `X-Forwarded-For` from the right, the first address that is
    /// no trusted proxy. What a client writes to the left of it is never believed.
    #[must_use]
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> ClientAddress {
        let mut client = peer.to_canonical();
        if self.0.is_empty() || !self.trusts(client) {
            return ClientAddress(client);
        }
        let values = headers.get_all("x-forwarded-for").into_iter().filter_map(|value| value.to_str().ok());
        let hops: Vec<&str> = values.flat_map(|value| value.split(',')).map(str::trim).collect();
        for hop in hops.into_iter().rev() {
            let Some(address) = address_of(hop) else { break };
            client = address;
            if !self.trusts(client) {
                break;
            }
        }
        ClientAddress(client)
    }

    /// Whether the client of a request that came from `peer` spoke TLS: what a trusted proxy says in `X-Forwarded-Proto`, the
    /// outermost first. This process itself speaks none.
    #[must_use]
    pub fn came_by_tls(&self, peer: IpAddr, headers: &HeaderMap) -> CameByTls {
        let scheme = headers.get("x-forwarded-proto").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let first = scheme.split(',').next().unwrap_or_default().trim();
        CameByTls(self.trusts(peer.to_canonical()) && first.eq_ignore_ascii_case("https"))
    }

    /// Whether some network holds every address of its family.
    #[must_use]
    pub fn trusts_everybody(&self) -> bool {
        self.0.iter().any(|network| network.prefix_len() == 0)
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// `192.0.2.7`, `192.0.2.7:80`, `2001:db8::1` and `[2001:db8::1]:80`, as proxies write them.
fn address_of(hop: &str) -> Option<IpAddr> {
    let address = hop.parse::<IpAddr>().ok();
    let with_port = || hop.parse::<std::net::SocketAddr>().ok().map(|socket| socket.ip());
    let in_brackets = || hop.strip_prefix('[')?.strip_suffix(']')?.parse::<IpAddr>().ok();
    address.or_else(with_port).or_else(in_brackets).map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn believes_only_what_trusted_proxies_wrote() {
        let proxies = TrustedProxies::parse("10.0.0.0/8, 192.0.2.7").unwrap();
        let client = |peer: &str, forwarded: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in forwarded {
                headers.append("x-forwarded-for", value.parse().unwrap());
            }
            proxies.client(peer.parse().unwrap(), &headers).0.to_string()
        };
        assert_eq!(client("203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
        assert_eq!(client("10.1.1.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(client("10.1.1.1", &["1.1.1.1, 198.51.100.1, 192.0.2.7"]), "198.51.100.1");
        assert_eq!(client("10.1.1.1", &["1.1.1.1", "198.51.100.1:4711"]), "198.51.100.1");
        assert_eq!(client("10.1.1.1", &["evil, 10.9.9.9"]), "10.9.9.9");
        assert_eq!(client("::ffff:10.1.1.1", &["[2001:db8::1]:80"]), "2001:db8::1");
        let tls = |peer: &str, scheme: &str| {
            let headers = HeaderMap::from_iter([("x-forwarded-proto".parse().unwrap(), scheme.parse().unwrap())]);
            proxies.came_by_tls(peer.parse().unwrap(), &headers).0
        };
        assert!(tls("10.1.1.1", "https") && tls("::ffff:10.1.1.1", "HTTPS, http"));
        assert!(!tls("203.0.113.9", "https") && !tls("10.1.1.1", "http") && !tls("10.1.1.1", ""));
        assert!(TrustedProxies::parse("10.0.0.0/33").is_err());
        let nobody = TrustedProxies::default();
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", "1.1.1.1".parse().unwrap());
        assert_eq!(nobody.client("10.1.1.1".parse().unwrap(), &headers).0.to_string(), "10.1.1.1");
    }
}
