//! `POST /api/query`, and its shorthands `GET /api/trends` and `GET /api/breakdown`.

use analytics_host::problem::Problem;
use analytics_query::{QueryError, Question};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use crate::answering::answer;
use crate::openapi::answer::Answer;
use crate::openapi::parameters::{
    BreakdownParams, CompareParams, CursorParams, LimitParams, RangeParams, SelectionParams, TrendsParams,
};
use crate::openapi::question::QuestionBody;
use crate::openapi::refusal::{PageRefusals, QuestionRefusals};
use crate::problems::{self, QueryPairs, WholeBody};
use crate::router::ApiDeps;

/// Answers a question of the whole language.
///
/// The body is read as JSON whatever its media type says.
#[utoipa::path(
    post, path = "/api/query", operation_id = "query", tag = "questions",
    request_body(content = QuestionBody, description = "The question.", examples(
        ("series" = (summary = "Events and visitors of one type, day by day", value = json!({
            "metrics": ["events", "visitors"], "date_range": "7d", "timezone": "Europe/Berlin",
            "dimensions": ["time:day"], "filters": [["is", "event_type", ["commerce"]]]
        }))),
        ("ranking" = (summary = "The ten pages with the most visitors, against the 30 days before", value = json!({
            "metrics": ["visitors", "events_per_session"], "date_range": "30d", "dimensions": ["metadata.path"],
            "filters": [["or", [["starts_with", "metadata.path", ["/docs"]], ["gt", "metadata.price", [10]]]]],
            "order_by": [["visitors", "desc"]], "compare": "previous_period", "limit": 10
        }))),
        ("totals" = (summary = "Figures of everything that is stored, in one row", value = json!({
            "metrics": ["events", "sessions", "users", "sum:metadata.price"], "date_range": "all"
        }))),
    )),
    responses((status = 200, description = "The rows, what stands in them, and how they came about.", body = Answer), QuestionRefusals)
)]
pub(crate) async fn ask(State(deps): State<ApiDeps>, headers: HeaderMap, body: WholeBody) -> Result<Response, Problem> {
    let body = body.unless_refused(&deps.access, &headers).await?;
    answer(&deps, &headers, || Question::from_slice(&body)).await
}

/// Answers with a series over time.
///
/// The first dimension of the answer is the bucket of time; every bucket up to now is there, also one without events.
#[utoipa::path(
    get, path = "/api/trends", operation_id = "trends", tag = "questions",
    params(TrendsParams, RangeParams, CompareParams, SelectionParams, LimitParams, CursorParams),
    responses((status = 200, description = "The series, oldest bucket first.", body = Answer), PageRefusals)
)]
pub(crate) async fn trends(
    State(deps): State<ApiDeps>,
    headers: HeaderMap,
    QueryPairs(pairs): QueryPairs,
) -> Result<Response, Problem> {
    answer(&deps, &headers, || -> Result<_, QueryError> { Question::trends(&pairs) }).await.map_err(by_parameter)
}

/// Answers with a ranking.
#[utoipa::path(
    get, path = "/api/breakdown", operation_id = "breakdown", tag = "questions",
    params(BreakdownParams, RangeParams, CompareParams, SelectionParams, LimitParams, CursorParams),
    responses((status = 200, description = "The rows, greatest figure first.", body = Answer), PageRefusals)
)]
pub(crate) async fn breakdown(
    State(deps): State<ApiDeps>,
    headers: HeaderMap,
    QueryPairs(pairs): QueryPairs,
) -> Result<Response, Problem> {
    answer(&deps, &headers, || -> Result<_, QueryError> { Question::breakdown(&pairs) })
        .await
        .map_err(problems::by_parameter)
}

/// The first dimension of a series is its interval.
fn by_parameter(problem: Problem) -> Problem {
    let is_of_interval = problem.extra("path").is_some_and(|place| place == "dimensions[0]");
    if is_of_interval { problem.with("path", "interval") } else { problems::by_parameter(problem) }
}
