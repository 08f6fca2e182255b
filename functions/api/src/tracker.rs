//! `GET /tracker.js`: the script that web pages run, as it was built with this program (`build.rs`, `sdk/browser`).

use std::sync::LazyLock;

use axum::Router;
use axum::response::Response;
use axum::routing::get;
use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::files::File;

/// Where the script always is.
pub const PATH: &str = "/tracker.js";

static PLAIN: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/tracker.js"));

/// Empty where the program was built without the script.
static PACKED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/tracker.js.gz"));

/// The script's route, and the same under `alias` (`TRACKER_PATH`): blocklists know the usual names.
///
/// It asks no key and no store, and any page may have it.
pub fn router(alias: Option<&str>) -> Router {
    let route = Router::new().route(PATH, get(script));
    match alias {
        Some(alias) if alias != PATH => route.route(alias, get(script)),
        _ => route,
    }
}

/// Whether the script is there, and not only the word that it is missing.
pub fn is_built() -> bool {
    !PACKED.is_empty()
}

static SCRIPT: LazyLock<File> =
    LazyLock::new(|| File::new("text/javascript; charset=utf-8", PLAIN, [("gzip", PACKED)]));

async fn script(headers: HeaderMap) -> Response {
    // What is missing today may be there tomorrow.
    let kept = if is_built() { "public, max-age=3600" } else { "no-cache" };
    let mut response = SCRIPT.answer(&headers);
    let more = response.headers_mut();
    for (name, value) in [
        (header::CACHE_CONTROL, kept),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        // Pages that isolate themselves load nothing else from another site.
        (HeaderName::from_static("cross-origin-resource-policy"), "cross-origin"),
    ] {
        more.insert(name, HeaderValue::from_static(value));
    }
    response
}
