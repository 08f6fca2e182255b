//! Why a client's message or question was not done.

use analytics_query::QueryError;
use serde_json::json;

/// An `error` message: a stable code, one sentence, and the place in the client's message where there is one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// A stable word.
    pub code: &'static str,
    /// What is wrong and what would be right, as one sentence.
    pub message: String,
    /// The bad field, as `filters[0][1]` of a query or `events.filters[0]`; `None` where no single field is to blame.
    pub path: Option<String>,
    /// Whether the same may succeed later without the client changing anything (a store that is away).
    pub passing: bool,
}

impl Refusal {
    /// A refusal that lasts until the client asks for something else.
    #[must_use]
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), path: None, passing: false }
    }

    /// The same, of the field `path`.
    #[must_use]
    pub fn at(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// The same, marked as passing by itself.
    #[must_use]
    pub fn passing(mut self) -> Self {
        self.passing = true;
        self
    }

    /// The `error` message of this refusal, about subscription `id` where it is about one.
    #[must_use]
    pub fn to_json(&self, id: Option<&str>) -> String {
        let mut message = json!({ "type": "error", "code": self.code, "message": self.message });
        if let Some(path) = &self.path {
            message["path"] = path.as_str().into();
        }
        if let Some(id) = id {
            message["id"] = id.into();
        }
        message.to_string()
    }
}

/// A bad question is told with the code and the path that `POST /api/query` gives.
impl From<QueryError> for Refusal {
    fn from(error: QueryError) -> Self {
        let path = Some(error.path).filter(|path| !path.is_empty());
        Self { code: error.code.as_str(), message: error.message, path, passing: false }
    }
}
