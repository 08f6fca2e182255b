//! The role as a router.

use std::sync::Arc;

use analytics_host::cors;
use axum::Router;
use axum::routing::post;

use crate::CollectorDeps;
use crate::collect::{Collector, collect};

/// `POST /collect`, with the CORS headers of its origins. Who serves it answers what no route takes.
pub fn router(deps: CollectorDeps) -> Router {
    let cors = cors::layer(&deps.origins);
    let collector = Arc::new(Collector::new(deps));
    Router::new().route("/collect", post(collect)).with_state(collector).layer(cors)
}
