//! The statements of the port, stamped on the connection of each kind of store.
//!
//! Both read `$1`, so the texts are the same; how an instant is bound and read is each adapter's own: its module has
//! `bound(Timestamp)` and `read_instant(_)`.

/// Makes the functions over `$connection`, whose rows are `$row`.
macro_rules! project_statements {
    ($connection:ty, $row:ty) => {
        use std::collections::BTreeMap;

        use analytics_domain::{Project, Timestamp};
        use sqlx::Row as _;
        use uuid::Uuid;

        use crate::project_store::{
            ItemKind, KeyScope, MOST_WRITE_KEYS, SESSIONS_OF_A_KEY, SavedItem, SecretDigest, SessionEntry, StoredKey,
            stored_digest, stored_scope,
        };
        use crate::settlement::stored_project;

        fn stored_key(row: &$row) -> Result<StoredKey, sqlx::Error> {
            Ok(StoredKey {
                id: row.try_get(0)?,
                project: stored_project(row.try_get(1)?),
                name: row.try_get(2)?,
                scope: stored_scope(row.try_get(3)?)?,
                hint: row.try_get(4)?,
                created_at: read_instant(row.try_get(5)?),
            })
        }

        /// The keys of a project, oldest first.
        pub(super) async fn keys(connection: &mut $connection, project: &Project) -> Result<Vec<StoredKey>, sqlx::Error> {
            let rows = sqlx::query(
                "SELECT id, project, name, scope, hint, created_at FROM api_keys WHERE project = $1 ORDER BY created_at, id",
            )
            .bind(project.as_str())
            .fetch_all(connection)
            .await?;
            rows.iter().map(stored_key).collect()
        }

        /// The key with a digest.
        pub(super) async fn key(
            connection: &mut $connection,
            digest: &SecretDigest,
        ) -> Result<Option<StoredKey>, sqlx::Error> {
            let row = sqlx::query("SELECT id, project, name, scope, hint, created_at FROM api_keys WHERE digest = $1")
                .bind(&digest[..])
                .fetch_optional(connection)
                .await?;
            row.as_ref().map(stored_key).transpose()
        }

        /// The keys that send.
        pub(super) async fn write_keys(
            connection: &mut $connection,
        ) -> Result<Vec<(SecretDigest, Project)>, sqlx::Error> {
            let rows = sqlx::query("SELECT digest, project FROM api_keys WHERE scope = $1 ORDER BY created_at, id LIMIT $2")
                .bind(KeyScope::Write.as_str())
                .bind(i64::from(MOST_WRITE_KEYS))
                .fetch_all(connection)
                .await?;
            let mut keys = Vec::with_capacity(rows.len());
            for row in &rows {
                keys.push((stored_digest(row.try_get(0)?)?, stored_project(row.try_get(1)?)));
            }
            Ok(keys)
        }

        /// Keeps a new key, where there is room. Nobody else may write meanwhile.
        pub(super) async fn add_key(
            connection: &mut $connection,
            digest: &SecretDigest,
            key: &StoredKey,
            most: u32,
        ) -> Result<bool, sqlx::Error> {
            let count: i64 = sqlx::query_scalar("SELECT count(*) FROM api_keys WHERE project = $1")
                .bind(key.project.as_str())
                .fetch_one(&mut *connection)
                .await?;
            if count >= i64::from(most) {
                return Ok(false);
            }
            if key.scope == KeyScope::Write {
                let count: i64 = sqlx::query_scalar("SELECT count(*) FROM api_keys WHERE scope = $1")
                    .bind(KeyScope::Write.as_str())
                    .fetch_one(&mut *connection)
                    .await?;
                if count >= i64::from(MOST_WRITE_KEYS) {
                    return Ok(false);
                }
            }
            sqlx::query(
                "INSERT INTO api_keys (digest, id, project, name, scope, hint, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
            )
            .bind(&digest[..])
            .bind(key.id)
            .bind(key.project.as_str())
            .bind(key.name.as_str())
            .bind(key.scope.as_str())
            .bind(key.hint.as_str())
            .bind(bound(key.created_at))
            .execute(connection)
            .await?;
            Ok(true)
        }

        /// Forgets a key and the sessions that it opened.
        pub(super) async fn revoke_key(
            connection: &mut $connection,
            project: &Project,
            id: Uuid,
        ) -> Result<bool, sqlx::Error> {
            sqlx::query(
                "DELETE FROM page_sessions WHERE key_digest IN (SELECT digest FROM api_keys WHERE project = $1 AND id = $2)",
            )
            .bind(project.as_str())
            .bind(id)
            .execute(&mut *connection)
            .await?;
            let gone = sqlx::query("DELETE FROM api_keys WHERE project = $1 AND id = $2")
                .bind(project.as_str())
                .bind(id)
                .execute(connection)
                .await?;
            Ok(gone.rows_affected() > 0)
        }

        /// The projects of a session.
        pub(super) async fn page_session(
            connection: &mut $connection,
            token: &SecretDigest,
            now: Timestamp,
        ) -> Result<Vec<SessionEntry>, sqlx::Error> {
            let rows = sqlx::query(
                "SELECT s.project, s.key_digest, k.scope, s.expires_at
                 FROM page_sessions s LEFT JOIN api_keys k ON k.digest = s.key_digest AND k.project = s.project
                 WHERE s.digest = $1 AND s.expires_at > $2 ORDER BY s.opened_at, s.project",
            )
            .bind(&token[..])
            .bind(bound(now))
            .fetch_all(connection)
            .await?;
            let entry = |row: &$row| {
                let scope: Option<String> = row.try_get(2)?;
                Ok(SessionEntry {
                    project: stored_project(row.try_get(0)?),
                    key: stored_digest(row.try_get(1)?)?,
                    scope: scope.as_deref().map(stored_scope).transpose()?,
                    expires_at: read_instant(row.try_get(3)?),
                })
            };
            rows.iter().map(entry).collect()
        }

        /// Opens a project in a session, where there is room.
        pub(super) async fn open_in_session(
            connection: &mut $connection,
            token: &SecretDigest,
            entry: &SessionEntry,
            now: Timestamp,
            most: u32,
        ) -> Result<bool, sqlx::Error> {
            let others: i64 =
                sqlx::query_scalar("SELECT count(*) FROM page_sessions WHERE digest = $1 AND project <> $2")
                    .bind(&token[..])
                    .bind(entry.project.as_str())
                    .fetch_one(&mut *connection)
                    .await?;
            if others >= i64::from(most) {
                return Ok(false);
            }
            sqlx::query("DELETE FROM page_sessions WHERE expires_at <= $1")
                .bind(bound(now))
                .execute(&mut *connection)
                .await?;
            sqlx::query(
                "DELETE FROM page_sessions WHERE key_digest = $1 AND digest IN
                    (SELECT digest FROM page_sessions WHERE key_digest = $1 ORDER BY opened_at DESC, digest LIMIT 10000 OFFSET $2)",
            )
            .bind(&entry.key[..])
            .bind(SESSIONS_OF_A_KEY - 1)
            .execute(&mut *connection)
            .await?;
            sqlx::query(
                "INSERT INTO page_sessions (digest, project, key_digest, opened_at, expires_at) VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT (digest, project) DO UPDATE SET key_digest = excluded.key_digest, expires_at = excluded.expires_at",
            )
            .bind(&token[..])
            .bind(entry.project.as_str())
            .bind(&entry.key[..])
            .bind(bound(now))
            .bind(bound(entry.expires_at))
            .execute(connection)
            .await?;
            Ok(true)
        }

        /// Ends a session, or its part of one project.
        pub(super) async fn end_session(
            connection: &mut $connection,
            token: &SecretDigest,
            project: Option<&Project>,
        ) -> Result<(), sqlx::Error> {
            let ending = match project {
                Some(project) => sqlx::query("DELETE FROM page_sessions WHERE digest = $1 AND project = $2")
                    .bind(&token[..])
                    .bind(project.as_str()),
                None => sqlx::query("DELETE FROM page_sessions WHERE digest = $1").bind(&token[..]),
            };
            ending.execute(connection).await.map(|_| ())
        }

        /// What a project has saved of a kind, by name.
        pub(super) async fn saved(
            connection: &mut $connection,
            project: &Project,
            kind: ItemKind,
        ) -> Result<Vec<SavedItem>, sqlx::Error> {
            let rows = sqlx::query(
                "SELECT id, name, content, updated_at FROM saved_items WHERE project = $1 AND kind = $2 ORDER BY name, id",
            )
            .bind(project.as_str())
            .bind(kind.as_str())
            .fetch_all(connection)
            .await?;
            let item = |row: &$row| {
                Ok(SavedItem {
                    id: row.try_get(0)?,
                    name: row.try_get(1)?,
                    content: row.try_get(2)?,
                    updated_at: read_instant(row.try_get(3)?),
                })
            };
            rows.iter().map(item).collect()
        }

        /// Saves something new, where there is room. Nobody else may write meanwhile.
        pub(super) async fn save(
            connection: &mut $connection,
            project: &Project,
            kind: ItemKind,
            item: &SavedItem,
            most: u32,
        ) -> Result<bool, sqlx::Error> {
            let count: i64 = sqlx::query_scalar("SELECT count(*) FROM saved_items WHERE project = $1 AND kind = $2")
                .bind(project.as_str())
                .bind(kind.as_str())
                .fetch_one(&mut *connection)
                .await?;
            if count >= i64::from(most) {
                return Ok(false);
            }
            sqlx::query(
                "INSERT INTO saved_items (project, kind, id, name, content, updated_at) VALUES ($1, $2, $3, $4, $5, $6)",
            )
            .bind(project.as_str())
            .bind(kind.as_str())
            .bind(item.id)
            .bind(item.name.as_str())
            .bind(item.content.as_str())
            .bind(bound(item.updated_at))
            .execute(connection)
            .await?;
            Ok(true)
        }

        /// Saves something anew.
        pub(super) async fn save_again(
            connection: &mut $connection,
            project: &Project,
            kind: ItemKind,
            item: &SavedItem,
        ) -> Result<bool, sqlx::Error> {
            let saved = sqlx::query(
                "UPDATE saved_items SET name = $4, content = $5, updated_at = $6 WHERE project = $1 AND kind = $2 AND id = $3",
            )
            .bind(project.as_str())
            .bind(kind.as_str())
            .bind(item.id)
            .bind(item.name.as_str())
            .bind(item.content.as_str())
            .bind(bound(item.updated_at))
            .execute(connection)
            .await?;
            Ok(saved.rows_affected() > 0)
        }

        /// Deletes something.
        pub(super) async fn remove_saved(
            connection: &mut $connection,
            project: &Project,
            kind: ItemKind,
            id: Uuid,
        ) -> Result<bool, sqlx::Error> {
            let gone = sqlx::query("DELETE FROM saved_items WHERE project = $1 AND kind = $2 AND id = $3")
                .bind(project.as_str())
                .bind(kind.as_str())
                .bind(id)
                .execute(connection)
                .await?;
            Ok(gone.rows_affected() > 0)
        }

        /// The settings of a project.
        pub(super) async fn project_settings(
            connection: &mut $connection,
            project: &Project,
        ) -> Result<BTreeMap<String, String>, sqlx::Error> {
            let rows = sqlx::query("SELECT name, value FROM project_settings WHERE project = $1")
                .bind(project.as_str())
                .fetch_all(connection)
                .await?;
            rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
        }

        /// Sets settings of a project, or takes them away.
        pub(super) async fn set_project_settings(
            connection: &mut $connection,
            project: &Project,
            changes: &[(&'static str, Option<String>)],
        ) -> Result<(), sqlx::Error> {
            for (name, value) in changes {
                let change = match value {
                    Some(value) => sqlx::query(
                        "INSERT INTO project_settings (project, name, value) VALUES ($1, $2, $3)
                         ON CONFLICT (project, name) DO UPDATE SET value = excluded.value",
                    )
                    .bind(project.as_str())
                    .bind(*name)
                    .bind(value.as_str()),
                    None => sqlx::query("DELETE FROM project_settings WHERE project = $1 AND name = $2")
                        .bind(project.as_str())
                        .bind(*name),
                };
                change.execute(&mut *connection).await?;
            }
            Ok(())
        }

        /// Takes a setting of the whole deployment away.
        pub(super) async fn drop_setting(connection: &mut $connection, name: &'static str) -> Result<(), sqlx::Error> {
            sqlx::query("DELETE FROM settings WHERE name = $1").bind(name).execute(connection).await.map(|_| ())
        }
    };
}

pub(crate) use project_statements;
