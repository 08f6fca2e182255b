//! Why a request was not accepted: every answer of this role besides 202, and the 400 that lists refused events.

use std::borrow::Cow;
use std::time::Duration;

use analytics_domain::BodyError;
use analytics_host::body::BodyProblem;
use analytics_host::problem::Problem;
use analytics_messaging::EnqueueError;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use thiserror::Error;

use crate::accept::Encoding;
use crate::inflate::InflateError;

/// Why a request was not accepted; each variant's doc line begins with its status and code.
#[derive(Debug, Error)]
pub(crate) enum Refusal {
    /// 401 `unknown_key`, in the words of those who keep the keys.
    #[error("{0}")]
    Unauthorized(Problem),
    /// 503 `keys_unavailable`.
    #[error(
        "nobody has told this collector yet, or for too long, which keys of the store send, so it cannot say whether yours does; \
         send the events again after the time that Retry-After says"
    )]
    KeysUnavailable,
    /// 415 `unsupported_media_type`.
    #[error("send application/json, text/plain that holds JSON, or no Content-Type; not {found:?}")]
    UnsupportedMediaType { found: String },
    /// 415 `unsupported_encoding`.
    #[error("send Content-Encoding gzip, br or zstd, one of them, or none; not {}", match .found {
        Some(found) => format!("{found:?}"),
        None => "several, one upon the other".to_owned(),
    })]
    UnsupportedEncoding { found: Option<String> },
    /// 413 `body_too_large`.
    #[error("the body has more than {limit} bytes{}; send its events in several", if *.inflated { " when inflated" } else { "" })]
    BodyTooLarge { limit: usize, inflated: bool },
    /// 408 `body_too_slow`, 400 `body_interrupted`, 413 `body_too_large`: the body did not come in as it should.
    #[error("{0}")]
    NotReceived(Problem),
    /// 400 `invalid_encoding`.
    #[error("the body cannot be inflated as {}: {reason}", .encoding.name())]
    InvalidEncoding { encoding: Encoding, reason: &'static str },
    /// 400 `invalid_json` or `empty_batch`, 413 `too_many_events`.
    #[error("{0}")]
    Body(BodyError),
    /// 429 `rate_limited`.
    #[error("more than {rate} events a second; send them again after the time that Retry-After says")]
    RateLimited { rate: u32, events: usize, wait: Duration },
    /// 503 `overloaded`.
    #[error("too many bodies are being received; send it again after the time that Retry-After says")]
    Overloaded,
    /// 503 `queue_unavailable`.
    #[error(
        "the events could not be made durable and were not accepted; send them again after the time that Retry-After says"
    )]
    QueueUnavailable {
        events: usize,
        #[source]
        source: Option<EnqueueError>,
    },
}

impl Refusal {
    /// The stable code.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Unauthorized(problem) | Self::NotReceived(problem) => problem.code(),
            Self::KeysUnavailable => "keys_unavailable",
            Self::UnsupportedMediaType { .. } => "unsupported_media_type",
            Self::UnsupportedEncoding { .. } => "unsupported_encoding",
            Self::BodyTooLarge { .. } => "body_too_large",
            Self::InvalidEncoding { .. } => "invalid_encoding",
            Self::Body(error) => error.code(),
            Self::RateLimited { .. } => "rate_limited",
            Self::Overloaded => "overloaded",
            Self::QueueUnavailable { .. } => "queue_unavailable",
        }
    }

    /// How many events were refused with it; 1 where nobody knows, because the body was never read.
    pub(crate) fn events(&self) -> usize {
        match self {
            Self::RateLimited { events, .. } | Self::QueueUnavailable { events, .. } => *events,
            _ => 1,
        }
    }

    /// What an inflating body's failure means.
    pub(crate) const fn of_inflating(error: InflateError, encoding: Encoding, limit: usize) -> Self {
        match error {
            InflateError::TooLarge => Self::BodyTooLarge { limit, inflated: true },
            InflateError::Broken(reason) => Self::InvalidEncoding { encoding, reason },
        }
    }
}

impl From<BodyProblem> for Refusal {
    fn from(problem: BodyProblem) -> Self {
        match problem {
            BodyProblem::TooLarge { limit } => Self::BodyTooLarge { limit, inflated: false },
            other => Self::NotReceived(other.into()),
        }
    }
}

/// A client's next try comes after so many seconds, another number for each, so that not all come at once.
fn some_seconds() -> u64 {
    rand::random_range(1..=5)
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (code, detail) = (self.code(), self.to_string());
        let problem = |status| Problem::new(status, code, detail.as_str());
        let problem = match self {
            Self::Unauthorized(told) | Self::NotReceived(told) => told,
            Self::UnsupportedMediaType { .. } => problem(StatusCode::UNSUPPORTED_MEDIA_TYPE),
            Self::UnsupportedEncoding { .. } => {
                let mut response = problem(StatusCode::UNSUPPORTED_MEDIA_TYPE).into_response();
                // RFC 9110, 15.5.16: what would have been taken.
                response.headers_mut().insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip, br, zstd"));
                return response;
            }
            Self::BodyTooLarge { limit, .. } => problem(StatusCode::PAYLOAD_TOO_LARGE).with("limit", limit),
            Self::InvalidEncoding { .. } => problem(StatusCode::BAD_REQUEST),
            Self::Body(BodyError::InvalidJson { line, column, field, .. }) => {
                let told = problem(StatusCode::BAD_REQUEST).with("line", line).with("column", column);
                match field {
                    Some(field) => told.with("field", Cow::<str>::Owned(field)),
                    None => told,
                }
            }
            Self::Body(BodyError::EmptyBatch) => problem(StatusCode::BAD_REQUEST),
            Self::Body(BodyError::TooManyEvents) => {
                problem(StatusCode::PAYLOAD_TOO_LARGE).with("limit", analytics_domain::body::EVENTS_MAX)
            }
            Self::RateLimited { wait, .. } => {
                let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                problem(StatusCode::TOO_MANY_REQUESTS).retry_after(seconds.max(1))
            }
            Self::KeysUnavailable | Self::Overloaded => {
                problem(StatusCode::SERVICE_UNAVAILABLE).retry_after(some_seconds())
            }
            Self::QueueUnavailable { .. } => problem(StatusCode::SERVICE_UNAVAILABLE).retry_after(some_seconds()),
        };
        problem.into_response()
    }
}
