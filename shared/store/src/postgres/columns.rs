//! Columns made anew from raw rows.
//!
//! One process at a time does it for a project, in a transaction that sees one state of the store: the marks that it deletes
//! are those whose rows it read. A mark that comes meanwhile stays.

use std::collections::BTreeSet;

use analytics_columns::{ACTORS, Quarter};
use analytics_domain::Timestamp;
use futures::TryStreamExt as _;
use sqlx::Row as _;
use uuid::Uuid;

use super::blocks;
use super::connection::Begin;
use super::link::{Link, Pool, Session};
use super::values::Instant;
use crate::Refreshed;
use crate::refresh::{
    BLOCKS_AT_ONCE, CHANGES_AT_ONCE, Change, Kind, Numbers, PATCHES_AT_ONCE, QUARTERS_AT_ONCE, ROWS_A_PART,
    ROWS_AT_ONCE, RawRow, encode, names, patched, seen_in,
};

/// A quarter of more raw rows is left to raw rows: to make its columns anew and anew would take longer than it saves.
const ROWS_A_QUARTER: i64 = 500_000;

/// With a project's name: only one process makes its columns.
const LOCK: i64 = 0x616E_616C_7974_6903;

/// Makes columns anew for every project that has marks, a bounded number of quarters for each.
pub(super) async fn refresh(pool: &Pool, begin: &Begin) -> Result<Refreshed, sqlx::Error> {
    let mut session = Session::begin(pool, begin).await?;
    let projects: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT project FROM column_marks UNION SELECT DISTINCT project FROM identity_changes
         UNION SELECT DISTINCT b.project FROM block_marks b WHERE EXISTS (SELECT FROM event_columns c
             WHERE c.project = b.project AND c.quarter >= (b.block + 1) << 4)
         ORDER BY project",
    )
    .fetch_all(session.connection()?)
    .await?;
    session.commit().await?;
    let mut done = Refreshed::default();
    for project in projects {
        match refresh_project(pool, begin, &project).await {
            Ok(refreshed) => done.add(refreshed),
            // Another process was there between this one's first look and its lock: there is a next time.
            Err(error) if is_overtaken(&error) => done.left = true,
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

fn is_overtaken(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| matches!(code.as_ref(), "40001" | "40P01" | "23505"))
}

/// Keeps everybody who makes columns of the projects out until the transaction ends; whoever sees the state before it fails.
pub(super) async fn keep_out(connection: &mut Link, projects: &[&str]) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended(p.name, $2)) FROM unnest($1::text[]) AS p (name)")
        .bind(projects)
        .bind(LOCK)
        .execute(&mut *connection)
        .await?;
    // Where there are no numbers yet, whoever makes the first columns wants these rows too.
    sqlx::query(
        "INSERT INTO identity_counters AS c (project, kind, next)
         SELECT p.name, k.kind, 1 FROM unnest($1::text[]) AS p (name), unnest(ARRAY['s', 'u']) AS k (kind)
         ON CONFLICT (project, kind) DO UPDATE SET next = c.next",
    )
    .bind(projects)
    .execute(connection)
    .await
    .map(|_| ())
}

/// Deletes the columns of quarters that have lost rows, to be made anew, and the numbers of names that no row carries, with
/// what is still to be looked up of them.
pub(super) async fn forget(
    connection: &mut Link,
    project: &str,
    quarters: &BTreeSet<i64>,
    user: Option<&str>,
    sessions: &[&str],
) -> Result<(), sqlx::Error> {
    blocks::forget(connection, project, quarters.iter().copied()).await?;
    let quarters: Vec<i64> = quarters.iter().copied().collect();
    for statement in [
        "DELETE FROM event_columns WHERE project = $1 AND quarter = ANY($2)",
        "INSERT INTO column_marks (project, quarter) SELECT $1, n.quarter FROM unnest($2::int8[]) AS n (quarter)",
    ] {
        sqlx::query(statement).bind(project).bind(&quarters).execute(&mut *connection).await?;
    }
    sqlx::query("DELETE FROM identity_changes WHERE project = $1 AND session_id = ANY($2)")
        .bind(project)
        .bind(sessions)
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "DELETE FROM identities WHERE project = $1
            AND ((kind = 'u' AND name = $2) OR (kind = 's' AND name = ANY($3)))",
    )
    .bind(project)
    .bind(user)
    .bind(sessions)
    .execute(connection)
    .await
    .map(|_| ())
}

