//! Questions: parameters in, cells out.

use std::ops::ControlFlow;

use analytics_query::{Cell, Param, Row, Statement};
use futures::TryStreamExt as _;
use sqlx::sqlite::{SqliteArguments, SqliteConnection, SqliteRow};
use sqlx::{Arguments as _, AssertSqlSafe, Connection as _, Row as _, TypeInfo as _, ValueRef as _};
use uuid::Uuid;

use super::connection::Readers;
use super::fault::unencodable;
use crate::{Inquiry, OnRow, StoreError};

/// Runs a statement on a reading connection and hands its rows over until no more are wanted.
pub(super) async fn select_each(
    readers: &Readers,
    statement: &Statement,
    on_row: &mut OnRow<'_>,
) -> Result<(), StoreError> {
    let mut connection = readers.take().await?;
    run(readers, &mut connection, statement, on_row).await.map(|_| ())
}

/// Runs statements one after another in a transaction, which sees one state of the file.
pub(super) async fn select_together(readers: &Readers, inquiry: &mut dyn Inquiry) -> Result<(), StoreError> {
    let fault = readers.fault();
    let mut connection = readers.take().await?;
    let mut transaction = connection.begin().await.map_err(fault)?;
    for place in 0.. {
        let Some(statement) = inquiry.statement(place) else { break };
        let mut hand_over = |row| inquiry.push(place, row);
        if run(readers, &mut transaction, &statement, &mut hand_over).await?.is_break() {
            break;
        }
    }
    transaction.rollback().await.map_err(fault)
}

async fn run(
    readers: &Readers,
    connection: &mut SqliteConnection,
    statement: &Statement,
    on_row: &mut OnRow<'_>,
) -> Result<ControlFlow<()>, StoreError> {
    let fault = readers.fault();
    let mut arguments = SqliteArguments::default();
    for param in &statement.params {
        bind(&mut arguments, param).map_err(unencodable)?;
    }
    // `Statement` is put together from fixed pieces; values are parameters.
    let mut answers = sqlx::query_with(AssertSqlSafe(statement.sql.as_str()), arguments).fetch(connection);
    while let Some(answer) = answers.try_next().await.map_err(fault)? {
        if on_row(cells(&answer).map_err(fault)?).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

fn bind(arguments: &mut SqliteArguments, param: &Param) -> Result<(), sqlx::error::BoxDynError> {
    match param {
        Param::Text(text) => arguments.add(text.as_str()),
        Param::Int(number) => arguments.add(*number),
        Param::Float(number) => arguments.add(*number),
        Param::Timestamp(instant) => arguments.add(instant.as_micros()),
        Param::Uuid(id) => arguments.add(*id),
        Param::Texts(texts) => arguments.add(serde_json::to_string(texts)?),
        Param::Ints(numbers) => arguments.add(serde_json::to_string(numbers)?),
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
                    Ok(Uuid::from_slice(bytes).map_or_else(|_| Cell::Bytes(bytes.to_vec()), Cell::Uuid))
                }
                _ => row.try_get_unchecked(index).map(Cell::Text),
            }
        })
        .collect()
}
