//! Upkeep: what is too old goes, in small transactions between which events are stored.

use analytics_columns::Quarter;
use analytics_domain::Timestamp;
use analytics_domain::timestamp::MICROS_PER_DAY;
use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqlitePool;

use super::fault::fault;
use super::rows::RowStatement;
use super::store::{put_setting, setting};
use super::{columns, erasure};
use crate::{Maintenance, StoreError, Upkeep};

/// Rows of one deleting transaction: some tens of milliseconds.
const ROWS_AT_ONCE: i64 = 5_000;
/// Pages of one step that gives free pages back to the file system.
const PAGES_AT_ONCE: u32 = 2_000;

/// The columns have to be told that a session is known by nobody any more.
const CHANGED: RowStatement = RowStatement {
    head: "INSERT INTO identity_changes (project, session_id) VALUES ",
    row: "(?,?)",
    tail: "",
    doing: "drop old sessions",
};

/// Drops what is past the retention and moves the generations of ids on.
pub(super) async fn maintain(writer: &SqlitePool, maintenance: Maintenance) -> Result<Upkeep, StoreError> {
    let mut done = Upkeep::default();
    let cutoff = maintenance.retention.cutoff(maintenance.now);
    done.raw_dropped = drop_raw(writer, cutoff).await?;
    drop_sessions(writer, cutoff).await?;
    columns::drop_old(writer, Quarter::of(cutoff)).await.map_err(fault("drop old columns"))?;
    done.ids_dropped = move_generations(writer, maintenance).await?;
    erasure::drop_old(writer, cutoff).await.map_err(fault("forget old erasures"))?;
    give_pages_back(writer).await?;
    erasure::wipe(writer, maintenance.now).await.map_err(fault("write the file anew after an erasure"))?;
    Ok(done)
}

/// Deletes raw rows before `cutoff`. Before the first goes it is written down that days before it are no longer whole.
async fn drop_raw(writer: &SqlitePool, cutoff: Timestamp) -> Result<u64, StoreError> {
    let fault = fault("drop old events");
    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await.map_err(fault)?;
    let kept_from = setting(&mut transaction, "raw_kept_from").await.map_err(fault)?;
    let kept_from = kept_from.and_then(|micros| micros.parse::<i64>().ok()).unwrap_or(i64::MIN);
    if kept_from < cutoff.as_micros() {
        put_setting(&mut transaction, "raw_kept_from", &cutoff.as_micros().to_string()).await.map_err(fault)?;
    }
    transaction.commit().await.map_err(fault)?;

    let projects: Vec<String> = sqlx::query_scalar("SELECT project FROM newest_receipts ORDER BY project")
        .fetch_all(writer)
        .await
        .map_err(fault)?;
    let mut dropped = 0;
    for project in projects {
        loop {
            let deleted = sqlx::query(
                "DELETE FROM raw_events WHERE rowid IN
                    (SELECT rowid FROM raw_events WHERE project = ? AND timestamp < ? LIMIT ?)",
            )
            .bind(&project)
            .bind(cutoff.as_micros())
            .bind(ROWS_AT_ONCE)
            .execute(writer)
            .await
            .map_err(fault)?
            .rows_affected();
            dropped += deleted;
            if deleted < ROWS_AT_ONCE.unsigned_abs() {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
    Ok(dropped)
}

/// Deletes the identities of sessions of which no event with a user is kept; see the table's comment for the day of grace.
async fn drop_sessions(writer: &SqlitePool, cutoff: Timestamp) -> Result<(), StoreError> {
    let fault = fault("drop old sessions");
    loop {
        let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await.map_err(fault)?;
        let gone: Vec<(String, String)> = sqlx::query_as(
            "DELETE FROM session_users WHERE (session_id, project) IN
                (SELECT session_id, project FROM session_users WHERE last_timestamp < ? LIMIT ?)
             RETURNING project, session_id",
        )
        .bind(cutoff.saturating_add_micros(-MICROS_PER_DAY).as_micros())
        .bind(ROWS_AT_ONCE)
        .fetch_all(&mut *transaction)
        .await
        .map_err(fault)?;
        CHANGED
            .execute(&mut transaction, &gone, |row, (project, session_id)| {
                row.add(project.as_str())?;
                row.add(session_id.as_str())
            })
            .await?;
        transaction.commit().await.map_err(fault)?;
        let deleted = gone.len() as u64;
        if deleted < ROWS_AT_ONCE.unsigned_abs() {
            return Ok(());
        }
        tokio::task::yield_now().await;
    }
}

/// Empties the oldest generation of ids and makes it the newest, once a generation is half of the remembrance old.
async fn move_generations(writer: &SqlitePool, maintenance: Maintenance) -> Result<u64, StoreError> {
    let fault = fault("forget old ids");
    let now = maintenance.now;
    let since = setting(&mut *writer.acquire().await.map_err(fault)?, "event_ids_since").await.map_err(fault)?;
    let Some(since) = since.and_then(|micros| micros.parse().ok()).map(Timestamp::from_micros) else {
        let mut connection = writer.acquire().await.map_err(fault)?;
        put_setting(&mut connection, "event_ids_since", &now.as_micros().to_string()).await.map_err(fault)?;
        return Ok(0);
    };
    if now.micros_since(since) < crate::migration::generation_micros(maintenance.dedupe_days) {
        return Ok(0);
    }
    let mut dropped = 0;
    loop {
        let deleted =
            sqlx::query("DELETE FROM event_ids_2 WHERE (id, project) IN (SELECT id, project FROM event_ids_2 LIMIT ?)")
                .bind(ROWS_AT_ONCE)
                .execute(writer)
                .await
                .map_err(fault)?
                .rows_affected();
        dropped += deleted;
        if deleted < ROWS_AT_ONCE.unsigned_abs() {
            break;
        }
        tokio::task::yield_now().await;
    }
    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await.map_err(fault)?;
    sqlx::raw_sql(
        "ALTER TABLE event_ids_2 RENAME TO event_ids_new;
         ALTER TABLE event_ids_1 RENAME TO event_ids_2;
         ALTER TABLE event_ids RENAME TO event_ids_1;
         ALTER TABLE event_ids_new RENAME TO event_ids;",
    )
    .execute(&mut *transaction)
    .await
    .map_err(fault)?;
    put_setting(&mut transaction, "event_ids_since", &now.as_micros().to_string()).await.map_err(fault)?;
    transaction.commit().await.map_err(fault)?;
    Ok(dropped)
}

/// Gives the pages that deleting made free back to the file system.
async fn give_pages_back(writer: &SqlitePool) -> Result<(), StoreError> {
    let fault = fault("give free pages back");
    let mut before = i64::MAX;
    loop {
        let free: i64 = sqlx::query_scalar("PRAGMA freelist_count").fetch_one(writer).await.map_err(fault)?;
        // A file that was made without incremental vacuum keeps its free pages: it will use them again.
        if free == 0 || free >= before {
            return Ok(());
        }
        before = free;
        sqlx::raw_sql(AssertSqlSafe(format!("PRAGMA incremental_vacuum({PAGES_AT_ONCE})")))
            .execute(writer)
            .await
            .map_err(fault)?;
        tokio::task::yield_now().await;
    }
}
