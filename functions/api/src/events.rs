//! `GET /api/events`: the events themselves, newest first.

use analytics_host::problem::Problem;
use analytics_query::EventsQuestion;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use crate::answering::answer;
use crate::openapi::answer::EventsAnswer;
use crate::openapi::parameters::{CursorParams, EventsRangeParams, LimitParams, SelectionParams};
use crate::openapi::refusal::PageRefusals;
use crate::problems::{self, QueryPairs};
use crate::router::ApiDeps;

/// Lists events, newest first, page by page.
#[utoipa::path(
    get, path = "/api/events", operation_id = "list_events", tag = "questions",
    params(EventsRangeParams, SelectionParams, LimitParams, CursorParams),
    responses((status = 200, description = "A page of events.", body = EventsAnswer), PageRefusals)
)]
pub(crate) async fn list(
    State(deps): State<ApiDeps>,
    headers: HeaderMap,
    QueryPairs(pairs): QueryPairs,
) -> Result<Response, Problem> {
    answer(&deps, &headers, || EventsQuestion::from_parameters(&pairs)).await.map_err(problems::by_parameter)
}
