//! What views and boards have in common: each is a named JSON text of a project.

use analytics_host::keys::{Grant, Scope};
use analytics_host::problem::Problem;
use analytics_query::Given;
use analytics_store::{ItemKind, SavedItem};
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::{HeaderMap, StatusCode};
use serde_json::Value;
use uuid::Uuid;

use crate::problems;
use crate::router::ApiDeps;

/// Longest name, in characters.
pub(crate) const NAME: usize = 100;

/// A kind, and how it is told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shelf {
    pub(crate) kind: ItemKind,
    /// Most of a project.
    pub(crate) most: u32,
    /// The code of 409.
    pub(crate) full: &'static str,
    /// The code of 404.
    pub(crate) missing: &'static str,
    /// In the plural.
    pub(crate) name: &'static str,
}

impl Shelf {
    /// All of a project, by name.
    pub(crate) async fn list(&self, deps: &ApiDeps, grant: &Grant) -> Result<Vec<SavedItem>, Problem> {
        deps.store.saved(&grant.project, self.kind).await.map_err(problems::kept)
    }

    /// Saves something new.
    pub(crate) async fn save(
        &self,
        deps: &ApiDeps,
        grant: &Grant,
        name: &str,
        content: &Value,
    ) -> Result<SavedItem, Problem> {
        let item = item(deps, Uuid::new_v4(), name, content);
        if !deps.store.save(&grant.project, self.kind, &item, self.most).await.map_err(problems::kept)? {
            let detail = format!("the project has {} {} already; delete one first", self.most, self.name);
            return Err(Problem::new(StatusCode::CONFLICT, self.full, detail));
        }
        Ok(item)
    }

    /// Saves something anew, in place of what it was.
    pub(crate) async fn save_again(
        &self,
        deps: &ApiDeps,
        grant: &Grant,
        id: &PathId,
        name: &str,
        content: &Value,
    ) -> Result<SavedItem, Problem> {
        let id = id.read().ok_or_else(|| self.not_found())?;
        let item = item(deps, id, name, content);
        let saved = deps.store.save_again(&grant.project, self.kind, &item).await.map_err(problems::kept)?;
        if saved { Ok(item) } else { Err(self.not_found()) }
    }

    /// Deletes something.
    pub(crate) async fn remove(
        &self,
        deps: &ApiDeps,
        headers: &HeaderMap,
        id: &PathId,
        pairs: &[(String, String)],
    ) -> Result<StatusCode, Problem> {
        let grant = deps.access.grant(headers, Scope::Admin).await?;
        Given::new(pairs, &[]).map_err(problems::query)?;
        let id = id.read().ok_or_else(|| self.not_found())?;
        let gone = deps.store.remove_saved(&grant.project, self.kind, id).await.map_err(problems::kept)?;
        if gone { Ok(StatusCode::NO_CONTENT) } else { Err(self.not_found()) }
    }

    fn not_found(&self) -> Problem {
        let detail = format!("there is nothing of this id among the project's {}", self.name);
        Problem::new(StatusCode::NOT_FOUND, self.missing, detail).with("path", "id")
    }
}

fn item(deps: &ApiDeps, id: Uuid, name: &str, content: &Value) -> SavedItem {
    SavedItem { id, name: name.to_owned(), content: content.to_string(), updated_at: deps.clock.now() }
}

/// An id as it stands in the path; what is none is the id of nothing.
pub(crate) struct PathId(pub(crate) Result<Path<String>, PathRejection>);

impl PathId {
    fn read(&self) -> Option<Uuid> {
        self.0.as_ref().ok().and_then(|Path(text)| Uuid::parse_str(text).ok())
    }
}
