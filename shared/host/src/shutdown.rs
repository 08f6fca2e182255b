//! Stopping: told once, heard everywhere.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// Whether the process is to stop; clones hear the same word.
#[derive(Debug, Clone, Default)]
pub struct Shutdown(CancellationToken);

impl Shutdown {
    /// One that nobody has told to stop.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether it is stopping.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Waits until it is.
    pub async fn stopping(&self) {
        self.0.cancelled().await;
    }

    /// Tells everybody to stop.
    pub fn stop(&self) {
        self.0.cancel();
    }

    /// The token behind it, for those who speak of tokens.
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        self.0.clone()
    }
}

/// Waits for SIGTERM or SIGINT and tells `shutdown`; a second one ends the process at once.
///
/// # Errors
/// Where the system lets no handler be installed.
pub async fn listen_for_signals(shutdown: Shutdown) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut next = async || tokio::select! { _ = terminate.recv() => "SIGTERM", _ = interrupt.recv() => "SIGINT" };
    let name = next().await;
    info!(signal = name, "stopping: what is in flight is finished; a second signal ends the process at once");
    shutdown.stop();
    let name = next().await;
    warn!(signal = name, "ended at once by a second signal");
    std::process::exit(130);
}
