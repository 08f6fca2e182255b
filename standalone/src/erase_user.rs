//! `analytics erase-user`: a person's erasure, by the server's own route.

use std::io::{self, BufRead, IsTerminal};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use thiserror::Error;

use crate::command::Ended;
use crate::http::{self, Address, Unanswered};
use crate::output::{remark, say};

/// How long the server may take: it reads all events around the person's.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// Everything but what RFC 3986 leaves as it is: an address that is read loosely loses tabs and line ends, and is then somebody
/// else's.
const ENCODED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Whom to erase.
#[derive(Debug, Args)]
pub struct EraseUserOptions {
    /// The person's id, as in user_id of the events
    pub id: String,
    /// Asks nobody; without it the id has to be typed again
    #[arg(long)]
    pub yes: bool,
}

/// Why nobody was erased.
#[derive(Debug, Error)]
pub enum EraseError {
    /// There is nobody to ask.
    #[error(
        "nothing was erased: nobody can be asked whether this is meant, since standard input is no terminal; say --yes"
    )]
    NobodyToAsk,
    /// Something else was typed.
    #[error("nothing was erased: the id was not typed again")]
    NotConfirmed,
    /// The terminal cannot be read.
    #[error("nothing was erased: the answer cannot be read")]
    Unread(#[source] io::Error),
    /// No segment of a path says this.
    #[error("an id of {id:?} cannot be named in an address; nothing was erased")]
    Unnameable {
        /// The id.
        id: String,
    },
    /// No connection, or no answer to its end.
    #[error(
        "the server at {url} has not answered, so the person may be erased or not; ask again: what is erased is not found \
         again"
    )]
    NoAnswer {
        /// Where it should be.
        url: String,
        /// The client's error.
        #[source]
        source: reqwest::Error,
    },
    /// The server refuses.
    #[error("the server at {url} refuses, and nothing was erased: {said}")]
    Refused {
        /// Where it is.
        url: String,
        /// What it says.
        said: String,
    },
}

impl EraseError {
    fn of(unanswered: Unanswered, address: &Address) -> Self {
        let url = address.to_string();
        match unanswered {
            Unanswered::Lost(source) => Self::NoAnswer { url, source },
            Unanswered::Refused(said) => Self::Refused { url, said },
        }
    }
}

/// Sees that it is meant; before any server is looked for.
///
/// # Errors
/// [`EraseError`] where it is not.
pub fn confirm(options: &EraseUserOptions) -> Result<(), EraseError> {
    if options.yes {
        return Ok(());
    }
    let input = io::stdin();
    if !input.is_terminal() {
        return Err(EraseError::NobodyToAsk);
    }
    remark(format_args!(
        "All events of {:?} are deleted, and cannot be taken back. Type the id again to go on:",
        options.id
    ));
    let mut typed = String::new();
    input.lock().read_line(&mut typed).map_err(EraseError::Unread)?;
    if typed.trim_end_matches(['\r', '\n']) == options.id { Ok(()) } else { Err(EraseError::NotConfirmed) }
}

/// Erases the person on the server at `address` and prints its receipt.
pub async fn run(options: &EraseUserOptions, address: &Address, key: Option<&str>) -> Ended {
    let failed = |unanswered| EraseError::of(unanswered, address);
    let client = address.client(PATIENCE).map_err(|source| failed(Unanswered::Lost(source)))?;
    say(http::ask(client.delete(of_user(address, &options.id)?), key).await.map_err(failed)?);
    Ok(ExitCode::SUCCESS)
}

/// The address of a person.
fn of_user(address: &Address, id: &str) -> Result<String, EraseError> {
    // `.` and `..` are taken for steps through folders, encoded or not.
    if matches!(id, "" | "." | "..") {
        return Err(EraseError::Unnameable { id: id.to_owned() });
    }
    Ok(address.at(&format!("/api/users/{}", utf8_percent_encode(id, &ENCODED))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_one_segment_of_the_path() {
        let address = Address::parse("http://proxy.example/analytics").unwrap();
        let url = |id: &str| of_user(&address, id);
        assert_eq!(url("u-42").unwrap(), "http://proxy.example/analytics/api/users/u-42");
        assert_eq!(
            url("a/../b?c=%41#d").unwrap(),
            "http://proxy.example/analytics/api/users/a%2F..%2Fb%3Fc%3D%2541%23d"
        );
        assert_eq!(url("ä\tb\n").unwrap(), "http://proxy.example/analytics/api/users/%C3%A4%09b%0A");
        for id in ["", ".", ".."] {
            assert!(url(id).is_err(), "{id:?}");
        }
    }
}
