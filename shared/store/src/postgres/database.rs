//! The database itself.

use sqlx::{AssertSqlSafe, Connection as _};

use super::connection::{PostgresOptions, parse, reach};
use super::fault::fault;
use crate::StoreError;

/// `duplicate_database`: another process was faster.
const DUPLICATE_DATABASE: &str = "42P04";

/// Makes the database that a URL names, where it is not there; gives whether it was made. The role needs `CREATEDB`.
///
/// # Errors
/// [`StoreError::Unavailable`] where the server cannot be reached, the URL names no database, or the role may not.
pub async fn create_database(url: &str) -> Result<bool, StoreError> {
    let fault = fault("make the database");
    let options = parse("DATABASE_URL", url, &PostgresOptions::new(url))?;
    let Some(name) = options.get_database().map(str::to_owned) else {
        let reason = "it names no database".to_owned();
        return Err(StoreError::Setting { setting: "DATABASE_URL", reason });
    };
    let within = PostgresOptions::new(url).acquire_timeout;
    let mut connection = reach(&options.database("postgres"), within, "make the database").await?;
    let exists: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
        .bind(&name)
        .fetch_one(&mut connection)
        .await
        .map_err(fault)?;
    if !exists {
        // A name cannot be a parameter here: quoted as an identifier, it is one whatever it holds.
        let statement = format!("CREATE DATABASE \"{}\"", name.replace('"', "\"\""));
        match sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await {
            Ok(_) => {}
            Err(error)
                if error.as_database_error().and_then(|error| error.code()).as_deref() == Some(DUPLICATE_DATABASE) =>
            {
                return Ok(false);
            }
            Err(error) => return Err(fault(error)),
        }
    }
    connection.close().await.map_err(fault)?;
    Ok(!exists)
}
