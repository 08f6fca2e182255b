//! The cookie of the page's sessions: a random token that no script of a page can read and no foreign page can send.

use std::time::Duration;

use analytics_host::client::CameByTls;
use http::{HeaderMap, HeaderValue, header};

use crate::secret;

/// Its name.
pub const NAME: &str = "analytics_session";

/// How long a session lasts.
pub const LIFETIME: Duration = Duration::from_secs(30 * 86_400);

/// The token of a request, where it has one of the form that tokens are made in.
#[must_use]
pub fn token(headers: &HeaderMap) -> Option<&str> {
    let values = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = values.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find_map(|(name, value)| (name == NAME && secret::has_form(value)).then_some(value))
}

/// The header that gives a browser its token.
#[must_use]
pub fn set(token: &str, by_tls: CameByTls) -> HeaderValue {
    header(token, LIFETIME.as_secs(), by_tls)
}

/// The header that takes it back.
#[must_use]
pub fn clear(by_tls: CameByTls) -> HeaderValue {
    header("", 0, by_tls)
}

fn header(token: &str, seconds: u64, CameByTls(by_tls): CameByTls) -> HeaderValue {
    // Where the page itself came without TLS, a browser would throw a `Secure` cookie away.
    let secure = if by_tls { "; Secure" } else { "" };
    let text = format!("{NAME}={token}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
    let mut value = HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_found_among_other_cookies() {
        let one = "a".repeat(43);
        let read = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::COOKIE, value.parse().unwrap());
            }
            token(&headers).map(str::to_owned)
        };
        assert_eq!(read(&[]), None);
        assert_eq!(read(&[&format!("a=b; {NAME}={one}; c=d")]), Some(one.clone()));
        assert_eq!(read(&["a=b", &format!("{NAME}={one}")]), Some(one.clone()), "HTTP/2 may send several lines");
        for none in [NAME.to_owned(), format!("{NAME}="), format!("x{NAME}={one}"), format!("{NAME}={one}x"), one] {
            assert_eq!(read(&[&none]), None, "{none}");
        }
    }

    #[test]
    fn it_is_hidden_from_scripts_and_foreign_pages() {
        let plain = set("token", CameByTls(false));
        assert_eq!(plain, "analytics_session=token; Path=/; Max-Age=2592000; HttpOnly; SameSite=Strict");
        assert!(plain.is_sensitive(), "logs do not show it");
        let by_tls = clear(CameByTls(true));
        assert_eq!(by_tls, "analytics_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict; Secure");
    }
}
