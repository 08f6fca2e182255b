//! A copy of the file, made while others write to it.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

use super::fault::fault;
use crate::StoreError;

/// Copies the store's file at `from` to a new file at `to`: one state of it, without free pages, so that nothing deleted is
/// left in there.
///
/// Other processes may have the file open and write on. Their log cannot be folded into the file meanwhile, so it grows by what
/// they write. The schema is left alone, whatever build wrote it.
///
/// # Errors
/// [`StoreError::Unavailable`] where there is no store at `from`, or `to` cannot be written or is there already.
pub async fn copy(from: &Path, to: &Path) -> Result<(), StoreError> {
    let fault = fault("copy the store's file");
    let options = SqliteConnectOptions::new()
        .filename(from)
        .create_if_missing(false)
        .busy_timeout(Duration::from_secs(30))
        .disable_statement_logging();
    let mut connection = options.connect().await.map_err(fault)?;
    let copied = sqlx::query("VACUUM INTO ?").bind(to.to_string_lossy()).execute(&mut connection).await;
    connection.close().await.map_err(fault)?;
    copied.map(|_| ()).map_err(fault)
}
