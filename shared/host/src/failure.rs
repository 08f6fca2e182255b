//! Errors as one line of a log: told once, with what they came from.

use std::error::Error;

/// An error and what it came from: `the queue is unavailable: connection refused`.
#[must_use]
pub fn chain(error: &(dyn Error + 'static)) -> String {
    match error.source() {
        Some(_) => format!("{error}: {}", causes(error)),
        None => error.to_string(),
    }
}

/// What an error came from; empty where it came from nothing.
#[must_use]
pub fn causes(error: &(dyn Error + 'static)) -> String {
    let mut line = String::new();
    let mut source = error.source();
    while let Some(cause) = source {
        if !line.is_empty() {
            line.push_str(": ");
        }
        line.push_str(&cause.to_string());
        source = cause.source();
    }
    line
}
