//! Real servers, network faults and believable events for tests; a dev-dependency only.
//!
//! Nothing here imitates a server: [`redis`] and [`postgres`] start the programs that production runs, [`sqs`] the server that
//! stands for Amazon's, [`lambda`] the emulator of its functions, on loopback, on free ports and in folders of their own. Every server ends with the process that started it, also where that process
//! is killed, so tests need no cleaning up and may run side by side. What the programs need is put on a machine by
//! `cargo xtask setup`.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic"))]

pub mod breaker;
#[cfg(feature = "export")]
pub mod export;
pub mod folder;
pub mod generator;
mod http;
pub mod lambda;
pub mod mmdb;
pub mod names;
pub mod nginx;
pub mod oracle;
pub mod ports;
pub mod postgres;
pub mod process;
pub mod prometheus;
pub mod redis;
pub mod role;
mod spawner;
pub mod sqs;

use std::path::PathBuf;

use thiserror::Error;

/// Why a server of the testkit could not be used.
#[derive(Debug, Error)]
pub enum TestkitError {
    /// A program is not on this machine.
    #[error("{program} is not installed ({looked_for}): run `cargo xtask setup`", looked_for = looked_for.display())]
    NotInstalled {
        /// What is missing.
        program: &'static str,
        /// Where it was looked for.
        looked_for: PathBuf,
    },
    /// A file or a process could not be handled.
    #[error("cannot {what}")]
    Io {
        /// What was tried, as a verb and its object.
        what: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A program ran and ended badly, or did not become ready.
    #[error("{program} failed: {detail}")]
    Failed {
        /// The program's name.
        program: String,
        /// The end of its log or standard error.
        detail: String,
    },
}

impl TestkitError {
    /// Wraps an IO error with what was tried.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}

/// A result of the testkit.
pub type Result<T> = std::result::Result<T, TestkitError>;
