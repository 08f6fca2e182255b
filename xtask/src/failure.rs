//! Why a chore failed, in a sentence.

use thiserror::Error;

/// A chore's end with status 1.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    /// A program ended badly; it has said why itself.
    #[error("`{command}` ended with {status}")]
    Command {
        /// The program and its arguments.
        command: String,
        /// Its exit status.
        status: std::process::ExitStatus,
    },
    /// A program could not be started, or a file not be handled.
    #[error("cannot {what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The answer of a program makes no sense.
    #[error("{0}")]
    Unexpected(String),
    /// Rules are broken; each finding has been printed.
    #[error("{0} of the rules of the house are broken; `cargo xtask tidy --rules` says what they are for")]
    Tidy(usize),
    /// Generated pages and pictures differ from what they are made from.
    #[error("{0} not what the code says: run `cargo xtask docs` and commit the result")]
    Drift(String),
    /// A step of the test run failed.
    #[error("step {step}: {source}")]
    Step {
        /// Its name.
        step: &'static str,
        /// Why.
        source: Box<Failure>,
    },
}

impl Failure {
    /// Wraps an IO error with what was tried.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}
