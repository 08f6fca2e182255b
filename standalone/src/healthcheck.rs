//! `analytics healthcheck URL`: one question to `/health`, answered by the exit status, so that images need no curl.

use std::time::Duration;

use serde_json::Value;
use thiserror::Error;

use crate::http::{Address, AddressError, sentence};

/// How long the server may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why a server is not healthy.
#[derive(Debug, Error)]
pub enum Unhealthy {
    /// What was given is no address.
    #[error(transparent)]
    Address(#[from] AddressError),
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
    #[error("{url} is not healthy: {said}")]
    Says {
        /// What was asked.
        url: String,
        /// What it says.
        said: String,
    },
}

/// Asks `url`, with `/health` added where it names only a host; returns the health document where the server is healthy or
/// degraded.
///
/// # Errors
/// [`Unhealthy`].
pub async fn ask(url: &str) -> Result<Value, Unhealthy> {
    let address = Address::parse(url)?;
    let page = if address.is_bare() { address.at("/health") } else { address.to_string() };
    look(&address, page).await
}

/// Asks the server at `address` for its health.
///
/// # Errors
/// [`Unhealthy`].
pub async fn of(address: &Address) -> Result<Value, Unhealthy> {
    look(address, address.at("/health")).await
}

async fn look(address: &Address, url: String) -> Result<Value, Unhealthy> {
    let failed = |source| Unhealthy::NoAnswer { url: url.clone(), source };
    let client = address.client(PATIENCE).map_err(failed)?;
    let response = client.get(&url).send().await.map_err(failed)?;
    let status = response.status();
    let body = response.text().await.map_err(failed)?;
    match serde_json::from_str::<Value>(&body) {
        Ok(document) if status.is_success() => Ok(document),
        Ok(document) if document["checks"].is_object() => Err(Unhealthy::Says { said: complaints(&document), url }),
        _ => Err(Unhealthy::Says { said: sentence(status.as_u16(), &body), url }),
    }
}

/// What a health document complains about: `unhealthy (queue: it is full)`.
fn complaints(document: &Value) -> String {
    let checks = document["checks"].as_object().into_iter().flatten();
    let told = checks.filter_map(|(name, said)| said.as_str().filter(|said| *said != "ok").map(|said| (name, said)));
    let told: Vec<String> = told.map(|(name, said)| format!("{name}: {said}")).collect();
    let status = document["status"].as_str().unwrap_or("unhealthy");
    if told.is_empty() { status.to_owned() } else { format!("{status} ({})", told.join("; ")) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::complaints;

    #[test]
    fn names_what_is_not_well() {
        let document = json!({"status": "unhealthy", "checks": {"database": "ok", "queue": "it is full"}});
        assert_eq!(complaints(&document), "unhealthy (queue: it is full)");
        assert_eq!(complaints(&json!({"status": "unhealthy", "checks": {}})), "unhealthy");
    }
}
