//! Who stands behind an event: a person, or a session alone.
//!
//! A person is the event's `user_id`, else the first `user_id` (by timestamp, id) seen in the same session, else the session;
//! looked up over everything stored. A letter before the name keeps one known by user from one known by session.

use serde_json::Value;

use crate::QueryError;

/// A person's key, over `raw_events e` joined with [`SESSION_USERS`].
pub(crate) const PERSON: &str = "COALESCE('u' || e.user_id, 'u' || s.user_id, 's' || e.session_id)";

/// The join that tells the first user of each event's session.
pub(crate) const SESSION_USERS: &str =
    "LEFT JOIN session_users s ON s.session_id = e.session_id AND s.project = e.project";

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
    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::Person => PERSON,
            Self::Session => "e.session_id",
        }
    }

    /// The tables that [`Actor::key`] reads.
    pub(crate) fn tables(self) -> String {
        match self {
            Self::Person => format!("raw_events e {SESSION_USERS}"),
            Self::Session => "raw_events e".to_owned(),
        }
    }
}
