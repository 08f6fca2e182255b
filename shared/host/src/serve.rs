//! How a role serves: the one place that knows what carries its requests.

use std::io;
use std::net::{IpAddr, SocketAddr};

use axum::Router;
use thiserror::Error;
use tokio::net::{TcpListener, TcpSocket};
use tracing::info;

use crate::cors::Origins;
use crate::edge::{self, EdgeLimits};
use crate::problem::fallbacks;
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

/// Serves a role's routes until `shutdown`; unknown paths and methods are problem documents, which pages of `origins` can
/// read.
///
/// # Errors
/// The edge's.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: Shutdown,
    limits: EdgeLimits,
    origins: Origins,
) -> io::Result<()> {
    if let Ok(address) = listener.local_addr() {
        info!(address = %address, "listening");
    }
    edge::run(listener, fallbacks(router, &origins), shutdown, limits).await
}
