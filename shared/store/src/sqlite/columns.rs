//! Columns made anew from raw rows, in transactions of the one connection that writes: short ones, between which events are
//! stored.

use std::collections::BTreeSet;

use analytics_columns::{ACTORS, Quarter};
use analytics_domain::Timestamp;
use futures::TryStreamExt as _;
use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnection, SqlitePool};
use uuid::Uuid;

use super::blocks;
use super::rows::RowStatement;
use crate::Refreshed;
use crate::refresh::{
    BLOCKS_AT_ONCE, CHANGES_AT_ONCE, Change, Kind, Numbers, PATCHES_AT_ONCE, QUARTERS_AT_ONCE, ROWS_A_PART, RawRow,
    encode, names, patched, seen_in,
};

/// Raw rows after which a transaction takes no further quarter: some tens of milliseconds.
const ROWS_AT_ONCE: usize = 10_000;

/// A quarter of more raw rows is left to raw rows: no event could be stored while its columns are made.
const ROWS_A_QUARTER: i64 = 100_000;

const NEW: RowStatement = RowStatement {
    head: "INSERT INTO identities (project, kind, name, number, first_quarter, last_quarter) VALUES ",
    row: "(?,?,?,?,?,?)",
    tail: "",
    doing: "make columns",
};

/// Makes columns anew for every project that has marks, a bounded number of quarters for each.
pub(super) async fn refresh(writer: &SqlitePool) -> Result<Refreshed, sqlx::Error> {
    let projects: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT project FROM column_marks UNION SELECT DISTINCT project FROM identity_changes
         UNION SELECT DISTINCT b.project FROM block_marks b WHERE EXISTS (SELECT 1 FROM event_columns c
             WHERE c.project = b.project AND c.quarter >= (b.block + 1) << 4)
         ORDER BY project",
    )
    .fetch_all(writer)
    .await?;
    let mut done = Refreshed::default();
    for project in projects {
        let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await?;
        done.add(make(&mut transaction, &project).await?);
        transaction.commit().await?;
    }
    Ok(done)
}

async fn make(connection: &mut SqliteConnection, project: &str) -> Result<Refreshed, sqlx::Error> {
    let changes = apply_changes(connection, project).await?;
    // The newest first: they are asked for most.
    let marked: Vec<i64> =
        sqlx::query_scalar("SELECT DISTINCT quarter FROM column_marks WHERE project = ? ORDER BY quarter DESC LIMIT ?")
            .bind(project)
            .bind(QUARTERS_AT_ONCE)
            .fetch_all(&mut *connection)
            .await?;
    let (mut made, mut passed_over, mut events) = (Vec::new(), 0, 0);
    for quarter in &marked {
        if events >= ROWS_AT_ONCE {
            break;
        }
        if is_too_large(connection, project, Quarter(*quarter)).await? {
            passed_over += 1;
            continue;
        }
        events += make_quarter(connection, project, Quarter(*quarter)).await?;
        sqlx::query("DELETE FROM column_marks WHERE project = ? AND quarter = ?")
            .bind(project)
            .bind(quarter)
            .execute(&mut *connection)
            .await?;
        made.push(*quarter);
    }
    blocks::forget(connection, project, made.iter().copied()).await?;
    let blocks = blocks::make(connection, project).await?;
    let is_full = marked.len() as i64 == QUARTERS_AT_ONCE && !made.is_empty();
    let seen = made.len() + passed_over;
    let left = is_full || seen < marked.len() || changes == CHANGES_AT_ONCE || blocks as i64 == BLOCKS_AT_ONCE;
    Ok(Refreshed { quarters: made.len() as u64, events: events as u64, left })
}

/// Whether a quarter holds more than [`ROWS_A_QUARTER`].
async fn is_too_large(connection: &mut SqliteConnection, project: &str, quarter: Quarter) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT count(*) > ?4 FROM (SELECT 1 FROM raw_events
            WHERE project = ?1 AND timestamp >= ?2 AND timestamp < ?3 LIMIT ?4 + 1)",
    )
    .bind(project)
    .bind(quarter.start().as_micros())
    .bind(quarter.end().as_micros())
    .bind(ROWS_A_QUARTER)
    .fetch_one(connection)
    .await
}

/// Makes one quarter's columns, a part after the other; how many events they hold.
async fn make_quarter(
    connection: &mut SqliteConnection,
    project: &str,
    quarter: Quarter,
) -> Result<usize, sqlx::Error> {
    sqlx::query("DELETE FROM event_columns WHERE project = ? AND quarter = ?")
        .bind(project)
        .bind(quarter.0)
        .execute(&mut *connection)
        .await?;
    let (mut part, mut events, mut after) = (0_i64, 0, None);
    loop {
        let (rows, last) = raw_rows(connection, project, quarter, after).await?;
        let numbers = numbered(connection, project, &names(&rows), (quarter.0, quarter.0)).await?;
        for column in encode(&rows, &numbers) {
            sqlx::query("INSERT INTO event_columns (project, quarter, part, name, data) VALUES (?, ?, ?, ?, ?)")
                .bind(project)
                .bind(quarter.0)
                .bind(part)
                .bind(column.name)
                .bind(column.data)
                .execute(&mut *connection)
                .await?;
        }
        events += rows.len();
        part += 1;
        if rows.len() < ROWS_A_PART {
            return Ok(events);
        }
        after = last;
    }
}

