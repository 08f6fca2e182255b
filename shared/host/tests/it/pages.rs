//! CORS and the rule of a server without keys, as browsers and proxies meet them.

use analytics_host::cors::{self, Origins};
use analytics_host::edge::EdgeLimits;
use analytics_host::health::{Health, probe};
use analytics_host::keys::ReadKeys;
use analytics_host::metrics;
use analytics_host::problem::fallbacks;
use axum::Router;
use axum::routing::{get, post};

use crate::harness::{receive, send, start, start_raw};

async fn ask(origins: Origins, method: reqwest::Method, headers: &[(&str, &str)]) -> reqwest::Response {
    let route = Router::new().route("/", get(|| async { "hello" })).layer(cors::layer(&origins));
    let edge = start(route, EdgeLimits::default()).await;
    let request = reqwest::Client::new().request(method, edge.url("/"));
    headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)).send().await.unwrap()
}

#[tokio::test]
async fn cors_answers_by_origin_and_never_allows_credentials() {
    let origin = [("origin", "https://shop.example")];
    let preflight = [
        ("origin", "https://shop.example"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "authorization,content-type,content-encoding,x-write-key,x-api-key"),
    ];
    let header = |response: &reqwest::Response, name: &str| {
        response.headers().get(name).map(|value| value.to_str().unwrap().to_ascii_lowercase())
    };
    for (text, expected) in [
        ("*", Some("*")),
        ("https://SHOP.example:443/, https://b.example", Some("https://shop.example")),
        ("https://b.example", None),
    ] {
        let origins = Origins::parse(text).unwrap();
        let plain = ask(origins.clone(), reqwest::Method::GET, &origin).await;
        assert_eq!(header(&plain, "access-control-allow-origin").as_deref(), expected, "{text}");
        assert_eq!(plain.status(), 200);
        let asked = ask(origins, reqwest::Method::OPTIONS, &preflight).await;
        assert_eq!(header(&asked, "access-control-allow-origin").as_deref(), expected, "{text}");
        for response in [&plain, &asked] {
            assert_eq!(header(response, "access-control-allow-credentials"), None);
        }
        assert_eq!(header(&plain, "access-control-expose-headers").unwrap(), "retry-after,x-next-cursor");
        let allowed = header(&asked, "access-control-allow-headers").unwrap();
        for name in [
            "authorization",
            "content-type",
            "content-encoding",
            "x-write-key",
            "x-api-key",
            "cache-control",
            "last-event-id",
        ] {
            assert!(allowed.split(',').any(|allowed| allowed.trim() == name), "{name} is not in {allowed}");
        }
        assert_eq!(header(&asked, "access-control-max-age").unwrap(), "86400");
    }
    let nobody = ask(Origins::Nobody, reqwest::Method::GET, &origin).await;
    assert!(!nobody.headers().keys().any(|name| name.as_str().starts_with("access-control-")));
}

#[tokio::test]
async fn a_page_can_read_that_there_is_nothing_at_a_path() {
    let status = async |origins: &str, headers: &str, method: &str| {
        let origins = if origins.is_empty() { Origins::Nobody } else { Origins::parse(origins).unwrap() };
        let router = Router::new().route("/", get(|| async { "hello" })).layer(cors::layer(&origins));
        let edge = start_raw(fallbacks(router, &origins), EdgeLimits::default()).await;
        let mut stream = edge.connect().await;
        send(&mut stream, format!("{method} /nowhere HTTP/1.1\r\nHost: h\r\n{headers}\r\n")).await;
        let answer = receive(&mut stream).await;
        let allowed = answer.lines().find_map(|line| line.strip_prefix("access-control-allow-origin: "));
        (answer.split(' ').nth(1).unwrap().to_owned(), allowed.map(str::to_owned))
    };
    let page = "Origin: https://shop.example\r\n";
    let preflight = "Origin: https://shop.example\r\nAccess-Control-Request-Method: POST\r\n";
    let some = |text: &str| Some(text.to_owned());
    for (origins, allowed) in [
        ("*", some("*")),
        ("https://shop.example", some("https://shop.example")),
        ("https://b.example", None),
        ("", None),
    ] {
        assert_eq!(status(origins, page, "GET").await, ("404".into(), allowed.clone()), "{origins}");
        assert_eq!(status(origins, preflight, "OPTIONS").await.1, allowed, "{origins}");
        assert_eq!(status(origins, "", "GET").await, ("404".into(), None), "{origins}");
        assert_eq!(status(origins, page, "OPTIONS").await, ("404".into(), None), "{origins}: no preflight");
    }
    assert_eq!(status("*", preflight, "OPTIONS").await.0, "200");
    assert_eq!(status("", preflight, "OPTIONS").await.0, "404");
}

#[tokio::test]
async fn a_server_without_keys_answers_this_machine_only_but_takes_events_from_everybody() {
    let keys = ReadKeys::open_on_loopback();
    let health = Health::new("analytics").require("database", probe(|| async { Ok(()) }));
    let guarded = Router::new()
        .route("/api/trends", get(|| async { "{}" }))
        .merge(health.router())
        .merge(metrics::router())
        .layer(cors::layer(&Origins::Nobody));
    let collect = Router::new().route("/collect", post(|| async { "taken" })).layer(cors::layer(&Origins::Any));
    let edge = start(keys.guard(guarded).merge(collect), EdgeLimits::default()).await;
    let status = async |request: &str| {
        let mut stream = edge.connect().await;
        send(&mut stream, format!("{request}\r\n\r\n")).await;
        let answer = receive(&mut stream).await;
        let cors = answer.to_ascii_lowercase().contains("access-control-");
        (answer.split(' ').nth(1).unwrap().to_owned(), cors)
    };
    let fine = [
        "Host: localhost:4000",
        "Host: 127.0.0.1:4000",
        "Host: [::1]:4000",
        "Host: localhost",
        "Host: localhost:4000\r\nOrigin: http://localhost:4000",
    ];
    let foreign = [
        "Host: rebound.example:4000",
        "Host: localhost.rebound.example",
        "Host: localhost:4000\r\nX-Forwarded-For: 127.0.0.1",
        "Host: localhost:4000\r\nForwarded: for=127.0.0.1",
        "Host: localhost:4000\r\nVia: 1.1 proxy",
        "Host: localhost:4000\r\nX-Real-IP: 127.0.0.1",
        "Host: localhost:4000\r\nOrigin: https://evil.example",
        "Host: localhost:4000\r\nOrigin: null",
        "Host: localhost:4000\r\nOrigin: http://localhost:3000",
    ];
    for path in ["/api/trends", "/health", "/health/live", "/metrics"] {
        for headers in fine {
            assert_eq!(
                status(&format!("GET {path} HTTP/1.1\r\n{headers}")).await,
                ("200".into(), false),
                "{path} {headers}"
            );
        }
        for headers in foreign {
            assert_eq!(
                status(&format!("GET {path} HTTP/1.1\r\n{headers}")).await,
                ("403".into(), false),
                "{path} {headers}"
            );
        }
        let absolute = format!("GET http://rebound.example{path} HTTP/1.1\r\nHost: localhost");
        assert_eq!(status(&absolute).await.0, "403");
    }
    for headers in foreign {
        let request = format!("POST /collect HTTP/1.1\r\n{headers}\r\nContent-Length: 0");
        assert_eq!(status(&request).await.0, "200", "{headers}");
    }
    assert!(status("POST /collect HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nOrigin: https://a.example").await.1);
}
