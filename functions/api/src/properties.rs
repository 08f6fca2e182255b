//! `GET /api/properties` and `GET /api/properties/{key}/values`: what can be asked for.

use analytics_host::problem::Problem;
use analytics_query::{PropertiesQuestion, QueryError, QueryErrorCode, Question};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;

use crate::answering::answer;
use crate::openapi::answer::{Answer, PropertiesAnswer};
use crate::openapi::parameters::{CursorParams, LimitParams, RangeParams, SearchParams, SelectionParams};
use crate::openapi::refusal::{PageRefusals, ParameterRefusals};
use crate::problems::{self, QueryPairs};
use crate::router::ApiDeps;

/// Lists the metadata keys seen, with their kinds, counts and examples.
///
/// Looks at the newest 10,000 events of the range.
#[utoipa::path(
    get, path = "/api/properties", operation_id = "list_properties", tag = "questions",
    params(SearchParams, RangeParams, SelectionParams, LimitParams),
    responses((status = 200, description = "The properties, most frequent first.", body = PropertiesAnswer), ParameterRefusals)
)]
pub(crate) async fn list(
    State(deps): State<ApiDeps>,
    headers: HeaderMap,
    QueryPairs(pairs): QueryPairs,
) -> Result<Response, Problem> {
    answer(&deps, &headers, || PropertiesQuestion::from_parameters(&pairs)).await.map_err(problems::by_parameter)
}

/// Lists the values of one property, the most frequent first.
#[utoipa::path(
    get, path = "/api/properties/{key}/values", operation_id = "list_property_values", tag = "questions",
    params(
        ("key" = String, Path, example = "metadata.path",
            description = "A field (`event_type`, `metadata.price`), or the path within the metadata (`price`)."),
        SearchParams, RangeParams, SelectionParams, LimitParams, CursorParams
    ),
    responses((status = 200, description = "The values, each with its number of events.", body = Answer), PageRefusals)
)]
pub(crate) async fn values(
    State(deps): State<ApiDeps>,
    headers: HeaderMap,
    key: Result<Path<String>, PathRejection>,
    QueryPairs(pairs): QueryPairs,
) -> Result<Response, Problem> {
    let read = || match &key {
        Ok(Path(key)) => Question::property_values(key, &pairs),
        // Looked at after the client's key, like everything that is asked.
        Err(_) => Err(QueryError {
            code: QueryErrorCode::InvalidQuery,
            path: "key".to_owned(),
            message: "expected a name in UTF-8".to_owned(),
        }),
    };
    answer(&deps, &headers, read).await.map_err(problems::by_parameter)
}
