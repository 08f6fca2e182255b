//! Where a Redis server is and how it is trusted.

use std::fmt;

use redis::{Client, IntoConnectionInfo, TlsCertificates};

use crate::queue::QueueError;

/// A Redis server: `redis://[[user]:password@]host[:port][/db]`, or `rediss://` for TLS.
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
    /// Host and port, for logs; never user or password.
    #[must_use]
    pub fn address(&self) -> String {
        match self.url.as_str().into_connection_info() {
            Ok(info) => info.addr().to_string(),
            Err(_) => "an unreadable URL".to_owned(),
        }
    }

    /// The driver's client; connects to nothing yet.
    pub(crate) fn client(&self) -> Result<Client, QueueError> {
        let tls = self.url.starts_with("rediss:");
        if tls {
            // The TLS library takes its cryptography from the process; one that was chosen already stays.
            let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        }
        let client = match (&self.root_certificates, tls) {
            (Some(roots), true) => Client::build_with_tls(
                self.url.as_str(),
                TlsCertificates { client_tls: None, root_cert: Some(roots.clone()) },
            ),
            _ => Client::open(self.url.as_str()),
        };
        client.map_err(|error| QueueError::Misconfigured {
            // The driver's text can repeat the URL, and with it the password: only its kind is told.
            problem: format!("the Redis URL cannot be used ({})", error.category()),
            mend: "write it as redis://host:6379, redis://:password@host:6379/0 or rediss://host:6379".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_tells_the_password() {
        for url in ["redis://user:hunter2@host:6380/1", "redis://user:hunter2@host:notaport"] {
            let endpoint = RedisEndpoint::from(url);
            let told = format!("{endpoint:?} {} {:?}", endpoint.address(), endpoint.client().err());
            assert!(!told.contains("hunter2"), "{told}");
        }
        assert_eq!(RedisEndpoint::from("redis://user:hunter2@host:6380/1").address(), "host:6380");
    }
}
