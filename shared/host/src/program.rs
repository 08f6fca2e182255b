//! A role as a program: from the variables of its environment to its exit code.

use std::error::Error;
use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

use thiserror::Error;
use tokio::net::TcpListener;
use tracing::{error, warn};

use crate::config::{Role, RoleConfig, Variables};
use crate::failure::chain;
use crate::shutdown::{Shutdown, listen_for_signals};
use crate::{metrics, serve, telemetry};

/// What a program ends with where it does not end well.
pub type Failure = Box<dyn Error + Send + Sync>;

/// The variable by which a process knows that Lambda runs it: where the runtime's API is.
pub(crate) const RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";

/// How long a server that does not answer yet is left alone.
const TRY_EVERY: Duration = Duration::from_secs(1);

/// What carries requests to a program: the one place where Lambda or TCP is chosen.
#[derive(Debug)]
pub enum Carrier {
    /// A port: bound before any server is waited for, so that whoever watches the process sees it at once.
    Port(TcpListener),
    /// The Lambda runtime, which invokes the process for one request at a time and freezes it between them.
    #[cfg(feature = "lambda")]
    Lambda,
}

impl Carrier {
    /// Whether the process sleeps between requests.
    #[must_use]
    pub fn is_lambda(&self) -> bool {
        !matches!(self, Self::Port(_))
    }

    /// The port of a role that needs one.
    ///
    /// # Errors
    /// [`NoFunction`] where Lambda runs it.
    pub fn into_port(self) -> Result<TcpListener, NoFunction> {
        match self {
            Self::Port(listener) => Ok(listener),
            #[cfg(feature = "lambda")]
            Self::Lambda => Err(NoFunction),
        }
    }
}

/// Lambda runs a program that cannot work there.
#[derive(Debug, Error)]
#[error("this program cannot run as a Lambda function: it goes on working between requests; run it as a container")]
pub struct NoFunction;

/// A program that was built for Lambda alone runs elsewhere.
#[derive(Debug, Error)]
#[error(
    "this build runs as a Lambda function only, and AWS_LAMBDA_RUNTIME_API is not set; build the feature `program` for a port"
)]
pub struct OnlyFunction;

/// A program that has read its settings, tells its log, listens on its port and hears signals; its role does not run yet.
#[derive(Debug)]
pub struct Started<C> {
    /// The role's settings.
    pub config: C,
    /// What carries requests to it.
    pub carrier: Carrier,
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

/// Starts a program: settings, log, metrics, port, signals, in this order. A function has neither port nor signals.
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
    let shutdown = Shutdown::new();
    if is_lambda(variables) {
        let carrier = as_function(C::ROLE)?;
        return Ok(Started { config, carrier, shutdown });
    }
    if !cfg!(feature = "edge") {
        return Err(OnlyFunction.into());
    }
    metrics::install();
    let listener = serve::bind(config.http().host, config.http().port, C::ROLE.port_variable())?;
    tokio::spawn(listen_for_signals(shutdown.clone()));
    Ok(Started { config, carrier: Carrier::Port(listener), shutdown })
}

/// Whether Lambda runs this process.
#[must_use]
pub fn is_lambda(variables: &Variables) -> bool {
    variables.contains_key(RUNTIME_API)
}

#[cfg(feature = "lambda")]
fn as_function(role: Role) -> Result<Carrier, NoFunction> {
    metrics::install_embedded(role.name());
    Ok(Carrier::Lambda)
}

#[cfg(not(feature = "lambda"))]
fn as_function(_: Role) -> Result<Carrier, NoFunction> {
    Err(NoFunction)
}

/// The whole life of a role's own program: it starts, `run` is the role, and what it fails with is logged once.
pub async fn run<C: RoleConfig>(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    run: impl AsyncFnOnce(Started<C>) -> Result<(), Failure>,
) -> ExitCode {
    let variables = variables(environment);
    let ended = match start::<C>(&variables) {
        Ok(started) => run(started).await,
        Err(failure) => Err(failure),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            error!(role = C::ROLE.name(), error = chain(failure.as_ref()), "the program cannot go on");
            #[cfg(feature = "lambda")]
            if is_lambda(&variables) {
                crate::lambda::tell_failure(&chain(failure.as_ref())).await;
            }
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
