//! `GET /` and `GET /assets/...`: the page that shows what is asked most, as it was built with this program (`build.rs`,
//! `dashboard`).
//!
//! It is the same for everybody and asks no key: what it shows, it asks of the routes under `/api` as any client does.

use std::collections::HashMap;
use std::sync::LazyLock;

use analytics_host::problem::not_found;
use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderMap, HeaderName, HeaderValue, Uri, header};

use crate::files::File;

/// A file of the page in its forms; those that there are not are empty.
struct Asset {
    name: &'static str,
    kind: &'static str,
    plain: &'static [u8],
    gzip: &'static [u8],
    brotli: &'static [u8],
}

/// The page itself, and then everything that it loads.
static ASSETS: &[Asset] = include!(concat!(env!("OUT_DIR"), "/dashboard.rs"));

/// What a browser lets the page do: load from its own server, and nothing else.
const POLICY: &str =
    "default-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'; object-src 'none'";

/// The page, and what it loads.
pub fn router() -> Router {
    Router::new().route("/", get(page)).route("/assets/{name}", get(asset))
}

/// Whether the page is there, and not only the word that it is missing.
pub fn is_built() -> bool {
    ASSETS.len() > 1
}

static FILES: LazyLock<HashMap<&'static str, File>> = LazyLock::new(|| {
    let file = |asset: &Asset| File::new(asset.kind, asset.plain, [("br", asset.brotli), ("gzip", asset.gzip)]);
    ASSETS.iter().map(|asset| (asset.name, file(asset))).collect()
});

/// The page: what it loads has other names after the next build.
async fn page(headers: HeaderMap) -> Response {
    FILES.get("index.html").map(|file| finish(file.answer(&headers), "no-cache")).unwrap_or_default()
}

/// What the page loads: its name holds the digest of what is in it.
async fn asset(uri: Uri, headers: HeaderMap) -> Response {
    match FILES.get(uri.path().trim_start_matches('/')) {
        Some(file) => finish(file.answer(&headers), "public, max-age=31536000, immutable"),
        None => not_found(uri).await.into_response(),
    }
}

fn finish(mut response: Response, kept: &'static str) -> Response {
    let more = response.headers_mut();
    for (name, value) in [
        (header::CACHE_CONTROL, kept),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        more.insert(name, HeaderValue::from_static(value));
    }
    response
}
