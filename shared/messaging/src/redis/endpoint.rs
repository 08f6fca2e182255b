//! Where a Redis server is and how it is trusted.

use std::fmt;

use redis::{Client, IntoConnectionInfo, RedisResult, TlsCertificates};

use super::address::Address;
use super::route::Route;
use crate::queue::QueueError;

/// A Redis server: `redis://[[user]:password@]host[:port][/db]`, or `rediss://` for TLS.
///
/// Or several: the nodes of a cluster, `redis+cluster://[[user]:password@]host[:port][,host[:port]...]`, or the sentinels of a
/// master, `redis+sentinel://[[user]:password@]host[:port][,host[:port]...]/master[/db]`, each with `rediss+` for TLS.
#[derive(Clone)]
pub struct RedisEndpoint {
    /// The address, with its secret.
    pub url: String,
    /// For `rediss://`: the certificates, as PEM, that sign the server's own, in place of the public authorities.
    pub root_certificates: Option<Vec<u8>>,
}

/// Says nothing of the URL: it can hold a password.
impl fmt::Debug for RedisEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisEndpoint").field("address", &self.address()).finish_non_exhaustive()
    }
}

impl From<&str> for RedisEndpoint {
    fn from(url: &str) -> Self {
        Self { url: url.to_owned(), root_certificates: None }
    }
}

impl RedisEndpoint {
    /// Hosts and ports, for logs; never user or password.
    #[must_use]
    pub fn address(&self) -> String {
        match (Address::parse(&self.url), self.url.as_str().into_connection_info()) {
            (Ok(Some(address)), _) => address.to_string(),
            (Ok(None), Ok(info)) => info.addr().to_string(),
            _ => "an unreadable URL".to_owned(),
        }
    }

    /// The way to the server of the keys with `tag` in their braces; connects to nothing yet.
    pub(super) fn route(&self, tag: &str) -> Result<Route, QueueError> {
        let several = Address::parse(&self.url).map_err(|reason| unusable(&reason))?;
        let Some(address) = several else {
            // The driver's text can repeat the URL, and with it the password: only its kind is told.
            let client =
                open(&self.url, self.root_certificates.as_deref()).map_err(|error| unusable(error.category()))?;
            return Ok(Route::One(Box::new(client)));
        };
        for node in &address.named {
            for url in [address.server(node), address.guide(node)] {
                open(&url, self.root_certificates.as_deref()).map_err(|error| unusable(error.category()))?;
            }
        }
        Ok(Route::search(address, self.root_certificates.clone(), tag))
    }
}

/// The driver's client of one server; connects to nothing yet.
pub(super) fn open(url: &str, roots: Option<&[u8]>) -> RedisResult<Client> {
    let tls = url.starts_with("rediss:");
    if tls {
        // The TLS library takes its cryptography from the process; one that was chosen already stays.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    }
    match (roots, tls) {
        (Some(roots), true) => {
            Client::build_with_tls(url, TlsCertificates { client_tls: None, root_cert: Some(roots.to_vec()) })
        }
        _ => Client::open(url),
    }
}

fn unusable(reason: &str) -> QueueError {
    QueueError::Misconfigured {
        problem: format!("the Redis URL cannot be used ({reason})"),
        mend: "write it as redis://host:6379, redis://:password@host:6379/0 or rediss://host:6379; a cluster as \
               redis+cluster://host:6379,host:6379, sentinels as redis+sentinel://host:26379,host:26379/master-name"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_tells_the_password() {
        for url in [
            "redis://user:hunter2@host:6380/1",
            "redis://user:hunter2@host:notaport",
            "redis+cluster://user:hunter2@host:notaport",
            "redis+sentinel://user:hunter2@host",
            "redis+sentinel://user:hunter2@host/main?sentinel_password=hunter2",
        ] {
            let endpoint = RedisEndpoint::from(url);
            let told = format!("{endpoint:?} {} {:?}", endpoint.address(), endpoint.route("q").err());
            assert!(!told.contains("hunter2"), "{told}");
        }
        assert_eq!(RedisEndpoint::from("redis://user:hunter2@host:6380/1").address(), "host:6380");
        let sentinels = RedisEndpoint::from("redis+sentinel://:hunter2@a,b/main");
        assert_eq!(sentinels.address(), "main by the sentinels a:26379,b:26379");
    }
}
