//! What the store knows of a project as a whole, and whether its counts agree.

use analytics_columns::{ACTORS, Actors, Block, BlockCount};
use analytics_domain::timestamp::MICROS_PER_DAY;
use analytics_domain::{Project, Timestamp};
use analytics_query::OTHER_VALUE;
use sqlx::Row as _;

use super::connection::Readers;
use super::store::setting;
use crate::event_store::CHANGED_QUARTERS;
use crate::refresh::{day_of, first_quarter};
use crate::settlement::{date_text, day_of_text};
use crate::{Integrity, ProjectState, Reading, StoreError};

/// The oldest kept event at or after `cutoff`, and the newest receipt.
pub(super) async fn project_state(
    readers: &Readers,
    project: &Project,
    cutoff: Timestamp,
) -> Result<ProjectState, StoreError> {
    let fault = readers.fault();
    let mut connection = readers.take().await?;
    let row = sqlx::query(
        "SELECT (SELECT min(timestamp) FROM raw_events WHERE project = ?1 AND timestamp >= ?2),
                (SELECT created_at FROM newest_receipts WHERE project = ?1),
                (SELECT count(*) FROM (SELECT DISTINCT quarter FROM column_marks WHERE project = ?1 LIMIT ?3 + 1)) <= ?3",
    )
    .bind(project.as_str())
    .bind(cutoff.as_micros())
    .bind(CHANGED_QUARTERS)
    .fetch_one(&mut *connection)
    .await
    .map_err(fault)?;
    let first: Option<i64> = row.try_get(0).map_err(fault)?;
    let newest: Option<i64> = row.try_get(1).map_err(fault)?;
    Ok(ProjectState {
        first_event: first.map(Timestamp::from_micros),
        newest_receipt: newest.map(Timestamp::from_micros),
        has_columns: row.try_get(2).map_err(fault)?,
        reading: Reading::Primary,
    })
}

