//! The role as a router.

use std::sync::Arc;

use analytics_host::cors;
use axum::Router;
use axum::routing::post;
use http::{HeaderName, StatusCode, header};

use crate::CollectorDeps;
use crate::collect::{Collector, collect};

/// `POST /collect`, with the CORS headers of its origins. Who serves it answers what no route takes.
pub fn router(deps: CollectorDeps) -> Router {
    let cors = cors::layer(&deps.origins);
    let collector = Arc::new(Collector::new(deps));
    // A preflight is answered by the layer, which is only asked about methods that the route has.
    let route = post(collect).options(methods);
    Router::new().route("/collect", route).with_state(collector).layer(cors)
}

async fn methods() -> (StatusCode, [(HeaderName, &'static str); 1]) {
    (StatusCode::NO_CONTENT, [(header::ALLOW, "POST, OPTIONS")])
}
