//! Logs: one line an occurrence, on standard error.

use std::io::IsTerminal;

use thiserror::Error;
use tracing_subscriber::EnvFilter;

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

/// Sets up the logs of the process; without a format, text on a terminal and JSON elsewhere.
///
/// # Errors
/// [`TelemetryError`] where `level` is no filter, or logs were set up before.
pub fn install(level: &str, format: Option<LogFormat>) -> Result<(), TelemetryError> {
    let fail = |reason: String| TelemetryError { reason };
    // The driver of the database tells each slow statement with its text; that is ours to tell, without values.
    let filter = EnvFilter::try_new(format!("{level},sqlx=error,hyper=warn,h2=warn")).map_err(|error| fail(error.to_string()))?;
    let format = format.unwrap_or(if std::io::stderr().is_terminal() { LogFormat::Text } else { LogFormat::Json });
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    let installed = match format {
        LogFormat::Text => builder.with_ansi(std::io::stderr().is_terminal()).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init(),
    };
    installed.map_err(|error| fail(error.to_string()))
}


/// Whether `text` is a level, or a list of levels by module.
#[must_use]
pub fn is_level(text: &str) -> bool {
    let level = |text: &str| ["error", "warn", "info", "debug", "trace"].contains(&text);
    let part = |part: &str| level(part.rsplit_once('=').map_or(part, |(_, level)| level));
    text.split(',').all(part) && EnvFilter::try_new(text).is_ok()
}
