//! Which web pages may connect: browsers let any page open a WebSocket anywhere, so the server has to look.

use analytics_host::cors::Origins;
use analytics_host::problem::Problem;
use http::{HeaderMap, StatusCode, header};

/// Whether a request may go on: where it has an `Origin`, that one has to be in `CORS_ORIGINS`.
///
/// Where no origin is allowed at all there are no keys either, and the rule of open loopback servers
/// ([`analytics_host::keys::ReadKeys`]) judges the origin.
pub(crate) fn check_origin(allowed: &Origins, headers: &HeaderMap) -> Result<(), Problem> {
    let Origins::Only(allowed) = allowed else { return Ok(()) };
    let is_allowed = |origin: &http::HeaderValue| {
        origin.to_str().is_ok_and(|origin| allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin)))
    };
    if headers.get_all(header::ORIGIN).iter().all(is_allowed) {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::FORBIDDEN,
        "forbidden_origin",
        "this web page may not connect here: its origin is not in CORS_ORIGINS",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_that_is_sent_must_be_known() {
        let allowed = Origins::parse("https://dash.example.com,http://localhost:3000").unwrap();
        let check = |origin: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ORIGIN, origin.parse().unwrap());
            check_origin(&allowed, &headers).is_ok()
        };
        assert!(check_origin(&allowed, &HeaderMap::new()).is_ok());
        for origin in ["https://dash.example.com", "http://localhost:3000"] {
            assert!(check(origin), "{origin}");
        }
        for origin in [
            "https://dash.example.com.evil.test",
            "http://dash.example.com",
            "https://dash.example.com:8443",
            "http://localhost",
            "null",
            "",
        ] {
            assert!(!check(origin), "{origin}");
        }
        let mut twice = HeaderMap::new();
        twice.append(header::ORIGIN, "https://dash.example.com".parse().unwrap());
        twice.append(header::ORIGIN, "https://evil.test".parse().unwrap());
        assert!(check_origin(&allowed, &twice).is_err());
        assert!(check_origin(&Origins::Any, &twice).is_ok());
    }
}
