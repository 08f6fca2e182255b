//! Routes that are there before the store is: a port is open before any server is waited for.

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::Request;
use axum::routing::any;
use http::StatusCode;
use tower::ServiceExt as _;

use crate::client::{CameByTls, ClientAddress};
use crate::cors::{self, Origins};
use crate::problem::{Problem, fallbacks};

/// After how many seconds a client may ask again.
const RETRY_SECONDS: u64 = 2;

/// Routes that ask the store: until they are opened, each request is told to come again.
#[derive(Debug, Clone)]
pub struct LateRoutes {
    opened: Arc<OnceLock<Router>>,
    waiting: Router,
    origins: Origins,
}

impl LateRoutes {
    /// Not open yet; pages of `origins` can read that, and what no route takes later.
    #[must_use]
    pub fn new(origins: &Origins) -> Self {
        let waiting = Router::new().fallback(not_yet).layer(cors::layer(origins));
        Self { opened: Arc::default(), waiting, origins: origins.clone() }
    }

    /// Opens them; a second time changes nothing.
    pub fn open(&self, routes: Router) {
        let _ = self.opened.set(fallbacks(routes, &self.origins));
    }

    /// What answers on `path`, which holds all the routes: `/api/{*rest}`.
    pub fn router(&self, path: &str) -> Router {
        let Self { opened, waiting, .. } = self.clone();
        let answer = move |request: Request| {
            let routes = opened.get().unwrap_or(&waiting).clone();
            routes.oneshot(unrouted(request))
        };
        Router::new().route(path, any(answer))
    }
}

async fn not_yet() -> Problem {
    let detail = "the store has not answered since the start; ask again in a moment";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", detail).retry_after(RETRY_SECONDS)
}

/// The request as the edge handed it over: what the outer route knows of its path would confuse the inner one.
fn unrouted(request: Request) -> Request {
    let (parts, body) = request.into_parts();
    let mut fresh = Request::new(body);
    (*fresh.method_mut(), *fresh.uri_mut(), *fresh.version_mut()) = (parts.method, parts.uri, parts.version);
    *fresh.headers_mut() = parts.headers;
    if let Some(client) = parts.extensions.get::<ClientAddress>() {
        fresh.extensions_mut().insert(*client);
    }
    if let Some(by_tls) = parts.extensions.get::<CameByTls>() {
        fresh.extensions_mut().insert(*by_tls);
    }
    fresh
}
