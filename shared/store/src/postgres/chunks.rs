//! The chunks of a hypertable: made ahead, dropped, and, where the licence allows it, compressed.

use analytics_domain::Timestamp;
use analytics_domain::timestamp::MICROS_PER_DAY;
use sqlx::Row as _;

use super::connection::Begin;
use super::link::{Pool, Session};
use super::settings::{put_setting, setting};
use super::values::Instant;
use crate::footprint::COMPRESS_AFTER_DAYS;

/// `feature_not_supported`: the licence does not hold what was asked for.
const NOT_LICENSED: &str = "0A000";

/// A chunk is compressed so long after its end: by then few events come to it.
const COMPRESS_AFTER: i64 = COMPRESS_AFTER_DAYS as i64 * MICROS_PER_DAY;

/// Chunks that one upkeep compresses at most: it has other things to do.
const CHUNKS_AT_ONCE: i64 = 4;

/// How often chunks that were compressed and have got events since are compressed anew, at most.
const COMPRESS_ANEW_EVERY: i64 = MICROS_PER_DAY;

const MAKE_CHUNK: &str = "
    INSERT INTO raw_events (id, project, session_id, event_type, event_action, timestamp, created_at)
    VALUES ('00000000-0000-0000-0000-000000000000', '', '', '', '', $1, $1)";

/// What is compressed and how (measured: docs/performance.md). A question has a project and a range of time, so a project's
/// rows lie together, in the order of time. The limit that a deletion meets is lifted where something is erased.
const COMPRESSION: &str = "
    ALTER TABLE raw_events SET (timescaledb.compress = true, timescaledb.compress_segmentby = 'project',
        timescaledb.compress_orderby = 'timestamp, id')";

/// Status 1 is compressed, 8 that rows have come since.
const TO_COMPRESS: &str = "
    SELECT format('%I.%I', k.schema_name, k.table_name), k.status & 1 = 1
    FROM timescaledb_information.chunks i
    JOIN _timescaledb_catalog.chunk k ON k.schema_name = i.chunk_schema AND k.table_name = i.chunk_name
    WHERE format('%I.%I', i.hypertable_schema, i.hypertable_name)::regclass = 'raw_events'::regclass
        AND i.range_end <= $1 AND (k.status & 1 = 0 OR ($2 AND k.status & 8 = 8))
    ORDER BY 2, i.range_end DESC LIMIT $3";

/// Sees to it that chunks which are still to be made have this width, in days. Those that are there stay as they are.
pub(super) async fn set_width(pool: &Pool, begin: &Begin, days: u32) -> Result<(), sqlx::Error> {
    let mut session = Session::begin(pool, begin).await?;
    let connection = session.connection()?;
    let differs: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM timescaledb_information.dimensions
            WHERE format('%I.%I', hypertable_schema, hypertable_name)::regclass = 'raw_events'::regclass
                AND column_name = 'timestamp' AND time_interval <> make_interval(days => $1))",
    )
    .bind(i32::try_from(days).unwrap_or(i32::MAX))
    .fetch_one(&mut *connection)
    .await?;
    if differs {
        sqlx::query("SELECT set_chunk_time_interval('raw_events', make_interval(days => $1))")
            .bind(i32::try_from(days).unwrap_or(i32::MAX))
            .execute(connection)
            .await?;
        tracing::info!(days, "chunks that are made from now on have another width");
    }
    session.commit().await
}