/// Counts by day of receipt, and rollups against raw rows by day of event.
pub(super) async fn integrity(readers: &Readers, project: &Project, from: Timestamp) -> Result<Integrity, StoreError> {
    let fault = readers.fault();
    let mut connection = readers.take().await?;
    let mut transaction = sqlx::Connection::begin(&mut *connection).await.map_err(fault)?;
    let mut found = Integrity::default();

    let counts = sqlx::query("SELECT day, kind, reason, count FROM receipt_counts WHERE project = ? AND day >= ?")
        .bind(project.as_str())
        .bind(date_text(from.utc_day()))
        .fetch_all(&mut *transaction)
        .await
        .map_err(fault)?;
    for row in counts {
        let day = row.try_get::<&str, _>(0).map_err(fault)?;
        let Some(day) = day_of_text(day) else { continue };
        let kind = row.try_get::<&str, _>(1).map_err(fault)?;
        let reason = row.try_get::<&str, _>(2).map_err(fault)?;
        let count = row.try_get::<i64, _>(3).map_err(fault)?;
        found.received.entry(day).or_default().add(kind, reason, count);
    }

    let kept_from = setting(&mut transaction, "raw_kept_from").await.map_err(fault)?;
    let kept_from = kept_from.and_then(|micros| micros.parse().ok()).map(Timestamp::from_micros);
    let first_day = kept_from.map_or(from, |kept| kept.max(from)).utc_day();
    let raw = sqlx::query(
        "SELECT timestamp / ?3, count(*) FROM raw_events WHERE project = ?1 AND timestamp >= ?2 GROUP BY 1",
    )
    .bind(project.as_str())
    .bind(Timestamp::from_utc_day(first_day).as_micros())
    .bind(MICROS_PER_DAY)
    .fetch_all(&mut *transaction)
    .await
    .map_err(fault)?;
    for row in raw {
        let day: i64 = row.try_get(0).map_err(fault)?;
        let drift = found.stored.entry(day).or_default();
        drift.raw = row.try_get::<i64, _>(1).map_err(fault)?.unsigned_abs();
    }
    let rollups = sqlx::query(
        "SELECT date, value FROM daily_metrics
         WHERE project = ? AND date >= ? AND metric_name = 'events' AND dimension_key = ''",
    )
    .bind(project.as_str())
    .bind(date_text(first_day))
    .fetch_all(&mut *transaction)
    .await
    .map_err(fault)?;
    for row in rollups {
        let Some(day) = day_of_text(row.try_get::<&str, _>(0).map_err(fault)?) else { continue };
        let drift = found.stored.entry(day).or_default();
        drift.rollup = row.try_get::<i64, _>(1).map_err(fault)?.unsigned_abs();
    }
    let together = sqlx::query(
        "SELECT date, dimension_key, value FROM daily_metrics
         WHERE project = ? AND date >= ? AND metric_name = 'events' AND dimension_value = ?",
    )
    .bind(project.as_str())
    .bind(date_text(first_day))
    .bind(OTHER_VALUE)
    .fetch_all(&mut *transaction)
    .await
    .map_err(fault)?;
    for row in together {
        let Some(day) = day_of_text(row.try_get::<&str, _>(0).map_err(fault)?) else { continue };
        let events = row.try_get::<i64, _>(2).map_err(fault)?.unsigned_abs();
        found.together.entry(day).or_default().insert(row.try_get(1).map_err(fault)?, events);
    }
    let columns = sqlx::query(
        "SELECT quarter, substr(data, 1, ?4) FROM event_columns
         WHERE project = ?1 AND name = ?2 AND quarter >= ?3
             AND quarter NOT IN (SELECT quarter FROM column_marks WHERE project = ?1)
             AND quarter >> 4 NOT IN (SELECT block FROM block_counts WHERE project = ?1 AND name = ?2
                 AND block NOT IN (SELECT quarter >> 4 FROM column_marks WHERE project = ?1))",
    )
    .bind(project.as_str())
    .bind(ACTORS)
    .bind(first_quarter(first_day))
    .bind(Actors::HEAD as i64)
    .fetch_all(&mut *transaction)
    .await
    .map_err(fault)?;
    for row in columns {
        let head: &[u8] = row.try_get(1).map_err(fault)?;
        let events = Actors::events_of(head).map_err(|error| fault(sqlx::Error::Decode(error.into())))?;
        found.stored.entry(day_of(row.try_get(0).map_err(fault)?)).or_default().columns += u64::from(events);
    }
    // What answers take in place of quarters.
    let blocks = sqlx::query(
        "SELECT block, substr(data, 1, ?4) FROM block_counts
         WHERE project = ?1 AND name = ?2 AND block << 4 >= ?3
             AND block NOT IN (SELECT quarter >> 4 FROM column_marks WHERE project = ?1)",
    )
    .bind(project.as_str())
    .bind(ACTORS)
    .bind(first_quarter(first_day))
    .bind(BlockCount::HEAD as i64)
    .fetch_all(&mut *transaction)
    .await
    .map_err(fault)?;
    for row in blocks {
        let head: &[u8] = row.try_get(1).map_err(fault)?;
        let events = BlockCount::events_of(head).map_err(|error| fault(sqlx::Error::Decode(error.into())))?;
        let block = Block(row.try_get(0).map_err(fault)?);
        found.stored.entry(day_of(block.first().0)).or_default().columns += events;
    }
    let changed = sqlx::query(
        "SELECT m.quarter, count(*) FROM (SELECT DISTINCT quarter FROM column_marks WHERE project = ?1 AND quarter >= ?2) m
         JOIN raw_events e ON e.project = ?1 AND e.timestamp >= m.quarter * 900000000
             AND e.timestamp < (m.quarter + 1) * 900000000
         GROUP BY 1",
    )
    .bind(project.as_str())
    .bind(first_quarter(first_day))
    .fetch_all(&mut *transaction)
    .await
    .map_err(fault)?;
    for row in changed {
        let events = row.try_get::<i64, _>(1).map_err(fault)?.unsigned_abs();
        found.stored.entry(day_of(row.try_get(0).map_err(fault)?)).or_default().columns += events;
    }
    transaction.rollback().await.map_err(fault)?;
    Ok(found)
}
