//! `/api/boards`: saved views beside each other.

use std::collections::BTreeSet;

use analytics_domain::Timestamp;
use analytics_host::keys::{Grant, Scope};
use analytics_host::problem::Problem;
use analytics_query::Given;
use analytics_store::{ItemKind, SavedItem};
use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::members::{Members, wrong};
use crate::openapi::refusal::{BoardListRefusals, ChangeBoardRefusals, RemoveBoardRefusals, SaveBoardRefusals};
use crate::problems::{self, QueryPairs, WholeBody};
use crate::router::ApiDeps;
use crate::saved::{NAME, PathId, Shelf};
use crate::views::VIEWS;

/// Most tiles of a board.
const TILES: usize = 24;

/// Where boards are kept.
const BOARDS: Shelf =
    Shelf { kind: ItemKind::Board, most: 100, full: "too_many_boards", missing: "board_not_found", name: "boards" };

/// A view on a board.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tile {
    /// The id of a view.
    view: Uuid,
    /// How many columns it is wide: 1 or 2.
    #[schema(minimum = 1, maximum = 2, example = 1)]
    width: u8,
}

/// A board.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Board {
    id: Uuid,
    /// Its name.
    #[schema(example = "Marketing")]
    name: String,
    /// Its tiles, in order; those whose view is gone are left out.
    tiles: Vec<Tile>,
    /// When it was last saved.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

/// The boards of a project.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BoardList {
    /// By name.
    boards: Vec<Board>,
}

/// A board to save.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "it only describes the body")]
pub(crate) struct BoardBody {
    /// Its name, none of its characters a control character.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// Its tiles, in order.
    #[schema(max_items = 24)]
    tiles: Vec<Tile>,
}

/// What is to be saved: the name, and the rest.
fn read(body: &[u8]) -> Result<(String, Value), Problem> {
    let body = Members::read(body, &["name", "tiles"])?;
    let name = body.text("name", NAME)?.to_owned();
    let tile = |(place, tile): (String, Members)| {
        let view = tile.id_at(&place, "view")?;
        let width = tile.get("width").and_then(Value::as_u64).filter(|width| [1, 2].contains(width));
        let width = width.ok_or_else(|| wrong(format!("{place}.width"), "expected 1 or 2"))?;
        Ok(json!({ "view": view, "width": width }))
    };
    let tiles = body.objects("tiles", TILES, &["view", "width"])?.into_iter().map(tile);
    let tiles: Vec<Value> = tiles.collect::<Result<_, Problem>>()?;
    Ok((name, Value::Array(tiles)))
}

/// A board as it is told, of the views that there are.
fn told(item: SavedItem, views: &BTreeSet<Uuid>) -> Board {
    let mut tiles: Vec<Tile> = serde_json::from_str(&item.content).unwrap_or_default();
    tiles.retain(|tile| views.contains(&tile.view));
    Board { id: item.id, name: item.name, tiles, updated_at: item.updated_at }
}

/// The views that the project has.
async fn views(deps: &ApiDeps, grant: &Grant) -> Result<BTreeSet<Uuid>, Problem> {
    Ok(VIEWS.list(deps, grant).await?.into_iter().map(|view| view.id).collect())
}

/// Lists the boards of the project, by name.
#[utoipa::path(
    get, path = "/api/boards", operation_id = "list_boards", tag = "project",
    responses((status = 200, description = "The boards.", body = BoardList), BoardListRefusals)
)]
pub(crate) async fn list(
    State(deps): State<ApiDeps>,
    headers: HeaderMap,
    QueryPairs(pairs): QueryPairs,
) -> Result<Json<BoardList>, Problem> {
    let grant = deps.access.grant(&headers, Scope::Read).await?;
    Given::new(&pairs, &[]).map_err(problems::query)?;
    let boards = BOARDS.list(&deps, &grant).await?;
    let views = views(&deps, &grant).await?;
    Ok(Json(BoardList { boards: boards.into_iter().map(|board| told(board, &views)).collect() }))
}

/// Saves a board.
///
/// An admin key is needed; a project has at most 100 boards, each with at most 24 tiles. The body is read as JSON whatever its media
/// type says.
#[utoipa::path(
    post, path = "/api/boards", operation_id = "save_board", tag = "project",
    security(("bearer" = ["admin"]), ("api_key" = ["admin"]), ("session" = ["admin"])),
    request_body(content = BoardBody, description = "The board.", examples(
        ("marketing" = (summary = "One view", value = json!({
            "name": "Marketing", "tiles": [{ "view": "019a4310-8a00-7000-8000-000000000002", "width": 2 }]
        }))),
    )),
    responses((status = 201, description = "The board.", body = Board), SaveBoardRefusals)
)]
pub(crate) async fn save(
    State(deps): State<ApiDeps>,
    headers: HeaderMap,
    body: WholeBody,
) -> Result<(StatusCode, Json<Board>), Problem> {
    let grant = deps.access.grant(&headers, Scope::Admin).await?;
    let (name, content) = read(&body.bytes()?)?;
    let item = BOARDS.save(&deps, &grant, &name, &content).await?;
    Ok((StatusCode::CREATED, Json(told(item, &views(&deps, &grant).await?))))
}

/// Saves a board anew, in place of what it was.
///
/// An admin key is needed. The body is read as JSON whatever its media type says.
#[utoipa::path(
    put, path = "/api/boards/{id}", operation_id = "save_board_again", tag = "project",
    params(("id" = String, Path, example = "019a4310-8a00-7000-8000-000000000003", description = "The board's id.")),
    security(("bearer" = ["admin"]), ("api_key" = ["admin"]), ("session" = ["admin"])),
    request_body(content = BoardBody, description = "The board.", examples(
        ("marketing" = (summary = "The same, narrower", value = json!({
            "name": "Marketing", "tiles": [{ "view": "019a4310-8a00-7000-8000-000000000002", "width": 1 }]
        }))),
    )),
    responses((status = 200, description = "The board.", body = Board), ChangeBoardRefusals)
)]
pub(crate) async fn save_again(
    State(deps): State<ApiDeps>,
    headers: HeaderMap,
    id: Result<Path<String>, PathRejection>,
    body: WholeBody,
) -> Result<Json<Board>, Problem> {
    let grant = deps.access.grant(&headers, Scope::Admin).await?;
    let (name, content) = read(&body.bytes()?)?;
    let item = BOARDS.save_again(&deps, &grant, &PathId(id), &name, &content).await?;
    Ok(Json(told(item, &views(&deps, &grant).await?)))
}

/// Deletes a board. Its views stay.
///
/// An admin key is needed.
#[utoipa::path(
    delete, path = "/api/boards/{id}", operation_id = "remove_board", tag = "project",
    params(("id" = String, Path, example = "019a4310-8a00-7000-8000-000000000003", description = "The board's id.")),
    security(("bearer" = ["admin"]), ("api_key" = ["admin"]), ("session" = ["admin"])),
    responses((status = 204, description = "The board is deleted."), RemoveBoardRefusals)
)]
pub(crate) async fn remove(
    State(deps): State<ApiDeps>,
    headers: HeaderMap,
    id: Result<Path<String>, PathRejection>,
    QueryPairs(pairs): QueryPairs,
) -> Result<StatusCode, Problem> {
    BOARDS.remove(&deps, &headers, &PathId(id), &pairs).await
}
