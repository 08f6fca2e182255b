//! `GET /api/openapi.json` and `GET /api/docs`: the routes, made from the handlers.
//!
//! The document is put together from what stands at each handler. Questions and answers belong to `analytics_query`, which
//! knows nothing of documents; what describes them is below this module, and the tests hold it to what is really read and
//! answered.

use std::sync::LazyLock;

use axum::Json;
use axum::http::header;
use axum::response::{Html, IntoResponse};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

pub(crate) mod answer;
mod example;
pub(crate) mod funnel;
pub(crate) mod parameters;
pub(crate) mod paths;
pub(crate) mod question;
pub(crate) mod refusal;
pub(crate) mod retention;
pub(crate) mod sessions;

use example::Answers;
use refusal::OpenRefusals;

/// The OpenAPI 3.1 document of these routes.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "analytics",
        description = include_str!("openapi/guide.md"),
        license(name = "Apache License 2.0", identifier = "Apache-2.0")
    ),
    paths(
        crate::query::ask,
        crate::query::trends,
        crate::query::breakdown,
        crate::funnel::ask,
        crate::paths::ask,
        crate::retention::ask,
        crate::sessions::list,
        crate::sessions::session,
        crate::sessions::user,
        crate::erasure::erase,
        crate::events::list,
        crate::export::export,
        crate::properties::list,
        crate::properties::values,
        crate::integrity::integrity,
        crate::dead_letters::list,
        crate::dead_letters::replay,
        crate::page_session::show,
        crate::page_session::sign_in,
        crate::page_session::sign_out,
        crate::keys::list,
        crate::keys::make,
        crate::keys::revoke,
        crate::settings::show,
        crate::settings::change,
        crate::views::list,
        crate::views::save,
        crate::views::save_again,
        crate::views::remove,
        crate::boards::list,
        crate::boards::save,
        crate::boards::save_again,
        crate::boards::remove,
        document,
        page,
    ),
    components(schemas(refusal::Problem)),
    modifiers(&Shared, &Answers),
    security(("bearer" = ["read"]), ("api_key" = ["read"]), ("session" = ["read"])),
    tags(
        (name = "questions", description = "What happened: figures, events, and what can be asked for."),
        (name = "operations", description = "How the system does: what became of every event."),
        (name = "session", description = "Signing a browser in and out."),
        (name = "project", description = "What a project keeps beside its events: keys, settings, saved views and boards."),
        (name = "document", description = "What you are reading. No key is needed."),
    )
)]
struct Document;

/// What several routes share: how a key is sent, and the refusals.
struct Shared;

impl Modify for Shared {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        components.responses.extend(refusal::responses());
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("`Authorization: Bearer KEY`"));
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer.build()));
        let header = ApiKeyValue::with_description("X-API-Key", "`X-API-Key: KEY`");
        components.add_security_scheme("api_key", SecurityScheme::ApiKey(ApiKey::Header(header)));
        let of_the_page =
            "The cookie of `POST /api/session`. `X-Project: NAME` says which of the session's projects is meant.";
        let cookie = ApiKeyValue::with_description(analytics_access::cookie::NAME, of_the_page);
        components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
    }
}

static DOCUMENT: LazyLock<utoipa::openapi::OpenApi> = LazyLock::new(Document::openapi);

/// Describes the routes as an OpenAPI 3.1 document.
#[utoipa::path(
    get, path = "/api/openapi.json", operation_id = "openapi_document", tag = "document", security(()),
    responses((status = 200, description = "The OpenAPI document.", body = Object), OpenRefusals)
)]
pub(crate) async fn document() -> impl IntoResponse {
    Json(&*DOCUMENT)
}

/// Shows the document as a page for people.
///
/// The page reads the document beside it and needs nothing from elsewhere.
#[utoipa::path(
    get, path = "/api/docs", operation_id = "docs_page", tag = "document", security(()),
    responses((status = 200, description = "The page.", body = String, content_type = "text/html"), OpenRefusals)
)]
pub(crate) async fn page() -> impl IntoResponse {
    let policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-PLACE'; connect-src 'self'";
    let policy = policy.replace("PLACE", &script_digest());
    let page = format!("{HEAD}<script>{SCRIPT}</script>");
    ([(header::CONTENT_SECURITY_POLICY, policy)], Html(page))
}

const HEAD: &str = include_str!("openapi/page.html");

const SCRIPT: &str = include_str!("openapi/page.js");

fn script_digest() -> String {
    use base64::Engine;
    use sha2::{Digest, Sha256};
    base64::engine::general_purpose::STANDARD.encode(Sha256::digest(SCRIPT.as_bytes()))
}