async fn refresh_project(pool: &Pool, begin: &Begin, project: &str) -> Result<Refreshed, sqlx::Error> {
    let mut session = Session::begin(pool, begin).await?;
    match make(session.connection()?, project).await {
        Ok(refreshed) => {
            session.commit().await?;
            Ok(refreshed)
        }
        Err(error) => {
            if matches!(&error, sqlx::Error::Database(_)) {
                let _ = session.rollback().await;
            }
            Err(error)
        }
    }
}

async fn make(connection: &mut Link, project: &str) -> Result<Refreshed, sqlx::Error> {
    let alone: bool = sqlx::query_scalar("SELECT pg_try_advisory_xact_lock(hashtextextended($1, $2))")
        .bind(project)
        .bind(LOCK)
        .fetch_one(&mut *connection)
        .await?;
    if !alone {
        return Ok(Refreshed::default());
    }
    // The lock may be an erasure's of just now, and the state that is seen the one before it: then this fails, as overtaken.
    sqlx::query("SELECT FROM identity_counters WHERE project = $1 ORDER BY kind FOR SHARE")
        .bind(project)
        .execute(&mut *connection)
        .await?;
    let changes = apply_changes(connection, project).await?;
    // The newest first: they are asked for most.
    let marked: Vec<i64> = sqlx::query_scalar(
        "SELECT DISTINCT quarter FROM column_marks WHERE project = $1 ORDER BY quarter DESC LIMIT $2",
    )
    .bind(project)
    .bind(QUARTERS_AT_ONCE)
    .fetch_all(&mut *connection)
    .await?;
    let (mut made, mut passed_over, mut events) = (Vec::new(), 0, 0);
    for quarter in marked.iter().copied().map(Quarter) {
        if events >= ROWS_AT_ONCE {
            break;
        }
        if is_too_large(connection, project, quarter).await? {
            passed_over += 1;
            continue;
        }
        events += make_quarter(connection, project, quarter).await?;
        made.push(quarter.0);
    }
    sqlx::query("DELETE FROM column_marks WHERE project = $1 AND quarter = ANY($2)")
        .bind(project)
        .bind(&made)
        .execute(&mut *connection)
        .await?;
    blocks::forget(connection, project, made.iter().copied()).await?;
    let blocks = blocks::make(connection, project).await?;
    let seen = made.len() + passed_over;
    let is_full = marked.len() as i64 == QUARTERS_AT_ONCE && !made.is_empty();
    let left = is_full || seen < marked.len() || changes == CHANGES_AT_ONCE || blocks as i64 == BLOCKS_AT_ONCE;
    Ok(Refreshed { quarters: made.len() as u64, events: events as u64, left })
}

/// Whether a quarter holds more than [`ROWS_A_QUARTER`].
async fn is_too_large(connection: &mut Link, project: &str, quarter: Quarter) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT count(*) > $4 FROM (SELECT FROM raw_events
            WHERE project = $1 AND timestamp >= $2 AND timestamp < $3 LIMIT $4 + 1) e",
    )
    .bind(project)
    .bind(Instant(quarter.start()))
    .bind(Instant(quarter.end()))
    .bind(ROWS_A_QUARTER)
    .fetch_one(connection)
    .await
}

