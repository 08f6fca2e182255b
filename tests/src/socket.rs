//! Live sockets of a tenant, with TLS where the deployment stands behind it.

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::handshake::client::{Request, Response};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::Tenant;

/// What a socket runs over.
pub trait Carrier: AsyncRead + AsyncWrite + std::fmt::Debug + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + std::fmt::Debug + Send + Unpin> Carrier for T {}

/// An open socket.
pub type Socket = WebSocketStream<Box<dyn Carrier>>;

/// Opens a socket as a request for a `ws://` or `wss://` URL asks for it.
///
/// # Errors
/// What the server answers instead, or that it cannot be reached.
pub async fn connect(tenant: &Tenant, request: Request) -> Result<(Socket, Response), Error> {
    let uri = request.uri();
    let host = uri.host().unwrap_or_default().to_owned();
    let stream = TcpStream::connect((host.as_str(), uri.port_u16().unwrap_or(80))).await?;
    let carrier: Box<dyn Carrier> = match tenant.tls() {
        None => Box::new(stream),
        Some(tls) => {
            let name = ServerName::try_from(host).map_err(std::io::Error::other)?;
            Box::new(TlsConnector::from(tls).connect(name, stream).await?)
        }
    };
    client_async(request, carrier).await
}