/// The next rows of a quarter behind a place, and the place of the last.
async fn raw_rows(
    connection: &mut SqliteConnection,
    project: &str,
    quarter: Quarter,
    after: Option<(Timestamp, Uuid)>,
) -> Result<(Vec<RawRow>, Option<(Timestamp, Uuid)>), sqlx::Error> {
    let (from, id) = after.unwrap_or((quarter.start(), Uuid::nil()));
    let mut answers = sqlx::query(
        "SELECT e.timestamp, e.session_id, e.user_id, s.user_id, e.event_type, e.event_action, e.metadata, e.id
         FROM raw_events e LEFT JOIN session_users s ON s.session_id = e.session_id AND s.project = e.project
         WHERE e.project = ?1 AND e.timestamp >= ?2 AND e.timestamp < ?3
             AND (NOT ?4 OR e.timestamp > ?2 OR e.id > ?5)
         ORDER BY e.timestamp, e.id LIMIT ?6",
    )
    .bind(project)
    .bind(from.as_micros())
    .bind(quarter.end().as_micros())
    .bind(after.is_some())
    .bind(id)
    .bind(ROWS_A_PART as i64)
    .fetch(connection);
    let (mut rows, mut last) = (Vec::new(), None);
    while let Some(row) = answers.try_next().await? {
        let timestamp = Timestamp::from_micros(row.try_get(0)?);
        rows.push(RawRow {
            timestamp,
            session_id: row.try_get(1)?,
            user_id: row.try_get(2)?,
            known: row.try_get(3)?,
            event_type: row.try_get(4)?,
            event_action: row.try_get(5)?,
            metadata: row.try_get(6)?,
        });
        last = Some((timestamp, row.try_get(7)?));
    }
    Ok((rows, last))
}

/// The numbers of names, new ones given where there are none; the names were seen in these quarters.
async fn numbered(
    connection: &mut SqliteConnection,
    project: &str,
    names: &BTreeSet<(Kind, &str)>,
    (first, last): (i64, i64),
) -> Result<Numbers, sqlx::Error> {
    let mut numbers = Numbers::new();
    let mut new = Vec::new();
    for (kind, name) in names {
        let row = sqlx::query(
            "SELECT number, first_quarter <= ? AND last_quarter >= ? FROM identities
             WHERE project = ? AND kind = ? AND name = ?",
        )
        .bind(first)
        .bind(last)
        .bind(project)
        .bind(kind.word())
        .bind(name)
        .fetch_optional(&mut *connection)
        .await?;
        let Some(row) = row else {
            new.push((*kind, *name));
            continue;
        };
        numbers.insert((*kind, (*name).to_owned()), u32::try_from(row.try_get::<i64, _>(0)?).unwrap_or(u32::MAX));
        if !row.try_get::<bool, _>(1)? {
            sqlx::query(
                "UPDATE identities SET first_quarter = min(first_quarter, ?), last_quarter = max(last_quarter, ?)
                 WHERE project = ? AND kind = ? AND name = ?",
            )
            .bind(first)
            .bind(last)
            .bind(project)
            .bind(kind.word())
            .bind(name)
            .execute(&mut *connection)
            .await?;
        }
    }
    for kind in [Kind::Session, Kind::User] {
        let names: Vec<&str> = new.iter().filter(|(of, _)| *of == kind).map(|(_, name)| *name).collect();
        if names.is_empty() {
            continue;
        }
        let count = names.len() as i64;
        let next: i64 = sqlx::query_scalar(
            "INSERT INTO identity_counters (project, kind, next) VALUES (?1, ?2, 1 + ?3)
             ON CONFLICT (project, kind) DO UPDATE SET next = next + ?3 RETURNING next",
        )
        .bind(project)
        .bind(kind.word())
        .bind(count)
        .fetch_one(&mut *connection)
        .await?;
        let given: Vec<(&str, i64)> = names.into_iter().zip(next - count..).collect();
        NEW.execute(connection, &given, |row, (name, number)| {
            row.add(project)?;
            row.add(kind.word())?;
            row.add(*name)?;
            row.add(*number)?;
            row.add(first)?;
            row.add(last)
        })
        .await
        .map_err(|error| sqlx::Error::Protocol(error.to_string()))?;
        numbers.extend(
            given
                .into_iter()
                .map(|(name, number)| ((kind, name.to_owned()), u32::try_from(number).unwrap_or(u32::MAX))),
        );
    }
    Ok(numbers)
}

