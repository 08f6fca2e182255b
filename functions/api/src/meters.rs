//! What the API counts: requests by route and status, how long they took, and what becomes of the replica.

use std::sync::Arc;
use std::time::{Duration, Instant};

use analytics_host::metrics::names;
use analytics_store::EventStore;
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

/// How often the figures of the replica are shown anew.
const FIGURES: Duration = Duration::from_secs(1);

/// Shows where questions are read, for as long as it runs.
pub async fn follow_replica(store: Arc<dyn EventStore>) {
    loop {
        show_replica(store.as_ref());
        tokio::time::sleep(FIGURES).await;
    }
}

/// Shows where questions are read; also where no replica is set, so that it can be told from one that is left out.
pub fn show_replica(store: &dyn EventStore) {
    let report = store.replica();
    let state = match &report {
        None => -1.0,
        Some(report) if report.left_out.is_some() => 0.0,
        Some(_) => 1.0,
    };
    let report = report.unwrap_or_default();
    metrics::gauge!(names::REPLICA_STATE).set(state);
    metrics::gauge!(names::REPLICA_LAG).set(report.lag.as_secs_f64());
    let outcomes = [("answered", report.answered), ("passed_over", report.passed_over), ("failed", report.failed)];
    for (outcome, count) in outcomes {
        metrics::counter!(names::REPLICA_READS, "outcome" => outcome).absolute(count);
    }
}
