//! `GET /api/properties` and `GET /api/properties/{key}/values`: what can be asked for.

use analytics_host::problem::Problem;
use analytics_query::{PropertiesQuestion, QueryError, QueryErrorCode, Question};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use utoipa::IntoParams;

use crate::answering::answer;
use crate::problems::QueryPairs;
use crate::router::ApiDeps;

/// Which properties or values.
#[derive(IntoParams)]
#[allow(dead_code, reason = "it only describes the parameters for the OpenAPI document")]
pub(crate) struct PropertiesParams {
    /// As `date_range`.
    range: Option<String>,
    /// Only those that contain this.
    search: Option<String>,
    /// How many at most.
    limit: Option<u32>,
}

/// Lists the metadata keys seen, with their kinds, counts and examples.
#[utoipa::path(get, path = "/api/properties", tag = "questions", params(PropertiesParams),
    responses((status = 200, description = "results, meta, query"), (status = 400, description = "invalid_query"), (status = 401, description = "unknown_key")))]
pub(crate) async fn list(
    State(deps): State<ApiDeps>,
    headers: HeaderMap,
    QueryPairs(pairs): QueryPairs,
) -> Result<Response, Problem> {
    answer(&deps, &headers, || PropertiesQuestion::from_parameters(&pairs)).await
}

/// Lists the values of one property, the most frequent first.
#[utoipa::path(get, path = "/api/properties/{key}/values", tag = "questions",
    params(("key" = String, Path, description = "a dimension, such as event_type or metadata.path"), PropertiesParams),
    responses((status = 200, description = "results, columns, meta, query"), (status = 400, description = "invalid_query"), (status = 401, description = "unknown_key")))]
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
    answer(&deps, &headers, read).await
}
