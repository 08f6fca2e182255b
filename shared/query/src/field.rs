//! What of an event can be filtered and grouped by.

use std::fmt;

use crate::{Property, QueryError, property};

/// A column of events, or a value in their metadata.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Field {
    /// `event_type`.
    EventType,
    /// `event_action`.
    EventAction,
    /// `user_id`, absent where the client did not know its user.
    UserId,
    /// `session_id`.
    SessionId,
    /// `metadata.<path>`, absent where the path leads to nothing or to JSON null.
    Metadata(Property),
}

/// What a field may be, for messages.
pub(crate) const ALLOWED: &str = "event_type, event_action, user_id, session_id or metadata.<path>";

impl Field {
    /// Reads a field's name.
    ///
    /// # Errors
    /// [`QueryError`] at `path`, with the fields that there are.
    pub fn parse(text: &str, path: &str) -> Result<Self, QueryError> {
        match text {
            "event_type" => Ok(Self::EventType),
            "event_action" => Ok(Self::EventAction),
            "user_id" => Ok(Self::UserId),
            "session_id" => Ok(Self::SessionId),
            _ if text.starts_with(property::PREFIX) => Property::parse(text, path).map(Self::Metadata),
            _ => Err(QueryError::invalid(path, format!("expected a field: {ALLOWED}"))),
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EventType => f.write_str("event_type"),
            Self::EventAction => f.write_str("event_action"),
            Self::UserId => f.write_str("user_id"),
            Self::SessionId => f.write_str("session_id"),
            Self::Metadata(property) => property.fmt(f),
        }
    }
}
