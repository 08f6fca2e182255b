//! The API's routes and what they work with.

use std::sync::Arc;

use analytics_access::Access;
use analytics_domain::SharedRetention;
use analytics_host::clock::SharedClock;
use analytics_host::cors::{self, Origins};
use analytics_messaging::{Cache, Queue};
use analytics_store::EventStore;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{self, Next};
use axum::response::IntoResponse as _;
use axum::routing::{delete, get, post, put};
use axum::{Router, http};

use crate::answering::Flights;
use crate::{
    boards, dead_letters, erasure, events, export, funnel, integrity, keys, meters, openapi, page_session, paths,
    properties, query, retention, sessions, settings, views,
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
    pub access: Access,
    /// Which web pages may ask.
    pub origins: Origins,
    /// The retention in force: raw events before its cutoff are in no answer.
    pub retention: SharedRetention,
    /// Whether `RETENTION_DAYS` said it to this process.
    pub retention_is_said: bool,
    /// The clock.
    pub clock: SharedClock,
    /// Questions being answered right now, so that the same one is asked once.
    pub flights: Flights,
    /// About how many bytes of events an export may give at once; `None` where it may give all.
    pub export_bytes: Option<usize>,
    /// Whether collectors are told which keys of the store send: the queue carries it.
    pub made_keys_send: bool,
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
        .route("/api/session", get(page_session::show).post(page_session::sign_in).delete(page_session::sign_out))
        .route("/api/keys", get(keys::list).post(keys::make))
        .route("/api/keys/{id}", delete(keys::revoke))
        .route("/api/settings", get(settings::show).patch(settings::change))
        .route("/api/views", get(views::list).post(views::save))
        .route("/api/views/{id}", put(views::save_again).delete(views::remove))
        .route("/api/boards", get(boards::list).post(boards::save))
        .route("/api/boards/{id}", put(boards::save_again).delete(boards::remove))
        .route("/api/openapi.json", get(openapi::document))
        .route("/api/docs", get(openapi::page))
        .layer(DefaultBodyLimit::max(QUESTION_BYTES))
        .route_layer(middleware::from_fn_with_state(deps.clone(), own_pages_only))
        .route_layer(middleware::from_fn(meters::count))
        .layer(middleware::map_response(private))
        .layer(cors)
        .with_state(deps)
}

/// An answer belongs to the key that asked: no shared cache may keep it.
async fn private(mut response: axum::response::Response) -> axum::response::Response {
    let headers = response.headers_mut();
    headers.entry(http::header::CACHE_CONTROL).or_insert(http::HeaderValue::from_static("private, no-store"));
    let asker = http::HeaderValue::from_static("Authorization, X-API-Key, Cookie, X-Project, Origin");
    headers.insert(http::header::VARY, asker);
    response
}

/// What a cookie lets in and may change something has to come from a page of this server.
async fn own_pages_only(State(deps): State<ApiDeps>, request: Request, next: Next) -> axum::response::Response {
    match deps.access.check_site(request.method(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}
