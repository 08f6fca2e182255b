//! Errors as problem documents (RFC 9457).

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value};
use tower::ServiceExt as _;

use crate::cors::{self, Origins};

/// An error answer: a status, a stable `code`, and a sentence that says what would be right.
///
/// Written as `application/problem+json` with `type`, `title`, `status`, `code`, `detail` and what [`Problem::with`] adds.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    extras: Map<String, Value>,
    retry_after: Option<u64>,
}

impl Problem {
    /// A problem with a stable code and a sentence for the person who has to mend it.
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), extras: Map::new(), retry_after: None }
    }

    /// Adds a member of the document.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Serialize) -> Self {
        self.extras.insert(name.to_owned(), serde_json::to_value(value).unwrap_or(Value::Null));
        self
    }

    /// Tells after how many seconds the same request may succeed.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The sentence.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// What [`Problem::with`] added, by name.
    #[must_use]
    pub fn extra(&self, name: &str) -> Option<&Value> {
        self.extras.get(name)
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}: {}", self.status.as_u16(), self.code, self.detail)
    }
}

impl std::error::Error for Problem {}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut document = Map::new();
        document.insert("type".into(), "about:blank".into());
        document.insert("title".into(), self.status.canonical_reason().unwrap_or("Error").into());
        document.insert("status".into(), self.status.as_u16().into());
        document.insert("code".into(), self.code.into());
        document.insert("detail".into(), self.detail.into());
        document.extend(self.extras);
        let body = Value::Object(document).to_string();
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// Answers what no route takes with 404 `not_found`. Pages of `origins` can read it, after a preflight too.
pub fn fallbacks(router: Router, origins: &Origins) -> Router {
    let unknown = Router::new().fallback(not_found);
    let of_pages = unknown.clone().layer(cors::layer(origins));
    let pages_may_read = *origins != Origins::Nobody;
    let fallback = move |request: Request| {
        let of_a_page = pages_may_read && cors::is_of_a_page(&request);
        let answering = if of_a_page { of_pages.clone() } else { unknown.clone() };
        answering.oneshot(request)
    };
    router.fallback(fallback)
}

/// 404 `not_found`, with the path that nothing is at.
pub async fn not_found(uri: Uri) -> Problem {
    let path: String = uri.path().chars().take(200).collect();
    Problem::new(StatusCode::NOT_FOUND, "not_found", "there is nothing at this path").with("path", path)
}

/// Makes the framework's bare 405 a problem document, `method_not_allowed`, with the headers that it has: `Allow`, and those
/// that lie around its route.
///
/// On the way out and not by a fallback of its own: that would step in front of what lies around the routes, and preflights
/// would be refused.
pub(crate) fn name_the_405(response: Response) -> Response {
    let is_bare =
        response.status() == StatusCode::METHOD_NOT_ALLOWED && !response.headers().contains_key(header::CONTENT_TYPE);
    if !is_bare {
        return response;
    }
    let detail = "this path does not take this method; Allow names those it takes";
    let mut named = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail).into_response();
    let kept = response.headers().iter().filter(|(name, _)| **name != header::CONTENT_LENGTH);
    kept.for_each(|(name, value)| {
        named.headers_mut().append(name.clone(), value.clone());
    });
    named
}
