//! A person's erasure, and what is still queued of it. There is one connection that writes, so nobody is in between.

use std::collections::BTreeSet;

use analytics_domain::retention::MAX_AHEAD_MICROS;
use analytics_domain::{Project, Timestamp};
use futures::TryStreamExt as _;
use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnection, SqlitePool};
use uuid::Uuid;

use super::columns;
use super::store::{put_setting, setting};
use crate::erasure::{Claim, Erased, Gone, Remains, Subject, Tombstones, ranges, subject, swept};
use crate::refresh::Kind;
use crate::settlement::{Key, Rollup, date_text, day_of_text};
use crate::{Erasure, Ingest};

/// The setting that says that the file holds bytes of erased rows, and until when the last erasure goes (microseconds).
const UNWIPED: &str = "unwiped_until";

/// The setting that says when the file was last written anew (microseconds).
const WIPED: &str = "wiped_at";

/// An hour.
const WIPE_AFTER_MICROS: i64 = 3_600_000_000;

/// Which rows go: accepted up to an instant, and the person's by name or by one of the sessions.
const DELETE: &str = "
    DELETE FROM raw_events WHERE project = ?1 AND timestamp >= ?2 AND timestamp < ?3 AND created_at <= ?4
        AND (user_id = ?5 OR (user_id IS NULL AND session_id IN (SELECT value FROM json_each(?6))))
    RETURNING session_id, timestamp, event_type, event_action";

const REMAINING: &str = "
    SELECT session_id, user_id, timestamp, id, coalesce(user_id = ?4, 0) FROM raw_events
    WHERE project = ?1 AND timestamp >= ?2 AND timestamp < ?3
        AND (user_id = ?4 OR session_id IN (SELECT value FROM json_each(?5)))";

/// Erases a person in one transaction.
pub(super) async fn erase(
    writer: &SqlitePool,
    project: &Project,
    user: &str,
    until: Timestamp,
) -> Result<Erasure, sqlx::Error> {
    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await?;
    let connection = &mut *transaction;
    let project = project.as_str();
    let known: Vec<String> =
        sqlx::query_scalar("SELECT session_id FROM session_users WHERE project = ? AND user_id = ?")
            .bind(project)
            .bind(user)
            .fetch_all(&mut *connection)
            .await?;
    let erased = Erased { project, user: Some(user), sessions: known.iter().cloned().collect(), until, end: i64::MAX };
    let (erasure, remains) = sweep(connection, &erased).await?;
    name_sessions(connection, project, &known, &remains).await?;
    sqlx::query(
        "INSERT INTO erasure_counters AS c (project, erasures, erased_until) VALUES (?, 1, ?)
         ON CONFLICT (project) DO UPDATE SET erasures = c.erasures + 1,
            erased_until = max(c.erased_until, excluded.erased_until)",
    )
    .bind(project)
    .bind(until.as_micros())
    .execute(&mut *connection)
    .await?;
    put_tombstone(connection, project, &subject(Kind::User, project, user), until).await?;
    for name in &known {
        put_tombstone(connection, project, &subject(Kind::Session, project, name), until).await?;
    }
    transaction.commit().await?;
    Ok(erasure)
}

/// Looks the subjects of the work up, where its projects have had erasures.
pub(super) async fn look_up(
    connection: &mut SqliteConnection,
    work: &Ingest<'_>,
    cutoff: Timestamp,
) -> Result<Tombstones, sqlx::Error> {
    let mut tombstones = Tombstones::default();
    let projects: BTreeSet<&str> = work.batches.iter().map(|item| item.batch.project.as_str()).collect();
    for project in &projects {
        let row = sqlx::query("SELECT erasures, erased_until FROM erasure_counters WHERE project = ?")
            .bind(project)
            .fetch_optional(&mut *connection)
            .await?;
        if let Some(row) = row {
            tombstones.count(project, row.try_get(0)?, Timestamp::from_micros(row.try_get(1)?));
        }
    }
    let subjects = tombstones.subjects(work, cutoff);
    for project in projects {
        tombstones_of(connection, project, &subjects, &mut tombstones).await?;
    }
    Ok(tombstones)
}

