//! `POST /api/paths`: which events follow which.

use analytics_host::problem::Problem;
use analytics_query::PathsQuestion;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use crate::answering::answer;
use crate::openapi::paths::{PathsAnswer, PathsBody};
use crate::openapi::refusal::QuestionRefusals;
use crate::problems::WholeBody;
use crate::router::ApiDeps;

/// Answers which events follow which, step by step.
///
/// The body is read as JSON whatever its media type says.
#[utoipa::path(
    post, path = "/api/paths", operation_id = "paths", tag = "questions",
    request_body(content = PathsBody, description = "The question.", examples(
        ("from" = (summary = "Where visitors go from the pricing page", value = json!({
            "from": { "filters": [["is", "metadata.path", ["/pricing"]]] }, "name": "metadata.path", "depth": 4,
            "limit": 5, "date_range": "30d", "timezone": "Europe/Berlin"
        }))),
        ("to" = (summary = "What sessions do up to a purchase", value = json!({
            "to": { "filters": [["is", "event_action", ["purchase"]]] }, "by": "session", "depth": 10, "date_range": "7d"
        }))),
    )),
    responses((status = 200, description = "The names of each step and the ways between them.", body = PathsAnswer), QuestionRefusals)
)]
pub(crate) async fn ask(State(deps): State<ApiDeps>, headers: HeaderMap, body: WholeBody) -> Result<Response, Problem> {
    let body = body.unless_refused(&deps.access, &headers).await?;
    answer(&deps, &headers, || PathsQuestion::from_slice(&body)).await
}
