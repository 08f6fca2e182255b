//! Which page a request comes from: a cookie is sent by the browser, whoever has it send.

use analytics_host::problem::Problem;
use http::{HeaderMap, HeaderName, StatusCode, header};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whether the request comes from a page of this server; none where nothing tells, as of a program that is no browser.
fn is_own(headers: &HeaderMap) -> Option<bool> {
    let site = only(headers, &SEC_FETCH_SITE);
    let by_origin = || headers.contains_key(header::ORIGIN).then(|| has_own_origin(headers));
    match site {
        Some(site) => Some(site == Some("same-origin")),
        None => by_origin(),
    }
}

/// Whether there is an `Origin`, and it is the host that the request was sent to.
fn has_own_origin(headers: &HeaderMap) -> bool {
    let (Some(Some(origin)), Some(Some(host))) = (only(headers, &header::ORIGIN), only(headers, &header::HOST)) else {
        return false;
    };
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    let port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return false,
    };
    let bare = |authority: &str| authority.strip_suffix(port).unwrap_or(authority).to_ascii_lowercase();
    !host.is_empty() && bare(authority) == bare(host)
}

/// The one value of a header; none where it is not there, none within where it is no text or stands twice.
fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<Option<&'h str>> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    Some(first.to_str().ok().filter(|_| values.next().is_none()))
}

/// Of a request that its cookie lets in and that may change something: it has to come from a page of this server.
///
/// # Errors
/// 403 `cross_site`.
pub fn require_own_page(headers: &HeaderMap) -> Result<(), Problem> {
    if is_own(headers) == Some(true) { Ok(()) } else { Err(cross_site()) }
}

/// Of a sign-in, which has no cookie yet: no page of another server may do it.
///
/// # Errors
/// 403 `cross_site`.
pub fn refuse_foreign_page(headers: &HeaderMap) -> Result<(), Problem> {
    if is_own(headers) == Some(false) { Err(cross_site()) } else { Ok(()) }
}

/// Of a live connection that its cookie lets in: browsers let any page open one, and tell which page it was.
///
/// # Errors
/// 403 `cross_site`.
pub fn require_own_origin(headers: &HeaderMap) -> Result<(), Problem> {
    if has_own_origin(headers) { Ok(()) } else { Err(cross_site()) }
}

fn cross_site() -> Problem {
    let detail = "a session's cookie is taken from pages of this server only (Sec-Fetch-Site: same-origin, or an Origin equal to \
                  Host); programs send an API key";
    Problem::new(StatusCode::FORBIDDEN, "cross_site", detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(pairs: &[(&'static str, &str)]) -> Option<bool> {
        is_own(&headers(pairs))
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn the_browser_says_where_a_request_comes_from() {
        assert_eq!(told(&[("host", "a.example")]), None);
        assert_eq!(told(&[("sec-fetch-site", "same-origin")]), Some(true));
        for site in ["same-site", "cross-site", "none", "", "SAME-ORIGIN"] {
            assert_eq!(
                told(&[("host", "a.example"), ("sec-fetch-site", site), ("origin", "https://a.example")]),
                Some(false)
            );
        }
        assert_eq!(told(&[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")]), Some(false));
    }

    #[test]
    fn an_origin_has_to_be_the_host() {
        for (host, origin) in [
            ("a.example", "https://a.example"),
            ("A.example:443", "https://a.example"),
            ("a.example", "http://a.example:80"),
            ("192.0.2.7:4000", "http://192.0.2.7:4000"),
            ("[::1]:4000", "http://[::1]:4000"),
        ] {
            assert_eq!(told(&[("host", host), ("origin", origin)]), Some(true), "{host} {origin}");
        }
        for (host, origin) in [
            ("a.example", "null"),
            ("a.example", ""),
            ("", "https://"),
            ("a.example", "https://a.example.evil.example"),
            ("a.example", "https://b.a.example"),
            ("a.example:4000", "http://a.example:4001"),
            ("a.example:4000", "http://a.example"),
            ("a.example", "ftp://a.example"),
        ] {
            assert_eq!(told(&[("host", host), ("origin", origin)]), Some(false), "{host} {origin}");
        }
        assert_eq!(told(&[("origin", "https://a.example")]), Some(false));
        let twice = [("host", "a.example"), ("origin", "https://a.example"), ("origin", "https://evil.example")];
        assert_eq!(told(&twice), Some(false));
    }

    #[test]
    fn each_rule_refuses_what_it_has_to() {
        let none = headers(&[("host", "a.example")]);
        let own = headers(&[("host", "a.example"), ("origin", "https://a.example")]);
        let foreign = headers(&[("host", "a.example"), ("origin", "https://evil.example")]);
        let fetched = headers(&[("host", "a.example"), ("sec-fetch-site", "same-origin")]);
        let verdicts = |rule: fn(&HeaderMap) -> Result<(), Problem>| {
            [&none, &own, &foreign, &fetched].map(|headers| rule(headers).is_ok())
        };
        assert_eq!(verdicts(require_own_page), [false, true, false, true]);
        assert_eq!(verdicts(refuse_foreign_page), [true, true, false, true]);
        assert_eq!(verdicts(require_own_origin), [false, true, false, false]);
    }
}