async fn tombstones_of(
    connection: &mut SqliteConnection,
    project: &str,
    subjects: &[Subject],
    tombstones: &mut Tombstones,
) -> Result<(), sqlx::Error> {
    for subject in subjects {
        let until: Option<i64> =
            sqlx::query_scalar("SELECT erased_until FROM erasures WHERE project = ? AND subject = ?")
                .bind(project)
                .bind(subject.as_slice())
                .fetch_optional(&mut *connection)
                .await?;
        if let Some(until) = until {
            tombstones.add(*subject, Timestamp::from_micros(until));
        }
    }
    Ok(())
}

/// Settles the claims that hold against what the store knows: deletes the sessions' unnamed events, and leaves tombstones for
/// those that are still to come.
pub(super) async fn settle_claims(
    connection: &mut SqliteConnection,
    claims: Vec<Claim<'_>>,
    tombstones: &mut Tombstones,
) -> Result<(), sqlx::Error> {
    let mut holding = Vec::new();
    for claim in claims {
        tombstones_of(connection, claim.project, &[claim.subject()], tombstones).await?;
        let row = sqlx::query("SELECT timestamp, id FROM session_users WHERE session_id = ? AND project = ?")
            .bind(claim.session)
            .bind(claim.project)
            .fetch_optional(&mut *connection)
            .await?;
        let known = row.map(|row| Ok::<_, sqlx::Error>((Timestamp::from_micros(row.try_get(0)?), row.try_get(1)?)));
        if claim.holds(known.transpose()?) && !tombstones.know(&claim) {
            holding.push(claim);
        }
    }
    for erased in swept(&holding) {
        sweep(connection, &erased).await?;
        for name in &erased.sessions {
            let subject = subject(Kind::Session, erased.project, name);
            put_tombstone(connection, erased.project, &subject, erased.until).await?;
            tombstones.add(subject, erased.until);
        }
    }
    Ok(())
}

async fn put_tombstone(
    connection: &mut SqliteConnection,
    project: &str,
    subject: &Subject,
    until: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO erasures AS e (project, subject, erased_until) VALUES (?, ?, ?)
         ON CONFLICT (project, subject) DO UPDATE SET erased_until = max(e.erased_until, excluded.erased_until)",
    )
    .bind(project)
    .bind(subject.as_slice())
    .bind(until.as_micros())
    .execute(connection)
    .await
    .map(|_| ())
}

/// Deletes what is erased: dead letters, raw rows, what they counted for, their columns, and names that nothing carries any
/// more. Gives also what is left of the sessions that lost something, and of those that are meant.
async fn sweep(connection: &mut SqliteConnection, erased: &Erased<'_>) -> Result<(Erasure, Remains), sqlx::Error> {
    let dead_letters = drop_letters(connection, erased).await?;
    let mut gone = Gone::default();
    let names = json(&erased.sessions);
    for (from, to) in places(connection, erased.project, erased.user, &names, erased.end).await? {
        let mut rows = sqlx::query(DELETE)
            .bind(erased.project)
            .bind(from.as_micros())
            .bind(to.as_micros())
            .bind(erased.until.as_micros())
            .bind(erased.user)
            .bind(&names)
            .fetch(&mut *connection);
        while let Some(row) = rows.try_next().await? {
            gone.add(row.try_get(0)?, Timestamp::from_micros(row.try_get(1)?), row.try_get(2)?, row.try_get(3)?);
        }
    }
    let sessions: BTreeSet<String> = erased.sessions.union(&gone.sessions).cloned().collect();
    let names = json(&sessions);
    let mut remains = Remains::default();
    for (from, to) in places(connection, erased.project, erased.user, &names, i64::MAX).await? {
        let mut rows = sqlx::query(REMAINING)
            .bind(erased.project)
            .bind(from.as_micros())
            .bind(to.as_micros())
            .bind(erased.user)
            .bind(&names)
            .fetch(&mut *connection);
        while let Some(row) = rows.try_next().await? {
            let timestamp = Timestamp::from_micros(row.try_get(2)?);
            remains.add(row.try_get(0)?, row.try_get(1)?, timestamp, row.try_get(3)?, row.try_get(4)?);
        }
    }
    let rollups = gone.rollups(erased.project);
    let found = subtract(connection, &rollups).await?;
    subtract(connection, &gone.rest(erased.project, &found)).await?;
    for day in rollups.iter().map(|rollup| rollup.day).collect::<BTreeSet<_>>() {
        sqlx::query("DELETE FROM daily_metrics WHERE project = ? AND date = ? AND value <= 0")
            .bind(erased.project)
            .bind(date_text(day))
            .execute(&mut *connection)
            .await?;
    }
    let forgotten = sessions.iter().filter(|name| !remains.sessions.contains_key(*name)).cloned().collect();
    let user = erased.user.filter(|_| !remains.person);
    columns::forget(connection, erased.project, &gone.quarters, user, &json(&forgotten)).await?;
    if gone.events > 0 || dead_letters > 0 {
        put_setting(connection, UNWIPED, &erased.until.as_micros().to_string()).await?;
    }
    Ok((Erasure { events: gone.events, sessions: gone.sessions.len() as u64, dead_letters }, remains))
}

