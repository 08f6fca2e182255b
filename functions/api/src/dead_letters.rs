//! `GET /api/dead-letters` and `POST /api/dead-letters/replay`: what could not be stored, why, and trying it again.

use analytics_domain::{Batch, DeadLetter, Timestamp};
use analytics_host::keys::Scope;
use analytics_host::problem::Problem;
use analytics_query::{EventRecord, Given, QueryError};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::openapi::refusal::{AdminRefusals, OrderRefusals};
use crate::problems::{self, Body, BodyJson, QueryPairs};
use crate::router::ApiDeps;

/// Dead letters on a page: unless said, and at most.
const A_PAGE: u32 = 100;
const MOST: u32 = 1_000;

/// Which page.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "it only describes the parameters for the OpenAPI document")]
pub(crate) struct PageParams {
    /// How many at most.
    #[param(default = 100, minimum = 1, maximum = 1_000, example = 10)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<Uuid>,
}

/// Something that could not be stored.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeadLetter)]
pub struct DeadLetterView {
    /// Its key.
    id: Uuid,
    /// The event's id, where the entry can be read.
    #[schema(required = true)]
    event_id: Option<Uuid>,
    /// `data_error`, `unreadable_entry` or `newer_version`.
    code: String,
    /// The store's SQLSTATE, where it gave one.
    #[schema(required = true)]
    sqlstate: Option<String>,
    /// What was wrong, without the event's values.
    message: String,
    /// How often it was tried.
    attempts: u32,
    /// When it was first put aside.
    #[schema(value_type = String, format = DateTime)]
    first_failed_at: Timestamp,
    /// When it was last put aside.
    #[schema(value_type = String, format = DateTime)]
    last_failed_at: Timestamp,
    /// Whether the processor has still to try it again.
    replay_requested: bool,
    /// The event, where the entry can be read.
    #[schema(required = true, value_type = Option<crate::openapi::answer::EventRecord>)]
    event: Option<EventRecord>,
}

/// A page of dead letters, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeadLetterList {
    dead_letters: Vec<DeadLetterView>,
    /// All of the project's.
    total: u64,
    /// What to send as `cursor` for the next page; `null` on the last.
    #[schema(required = true)]
    next_cursor: Option<Uuid>,
}

/// Lists what could not be stored and why, newest first.
///
/// An admin key is needed.
#[utoipa::path(
    get, path = "/api/dead-letters", operation_id = "list_dead_letters", tag = "operations", params(PageParams),
    security(("bearer" = ["admin"]), ("api_key" = ["admin"]), ("session" = ["admin"])),
    responses((status = 200, description = "A page of dead letters.", body = DeadLetterList), AdminRefusals)
)]
pub(crate) async fn list(
    State(deps): State<ApiDeps>,
    headers: HeaderMap,
    QueryPairs(pairs): QueryPairs,
) -> Result<Json<DeadLetterList>, Problem> {
    let grant = deps.access.grant(&headers, Scope::Admin).await?;
    let given = Given::new(&pairs, &["limit", "cursor"]).map_err(problems::query)?;
    let limit = given.number("limit", A_PAGE, MOST).map_err(problems::query)?;
    let cursor = given.one("cursor").map_err(problems::query)?;
    let after = cursor.map(|text| text.parse::<Uuid>()).transpose();
    let after = after.map_err(|_| problems::query(QueryError::cursor("the text is no cursor of an answer")))?;
    let found = deps.store.dead_letters(&grant.project, after, limit).await.map_err(problems::store)?;
    let full = found.letters.len() == limit as usize;
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
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplayRequest {
    /// By id.
    ids: Option<Vec<Uuid>>,
    /// All of the project.
    #[serde(default)]
    all: bool,
}

/// Which dead letters to try again: some by their ids, or all of the project.
#[derive(ToSchema)]
#[schema(as = ReplayRequest)]
#[serde(untagged)]
#[allow(dead_code, reason = "it only describes the body: one of the two, which the request above cannot say")]
pub(crate) enum ReplayBody {
    Some(ReplaySome),
    All(ReplayAll),
}

/// Some, by their ids.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "it only describes the body")]
pub(crate) struct ReplaySome {
    ids: Vec<Uuid>,
}

/// All of the project.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "it only describes the body")]
pub(crate) struct ReplayAll {
    #[schema(schema_with = only_true)]
    all: bool,
}

fn only_true() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Boolean).enum_values(Some([true]))
}

/// How many were marked.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReplayMarked {
    /// The processor tries each of them once.
    marked: u64,
}

/// Marks dead letters to be tried again.
///
/// The processor stores each of them once, or drops it where it has expired. An admin key is needed. The body is read as JSON
/// whatever its media type says.
#[utoipa::path(
    post, path = "/api/dead-letters/replay", operation_id = "replay_dead_letters", tag = "operations",
    security(("bearer" = ["admin"]), ("api_key" = ["admin"]), ("session" = ["admin"])),
    request_body(content = ReplayBody, description = "Which.", examples(
        ("all" = (summary = "All of the project", value = json!({ "all": true }))),
        ("some" = (summary = "By id", value = json!({ "ids": ["019a4310-8a00-7000-8000-000000000001"] }))),
    )),
    responses((status = 202, description = "They are marked.", body = ReplayMarked), OrderRefusals)
)]
pub(crate) async fn replay(
    State(deps): State<ApiDeps>,
    headers: HeaderMap,
    body: BodyJson<ReplayRequest>,
) -> Result<(StatusCode, Json<ReplayMarked>), Problem> {
    let grant = deps.access.grant(&headers, Scope::Admin).await?;
    let Body(request) = body?;
    let ids = match (&request.ids, request.all) {
        (Some(ids), false) => Some(ids.as_slice()),
        (None, true) => None,
        _ => return Err(problems::invalid_body("say either {\"ids\": [\"...\"]} or {\"all\": true}")),
    };
    let marked = deps.store.request_replay(&grant.project, ids).await.map_err(problems::store)?;
    Ok((StatusCode::ACCEPTED, Json(ReplayMarked { marked })))
}
