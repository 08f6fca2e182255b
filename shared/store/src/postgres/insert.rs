//! Few rows as one statement.
//!
//! COPY is a conversation: the rows, their end, the server's word. On a connection that gathers small packets (and the
//! driver's does, it cannot be told otherwise) the end waits for the other side's delayed acknowledgement of the rows, about
//! 40 ms. One statement with its values waits for nothing, and costs the server a little more for each row.

use super::link::Link;
use super::values::Instant as At;
use crate::settlement::FreshRow;

const ROWS: &str = "
    INSERT INTO raw_events (id, project, session_id, user_id, event_type, event_action, metadata, timestamp, created_at)
    SELECT r.id, r.project, r.session_id, r.user_id, r.event_type, r.event_action, r.metadata::jsonb, r.timestamp, r.created_at
    FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::timestamptz[],
            $9::timestamptz[])
        AS r (id, project, session_id, user_id, event_type, event_action, metadata, timestamp, created_at)";

/// Sends rows into `raw_events`.
pub(super) async fn insert_rows(connection: &mut Link, rows: &[FreshRow<'_>]) -> Result<(), sqlx::Error> {
    sqlx::query(ROWS)
        .bind(column(rows, |row| row.event.id))
        .bind(column(rows, |row| row.project))
        .bind(column(rows, |row| row.event.session_id.as_ref()))
        .bind(column(rows, |row| row.event.user_id.as_deref()))
        .bind(column(rows, |row| row.event.event_type.as_ref()))
        .bind(column(rows, |row| row.event.event_action.as_ref()))
        .bind(column(rows, |row| row.event.metadata.as_ref()))
        .bind(column(rows, |row| At(row.event.timestamp)))
        .bind(column(rows, |row| At(row.created_at)))
        .execute(connection)
        .await
        .map(|_| ())
}

/// One field of every row.
pub(super) fn column<'r, R, V>(rows: &'r [R], field: impl Fn(&'r R) -> V) -> Vec<V> {
    rows.iter().map(field).collect()
}
