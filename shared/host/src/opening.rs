//! Serving routes while the servers behind them are opened.

use std::error::Error;

use crate::program::{Carrier, Failure};
use crate::serve::Site;
use crate::shutdown::Shutdown;

/// Serves a site until `shutdown`, and meanwhile opens what its routes need: `open` is one try, `passing` says which of its
/// errors a later try may mend, `server` names what is waited for.
///
/// On a port, `open` is tried once a second until it succeeds. As a function there is no meanwhile: it is tried once at the
/// start, and before each request until it succeeds.
///
/// # Errors
/// What `open` fails with for good, and the edge's.
pub async fn serve_and_open<E, F>(
    carrier: Carrier,
    shutdown: Shutdown,
    site: Site,
    server: &'static str,
    passing: impl Fn(&E) -> bool + Send + Sync + 'static,
    open: impl Fn() -> F + Send + Sync + 'static,
) -> Result<(), Failure>
where
    E: Error + Send + Sync + 'static,
    F: Future<Output = Result<(), E>> + Send + 'static,
{
    #[cfg(feature = "lambda")]
    if carrier.is_lambda() {
        return function::serve_and_open(site, server, passing, open).await;
    }
    let listener = carrier.into_port()?;
    port::serve_and_open(listener, shutdown, site, server, passing, open).await
}

#[cfg(feature = "edge")]
mod port {
    use std::error::Error;

    use tokio::net::TcpListener;

    use crate::program::{Failure, patiently};
    use crate::serve::{Site, serve};
    use crate::shutdown::Shutdown;

    pub(super) async fn serve_and_open<E, F>(
        listener: TcpListener,
        shutdown: Shutdown,
        site: Site,
        server: &'static str,
        passing: impl Fn(&E) -> bool,
        open: impl Fn() -> F,
    ) -> Result<(), Failure>
    where
        E: Error + Send + Sync + 'static,
        F: Future<Output = Result<(), E>>,
    {
        let serving = tokio::spawn(serve(listener, site, shutdown.clone()));
        let opened = tokio::select! {
            opened = patiently(server, passing, &open) => opened,
            () = shutdown.stopping() => Ok(()),
        };
        if opened.is_err() {
            shutdown.stop();
        }
        serving.await??;
        Ok(opened?)
    }
}

/// A build for Lambda alone has no edge: [`crate::program::start`] has refused the port already.
#[cfg(not(feature = "edge"))]
mod port {
    use std::error::Error;

    use tokio::net::TcpListener;

    use crate::program::{Failure, OnlyFunction};
    use crate::serve::Site;
    use crate::shutdown::Shutdown;

    pub(super) async fn serve_and_open<E, F>(
        _: TcpListener,
        _: Shutdown,
        _: Site,
        _: &'static str,
        _: impl Fn(&E) -> bool,
        _: impl Fn() -> F,
    ) -> Result<(), Failure>
    where
        E: Error + Send + Sync + 'static,
        F: Future<Output = Result<(), E>>,
    {
        Err(OnlyFunction.into())
    }
}

#[cfg(feature = "lambda")]
mod function {
    use std::error::Error;
    use std::sync::Arc;
    use std::time::Duration;

    use futures::FutureExt as _;
    use tokio::sync::Mutex;
    use tokio::time::timeout;
    use tracing::warn;

    use crate::failure::chain;
    use crate::lambda;
    use crate::program::Failure;
    use crate::serve::Site;

    /// How long a try may take; a gateway gives up on a request after 29 s at most.
    const A_TRY: Duration = Duration::from_secs(5);

    /// What may not be open yet. One that waits for it lets nobody else try.
    struct Opening<P, O> {
        server: &'static str,
        passing: P,
        open: O,
        opened: Mutex<bool>,
    }

    impl<P, O> Opening<P, O> {
        /// Opens it, where it is not open; an error that passes is logged only.
        async fn once<E, F>(&self) -> Result<(), E>
        where
            E: Error + Send + Sync + 'static,
            P: Fn(&E) -> bool,
            O: Fn() -> F,
            F: Future<Output = Result<(), E>>,
        {
            let mut opened = self.opened.lock().await;
            if *opened {
                return Ok(());
            }
            match timeout(A_TRY, (self.open)()).await {
                Ok(Ok(())) => *opened = true,
                Ok(Err(error)) if (self.passing)(&error) => {
                    warn!(
                        server = self.server,
                        error = chain(&error),
                        "a server is not ready; the next request tries again"
                    );
                }
                Ok(Err(error)) => return Err(error),
                Err(_) => warn!(server = self.server, "a server takes too long; the next request tries again"),
            }
            Ok(())
        }
    }

    pub(super) async fn serve_and_open<E, F>(
        site: Site,
        server: &'static str,
        passing: impl Fn(&E) -> bool + Send + Sync + 'static,
        open: impl Fn() -> F + Send + Sync + 'static,
    ) -> Result<(), Failure>
    where
        E: Error + Send + Sync + 'static,
        F: Future<Output = Result<(), E>> + Send + 'static,
    {
        let opening = Arc::new(Opening { server, passing, open, opened: Mutex::new(false) });
        opening.once().await?;
        let before = move || {
            let opening = Arc::clone(&opening);
            async move {
                if let Err(error) = opening.once().await {
                    tracing::error!(server, error = chain(&error), "what the function needs cannot be opened");
                }
            }
            .boxed()
        };
        let proxies = site.limits.trusted_proxies.clone();
        lambda::serve(site.into_function(), proxies, Arc::new(before)).await
    }
}
