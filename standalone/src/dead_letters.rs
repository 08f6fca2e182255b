//! `analytics dead-letters`: what could not be stored and why, and trying it again.

use std::collections::BTreeSet;
use std::time::Duration;

use clap::Subcommand;
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use thiserror::Error;
use uuid::Uuid;

use crate::http::{self, Address, Unanswered};

/// How long the server may take.
const PATIENCE: Duration = Duration::from_secs(60);

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
        ids: Vec<Uuid>,
    },
}

/// Why the server did not do it.
#[derive(Debug, Error)]
pub enum DeadLetterError {
    /// No connection, or no answer to its end.
    #[error("the server at {url} cannot be asked")]
    Unreachable {
        /// Where it should be.
        url: String,
        /// The client's error.
        #[source]
        source: reqwest::Error,
    },
    /// The server refuses.
    #[error("the server at {url} refuses: {said}")]
    Refused {
        /// Where it is.
        url: String,
        /// What it says.
        said: String,
    },
    /// Ids of none.
    #[error("{}; list them to see which there are", unknown(*.marked, *.asked))]
    Unknown {
        /// Those that will be tried again.
        marked: u64,
        /// Those that were asked for.
        asked: u64,
    },
}

impl DeadLetterError {
    fn of(unanswered: Unanswered, address: &Address) -> Self {
        let url = address.to_string();
        match unanswered {
            Unanswered::Lost(source) => Self::Unreachable { url, source },
            Unanswered::Refused(said) => Self::Refused { url, said },
        }
    }
}

fn unknown(marked: u64, asked: u64) -> String {
    match (marked, asked) {
        (0, 1) => "there is no dead letter with this id".to_owned(),
        (0, _) => "there is no dead letter with any of these ids".to_owned(),
        _ => format!(
            "{marked} of {asked} will be tried again by the processor; there is no dead letter with the other {}",
            if asked - marked == 1 { "id" } else { "ids" }
        ),
    }
}

/// Does it on the server at `address` and returns the lines to print.
///
/// # Errors
/// [`DeadLetterError`].
pub async fn run(
    command: &DeadLetterCommand,
    address: &Address,
    key: Option<&str>,
) -> Result<Vec<String>, DeadLetterError> {
    let failed = |unanswered| DeadLetterError::of(unanswered, address);
    let client = address.client(PATIENCE).map_err(|source| failed(Unanswered::Lost(source)))?;
    let ask = async |request: RequestBuilder| http::ask(request, key).await.map_err(failed);
    match command {
        DeadLetterCommand::List { limit } => {
            let url = address.at(&format!("/api/dead-letters?limit={limit}"));
            Ok(list(&ask(client.get(url)).await?))
        }
        DeadLetterCommand::Replay { ids } => {
            let ids: BTreeSet<&Uuid> = ids.iter().collect();
            let body = if ids.is_empty() { json!({ "all": true }) } else { json!({ "ids": ids }) };
            let request = client.post(address.at("/api/dead-letters/replay"));
            let request = request.header("content-type", "application/json").body(body.to_string());
            let answer = ask(request).await?;
            let marked = answer["marked"].as_u64().unwrap_or_default();
            let asked = ids.len() as u64;
            if marked < asked {
                return Err(DeadLetterError::Unknown { marked, asked });
            }
            Ok(vec![match marked {
                0 => "there are no dead letters".to_owned(),
                1 => "1 dead letter will be tried again by the processor; list them to see whether it stays".to_owned(),
                _ => format!("{marked} dead letters will be tried again by the processor; list them to see what stays"),
            }])
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
    lines.push(match answer["total"].as_u64().unwrap_or_default() {
        1 => "1 dead letter in all".to_owned(),
        total => format!("{total} dead letters in all"),
    });
    lines
}

#[cfg(test)]
mod tests {
    use super::DeadLetterError;

    #[test]
    fn says_which_ids_are_none() {
        let told = |marked, asked| DeadLetterError::Unknown { marked, asked }.to_string();
        assert!(told(0, 1).starts_with("there is no dead letter with this id;"));
        assert!(told(0, 3).starts_with("there is no dead letter with any of these ids;"));
        assert!(
            told(2, 3)
                .starts_with("2 of 3 will be tried again by the processor; there is no dead letter with the other id;")
        );
    }
}
