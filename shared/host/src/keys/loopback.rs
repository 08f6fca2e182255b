//! The rule of a server without keys: only this machine, straight, and no foreign web page.

use http::{HeaderMap, StatusCode, header};

use crate::problem::Problem;

/// Headers that proxies add, besides those that begin with [`FORWARDED_PREFIX`]: what comes with one did not come straight
/// from this machine's user.
const FORWARDING: [&str; 9] = [
    "forwarded",
    "via",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-original-host",
    "true-client-ip",
    "cf-connecting-ip",
    "fastly-client-ip",
];

/// `X-Forwarded-For`, `-Host`, `-Proto` and what else proxies have thought of.
const FORWARDED_PREFIX: &str = "x-forwarded-";

/// A server without keys listens on loopback, and a web page or a proxy can still reach it there: a page through a name
/// that points to 127.0.0.1 or by asking across origins, a proxy by forwarding. All are told by their headers.
pub(super) fn check(headers: &HeaderMap) -> Result<(), Problem> {
    let only = |name: header::HeaderName| {
        let mut values = headers.get_all(name).iter().map(|value| value.to_str().unwrap_or_default());
        (values.next(), values.next().is_none())
    };
    let (host, one_host) = only(header::HOST);
    let host = host.filter(|host| one_host && is_loopback_authority(host));
    let forwarded =
        headers.keys().any(|name| name.as_str().starts_with(FORWARDED_PREFIX) || FORWARDING.contains(&name.as_str()));
    let own_origin = match (only(header::ORIGIN), host) {
        ((None, _), _) => true,
        // A page of another server on this machine is foreign as well: another port, or another of its names.
        ((Some(origin), true), Some(host)) => {
            origin.strip_prefix("http://").is_some_and(|authority| authority.eq_ignore_ascii_case(host))
        }
        _ => false,
    };
    if host.is_some() && !forwarded && own_origin {
        return Ok(());
    }
    let detail = "no API_KEYS are set, so only this machine may ask, straight and by localhost, 127.0.0.1 or [::1]; set API_KEYS \
                  to let others ask";
    Err(Problem::new(StatusCode::FORBIDDEN, "loopback_only", detail))
}

/// `localhost`, `127.0.0.1` or `[::1]`, with or without a port.
fn is_loopback_authority(authority: &str) -> bool {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port),
        _ => (authority, ""),
    };
    let known = host.eq_ignore_ascii_case("localhost") || host == "127.0.0.1" || host == "[::1]";
    known && port.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_keys_only_this_machine_asks() {
        let asks = |pairs: &[(&'static str, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.append(*name, value.parse().unwrap());
            }
            check(&headers).is_ok()
        };
        for host in ["localhost", "localhost:4000", "127.0.0.1:4000", "[::1]:4000", "[::1]", "LOCALHOST:4000"] {
            assert!(asks(&[("host", host)]), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "192.168.0.7:4000",
            "localhost:80:80",
            "[::1",
            "127.0.0.2",
        ] {
            assert!(!asks(&[("host", host)]), "{host}");
        }
        assert!(!asks(&[]));
        assert!(!asks(&[("host", "localhost"), ("host", "evil.example")]));
        for name in FORWARDING.into_iter().chain(["x-forwarded-for", "x-forwarded-host", "x-forwarded-anything"]) {
            assert!(!asks(&[("host", "localhost:4000"), (name, "127.0.0.1")]), "{name}");
        }
        assert!(asks(&[("host", "localhost:4000"), ("origin", "http://localhost:4000")]));
        for origin in [
            "https://evil.example",
            "null",
            "http://localhost:3000",
            "http://localhost",
            "https://localhost:4000",
            "http://127.0.0.1:4000",
            "http://localhost:4000.evil.example",
            "",
        ] {
            assert!(!asks(&[("host", "localhost:4000"), ("origin", origin)]), "{origin}");
        }
    }
}
