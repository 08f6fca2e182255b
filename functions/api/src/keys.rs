//! `/api/keys`: the keys of a project, those of the environment and those that are made here.

use analytics_access::secret;
use analytics_domain::Timestamp;
use analytics_host::keys::{EnvironmentKey, Scope, hint};
use analytics_host::problem::Problem;
use analytics_query::Given;
use analytics_store::{KeyScope, MOST_WRITE_KEYS, StoredKey};
use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use serde::Serialize;
use tracing::{error, info};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::members::Members;
use crate::openapi::refusal::{KeyListRefusals, MakeKeyRefusals, RevokeKeyRefusals};
use crate::problems::{self, QueryPairs, WholeBody};
use crate::router::ApiDeps;

/// Most keys that a project keeps.
pub(crate) const MOST: u32 = 100;

/// Longest name, in characters.
const NAME: usize = 100;

/// A key, without what it is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Key {
    /// Its id; of a key of the environment the variable and the place in its list.
    #[schema(example = "env:1")]
    id: String,
    /// Its name.
    #[schema(example = "API_KEYS, key 1")]
    name: String,
    /// What it may do.
    #[schema(value_type = KeyScopeView, example = "admin")]
    scope: &'static str,
    /// The project that it opens.
    #[schema(example = "default")]
    project: String,
    /// Its first four characters.
    #[schema(example = "key-")]
    hint: String,
    /// Where it is set.
    #[schema(value_type = KeySource, example = "environment")]
    source: &'static str,
    /// When it was made; `null` for a key of the environment.
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    created_at: Option<Timestamp>,
    /// Whether it can be revoked here: a key of the environment is taken out of its variable.
    revocable: bool,
}

/// What a key may do: `read` asks, `admin` also changes what is kept, `write` sends events.
#[derive(ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = KeyScope)]
#[allow(dead_code, reason = "it only describes")]
pub(crate) enum KeyScopeView {
    Read,
    Admin,
    Write,
}

/// Where something is set.
#[derive(ToSchema)]
#[serde(rename_all = "lowercase")]
#[allow(dead_code, reason = "it only describes")]
pub(crate) enum KeySource {
    Environment,
    Store,
}

/// The keys of a project.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct KeyList {
    /// Those of the environment first, then the others, oldest first.
    keys: Vec<Key>,
}

/// A key that has just been made, for the one time that it is shown.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NewKey {
    /// The key. It is kept nowhere: what the server keeps is its SHA-256.
    key: String,
    /// Its id.
    id: String,
    /// Its name.
    name: String,
    /// What it may do.
    #[schema(value_type = KeyScopeView)]
    scope: &'static str,
    /// The project that it opens.
    project: String,
    /// Its first four characters.
    hint: String,
    /// Where it is set.
    #[schema(value_type = KeySource)]
    source: &'static str,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Whether it can be revoked here.
    revocable: bool,
}

/// Lists the keys of the project, without what they are.
///
/// An admin key is needed. Write keys are listed where this process was told them.
#[utoipa::path(
    get, path = "/api/keys", operation_id = "list_keys", tag = "project",
    security(("bearer" = ["admin"]), ("api_key" = ["admin"]), ("session" = ["admin"])),
    responses((status = 200, description = "The keys.", body = KeyList), KeyListRefusals)
)]
pub(crate) async fn list(
    State(deps): State<ApiDeps>,
    headers: HeaderMap,
    QueryPairs(pairs): QueryPairs,
) -> Result<Json<KeyList>, Problem> {
    let grant = deps.access.grant(&headers, Scope::Admin).await?;
    Given::new(&pairs, &[]).map_err(problems::query)?;
    let project = grant.project.as_str();
    let mut keys: Vec<Key> =
        deps.access.keys().of_project(&grant.project).into_iter().map(|key| of_environment(key, project)).collect();
    let stored = deps.store.keys(&grant.project).await.map_err(problems::kept)?;
    keys.extend(stored.into_iter().map(of_store));
    Ok(Json(KeyList { keys }))
}

fn of_environment(key: EnvironmentKey, project: &str) -> Key {
    Key {
        id: if key.variable == "API_KEYS" { format!("env:{}", key.place) } else { format!("env:write:{}", key.place) },
        name: format!("{}, key {}", key.variable, key.place),
        scope: key.scope,
        project: project.to_owned(),
        hint: key.hint,
        source: "environment",
        created_at: None,
        revocable: false,
    }
}

fn of_store(key: StoredKey) -> Key {
    Key {
        id: key.id.to_string(),
        name: key.name,
        scope: key.scope.as_str(),
        project: key.project.as_str().to_owned(),
        hint: key.hint,
        source: "store",
        created_at: Some(key.created_at),
        revocable: true,
    }
}

/// What a key is to be.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "it only describes the body")]
pub(crate) struct KeyWish {
    /// Its name, 1 to 100 characters, none of them a control character.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// What it may do.
    #[schema(value_type = KeyScopeView)]
    scope: KeyScopeView,
}