/// Makes one quarter's columns, a part after the other; how many events they hold.
async fn make_quarter(connection: &mut Link, project: &str, quarter: Quarter) -> Result<usize, sqlx::Error> {
    sqlx::query("DELETE FROM event_columns WHERE project = $1 AND quarter = $2")
        .bind(project)
        .bind(quarter.0)
        .execute(&mut *connection)
        .await?;
    let (mut part, mut events, mut after) = (0_i64, 0, None);
    loop {
        let (rows, last) = raw_rows(connection, project, quarter, after).await?;
        if rows.is_empty() {
            return Ok(events);
        }
        let numbers = numbered(connection, project, &names(&rows), (quarter.0, quarter.0)).await?;
        let (names, data): (Vec<String>, Vec<Vec<u8>>) =
            encode(&rows, &numbers).into_iter().map(|column| (column.name, column.data)).unzip();
        sqlx::query(
            "INSERT INTO event_columns (project, quarter, part, name, data)
             SELECT $1, $2, $3, c.name, c.data FROM unnest($4::text[], $5::bytea[]) AS c (name, data)",
        )
        .bind(project)
        .bind(quarter.0)
        .bind(part)
        .bind(names)
        .bind(data)
        .execute(&mut *connection)
        .await?;
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
    connection: &mut Link,
    project: &str,
    quarter: Quarter,
    after: Option<(Timestamp, Uuid)>,
) -> Result<(Vec<RawRow>, Option<(Timestamp, Uuid)>), sqlx::Error> {
    let (from, id) = after.unwrap_or((quarter.start(), Uuid::nil()));
    let mut answers = sqlx::query(
        "SELECT e.timestamp, e.session_id, e.user_id, s.user_id, e.event_type, e.event_action, e.metadata::text, e.id
         FROM raw_events e LEFT JOIN session_users s ON s.session_id = e.session_id AND s.project = e.project
         WHERE e.project = $1 AND e.timestamp >= $2 AND e.timestamp < $3
             AND (NOT $4 OR e.timestamp > $2 OR e.id > $5)
         ORDER BY e.timestamp, e.id LIMIT $6",
    )
    .bind(project)
    .bind(Instant(from))
    .bind(Instant(quarter.end()))
    .bind(after.is_some())
    .bind(id)
    .bind(ROWS_A_PART as i64)
    .fetch(connection);
    let (mut rows, mut last) = (Vec::new(), None);
    while let Some(row) = answers.try_next().await? {
        let timestamp = row.try_get::<Instant, _>(0)?.0;
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
    connection: &mut Link,
    project: &str,
    names: &BTreeSet<(Kind, &str)>,
    (first, last): (i64, i64),
) -> Result<Numbers, sqlx::Error> {
    let mut numbers = Numbers::new();
    for kind in [Kind::Session, Kind::User] {
        let names: Vec<&str> = names.iter().filter(|(of, _)| *of == kind).map(|(_, name)| *name).collect();
        if names.is_empty() {
            continue;
        }
        // Those whose quarters reach further now are written; all are told. The names stand twice: without them, and without
        // statistics of a table that has just grown, every name of the project would be read for each one that is written.
        let rows = sqlx::query(
            "WITH known AS (
                SELECT i.name, i.number, i.first_quarter <= $4 AND i.last_quarter >= $5 AS within
                FROM identities i WHERE i.project = $1 AND i.kind = $2 AND i.name = ANY($3)
             ), wider AS (
                UPDATE identities i SET first_quarter = least(i.first_quarter, $4),
                    last_quarter = greatest(i.last_quarter, $5)
                FROM known k WHERE NOT k.within AND i.project = $1 AND i.kind = $2 AND i.name = ANY($3) AND i.name = k.name
             )
             SELECT name, number FROM known",
        )
        .bind(project)
        .bind(kind.word())
        .bind(&names)
        .bind(first)
        .bind(last)
        .fetch_all(&mut *connection)
        .await?;
        for row in &rows {
            let number: i64 = row.try_get(1)?;
            numbers.insert((kind, row.try_get(0)?), u32::try_from(number).unwrap_or(u32::MAX));
        }
        let new: Vec<&str> =
            names.into_iter().filter(|name| !numbers.contains_key(&(kind, (*name).to_owned()))).collect();
        if new.is_empty() {
            continue;
        }
        let next: i64 = sqlx::query_scalar(
            "INSERT INTO identity_counters AS c (project, kind, next) VALUES ($1, $2, 1 + $3)
             ON CONFLICT (project, kind) DO UPDATE SET next = c.next + $3 RETURNING next",
        )
        .bind(project)
        .bind(kind.word())
        .bind(new.len() as i64)
        .fetch_one(&mut *connection)
        .await?;
        let given: Vec<i64> = (next - new.len() as i64..next).collect();
        sqlx::query(
            "INSERT INTO identities (project, kind, name, number, first_quarter, last_quarter)
             SELECT $1, $2, n.name, n.number, $5, $6 FROM unnest($3::text[], $4::int8[]) AS n (name, number)",
        )
        .bind(project)
        .bind(kind.word())
        .bind(&new)
        .bind(&given)
        .bind(first)
        .bind(last)
        .execute(&mut *connection)
        .await?;
        for (name, number) in new.into_iter().zip(given) {
            numbers.insert((kind, name.to_owned()), u32::try_from(number).unwrap_or(u32::MAX));
        }
    }
    Ok(numbers)
}

/// Writes into the pairs of made quarters who their sessions are known by now; how many sessions were looked at.
async fn apply_changes(connection: &mut Link, project: &str) -> Result<i64, sqlx::Error> {
    let sessions: Vec<String> = sqlx::query_scalar(
        "DELETE FROM identity_changes WHERE seq = ANY (ARRAY(
            SELECT seq FROM identity_changes WHERE project = $1 ORDER BY seq LIMIT $2)) RETURNING session_id",
    )
    .bind(project)
    .bind(CHANGES_AT_ONCE)
    .fetch_all(&mut *connection)
    .await?;
    if sessions.is_empty() {
        return Ok(0);
    }
    let rows = sqlx::query(
        "SELECT i.number, i.first_quarter, i.last_quarter, s.user_id FROM identities i
         LEFT JOIN session_users s ON s.session_id = i.name AND s.project = i.project
         WHERE i.project = $1 AND i.kind = 's' AND i.name = ANY($2)",
    )
    .bind(project)
    .bind(&sessions)
    .fetch_all(&mut *connection)
    .await?;
    let mut changes = Vec::with_capacity(rows.len());
    for row in rows {
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
            "SELECT quarter, part, data FROM event_columns WHERE project = $1 AND name = $2 AND quarter = ANY($3)",
        )
        .bind(project)
        .bind(ACTORS)
        .bind(quarters)
        .fetch_all(&mut *connection)
        .await?;
        let mut news = BTreeSet::new();
        for row in rows {
            let (quarter, part, data): (i64, i64, &[u8]) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            let patched = patched(data, &changes, &numbers).map_err(|error| sqlx::Error::Decode(error.into()))?;
            let Some(data) = patched else { continue };
            sqlx::query(
                "UPDATE event_columns SET data = $5 WHERE project = $1 AND quarter = $2 AND part = $3 AND name = $4",
            )
            .bind(project)
            .bind(quarter)
            .bind(part)
            .bind(ACTORS)
            .bind(data)
            .execute(&mut *connection)
            .await?;
            news.insert(quarter);
        }
        blocks::forget(connection, project, news).await?;
    }
    Ok(sessions.len() as i64)
}

