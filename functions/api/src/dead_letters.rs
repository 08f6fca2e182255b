//! `GET /api/dead-letters` and `POST /api/dead-letters/replay`: what could not be stored, why, and trying it again.

use analytics_domain::{Batch, DeadLetter, Timestamp};
use analytics_host::keys::Scope;
use analytics_host::problem::Problem;
use analytics_query::EventRecord;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::problems::{self, Body, BodyJson, Params, QueryString};
use crate::router::ApiDeps;

/// Most dead letters on a page.
const MOST: u32 = 1_000;

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct PageParams {
    /// How many, 1 to 1,000.
    #[serde(default = "default_limit")]
    limit: u32,
    /// `next_cursor` of the page before.
    cursor: Option<Uuid>,
}

fn default_limit() -> u32 {
    100
}

/// Something that could not be stored.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeadLetterView {
    /// Its key.
    id: Uuid,
    event_id: Option<Uuid>,
    /// `data_error`, `unreadable_entry` or `newer_version`.
    code: String,
    /// The store's SQLSTATE, where it gave one.
    sqlstate: Option<String>,
    /// What was wrong, without the event's values.
    message: String,
    /// How often it was tried.
    attempts: u32,
    #[schema(value_type = String, format = DateTime)]
    first_failed_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    last_failed_at: Timestamp,
    /// Whether the processor has still to try it again.
    replay_requested: bool,
    /// The event, where the entry can be read.
    #[schema(value_type = Option<Object>)]
    event: Option<EventRecord>,
}

/// A page of dead letters, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeadLetterList {
    dead_letters: Vec<DeadLetterView>,
    /// All of the project's.
    total: u64,
    next_cursor: Option<Uuid>,
}

/// Lists what could not be stored and why, newest first.
#[utoipa::path(
    get, path = "/api/dead-letters", tag = "operations", params(PageParams),
    responses((status = 200, body = DeadLetterList), (status = 401, description = "unknown_key"), (status = 403, description = "forbidden_scope: an admin key is needed"))
)]
pub(crate) async fn list(
    State(deps): State<ApiDeps>,
    headers: HeaderMap,
    query: QueryString<PageParams>,
) -> Result<Json<DeadLetterList>, Problem> {
    let grant = deps.keys.grant(&headers, Scope::Admin)?;
    let Params(page) = query?;
    if page.limit == 0 || page.limit > MOST {
        return Err(problems::invalid_parameter("limit", format!("a page holds 1 to {MOST} dead letters")));
    }
    let found = deps.store.dead_letters(&grant.project, page.cursor, page.limit).await.map_err(problems::store)?;
    let full = found.letters.len() == page.limit as usize;
    let next_cursor = found.letters.last().filter(|_| full).map(|letter| letter.id);
    let dead_letters = found.letters.into_iter().map(view).collect();
    Ok(Json(DeadLetterList { dead_letters, total: found.total, next_cursor }))
}

fn view(letter: DeadLetter) -> DeadLetterView {
    let event = Batch::decode(&letter.payload).ok().and_then(|batch| {
        let event = batch.events.first()?;
        Some(EventRecord::from_event(event, batch.received_at))
    });
    DeadLetterView {
        id: letter.id,
        event_id: letter.event_id,
        code: letter.reason.code,
        sqlstate: letter.reason.sqlstate,
        message: letter.reason.message,
        attempts: letter.attempts,
        first_failed_at: letter.first_failed_at,
        last_failed_at: letter.last_failed_at,
        replay_requested: letter.replay_requested,
        event,
    }
}

/// Which dead letters to try again: `{"ids": [...]}` or `{"all": true}`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplayRequest {
    /// By id.
    ids: Option<Vec<Uuid>>,
    /// All of the project.
    #[serde(default)]
    all: bool,
}

/// How many were marked.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReplayMarked {
    /// The processor tries each of them once.
    marked: u64,
}

/// Marks dead letters; the processor stores each, or drops it where it has expired, once.
#[utoipa::path(
    post, path = "/api/dead-letters/replay", tag = "operations", request_body = ReplayRequest,
    responses((status = 202, body = ReplayMarked), (status = 400, description = "invalid_body"), (status = 401, description = "unknown_key"), (status = 403, description = "forbidden_scope: an admin key is needed"))
)]
pub(crate) async fn replay(
    State(deps): State<ApiDeps>,
    headers: HeaderMap,
    body: BodyJson<ReplayRequest>,
) -> Result<(StatusCode, Json<ReplayMarked>), Problem> {
    let grant = deps.keys.grant(&headers, Scope::Admin)?;
    let Body(request) = body?;
    let ids = match (&request.ids, request.all) {
        (Some(ids), false) => Some(ids.as_slice()),
        (None, true) => None,
        _ => return Err(problems::invalid_body("say either {\"ids\": [\"...\"]} or {\"all\": true}")),
    };
    let marked = deps.store.request_replay(&grant.project, ids).await.map_err(problems::store)?;
    Ok((StatusCode::ACCEPTED, Json(ReplayMarked { marked })))
}
