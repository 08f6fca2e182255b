//! A role as a Lambda function: its routes behind an HTTP gateway, or a handler behind a queue.
//!
//! One invocation is one request or one handful of queue messages, and the process sleeps between them: whatever has to
//! happen, the metrics too, is done before the answer is given. The routes are those of the TCP edge; what differs is said by
//! them themselves: `/metrics` and `/realtime` are 404 with the reason, an answer beyond the payload's limit is 413.

mod answer;
mod init;
mod messages;
mod request;

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::Router;
use axum::routing::any;
use futures::future::BoxFuture;
use http::{HeaderMap, StatusCode};
use lambda_http::request::LambdaRequest;
use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::value::RawValue;

pub(crate) use init::tell_failure;
pub use messages::{Message, MessageEvent, serve_messages};

use crate::client::{CameByTls, TrustedProxies};
use crate::dispatch::Dispatch;
use crate::metrics;
use crate::problem::Problem;
use crate::program::Failure;
use request::{Call, Shape};

/// What is done before each request is looked at: opening what could not be opened yet.
pub(crate) type Before = Arc<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

/// Answers the function's invocations by `router` until the process is ended from outside.
///
/// # Errors
/// Where the runtime's API cannot be spoken to.
pub(crate) async fn serve(router: Router, proxies: TrustedProxies, before: Before) -> Result<(), Failure> {
    let dispatch = Arc::new(Dispatch::new(router));
    let proxies = Arc::new(proxies);
    let handler = move |event: LambdaEvent<LambdaRequest>| {
        let (dispatch, proxies, before) = (Arc::clone(&dispatch), Arc::clone(&proxies), Arc::clone(&before));
        async move {
            before().await;
            let answer = invoke(event.payload, &dispatch, &proxies).await;
            metrics::tell_embedded();
            Ok::<Box<RawValue>, Infallible>(answer)
        }
    };
    lambda_runtime::run(service_fn(handler)).await
}

async fn invoke(event: LambdaRequest, dispatch: &Dispatch, proxies: &TrustedProxies) -> Box<RawValue> {
    let Call { shape, peer, request } = request::read(event);
    let response = match request {
        Ok(request) => {
            // Who has no address is counted with all others who have none.
            let peer = peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
            let client = proxies.client(peer, request.headers());
            let by_tls = by_tls(shape, request.headers());
            dispatch.answer(request, client, by_tls).await
        }
        Err(problem) => axum::response::IntoResponse::into_response(problem),
    };
    answer::write(shape, response).await
}

/// Gateways and function URLs speak nothing but TLS; a load balancer says what it was spoken to in.
fn by_tls(shape: Shape, headers: &HeaderMap) -> CameByTls {
    let said = headers.get("x-forwarded-proto").and_then(|value| value.to_str().ok());
    CameByTls(match shape {
        Shape::Rest | Shape::Http => true,
        Shape::Balancer => said.is_some_and(|scheme| scheme.eq_ignore_ascii_case("https")),
        Shape::Unknown => false,
    })
}

/// The routes that say what a function has not.
pub(crate) fn missing_routes() -> Router {
    Router::new().route("/realtime", any(no_realtime)).route("/realtime/sse", any(no_realtime))
}

async fn no_realtime() -> Problem {
    let detail = "this deployment has no realtime role at this address: a function cannot hold a connection open; the \
                  realtime role runs as a container of its own";
    Problem::new(StatusCode::NOT_FOUND, "not_found", detail).with("path", "/realtime")
}
