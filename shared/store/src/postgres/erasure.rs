//! A person's erasure, and what is still queued of it.
//!
//! Writers share a lock a project, an erasure has it alone: whoever writes after it reads what it left behind. A writer whose
//! events say that a session was an erased person's deletes that session's unnamed events, and so needs the lock alone too.

use std::collections::BTreeSet;

use analytics_domain::{Project, Timestamp};
use futures::TryStreamExt as _;
use sqlx::Row as _;
use uuid::Uuid;

use super::connection::Begin;
use super::insert::column;
use super::link::{Link, Pool, Session};
use super::values::{Instant, date};
use super::{chunks, columns};
use crate::erasure::{Claim, Erased, Gone, Known, Remains, Subject, Tombstones, ranges, subject, swept};
use crate::refresh::Kind;
use crate::{Erasure, Ingest};

/// With a project's name: writers share it, an erasure has it alone.
pub(super) const LOCK: i64 = 0x616E_616C_7974_6904;

/// The locks of a transaction that has to be alone in the projects `$2`, in the one order of names. The table's lock comes
/// first, as it does in every writer.
const BE_ALONE: &str = "
    SELECT CASE WHEN p.name = ANY($2)
        THEN pg_advisory_xact_lock(hashtextextended(p.name, $3))
        ELSE pg_advisory_xact_lock_shared(hashtextextended(p.name, $3)) END
    FROM unnest($1::text[]) AS p (name)";

const COUNTS: &str = "SELECT project, erasures, erased_until FROM erasure_counters WHERE project = ANY($1)";

/// Deletes the rows and gives what they counted for. Which rows: accepted up to an instant, and the person's by name or by
/// one of the sessions.
const DELETE: &str = "
    DELETE FROM raw_events WHERE project = $1 AND timestamp >= $2 AND timestamp < $3 AND created_at <= $4
        AND (user_id = $5 OR (user_id IS NULL AND session_id = ANY($6)))
    RETURNING session_id, timestamp, event_type, event_action";

const REMAINING: &str = "
    SELECT session_id, user_id, timestamp, id, coalesce(user_id = $4, false) FROM raw_events
    WHERE project = $1 AND timestamp >= $2 AND timestamp < $3 AND (user_id = $4 OR session_id = ANY($5))";

/// Takes counts out of their rows; gives the rows that were there.
const SUBTRACT: &str = "
    UPDATE daily_metrics m SET value = m.value - n.count
    FROM unnest($2::int4[], $3::text[], $4::text[], $5::int8[]) AS n (day, dimension_key, dimension_value, count)
    WHERE m.project = $1 AND m.date = DATE '1970-01-01' + n.day AND m.metric_name = 'events'
        AND m.dimension_key = n.dimension_key AND m.dimension_value = n.dimension_value
    RETURNING n.day, n.dimension_key, n.dimension_value";

/// Erases a person in one transaction.
pub(super) async fn erase(
    pool: &Pool,
    begin: &Begin,
    project: &Project,
    user: &str,
    until: Timestamp,
) -> Result<Erasure, sqlx::Error> {
    let mut session = Session::begin(pool, begin).await?;
    match erase_within(session.connection()?, project.as_str(), user, until).await {
        Ok(erasure) => {
            session.commit().await?;
            Ok(erasure)
        }
        Err(error) => {
            if matches!(&error, sqlx::Error::Database(_)) {
                let _ = session.rollback().await;
            }
            Err(error)
        }
    }
}

