//! What can go wrong on a route, as problem documents.

use analytics_access::Access;
use analytics_host::failure::causes;
use analytics_host::keys::Scope;
use analytics_host::problem::Problem;
use analytics_query::{QueryError, QueryErrorCode};
use analytics_store::{AnswerError, StoreError};
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tracing::error;

/// After how many seconds a client should ask again while the store is away.
const STORE_RETRY_SECONDS: u64 = 2;

/// The pairs of the query string, unread: [`Given`](analytics_query::Given) reads them after the key and names what is wrong.
pub struct QueryPairs(pub Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for QueryPairs {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(Self(Query::try_from_uri(&parts.uri).map(|Query(pairs)| pairs).unwrap_or_default()))
    }
}

/// A body as bytes, or why it could not be read; looked at after the key.
pub struct WholeBody(Result<Bytes, Problem>);

impl WholeBody {
    /// The bytes; where they could not be read, a wrong key is told first.
    pub(crate) async fn unless_refused(self, access: &Access, headers: &HeaderMap) -> Result<Bytes, Problem> {
        match self.0 {
            Ok(bytes) => Ok(bytes),
            Err(problem) => access.grant(headers, Scope::Read).await.and(Err(problem)),
        }
    }

    /// The bytes, or why they could not be read; for those who have checked the key.
    pub(crate) fn bytes(self) -> Result<Bytes, Problem> {
        self.0
    }
}

impl<S: Send + Sync> FromRequest<S> for WholeBody {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        Ok(Self(Bytes::from_request(request, state).await.map_err(|rejection| unreadable_body(&rejection))))
    }
}

/// A JSON object as body; whatever its media type says.
#[derive(Debug)]
pub struct Body<T>(pub T);

/// A body that a handler looks at after it has checked the key.
pub type BodyJson<T> = Result<Body<T>, Problem>;

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection| unreadable_body(&rejection))?;
        // A list would be taken for an object by the order of its members.
        let members: Map<String, Value> =
            serde_json::from_slice(&bytes).map_err(|error| invalid_body(error.to_string()))?;
        serde_json::from_value(Value::Object(members)).map(Self).map_err(|error| invalid_body(error.to_string()))
    }
}

fn unreadable_body(rejection: &BytesRejection) -> Problem {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            "the question is larger than this route reads (256 KiB)",
        ),
        _ => invalid_body(rejection.body_text()),
    }
}

/// 400 `invalid_body`: the body is no JSON of the route's shape.
pub(crate) fn invalid_body(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "invalid_body", detail)
}

/// The planner's refusal.
pub(crate) fn query(error: QueryError) -> Problem {
    let status = match error.code {
        QueryErrorCode::QueryTooLarge => StatusCode::UNPROCESSABLE_ENTITY,
        QueryErrorCode::InvalidQuery | QueryErrorCode::InvalidCursor => StatusCode::BAD_REQUEST,
        QueryErrorCode::SessionNotFound | QueryErrorCode::UserNotFound => StatusCode::NOT_FOUND,
        QueryErrorCode::Unreadable => StatusCode::INTERNAL_SERVER_ERROR,
    };
    Problem::new(status, error.code.as_str(), error.message).with("path", error.path)
}

/// The store's failure: 503 where it is away, 422 where the question is too large for the time it has.
pub(crate) fn store(failure: StoreError) -> Problem {
    let cause = causes(&failure);
    match failure {
        StoreError::TooSlow { seconds } => Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "query_too_large",
            format!("the question takes longer than {seconds} s; narrow date_range, or ask for fewer dimensions"),
        )
        .with("path", "date_range"),
        StoreError::Unavailable { .. }
        | StoreError::ReplicaLost { .. }
        | StoreError::Setting { .. }
        | StoreError::Schema { .. } => {
            error!(error = %failure, cause, "a question could not be answered");
            away()
        }
        StoreError::Data { .. } => {
            error!(error = %failure, cause, "the store refuses a statement of ours");
            defect()
        }
    }
}

/// The failure of what is kept beside events: nothing there is a question that could be narrowed.
pub(crate) fn kept(failure: StoreError) -> Problem {
    match failure {
        StoreError::TooSlow { seconds } => {
            error!(seconds, "what a project keeps could not be looked up in time");
            away()
        }
        other => store(other),
    }
}

/// 503 `store_unavailable`.
fn away() -> Problem {
    let detail = "the store cannot be asked now; ask again in a moment";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", detail).retry_after(STORE_RETRY_SECONDS)
}

/// The refusal of a question that was asked with parameters: its place by the parameter that a member of the question came from.
pub(crate) fn by_parameter(problem: Problem) -> Problem {
    let Some(place) = problem.extra("path").and_then(Value::as_str) else { return problem };
    let member = place.split(['.', '[']).next().unwrap_or_default();
    let parameter = match member {
        "date_range" => "range",
        "dimensions" => "dimension",
        "metrics" => "metric",
        "filters" => "filter",
        "timezone" => "tz",
        _ => return problem,
    };
    problem.with("path", parameter)
}

/// 500 `internal_error`; what happened is in the log.
pub(crate) fn defect() -> Problem {
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "internal_error",
        "the answer could not be computed; this is a defect, and it is in the log",
    )
}

/// The failure of a whole answer.
pub(crate) fn answer(failure: AnswerError) -> Problem {
    match failure {
        AnswerError::Query(error) => query(error),
        AnswerError::Store(error) => store(error),
    }
}
