//! What a project keeps beside its events.

use async_trait::async_trait;
use sqlx::postgres::PgRow;

use super::fault::fault;
use super::link::{Link, Session};
use super::settings::{put_setting, setting};
use super::store::{PostgresStore, transaction};
use super::values::Instant;
use crate::project_store::project_statements;
use crate::{ProjectStore, StoreError};

project_statements!(Link, PgRow);

fn bound(instant: Timestamp) -> Instant {
    Instant(instant)
}

fn read_instant(Instant(instant): Instant) -> Timestamp {
    instant
}

/// Who adds something to a bounded number does it alone: two who count at once would both find room.
const ADDING_LOCK: i64 = 0x616E_616C_7974_6906;

async fn alone(connection: &mut Link) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(ADDING_LOCK).execute(connection).await.map(|_| ())
}

#[async_trait]
impl ProjectStore for PostgresStore {
    async fn keys(&self, project: &Project) -> Result<Vec<StoredKey>, StoreError> {
        transaction!(&self.primary, &self.reading, fault("list keys"), |connection| keys(connection, project))
    }

    async fn key(&self, digest: &SecretDigest) -> Result<Option<StoredKey>, StoreError> {
        transaction!(&self.primary, &self.reading, fault("look up a key"), |connection| key(connection, digest))
    }

    async fn write_keys(&self) -> Result<Vec<(SecretDigest, Project)>, StoreError> {
        transaction!(&self.primary, &self.reading, fault("list keys that send"), |connection| write_keys(connection))
    }

    async fn add_key(&self, digest: &SecretDigest, new: &StoredKey, most: u32) -> Result<bool, StoreError> {
        transaction!(&self.primary, &self.writing, fault("keep a key"), |connection| async {
            alone(&mut *connection).await?;
            add_key(connection, digest, new, most).await
        })
    }

    async fn revoke_key(&self, project: &Project, id: Uuid) -> Result<bool, StoreError> {
        transaction!(&self.primary, &self.writing, fault("revoke a key"), |connection| {
            revoke_key(connection, project, id)
        })
    }

    async fn page_session(&self, token: &SecretDigest, now: Timestamp) -> Result<Vec<SessionEntry>, StoreError> {
        transaction!(&self.primary, &self.reading, fault("look up a session"), |connection| {
            page_session(connection, token, now)
        })
    }

    async fn open_in_session(
        &self,
        token: &SecretDigest,
        entry: &SessionEntry,
        now: Timestamp,
        most: u32,
    ) -> Result<bool, StoreError> {
        transaction!(&self.primary, &self.writing, fault("open a session"), |connection| async {
            alone(&mut *connection).await?;
            open_in_session(connection, token, entry, now, most).await
        })
    }

    async fn end_session(&self, token: &SecretDigest, project: Option<&Project>) -> Result<(), StoreError> {
        transaction!(&self.primary, &self.writing, fault("end a session"), |connection| {
            end_session(connection, token, project)
        })
    }

    async fn saved(&self, project: &Project, kind: ItemKind) -> Result<Vec<SavedItem>, StoreError> {
        transaction!(&self.primary, &self.reading, fault("list what is saved"), |connection| {
            saved(connection, project, kind)
        })
    }

    async fn save(&self, project: &Project, kind: ItemKind, item: &SavedItem, most: u32) -> Result<bool, StoreError> {
        transaction!(&self.primary, &self.writing, fault("save something"), |connection| async {
            alone(&mut *connection).await?;
            save(connection, project, kind, item, most).await
        })
    }

    async fn save_again(&self, project: &Project, kind: ItemKind, item: &SavedItem) -> Result<bool, StoreError> {
        transaction!(&self.primary, &self.writing, fault("save something"), |connection| {
            save_again(connection, project, kind, item)
        })
    }

    async fn remove_saved(&self, project: &Project, kind: ItemKind, id: Uuid) -> Result<bool, StoreError> {
        transaction!(&self.primary, &self.writing, fault("delete something saved"), |connection| {
            remove_saved(connection, project, kind, id)
        })
    }

    async fn project_settings(&self, project: &Project) -> Result<BTreeMap<String, String>, StoreError> {
        transaction!(&self.primary, &self.reading, fault("read settings"), |connection| {
            project_settings(connection, project)
        })
    }

    async fn set_project_settings(
        &self,
        project: &Project,
        changes: &[(&'static str, Option<String>)],
    ) -> Result<(), StoreError> {
        transaction!(&self.primary, &self.writing, fault("keep settings"), |connection| {
            set_project_settings(connection, project, changes)
        })
    }

    async fn kept_setting(&self, name: &'static str) -> Result<Option<String>, StoreError> {
        transaction!(&self.primary, &self.reading, fault("read settings"), |connection| setting(connection, name))
    }

    async fn keep_setting(&self, name: &'static str, value: Option<&str>) -> Result<(), StoreError> {
        transaction!(&self.primary, &self.writing, fault("keep settings"), |connection| async {
            match value {
                Some(value) => put_setting(connection, name, value).await,
                None => drop_setting(connection, name).await,
            }
        })
    }
}