async fn erase_within(
    connection: &mut Link,
    project: &str,
    user: &str,
    until: Timestamp,
) -> Result<Erasure, sqlx::Error> {
    be_alone(connection, &[project], &[project]).await?;
    let known: Vec<String> =
        sqlx::query_scalar("SELECT session_id FROM session_users WHERE project = $1 AND user_id = $2")
            .bind(project)
            .bind(user)
            .fetch_all(&mut *connection)
            .await?;
    let erased = Erased { project, user: Some(user), sessions: known.iter().cloned().collect(), until, end: i64::MAX };
    let (erasure, remains) = sweep(connection, &erased).await?;
    name_sessions(connection, project, &known, &remains).await?;
    sqlx::query(
        "INSERT INTO erasure_counters AS c (project, erasures, erased_until) VALUES ($1, 1, $2)
         ON CONFLICT (project) DO UPDATE SET erasures = c.erasures + 1,
            erased_until = greatest(c.erased_until, excluded.erased_until)",
    )
    .bind(project)
    .bind(Instant(until))
    .execute(&mut *connection)
    .await?;
    let sessions = known.iter().map(|name| subject(Kind::Session, project, name));
    let subjects: Vec<Subject> = sessions.chain([subject(Kind::User, project, user)]).collect();
    put_tombstones(connection, project, &subjects, until).await?;
    Ok(erasure)
}

/// Takes the locks of a transaction that writes to `projects` and has to be alone in some of them: there it keeps other
/// writers out, and whoever makes columns.
pub(super) async fn be_alone(connection: &mut Link, projects: &[&str], alone: &[&str]) -> Result<(), sqlx::Error> {
    // How much there is to read is not the writer's fault, and trying again would not make it less.
    sqlx::raw_sql("SET LOCAL statement_timeout = 0; LOCK TABLE event_ids IN ROW EXCLUSIVE MODE")
        .execute(&mut *connection)
        .await?;
    chunks::unpack_freely(connection).await?;
    sqlx::query(BE_ALONE).bind(projects).bind(alone).bind(LOCK).execute(&mut *connection).await?;
    columns::keep_out(connection, alone).await
}

/// Reads how many erasures the projects have had. Asked after the lock was taken, it misses none.
pub(super) async fn counts(
    connection: &mut Link,
    projects: &[&str],
    tombstones: &mut Tombstones,
) -> Result<(), sqlx::Error> {
    let rows = sqlx::query(COUNTS).bind(projects).fetch_all(connection).await?;
    for row in rows {
        tombstones.count(row.try_get(0)?, row.try_get(1)?, row.try_get::<Instant, _>(2)?.0);
    }
    Ok(())
}

/// Looks the subjects of the work up, where there can be any.
pub(super) async fn look_up(
    connection: &mut Link,
    work: &Ingest<'_>,
    projects: &[&str],
    cutoff: Timestamp,
    tombstones: &mut Tombstones,
) -> Result<(), sqlx::Error> {
    let subjects = tombstones.subjects(work, cutoff);
    tombstones_of(connection, projects, &subjects, tombstones).await
}

async fn tombstones_of(
    connection: &mut Link,
    projects: &[&str],
    subjects: &[Subject],
    tombstones: &mut Tombstones,
) -> Result<(), sqlx::Error> {
    if subjects.is_empty() {
        return Ok(());
    }
    let rows = sqlx::query("SELECT subject, erased_until FROM erasures WHERE project = ANY($1) AND subject = ANY($2)")
        .bind(projects)
        .bind(column(subjects, |subject| subject.as_slice()))
        .fetch_all(connection)
        .await?;
    for row in rows {
        if let Ok(subject) = Subject::try_from(row.try_get::<&[u8], _>(0)?) {
            tombstones.add(subject, row.try_get::<Instant, _>(1)?.0);
        }
    }
    Ok(())
}

