//! What a project keeps beside its events.

use async_trait::async_trait;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::fault::fault;
use super::store::{SqliteStore, put_setting, setting};
use crate::project_store::project_statements;
use crate::{ProjectStore, StoreError};

project_statements!(SqliteConnection, SqliteRow);

fn bound(instant: Timestamp) -> i64 {
    instant.as_micros()
}

fn read_instant(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

/// Reads on a connection of the readers.
macro_rules! reading {
    ($store:expr, |$connection:ident| $work:expr) => {{
        let mut taken = $store.readers.take().await?;
        let $connection: &mut SqliteConnection = &mut taken;
        $work.await.map_err($store.readers.fault())
    }};
}

/// Writes in a transaction of its own.
macro_rules! writing {
    ($store:expr, $doing:literal, |$connection:ident| $work:expr) => {{
        let fault = fault($doing);
        let mut transaction = $store.writer.begin_with("BEGIN IMMEDIATE").await.map_err(fault)?;
        let done = {
            let $connection: &mut SqliteConnection = &mut transaction;
            $work.await.map_err(fault)?
        };
        transaction.commit().await.map_err(fault)?;
        Ok(done)
    }};
}

#[async_trait]
impl ProjectStore for SqliteStore {
    async fn keys(&self, project: &Project) -> Result<Vec<StoredKey>, StoreError> {
        reading!(self, |connection| keys(connection, project))
    }

    async fn key(&self, digest: &SecretDigest) -> Result<Option<StoredKey>, StoreError> {
        reading!(self, |connection| key(connection, digest))
    }

    async fn write_keys(&self) -> Result<Vec<(SecretDigest, Project)>, StoreError> {
        reading!(self, |connection| write_keys(connection))
    }

    async fn add_key(&self, digest: &SecretDigest, new: &StoredKey, most: u32) -> Result<bool, StoreError> {
        writing!(self, "keep a key", |connection| add_key(connection, digest, new, most))
    }

    async fn revoke_key(&self, project: &Project, id: Uuid) -> Result<bool, StoreError> {
        writing!(self, "revoke a key", |connection| revoke_key(connection, project, id))
    }

    async fn page_session(&self, token: &SecretDigest, now: Timestamp) -> Result<Vec<SessionEntry>, StoreError> {
        reading!(self, |connection| page_session(connection, token, now))
    }

    async fn open_in_session(
        &self,
        token: &SecretDigest,
        entry: &SessionEntry,
        now: Timestamp,
        most: u32,
    ) -> Result<bool, StoreError> {
        writing!(self, "open a session", |connection| open_in_session(connection, token, entry, now, most))
    }

    async fn end_session(&self, token: &SecretDigest, project: Option<&Project>) -> Result<(), StoreError> {
        writing!(self, "end a session", |connection| end_session(connection, token, project))
    }

    async fn saved(&self, project: &Project, kind: ItemKind) -> Result<Vec<SavedItem>, StoreError> {
        reading!(self, |connection| saved(connection, project, kind))
    }

    async fn save(&self, project: &Project, kind: ItemKind, item: &SavedItem, most: u32) -> Result<bool, StoreError> {
        writing!(self, "save something", |connection| save(connection, project, kind, item, most))
    }

    async fn save_again(&self, project: &Project, kind: ItemKind, item: &SavedItem) -> Result<bool, StoreError> {
        writing!(self, "save something", |connection| save_again(connection, project, kind, item))
    }

    async fn remove_saved(&self, project: &Project, kind: ItemKind, id: Uuid) -> Result<bool, StoreError> {
        writing!(self, "delete something saved", |connection| remove_saved(connection, project, kind, id))
    }

    async fn project_settings(&self, project: &Project) -> Result<BTreeMap<String, String>, StoreError> {
        reading!(self, |connection| project_settings(connection, project))
    }

    async fn set_project_settings(
        &self,
        project: &Project,
        changes: &[(&'static str, Option<String>)],
    ) -> Result<(), StoreError> {
        writing!(self, "keep settings", |connection| set_project_settings(connection, project, changes))
    }

    async fn kept_setting(&self, name: &'static str) -> Result<Option<String>, StoreError> {
        reading!(self, |connection| setting(connection, name))
    }

    async fn keep_setting(&self, name: &'static str, value: Option<&str>) -> Result<(), StoreError> {
        match value {
            Some(value) => writing!(self, "keep settings", |connection| put_setting(connection, name, value)),
            None => writing!(self, "keep settings", |connection| drop_setting(connection, name)),
        }
    }
}
