//! What the store knows of a project as a whole, and whether its counts agree.

use analytics_columns::{ACTORS, Actors, Block, BlockCount};
use analytics_domain::{Project, Timestamp};
use analytics_query::OTHER_VALUE;
use sqlx::Row as _;

use super::link::Link;
use super::settings::setting;
use super::values::{Instant, date};
use crate::event_store::CHANGED_QUARTERS;
use crate::refresh::{day_of, first_quarter};
use crate::{Drift, Integrity, ProjectState, Reading};

/// The oldest kept event at or after `cutoff`, and the newest receipt.
pub(super) async fn project_state(
    connection: &mut Link,
    project: &Project,
    cutoff: Timestamp,
) -> Result<ProjectState, sqlx::Error> {
    let row = sqlx::query(
        "SELECT (SELECT timestamp FROM raw_events WHERE project = $1 AND timestamp >= $2 ORDER BY timestamp LIMIT 1),
                (SELECT created_at FROM newest_receipts WHERE project = $1),
                (SELECT count(*) FROM (SELECT DISTINCT quarter FROM column_marks WHERE project = $1 LIMIT $3 + 1) m) <= $3",
    )
    .bind(project.as_str())
    .bind(Instant(cutoff))
    .bind(CHANGED_QUARTERS)
    .fetch_one(connection)
    .await?;
    let instant =
        |index: usize| row.try_get::<Option<Instant>, _>(index).map(|instant| instant.map(|instant| instant.0));
    Ok(ProjectState {
        first_event: instant(0)?,
        newest_receipt: instant(1)?,
        has_columns: row.try_get(2)?,
        reading: Reading::Primary,
    })
}

/// Counts by day of receipt, and rollups against raw rows by day of event; in one snapshot.
pub(super) async fn integrity(
    connection: &mut Link,
    project: &Project,
    from: Timestamp,
) -> Result<Integrity, sqlx::Error> {
    // Before the first query of the transaction: all three see the same commits.
    sqlx::raw_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ").execute(&mut *connection).await?;
    let mut found = Integrity::default();
    let counts = sqlx::query(
        "SELECT day - DATE '1970-01-01', kind, reason, count FROM receipt_counts
         WHERE project = $1 AND day >= DATE '1970-01-01' + $2::int4",
    )
    .bind(project.as_str())
    .bind(date(from.utc_day()))
    .fetch_all(&mut *connection)
    .await?;
    for row in counts {
        let day = i64::from(row.try_get::<i32, _>(0)?);
        found.received.entry(day).or_default().add(row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
    }

    let kept_from = setting(connection, "raw_kept_from").await?;
    let kept_from = kept_from.and_then(|micros| micros.parse().ok()).map(Timestamp::from_micros);
    let first_day = kept_from.map_or(from, |kept| kept.max(from)).utc_day();
    let days = sqlx::query(
        "SELECT coalesce(raw.day, rollup.day), coalesce(raw.count, 0), coalesce(rollup.count, 0)
         FROM (SELECT (timestamp AT TIME ZONE 'UTC')::date - DATE '1970-01-01' AS day, count(*) AS count
               FROM raw_events WHERE project = $1 AND timestamp >= $2 GROUP BY 1) AS raw
         FULL JOIN (SELECT date - DATE '1970-01-01' AS day, value AS count
               FROM daily_metrics WHERE project = $1 AND date >= DATE '1970-01-01' + $3::int4
                   AND metric_name = 'events' AND dimension_key = '') AS rollup ON raw.day = rollup.day",
    )
    .bind(project.as_str())
    .bind(Instant(Timestamp::from_utc_day(first_day)))
    .bind(date(first_day))
    .fetch_all(&mut *connection)
    .await?;
    for row in days {
        let day = i64::from(row.try_get::<i32, _>(0)?);
        let count = |index: usize| row.try_get::<i64, _>(index).map(i64::unsigned_abs);
        found.stored.insert(day, Drift { raw: count(1)?, rollup: count(2)?, columns: 0 });
    }
    let together = sqlx::query(
        "SELECT date - DATE '1970-01-01', dimension_key, value FROM daily_metrics
         WHERE project = $1 AND date >= DATE '1970-01-01' + $2::int4 AND metric_name = 'events' AND dimension_value = $3",
    )
    .bind(project.as_str())
    .bind(date(first_day))
    .bind(OTHER_VALUE)
    .fetch_all(&mut *connection)
    .await?;
    for row in together {
        let by_dimension = found.together.entry(i64::from(row.try_get::<i32, _>(0)?)).or_default();
        by_dimension.insert(row.try_get(1)?, row.try_get::<i64, _>(2)?.unsigned_abs());
    }
    let columns = sqlx::query(
        "SELECT quarter, substring(data FROM 1 FOR $4) FROM event_columns
         WHERE project = $1 AND name = $2 AND quarter >= $3
             AND quarter NOT IN (SELECT quarter FROM column_marks WHERE project = $1)
             AND quarter >> 4 NOT IN (SELECT block FROM block_counts WHERE project = $1 AND name = $2
                 AND block NOT IN (SELECT quarter >> 4 FROM column_marks WHERE project = $1))",
    )
    .bind(project.as_str())
    .bind(ACTORS)
    .bind(first_quarter(first_day))
    .bind(Actors::HEAD as i32)
    .fetch_all(&mut *connection)
    .await?;
    for row in columns {
        let events = Actors::events_of(row.try_get(1)?).map_err(|error| sqlx::Error::Decode(error.into()))?;
        found.stored.entry(day_of(row.try_get(0)?)).or_default().columns += u64::from(events);
    }
    // What answers take in place of quarters.
    let blocks = sqlx::query(
        "SELECT block, substring(data FROM 1 FOR $4) FROM block_counts
         WHERE project = $1 AND name = $2 AND block << 4 >= $3
             AND block NOT IN (SELECT quarter >> 4 FROM column_marks WHERE project = $1)",
    )
    .bind(project.as_str())
    .bind(ACTORS)
    .bind(first_quarter(first_day))
    .bind(BlockCount::HEAD as i32)
    .fetch_all(&mut *connection)
    .await?;
    for row in blocks {
        let events = BlockCount::events_of(row.try_get(1)?).map_err(|error| sqlx::Error::Decode(error.into()))?;
        found.stored.entry(day_of(Block(row.try_get(0)?).first().0)).or_default().columns += events;
    }
    let changed = sqlx::query(
        "SELECT m.quarter, count(*) FROM (SELECT DISTINCT quarter FROM column_marks WHERE project = $1 AND quarter >= $2) m
         JOIN raw_events e ON e.project = $1 AND e.timestamp >= to_timestamp(m.quarter * 900)
             AND e.timestamp < to_timestamp((m.quarter + 1) * 900)
         GROUP BY 1",
    )
    .bind(project.as_str())
    .bind(first_quarter(first_day))
    .fetch_all(connection)
    .await?;
    for row in changed {
        let events = row.try_get::<i64, _>(1)?.unsigned_abs();
        found.stored.entry(day_of(row.try_get(0)?)).or_default().columns += events;
    }
    Ok(found)
}
