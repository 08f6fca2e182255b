//! A request to the router and back, whatever carried it: panics become 500, bare refusals problem documents.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use futures::FutureExt as _;
use http::StatusCode;
use metrics::Counter;
use tower::Service as _;
use tracing::error;

use crate::client::{CameByTls, ClientAddress};
use crate::metrics::names;
use crate::problem::{Problem, name_the_405};

/// Hands requests to a router.
pub(crate) struct Dispatch {
    router: Router,
    panics: Counter,
}

impl Dispatch {
    pub(crate) fn new(router: Router) -> Self {
        Self { router, panics: metrics::counter!(names::HTTP_PANICS) }
    }

    /// The router's answer to a request of `client`.
    pub(crate) async fn answer(&self, mut request: Request, client: ClientAddress, by_tls: CameByTls) -> Response {
        request.extensions_mut().insert(client);
        request.extensions_mut().insert(by_tls);
        let mut router = self.router.clone();
        // The handler's state may be in pieces after a panic; it is the request's own, or behind locks that tell of it.
        let handled: Result<Result<Response, Infallible>, _> =
            AssertUnwindSafe(async move { router.call(request).await }).catch_unwind().await;
        match handled {
            Ok(Ok(response)) => name_the_405(response),
            Err(_) => {
                self.panics.increment(1);
                error!("a handler panicked and its request was answered 500; the line before says where");
                let detail = "the request could not be handled; this is a defect, and it is in the log";
                Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", detail).into_response()
            }
        }
    }
}
