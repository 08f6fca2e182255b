//! `GET /api/sessions`, `GET /api/sessions/{id}` and `GET /api/users/{id}`: what happened in one go, and who did it.

use analytics_host::problem::Problem;
use analytics_query::{QueryError, QueryErrorCode, SessionQuestion, SessionsQuestion, UserQuestion};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;

use crate::answering::answer;
use crate::openapi::parameters::{
    CursorParams, LimitParams, RangeParams, SelectionParams, TimelineRangeParams, ZoneParams,
};
use crate::openapi::refusal::{PageRefusals, SessionRefusals, UserRefusals};
use crate::openapi::sessions::{SessionAnswer, SessionsAnswer, UserAnswer};
use crate::problems::{self, QueryPairs};
use crate::router::ApiDeps;

/// Lists sessions, newest first, page by page.
///
/// A session is listed where one of its events in the range passes all filters; its figures are those of all its events in
/// the range.
#[utoipa::path(
    get, path = "/api/sessions", operation_id = "list_sessions", tag = "questions",
    params(RangeParams, SelectionParams, LimitParams, CursorParams),
    responses((status = 200, description = "A page of sessions.", body = SessionsAnswer), PageRefusals)
)]
pub(crate) async fn list(
    State(deps): State<ApiDeps>,
    headers: HeaderMap,
    QueryPairs(pairs): QueryPairs,
) -> Result<Response, Problem> {
    answer(&deps, &headers, || SessionsQuestion::from_parameters(&pairs)).await.map_err(problems::by_parameter)
}

/// Shows one session: its figures, and its events in order, page by page.
#[utoipa::path(
    get, path = "/api/sessions/{id}", operation_id = "show_session", tag = "questions",
    params(
        ("id" = String, Path, example = "s-7f3a", description = "The session's id, percent-encoded."),
        TimelineRangeParams, ZoneParams, LimitParams, CursorParams
    ),
    responses((status = 200, description = "The session and a page of its events, oldest first.", body = SessionAnswer), SessionRefusals)
)]
pub(crate) async fn session(
    State(deps): State<ApiDeps>,
    headers: HeaderMap,
    id: Result<Path<String>, PathRejection>,
    QueryPairs(pairs): QueryPairs,
) -> Result<Response, Problem> {
    answer(&deps, &headers, || SessionQuestion::from_parameters(readable(&id)?, &pairs))
        .await
        .map_err(problems::by_parameter)
}

/// Shows one person by the user id: figures, and the timeline, page by page.
///
/// The timeline holds the events that carry the id, and the unnamed events of the sessions whose first user it is.
#[utoipa::path(
    get, path = "/api/users/{id}", operation_id = "show_user", tag = "questions",
    params(
        ("id" = String, Path, example = "u-42", description = "The user's id, percent-encoded."),
        TimelineRangeParams, ZoneParams, LimitParams, CursorParams
    ),
    responses((status = 200, description = "The person and a page of the timeline, newest first.", body = UserAnswer), UserRefusals)
)]
pub(crate) async fn user(
    State(deps): State<ApiDeps>,
    headers: HeaderMap,
    id: Result<Path<String>, PathRejection>,
    QueryPairs(pairs): QueryPairs,
) -> Result<Response, Problem> {
    answer(&deps, &headers, || UserQuestion::from_parameters(readable(&id)?, &pairs))
        .await
        .map_err(problems::by_parameter)
}

/// The id of a path; looked at after the client's key, like everything that is asked.
pub(crate) fn readable(id: &Result<Path<String>, PathRejection>) -> Result<&str, QueryError> {
    match id {
        Ok(Path(id)) => Ok(id),
        Err(_) => Err(QueryError {
            code: QueryErrorCode::InvalidQuery,
            path: "id".to_owned(),
            message: "expected an id in UTF-8".to_owned(),
        }),
    }
}
