//! `GET /tracker.js`: the script that web pages run, as it was built with this program (`build.rs`, `sdk/browser`).

use std::sync::LazyLock;

use axum::Router;
use axum::body::Bytes;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use sha2::{Digest, Sha256};

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

/// One of the two forms in which the script is sent.
struct Form {
    bytes: &'static [u8],
    tag: HeaderValue,
}

impl Form {
    fn new(bytes: &'static [u8]) -> Self {
        let digest = Sha256::digest(bytes);
        let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        // Hexadecimal digits are a value of a header.
        let tag = HeaderValue::from_str(&format!("\"{hex}\"")).unwrap_or(HeaderValue::from_static("\"\""));
        Self { bytes, tag }
    }
}

static FORMS: LazyLock<(Form, Form)> = LazyLock::new(|| (Form::new(PLAIN), Form::new(PACKED)));

async fn script(headers: HeaderMap) -> Response {
    let (plain, packed) = &*FORMS;
    let is_packed = is_built() && takes_gzip(&headers);
    let form = if is_packed { packed } else { plain };
    // What is missing today may be there tomorrow.
    let kept = if is_built() { "public, max-age=3600" } else { "no-cache" };
    let mut response = if has(&headers, &form.tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let mut response = Bytes::from_static(form.bytes).into_response();
        let more = response.headers_mut();
        more.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/javascript; charset=utf-8"));
        if is_packed {
            more.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    };
    let more = response.headers_mut();
    more.insert(header::ETAG, form.tag.clone());
    for (name, value) in [
        (header::CACHE_CONTROL, kept),
        (header::VARY, "Accept-Encoding"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        // Pages that isolate themselves load nothing else from another site.
        (HeaderName::from_static("cross-origin-resource-policy"), "cross-origin"),
    ] {
        more.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// The words of a header that is a list.
fn words(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(name).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim)
}

fn has(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    words(headers, header::IF_NONE_MATCH).any(|word| word == "*" || word.trim_start_matches("W/").as_bytes() == tag)
}

fn takes_gzip(headers: &HeaderMap) -> bool {
    words(headers, header::ACCEPT_ENCODING).any(|word| {
        let mut parts = word.split(';').map(str::trim);
        let is_named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        let quality = parts.find_map(|part| part.strip_prefix("q=")).map_or(Ok(1.0), str::parse::<f32>);
        is_named && quality.is_ok_and(|quality| quality > 0.0)
    })
}