/// The claims that hold against what the store knows, and are not settled yet.
pub(super) async fn holding<'w>(
    connection: &mut Link,
    claims: Vec<Claim<'w>>,
    projects: &[&str],
    tombstones: &mut Tombstones,
) -> Result<Vec<Claim<'w>>, sqlx::Error> {
    if claims.is_empty() {
        return Ok(claims);
    }
    let subjects: Vec<Subject> = claims.iter().map(Claim::subject).collect();
    tombstones_of(connection, projects, &subjects, tombstones).await?;
    let rows = sqlx::query(
        "SELECT c.place, s.timestamp, s.id
         FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS c (session_id, project, place)
         JOIN session_users s ON s.session_id = c.session_id AND s.project = c.project",
    )
    .bind(column(&claims, |claim| claim.session))
    .bind(column(&claims, |claim| claim.project))
    .fetch_all(connection)
    .await?;
    let mut known = vec![None; claims.len()];
    for row in rows {
        let place = usize::try_from(row.try_get::<i64, _>(0)?).unwrap_or(0);
        if let Some(known) = known.get_mut(place.wrapping_sub(1)) {
            *known = Some((row.try_get::<Instant, _>(1)?.0, row.try_get::<Uuid, _>(2)?));
        }
    }
    let holds = |(claim, known): (Claim<'w>, _)| (claim.holds(known) && !tombstones.know(&claim)).then_some(claim);
    Ok(claims.into_iter().zip(known).filter_map(holds).collect())
}

/// Deletes the unnamed events of claimed sessions, and leaves tombstones for those that are still to come.
pub(super) async fn settle_claims(
    connection: &mut Link,
    claims: &[Claim<'_>],
    tombstones: &mut Tombstones,
) -> Result<(), sqlx::Error> {
    for erased in swept(claims) {
        sweep(connection, &erased).await?;
        let subjects: Vec<Subject> =
            erased.sessions.iter().map(|name| subject(Kind::Session, erased.project, name)).collect();
        put_tombstones(connection, erased.project, &subjects, erased.until).await?;
        subjects.into_iter().for_each(|subject| tombstones.add(subject, erased.until));
    }
    Ok(())
}

async fn put_tombstones(
    connection: &mut Link,
    project: &str,
    subjects: &[Subject],
    until: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO erasures AS e (project, subject, erased_until)
         SELECT $1, n.subject, $3 FROM unnest($2::bytea[]) AS n (subject)
         ON CONFLICT (project, subject) DO UPDATE SET erased_until = greatest(e.erased_until, excluded.erased_until)",
    )
    .bind(project)
    .bind(column(subjects, |subject| subject.as_slice()))
    .bind(Instant(until))
    .execute(connection)
    .await
    .map(|_| ())
}

/// Deletes what is erased: dead letters, raw rows, what they counted for, their columns, and names that nothing carries any
/// more. Gives also what is left of the sessions that lost something, and of those that are meant.
async fn sweep(connection: &mut Link, erased: &Erased<'_>) -> Result<(Erasure, Remains), sqlx::Error> {
    let dead_letters = drop_letters(connection, erased).await?;
    let mut gone = Gone::default();
    for (from, to) in places(connection, erased.project, erased.user, &erased.sessions, erased.end).await? {
        let mut rows = sqlx::query(DELETE)
            .bind(erased.project)
            .bind(Instant(from))
            .bind(Instant(to))
            .bind(Instant(erased.until))
            .bind(erased.user)
            .bind(names(&erased.sessions))
            .fetch(&mut *connection);
        while let Some(row) = rows.try_next().await? {
            gone.add(row.try_get(0)?, row.try_get::<Instant, _>(1)?.0, row.try_get(2)?, row.try_get(3)?);
        }
    }
    let sessions: BTreeSet<String> = erased.sessions.union(&gone.sessions).cloned().collect();
    let mut remains = Remains::default();
    for (from, to) in places(connection, erased.project, erased.user, &sessions, i64::MAX).await? {
        let mut rows = sqlx::query(REMAINING)
            .bind(erased.project)
            .bind(Instant(from))
            .bind(Instant(to))
            .bind(erased.user)
            .bind(names(&sessions))
            .fetch(&mut *connection);
        while let Some(row) = rows.try_next().await? {
            let timestamp = row.try_get::<Instant, _>(2)?.0;
            remains.add(row.try_get(0)?, row.try_get(1)?, timestamp, row.try_get(3)?, row.try_get(4)?);
        }
    }
    count_out(connection, erased.project, &gone).await?;
    let forgotten: Vec<&str> =
        sessions.iter().filter(|name| !remains.sessions.contains_key(*name)).map(String::as_str).collect();
    let user = erased.user.filter(|_| !remains.person);
    columns::forget(connection, erased.project, &gone.quarters, user, &forgotten).await?;
    Ok((Erasure { events: gone.events, sessions: gone.sessions.len() as u64, dead_letters }, remains))
}

