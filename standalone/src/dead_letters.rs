//! `analytics dead-letters`: what could not be stored and why, and trying it again.

use clap::Subcommand;
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use thiserror::Error;

/// What to do with dead letters.
#[derive(Debug, Subcommand)]
pub enum DeadLetterCommand {
    /// Lists them, newest first, with the reason of each
    List {
        /// How many at most
        #[arg(long, default_value_t = 20, value_name = "N")]
        limit: u32,
    },
    /// Asks the processor to try them again, once each
    Replay {
        /// Which, by id; all of the project where none is given
        ids: Vec<String>,
    },
}

/// Why the server did not do it.
#[derive(Debug, Error)]
pub enum DeadLetterError {
    /// No connection, or no JSON.
    #[error("the server at {url} cannot be asked")]
    Unreachable {
        /// Where it should be.
        url: String,
        /// The client's error.
        #[source]
        source: reqwest::Error,
    },
    /// The server refuses.
    #[error("the server refuses ({status}): {detail}")]
    Refused {
        /// Its status.
        status: u16,
        /// Its problem document.
        detail: String,
    },
}

/// Does it on the server at `base_url` and returns the lines to print.
///
/// # Errors
/// [`DeadLetterError`].
pub async fn run(
    command: &DeadLetterCommand,
    base_url: &str,
    key: Option<&str>,
) -> Result<Vec<String>, DeadLetterError> {
    let client = reqwest::Client::new();
    let base = base_url.trim_end_matches('/');
    match command {
        DeadLetterCommand::List { limit } => {
            let url = format!("{base}/api/dead-letters?limit={limit}");
            let answer = ask(client.get(&url), &url, key).await?;
            Ok(list(&answer))
        }
        DeadLetterCommand::Replay { ids } => {
            let url = format!("{base}/api/dead-letters/replay");
            let body = if ids.is_empty() { json!({ "all": true }) } else { json!({ "ids": ids }) };
            let request = client.post(&url).header("content-type", "application/json").body(body.to_string());
            let answer = ask(request, &url, key).await?;
            let marked = answer["marked"].as_u64().unwrap_or_default();
            Ok(vec![format!("{marked} dead letters will be tried again by the processor; list them to see what stays")])
        }
    }
}

fn list(answer: &Value) -> Vec<String> {
    let letters = answer["dead_letters"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut lines: Vec<String> = letters
        .iter()
        .map(|letter| {
            let text = |name: &str| letter[name].as_str().unwrap_or("-").to_owned();
            format!(
                "{}  {}  {} {}  {}",
                text("id"),
                text("last_failed_at"),
                text("code"),
                text("sqlstate"),
                text("message")
            )
        })
        .collect();
    lines.push(format!("{} dead letters in all", answer["total"].as_u64().unwrap_or_default()));
    lines
}

async fn ask(request: RequestBuilder, url: &str, key: Option<&str>) -> Result<Value, DeadLetterError> {
    let failed = |source| DeadLetterError::Unreachable { url: url.to_owned(), source };
    let request = match key {
        Some(key) => request.bearer_auth(key),
        None => request,
    };
    let response = request.send().await.map_err(failed)?;
    let status = response.status();
    let body = response.text().await.map_err(failed)?;
    match serde_json::from_str(&body) {
        Ok(answer) if status.is_success() => Ok(answer),
        _ => Err(DeadLetterError::Refused { status: status.as_u16(), detail: body.chars().take(500).collect() }),
    }
}
