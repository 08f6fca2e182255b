//! One transaction of events.

use std::collections::{HashMap, HashSet};

use analytics_domain::{BatchOutcome, DeadLetterId, Retention, Timestamp};
use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnection, SqlitePool};
use uuid::Uuid;

use super::erasure;
use super::fault::fault;
use super::rollups;
use super::rows::RowStatement;
use crate::cardinality::Cardinality;
use crate::erasure::claims;
use crate::settlement::{Candidates, Key, OldLetter, Settlement, candidates, date_text, judge, settle};
use crate::{Ingest, StoreError};

const DOING: &str = "store events";

const KNOWN: RowStatement = RowStatement {
    head: "WITH candidate (id, project) AS (VALUES ",
    row: "(?,?)",
    tail: ") SELECT id, project FROM candidate AS c
        WHERE EXISTS (SELECT 1 FROM event_ids AS e WHERE e.id = c.id AND e.project = c.project)
           OR EXISTS (SELECT 1 FROM event_ids_1 AS e WHERE e.id = c.id AND e.project = c.project)
           OR EXISTS (SELECT 1 FROM event_ids_2 AS e WHERE e.id = c.id AND e.project = c.project)",
    doing: DOING,
};

const REMEMBER: RowStatement =
    RowStatement { head: "INSERT INTO event_ids (id, project) VALUES ", row: "(?,?)", tail: "", doing: DOING };

const SESSIONS: RowStatement = RowStatement {
    head: "INSERT INTO session_users AS s (session_id, project, user_id, timestamp, id, last_timestamp) VALUES ",
    row: "(?,?,?,?,?,?)",
    tail: " ON CONFLICT (session_id, project) DO UPDATE SET
        user_id = CASE WHEN (excluded.timestamp, excluded.id) < (s.timestamp, s.id) THEN excluded.user_id ELSE s.user_id END,
        id = CASE WHEN (excluded.timestamp, excluded.id) < (s.timestamp, s.id) THEN excluded.id ELSE s.id END,
        timestamp = min(s.timestamp, excluded.timestamp),
        last_timestamp = max(s.last_timestamp, excluded.last_timestamp)
        WHERE (excluded.timestamp, excluded.id) < (s.timestamp, s.id)
           OR excluded.last_timestamp >= s.last_timestamp + 86400000000",
    doing: DOING,
};

/// Before the sessions themselves are written: whose user changes by them.
const CHANGES: RowStatement = RowStatement {
    head: "WITH n (session_id, project, user_id, timestamp, id) AS (VALUES ",
    row: "(?,?,?,?,?)",
    tail: ") INSERT INTO identity_changes (project, session_id)
        SELECT n.project, n.session_id FROM n
        LEFT JOIN session_users AS k ON k.session_id = n.session_id AND k.project = n.project
        WHERE k.session_id IS NULL OR ((n.timestamp, n.id) < (k.timestamp, k.id) AND n.user_id <> k.user_id)",
    doing: DOING,
};

const MARKS: RowStatement =
    RowStatement { head: "INSERT INTO column_marks (project, quarter) VALUES ", row: "(?,?)", tail: "", doing: DOING };

const RAW: RowStatement = RowStatement {
    head: "INSERT INTO raw_events (id, project, session_id, user_id, event_type, event_action, metadata, timestamp, \
           created_at) VALUES ",
    row: "(?,?,?,?,?,?,?,?,?)",
    tail: "",
    doing: DOING,
};

const RECEIPTS: RowStatement = RowStatement {
    head: "INSERT INTO receipt_counts AS r (project, day, kind, reason, count) VALUES ",
    row: "(?,?,?,?,?)",
    tail: " ON CONFLICT (project, day, kind, reason) DO UPDATE SET count = r.count + excluded.count",
    doing: DOING,
};

const NEWEST: RowStatement = RowStatement {
    head: "INSERT INTO newest_receipts AS n (project, created_at) VALUES ",
    row: "(?,?)",
    tail: " ON CONFLICT (project) DO UPDATE SET created_at = max(n.created_at, excluded.created_at)",
    doing: DOING,
};

const LETTERS: RowStatement = RowStatement {
    head: "INSERT INTO dead_letters (id, project, event_id, payload, code, sqlstate, message, attempts, first_failed_at, \
           last_failed_at, received_day) VALUES ",
    row: "(?,?,?,?,?,?,?,?,?,?,?)",
    tail: " ON CONFLICT (id) DO NOTHING",
    doing: DOING,
};

/// Stores the work; where `keep` is false the same is done and rolled back.
pub(super) async fn ingest(
    writer: &SqlitePool,
    work: &Ingest<'_>,
    cardinality: Cardinality,
    retention: Retention,
    now: Timestamp,
    keep: bool,
) -> Result<Vec<BatchOutcome>, StoreError> {
    let cutoff = retention.cutoff(now);
    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await.map_err(fault(DOING))?;
    let connection = &mut *transaction;

    let candidates = candidates(work, cutoff);
    let known = known_keys(connection, &candidates).await?;
    let fresh: Vec<Key<'_>> = candidates.keys.iter().filter(|key| !known.contains(*key)).copied().collect();
    REMEMBER
        .execute(connection, &fresh, |row, (id, project)| {
            row.add(id)?;
            row.add(*project)
        })
        .await?;
    let letters = old_letters(connection, &work.replayed).await?;
    let verdicts = judge(work, &candidates, &known, &letters, cutoff);
    let mut tombstones = erasure::look_up(connection, work, cutoff).await.map_err(fault(DOING))?;
    let claims = claims(work, &verdicts, &tombstones);
    erasure::settle_claims(connection, claims, &mut tombstones).await.map_err(fault(DOING))?;
    let settlement = settle(work, &candidates, &known, &letters, verdicts, &tombstones, now);
    erasure::remember(connection, &settlement.remember).await.map_err(fault(DOING))?;
    write(connection, &settlement, &work.replayed, cardinality).await?;

    if keep {
        transaction.commit().await.map_err(fault(DOING))?;
    } else {
        transaction.rollback().await.map_err(fault("take a trial back"))?;
    }
    Ok(settlement.outcomes)
}