fn names(sessions: &BTreeSet<String>) -> Vec<&str> {
    sessions.iter().map(String::as_str).collect()
}

/// Where raw rows of the names can lie. Nobody writes meanwhile, and no columns are made.
async fn places(
    connection: &mut Link,
    project: &str,
    user: Option<&str>,
    sessions: &BTreeSet<String>,
    end: i64,
) -> Result<Vec<(Timestamp, Timestamp)>, sqlx::Error> {
    let marks: Vec<i64> = sqlx::query_scalar("SELECT DISTINCT quarter FROM column_marks WHERE project = $1")
        .bind(project)
        .fetch_all(&mut *connection)
        .await?;
    let spans: Vec<(i64, i64)> = sqlx::query_as(
        "SELECT first_quarter, last_quarter FROM identities
         WHERE project = $1 AND ((kind = 'u' AND name = $2) OR (kind = 's' AND name = ANY($3)))",
    )
    .bind(project)
    .bind(user)
    .bind(names(sessions))
    .fetch_all(connection)
    .await?;
    Ok(ranges(&marks, &spans, end))
}

/// Takes deleted rows out of the counts of their days.
async fn count_out(connection: &mut Link, project: &str, gone: &Gone) -> Result<(), sqlx::Error> {
    let rollups = gone.rollups(project);
    let found = subtract(connection, project, &rollups).await?;
    subtract(connection, project, &gone.rest(project, &found)).await?;
    let days: BTreeSet<i32> = rollups.iter().map(|rollup| date(rollup.day)).collect();
    sqlx::query(
        "DELETE FROM daily_metrics WHERE project = $1 AND value <= 0
            AND date = ANY (ARRAY(SELECT DATE '1970-01-01' + n.day FROM unnest($2::int4[]) AS n (day)))",
    )
    .bind(project)
    .bind(days.into_iter().collect::<Vec<_>>())
    .execute(connection)
    .await
    .map(|_| ())
}

async fn subtract(
    connection: &mut Link,
    project: &str,
    rollups: &[crate::settlement::Rollup<'_>],
) -> Result<BTreeSet<(i64, String, String)>, sqlx::Error> {
    if rollups.is_empty() {
        return Ok(BTreeSet::new());
    }
    let rows = sqlx::query(SUBTRACT)
        .bind(project)
        .bind(column(rollups, |rollup| date(rollup.day)))
        .bind(column(rollups, |rollup| rollup.dimension_key))
        .bind(column(rollups, |rollup| rollup.dimension_value))
        .bind(column(rollups, |rollup| rollup.count))
        .fetch_all(connection)
        .await?;
    rows.iter().map(|row| Ok((i64::from(row.try_get::<i32, _>(0)?), row.try_get(1)?, row.try_get(2)?))).collect()
}

/// Says anew who sessions are known by, from what is left of them.
async fn name_sessions(
    connection: &mut Link,
    project: &str,
    sessions: &[String],
    remains: &Remains,
) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM session_users WHERE project = $1 AND session_id = ANY($2)")
        .bind(project)
        .bind(sessions)
        .execute(&mut *connection)
        .await?;
    let known: Vec<(&str, &Known)> =
        sessions.iter().filter_map(|name| Some((name.as_str(), remains.sessions.get(name)?.as_ref()?))).collect();
    sqlx::query(
        "INSERT INTO session_users (session_id, project, user_id, timestamp, id, last_timestamp)
         SELECT n.session_id, $1, n.user_id, n.timestamp, n.id, n.last_timestamp
         FROM unnest($2::text[], $3::text[], $4::timestamptz[], $5::uuid[], $6::timestamptz[])
            AS n (session_id, user_id, timestamp, id, last_timestamp)",
    )
    .bind(project)
    .bind(column(&known, |(name, _)| *name))
    .bind(column(&known, |(_, known)| known.first.2.as_str()))
    .bind(column(&known, |(_, known)| Instant(known.first.0)))
    .bind(column(&known, |(_, known)| known.first.1))
    .bind(column(&known, |(_, known)| Instant(known.last)))
    .execute(&mut *connection)
    .await?;
    // Of those without any row nothing is made anew.
    let left: Vec<&String> = sessions.iter().filter(|name| remains.sessions.contains_key(*name)).collect();
    sqlx::query(
        "INSERT INTO identity_changes (project, session_id) SELECT $1, n.name FROM unnest($2::text[]) AS n (name)",
    )
    .bind(project)
    .bind(left)
    .execute(connection)
    .await
    .map(|_| ())
}

