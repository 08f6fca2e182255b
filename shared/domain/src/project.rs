//! The project that an event, a key and an answer belong to.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The name of the project that everything goes to where no keys are set.
pub const DEFAULT_PROJECT: &str = "default";

/// Longest name of a project, in characters.
pub const PROJECT_NAME_MAX: usize = 64;

/// A project's name: 1 to 64 of `[A-Za-z0-9_-]`; cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Project(Arc<str>);

impl Project {
    /// Checks and takes a name.
    ///
    /// # Errors
    /// [`InvalidProject`] where the name is empty, too long or holds another character.
    pub fn new(name: &str) -> Result<Self, InvalidProject> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if name.is_empty() || name.len() > PROJECT_NAME_MAX || !name.bytes().all(allowed) {
            return Err(InvalidProject);
        }
        Ok(Self(name.into()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The project [`DEFAULT_PROJECT`].
impl Default for Project {
    fn default() -> Self {
        Self(DEFAULT_PROJECT.into())
    }
}

impl fmt::Display for Project {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Project {
    type Error = InvalidProject;

    fn try_from(name: String) -> Result<Self, InvalidProject> {
        Self::new(&name)
    }
}

impl From<Project> for String {
    fn from(project: Project) -> Self {
        project.0.as_ref().to_owned()
    }
}

/// A project's name that breaks the rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a project's name is 1 to {PROJECT_NAME_MAX} letters, digits, '_' or '-'")]
pub struct InvalidProject;