/// Which candidates the store holds already.
async fn known_keys<'w>(
    connection: &mut SqliteConnection,
    candidates: &Candidates<'w>,
) -> Result<HashSet<Key<'w>>, StoreError> {
    let rows = KNOWN
        .fetch(connection, &candidates.keys, |row, (id, project)| {
            row.add(id)?;
            row.add(*project)
        })
        .await?;
    let mut known = HashSet::with_capacity(rows.len());
    for row in rows {
        let id: Uuid = row.try_get(0).map_err(fault(DOING))?;
        let project: &str = row.try_get(1).map_err(fault(DOING))?;
        if let Ok(at) = candidates.keys.binary_search(&(id, project)) {
            known.insert(candidates.keys[at]);
        }
    }
    Ok(known)
}

/// The dead letters that are tried again and still there.
async fn old_letters(
    connection: &mut SqliteConnection,
    replayed: &[DeadLetterId],
) -> Result<HashMap<DeadLetterId, OldLetter>, StoreError> {
    let mut letters = HashMap::with_capacity(replayed.len());
    for id in replayed {
        let row = sqlx::query("SELECT attempts, first_failed_at FROM dead_letters WHERE id = ?")
            .bind(id)
            .fetch_optional(&mut *connection)
            .await
            .map_err(fault(DOING))?;
        if let Some(row) = row {
            let attempts: i64 = row.try_get(0).map_err(fault(DOING))?;
            let first_failed_at = Timestamp::from_micros(row.try_get(1).map_err(fault(DOING))?);
            letters.insert(*id, OldLetter { attempts: u32::try_from(attempts).unwrap_or(u32::MAX), first_failed_at });
        }
    }
    Ok(letters)
}

/// Writes a settlement, in the order of its fields.
async fn write(
    connection: &mut SqliteConnection,
    settlement: &Settlement<'_>,
    replayed: &[DeadLetterId],
    cardinality: Cardinality,
) -> Result<(), StoreError> {
    for (id, project) in &settlement.forget {
        sqlx::query("DELETE FROM event_ids WHERE id = ? AND project = ?")
            .bind(id)
            .bind(*project)
            .execute(&mut *connection)
            .await
            .map_err(fault(DOING))?;
    }
    CHANGES
        .execute(connection, &settlement.sessions, |row, session| {
            row.add(session.session_id)?;
            row.add(session.project)?;
            row.add(session.user_id)?;
            row.add(session.timestamp.as_micros())?;
            row.add(session.id)
        })
        .await?;
    SESSIONS
        .execute(connection, &settlement.sessions, |row, session| {
            row.add(session.session_id)?;
            row.add(session.project)?;
            row.add(session.user_id)?;
            row.add(session.timestamp.as_micros())?;
            row.add(session.id)?;
            row.add(session.last_timestamp.as_micros())
        })
        .await?;
    RAW.execute(connection, &settlement.rows, |row, fresh| {
        let event = fresh.event;
        row.add(event.id)?;
        row.add(fresh.project)?;
        row.add(event.session_id.as_ref())?;
        row.add(event.user_id.as_deref())?;
        row.add(event.event_type.as_ref())?;
        row.add(event.event_action.as_ref())?;
        row.add(event.metadata.as_ref())?;
        row.add(event.timestamp.as_micros())?;
        row.add(fresh.created_at.as_micros())
    })
    .await?;
    rollups::add(connection, &settlement.rollups, cardinality).await?;
    MARKS
        .execute(connection, &settlement.quarters, |row, (project, quarter)| {
            row.add(*project)?;
            row.add(*quarter)
        })
        .await?;
    RECEIPTS
        .execute(connection, &settlement.receipts, |row, receipt| {
            row.add(receipt.project)?;
            row.add(date_text(receipt.day))?;
            row.add(receipt.kind)?;
            row.add(receipt.reason)?;
            row.add(receipt.count)
        })
        .await?;
    NEWEST
        .execute(connection, &settlement.newest, |row, (project, receipt)| {
            row.add(*project)?;
            row.add(receipt.as_micros())
        })
        .await?;
    for id in replayed {
        sqlx::query("DELETE FROM dead_letters WHERE id = ?")
            .bind(id)
            .execute(&mut *connection)
            .await
            .map_err(fault(DOING))?;
    }
    LETTERS
        .execute(connection, &settlement.letters, |row, new| {
            let letter = &new.letter;
            row.add(letter.id)?;
            row.add(letter.project.as_str())?;
            row.add(letter.event_id)?;
            row.add(letter.payload.as_slice())?;
            row.add(letter.reason.code.as_str())?;
            row.add(letter.reason.sqlstate.as_deref())?;
            row.add(letter.reason.message.as_str())?;
            row.add(i64::from(letter.attempts))?;
            row.add(letter.first_failed_at.as_micros())?;
            row.add(letter.last_failed_at.as_micros())?;
            row.add(new.received_day.map(date_text))
        })
        .await?;
    Ok(())
}
