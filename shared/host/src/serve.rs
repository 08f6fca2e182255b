//! How a role serves its routes on a port.

use std::io;
use std::net::{IpAddr, SocketAddr};

use axum::Router;
use thiserror::Error;
use tokio::net::{TcpListener, TcpSocket};

use crate::cors::Origins;
use crate::edge::EdgeLimits;
use crate::problem::fallbacks;
#[cfg(feature = "edge")]
use crate::shutdown::Shutdown;

/// The port cannot be had.
#[derive(Debug, Error)]
pub enum BindError {
    /// Somebody else listens there.
    #[error("port {port} of {host} is taken by another program; stop it, or set {variable} to another port")]
    Taken {
        /// The address.
        host: IpAddr,
        /// The port.
        port: u16,
        /// The variable that sets it.
        variable: &'static str,
    },
    /// The system refuses.
    #[error("port {port} of {host} cannot be listened on")]
    Refused {
        /// The address.
        host: IpAddr,
        /// The port.
        port: u16,
        /// The system's error.
        #[source]
        source: io::Error,
    },
}

/// Listens on a port, before any server is waited for, so that whoever watches the process sees it at once.
///
/// # Errors
/// [`BindError`].
pub fn bind(host: IpAddr, port: u16, variable: &'static str) -> Result<TcpListener, BindError> {
    let address = SocketAddr::new(host, port);
    let socket = if host.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
    let listening = socket.and_then(|socket| {
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(4_096)
    });
    listening.map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => BindError::Taken { host, port, variable },
        _ => BindError::Refused { host, port, source },
    })
}

/// What a role serves: its routes, who may use them, within which bounds.
#[derive(Debug, Clone)]
pub struct Site {
    /// The routes.
    pub router: Router,
    /// What bounds a connection.
    pub limits: EdgeLimits,
    /// Which web pages may read that there is nothing at a path.
    pub origins: Origins,
}

impl Site {
    /// The routes, with what answers where no route does.
    #[cfg(any(feature = "edge", feature = "lambda"))]
    fn whole(self) -> Router {
        fallbacks(self.router, &self.origins)
    }

    /// The routes of a function, which says itself what it has not.
    #[cfg(feature = "lambda")]
    pub(crate) fn into_function(self) -> Router {
        let Self { router, limits, origins } = self;
        Self { router: router.merge(crate::lambda::missing_routes()), limits, origins }.whole()
    }
}

/// Serves a site on a port until `shutdown`; unknown paths and methods are problem documents, which pages of its origins can
/// read.
///
/// # Errors
/// The edge's.
#[cfg(feature = "edge")]
pub async fn serve(listener: TcpListener, site: Site, shutdown: Shutdown) -> io::Result<()> {
    if let Ok(address) = listener.local_addr() {
        tracing::info!(address = %address, "listening");
    }
    let limits = site.limits.clone();
    crate::edge::run(listener, site.whole(), shutdown, limits).await
}
