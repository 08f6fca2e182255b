//! The HTTP edge: accepts connections with every bound that a public server needs, and drains them.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tower::ServiceExt;
use tracing::{error, info, warn};

use crate::client::TrustedProxies;
use crate::problem::Problem;
use crate::shutdown::Shutdown;

/// The bounds of the edge.
#[derive(Debug, Clone)]
pub struct EdgeLimits {
    /// How long a client may take to send the head of a request; an idle kept-alive connection is closed after it too.
    pub head_time: Duration,
    /// Connections open at once; beyond it a new one waits to be accepted.
    pub connections: usize,
    /// How long requests in flight may take once the process stops.
    pub drain_time: Duration,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: TrustedProxies,
}

impl Default for EdgeLimits {
    fn default() -> Self {
        Self {
            head_time: Duration::from_secs(10),
            connections: 20_000,
            drain_time: Duration::from_secs(20),
            trusted_proxies: TrustedProxies::default(),
        }
    }
}

/// Most headers of a request.
const HEADERS: usize = 64;
/// Most bytes of a request's head.
const HEAD_BYTES: usize = 16 * 1024;

/// Serves `router` on `listener` until `shutdown`, then lets requests in flight end within the drain time.
///
/// Every request carries a [`crate::client::ClientAddress`]. A handler that panics is a 500 and a line in the log.
///
/// # Errors
/// None at present: what fails while accepting is logged and tried again.
pub async fn run(listener: TcpListener, router: Router, shutdown: Shutdown, limits: EdgeLimits) -> io::Result<()> {
    let slots = Arc::new(Semaphore::new(limits.connections));
    let proxies = Arc::new(limits.trusted_proxies.clone());
    let mut connections = JoinSet::new();
    loop {
        let Some((stream, peer, slot)) = accept(&listener, &slots, &shutdown).await else { break };
        while connections.try_join_next().is_some() {}
        let serving = serve(stream, peer, router.clone(), Arc::clone(&proxies), shutdown.clone(), limits.head_time);
        connections.spawn(async move {
            serving.await;
            drop(slot);
        });
    }
    drop(listener);
    let all = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(limits.drain_time, all).await.is_err() {
        warn!(seconds = limits.drain_time.as_secs(), "connections were cut: they did not end within the drain time");
    } else {
        info!("every connection has ended");
    }
    Ok(())
}

/// The next connection, or none where it is time to stop.
async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
    shutdown: &Shutdown,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    loop {
        let slot = tokio::select! {
            slot = Arc::clone(slots).acquire_owned() => slot.ok()?,
            () = shutdown.stopping() => return None,
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.stopping() => return None,
        };
        match accepted {
            Ok((stream, peer)) => {
                let _ = stream.set_nodelay(true);
                return Some((stream, peer, slot));
            }
            // A client that went away before it was accepted is nobody's fault.
            Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) => {}
            Err(error) => {
                error!(error = %error, "a connection could not be accepted; trying again in a second");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    proxies: Arc<TrustedProxies>,
    shutdown: Shutdown,
    head_time: Duration,
) {
    let service = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
        let mut request: Request = request.map(Body::new);
        let client = proxies.client(peer.ip(), request.headers());
        request.extensions_mut().insert(client);
        let router = router.clone();
        async move { Ok::<Response, Infallible>(guarded(router, request).await) }
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(head_time)
        .max_headers(HEADERS)
        .max_buf_size(HEAD_BYTES)
        .pipeline_flush(true);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Duration::from_secs(20))
        .max_concurrent_streams(100)
        .max_header_list_size(HEAD_BYTES as u32);
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        // What goes wrong on a connection is the client's doing: cut, slow or no HTTP.
        _ = connection.as_mut() => return,
        () = shutdown.stopping() => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

/// Runs the handler; a panic ends the request, not the process.
async fn guarded(router: Router, request: Request) -> Response {
    let handled = std::panic::AssertUnwindSafe(router.oneshot(request)).catch_unwind().await;
    match handled {
        Ok(Ok(response)) => response,
        Err(_) => {
            error!("a handler panicked; its request is answered 500");
            let detail = "the request could not be handled; this is a defect, and it is in the log";
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", detail).into_response()
        }
    }
}
