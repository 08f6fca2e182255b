//! Files that were built with this program, and the forms in which they are sent.

use axum::body::Bytes;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use sha2::{Digest, Sha256};

/// One form of a file.
struct Form {
    /// What `Content-Encoding` says of it; nothing of the plain one.
    encoding: Option<&'static str>,
    bytes: &'static [u8],
    tag: HeaderValue,
}

impl Form {
    fn new(encoding: Option<&'static str>, bytes: &'static [u8]) -> Self {
        let digest = Sha256::digest(bytes);
        let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        // Hexadecimal digits are a value of a header.
        let tag = HeaderValue::from_str(&format!("\"{hex}\"")).unwrap_or(HeaderValue::from_static("\"\""));
        Self { encoding, bytes, tag }
    }
}

/// A file in all its forms.
pub(crate) struct File {
    kind: HeaderValue,
    plain: Form,
    /// Those to be taken first stand first.
    packed: Vec<Form>,
}

impl File {
    /// A file of a media type, and its packed forms with the name of each, the smallest first; an empty form is none.
    pub(crate) fn new(
        kind: &'static str,
        plain: &'static [u8],
        packed: impl IntoIterator<Item = (&'static str, &'static [u8])>,
    ) -> Self {
        let there = packed.into_iter().filter(|(_, bytes)| !bytes.is_empty());
        Self {
            kind: HeaderValue::from_static(kind),
            plain: Form::new(None, plain),
            packed: there.map(|(encoding, bytes)| Form::new(Some(encoding), bytes)).collect(),
        }
    }

    /// The file in the form that the client takes, or 304 where it has it.
    pub(crate) fn answer(&self, headers: &HeaderMap) -> Response {
        let wanted = |form: &&Form| form.encoding.is_some_and(|encoding| takes(headers, encoding));
        let form = self.packed.iter().find(wanted).unwrap_or(&self.plain);
        let mut response = if has(headers, &form.tag) {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            let mut response = Bytes::from_static(form.bytes).into_response();
            let more = response.headers_mut();
            more.insert(header::CONTENT_TYPE, self.kind.clone());
            if let Some(encoding) = form.encoding {
                more.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
            }
            response
        };
        let more = response.headers_mut();
        more.insert(header::ETAG, form.tag.clone());
        more.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
        more.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        response
    }
}

/// The words of a header that is a list.
fn words(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(name).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim)
}

fn has(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    words(headers, header::IF_NONE_MATCH).any(|word| word == "*" || word.trim_start_matches("W/").as_bytes() == tag)
}

fn takes(headers: &HeaderMap, encoding: &str) -> bool {
    words(headers, header::ACCEPT_ENCODING).any(|word| {
        let mut parts = word.split(';').map(str::trim);
        let is_named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(encoding));
        let quality = parts.find_map(|part| part.strip_prefix("q=")).map_or(Ok(1.0), str::parse::<f32>);
        is_named && quality.is_ok_and(|quality| quality > 0.0)
    })
}
