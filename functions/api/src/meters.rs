//! What the API counts: requests by route and status, and how long they took.

use std::time::Instant;

use analytics_host::metrics::names;
use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;

/// Counts a request under its route's template without `/api`, so that no label holds what a client can invent.
pub async fn count(request: Request, next: Next) -> Response {
    let endpoint = match request.extensions().get::<MatchedPath>() {
        Some(path) => path.as_str().strip_prefix("/api").unwrap_or(path.as_str()).to_owned(),
        None => "other".to_owned(),
    };
    let began = Instant::now();
    let response = next.run(request).await;
    let status = response.status().as_u16().to_string();
    metrics::counter!(names::API_REQUESTS, "endpoint" => endpoint, "status" => status).increment(1);
    metrics::histogram!(names::API_LATENCY).record(began.elapsed().as_secs_f64());
    response
}