/// Names as one parameter.
fn json(names: &BTreeSet<String>) -> String {
    serde_json::to_string(names).unwrap_or_default()
}

/// Where raw rows of the names can lie.
async fn places(
    connection: &mut SqliteConnection,
    project: &str,
    user: Option<&str>,
    sessions: &str,
    end: i64,
) -> Result<Vec<(Timestamp, Timestamp)>, sqlx::Error> {
    let marks: Vec<i64> = sqlx::query_scalar("SELECT DISTINCT quarter FROM column_marks WHERE project = ?")
        .bind(project)
        .fetch_all(&mut *connection)
        .await?;
    let spans: Vec<(i64, i64)> = sqlx::query_as(
        "SELECT first_quarter, last_quarter FROM identities WHERE project = ?1
            AND ((kind = 'u' AND name = ?2) OR (kind = 's' AND name IN (SELECT value FROM json_each(?3))))",
    )
    .bind(project)
    .bind(user)
    .bind(sessions)
    .fetch_all(connection)
    .await?;
    Ok(ranges(&marks, &spans, end))
}

/// Takes counts out of their rows; gives the rows that were there.
async fn subtract(
    connection: &mut SqliteConnection,
    rollups: &[Rollup<'_>],
) -> Result<BTreeSet<(i64, String, String)>, sqlx::Error> {
    let mut found = BTreeSet::new();
    for rollup in rollups {
        let row = sqlx::query(
            "UPDATE daily_metrics SET value = value - ? WHERE project = ? AND date = ? AND metric_name = 'events'
                AND dimension_key = ? AND dimension_value = ? RETURNING date, dimension_key, dimension_value",
        )
        .bind(rollup.count)
        .bind(rollup.project)
        .bind(date_text(rollup.day))
        .bind(rollup.dimension_key)
        .bind(rollup.dimension_value)
        .fetch_optional(&mut *connection)
        .await?;
        let Some(row) = row else { continue };
        let day = day_of_text(row.try_get(0)?).unwrap_or(rollup.day);
        found.insert((day, row.try_get(1)?, row.try_get(2)?));
    }
    Ok(found)
}

/// Says anew who sessions are known by, from what is left of them.
async fn name_sessions(
    connection: &mut SqliteConnection,
    project: &str,
    sessions: &[String],
    remains: &Remains,
) -> Result<(), sqlx::Error> {
    for name in sessions {
        sqlx::query("DELETE FROM session_users WHERE session_id = ? AND project = ?")
            .bind(name)
            .bind(project)
            .execute(&mut *connection)
            .await?;
        // Of those without any row nothing is made anew.
        let Some(known) = remains.sessions.get(name) else { continue };
        sqlx::query("INSERT INTO identity_changes (project, session_id) VALUES (?, ?)")
            .bind(project)
            .bind(name)
            .execute(&mut *connection)
            .await?;
        let Some(known) = known else { continue };
        sqlx::query(
            "INSERT INTO session_users (session_id, project, user_id, timestamp, id, last_timestamp)
             VALUES (?, ?, ?, ?, ?, ?)",
        )
        .bind(name)
        .bind(project)
        .bind(&known.first.2)
        .bind(known.first.0.as_micros())
        .bind(known.first.1)
        .bind(known.last.as_micros())
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// Takes what is erased out of the project's dead letters, and remembers the ids; how many letters lost something.
async fn drop_letters(connection: &mut SqliteConnection, erased: &Erased<'_>) -> Result<u64, sqlx::Error> {
    let mut found = Vec::new();
    {
        let mut rows = sqlx::query("SELECT id, payload, received_day FROM dead_letters WHERE project = ? ORDER BY id")
            .bind(erased.project)
            .fetch(&mut *connection);
        while let Some(row) = rows.try_next().await? {
            if let Some(trimmed) = erased.trim(row.try_get(1)?) {
                found.push((row.try_get::<Uuid, _>(0)?, trimmed, row.try_get::<Option<String>, _>(2)?));
            }
        }
    }
    for (id, trimmed, day) in &found {
        remember(connection, &trimmed.gone.iter().map(|id| (*id, erased.project)).collect::<Vec<_>>()).await?;
        match &trimmed.rest {
            Some(rest) => sqlx::query("UPDATE dead_letters SET payload = ? WHERE id = ?").bind(rest).bind(id),
            None => sqlx::query("DELETE FROM dead_letters WHERE id = ?").bind(id),
        }
        .execute(&mut *connection)
        .await?;
        // Entries that could not be stored as a whole are in no count.
        let Some(day) = day else { continue };
        sqlx::query(
            "INSERT INTO receipt_counts AS r (project, day, kind, reason, count)
             VALUES (?1, ?2, 'dead_lettered', '', -?3), (?1, ?2, 'erased', '', ?3)
             ON CONFLICT (project, day, kind, reason) DO UPDATE SET count = r.count + excluded.count",
        )
        .bind(erased.project)
        .bind(day)
        .bind(trimmed.gone.len() as i64)
        .execute(&mut *connection)
        .await?;
    }
    Ok(found.len() as u64)
}

/// Writes ids down that nothing is stored of.
pub(super) async fn remember(connection: &mut SqliteConnection, keys: &[Key<'_>]) -> Result<(), sqlx::Error> {
    for (id, project) in keys {
        sqlx::query("INSERT INTO event_ids (id, project) VALUES (?, ?) ON CONFLICT DO NOTHING")
            .bind(id)
            .bind(*project)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Deletes tombstones that no event can meet any more: all that they mean is older than `cutoff`.
pub(super) async fn drop_old(writer: &SqlitePool, cutoff: Timestamp) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM erasures WHERE erased_until < ?")
        .bind(cutoff.saturating_add_micros(-MAX_AHEAD_MICROS).as_micros())
        .execute(writer)
        .await
        .map(|_| ())
}

/// Writes the file anew where rows were erased since the last time: deleting leaves bytes behind, in pages that are free and
/// in pages that are not. The log, which holds them too, is emptied.
///
/// No event is stored while it runs, and it needs as much room again as the file takes, for a moment twice. So it is done at
/// most once in [`WIPE_AFTER_MICROS`]; where it fails, it is tried again.
pub(super) async fn wipe(writer: &SqlitePool, now: Timestamp) -> Result<(), sqlx::Error> {
    let Some(unwiped) = setting(&mut *writer.acquire().await?, UNWIPED).await? else { return Ok(()) };
    let last = setting(&mut *writer.acquire().await?, WIPED).await?.and_then(|micros| micros.parse::<i64>().ok());
    if last.is_some_and(|last| now.as_micros() - last < WIPE_AFTER_MICROS) {
        return Ok(());
    }
    sqlx::raw_sql("VACUUM").execute(writer).await?;
    let (busy, _, _): (i64, i64, i64) = sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(writer).await?;
    if busy != 0 {
        // A reader still sees the state before, and the log is kept for it.
        return Ok(());
    }
    put_setting(&mut *writer.acquire().await?, WIPED, &now.as_micros().to_string()).await?;
    // What was erased meanwhile has said so anew.
    sqlx::query("DELETE FROM settings WHERE name = ? AND value = ?")
        .bind(UNWIPED)
        .bind(unwiped)
        .execute(writer)
        .await
        .map(|_| ())
}
