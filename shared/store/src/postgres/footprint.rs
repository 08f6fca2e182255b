//! What the store takes on the server's disk: by the sizes that its catalogue knows, and the counts of days.

use analytics_domain::Timestamp;
use sqlx::Row as _;

use super::link::Link;
use super::partitions;
use super::settings::setting;
use super::values::date;
use crate::Footprint;
use crate::footprint::{mean_of, remembered_from};

/// Chunks of raw events: what those take that are not compressed, or what is left there of those that are.
const CHUNKS: &str = "
    SELECT coalesce(sum(pg_table_size(k.chunk)), 0)::int8, coalesce(sum(pg_indexes_size(k.chunk)), 0)::int8
    FROM (SELECT format('%I.%I', chunk_schema, chunk_name)::regclass FROM timescaledb_information.chunks
        WHERE format('%I.%I', hypertable_schema, hypertable_name)::regclass = 'raw_events'::regclass) AS k (chunk)";

/// Their compressed rows, and what these take.
const COMPRESSED: &str = "
    SELECT coalesce(sum(s.numrows_pre_compression), 0)::int8,
        coalesce(sum(pg_total_relation_size(format('%I.%I', z.schema_name, z.table_name)::regclass)), 0)::int8
    FROM timescaledb_information.chunks i
    JOIN _timescaledb_catalog.chunk k ON k.schema_name = i.chunk_schema AND k.table_name = i.chunk_name
    JOIN _timescaledb_catalog.chunk z ON z.id = k.compressed_chunk_id
    JOIN _timescaledb_catalog.compression_chunk_size s ON s.chunk_id = k.id
    WHERE format('%I.%I', i.hypertable_schema, i.hypertable_name)::regclass = 'raw_events'::regclass";

/// The first day of the first chunk.
const CHUNKS_FROM: &str = "
    SELECT (min(range_start) AT TIME ZONE 'UTC')::date - DATE '1970-01-01' FROM timescaledb_information.chunks
    WHERE format('%I.%I', hypertable_schema, hypertable_name)::regclass = 'raw_events'::regclass";

/// The same of partitions.
const PARTITIONS: &str = "
    SELECT coalesce(sum(pg_table_size(inhrelid)), 0)::int8, coalesce(sum(pg_indexes_size(inhrelid)), 0)::int8
    FROM pg_inherits WHERE inhparent = 'raw_events'::regclass";

/// Tables of the store's own schema.
const TABLES: &str = "
    SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::int8 FROM pg_class
    WHERE relnamespace = current_schema()::regnamespace AND relname = ANY ($1)";

const IDS: &[&str] = &["event_ids", "event_ids_1", "event_ids_2"];

/// Everything but raw events and ids.
const COLUMNS: &[&str] = &[
    "event_columns",
    "block_counts",
    "block_marks",
    "column_marks",
    "identities",
    "identity_counters",
    "identity_changes",
    "session_users",
    "daily_metrics",
    "receipt_counts",
    "newest_receipts",
    "dead_letters",
    "erasures",
    "erasure_counters",
    "api_keys",
    "page_sessions",
    "saved_items",
    "project_settings",
    "settings",
    "schema_migrations",
];

/// Events by day, from day `$1` on: the row of a day is looked up by its key, so that none of its values are read.
const DAYS: &str = "
    SELECT d.day, sum(m.value)::int8
    FROM newest_receipts p
    CROSS JOIN LATERAL (SELECT min(date) - DATE '1970-01-01' AS first, max(date) - DATE '1970-01-01' AS last
        FROM daily_metrics WHERE project = p.project) AS b
    CROSS JOIN LATERAL generate_series(greatest(b.first, $1), b.last) AS d (day)
    JOIN daily_metrics m ON m.project = p.project AND m.date = DATE '1970-01-01' + d.day
        AND m.metric_name = 'events' AND m.dimension_key = '' AND m.dimension_value = ''
    GROUP BY 1";

const REMEMBERED: &str = "
    SELECT coalesce(sum(count), 0)::int8 FROM receipt_counts
    WHERE kind = 'stored' AND day >= DATE '1970-01-01' + $1";

/// Everything, as it is at `now`.
pub(super) async fn footprint(
    connection: &mut Link,
    has_chunks: bool,
    now: Timestamp,
    dedupe_days: u32,
) -> Result<Footprint, sqlx::Error> {
    let mut found = Footprint::default();
    let kept_from = if has_chunks {
        let row = sqlx::query(COMPRESSED).fetch_one(&mut *connection).await?;
        (found.compressed_events, found.compressed) = (unsigned(&row, 0)?, unsigned(&row, 1)?);
        sqlx::query_scalar::<_, Option<i32>>(CHUNKS_FROM).fetch_one(&mut *connection).await?.map_or(0, i64::from)
    } else {
        partitions::kept_from(connection).await?.utc_day()
    };
    let raw = if has_chunks { CHUNKS } else { PARTITIONS };
    let row = sqlx::query(raw).fetch_one(&mut *connection).await?;
    (found.raw, found.index) = (unsigned(&row, 0)?, unsigned(&row, 1)?);
    for (bytes, tables) in [(&mut found.ids, IDS), (&mut found.columns, COLUMNS)] {
        let row = sqlx::query(TABLES).bind(tables).fetch_one(&mut *connection).await?;
        *bytes = unsigned(&row, 0)?;
    }

    let mut days = Vec::new();
    for row in sqlx::query(DAYS).bind(date(kept_from.max(0))).fetch_all(&mut *connection).await? {
        days.push((i64::from(row.try_get::<i32, _>(0)?), unsigned(&row, 1)?));
    }
    found.events = days.iter().map(|(_, events)| events).sum();
    found.daily = mean_of(&days, now.utc_day());
    let since = setting(connection, "event_ids_since").await?;
    let from = date(remembered_from(since.as_deref(), dedupe_days));
    found.remembered = unsigned(&sqlx::query(REMEMBERED).bind(from).fetch_one(connection).await?, 0)?;
    Ok(found)
}

fn unsigned(row: &sqlx::postgres::PgRow, index: usize) -> Result<u64, sqlx::Error> {
    row.try_get::<i64, _>(index).map(|number| u64::try_from(number).unwrap_or(0))
}
