//! Questions: parameters in, cells out.

use std::ops::ControlFlow;
use std::time::Duration;

use analytics_domain::timestamp::civil_from_days;
use analytics_query::{Cell, Param, Row, Statement};
use futures::TryStreamExt as _;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::{Arguments as _, AssertSqlSafe, Row as _, TypeInfo as _, ValueRef as _};

use super::fault::question_fault;
use super::link::{Link, Session};
use super::numeric;
use super::values::{Instant, from_wire};
use crate::{Inquiry, OnRow, StoreError};

/// Days from 1970-01-01 to 2000-01-01, from which PostgreSQL counts.
const POSTGRES_EPOCH_DAY: i64 = 10_957;

/// Runs a statement in a reading transaction that has begun, and hands its rows over.
///
/// Where no more rows are wanted, the connection is closed with the rest of the answer: reading it to its end would take as
/// long as if it were wanted.
pub(super) async fn select_each(
    mut session: Session,
    statement: &Statement,
    timeout: Duration,
    on_row: &mut OnRow<'_>,
) -> Result<(), StoreError> {
    let fault = question_fault(timeout);
    match run(session.connection().map_err(fault)?, statement, on_row).await {
        Ok(ControlFlow::Continue(())) => session.commit().await.map_err(fault),
        Ok(ControlFlow::Break(())) => Ok(()),
        Err(error) => {
            if matches!(&error, sqlx::Error::Database(_)) {
                let _ = session.rollback().await;
            }
            Err(fault(error))
        }
    }
}

/// Runs statements one after another in such a transaction, which sees one state of the store.
pub(super) async fn select_together(
    mut session: Session,
    inquiry: &mut dyn Inquiry,
    timeout: Duration,
) -> Result<(), StoreError> {
    let fault = question_fault(timeout);
    for place in 0.. {
        let Some(statement) = inquiry.statement(place) else { break };
        let mut hand_over = |row| inquiry.push(place, row);
        match run(session.connection().map_err(fault)?, &statement, &mut hand_over).await {
            Ok(ControlFlow::Continue(())) => {}
            Ok(ControlFlow::Break(())) => return Ok(()),
            Err(error) => {
                if matches!(&error, sqlx::Error::Database(_)) {
                    let _ = session.rollback().await;
                }
                return Err(fault(error));
            }
        }
    }
    session.commit().await.map_err(fault)
}

async fn run(
    connection: &mut Link,
    statement: &Statement,
    on_row: &mut OnRow<'_>,
) -> Result<ControlFlow<()>, sqlx::Error> {
    let mut arguments = PgArguments::default();
    for param in &statement.params {
        bind(&mut arguments, param).map_err(sqlx::Error::Encode)?;
    }
    // `Statement` is put together from fixed pieces; values are parameters.
    let mut answers = sqlx::query_with(AssertSqlSafe(statement.sql.as_str()), arguments).fetch(connection);
    while let Some(answer) = answers.try_next().await? {
        let row = (0..answer.len()).map(|index| cell(&answer, index)).collect::<Result<Row, _>>()?;
        if on_row(row).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

fn bind(arguments: &mut PgArguments, param: &Param) -> Result<(), sqlx::error::BoxDynError> {
    match param {
        Param::Text(text) => arguments.add(text.as_str()),
        Param::Int(number) => arguments.add(*number),
        Param::Float(number) => arguments.add(*number),
        Param::Timestamp(instant) => arguments.add(Instant(*instant)),
        Param::Uuid(id) => arguments.add(*id),
        Param::Texts(texts) => arguments.add(texts.as_slice()),
        Param::Ints(numbers) => arguments.add(numbers.as_slice()),
        Param::Timestamps(instants) => arguments.add(instants.iter().copied().map(Instant).collect::<Vec<_>>()),
    }
}

/// A value by its column's type; answers are in the binary format.
fn cell(row: &PgRow, index: usize) -> Result<Cell, sqlx::Error> {
    let value = row.try_get_raw(index)?;
    if value.is_null() {
        return Ok(Cell::Null);
    }
    let type_info = value.type_info().into_owned();
    let bytes = value.as_bytes().map_err(sqlx::Error::Decode)?;
    let unreadable = || sqlx::Error::Decode(format!("column {index} holds no {}", type_info.name()).into());
    match type_info.name() {
        "TEXT" | "VARCHAR" | "CHAR" | "NAME" | "UNKNOWN" | "JSON" => {
            Ok(Cell::Text(std::str::from_utf8(bytes).map_err(|_| unreadable())?.to_owned()))
        }
        "JSONB" => {
            let text = bytes.strip_prefix(&[1]).and_then(|text| std::str::from_utf8(text).ok());
            Ok(Cell::Text(text.ok_or_else(unreadable)?.to_owned()))
        }
        "INT8" => Ok(Cell::Int(i64::from_be_bytes(bytes.try_into().map_err(|_| unreadable())?))),
        "INT4" => Ok(Cell::Int(i32::from_be_bytes(bytes.try_into().map_err(|_| unreadable())?).into())),
        "INT2" => Ok(Cell::Int(i16::from_be_bytes(bytes.try_into().map_err(|_| unreadable())?).into())),
        "FLOAT8" => Ok(Cell::Float(f64::from_be_bytes(bytes.try_into().map_err(|_| unreadable())?))),
        "FLOAT4" => Ok(Cell::Float(f32::from_be_bytes(bytes.try_into().map_err(|_| unreadable())?).into())),
        "NUMERIC" => numeric::to_double(bytes).map(Cell::Float).ok_or_else(unreadable),
        "BOOL" => Ok(Cell::Bool(bytes == [1])),
        "BYTEA" => Ok(Cell::Bytes(bytes.to_vec())),
        "UUID" => uuid::Uuid::from_slice(bytes).map(Cell::Uuid).map_err(|_| unreadable()),
        // A timestamp without zone is one in UTC: nothing of ours makes another.
        "TIMESTAMPTZ" | "TIMESTAMP" => {
            Ok(Cell::Timestamp(from_wire(i64::from_be_bytes(bytes.try_into().map_err(|_| unreadable())?))))
        }
        "DATE" => {
            let days = i32::from_be_bytes(bytes.try_into().map_err(|_| unreadable())?);
            let (year, month, day) = civil_from_days(i64::from(days) + POSTGRES_EPOCH_DAY);
            Ok(Cell::Text(format!("{year:04}-{month:02}-{day:02}")))
        }
        other => Err(sqlx::Error::Decode(format!("column {index} is of type {other}, which no answer has").into())),
    }
}
