//! The port `ProjectStore`: what a project keeps beside its events, that is keys, sessions of the page, saved views and boards,
//! and settings.
//!
//! It is the same store as that of events: whoever has one has the other, and a backup of it holds both.

mod statements;

use std::collections::BTreeMap;

use analytics_domain::{Project, Timestamp};
use async_trait::async_trait;
use uuid::Uuid;

use crate::StoreError;

pub(crate) use statements::project_statements;

/// The SHA-256 of a key or of a session's token: what is kept in its place.
pub type SecretDigest = [u8; 32];

/// What a key that is kept in the store may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyScope {
    /// Ask.
    Read,
    /// Ask, and change what is kept.
    Admin,
    /// Send events.
    Write,
}

impl KeyScope {
    /// Its name: `read`, `admin`, `write`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Admin => "admin",
            Self::Write => "write",
        }
    }

    /// The scope of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Read, Self::Admin, Self::Write].into_iter().find(|scope| scope.as_str() == name)
    }
}

/// A key, without what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// Its name for programs.
    pub id: Uuid,
    /// The project that it opens.
    pub project: Project,
    /// Its name for people.
    pub name: String,
    /// What it may do.
    pub scope: KeyScope,
    /// Its first characters.
    pub hint: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A project that a session of the page is signed in to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionEntry {
    /// The project.
    pub project: Project,
    /// The key that opened it.
    pub key: SecretDigest,
    /// What that key may do, where it is one of this store and still there.
    pub scope: Option<KeyScope>,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// What people save at the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ItemKind {
    /// A question as it was looked at.
    View,
    /// Views beside each other.
    Board,
}

impl ItemKind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Board => "board",
        }
    }
}

/// Something that people saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedItem {
    /// Its name for programs.
    pub id: Uuid,
    /// Its name for people.
    pub name: String,
    /// What was saved, as JSON text.
    pub content: String,
    /// When it was last saved.
    pub updated_at: Timestamp,
}

/// Keeps what belongs to projects.
///
/// Every method but [`ProjectStore::key`] and those of sessions is about the one project that it is given: what is another
/// project's is not there.
#[async_trait]
pub trait ProjectStore: Send + Sync {
    /// The keys of a project, oldest first.
    async fn keys(&self, project: &Project) -> Result<Vec<StoredKey>, StoreError>;

    /// The key with this digest, whatever project it opens.
    async fn key(&self, digest: &SecretDigest) -> Result<Option<StoredKey>, StoreError>;

    /// The keys of all projects that send, oldest first, by digest: as many as [`MOST_WRITE_KEYS`].
    async fn write_keys(&self) -> Result<Vec<(SecretDigest, Project)>, StoreError>;

    /// Keeps a new key; `false` where the project has `most` already, or where it sends and [`MOST_WRITE_KEYS`] do.
    async fn add_key(&self, digest: &SecretDigest, key: &StoredKey, most: u32) -> Result<bool, StoreError>;

    /// Forgets a key and ends the sessions that it opened, in one transaction; `false` where the project has no such key.
    async fn revoke_key(&self, project: &Project, id: Uuid) -> Result<bool, StoreError>;

    /// The projects of a session that have not ended at `now`, in the order in which they were opened.
    async fn page_session(&self, token: &SecretDigest, now: Timestamp) -> Result<Vec<SessionEntry>, StoreError>;

    /// Opens a project in a session, in place of what the session had of it; `false` where the session has `most` others.
    /// Sessions that have ended are forgotten, and so are the oldest of a key that has opened very many.
    async fn open_in_session(
        &self,
        token: &SecretDigest,
        entry: &SessionEntry,
        now: Timestamp,
        most: u32,
    ) -> Result<bool, StoreError>;

    /// Ends a session, or its part of one project.
    async fn end_session(&self, token: &SecretDigest, project: Option<&Project>) -> Result<(), StoreError>;

    /// What a project has saved of a kind, by name.
    async fn saved(&self, project: &Project, kind: ItemKind) -> Result<Vec<SavedItem>, StoreError>;

    /// Saves something new; `false` where the project has `most` of the kind already.
    async fn save(&self, project: &Project, kind: ItemKind, item: &SavedItem, most: u32) -> Result<bool, StoreError>;

    /// Saves something anew; `false` where there is no such thing.
    async fn save_again(&self, project: &Project, kind: ItemKind, item: &SavedItem) -> Result<bool, StoreError>;

    /// Deletes something; `false` where there is no such thing.
    async fn remove_saved(&self, project: &Project, kind: ItemKind, id: Uuid) -> Result<bool, StoreError>;

    /// The settings of a project that were set.
    async fn project_settings(&self, project: &Project) -> Result<BTreeMap<String, String>, StoreError>;

    /// Sets settings of a project, all or none; `None` takes what was set away.
    async fn set_project_settings(
        &self,
        project: &Project,
        changes: &[(&'static str, Option<String>)],
    ) -> Result<(), StoreError>;

    /// A setting of the whole deployment.
    async fn kept_setting(&self, name: &'static str) -> Result<Option<String>, StoreError>;

    /// Keeps a setting of the whole deployment, or takes it away.
    async fn keep_setting(&self, name: &'static str, value: Option<&str>) -> Result<(), StoreError>;
}

/// Most keys that send, of all projects together: those who take events know them all.
pub const MOST_WRITE_KEYS: u32 = 10_000;

/// A key may have opened so many sessions; the oldest beyond are forgotten.
pub(crate) const SESSIONS_OF_A_KEY: i64 = 1_000;

/// A digest as a column of bytes gives it.
pub(crate) fn stored_digest(bytes: Vec<u8>) -> Result<SecretDigest, sqlx::Error> {
    bytes.try_into().map_err(|_| sqlx::Error::Decode("a digest has not 32 bytes".into()))
}

/// A scope as a column gives it.
pub(crate) fn stored_scope(name: &str) -> Result<KeyScope, sqlx::Error> {
    KeyScope::parse(name).ok_or_else(|| sqlx::Error::Decode("a key has a scope that is none".into()))
}
