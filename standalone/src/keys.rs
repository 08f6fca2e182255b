//! `analytics keys`: the keys of a project, by the server's own routes.

use std::time::Duration;

use clap::{Subcommand, ValueEnum};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use thiserror::Error;

use crate::http::{self, Address, Unanswered};

/// How long the server may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Everything but what RFC 3986 leaves as it is.
const ENCODED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Lists the keys of the project, without what they are: id, scope, first characters, when made, name
    List {
        /// Prints what the server answers, as JSON
        #[arg(long)]
        json: bool,
    },
    /// Makes a key and prints it, this once: the server keeps only its SHA-256
    ///
    /// The key alone is printed on standard output, so that it can be kept: `analytics keys create shop.example --scope write >
    /// key`. What else there is to know of it is said on standard error.
    Create {
        /// Its name, for people who look for it in the list
        name: String,
        /// What it may do
        #[arg(long, value_enum)]
        scope: KeyScope,
        /// Prints what the server answers, as JSON: the key and all that is known of it
        #[arg(long)]
        json: bool,
    },
    /// Revokes a key: within 10 seconds it opens nothing any more
    Revoke {
        /// Its id, as the list has it
        id: String,
    },
}

/// What a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KeyScope {
    /// Asks questions, listens, exports
    Read,
    /// That, and changes what is kept: erases people, makes keys
    Admin,
    /// Sends events, and asks nothing: the key of a web page
    Write,
}

impl KeyScope {
    fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Admin => "admin",
            Self::Write => "write",
        }
    }
}

/// Why it was not done.
#[derive(Debug, Error)]
pub enum KeyError {
    /// No connection, or no answer to its end.
    #[error("the server at {url} has not answered; list the keys to see what there is")]
    NoAnswer {
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
    /// No segment of a path says this.
    #[error("{id:?} is no id of a key; `analytics keys list` shows them")]
    Unnameable {
        /// The id.
        id: String,
    },
}

impl KeyError {
    fn of(unanswered: Unanswered, address: &Address) -> Self {
        let url = address.to_string();
        match unanswered {
            Unanswered::Lost(source) => Self::NoAnswer { url, source },
            Unanswered::Refused(said) => Self::Refused { url, said },
        }
    }
}

/// What was done.
#[derive(Debug)]
pub struct Done {
    /// The answer.
    pub lines: Vec<String>,
    /// What is said beside it.
    pub remarks: Vec<String>,
}

/// Does it on the server at `address`.
///
/// # Errors
/// [`KeyError`].
pub async fn run(command: &KeyCommand, address: &Address, key: Option<&str>) -> Result<Done, KeyError> {
    let failed = |unanswered| KeyError::of(unanswered, address);
    let client = address.client(PATIENCE).map_err(|source| failed(Unanswered::Lost(source)))?;
    let ask = async |request: RequestBuilder| http::ask(request, key).await.map_err(failed);
    let keys = address.at("/api/keys");
    let said = |lines| Done { lines, remarks: Vec::new() };
    match command {
        KeyCommand::List { json } => {
            let answer = ask(client.get(keys)).await?;
            Ok(said(if *json { vec![answer.to_string()] } else { list(&answer) }))
        }
        KeyCommand::Create { name, scope, json } => {
            let wish = json!({ "name": name, "scope": scope.as_str() }).to_string();
            let request = client.post(keys).header("content-type", "application/json").body(wish);
            let made = ask(request).await?;
            if *json {
                return Ok(said(vec![made.to_string()]));
            }
            Ok(Done { lines: vec![text(&made, "key")], remarks: remarks(&made, *scope, address) })
        }
        KeyCommand::Revoke { id } => {
            // `.` and `..` are taken for steps through folders, encoded or not.
            if matches!(id.as_str(), "" | "." | "..") {
                return Err(KeyError::Unnameable { id: id.clone() });
            }
            let id = utf8_percent_encode(id, &ENCODED);
            ask(client.delete(format!("{keys}/{id}"))).await?;
            Ok(said(vec!["the key is revoked; within 10 s it opens nothing any more".to_owned()]))
        }
    }
}

/// What is said beside a key that was made.
fn remarks(made: &Value, scope: KeyScope, address: &Address) -> Vec<String> {
    let mut remarks = vec![format!(
        "key {} of project {}, scope {}; it is shown only now, keep it where secrets are kept",
        text(made, "id"),
        text(made, "project"),
        scope.as_str(),
    )];
    if scope == KeyScope::Write {
        remarks.push(format!(
            "within 10 s it sends from web pages, by this tag (where browsers reach {address} by another name, with that):\n  \
             <script defer src=\"{}\" data-key=\"{}\"></script>",
            address.at("/tracker.js"),
            text(made, "key"),
        ));
    }
    remarks
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or("-").to_owned()
}

/// A line a key; a name comes last, as it may hold anything.
fn list(answer: &Value) -> Vec<String> {
    let keys = answer["keys"].as_array().map(Vec::as_slice).unwrap_or_default();
    if keys.is_empty() {
        return vec!["the project has no keys".to_owned()];
    }
    let made = |key: &Value| key["created_at"].as_str().unwrap_or("in the environment").to_owned();
    let line = |key: &Value| {
        let (id, scope, hint) = (text(key, "id"), text(key, "scope"), text(key, "hint"));
        format!("{id:<36}  {scope:<5}  {hint}...  {:<27}  {}", made(key), shown(&text(key, "name")))
    };
    keys.iter().map(line).collect()
}

/// A name as it can be printed: somebody typed it, and no part of it may steer the terminal or turn the line around.
fn shown(name: &str) -> String {
    let steers = |character: char| {
        let turns = matches!(character, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}');
        character.is_control() || turns || matches!(character, '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    name.chars().map(|character| if steers(character) { '\u{fffd}' } else { character }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_steers_no_terminal() {
        let key =
            |name: &str| json!({ "id": "env:1", "name": name, "scope": "read", "hint": "abcd", "created_at": null });
        let lines = list(&json!({ "keys": [key("Zoë's \u{1b}[2J\u{202e}key\n")] }));
        assert_eq!(lines.len(), 1);
        assert!(lines[0].starts_with("env:1 ") && lines[0].contains("read   abcd...  in the environment"), "{lines:?}");
        assert!(lines[0].contains("Zoë") && !lines[0].contains(['\u{1b}', '\n', '\u{202e}']), "{lines:?}");
        assert_eq!(list(&json!({ "keys": [] })), ["the project has no keys"]);
    }

    #[test]
    fn what_a_page_needs_is_said_beside_the_key_and_only_of_one_that_sends() {
        let address = Address::parse("https://stats.example.com").unwrap();
        let made = json!({ "id": "1", "project": "shop", "key": "k".repeat(43) });
        let said = remarks(&made, KeyScope::Write, &address).join("\n");
        let tag = format!(
            "<script defer src=\"https://stats.example.com/tracker.js\" data-key=\"{}\"></script>",
            "k".repeat(43)
        );
        assert!(said.contains(&tag), "{said}");
        let said = remarks(&made, KeyScope::Read, &address).join("\n");
        assert!(!said.contains("script") && !said.contains("kkk"), "{said}");
    }
}
