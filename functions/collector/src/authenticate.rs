//! The verb authenticate: whose events these are, by the key that came with them.

use std::time::Instant;

use analytics_domain::Project;
use analytics_host::client::ClientAddress;
use analytics_host::keys::{WriteKeys, unknown_write_key};
use http::request::Parts;
use http::{HeaderMap, header};

use crate::limit::Sender;
use crate::made_keys::{Found, MadeKeys};
use crate::refusal::Refusal;

/// Knows the keys.
pub(crate) struct Gate {
    keys: WriteKeys,
    made: MadeKeys,
}

impl Gate {
    pub(crate) fn new(keys: WriteKeys, made: MadeKeys) -> Self {
        Self { keys, made }
    }

    /// The project that the request's key opens, and by whom its rate is counted.
    ///
    /// Whether events are taken without a key is up to `WRITE_KEYS` alone: neither the first key that is made nor the last one
    /// that is revoked changes it. A key that was made and is there no more opens nothing, not even what needs no key.
    pub(crate) fn authenticate(&self, parts: &Parts, now: Instant) -> Result<(Project, Sender), Refusal> {
        let key = key(&parts.headers, parts.uri.query());
        if let Some(key) = key {
            if let Some(project) = self.keys.known(key) {
                return Ok((project.clone(), Sender::of_key(key)));
            }
            match self.made.find(key, now) {
                Found::Opens(project) => return Ok((project, Sender::of_key(key))),
                Found::Revoked => return Err(Refusal::Unauthorized(unknown_write_key())),
                Found::Unsure => return Err(Refusal::KeysUnavailable),
                Found::Foreign => {}
            }
        }
        if !self.keys.is_open() {
            return Err(Refusal::Unauthorized(unknown_write_key()));
        }
        // A key could be invented anew for every request, so the address alone tells this sender from others.
        let address = parts.extensions.get::<ClientAddress>().map(|address| address.0);
        Ok((Project::default(), Sender::of_address(address)))
    }
}

/// The first of `Authorization: Bearer KEY`, `X-Write-Key: KEY` and `?key=KEY`.
fn key<'a>(headers: &'a HeaderMap, query: Option<&'a str>) -> Option<&'a str> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = header(header::AUTHORIZATION.as_str()).and_then(|value| {
        let (scheme, key) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
    });
    // Keys are letters, digits, '-' and '_': none needs percent-encoding.
    let in_query = || query?.split('&').find_map(|pair| pair.strip_prefix("key="));
    bearer.or_else(|| header("x-write-key").map(str::trim)).or_else(in_query)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn takes_the_first_of_the_three_places() {
        let mut headers = HeaderMap::new();
        assert_eq!(key(&headers, None), None);
        assert_eq!(key(&headers, Some("a=1&monkey=x&key=in-query&key=later")), Some("in-query"));
        headers.insert("x-write-key", HeaderValue::from_static("in-header"));
        assert_eq!(key(&headers, Some("key=in-query")), Some("in-header"));
        headers.insert("authorization", HeaderValue::from_static("bearer  in-bearer "));
        assert_eq!(key(&headers, Some("key=in-query")), Some("in-bearer"));
        // Another scheme is somebody else's: a proxy's password, say.
        headers.insert("authorization", HeaderValue::from_static("Basic abc"));
        assert_eq!(key(&headers, None), Some("in-header"));
    }
}
