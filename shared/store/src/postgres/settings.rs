//! What the store was told or found: the table `settings`.

use super::link::Link;

/// A value of the table.
pub(super) async fn setting(connection: &mut Link, name: &'static str) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar("SELECT value FROM settings WHERE name = $1").bind(name).fetch_optional(connection).await
}

/// Writes a value of the table.
pub(super) async fn put_setting(connection: &mut Link, name: &'static str, value: &str) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    )
    .bind(name)
    .bind(value)
    .execute(connection)
    .await
    .map(|_| ())
}
