//! `GET /api/events`: the events themselves, newest first.

use analytics_host::problem::Problem;
use analytics_query::EventsQuestion;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use utoipa::IntoParams;

use crate::answering::answer;
use crate::problems::QueryPairs;
use crate::router::ApiDeps;

/// Which events.
#[derive(IntoParams)]
#[allow(dead_code, reason = "it only describes the parameters for the OpenAPI document")]
pub(crate) struct EventsParams {
    /// As `date_range`.
    range: Option<String>,
    /// As `timezone`.
    tz: Option<String>,
    /// Only events of this type.
    event_type: Option<String>,
    /// A filter as JSON.
    filter: Option<String>,
    /// Events of a page.
    limit: Option<u32>,
    /// `meta.next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists events, newest first, page by page.
#[utoipa::path(get, path = "/api/events", tag = "questions", params(EventsParams),
    responses((status = 200, description = "results, meta, query"), (status = 400, description = "invalid_query, invalid_cursor"), (status = 401, description = "unknown_key")))]
pub(crate) async fn list(
    State(deps): State<ApiDeps>,
    headers: HeaderMap,
    QueryPairs(pairs): QueryPairs,
) -> Result<Response, Problem> {
    answer(&deps, &headers, || EventsQuestion::from_parameters(&pairs)).await
}
