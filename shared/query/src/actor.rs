//! Who stands behind an event: a person, or a session alone.
//!
//! A person is the event's `user_id`, else the first `user_id` (by timestamp, id) seen in the same session, else the session;
//! looked up over everything stored.

use serde_json::Value;

use crate::QueryError;
use crate::sql::Sql;

/// Whose events belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Actor {
    /// A person's, over all sessions.
    #[default]
    Person,
    /// A session's.
    Session,
}

impl Actor {
    /// Reads the member `by`.
    ///
    /// # Errors
    /// [`QueryError`] at `path`, with what there is.
    pub fn parse(value: &Value, path: &str) -> Result<Self, QueryError> {
        match value.as_str() {
            Some("person") => Ok(Self::Person),
            Some("session") => Ok(Self::Session),
            _ => Err(QueryError::invalid(path, "expected \"person\" or \"session\"")),
        }
    }

    /// The word as it stands in questions.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Session => "session",
        }
    }

    /// The key of an event's actor: text, never NULL.
    pub(crate) fn key(self, sql: &mut Sql) -> &'static str {
        match self {
            Self::Person => sql.person(),
            Self::Session => "e.session_id",
        }
    }
}
