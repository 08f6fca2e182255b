//! `/api/views`: questions as somebody looked at them, saved by name.

use analytics_domain::Timestamp;
use analytics_host::keys::Scope;
use analytics_host::problem::Problem;
use analytics_query::Given;
use analytics_store::{ItemKind, SavedItem};
use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::members::{Members, wrong};
use crate::openapi::refusal::{ChangeViewRefusals, RemoveViewRefusals, SaveViewRefusals, ViewListRefusals};
use crate::problems::{self, QueryPairs, WholeBody};
use crate::router::ApiDeps;
use crate::saved::{NAME, PathId, Shelf};

/// Most bytes of a state, as compact JSON.
const STATE: usize = 16 << 10;

/// Longest name of a page.
const PAGE: usize = 32;

/// Where views are kept.
pub(crate) const VIEWS: Shelf =
    Shelf { kind: ItemKind::View, most: 500, full: "too_many_views", missing: "view_not_found", name: "views" };

/// A saved view.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct View {
    id: Uuid,
    /// Its name.
    #[schema(example = "Signups")]
    name: String,
    /// The page that shows it.
    #[schema(example = "explore")]
    page: String,
    /// What the page needs to show it again; the server does not look into it.
    #[schema(value_type = Object)]
    state: Value,
    /// When it was last saved.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

/// The views of a project.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ViewList {
    /// By name.
    views: Vec<View>,
}

/// A view to save.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "it only describes the body")]
pub(crate) struct ViewBody {
    /// Its name, none of its characters a control character.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// The page that shows it.
    #[schema(pattern = "^[a-z-]{1,32}$")]
    page: String,
    /// What the page needs to show it again: any object, at most 16 KiB as compact JSON.
    #[schema(value_type = Object)]
    state: Value,
}

impl View {
    fn of(item: SavedItem) -> Self {
        let mut content: Value = serde_json::from_str(&item.content).unwrap_or_default();
        let page = content["page"].as_str().unwrap_or_default().to_owned();
        Self { id: item.id, name: item.name, page, state: content["state"].take(), updated_at: item.updated_at }
    }
}

/// What is to be saved: the name, and the rest.
fn read(body: &[u8]) -> Result<(String, Value), Problem> {
    let body = Members::read(body, &["name", "page", "state"])?;
    let name = body.text("name", NAME)?.to_owned();
    let is_page = |page: &&str| {
        (1..=PAGE).contains(&page.len()) && page.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
    };
    let page = body.get("page").and_then(Value::as_str).filter(is_page);
    let page = page.ok_or_else(|| wrong("page", "expected 1 to 32 of [a-z-]"))?;
    let state = body.object("state", STATE)?;
    Ok((name, json!({ "page": page, "state": state })))
}

/// Lists the views of the project, by name.
#[utoipa::path(
    get, path = "/api/views", operation_id = "list_views", tag = "project",
    responses((status = 200, description = "The views.", body = ViewList), ViewListRefusals)
)]
pub(crate) async fn list(
    State(deps): State<ApiDeps>,
    headers: HeaderMap,
    QueryPairs(pairs): QueryPairs,
) -> Result<Json<ViewList>, Problem> {
    let grant = deps.access.grant(&headers, Scope::Read).await?;
    Given::new(&pairs, &[]).map_err(problems::query)?;
    let views = VIEWS.list(&deps, &grant).await?.into_iter().map(View::of).collect();
    Ok(Json(ViewList { views }))
}

/// Saves a view.
///
/// An admin key is needed; a project has at most 500 views. The body is read as JSON whatever its media type says.
#[utoipa::path(
    post, path = "/api/views", operation_id = "save_view", tag = "project",
    security(("bearer" = ["admin"]), ("api_key" = ["admin"]), ("session" = ["admin"])),
    request_body(content = ViewBody, description = "The view.", examples(
        ("signups" = (summary = "A series of one metric", value = json!({
            "name": "Signups", "page": "explore", "state": { "metric": "visitors", "range": "30d" }
        }))),
    )),
    responses((status = 201, description = "The view.", body = View), SaveViewRefusals)
)]
pub(crate) async fn save(
    State(deps): State<ApiDeps>,
    headers: HeaderMap,
    body: WholeBody,
) -> Result<(StatusCode, Json<View>), Problem> {
    let grant = deps.access.grant(&headers, Scope::Admin).await?;
    let (name, content) = read(&body.bytes()?)?;
    let item = VIEWS.save(&deps, &grant, &name, &content).await?;
    Ok((StatusCode::CREATED, Json(View::of(item))))
}

/// Saves a view anew, in place of what it was.
///
/// An admin key is needed. The body is read as JSON whatever its media type says.
#[utoipa::path(
    put, path = "/api/views/{id}", operation_id = "save_view_again", tag = "project",
    params(("id" = String, Path, example = "019a4310-8a00-7000-8000-000000000002", description = "The view's id.")),
    security(("bearer" = ["admin"]), ("api_key" = ["admin"]), ("session" = ["admin"])),
    request_body(content = ViewBody, description = "The view.", examples(
        ("signups" = (summary = "The same over a longer time", value = json!({
            "name": "Signups", "page": "explore", "state": { "metric": "visitors", "range": "90d" }
        }))),
    )),
    responses((status = 200, description = "The view.", body = View), ChangeViewRefusals)
)]
pub(crate) async fn save_again(
    State(deps): State<ApiDeps>,
    headers: HeaderMap,
    id: Result<Path<String>, PathRejection>,
    body: WholeBody,
) -> Result<Json<View>, Problem> {
    let grant = deps.access.grant(&headers, Scope::Admin).await?;
    let (name, content) = read(&body.bytes()?)?;
    let item = VIEWS.save_again(&deps, &grant, &PathId(id), &name, &content).await?;
    Ok(Json(View::of(item)))
}

/// Deletes a view. Boards that show it go on without it.
///
/// An admin key is needed.
#[utoipa::path(
    delete, path = "/api/views/{id}", operation_id = "remove_view", tag = "project",
    params(("id" = String, Path, example = "019a4310-8a00-7000-8000-000000000002", description = "The view's id.")),
    security(("bearer" = ["admin"]), ("api_key" = ["admin"]), ("session" = ["admin"])),
    responses((status = 204, description = "The view is deleted."), RemoveViewRefusals)
)]
pub(crate) async fn remove(
    State(deps): State<ApiDeps>,
    headers: HeaderMap,
    id: Result<Path<String>, PathRejection>,
    QueryPairs(pairs): QueryPairs,
) -> Result<StatusCode, Problem> {
    VIEWS.remove(&deps, &headers, &PathId(id), &pairs).await
}
