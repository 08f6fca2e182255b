//! What could not be stored: listing and asking for another try.

use analytics_domain::{DeadLetter, DeadLetterId, DeadLetterReason, Project};
use sqlx::Row as _;
use sqlx::postgres::PgRow;

use super::link::Link;
use super::values::Instant;
use crate::DeadLetterPage;
use crate::settlement::stored_project;

/// A page of a project's letters, newest first.
pub(super) async fn page(
    connection: &mut Link,
    project: &Project,
    before: Option<DeadLetterId>,
    limit: u32,
) -> Result<DeadLetterPage, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT id, project, event_id, payload, code, sqlstate, message, attempts, first_failed_at, last_failed_at,
            replay_requested
         FROM dead_letters WHERE project = $1 AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3",
    )
    .bind(project.as_str())
    .bind(before)
    .bind(i64::from(limit))
    .fetch_all(&mut *connection)
    .await?;
    let total: i64 = sqlx::query_scalar("SELECT count(*) FROM dead_letters WHERE project = $1")
        .bind(project.as_str())
        .fetch_one(connection)
        .await?;
    Ok(DeadLetterPage { letters: rows.iter().map(letter).collect::<Result<_, _>>()?, total: total.unsigned_abs() })
}

/// Marks letters to be tried again, in the order in which writers delete them.
pub(super) async fn request_replay(
    connection: &mut Link,
    project: &Project,
    ids: Option<&[DeadLetterId]>,
) -> Result<u64, sqlx::Error> {
    let marked = sqlx::query(
        "UPDATE dead_letters SET replay_requested = true WHERE id IN
            (SELECT id FROM dead_letters WHERE project = $1 AND ($2::uuid[] IS NULL OR id = ANY($2))
             ORDER BY id FOR UPDATE)",
    )
    .bind(project.as_str())
    .bind(ids)
    .execute(connection)
    .await?;
    Ok(marked.rows_affected())
}

/// Letters that somebody asked to be tried again, oldest first.
pub(super) async fn replay_requests(connection: &mut Link, limit: u32) -> Result<Vec<DeadLetter>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT id, project, event_id, payload, code, sqlstate, message, attempts, first_failed_at, last_failed_at,
            replay_requested
         FROM dead_letters WHERE replay_requested ORDER BY id LIMIT $1",
    )
    .bind(i64::from(limit))
    .fetch_all(connection)
    .await?;
    rows.iter().map(letter).collect()
}

/// How many letters there are.
pub(super) async fn count(connection: &mut Link) -> Result<u64, sqlx::Error> {
    let total: i64 = sqlx::query_scalar("SELECT count(*) FROM dead_letters").fetch_one(connection).await?;
    Ok(total.unsigned_abs())
}

fn letter(row: &PgRow) -> Result<DeadLetter, sqlx::Error> {
    Ok(DeadLetter {
        id: row.try_get(0)?,
        project: stored_project(row.try_get(1)?),
        event_id: row.try_get(2)?,
        payload: row.try_get(3)?,
        reason: DeadLetterReason { code: row.try_get(4)?, sqlstate: row.try_get(5)?, message: row.try_get(6)? },
        attempts: u32::try_from(row.try_get::<i64, _>(7)?).unwrap_or(u32::MAX),
        first_failed_at: row.try_get::<Instant, _>(8)?.0,
        last_failed_at: row.try_get::<Instant, _>(9)?.0,
        replay_requested: row.try_get(10)?,
    })
}