/// Drops columns before `cutoff` whose raw rows are gone, and the numbers of those who were not seen since. Raw rows go by
/// whole chunks: some stay longer, and so do their columns.
pub(super) async fn drop_old(pool: &Pool, begin: &Begin, cutoff: Quarter) -> Result<(), sqlx::Error> {
    for project in projects(pool, begin).await? {
        let mut session = Session::begin(pool, begin).await?;
        let oldest: Option<Instant> =
            sqlx::query_scalar("SELECT timestamp FROM raw_events WHERE project = $1 ORDER BY timestamp LIMIT 1")
                .bind(&project)
                .fetch_optional(session.connection()?)
                .await?;
        let cutoff = oldest.map_or(cutoff, |Instant(oldest)| Quarter::of(oldest).min(cutoff));
        let dropped = sqlx::query("DELETE FROM event_columns WHERE project = $1 AND quarter < $2")
            .bind(&project)
            .bind(cutoff.0)
            .execute(session.connection()?)
            .await?
            .rows_affected();
        if dropped > 0 {
            blocks::drop_old(session.connection()?, &project, cutoff.0).await?;
            sqlx::query("DELETE FROM identities WHERE project = $1 AND last_quarter < $2")
                .bind(&project)
                .bind(cutoff.0)
                .execute(session.connection()?)
                .await?;
        }
        session.commit().await?;
    }
    Ok(())
}

/// Every project of which something is stored, in the order of names.
pub(super) async fn projects(pool: &Pool, begin: &Begin) -> Result<Vec<String>, sqlx::Error> {
    let mut session = Session::begin(pool, begin).await?;
    let projects = sqlx::query_scalar("SELECT project FROM newest_receipts ORDER BY project");
    let projects = projects.fetch_all(session.connection()?).await?;
    session.commit().await?;
    Ok(projects)
}
