//! The API's routes and what they work with.

use std::sync::Arc;

use analytics_domain::SharedRetention;
use analytics_host::clock::SharedClock;
use analytics_host::cors::{self, Origins};
use analytics_host::keys::ReadKeys;
use analytics_messaging::{Cache, Queue};
use analytics_store::EventStore;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::routing::{get, post};
use axum::{Router, http};

use crate::answering::Flights;
use crate::{
    dead_letters, erasure, events, export, funnel, integrity, meters, openapi, paths, properties, query, retention,
    sessions,
};

/// Largest body of a question, in bytes.
const QUESTION_BYTES: usize = 256 * 1024;

/// What the routes work with; cheap to clone.
#[derive(Clone)]
pub struct ApiDeps {
    /// Where answers come from.
    pub store: Arc<dyn EventStore>,
    /// Where answers are kept for a moment.
    pub cache: Arc<dyn Cache>,
    /// Asked for what is in flight, where this process can see it.
    pub queue: Option<Arc<dyn Queue>>,
    /// Who may ask what.
    pub keys: ReadKeys,
    /// Which web pages may ask.
    pub origins: Origins,
    /// The retention in force: raw events before its cutoff are in no answer.
    pub retention: SharedRetention,
    /// The clock.
    pub clock: SharedClock,
    /// Questions being answered right now, so that the same one is asked once.
    pub flights: Flights,
    /// About how many bytes of events an export may give at once; `None` where it may give all.
    pub export_bytes: Option<usize>,
}

/// The routes under `/api`.
pub fn router(deps: ApiDeps) -> Router {
    let cors = cors::layer(&deps.origins);
    Router::new()
        .route("/api/query", post(query::ask))
        .route("/api/trends", get(query::trends))
        .route("/api/breakdown", get(query::breakdown))
        .route("/api/funnel", post(funnel::ask))
        .route("/api/paths", post(paths::ask))
        .route("/api/retention", post(retention::ask))
        .route("/api/sessions", get(sessions::list))
        .route("/api/sessions/{id}", get(sessions::session))
        .route("/api/users/{id}", get(sessions::user).delete(erasure::erase))
        .route("/api/events", get(events::list))
        .route("/api/export", get(export::export))
        .route("/api/properties", get(properties::list))
        .route("/api/properties/{key}/values", get(properties::values))
        .route("/api/integrity", get(integrity::integrity))
        .route("/api/dead-letters", get(dead_letters::list))
        .route("/api/dead-letters/replay", post(dead_letters::replay))
        .route("/api/openapi.json", get(openapi::document))
        .route("/api/docs", get(openapi::page))
        .layer(DefaultBodyLimit::max(QUESTION_BYTES))
        .route_layer(middleware::from_fn(meters::count))
        .layer(middleware::map_response(private))
        .layer(cors)
        .with_state(deps)
}

/// An answer belongs to the key that asked: no shared cache may keep it.
async fn private(mut response: axum::response::Response) -> axum::response::Response {
    let headers = response.headers_mut();
    headers.entry(http::header::CACHE_CONTROL).or_insert(http::HeaderValue::from_static("private, no-store"));
    headers.insert(http::header::VARY, http::HeaderValue::from_static("Authorization, X-API-Key, Origin"));
    response
}
