//! `/tracker.js`: the script that web pages run.

use std::io::Read as _;

use analytics_api::tracker;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use tower::ServiceExt as _;

async fn ask(path: &str, headers: &[(&str, &str)]) -> (StatusCode, HeaderMap, Vec<u8>) {
    let mut request = Request::builder().uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let router = tracker::router(Some("/js/s.js"));
    let response = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    (parts.status, parts.headers, to_bytes(body, usize::MAX).await.unwrap().into())
}

#[tokio::test]
async fn every_page_may_have_it_for_an_hour() {
    for path in ["/tracker.js", "/js/s.js"] {
        let (status, headers, body) = ask(path, &[("origin", "https://any.example")]).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        assert!(String::from_utf8(body).unwrap().contains("analytics"), "{path}");
        for (name, value) in [
            ("content-type", "text/javascript; charset=utf-8"),
            ("access-control-allow-origin", "*"),
            ("cross-origin-resource-policy", "cross-origin"),
            ("vary", "Accept-Encoding"),
            ("x-content-type-options", "nosniff"),
        ] {
            assert_eq!(headers[name], value, "{path}");
        }
        assert!(!headers.contains_key(header::CONTENT_ENCODING), "{path}");
        let is_built = tracker::is_built();
        assert_eq!(
            headers[header::CACHE_CONTROL],
            if is_built { "public, max-age=3600" } else { "no-cache" },
            "{path}"
        );
    }
    assert_eq!(ask("/s.js", &[]).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn who_has_it_gets_it_not_again() {
    for encoding in ["identity", "gzip"] {
        let (_, headers, _) = ask("/tracker.js", &[("accept-encoding", encoding)]).await;
        let tag = headers[header::ETAG].to_str().unwrap();
        assert!(tag.starts_with('"') && tag.len() == 34, "{tag} is no strong tag");
        for known in [tag.to_owned(), format!("\"other\", W/{tag}"), "*".to_owned()] {
            let asked = [("accept-encoding", encoding), ("if-none-match", &*known)];
            let (status, again, body) = ask("/tracker.js", &asked).await;
            assert_eq!((status, body.len()), (StatusCode::NOT_MODIFIED, 0), "{known}");
            for name in [header::ETAG, header::CACHE_CONTROL, header::VARY] {
                assert_eq!(again[&name], headers[&name], "{known}");
            }
        }
        let asked = [("accept-encoding", encoding), ("if-none-match", "\"other\"")];
        assert_eq!(ask("/tracker.js", &asked).await.0, StatusCode::OK);
    }
}

#[tokio::test]
async fn who_takes_gzip_gets_the_same_in_fewer_bytes() {
    if !tracker::is_built() {
        // Built without Node: there is the word about it only, which nobody packs.
        let (_, headers, body) = ask("/tracker.js", &[("accept-encoding", "gzip")]).await;
        assert!(!headers.contains_key(header::CONTENT_ENCODING));
        assert!(String::from_utf8(body).unwrap().starts_with("console.warn('analytics: this server was built without"));
        return;
    }
    let (_, plain_headers, plain) = ask("/tracker.js", &[]).await;
    for takes in ["gzip", "br, gzip;q=0.5", "deflate, GZIP"] {
        let (_, headers, packed) = ask("/tracker.js", &[("accept-encoding", takes)]).await;
        assert_eq!(headers[header::CONTENT_ENCODING], "gzip", "{takes}");
        assert_ne!(headers[header::ETAG], plain_headers[header::ETAG]);
        assert!(packed.len() <= 2048, "{} bytes are more than was promised", packed.len());
        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(&*packed).read_to_end(&mut unpacked).unwrap();
        assert_eq!(unpacked, plain, "{takes}");
    }
    for takes in ["gzip;q=0", "br", "gzipped", "", "gzip;q=much"] {
        let (_, headers, body) = ask("/tracker.js", &[("accept-encoding", takes)]).await;
        assert!(!headers.contains_key(header::CONTENT_ENCODING), "{takes}");
        assert_eq!(body, plain, "{takes}");
    }
}
