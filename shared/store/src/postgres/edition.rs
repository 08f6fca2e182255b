//! What kind of server it is, and the extension.

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _};

use super::link::Link;
use crate::{Edition, StoreError};

/// The oldest supported server, as `server_version_num` says it.
const OLDEST: i32 = 150_000;

/// Serializes the making of the extension over processes.
const EXTENSION_LOCK: i64 = 0x616E_616C_7974_6901;

/// What a server says of itself.
#[derive(Debug, Clone)]
pub(super) struct Server {
    /// Which edition of the store stands on it.
    pub(super) edition: Edition,
    /// Whether its commits return before they are flushed, by its own setting.
    pub(super) commits_late: bool,
}

/// Asks the server. A plain `raw_events` in a database with the extension (made before the extension came) stays plain.
pub(super) async fn ask(connection: &mut Link) -> Result<Server, sqlx::Error> {
    let row = sqlx::query(
        "SELECT current_setting('server_version'), current_setting('synchronous_commit') = 'off',
            (SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'),
            current_setting('timescaledb.license', true)",
    )
    .fetch_one(&mut *connection)
    .await?;
    let version: String = row.try_get(0)?;
    let extension: Option<String> = row.try_get(2)?;
    let license: Option<String> = row.try_get(3)?;
    let commits_late = row.try_get(1)?;
    let Some(extension) = extension else {
        return Ok(Server { edition: Edition::Postgres { version }, commits_late });
    };
    let plain: bool = sqlx::query_scalar(
        "SELECT to_regclass('raw_events') IS NOT NULL AND NOT EXISTS (
            SELECT FROM timescaledb_information.hypertables
            WHERE format('%I.%I', hypertable_schema, hypertable_name)::regclass = to_regclass('raw_events'))",
    )
    .fetch_one(connection)
    .await?;
    let edition = if plain {
        Edition::Postgres { version }
    } else if license.as_deref() == Some("timescale") {
        Edition::TimescaleCommunity { version: extension }
    } else {
        Edition::TimescaleApache { version: extension }
    };
    Ok(Server { edition, commits_late })
}

/// Refuses a server that is too old.
pub(super) async fn require_version(connection: &mut Link) -> Result<Result<(), StoreError>, sqlx::Error> {
    let row = sqlx::query("SELECT current_setting('server_version_num')::int4, current_setting('server_version')")
        .fetch_one(connection)
        .await?;
    Ok(judge_version(row.try_get(0)?, row.try_get(1)?))
}

fn judge_version(number: i32, version: &str) -> Result<(), StoreError> {
    if number >= OLDEST {
        return Ok(());
    }
    Err(StoreError::Setting {
        setting: "DATABASE_URL",
        reason: format!(
            "the server is PostgreSQL {version}, and this build needs PostgreSQL 15 or later; upgrade it, or name a newer one"
        ),
    })
}

/// Makes the extension where the server has it, has not got it in this database yet, and lets us. On a connection of its own:
/// a server that does not preload the library ends the connection at once. Where it cannot be made, the store is a plain one.
pub(super) async fn make_extension(options: &PgConnectOptions) -> Result<(), sqlx::Error> {
    let mut connection = options.connect().await?;
    // Sent as they are, without a statement of a name: a pooler may stand in between.
    let offered: bool = sqlx::raw_sql(
        "SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb' AND installed_version IS NULL)
            AND to_regclass('raw_events') IS NULL",
    )
    .fetch_one(&mut connection)
    .await?
    .try_get(0)?;
    if !offered {
        return connection.close().await;
    }
    let mut transaction = connection.begin().await?;
    let lock = format!("SELECT pg_advisory_xact_lock({EXTENSION_LOCK})");
    sqlx::raw_sql(AssertSqlSafe(lock)).execute(&mut *transaction).await?;
    let made = sqlx::raw_sql("CREATE EXTENSION IF NOT EXISTS timescaledb").execute(&mut *transaction).await;
    match made {
        Ok(_) => transaction.commit().await,
        Err(error) => {
            tracing::warn!(
                %error,
                "the server offers TimescaleDB but it could not be made in this database; plain tables are used. \
                 Preload it (shared_preload_libraries) and CREATE EXTENSION timescaledb as a superuser before the first start"
            );
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_server_is_named() {
        assert!(judge_version(150_000, "15.0").is_ok());
        let error = judge_version(140_011, "14.11").unwrap_err().to_string();
        assert!(error.contains("14.11") && error.contains("PostgreSQL 15 or later"), "{error}");
    }
}
