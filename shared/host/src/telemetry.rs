//! Logs: one line an occurrence, on standard error.

use std::io::IsTerminal;

use thiserror::Error;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, fmt};

/// How lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: one JSON object a line.
    Json,
}

/// Logs cannot be set up.
#[derive(Debug, Error)]
#[error("logs cannot be set up: {reason}")]
pub struct TelemetryError {
    reason: String,
}

/// The words for how much is told, from little to much.
const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

/// What libraries tell goes into the log only from these levels on, unless a list says otherwise. The driver of the database
/// tells each slow statement with its text; that is ours to tell, without values.
const LIBRARIES: &str = "sqlx=error,hyper=warn,h2=warn,rustls=warn";

/// Whether a text can be `LOG_LEVEL`: one of the five words, or a list of `target=word` and words.
#[must_use]
pub fn is_level(text: &str) -> bool {
    // The library takes any word for the name of a target; only what follows `=` may be one here.
    let known = |word: &str| LEVELS.contains(&word) || word == "off";
    let directive = |part: &str| known(part.rsplit_once('=').map_or(part, |(_, level)| level));
    LEVELS.contains(&text) || (text.contains(['=', ',']) && text.split(',').all(directive) && filter(text).is_ok())
}

/// The filter of `LOG_LEVEL`. A single word is for this project's own parts; libraries are never chattier than `info`.
fn filter(level: &str) -> Result<Targets, String> {
    let directives = match level {
        "debug" | "trace" => format!("info,{LIBRARIES},analytics={level}"),
        "error" | "warn" | "info" => format!("{level},sqlx=error,hyper={0},h2={0},rustls={0}", quieter(level)),
        list => format!("{LIBRARIES},{list}"),
    };
    directives.parse().map_err(|error: tracing_subscriber::filter::ParseError| error.to_string())
}

fn quieter(level: &str) -> &str {
    if level == "info" { "warn" } else { level }
}

/// Sets up the logs of the process; without a format, text on a terminal and JSON elsewhere.
///
/// A panic becomes a line too, with its place in the code. Its message is left out: it can repeat what a client sent.
///
/// # Errors
/// [`TelemetryError`] where `level` is no filter, or logs were set up before.
pub fn install(level: &str, format: Option<LogFormat>) -> Result<(), TelemetryError> {
    let fail = |reason: String| TelemetryError { reason };
    let filter = filter(level).map_err(fail)?;
    let format = format.unwrap_or(if std::io::stderr().is_terminal() { LogFormat::Text } else { LogFormat::Json });
    let lines = fmt::layer().with_writer(std::io::stderr).with_target(false);
    let lines = match format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed(),
    };
    let installed = tracing_subscriber::registry().with(lines.with_filter(filter)).try_init();
    installed.map_err(|error| fail(error.to_string()))?;
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
        tracing::error!(place, "a defect: the code panicked here");
    }));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_a_word_or_a_list() {
        for text in [
            "error",
            "warn",
            "info",
            "debug",
            "trace",
            "info,analytics_worker=debug",
            "analytics_api=trace",
            "off,sqlx=info",
        ] {
            assert!(is_level(text), "{text}");
        }
        for text in
            ["", "loud", "INFO ", "analytics_api", "info,loud", "x=loud", "info,", ",", "=", "a=b=c", "info;debug"]
        {
            assert!(!is_level(text), "{text}");
        }
    }

    #[test]
    fn a_chatty_level_is_for_our_own_parts_and_a_list_may_ask_for_more() {
        assert!(filter("debug").unwrap().to_string().contains("analytics=debug"));
        let asked = filter("info,sqlx=debug").unwrap().to_string();
        assert!(asked.contains("sqlx=debug") && !asked.contains("sqlx=error"), "{asked}");
    }
}
