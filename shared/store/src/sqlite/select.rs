//! Questions: parameters in, cells out.

use analytics_query::{Cell, Param, Row, Statement};
use futures::TryStreamExt as _;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments as _, AssertSqlSafe, Row as _, TypeInfo as _, ValueRef as _};
use uuid::Uuid;

use super::connection::Readers;
use super::fault::unencodable;
use crate::{OnRow, StoreError};

/// Runs a statement on a reading connection and hands its rows over until no more are wanted.
pub(super) async fn select_each(
    readers: &Readers,
    statement: &Statement,
    on_row: &mut OnRow<'_>,
) -> Result<(), StoreError> {
    let fault = readers.fault();
    let mut arguments = SqliteArguments::default();
    for param in &statement.params {
        bind(&mut arguments, param).map_err(unencodable)?;
    }
    let mut connection = readers.take().await?;
    // `Statement` is put together from fixed pieces; values are parameters.
    let mut answers = sqlx::query_with(AssertSqlSafe(statement.sql.as_str()), arguments).fetch(&mut *connection);
    while let Some(answer) = answers.try_next().await.map_err(fault)? {
        if on_row(cells(&answer).map_err(fault)?).is_break() {
            break;
        }
    }
    Ok(())
}

fn bind(arguments: &mut SqliteArguments, param: &Param) -> Result<(), sqlx::error::BoxDynError> {
    match param {
        Param::Text(text) => arguments.add(text.as_str()),
        Param::Int(number) => arguments.add(*number),
        Param::Float(number) => arguments.add(*number),
        Param::Timestamp(instant) => arguments.add(instant.as_micros()),
        Param::Uuid(id) => arguments.add(*id),
        Param::Texts(texts) => arguments.add(serde_json::to_string(texts)?),
        Param::Timestamps(instants) => {
            let micros: Vec<i64> = instants.iter().map(|instant| instant.as_micros()).collect();
            arguments.add(serde_json::to_string(&micros)?)
        }
    }
}

/// The cells of a row, by the type that each value has.
fn cells(row: &SqliteRow) -> Result<Row, sqlx::Error> {
    (0..row.len())
        .map(|index| {
            let value = row.try_get_raw(index)?;
            if value.is_null() {
                return Ok(Cell::Null);
            }
            let type_info = value.type_info();
            match type_info.name() {
                "INTEGER" | "INT4" | "INT8" => row.try_get_unchecked(index).map(Cell::Int),
                "BOOLEAN" => row.try_get_unchecked(index).map(Cell::Bool),
                "REAL" => row.try_get_unchecked(index).map(Cell::Float),
                "BLOB" => {
                    let bytes: &[u8] = row.try_get_unchecked(index)?;
                    Ok(Uuid::from_slice(bytes)
                        .map_or_else(|_| Cell::Text(String::from_utf8_lossy(bytes).into_owned()), Cell::Uuid))
                }
                _ => row.try_get_unchecked(index).map(Cell::Text),
            }
        })
        .collect()
}
