//! `GET`, `POST` and `DELETE /api/session`: signing in at the page with a key, and out again.
//!
//! The page never keeps a key: a sign-in gives the browser a random token in a cookie that no script can read.

use analytics_access::{Asking, cookie, site};
use analytics_domain::Project;
use analytics_host::client::{CameByTls, ClientAddress};
use analytics_host::keys::{Grant, Scope};
use analytics_host::problem::Problem;
use analytics_query::{Given, QueryError, QueryErrorCode};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use serde::Serialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::members::{Members, wrong};
use crate::openapi::refusal::{SessionViewRefusals, SignInRefusals, SignOutRefusals};
use crate::problems::{self, QueryPairs, WholeBody};
use crate::router::ApiDeps;

/// A project that may be asked about.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SessionProject {
    /// Its name, as `X-Project` takes it.
    #[schema(example = "default")]
    project: String,
    /// What may be done there: `read` asks, `admin` also changes what is kept.
    #[schema(example = "admin")]
    scope: ProjectScope,
}

/// How far somebody may go in a project.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ProjectScope {
    Read,
    Admin,
}

/// Who is asking.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PageSession {
    /// Whether the server has no keys, so that nobody has to sign in: it answers its own machine alone.
    open: bool,
    /// The projects that may be asked about, the one that is meant without `X-Project` first; none where nobody is signed in.
    projects: Vec<SessionProject>,
}

impl PageSession {
    fn of(deps: &ApiDeps, grants: Vec<Grant>) -> Self {
        let project = |grant: Grant| SessionProject {
            project: grant.project.as_str().to_owned(),
            scope: if grant.scope == Scope::Admin { ProjectScope::Admin } else { ProjectScope::Read },
        };
        Self { open: deps.access.keys().is_open_on_loopback(), projects: grants.into_iter().map(project).collect() }
    }
}

/// Tells which projects the request may ask about, by its session or by its key.
///
/// Without a key, and with a session that has ended, these are none: the page asks this first, and has to sign in then. A key
/// that is not known is refused.
#[utoipa::path(
    get, path = "/api/session", operation_id = "show_page_session", tag = "session",
    security((), ("bearer" = ["read"]), ("api_key" = ["read"]), ("session" = ["read"])),
    responses((status = 200, description = "The projects.", body = PageSession), SessionViewRefusals)
)]
pub(crate) async fn show(
    State(deps): State<ApiDeps>,
    headers: HeaderMap,
    QueryPairs(pairs): QueryPairs,
) -> Result<Json<PageSession>, Problem> {
    let grants = match deps.access.projects(&headers).await {
        // That nobody is signed in is what was asked, and no error.
        Err(refused) if refused.status() == StatusCode::UNAUTHORIZED && Asking::of(&headers).key.is_none() => {
            Vec::new()
        }
        found => found?,
    };
    Given::new(&pairs, &[]).map_err(problems::query)?;
    Ok(Json(PageSession::of(&deps, grants)))
}

/// What is signed in with.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "it only describes the body")]
pub(crate) struct SignIn {
    /// A key with scope `read` or `admin`.
    key: String,
}

/// Signs a browser in.
///
/// The answer sets the cookie `analytics_session`, a random token that the browser sends from then on, for 30 days at most. Who is
/// signed in already adds the key's project to the session, which gets a new token. A session ends with the key that opened it. No
/// key is needed in a header; what a page of another server sends is refused. The body is read as JSON whatever its media type says.
#[utoipa::path(
    post, path = "/api/session", operation_id = "sign_in", tag = "session", security(()),
    request_body(content = SignIn, description = "The key.", examples(
        ("key" = (summary = "With a key", value = json!({ "key": "key-of-an-administrator" }))),
    )),
    responses(
        (status = 201, description = "The browser is signed in.", body = PageSession,
            headers(("Set-Cookie" = String, description = "The session's token; absent where nobody has to sign in."))),
        SignInRefusals
    )
)]
pub(crate) async fn sign_in(
    State(deps): State<ApiDeps>,
    headers: HeaderMap,
    address: Option<Extension<ClientAddress>>,
    by_tls: Option<Extension<CameByTls>>,
    body: WholeBody,
) -> Result<Response, Problem> {
    deps.access.keys().check_place(&headers)?;
    site::refuse_foreign_page(&headers)?;
    let body = Members::read(&body.bytes()?, &["key"])?;
    let key = body.get("key").and_then(Value::as_str);
    let key = key.ok_or_else(|| wrong("key", "expected an API key, as a text"))?;
    let signed = deps.access.sign_in(key, &headers, address.map(|Extension(address)| address)).await?;
    let mut response = (StatusCode::CREATED, Json(PageSession::of(&deps, signed.grants))).into_response();
    if let Some(token) = signed.token {
        response.headers_mut().insert(header::SET_COOKIE, cookie::set(&token, of_request(by_tls)));
    }
    Ok(response)
}

/// What is signed out of.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "it only describes the parameters for the OpenAPI document")]
pub(crate) struct SignOutParams {
    /// The one project to sign out of; without it, all.
    #[param(example = "shop")]
    project: Option<String>,
}

/// Signs the browser out, of everything or of one project.
///
/// The session ends on the server too, not only in the browser. Who is not signed in is told the same.
#[utoipa::path(
    delete, path = "/api/session", operation_id = "sign_out", tag = "session", security(()),
    params(SignOutParams),
    responses(
        (status = 204, description = "The browser is signed out.",
            headers(("Set-Cookie" = String, description = "Takes the cookie back; absent where another project is left."))),
        SignOutRefusals
    )
)]
pub(crate) async fn sign_out(
    State(deps): State<ApiDeps>,
    headers: HeaderMap,
    by_tls: Option<Extension<CameByTls>>,
    QueryPairs(pairs): QueryPairs,
) -> Result<Response, Problem> {
    let given = Given::new(&pairs, &["project"]).map_err(problems::query)?;
    let project = given.one("project").map_err(problems::query)?.map(Project::new).transpose();
    let project = project.map_err(|_| {
        problems::query(QueryError {
            code: QueryErrorCode::InvalidQuery,
            path: "project".to_owned(),
            message: "expected the name of a project, 1 to 64 of [A-Za-z0-9_-]".to_owned(),
        })
    })?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    if deps.access.sign_out(&headers, project.as_ref()).await? {
        response.headers_mut().insert(header::SET_COOKIE, cookie::clear(of_request(by_tls)));
    }
    Ok(response)
}

fn of_request(by_tls: Option<Extension<CameByTls>>) -> CameByTls {
    by_tls.map_or(CameByTls(false), |Extension(by_tls)| by_tls)
}
