//! `/` and `/assets/...`: the page, and what it loads.

use std::collections::BTreeSet;
use std::io::Read as _;

use analytics_api::dashboard;
use analytics_host::cors::Origins;
use analytics_host::problem::fallbacks;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use tower::ServiceExt as _;

const POLICY: &str =
    "default-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'; object-src 'none'";

async fn send(method: Method, path: &str, headers: &[(&str, &str)]) -> (StatusCode, HeaderMap, Vec<u8>) {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = dashboard::router().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    (parts.status, parts.headers, to_bytes(body, usize::MAX).await.unwrap().into())
}

async fn ask(path: &str, headers: &[(&str, &str)]) -> (StatusCode, HeaderMap, Vec<u8>) {
    send(Method::GET, path, headers).await
}

/// The paths of the files that a text names beside itself.
fn named(text: &str) -> BTreeSet<String> {
    let is_end = |letter: char| !(letter.is_ascii_alphanumeric() || "./-_".contains(letter));
    let names = text.split(is_end).filter_map(|word| word.strip_prefix("./"));
    let files = names.filter(|name| [".js", ".css", ".svg"].iter().any(|ending| name.ends_with(ending)));
    files.map(|name| format!("/assets/{}", name.trim_start_matches("assets/"))).collect()
}

#[tokio::test]
async fn the_page_loads_from_its_own_server_only() {
    let (status, headers, body) = ask("/", &[]).await;
    assert_eq!(status, StatusCode::OK);
    for (name, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("content-security-policy", POLICY),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("cache-control", "no-cache"),
        ("vary", "Accept-Encoding"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        assert_eq!(headers[name], value, "{name}");
    }
    assert!(!headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN));
    let text = String::from_utf8(body).unwrap();
    // The policy would refuse them, and the page would be empty.
    for refused in ["<script>", "<style", " style=", "onload=", "http://", "https://", "data:"] {
        assert!(!text.contains(refused), "{refused}: {text}");
    }
    if !dashboard::is_built() {
        assert!(text.contains("npm run build"), "{text}");
    }
}

#[tokio::test]
async fn what_the_page_loads_is_there_for_ever_under_its_name() {
    let (_, _, page) = ask("/", &[]).await;
    let mut paths = named(&String::from_utf8(page).unwrap());
    assert_eq!(dashboard::is_built(), !paths.is_empty(), "{paths:?}");
    let mut seen = BTreeSet::new();
    while let Some(path) = paths.pop_first() {
        let (status, headers, body) = ask(&path, &[]).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        assert_eq!(headers[header::CACHE_CONTROL], "public, max-age=31536000, immutable", "{path}");
        let kind = match path.rsplit('.').next() {
            Some("js") => "text/javascript; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("svg") => "image/svg+xml",
            other => panic!("{path}: {other:?} has no media type"),
        };
        assert_eq!(headers[header::CONTENT_TYPE], kind, "{path}");
        for (name, value) in [("content-security-policy", POLICY), ("x-content-type-options", "nosniff")] {
            assert_eq!(headers[name], value, "{path}");
        }
        seen.insert(path);
        paths.extend(named(&String::from_utf8(body).unwrap()).difference(&seen).cloned());
    }
    // The page, its style and a script for each view.
    assert!(!dashboard::is_built() || seen.len() > 5, "{seen:?}");
}

#[tokio::test]
async fn what_is_not_there_is_a_problem_and_no_page() {
    let router = fallbacks(dashboard::router(), &Origins::Nobody);
    let paths = [
        "/assets/",
        "/assets/x.js",
        "/assets/index.html",
        "/assets/%2e%2e/index.html",
        "/assets/%ff",
        "/index.html",
        "/x",
    ];
    for path in paths {
        let request = Request::builder().uri(path).body(Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json", "{path}");
    }
}

#[tokio::test]
async fn a_head_is_answered_as_a_get_without_its_body() {
    let (_, of_get, body) = ask("/", &[]).await;
    let (status, of_head, nothing) = send(Method::HEAD, "/", &[]).await;
    assert_eq!((status, nothing.len()), (StatusCode::OK, 0));
    assert_eq!(of_head[header::CONTENT_LENGTH], body.len().to_string());
    for name in [header::ETAG, header::CONTENT_TYPE, header::CONTENT_SECURITY_POLICY, header::CACHE_CONTROL] {
        assert_eq!(of_head[&name], of_get[&name]);
    }
    assert_eq!(send(Method::POST, "/", &[]).await.0, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn the_smallest_form_that_is_taken_is_sent() {
    if !dashboard::is_built() {
        let (_, headers, _) = ask("/", &[("accept-encoding", "gzip, br")]).await;
        assert!(!headers.contains_key(header::CONTENT_ENCODING));
        return;
    }
    let (_, _, page) = ask("/", &[]).await;
    let script = named(&String::from_utf8(page).unwrap()).into_iter().find(|path| path.ends_with(".js")).unwrap();
    for path in ["/", &*script] {
        let (_, plain_headers, plain) = ask(path, &[]).await;
        assert!(!plain_headers.contains_key(header::CONTENT_ENCODING));
        let mut tags = BTreeSet::from([plain_headers[header::ETAG].to_str().unwrap().to_owned()]);
        for (takes, encoding) in
            [("gzip, deflate, br, zstd", "br"), ("br;q=0, gzip", "gzip"), ("GZIP", "gzip"), ("Br;q=0.1", "br")]
        {
            let (_, headers, packed) = ask(path, &[("accept-encoding", takes)]).await;
            assert_eq!(headers[header::CONTENT_ENCODING], encoding, "{path} {takes}");
            assert!(packed.len() < plain.len(), "{path} {takes}");
            tags.insert(headers[header::ETAG].to_str().unwrap().to_owned());
            let mut unpacked = Vec::new();
            match encoding {
                "br" => brotli_decompressor::Decompressor::new(&*packed, 4096).read_to_end(&mut unpacked).unwrap(),
                _ => flate2::read::GzDecoder::new(&*packed).read_to_end(&mut unpacked).unwrap(),
            };
            assert_eq!(unpacked, plain, "{path} {takes}");
        }
        assert_eq!(tags.len(), 3, "each form has a tag of its own: {tags:?}");
        for takes in ["", "identity", "br;q=0, gzip;q=0.0", "brotli", "*;q=0"] {
            let (_, headers, body) = ask(path, &[("accept-encoding", takes)]).await;
            assert!(!headers.contains_key(header::CONTENT_ENCODING), "{path} {takes}");
            assert_eq!(body, plain, "{path} {takes}");
        }
    }
}

#[tokio::test]
async fn who_has_a_form_gets_it_not_again() {
    for takes in ["identity", "gzip", "br"] {
        let (_, headers, _) = ask("/", &[("accept-encoding", takes)]).await;
        let tag = headers[header::ETAG].to_str().unwrap();
        assert!(tag.starts_with('"') && tag.len() == 34, "{tag} is no strong tag");
        let (status, again, body) = ask("/", &[("accept-encoding", takes), ("if-none-match", tag)]).await;
        assert_eq!((status, body.len()), (StatusCode::NOT_MODIFIED, 0), "{takes}");
        for name in [header::ETAG, header::CACHE_CONTROL, header::VARY, header::CONTENT_SECURITY_POLICY] {
            assert_eq!(again[&name], headers[&name], "{takes}");
        }
        let (status, ..) = ask("/", &[("accept-encoding", takes), ("if-none-match", "\"other\"")]).await;
        assert_eq!(status, StatusCode::OK, "{takes}");
    }
}
