//! `GET /api/openapi.json` and `GET /api/docs`: the routes, made from the handlers.

use axum::Json;
use axum::http::header;
use axum::response::{Html, IntoResponse};
use utoipa::OpenApi;

/// The OpenAPI 3.1 document of these routes.
#[derive(OpenApi)]
#[openapi(
    info(title = "analytics", description = "Answers about one project's events, the one that the key belongs to."),
    paths(
        crate::query::ask,
        crate::query::trends,
        crate::query::breakdown,
        crate::events::list,
        crate::properties::list,
        crate::properties::values,
        crate::integrity::integrity,
        crate::dead_letters::list,
        crate::dead_letters::replay,
    ),
    tags((name = "questions", description = "What happened"), (name = "operations", description = "How the system does"))
)]
struct Document;

pub(crate) async fn document() -> impl IntoResponse {
    Json(Document::openapi())
}

/// A page that reads the document and shows it as text; it needs nothing from elsewhere.
pub(crate) async fn page() -> impl IntoResponse {
    let policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-PLACE'; connect-src 'self'";
    let policy = policy.replace("PLACE", &script_digest());
    let page = format!("{HEAD}<script>{SCRIPT}</script>");
    ([(header::CONTENT_SECURITY_POLICY, policy)], Html(page))
}

const HEAD: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>analytics API</title>\
<style>body{font:16px/1.5 system-ui;max-width:60rem;margin:2rem auto;padding:0 1rem}code{font-size:90%}</style>\
<h1>analytics API</h1><p>The whole document: <a href=\"openapi.json\">openapi.json</a></p><main id=\"routes\"></main>";

const SCRIPT: &str = "fetch('openapi.json').then(r=>r.json()).then(d=>{const m=document.getElementById('routes');\
const add=(t,x,p)=>{const e=document.createElement(t);e.textContent=x;p.append(e);return e};\
for(const[path,ops]of Object.entries(d.paths))for(const[verb,op]of Object.entries(ops)){\
const s=add('section','',m);add('h2',verb.toUpperCase()+' '+path,s);add('p',op.summary||op.description||'',s);\
const l=add('ul','',s);for(const q of op.parameters||[])add('li',q.name+': '+(q.description||''),l);\
for(const[c,r]of Object.entries(op.responses))add('li',c+' '+(r.description||''),l)}})";

fn script_digest() -> String {
    use base64::Engine;
    use sha2::{Digest, Sha256};
    base64::engine::general_purpose::STANDARD.encode(Sha256::digest(SCRIPT.as_bytes()))
}
