//! The verb accept: whether a body is packed in a way that this role knows.

use http::{HeaderMap, header};

use crate::refusal::Refusal;

/// How a body was compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Gzip,
    Brotli,
    Zstd,
}

impl Encoding {
    /// The name in `Content-Encoding`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }
}

/// How much of a client's own words an answer gives back, in characters.
const SHOWN: usize = 100;

/// Judges media type and content encoding; the latter is given back, `None` where the body is not compressed.
pub(crate) fn accept(headers: &HeaderMap) -> Result<Option<Encoding>, Refusal> {
    if let Some(value) = headers.get(header::CONTENT_TYPE) {
        let shown = String::from_utf8_lossy(value.as_bytes());
        let essence = shown.split(';').next().unwrap_or_default().trim();
        let known = ["", "application/json", "text/plain"];
        if !known.iter().any(|known| essence.eq_ignore_ascii_case(known)) {
            return Err(Refusal::UnsupportedMediaType { found: essence.chars().take(SHOWN).collect() });
        }
    }
    let mut found = None;
    for value in headers.get_all(header::CONTENT_ENCODING) {
        let shown = String::from_utf8_lossy(value.as_bytes());
        for word in shown.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            let encoding = match word.to_ascii_lowercase().as_str() {
                "identity" => continue,
                "gzip" | "x-gzip" => Encoding::Gzip,
                "br" => Encoding::Brotli,
                "zstd" => Encoding::Zstd,
                _ => return Err(Refusal::UnsupportedEncoding { found: Some(word.chars().take(SHOWN).collect()) }),
            };
            if found.replace(encoding).is_some() {
                return Err(Refusal::UnsupportedEncoding { found: None });
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn judged(pairs: &[(&'static str, &'static str)]) -> Result<Option<Encoding>, &'static str> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        accept(&headers).map_err(|refusal| refusal.code())
    }

    #[test]
    fn knows_the_types_of_beacons_and_of_clients() {
        for value in
            ["application/json", "Application/JSON; charset=utf-8", "text/plain;charset=UTF-8", "text/plain", "", " "]
        {
            assert_eq!(judged(&[("content-type", value)]), Ok(None), "{value}");
        }
        assert_eq!(judged(&[]), Ok(None));
        for value in
            ["application/x-www-form-urlencoded", "text/html", "application/jsonx", "multipart/form-data; boundary=x"]
        {
            assert_eq!(judged(&[("content-type", value)]), Err("unsupported_media_type"), "{value}");
        }
    }

    #[test]
    fn knows_one_encoding_at_a_time() {
        for (value, encoding) in [
            ("gzip", Some(Encoding::Gzip)),
            ("X-GZIP", Some(Encoding::Gzip)),
            ("br", Some(Encoding::Brotli)),
            ("zstd", Some(Encoding::Zstd)),
            ("identity", None),
            ("identity, gzip", Some(Encoding::Gzip)),
            ("", None),
        ] {
            assert_eq!(judged(&[("content-encoding", value)]), Ok(encoding), "{value}");
        }
        for value in ["deflate", "gzip, gzip", "gzip,br", "compress"] {
            assert_eq!(judged(&[("content-encoding", value)]), Err("unsupported_encoding"), "{value}");
        }
        assert_eq!(judged(&[("content-encoding", "gzip"), ("content-encoding", "br")]), Err("unsupported_encoding"));
    }
}