/// Writes into the pairs of made quarters who their sessions are known by now; how many sessions were looked at.
async fn apply_changes(connection: &mut SqliteConnection, project: &str) -> Result<i64, sqlx::Error> {
    let sessions: Vec<String> = sqlx::query_scalar(
        "DELETE FROM identity_changes WHERE seq IN
            (SELECT seq FROM identity_changes WHERE project = ? ORDER BY seq LIMIT ?) RETURNING session_id",
    )
    .bind(project)
    .bind(CHANGES_AT_ONCE)
    .fetch_all(&mut *connection)
    .await?;
    let mut changes = Vec::new();
    for name in &sessions {
        let row = sqlx::query(
            "SELECT i.number, i.first_quarter, i.last_quarter, s.user_id FROM identities i
             LEFT JOIN session_users s ON s.session_id = i.name AND s.project = i.project
             WHERE i.project = ? AND i.kind = 's' AND i.name = ?",
        )
        .bind(project)
        .bind(name)
        .fetch_optional(&mut *connection)
        .await?;
        let Some(row) = row else { continue };
        changes.push(Change {
            session: u32::try_from(row.try_get::<i64, _>(0)?).unwrap_or(u32::MAX),
            first_quarter: row.try_get(1)?,
            last_quarter: row.try_get(2)?,
            user: row.try_get(3)?,
        });
    }
    let users: BTreeSet<(Kind, &str)> =
        changes.iter().filter_map(|change| Some((Kind::User, change.user.as_deref()?))).collect();
    let first = changes.iter().map(|change| change.first_quarter).min().unwrap_or(0);
    let last = changes.iter().map(|change| change.last_quarter).max().unwrap_or(0);
    let numbers = numbered(connection, project, &users, (first, last)).await?;
    for quarters in seen_in(&changes).chunks(PATCHES_AT_ONCE) {
        let rows = sqlx::query(
            "SELECT quarter, part, data FROM event_columns WHERE project = ? AND name = ?
                AND quarter IN (SELECT value FROM json_each(?))",
        )
        .bind(project)
        .bind(ACTORS)
        .bind(serde_json::to_string(quarters).unwrap_or_default())
        .fetch_all(&mut *connection)
        .await?;
        let mut news = BTreeSet::new();
        for row in rows {
            let (quarter, part, data): (i64, i64, &[u8]) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            let patched = patched(data, &changes, &numbers).map_err(|error| sqlx::Error::Decode(error.into()))?;
            let Some(data) = patched else { continue };
            sqlx::query(
                "UPDATE event_columns SET data = ? WHERE project = ? AND quarter = ? AND part = ? AND name = ?",
            )
            .bind(data)
            .bind(project)
            .bind(quarter)
            .bind(part)
            .bind(ACTORS)
            .execute(&mut *connection)
            .await?;
            news.insert(quarter);
        }
        blocks::forget(connection, project, news).await?;
    }
    Ok(sessions.len() as i64)
}

/// Deletes the columns of quarters that have lost rows, to be made anew, and the numbers of names that no row carries, with
/// what is still to be looked up of them; `sessions` as a JSON list.
pub(super) async fn forget(
    connection: &mut SqliteConnection,
    project: &str,
    quarters: &BTreeSet<i64>,
    user: Option<&str>,
    sessions: &str,
) -> Result<(), sqlx::Error> {
    blocks::forget(connection, project, quarters.iter().copied()).await?;
    for quarter in quarters {
        for statement in [
            "DELETE FROM event_columns WHERE project = ? AND quarter = ?",
            "INSERT INTO column_marks (project, quarter) VALUES (?, ?)",
        ] {
            sqlx::query(statement).bind(project).bind(quarter).execute(&mut *connection).await?;
        }
    }
    sqlx::query("DELETE FROM identity_changes WHERE project = ?1 AND session_id IN (SELECT value FROM json_each(?2))")
        .bind(project)
        .bind(sessions)
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "DELETE FROM identities WHERE project = ?1
            AND ((kind = 'u' AND name = ?2) OR (kind = 's' AND name IN (SELECT value FROM json_each(?3))))",
    )
    .bind(project)
    .bind(user)
    .bind(sessions)
    .execute(connection)
    .await
    .map(|_| ())
}

/// Drops columns before `cutoff`, and the numbers of those who were not seen since.
pub(super) async fn drop_old(writer: &SqlitePool, cutoff: Quarter) -> Result<(), sqlx::Error> {
    let projects: Vec<String> =
        sqlx::query_scalar("SELECT project FROM newest_receipts ORDER BY project").fetch_all(writer).await?;
    for project in projects {
        let dropped = sqlx::query("DELETE FROM event_columns WHERE project = ? AND quarter < ?")
            .bind(&project)
            .bind(cutoff.0)
            .execute(writer)
            .await?
            .rows_affected();
        if dropped > 0 {
            blocks::drop_old(&mut *writer.acquire().await?, &project, cutoff.0).await?;
            sqlx::query("DELETE FROM identities WHERE project = ? AND last_quarter < ?")
                .bind(&project)
                .bind(cutoff.0)
                .execute(writer)
                .await?;
        }
    }
    Ok(())
}
