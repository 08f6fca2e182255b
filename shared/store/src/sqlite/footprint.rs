//! What the store takes in its file. SQLite keeps no sizes: the pages of everything but the rows of raw events, which are most of
//! the file, are counted one by one, and the rows are what is left. A file that takes longer than a question may is not told of.

use analytics_domain::Timestamp;
use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::connection::Readers;
use super::store::setting;
use crate::footprint::{mean_of, remembered_from};
use crate::settlement::{date_text, day_of_text};
use crate::{Footprint, StoreError};

/// Tables and indexes that have pages of their own.
const TREES: &str = "SELECT name FROM sqlite_schema WHERE rootpage > 0 AND name <> 'raw_events'";

/// Bytes that are in use; those that deleting made free are used again.
const IN_USE: &str = "
    SELECT (p.page_count - f.freelist_count) * s.page_size
    FROM pragma_page_count AS p, pragma_freelist_count AS f, pragma_page_size AS s";

/// Events by day, from day `?1` on: the row of a day is looked up by its key, so that none of its values are read.
const DAYS: &str = "
    WITH RECURSIVE days (project, day, last) AS (
        SELECT p.project, max(?1, (SELECT min(m.date) FROM daily_metrics m WHERE m.project = p.project)),
            (SELECT max(m.date) FROM daily_metrics m WHERE m.project = p.project)
        FROM newest_receipts p
        UNION ALL SELECT project, date(day, '+1 day'), last FROM days WHERE day < last)
    SELECT d.day, sum(m.value)
    FROM days d CROSS JOIN daily_metrics m ON m.project = d.project AND m.date = d.day
        AND m.metric_name = 'events' AND m.dimension_key = '' AND m.dimension_value = ''
    GROUP BY 1";

/// Everything, as it is at `now`.
pub(super) async fn footprint(readers: &Readers, now: Timestamp, dedupe_days: u32) -> Result<Footprint, StoreError> {
    let mut connection = readers.take().await?;
    read(&mut connection, now, dedupe_days).await.map_err(readers.fault())
}

async fn read(connection: &mut SqliteConnection, now: Timestamp, dedupe_days: u32) -> Result<Footprint, sqlx::Error> {
    let mut transaction = sqlx::Connection::begin(connection).await?;
    let mut found = Footprint::default();
    let trees: Vec<String> = sqlx::query_scalar(TREES).fetch_all(&mut *transaction).await?;
    for tree in trees {
        let pages = sqlx::query("SELECT coalesce(sum(pgsize), 0) FROM dbstat WHERE name = ?").bind(&tree);
        let bytes = unsigned(&pages.fetch_one(&mut *transaction).await?, 0)?;
        match tree.as_str() {
            "idx_raw_events_time" => found.index += bytes,
            "event_ids" | "event_ids_1" | "event_ids_2" => found.ids += bytes,
            _ => found.columns += bytes,
        }
    }
    let in_use = unsigned(&sqlx::query(IN_USE).fetch_one(&mut *transaction).await?, 0)?;
    found.raw = in_use.saturating_sub(found.bytes());

    let kept_from = setting(&mut transaction, "raw_kept_from").await?.and_then(|micros| micros.parse().ok());
    let kept_from = kept_from.map_or(0, |micros| Timestamp::from_micros(micros).utc_day().max(0));
    let mut days = Vec::new();
    for row in sqlx::query(DAYS).bind(date_text(kept_from)).fetch_all(&mut *transaction).await? {
        let Some(day) = day_of_text(row.try_get(0)?) else { continue };
        days.push((day, unsigned(&row, 1)?));
    }
    found.events = days.iter().map(|(_, events)| events).sum();
    found.daily = mean_of(&days, now.utc_day());
    let since = setting(&mut transaction, "event_ids_since").await?;
    let remembered =
        sqlx::query("SELECT coalesce(sum(count), 0) FROM receipt_counts WHERE kind = 'stored' AND day >= ?");
    let from = date_text(remembered_from(since.as_deref(), dedupe_days));
    found.remembered = unsigned(&remembered.bind(from).fetch_one(&mut *transaction).await?, 0)?;
    transaction.rollback().await?;
    Ok(found)
}

fn unsigned(row: &SqliteRow, index: usize) -> Result<u64, sqlx::Error> {
    row.try_get::<i64, _>(index).map(|number| u64::try_from(number).unwrap_or(0))
}