/// Makes the chunks of now and of one width from now. Making one locks the hypertable: it had better not happen in the
/// transaction of an event. Where it fails, that is what happens.
pub(super) async fn make_ahead(pool: &Pool, begin: &Begin, now: Timestamp, days: u32) -> Result<u64, sqlx::Error> {
    let mut made = 0;
    for ahead in 0..2 {
        let instant = Instant(now.saturating_add_micros(ahead * i64::from(days) * MICROS_PER_DAY));
        let mut session = Session::begin(pool, begin).await?;
        let connection = session.connection()?;
        let there: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM timescaledb_information.chunks
                WHERE format('%I.%I', hypertable_schema, hypertable_name)::regclass = 'raw_events'::regclass
                    AND range_start <= $1 AND range_end > $1)",
        )
        .bind(instant)
        .fetch_one(&mut *connection)
        .await?;
        if there {
            session.commit().await?;
            continue;
        }
        // The extension's own function is kept from the Apache licence. A row that the same transaction deletes again is
        // seen by nobody, and its chunk stays.
        match sqlx::query(MAKE_CHUNK).bind(instant).execute(&mut *connection).await {
            Ok(_) => {
                sqlx::query("DELETE FROM raw_events WHERE project = '' AND timestamp = $1")
                    .bind(instant)
                    .execute(connection)
                    .await?;
                session.commit().await?;
                made += 1;
            }
            Err(error @ sqlx::Error::Database(_)) => {
                tracing::debug!(%error, "a chunk could not be made ahead; the first event of its time makes it");
                session.rollback().await?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(made)
}

/// Drops the chunks that end before `cutoff`; how many. Not by the extension's own policy: how long events are kept stands in
/// the store and is told to it with each upkeep, and the days before the cutoff are written down as no longer whole first.
pub(super) async fn drop_before(pool: &Pool, begin: &Begin, cutoff: Timestamp) -> Result<u64, sqlx::Error> {
    let mut session = Session::begin(pool, begin).await?;
    let chunks: i64 = sqlx::query_scalar("SELECT count(*) FROM drop_chunks('raw_events', older_than => $1)")
        .bind(Instant(cutoff))
        .fetch_one(session.connection()?)
        .await?;
    session.commit().await?;
    Ok(chunks.unsigned_abs())
}

/// Compresses chunks that have ended some time ago, a bounded number of them; how many. Settings that somebody else has made
/// for the table stay.
pub(super) async fn compress(pool: &Pool, begin: &Begin, now: Timestamp) -> Result<u64, sqlx::Error> {
    match compress_some(pool, begin, now).await {
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(NOT_LICENSED) => {
            tracing::debug!(%error, "the licence does not hold compression; chunks stay as they are");
            Ok(0)
        }
        done => done,
    }
}

async fn compress_some(pool: &Pool, begin: &Begin, now: Timestamp) -> Result<u64, sqlx::Error> {
    let mut session = Session::begin(pool, begin).await?;
    let connection = session.connection()?;
    let is_set: bool = sqlx::query_scalar(
        "SELECT coalesce(bool_or(compression_enabled), false) FROM timescaledb_information.hypertables
         WHERE format('%I.%I', hypertable_schema, hypertable_name)::regclass = 'raw_events'::regclass",
    )
    .fetch_one(&mut *connection)
    .await?;
    if !is_set {
        sqlx::raw_sql(COMPRESSION).execute(&mut *connection).await?;
    }
    let last = setting(connection, "compressed_anew").await?.and_then(|micros| micros.parse::<i64>().ok());
    let anew = last.is_none_or(|last| now.as_micros().saturating_sub(last) >= COMPRESS_ANEW_EVERY);
    if anew {
        put_setting(connection, "compressed_anew", &now.as_micros().to_string()).await?;
    }
    let chunks = sqlx::query(TO_COMPRESS)
        .bind(Instant(now.saturating_add_micros(-COMPRESS_AFTER)))
        .bind(anew)
        .bind(CHUNKS_AT_ONCE)
        .fetch_all(&mut *connection)
        .await?;
    session.commit().await?;
    let mut done = 0;
    for row in chunks {
        let chunk: String = row.try_get(0)?;
        let mut session = Session::begin(pool, begin).await?;
        let connection = session.connection()?;
        // It takes as long as there are rows; whoever has the chunk locked is not waited for any longer than by others.
        sqlx::raw_sql("SET LOCAL statement_timeout = 0").execute(&mut *connection).await?;
        match sqlx::query("SELECT compress_chunk($1::regclass)").bind(&chunk).execute(connection).await {
            Ok(_) => {
                session.commit().await?;
                done += 1;
            }
            Err(sqlx::Error::Database(error)) if error.code().as_deref() != Some(NOT_LICENSED) => {
                tracing::debug!(%error, chunk, "a chunk could not be compressed; it is tried again later");
                session.rollback().await?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// Lifts the number of rows that a transaction may unpack to delete or change some, where there is such a number.
pub(super) async fn unpack_freely(connection: &mut super::link::Link) -> Result<(), sqlx::Error> {
    const LIFT: &str = "
        SELECT set_config(l.name, '0', true)
        FROM (VALUES ('timescaledb.max_tuples_decompressed_per_dml_transaction')) AS l (name)
        WHERE current_setting(l.name, true) IS NOT NULL";
    sqlx::raw_sql(LIFT).execute(connection).await.map(|_| ())
}
