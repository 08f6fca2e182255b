//! `analytics healthcheck URL`: one question to `/health`, answered by the exit status, so that images need no curl.

use std::time::Duration;

use serde_json::Value;
use thiserror::Error;

/// How long the server may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why a server is not healthy.
#[derive(Debug, Error)]
pub enum Unhealthy {
    /// It does not answer.
    #[error("{url} does not answer")]
    NoAnswer {
        /// What was asked.
        url: String,
        /// The client's error.
        #[source]
        source: reqwest::Error,
    },
    /// It answers that it cannot do its work.
    #[error("{url} answers {status}: {body}")]
    Says {
        /// What was asked.
        url: String,
        /// The status.
        status: u16,
        /// The health document.
        body: String,
    },
}

/// Asks `url`, with `/health` added where it names only a host; returns the health document where the server is healthy or
/// degraded.
///
/// # Errors
/// [`Unhealthy`].
pub async fn ask(url: &str) -> Result<Value, Unhealthy> {
    let url = full_url(url);
    let failed = |source| Unhealthy::NoAnswer { url: url.clone(), source };
    let client = reqwest::Client::builder().timeout(PATIENCE).build().map_err(failed)?;
    let response = client.get(&url).send().await.map_err(failed)?;
    let status = response.status();
    let body = response.text().await.map_err(failed)?;
    match serde_json::from_str(&body) {
        Ok(document) if status.is_success() => Ok(document),
        _ => Err(Unhealthy::Says { url, status: status.as_u16(), body: body.chars().take(500).collect() }),
    }
}

fn full_url(url: &str) -> String {
    let url = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
    let after_scheme = url.split_once("://").map_or("", |(_, rest)| rest);
    match after_scheme.trim_end_matches('/').contains('/') {
        true => url,
        false => format!("{}/health", url.trim_end_matches('/')),
    }
}

#[cfg(test)]
mod tests {
    use super::full_url;

    #[test]
    fn adds_the_path_only_where_there_is_none() {
        assert_eq!(full_url("127.0.0.1:4000"), "http://127.0.0.1:4000/health");
        assert_eq!(full_url("http://127.0.0.1:4000/"), "http://127.0.0.1:4000/health");
        assert_eq!(full_url("http://127.0.0.1:4000/health/live"), "http://127.0.0.1:4000/health/live");
    }
}
