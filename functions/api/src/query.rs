//! `POST /api/query`, and its shorthands `GET /api/trends` and `GET /api/breakdown`.

use analytics_host::problem::Problem;
use analytics_query::{QueryError, Question};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use utoipa::{IntoParams, ToSchema};

use crate::answering::answer;
use crate::problems::{QueryPairs, WholeBody};
use crate::router::ApiDeps;

/// A question; see the guide to the language for every form.
#[derive(ToSchema)]
#[schema(example = json!({
    "metrics": ["events", "visitors"], "date_range": "7d", "timezone": "Europe/Berlin",
    "dimensions": ["time:day"], "filters": [["is", "event_type", ["commerce"]]]
}))]
#[allow(dead_code, reason = "it only describes the body for the OpenAPI document")]
pub(crate) struct QuestionBody {
    /// `events`, `sessions`, `users`, `visitors`, `events_per_session`, `sum|avg|min|max:metadata.x`.
    metrics: Vec<String>,
    /// `today`, `yesterday`, `7d`, `30d`, `90d`, `month`, `year`, `24h`, `all`, or `[from, to]`.
    #[schema(value_type = Object)]
    date_range: String,
    /// An IANA time zone; `UTC` where none is given.
    timezone: Option<String>,
    /// `time:minute|hour|day|week|month`, `event_type`, `event_action`, `user_id`, `session_id`, `metadata.<path>`.
    dimensions: Option<Vec<String>>,
    /// `["is", "event_type", ["commerce"]]` and its like.
    #[schema(value_type = Option<Vec<Object>>)]
    filters: Option<Vec<String>>,
    /// `[["events", "desc"]]`.
    #[schema(value_type = Option<Vec<Object>>)]
    order_by: Option<Vec<String>>,
    /// Rows of a page, 1 to 10,000.
    limit: Option<u32>,
    /// `meta.next_cursor` of the page before.
    cursor: Option<String>,
}

/// Answers a question of the whole language.
#[utoipa::path(
    post, path = "/api/query", tag = "questions", request_body = QuestionBody,
    responses((status = 200, description = "results, columns, meta, query"), (status = 400, description = "invalid_query, invalid_cursor"), (status = 401, description = "unknown_key"), (status = 403, description = "forbidden_scope"), (status = 422, description = "query_too_large"), (status = 503, description = "store_unavailable"))
)]
pub(crate) async fn ask(State(deps): State<ApiDeps>, headers: HeaderMap, body: WholeBody) -> Result<Response, Problem> {
    let body = body.unless_refused(&deps.keys, &headers)?;
    answer(&deps, &headers, || Question::from_slice(&body)).await
}

/// The parameters of a series.
#[derive(IntoParams)]
#[allow(dead_code, reason = "it only describes the parameters for the OpenAPI document")]
pub(crate) struct TrendsParams {
    /// A metric, `events` where none is given.
    metric: Option<String>,
    /// `minute`, `hour`, `day`, `week` or `month`.
    interval: Option<String>,
    /// As `date_range`.
    range: Option<String>,
    /// As `timezone`.
    tz: Option<String>,
    /// Only events of this type.
    event_type: Option<String>,
    /// A filter as JSON.
    filter: Option<String>,
}

/// Answers with a series over time.
#[utoipa::path(get, path = "/api/trends", tag = "questions", params(TrendsParams),
    responses((status = 200, description = "results, columns, meta, query"), (status = 400, description = "invalid_query"), (status = 401, description = "unknown_key")))]
pub(crate) async fn trends(
    State(deps): State<ApiDeps>,
    headers: HeaderMap,
    QueryPairs(pairs): QueryPairs,
) -> Result<Response, Problem> {
    answer(&deps, &headers, || -> Result<_, QueryError> { Question::trends(&pairs) }).await
}

/// The parameters of a ranking.
#[derive(IntoParams)]
#[allow(dead_code, reason = "it only describes the parameters for the OpenAPI document")]
pub(crate) struct BreakdownParams {
    /// A dimension.
    dimension: String,
    /// A metric, `events` where none is given.
    metric: Option<String>,
    /// As `date_range`.
    range: Option<String>,
    /// As `timezone`.
    tz: Option<String>,
    /// How many rows, 10 where none is given.
    limit: Option<u32>,
    /// A filter as JSON.
    filter: Option<String>,
}

/// Answers with a ranking.
#[utoipa::path(get, path = "/api/breakdown", tag = "questions", params(BreakdownParams),
    responses((status = 200, description = "results, columns, meta, query"), (status = 400, description = "invalid_query"), (status = 401, description = "unknown_key")))]
pub(crate) async fn breakdown(
    State(deps): State<ApiDeps>,
    headers: HeaderMap,
    QueryPairs(pairs): QueryPairs,
) -> Result<Response, Problem> {
    answer(&deps, &headers, || -> Result<_, QueryError> { Question::breakdown(&pairs) }).await
}
