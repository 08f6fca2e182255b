//! What could not be stored: listing and asking for another try.

use analytics_domain::{DeadLetter, DeadLetterId, DeadLetterReason, Project, Timestamp};
use sqlx::Row as _;
use sqlx::sqlite::{SqlitePool, SqliteRow};

use super::connection::Readers;
use super::fault::fault;
use super::rows::RowStatement;
use crate::settlement::stored_project;
use crate::{DeadLetterPage, StoreError};

/// A page of a project's letters, newest first.
pub(super) async fn page(
    readers: &Readers,
    project: &Project,
    before: Option<DeadLetterId>,
    limit: u32,
) -> Result<DeadLetterPage, StoreError> {
    let fault = readers.fault();
    let mut connection = readers.take().await?;
    let rows = sqlx::query(
        "SELECT id, project, event_id, payload, code, sqlstate, message, attempts, first_failed_at, last_failed_at,
                replay_requested
         FROM dead_letters WHERE project = ?1 AND (?2 IS NULL OR id < ?2) ORDER BY id DESC LIMIT ?3",
    )
    .bind(project.as_str())
    .bind(before)
    .bind(i64::from(limit))
    .fetch_all(&mut *connection)
    .await
    .map_err(fault)?;
    let total: i64 = sqlx::query_scalar("SELECT count(*) FROM dead_letters WHERE project = ?")
        .bind(project.as_str())
        .fetch_one(&mut *connection)
        .await
        .map_err(fault)?;
    let letters = rows.iter().map(letter).collect::<Result<_, _>>().map_err(fault)?;
    Ok(DeadLetterPage { letters, total: total.unsigned_abs() })
}

/// Marks letters to be tried again.
pub(super) async fn request_replay(
    writer: &SqlitePool,
    project: &Project,
    ids: Option<&[DeadLetterId]>,
) -> Result<u64, StoreError> {
    const DOING: &str = "ask for a replay";
    const MARK: RowStatement = RowStatement {
        head: "UPDATE dead_letters SET replay_requested = 1 WHERE (id, project) IN (VALUES ",
        row: "(?,?)",
        tail: ")",
        doing: DOING,
    };
    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await.map_err(fault(DOING))?;
    let marked = match ids {
        None => sqlx::query("UPDATE dead_letters SET replay_requested = 1 WHERE project = ?")
            .bind(project.as_str())
            .execute(&mut *transaction)
            .await
            .map_err(fault(DOING))?
            .rows_affected(),
        Some(ids) => {
            MARK.execute(&mut transaction, ids, |row, id| {
                row.add(id)?;
                row.add(project.as_str())
            })
            .await?
        }
    };
    transaction.commit().await.map_err(fault(DOING))?;
    Ok(marked)
}

/// Letters that somebody asked to be tried again, oldest first.
pub(super) async fn replay_requests(readers: &Readers, limit: u32) -> Result<Vec<DeadLetter>, StoreError> {
    let fault = readers.fault();
    let mut connection = readers.take().await?;
    let rows = sqlx::query(
        "SELECT id, project, event_id, payload, code, sqlstate, message, attempts, first_failed_at, last_failed_at,
                replay_requested
         FROM dead_letters WHERE replay_requested = 1 ORDER BY id LIMIT ?",
    )
    .bind(i64::from(limit))
    .fetch_all(&mut *connection)
    .await
    .map_err(fault)?;
    rows.iter().map(letter).collect::<Result<_, _>>().map_err(fault)
}

/// How many letters there are.
pub(super) async fn count(readers: &Readers) -> Result<u64, StoreError> {
    let fault = readers.fault();
    let mut connection = readers.take().await?;
    let total: i64 =
        sqlx::query_scalar("SELECT count(*) FROM dead_letters").fetch_one(&mut *connection).await.map_err(fault)?;
    Ok(total.unsigned_abs())
}

fn letter(row: &SqliteRow) -> Result<DeadLetter, sqlx::Error> {
    Ok(DeadLetter {
        id: row.try_get(0)?,
        project: stored_project(row.try_get(1)?),
        event_id: row.try_get(2)?,
        payload: row.try_get(3)?,
        reason: DeadLetterReason { code: row.try_get(4)?, sqlstate: row.try_get(5)?, message: row.try_get(6)? },
        attempts: u32::try_from(row.try_get::<i64, _>(7)?).unwrap_or(u32::MAX),
        first_failed_at: Timestamp::from_micros(row.try_get(8)?),
        last_failed_at: Timestamp::from_micros(row.try_get(9)?),
        replay_requested: row.try_get::<i64, _>(10)? != 0,
    })
}
