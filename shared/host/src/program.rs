//! A role as a program: from the variables of its environment to its exit code.

use std::error::Error;
use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

use tokio::net::TcpListener;
use tracing::{error, warn};

use crate::config::{RoleConfig, Variables};
use crate::failure::chain;
use crate::shutdown::{Shutdown, listen_for_signals};
use crate::{metrics, serve, telemetry};

/// What a program ends with where it does not end well.
pub type Failure = Box<dyn Error + Send + Sync>;

/// How long a server that does not answer yet is left alone.
const TRY_EVERY: Duration = Duration::from_secs(1);

/// A program that has read its settings, tells its log, listens on its port and hears signals; its role does not run yet.
#[derive(Debug)]
pub struct Started<C> {
    /// The role's settings.
    pub config: C,
    /// Where it listens: bound before any server is waited for, so that whoever watches the process sees it at once.
    pub listener: TcpListener,
    /// Told by SIGTERM and SIGINT.
    pub shutdown: Shutdown,
}

/// The variables of an environment. One that is no text cannot be one of ours.
pub fn variables(environment: impl IntoIterator<Item = (OsString, OsString)>) -> Variables {
    environment
        .into_iter()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// Starts a program: settings, log, metrics, port, signals, in this order.
///
/// # Errors
/// Where the settings cannot be used, or the port cannot be had.
pub fn start<C: RoleConfig>(variables: &Variables) -> Result<Started<C>, Failure> {
    let config = C::read(variables).inspect_err(|_| {
        // Nothing is known yet of how logs are wanted; the error must still be seen.
        let _ = telemetry::install("info", None);
    })?;
    let common = config.common();
    telemetry::install(&common.log_level, common.log_format)?;
    common.warnings.iter().for_each(|warning| warn!("{warning}"));
    metrics::install();
    let listener = serve::bind(config.http().host, config.http().port, C::ROLE.port_variable())?;
    let shutdown = Shutdown::new();
    tokio::spawn(listen_for_signals(shutdown.clone()));
    Ok(Started { config, listener, shutdown })
}

/// The whole life of a role's own program: it starts, `run` is the role, and what it fails with is logged once.
pub async fn run<C: RoleConfig>(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    run: impl AsyncFnOnce(Started<C>) -> Result<(), Failure>,
) -> ExitCode {
    let ended = match start::<C>(&variables(environment)) {
        Ok(started) => run(started).await,
        Err(failure) => Err(failure),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            error!(role = C::ROLE.name(), error = chain(failure.as_ref()), "the program cannot go on");
            ExitCode::FAILURE
        }
    }
}

/// Tries once a second until `open` succeeds, or fails with what no waiting mends; each try is logged. `server` names what
/// is waited for: `the queue's server`.
///
/// # Errors
/// The first error that is not `passing`.
pub async fn patiently<T, E: Error + 'static, F: Future<Output = Result<T, E>>>(
    server: &'static str,
    passing: impl Fn(&E) -> bool,
    mut open: impl FnMut() -> F,
) -> Result<T, E> {
    loop {
        match open().await {
            Err(error) if passing(&error) => {
                warn!(server, error = chain(&error), "a server is not ready; trying again in a second");
                tokio::time::sleep(TRY_EVERY).await;
            }
            outcome => return outcome,
        }
    }
}