/// Makes a key of the project, and shows it this once.
///
/// One that asks works at once in every process that asks the same store. One that sends works within 10 seconds at every collector:
/// the processors tell it there. Where the queue is SQS, which carries no such word, it is refused, and keys that send are set in
/// `WRITE_KEYS`. An admin key is needed; a project has at most 100 keys. The body is read as JSON whatever its media type says.
#[utoipa::path(
    post, path = "/api/keys", operation_id = "make_key", tag = "project",
    security(("bearer" = ["admin"]), ("api_key" = ["admin"]), ("session" = ["admin"])),
    request_body(content = KeyWish, description = "What it is to be.", examples(
        ("reading" = (summary = "A key that asks", value = json!({ "name": "CI", "scope": "read" }))),
        ("writing" = (
            summary = "A key that a web page sends with",
            value = json!({ "name": "shop.example", "scope": "write" }),
        )),
    )),
    responses((status = 201, description = "The key.", body = NewKey), MakeKeyRefusals)
)]
pub(crate) async fn make(
    State(deps): State<ApiDeps>,
    headers: HeaderMap,
    body: WholeBody,
) -> Result<(StatusCode, Json<NewKey>), Problem> {
    let grant = deps.access.grant(&headers, Scope::Admin).await?;
    let body = Members::read(&body.bytes()?, &["name", "scope"])?;
    let name = body.text("name", NAME)?;
    let words = [("read", KeyScope::Read), ("admin", KeyScope::Admin), ("write", KeyScope::Write)];
    let scope = body.word("scope", &words)?;
    if scope == KeyScope::Write && !deps.made_keys_send {
        let detail = "the queue of this deployment (SQS) carries no keys to the collectors, so a key that is made here could not \
                      send; set it in WRITE_KEYS of the collectors, as key:project";
        return Err(Problem::new(StatusCode::CONFLICT, "keys_not_carried", detail).with("path", "scope"));
    }
    let secret = secret::make().map_err(|failure| {
        error!(error = %failure, "the system gives no random bytes");
        problems::defect()
    })?;
    let key = StoredKey {
        id: Uuid::new_v4(),
        project: grant.project,
        name: name.to_owned(),
        scope,
        hint: hint(&secret),
        created_at: deps.clock.now(),
    };
    if !deps.store.add_key(&secret::digest(&secret), &key, MOST).await.map_err(problems::kept)? {
        let beyond = if scope == KeyScope::Write {
            format!(", or all projects together {MOST_WRITE_KEYS} that send")
        } else {
            String::new()
        };
        let detail = format!("the project has {MOST} keys already{beyond}; revoke one first");
        return Err(Problem::new(StatusCode::CONFLICT, "too_many_keys", detail));
    }
    info!(project = %key.project, id = %key.id, scope = key.scope.as_str(), "a key was made");
    let key = NewKey {
        key: secret,
        id: key.id.to_string(),
        name: key.name,
        scope: key.scope.as_str(),
        project: key.project.as_str().to_owned(),
        hint: key.hint,
        source: "store",
        created_at: key.created_at,
        revocable: true,
    };
    Ok((StatusCode::CREATED, Json(key)))
}

/// Revokes a key of the project.
///
/// Within 10 seconds it opens nothing any more, and what it opened is closed: sessions of the page, and live connections. A key
/// that sends goes on for at most a day where nobody can tell the collectors: no processor runs. An admin key is needed.
#[utoipa::path(
    delete, path = "/api/keys/{id}", operation_id = "revoke_key", tag = "project",
    params(("id" = String, Path, example = "019a4310-8a00-7000-8000-000000000001", description = "The key's id.")),
    security(("bearer" = ["admin"]), ("api_key" = ["admin"]), ("session" = ["admin"])),
    responses((status = 204, description = "The key is revoked."), RevokeKeyRefusals)
)]
pub(crate) async fn revoke(
    State(deps): State<ApiDeps>,
    headers: HeaderMap,
    id: Result<Path<String>, PathRejection>,
    QueryPairs(pairs): QueryPairs,
) -> Result<StatusCode, Problem> {
    let grant = deps.access.grant(&headers, Scope::Admin).await?;
    Given::new(&pairs, &[]).map_err(problems::query)?;
    let text = id.as_ref().map(|Path(id)| id.as_str()).unwrap_or_default();
    let listed = deps.access.keys().of_project(&grant.project);
    if listed.into_iter().any(|key| of_environment(key, "").id == text) {
        let detail = "this key is set by API_KEYS or WRITE_KEYS; take it out of there and start the processes anew";
        return Err(Problem::new(StatusCode::CONFLICT, "read_only", detail));
    }
    let revoked = match Uuid::parse_str(text) {
        Ok(id) => deps.store.revoke_key(&grant.project, id).await.map_err(problems::kept)?,
        Err(_) => false,
    };
    if !revoked {
        let detail = "the project has no key of this id";
        return Err(Problem::new(StatusCode::NOT_FOUND, "key_not_found", detail).with("path", "id"));
    }
    deps.access.look_anew();
    info!(project = %grant.project, id = text, "a key was revoked");
    Ok(StatusCode::NO_CONTENT)
}
