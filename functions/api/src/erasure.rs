//! `DELETE /api/users/{id}`: a person's erasure.

use analytics_domain::Timestamp;
use analytics_host::keys::Scope;
use analytics_host::problem::Problem;
use analytics_query::{Given, UserQuestion};
use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use serde::Serialize;
use tracing::info;
use utoipa::ToSchema;

use crate::openapi::refusal::ErasureRefusals;
use crate::problems::{self, QueryPairs};
use crate::router::ApiDeps;
use crate::sessions::readable;

/// What was erased.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErasureReceipt {
    /// Events that were accepted up to here are erased, those too that are still queued.
    #[schema(value_type = String, format = DateTime, example = "2026-11-02T10:00:00.000000Z")]
    erased_at: Timestamp,
    /// Stored events that are gone.
    #[schema(example = 7)]
    events: u64,
    /// The sessions that they lay in.
    #[schema(example = 2)]
    sessions: u64,
    /// Dead letters that are gone.
    #[schema(example = 0)]
    dead_letters: u64,
}

/// Erases a person: all events that carry the user id, and the unnamed ones of the sessions whose first user it is, as far as
/// they were accepted before.
///
/// When it is answered they are gone from raw events, from what is counted and from the dead letters, in one transaction; what
/// is still queued is dropped when it comes. Their ids stay remembered, so that a retry brings nothing back. Events that are
/// sent afterwards are stored. A second time it finds nothing and changes nothing. An admin key is needed.
#[utoipa::path(
    delete, path = "/api/users/{id}", operation_id = "erase_user", tag = "operations",
    params(("id" = String, Path, example = "u-42", description = "The user's id, percent-encoded.")),
    security(("bearer" = ["admin"]), ("api_key" = ["admin"]), ("session" = ["admin"])),
    responses((status = 200, description = "The person is erased.", body = ErasureReceipt), ErasureRefusals)
)]
pub(crate) async fn erase(
    State(deps): State<ApiDeps>,
    headers: HeaderMap,
    id: Result<Path<String>, PathRejection>,
    QueryPairs(pairs): QueryPairs,
) -> Result<Json<ErasureReceipt>, Problem> {
    let grant = deps.access.grant(&headers, Scope::Admin).await?;
    let id = readable(&id).map_err(problems::query)?;
    Given::new(&pairs, &[]).map_err(problems::query)?;
    // By the rule of whoever asks for the same person.
    UserQuestion::from_parameters(id, &[]).map_err(problems::query)?;
    let erased_at = deps.clock.now();
    let erased = deps.store.erase(&grant.project, id, erased_at).await.map_err(problems::store)?;
    info!(
        project = %grant.project, events = erased.events, sessions = erased.sessions, dead_letters = erased.dead_letters,
        "a person was erased"
    );
    let (events, sessions, dead_letters) = (erased.events, erased.sessions, erased.dead_letters);
    Ok(Json(ErasureReceipt { erased_at, events, sessions, dead_letters }))
}
