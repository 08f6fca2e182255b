//! Why a question is refused.

use std::fmt;

use thiserror::Error;

/// The stable word of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum QueryErrorCode {
    /// `invalid_query` (400): the question breaks a rule of the language.
    InvalidQuery,
    /// `invalid_cursor` (400): the cursor belongs to another project, question or range, or was changed.
    InvalidCursor,
    /// `query_too_large` (422): the answer would have more rows than [`crate::ROW_BUDGET`].
    QueryTooLarge,
    /// `session_not_found` (404): there is no event of the session.
    SessionNotFound,
    /// `user_not_found` (404): there is no event of the user.
    UserNotFound,
    /// `internal_error` (500): what the store keeps for answers cannot be read; a defect, or a damaged store.
    Unreadable,
}

impl QueryErrorCode {
    /// The word as it stands in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidQuery => "invalid_query",
            Self::InvalidCursor => "invalid_cursor",
            Self::QueryTooLarge => "query_too_large",
            Self::SessionNotFound => "session_not_found",
            Self::UserNotFound => "user_not_found",
            Self::Unreadable => "internal_error",
        }
    }
}

impl fmt::Display for QueryErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A refused question: what is wrong, where, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}{message}", self.place())]
pub struct QueryError {
    /// The stable word.
    pub code: QueryErrorCode,
    /// Where in the question, such as `filters[0][1]`; the parameter's name for a `GET` form; empty for the whole.
    pub path: String,
    /// One sentence that says what is allowed there.
    pub message: String,
}

impl QueryError {
    pub(crate) fn invalid(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: QueryErrorCode::InvalidQuery, path: path.into(), message: message.into() }
    }

    /// A cursor that is none of this question.
    #[must_use]
    pub fn cursor(message: &str) -> Self {
        Self { code: QueryErrorCode::InvalidCursor, path: "cursor".to_owned(), message: message.to_owned() }
    }

    pub(crate) fn too_large(path: &str, message: impl Into<String>) -> Self {
        Self { code: QueryErrorCode::QueryTooLarge, path: path.to_owned(), message: message.into() }
    }

    pub(crate) fn unreadable(message: &str) -> Self {
        Self { code: QueryErrorCode::Unreadable, path: String::new(), message: message.to_owned() }
    }

    fn place(&self) -> String {
        if self.path.is_empty() { String::new() } else { format!("{}: ", self.path) }
    }
}