/// Takes what is erased out of the project's dead letters, and remembers the ids; how many letters lost something.
async fn drop_letters(connection: &mut Link, erased: &Erased<'_>) -> Result<u64, sqlx::Error> {
    let mut found = Vec::new();
    {
        let mut rows = sqlx::query(
            "SELECT id, payload, received_day - DATE '1970-01-01' FROM dead_letters WHERE project = $1 ORDER BY id",
        )
        .bind(erased.project)
        .fetch(&mut *connection);
        while let Some(row) = rows.try_next().await? {
            if let Some(trimmed) = erased.trim(row.try_get(1)?) {
                found.push((row.try_get::<Uuid, _>(0)?, trimmed, row.try_get::<Option<i32>, _>(2)?));
            }
        }
    }
    for (id, trimmed, day) in &found {
        remember(connection, &trimmed.gone, &vec![erased.project; trimmed.gone.len()]).await?;
        match &trimmed.rest {
            Some(rest) => sqlx::query("UPDATE dead_letters SET payload = $2 WHERE id = $1").bind(id).bind(rest),
            None => sqlx::query("DELETE FROM dead_letters WHERE id = $1").bind(id),
        }
        .execute(&mut *connection)
        .await?;
        // Entries that could not be stored as a whole are in no count.
        let Some(day) = day else { continue };
        sqlx::query(
            "INSERT INTO receipt_counts AS r (project, day, kind, reason, count)
             VALUES ($1, DATE '1970-01-01' + $2::int4, 'dead_lettered', '', -$3),
                    ($1, DATE '1970-01-01' + $2::int4, 'erased', '', $3)
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
pub(super) async fn remember(connection: &mut Link, ids: &[Uuid], projects: &[&str]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO event_ids (id, project) SELECT DISTINCT c.id, c.project
         FROM unnest($1::uuid[], $2::text[]) AS c (id, project) ORDER BY 1, 2 ON CONFLICT DO NOTHING",
    )
    .bind(ids)
    .bind(projects)
    .execute(connection)
    .await
    .map(|_| ())
}

/// Deletes tombstones that no event can meet any more: all that they mean is older than `cutoff`.
pub(super) async fn drop_old(pool: &Pool, begin: &Begin, cutoff: Timestamp) -> Result<(), sqlx::Error> {
    let until = cutoff.saturating_add_micros(-analytics_domain::retention::MAX_AHEAD_MICROS);
    let mut session = Session::begin(pool, begin).await?;
    sqlx::query("DELETE FROM erasures WHERE erased_until < $1")
        .bind(Instant(until))
        .execute(session.connection()?)
        .await?;
    session.commit().await
}
