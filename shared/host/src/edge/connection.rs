//! One connection: HTTP/1.1 or HTTP/2 by its first bytes, requests to the router, panics to 500.

use std::convert::Infallible;
use std::future::{Future as _, poll_fn};
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use http::{HeaderValue, Version, header};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use metrics::Gauge;

use super::pulse::{Order, Pulse};
use super::upload;
use super::wire::Wire;
use crate::client::TrustedProxies;
use crate::dispatch::Dispatch;
use crate::metrics::names;

/// Most bytes of a request's head, and of a piece of its body.
const BUFFER_BYTES: usize = 64 * 1024;

/// Most bytes of a request's headers in HTTP/2.
const HEADER_LIST_BYTES: u32 = 16 * 1024;

/// Requests that one HTTP/2 connection may have in flight.
const STREAMS: u32 = 100;

/// An HTTP/2 connection is asked this often whether it is still there, and has as long to answer.
const PING_EVERY: Duration = Duration::from_secs(20);

/// What all connections of an edge share.
pub(super) struct Shared {
    dispatch: Dispatch,
    proxies: TrustedProxies,
    protocol: Builder<TokioExecutor>,
    in_flight: Gauge,
}

impl Shared {
    pub(super) fn new(router: Router, proxies: TrustedProxies) -> Self {
        let mut protocol = Builder::new(TokioExecutor::new());
        // The head's time is watched by the edge for all connections at once. Of more than 100 headers the library
        // answers 431 by itself.
        protocol.http1().timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(BUFFER_BYTES);
        protocol
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(PING_EVERY)
            .max_concurrent_streams(STREAMS)
            .max_header_list_size(HEADER_LIST_BYTES);
        Self { dispatch: Dispatch::new(router), proxies, protocol, in_flight: metrics::gauge!(names::HTTP_IN_FLIGHT) }
    }
}

/// Serves a connection until it ends, is told to, or is handed to another protocol.
pub(super) async fn serve(wire: Wire, peer: IpAddr, pulse: Arc<Pulse>, shared: Arc<Shared>) {
    let _done = Done(Arc::clone(&pulse));
    let service = {
        let (pulse, shared) = (Arc::clone(&pulse), Arc::clone(&shared));
        hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
            let in_flight = InFlight::begin(&pulse, &shared.in_flight, request.version());
            answer(upload::watched(request, &pulse), peer, Arc::clone(&shared), in_flight)
        })
    };
    let mut connection = pin!(shared.protocol.serve_connection_with_upgrades(TokioIo::new(wire), service));
    let mut finishing = false;
    poll_fn(|cx| {
        match pulse.order(cx.waker()) {
            Order::Run => {}
            Order::Finish if finishing => {}
            Order::Finish => {
                finishing = true;
                connection.as_mut().graceful_shutdown();
            }
            Order::Cut => return Poll::Ready(()),
        }
        // What goes wrong on a connection is the client's doing: cut, slow or no HTTP.
        connection.as_mut().poll(cx).map(drop)
    })
    .await;
}

/// Tells the watch that the connection has ended, by whatever way.
struct Done(Arc<Pulse>);

impl Drop for Done {
    fn drop(&mut self) {
        self.0.done();
    }
}

/// A request between its head and the beginning of its answer; a client that leaves drops it.
struct InFlight {
    pulse: Arc<Pulse>,
    gauge: Gauge,
}

impl InFlight {
    fn begin(pulse: &Arc<Pulse>, gauge: &Gauge, version: Version) -> Self {
        pulse.began(version == Version::HTTP_2);
        gauge.increment(1.0);
        Self { pulse: Arc::clone(pulse), gauge: gauge.clone() }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.pulse.answered();
        self.gauge.decrement(1.0);
    }
}

async fn answer(
    mut request: Request,
    peer: IpAddr,
    shared: Arc<Shared>,
    in_flight: InFlight,
) -> Result<Response, Infallible> {
    name_the_host(&mut request);
    let client = shared.proxies.client(peer, request.headers());
    let by_tls = shared.proxies.came_by_tls(peer, request.headers());
    let response = shared.dispatch.answer(request, client, by_tls).await;
    drop(in_flight);
    Ok(response)
}

/// HTTP/2 and requests for a whole URL name the host outside of the headers; rules about the host read `Host`.
fn name_the_host(request: &mut Request) {
    let Some(authority) = request.uri().authority() else { return };
    if let Ok(host) = HeaderValue::from_str(authority.as_str()) {
        request.headers_mut().insert(header::HOST, host);
    }
}
