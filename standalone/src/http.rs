//! The commands' side of HTTP: which addresses they take, how they ask, and what a refusal says to a person.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, StatusCode, Url};
use serde_json::Value;
use thiserror::Error;

/// How long a connection may take to come about.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// Most characters that are shown of an answer in no known form.
const SHOWN: usize = 200;

/// Why a text is not the address of a server.
#[derive(Debug, Error)]
pub enum AddressError {
    /// No URL.
    #[error("{text:?} is no address of a server ({reason}); write http://127.0.0.1:4000 or https://analytics.example")]
    Malformed {
        /// What was given.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Neither http nor https.
    #[error("{text:?} is no address of a server: {scheme} is not spoken here; write http:// or https://")]
    Scheme {
        /// What was given.
        text: String,
        /// Its scheme.
        scheme: String,
    },
}

/// The address of a server; paths are added to what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address(Url);

impl Address {
    /// Reads an address; `http://` may be left out.
    ///
    /// # Errors
    /// [`AddressError`].
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let malformed = |reason: String| AddressError::Malformed { text: text.to_owned(), reason };
        let full = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let url: Url = full.parse().map_err(|error| malformed(format!("{error}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(AddressError::Scheme { text: text.to_owned(), scheme: url.scheme().to_owned() });
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(malformed("it has a ? or a #".to_owned()));
        }
        Ok(Self(url))
    }

    /// The address of `path` on the server.
    pub fn at(&self, path: &str) -> String {
        format!("{self}{path}")
    }

    /// Whether it names a server and no path on it.
    pub fn is_bare(&self) -> bool {
        self.0.path() == "/"
    }

    /// Whether it is spoken to without encryption on this machine, as a server of one's own is.
    pub fn is_plain_loopback(&self) -> bool {
        let host = self.0.host_str().unwrap_or_default();
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        let loopback = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
        loopback && self.0.scheme() == "http"
    }

    /// A client for this server, which follows no redirect: a POST would become a GET on the way.
    ///
    /// Where nothing is encrypted, the system's certificates are left alone: a small image has none. A proxy of the
    /// environment is not asked for what lies on this machine.
    ///
    /// # Errors
    /// Where the system's certificates cannot be read.
    pub fn client(&self, patience: Duration) -> Result<Client, reqwest::Error> {
        let mut builder = Client::builder().redirect(Policy::none()).connect_timeout(CONNECT_LIMIT).timeout(patience);
        if self.0.scheme() == "http" {
            builder = builder.tls_certs_only([]);
        }
        if self.is_plain_loopback() {
            builder = builder.no_proxy();
        }
        builder.build()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

/// Why a request has no answer that can be used.
#[derive(Debug)]
pub enum Unanswered {
    /// No connection, or no answer to its end.
    Lost(reqwest::Error),
    /// The server refuses; what it says.
    Refused(String),
}

/// Sends a request, with the key where there is one, and gives the JSON of the answer back; null for one without a body.
///
/// # Errors
/// [`Unanswered`].
pub async fn ask(request: RequestBuilder, key: Option<&str>) -> Result<Value, Unanswered> {
    let request = match key {
        Some(key) => request.bearer_auth(key),
        None => request,
    };
    let response = request.send().await.map_err(Unanswered::Lost)?;
    let status = response.status();
    let body = response.text().await.map_err(Unanswered::Lost)?;
    if status == StatusCode::NO_CONTENT {
        return Ok(Value::Null);
    }
    match serde_json::from_str(&body) {
        Ok(answer) if status.is_success() => Ok(answer),
        _ => Err(Unanswered::Refused(sentence(status.as_u16(), &body))),
    }
}

/// What an answer that is no success says: the sentence of a problem document with its code, else how it begins.
pub fn sentence(status: u16, body: &str) -> String {
    let document: Value = serde_json::from_str(body).unwrap_or_default();
    let text = |name: &str| document[name].as_str().filter(|text| !text.is_empty());
    let said = text("detail").or_else(|| text("title"));
    match (said, text("code")) {
        (Some(said), Some(code)) => format!("{said} ({status} {code})"),
        (Some(said), None) => format!("{said} ({status})"),
        (None, _) if (300..400).contains(&status) => {
            format!("it redirects elsewhere ({status}); name the address that it redirects to")
        }
        (None, _) if body.trim().is_empty() => format!("it answers {status} and no word"),
        (None, _) => {
            let begin: String = body.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(SHOWN).collect();
            format!("it answers {status}, and not as an analytics server does: {begin}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_addresses_of_servers_and_nothing_else() {
        let at = |text: &str| Address::parse(text).map(|address| address.at("/health"));
        assert_eq!(at("127.0.0.1:4000").unwrap(), "http://127.0.0.1:4000/health");
        assert_eq!(at("https://analytics.example/").unwrap(), "https://analytics.example/health");
        assert_eq!(at("http://proxy.example/analytics/").unwrap(), "http://proxy.example/analytics/health");
        for text in ["", "http://", "ftp://h", "file:///x", "http://h:port", "http://a b", "http://h/?key=1"] {
            assert!(at(text).is_err(), "{text}");
        }
    }

    #[test]
    fn knows_this_machine() {
        let local = |text: &str| Address::parse(text).unwrap().is_plain_loopback();
        for text in ["localhost:4000", "http://127.0.0.1", "http://127.9.9.9:1", "http://[::1]:4000"] {
            assert!(local(text), "{text}");
        }
        for text in ["http://10.0.0.1", "http://localhost.example", "https://127.0.0.1", "http://0.0.0.0:4000"] {
            assert!(!local(text), "{text}");
        }
    }

    #[test]
    fn tells_a_person_what_the_server_says() {
        let problem = r#"{"title":"Bad Request","status":400,"code":"invalid_body","detail":"no such thing"}"#;
        assert_eq!(sentence(400, problem), "no such thing (400 invalid_body)");
        assert_eq!(sentence(404, r#"{"title":"Not Found"}"#), "Not Found (404)");
        assert!(sentence(301, "").contains("redirects"));
        assert!(sentence(502, "<html>\n  <b>Bad Gateway</b>").ends_with("<html> <b>Bad Gateway</b>"));
    }
}
