//! Upkeep: what is too old goes, and what ingest will need is made ahead. One process at a time does it.

use analytics_columns::Quarter;
use analytics_domain::Timestamp;
use analytics_domain::timestamp::MICROS_PER_DAY;

use super::connection::Begin;
use super::fault::fault;
use super::link::{Pool, Session};
use super::settings::{put_setting, setting};
use super::values::Instant;
use super::{chunks, columns, erasure, partitions};
use crate::{Edition, Maintenance, StoreError, Upkeep};

/// Only one process keeps up at a time.
const UPKEEP_LOCK: i64 = 0x616E_616C_7974_6902;

/// Rows of one deleting transaction, some tens of milliseconds.
const ROWS_AT_ONCE: i64 = 10_000;

/// Does all upkeep; nothing where another process is at it.
pub(super) async fn maintain(
    pool: &Pool,
    begin: &Begin,
    edition: &Edition,
    chunk_days: u32,
    maintenance: Maintenance,
) -> Result<Upkeep, StoreError> {
    let fault = fault("keep the store up");
    let mut lock = Session::begin(pool, &Begin::waiting()).await.map_err(fault)?;
    // Held by a transaction that does nothing else: it has no snapshot, so it keeps no old rows alive.
    let alone: bool = sqlx::query_scalar("SELECT pg_try_advisory_xact_lock($1)")
        .bind(UPKEEP_LOCK)
        .fetch_one(lock.connection().map_err(fault)?)
        .await
        .map_err(fault)?;
    let mut done = Upkeep::default();
    if alone {
        let has_chunks = !matches!(edition, Edition::Postgres { .. });
        let cutoff = maintenance.retention.cutoff(maintenance.now);
        let now = maintenance.now;
        if has_chunks {
            chunks::set_width(pool, begin, chunk_days).await.map_err(fault)?;
            done.made = chunks::make_ahead(pool, begin, now, chunk_days).await.map_err(fault)?;
        } else {
            done.made = partitions::make_ahead(pool, begin, now, chunk_days).await.map_err(fault)?;
        }
        done.raw_dropped = drop_raw(pool, begin, cutoff, has_chunks).await.map_err(fault)?;
        drop_sessions(pool, begin, cutoff).await.map_err(fault)?;
        columns::drop_old(pool, begin, Quarter::of(cutoff)).await.map_err(fault)?;
        erasure::drop_old(pool, begin, cutoff).await.map_err(fault)?;
        done.ids_dropped = move_generations(pool, begin, maintenance).await.map_err(fault)?;
        if matches!(edition, Edition::TimescaleCommunity { .. }) {
            // Last: it may take long.
            done.compressed = chunks::compress(pool, begin, now).await.map_err(fault)?;
        }
    }
    lock.rollback().await.map_err(fault)?;
    Ok(done)
}

/// Drops raw rows before `cutoff`, whole chunks or partitions. Before the first goes it is written down that days before it are
/// no longer whole.
async fn drop_raw(pool: &Pool, begin: &Begin, cutoff: Timestamp, has_chunks: bool) -> Result<u64, sqlx::Error> {
    let mut session = Session::begin(pool, begin).await?;
    let connection = session.connection()?;
    let kept_from = setting(connection, "raw_kept_from").await?.and_then(|micros| micros.parse::<i64>().ok());
    if kept_from.is_none_or(|kept_from| kept_from < cutoff.as_micros()) {
        put_setting(connection, "raw_kept_from", &cutoff.as_micros().to_string()).await?;
    }
    session.commit().await?;

    if has_chunks {
        chunks::drop_before(pool, begin, cutoff).await
    } else {
        partitions::drop_before(pool, begin, cutoff).await
    }
}

/// Deletes the identities of sessions of which no event with a user is kept; see the table's comment for the day of grace.
/// Rows that a writer holds are left for the next time: this never waits, so it is in no deadlock.
async fn drop_sessions(pool: &Pool, begin: &Begin, cutoff: Timestamp) -> Result<(), sqlx::Error> {
    loop {
        let mut session = Session::begin(pool, begin).await?;
        let deleted = sqlx::query(
            "WITH gone AS (
                DELETE FROM session_users WHERE ctid = ANY (ARRAY(
                    SELECT ctid FROM session_users WHERE last_timestamp < $1 LIMIT $2 FOR UPDATE SKIP LOCKED))
                RETURNING project, session_id)
             INSERT INTO identity_changes (project, session_id) SELECT project, session_id FROM gone",
        )
        .bind(Instant(cutoff.saturating_add_micros(-MICROS_PER_DAY)))
        .bind(ROWS_AT_ONCE * 5)
        .execute(session.connection()?)
        .await?
        .rows_affected();
        session.commit().await?;
        if deleted < ROWS_AT_ONCE.unsigned_abs() * 5 {
            return Ok(());
        }
    }
}

/// Empties the oldest generation of ids and makes it the newest, once a generation is half of the remembrance old.
///
/// Uniqueness holds over the change: a writer locks `event_ids` before it looks anything up, so it either committed before
/// the tables change their names, or waits and then finds the new names with everything that was committed.
async fn move_generations(pool: &Pool, begin: &Begin, maintenance: Maintenance) -> Result<u64, sqlx::Error> {
    let now = maintenance.now;
    let mut session = Session::begin(pool, begin).await?;
    let connection = session.connection()?;
    let since = setting(connection, "event_ids_since").await?;
    let since = since.and_then(|micros| micros.parse().ok()).map(Timestamp::from_micros);
    let age = since.map(|since| now.micros_since(since));
    if age.is_some_and(|age| age < crate::migration::generation_micros(maintenance.dedupe_days)) {
        session.rollback().await?;
        return Ok(0);
    }
    put_setting(connection, "event_ids_since", &now.as_micros().to_string()).await?;
    let mut dropped = 0;
    if since.is_some() {
        sqlx::raw_sql("LOCK TABLE event_ids, event_ids_1, event_ids_2 IN ACCESS EXCLUSIVE MODE")
            .execute(&mut *connection)
            .await?;
        let any: bool =
            sqlx::query_scalar("SELECT EXISTS (SELECT FROM event_ids_2)").fetch_one(&mut *connection).await?;
        sqlx::raw_sql(
            "TRUNCATE event_ids_2;
             ALTER TABLE event_ids_2 RENAME TO event_ids_new;
             ALTER TABLE event_ids_1 RENAME TO event_ids_2;
             ALTER TABLE event_ids RENAME TO event_ids_1;
             ALTER TABLE event_ids_new RENAME TO event_ids;",
        )
        .execute(&mut *connection)
        .await?;
        dropped = u64::from(any);
    }
    session.commit().await?;
    if since.is_some() {
        // The older generations are only looked at from now on: the planner should know how large they are.
        sqlx::raw_sql("ANALYZE event_ids_1").execute(pool.driver()).await?;
    }
    Ok(dropped)
}
