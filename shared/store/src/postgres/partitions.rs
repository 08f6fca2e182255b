//! The partitions of `raw_events` without TimescaleDB: made ahead, one after the other, and dropped whole.
//!
//! The first has no beginning: it is the table that was there before there were partitions, and takes what is older than the
//! second. Each next begins where the one before ends, and ends at a multiple of the width that is set then, so that widths
//! may change. What is beyond the last (nobody has kept the store up for long) goes into `raw_events_rest`, and is moved when
//! its partition is made.

use analytics_domain::Timestamp;
use analytics_domain::timestamp::MICROS_PER_DAY;
use sqlx::{AssertSqlSafe, Row as _};

use super::columns;
use super::connection::Begin;
use super::link::{Link, Pool, Session};
use super::settings::setting;
use super::values::Instant;

/// Rows of one deleting transaction: some tens of milliseconds.
const ROWS_AT_ONCE: i64 = 10_000;

/// Partitions that one upkeep makes at most.
const PARTITIONS_AT_ONCE: u64 = 100;

/// Every partition with its bounds; those without an end last.
const PARTITIONS: &str = "
    SELECT c.oid::regclass::text, (regexp_match(b.bound, 'FROM \\(''([^'']+)''\\)'))[1]::timestamptz,
        (regexp_match(b.bound, 'TO \\(''([^'']+)''\\)'))[1]::timestamptz
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid,
        LATERAL (SELECT pg_get_expr(c.relpartbound, c.oid)) AS b (bound)
    WHERE i.inhparent = 'raw_events'::regclass ORDER BY 3";

/// A partition: its name as SQL writes it, and its bounds, where it has them.
#[derive(Debug)]
struct Partition {
    name: String,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
}

async fn partitions(connection: &mut Link) -> Result<Vec<Partition>, sqlx::Error> {
    let rows = sqlx::query(PARTITIONS).fetch_all(connection).await?;
    let instant = |instant: Option<Instant>| instant.map(|instant| instant.0);
    rows.iter()
        .map(|row| {
            let (from, to) = (instant(row.try_get(1)?), instant(row.try_get(2)?));
            Ok(Partition { name: row.try_get(0)?, from, to })
        })
        .collect()
}

/// From when on there may be raw events: where the first partition begins, or, as that has no beginning mostly, the instant before
/// which upkeep has deleted what was there.
pub(super) async fn kept_from(connection: &mut Link) -> Result<Timestamp, sqlx::Error> {
    let found = partitions(connection).await?;
    // The last, which takes what no other does, has neither beginning nor end.
    let first = found.iter().filter(|partition| partition.to.is_some()).map(|partition| partition.from).min().flatten();
    if let Some(from) = first {
        return Ok(from);
    }
    let deleted = setting(connection, "raw_kept_from").await?.and_then(|micros| micros.parse().ok());
    Ok(deleted.map_or(Timestamp::from_micros(0), Timestamp::from_micros))
}

/// Where a partition ends that begins at `from`: at the next multiple of the width.
fn end(from: Timestamp, days: u32) -> Timestamp {
    let days = i64::from(days.max(1));
    Timestamp::from_utc_day((from.utc_day().div_euclid(days) + 1) * days)
}

/// Makes partitions until the last ends more than one width from now; how many. Where one cannot be made, the rest takes what
/// it would.
pub(super) async fn make_ahead(pool: &Pool, begin: &Begin, now: Timestamp, days: u32) -> Result<u64, sqlx::Error> {
    let until = now.saturating_add_micros(i64::from(days) * MICROS_PER_DAY);
    let mut made = 0;
    while made < PARTITIONS_AT_ONCE {
        let mut session = Session::begin(pool, begin).await?;
        let last = partitions(session.connection()?).await?.into_iter().filter_map(|partition| partition.to).max();
        let Some(from) = last.filter(|last| *last <= until) else {
            session.commit().await?;
            break;
        };
        match make(session.connection()?, from, end(from, days)).await {
            Ok(()) => {
                session.commit().await?;
                made += 1;
            }
            Err(error @ sqlx::Error::Database(_)) => {
                tracing::warn!(%error, "a partition could not be made ahead; it is tried again later");
                session.rollback().await?;
                break;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(made)
}

/// Makes one partition, with the rows that are there of it.
async fn make(connection: &mut Link, from: Timestamp, to: Timestamp) -> Result<(), sqlx::Error> {
    // Bounds and names cannot be parameters; they are days of ours.
    let name = format!("raw_events_{}", from.to_string().get(..10).unwrap_or_default().replace('-', ""));
    let sql = format!(
        "LOCK TABLE raw_events_rest IN ACCESS EXCLUSIVE MODE;
         CREATE TABLE {name} (LIKE raw_events INCLUDING ALL);
         WITH moved AS (DELETE FROM raw_events_rest WHERE timestamp >= '{from}' AND timestamp < '{to}' RETURNING *)
         INSERT INTO {name} SELECT * FROM moved;
         ALTER TABLE raw_events ATTACH PARTITION {name} FOR VALUES FROM ('{from}') TO ('{to}')"
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map(|_| ())
}

/// Drops the partitions that end before `cutoff`, and the older rows of those that have no beginning or no end; how many of
/// both. What shares a partition with days that are kept stays until these go.
pub(super) async fn drop_before(pool: &Pool, begin: &Begin, cutoff: Timestamp) -> Result<u64, sqlx::Error> {
    let mut session = Session::begin(pool, begin).await?;
    let found = partitions(session.connection()?).await?;
    session.commit().await?;
    let mut dropped = 0;
    for partition in found {
        if partition.to.is_some_and(|to| to <= cutoff) {
            let mut session = Session::begin(pool, begin).await?;
            // Its name is quoted by the server.
            let sql = format!("DROP TABLE {}", partition.name);
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(session.connection()?).await?;
            session.commit().await?;
            dropped += 1;
        } else if partition.from.is_none() {
            dropped += drop_rows(pool, begin, &partition.name, cutoff).await?;
        }
    }
    Ok(dropped)
}

async fn drop_rows(pool: &Pool, begin: &Begin, name: &str, cutoff: Timestamp) -> Result<u64, sqlx::Error> {
    let sql = format!(
        "DELETE FROM {name} WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM {name} WHERE project = $1 AND timestamp < $2 LIMIT $3))"
    );
    let mut dropped = 0;
    for project in columns::projects(pool, begin).await? {
        loop {
            let mut session = Session::begin(pool, begin).await?;
            let deleted = sqlx::query(AssertSqlSafe(sql.as_str()))
                .bind(&project)
                .bind(Instant(cutoff))
                .bind(ROWS_AT_ONCE)
                .execute(session.connection()?)
                .await?
                .rows_affected();
            session.commit().await?;
            dropped += deleted;
            if deleted < ROWS_AT_ONCE.unsigned_abs() {
                break;
            }
        }
    }
    Ok(dropped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_ends_at_a_multiple_of_its_width() {
        let day = Timestamp::from_utc_day;
        assert_eq!(end(day(14), 7), day(21));
        assert_eq!(end(day(15), 7), day(21), "the first of another width is shorter");
        assert_eq!(end(day(21), 30), day(30));
        assert_eq!(end(day(30), 1), day(31));
    }
}
