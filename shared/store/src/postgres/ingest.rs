//! One transaction of events.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Instant;

use analytics_domain::{BatchOutcome, DeadLetterId, Retention, Timestamp};
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::connection::Begin;
use super::copy::{copy_keys, copy_rows};
use super::erasure;
use super::fault::fault;
use super::insert::{column, insert_rows};
use super::known_sessions::KnownSessions;
use super::link::{Link, Pool, Session};
use super::new_values;
use super::values::{Instant as At, date};
use crate::cardinality::Cardinality;
use crate::erasure::{Tombstones, claims};
use crate::settlement::{
    Candidates, Key, NewLetter, OldLetter, Rollup, SessionUser, Settlement, candidates, judge, settle,
};
use crate::{Ingest, StoreError};

const DOING: &str = "store events";

/// So many rows are inserted by one statement; more are worth the wait of a COPY (measured: 1,000 a transaction go 1.7 times as
/// fast by a statement, 2,000 go 1.3 times as fast by COPY).
const FEW: usize = 1_500;

/// Which of the candidates' ids are known, in any generation. Mostly none is: one probe of each index with all ids costs a
/// tenth of an `ON CONFLICT` a row. With it the locks are taken that keep erasures away; what is asked after it misses none.
const LOOK: &str = "
    SELECT id, project FROM event_ids WHERE id = ANY($1)
    UNION ALL SELECT id, project FROM event_ids_1 WHERE id = ANY($1)
    UNION ALL SELECT id, project FROM event_ids_2 WHERE id = ANY($1)
    UNION ALL SELECT NULL, NULL FROM unnest($2::text[]) AS p (name)
        WHERE pg_advisory_xact_lock_shared(hashtextextended(p.name, $3)) IS NULL";

/// Writes keys down that another writer may be writing down just now: waits for it, and tells which are fresh after all.
/// The rows, and so the locks, stay in the order of the arrays. It tells beside that which projects have had erasures.
const REMEMBER: &str = "
    WITH fresh AS (
        INSERT INTO event_ids (id, project) SELECT c.id, c.project FROM unnest($1::uuid[], $2::text[]) AS c (id, project)
        ON CONFLICT DO NOTHING RETURNING id, project)
    SELECT id, project, NULL::int8, NULL::timestamptz FROM fresh
    UNION ALL SELECT NULL, project, erasures, erased_until FROM erasure_counters WHERE project = ANY($3)";

const FORGET: &str = "
    DELETE FROM event_ids AS e USING unnest($1::uuid[], $2::text[]) AS c (id, project)
    WHERE e.id = c.id AND e.project = c.project";

/// All that is counted, in one statement: session identities, rollups, receipt counts, newest receipts. Of the rollups only
/// those that have a row, and those without dimension; it answers the places of all others, see [`new_values`]. And what it makes
/// of the columns: which quarters have changed, and which sessions have to be looked at, all whose row is touched: what it
/// holds in the end is only known after it. The parts run in
/// this order in every writer, and each in the order of its arrays. A session's row is only touched where it changes, so
/// that writers of one session seldom wait for each other; the 23 hours are a day less what `KnownSessions` leaves out.
const TALLY: &str = "
    WITH counts AS MATERIALIZED (
        SELECT n.*, n.dimension_key = '' OR coalesce((
            SELECT true FROM daily_metrics AS k
            WHERE k.project = n.project AND k.date = DATE '1970-01-01' + n.day AND k.metric_name = 'events'
                AND k.dimension_key = n.dimension_key AND k.dimension_value = n.dimension_value), false) AS has_row
        FROM unnest($7::text[], $8::int4[], $9::text[], $10::text[], $11::int8[])
            WITH ORDINALITY AS n (project, day, dimension_key, dimension_value, count, place)
    ), sessions AS (
        INSERT INTO session_users AS s (session_id, project, user_id, timestamp, id, last_timestamp)
        SELECT n.session_id, n.project, n.user_id, n.timestamp, n.id, n.last_timestamp
        FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::uuid[], $6::timestamptz[])
            AS n (session_id, project, user_id, timestamp, id, last_timestamp)
        WHERE coalesce((
            SELECT (n.timestamp, n.id) < (k.timestamp, k.id)
                OR n.last_timestamp >= k.last_timestamp + INTERVAL '23 hours'
            FROM session_users AS k WHERE k.session_id = n.session_id AND k.project = n.project), true)
        ON CONFLICT (session_id, project) DO UPDATE SET
            user_id = CASE WHEN (excluded.timestamp, excluded.id) < (s.timestamp, s.id)
                THEN excluded.user_id ELSE s.user_id END,
            timestamp = least(s.timestamp, excluded.timestamp),
            id = CASE WHEN (excluded.timestamp, excluded.id) < (s.timestamp, s.id) THEN excluded.id ELSE s.id END,
            last_timestamp = greatest(s.last_timestamp, excluded.last_timestamp)
    ), rollups AS (
        INSERT INTO daily_metrics AS m (project, date, metric_name, dimension_key, dimension_value, value)
        SELECT n.project, DATE '1970-01-01' + n.day, 'events', n.dimension_key, n.dimension_value, n.count
        FROM counts AS n WHERE n.has_row
        ON CONFLICT (project, date, metric_name, dimension_key, dimension_value)
            DO UPDATE SET value = m.value + excluded.value
    ), receipts AS (
        INSERT INTO receipt_counts AS r (project, day, kind, reason, count)
        SELECT n.project, DATE '1970-01-01' + n.day, n.kind, n.reason, n.count
        FROM unnest($12::text[], $13::int4[], $14::text[], $15::text[], $16::int8[])
            AS n (project, day, kind, reason, count)
        ON CONFLICT (project, day, kind, reason) DO UPDATE SET count = r.count + excluded.count
    ), newest AS (
        INSERT INTO newest_receipts AS n (project, created_at)
        SELECT c.project, c.created_at FROM unnest($17::text[], $18::timestamptz[]) AS c (project, created_at)
        ON CONFLICT (project) DO UPDATE SET created_at = greatest(n.created_at, excluded.created_at)
    ), marks AS (
        INSERT INTO column_marks (project, quarter)
        SELECT c.project, c.quarter FROM unnest($19::text[], $20::int8[]) AS c (project, quarter)
    ), changes AS (
        INSERT INTO identity_changes (project, session_id)
        SELECT n.project, n.session_id
        FROM unnest($1::text[], $2::text[], $4::timestamptz[], $5::uuid[], $6::timestamptz[])
            AS n (session_id, project, timestamp, id, last_timestamp)
        WHERE coalesce((
            SELECT (n.timestamp, n.id) < (k.timestamp, k.id)
                OR n.last_timestamp >= k.last_timestamp + INTERVAL '23 hours'
            FROM session_users AS k WHERE k.session_id = n.session_id AND k.project = n.project), true)
    )
    SELECT place FROM counts WHERE NOT has_row ORDER BY place";

/// Stores the work; where `keep` is false the same is done and rolled back.
#[allow(clippy::too_many_arguments, reason = "what the store is, what is done, and how it is judged")]
pub(super) async fn ingest(
    pool: &Pool,
    begin: &Begin,
    known: &KnownSessions,
    work: &Ingest<'_>,
    cardinality: Cardinality,
    retention: Retention,
    now: Timestamp,
    keep: bool,
) -> Result<Vec<BatchOutcome>, StoreError> {
    let cutoff = retention.cutoff(now);
    let candidates = candidates(work, cutoff);
    let settle_by = Limits { cardinality, cutoff, now };
    let projects: BTreeSet<&str> = work.batches.iter().map(|item| item.batch.project.as_str()).collect();
    let mut way = Way {
        projects: projects.into_iter().collect(),
        alone: BTreeSet::new(),
        // First the quick way for many, by COPY of the ids that are not known.
        remember: if candidates.keys.len() > FEW { Remember::Copy } else { Remember::Wait },
    };
    let written = loop {
        match attempt(pool, begin, known, work, &candidates, settle_by, &way, keep).await {
            Ok(Attempted::Written(written)) => break written,
            // Each time more projects, so there is an end.
            Ok(Attempted::NotAlone(projects)) => way.alone.extend(projects),
            // Another writer committed one of the ids in between: all is done again the way that waits.
            Err(error) if is_lost_race(&error) && way.remember == Remember::Copy => way.remember = Remember::Wait,
            Err(error) => return Err(fault(DOING)(error)),
        }
    };
    if keep {
        known.wrote(&written.sessions, &written.tombstones, Instant::now());
    }
    Ok(written.outcomes)
}

/// How a transaction goes about it.
#[derive(Debug)]
struct Way<'w> {
    /// The projects of the work, sorted.
    projects: Vec<&'w str>,
    /// Those of them in which it has to be the only writer.
    alone: BTreeSet<&'w str>,
    /// How ids are written down.
    remember: Remember,
}

/// What bounds the values of a day, judges the age of events and dates dead letters.
#[derive(Debug, Clone, Copy)]
struct Limits {
    cardinality: Cardinality,
    cutoff: Timestamp,
    now: Timestamp,
}

/// How ids are written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Remember {
    /// By COPY, which fails where another writer had one of them meanwhile.
    Copy,
    /// By INSERT, which leaves out what another writer had.
    Wait,
}

/// Whether another writer committed one of the ids between the look and the writing.
fn is_lost_race(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.is_unique_violation() && error.table() == Some("event_ids"))
}

/// What one transaction wrote.
#[derive(Debug)]
struct Written<'w> {
    outcomes: Vec<BatchOutcome>,
    /// The sessions whose rows were looked at.
    sessions: Vec<SessionUser<'w>>,
    /// What was read of erasures.
    tombstones: Tombstones,
}

/// How a transaction ended.
#[derive(Debug)]
enum Attempted<'w> {
    /// As it should.
    Written(Written<'w>),
    /// Rolled back: events of somebody who was erased name a session, so that more has to go than comes, and for that it has
    /// to be alone in these projects.
    NotAlone(BTreeSet<&'w str>),
}

/// One transaction.
#[allow(clippy::too_many_arguments, reason = "one call site, and each says another thing of the one transaction")]
async fn attempt<'w>(
    pool: &Pool,
    begin: &Begin,
    known: &KnownSessions,
    work: &'w Ingest<'_>,
    candidates: &Candidates<'w>,
    limits: Limits,
    way: &Way<'w>,
    keep: bool,
) -> Result<Attempted<'w>, sqlx::Error> {
    let mut session = Session::begin(pool, begin).await?;
    match write(session.connection()?, known, work, candidates, limits, way).await {
        Ok(attempted) => {
            if keep && matches!(attempted, Attempted::Written(_)) {
                session.commit().await?
            } else {
                session.rollback().await?
            }
            Ok(attempted)
        }
        Err(error) => {
            // The server has ended the transaction; where the connection is still good, it can be used again.
            if matches!(&error, sqlx::Error::Database(_)) {
                let _ = session.rollback().await;
            }
            Err(error)
        }
    }
}

async fn write<'w>(
    connection: &mut Link,
    known_sessions: &KnownSessions,
    work: &'w Ingest<'_>,
    candidates: &Candidates<'w>,
    limits: Limits,
    way: &Way<'w>,
) -> Result<Attempted<'w>, sqlx::Error> {
    if !way.alone.is_empty() {
        erasure::be_alone(connection, &way.projects, &way.alone.iter().copied().collect::<Vec<_>>()).await?;
    }
    let mut tombstones = Tombstones::default();
    let known = write_down(connection, candidates, way, &mut tombstones).await?;
    let letters = old_letters(connection, &work.replayed).await?;
    let verdicts = judge(work, candidates, &known, &letters, limits.cutoff);
    erasure::look_up(connection, work, &way.projects, limits.cutoff, &mut tombstones).await?;
    let claims = claims(work, &verdicts, &tombstones);
    let claims = erasure::holding(connection, claims, &way.projects, &mut tombstones).await?;
    if claims.iter().any(|claim| !way.alone.contains(claim.project)) {
        return Ok(Attempted::NotAlone(claims.iter().map(|claim| claim.project).collect()));
    }
    erasure::settle_claims(connection, &claims, &mut tombstones).await?;
    let settlement = settle(work, candidates, &known, &letters, verdicts, &tombstones, limits.now);
    if !settlement.remember.is_empty() {
        let (ids, projects): (Vec<Uuid>, Vec<&str>) = settlement.remember.iter().copied().unzip();
        erasure::remember(connection, &ids, &projects).await?;
    }
    if !settlement.forget.is_empty() {
        let (ids, projects): (Vec<Uuid>, Vec<&str>) = settlement.forget.iter().copied().unzip();
        sqlx::query(FORGET).bind(ids).bind(projects).execute(&mut *connection).await?;
    }
    match settlement.rows.len() {
        0 => {}
        some if some <= FEW => insert_rows(connection, &settlement.rows).await?,
        _ => copy_rows(connection, &settlement.rows).await?,
    }
    let sessions = known_sessions.to_write(&settlement.sessions, &tombstones, Instant::now());
    tally(connection, &settlement, &sessions, limits.cardinality).await?;
    let sessions = sessions.into_iter().cloned().collect();
    if !work.replayed.is_empty() {
        sqlx::query(
            "DELETE FROM dead_letters WHERE id IN
                (SELECT id FROM dead_letters WHERE id = ANY($1) ORDER BY id FOR UPDATE)",
        )
        .bind(&work.replayed)
        .execute(&mut *connection)
        .await?;
    }
    for letter in &settlement.letters {
        put_letter(connection, letter).await?;
    }
    Ok(Attempted::Written(Written { outcomes: settlement.outcomes, sessions, tombstones }))
}

/// Writes the candidates down; gives those that the store held already, and reads which projects have had erasures.
async fn write_down<'w>(
    connection: &mut Link,
    candidates: &Candidates<'w>,
    way: &Way<'_>,
    tombstones: &mut Tombstones,
) -> Result<HashSet<Key<'w>>, sqlx::Error> {
    if candidates.keys.is_empty() {
        return Ok(HashSet::new());
    }
    let ids: Vec<Uuid> = candidates.keys.iter().map(|(id, _)| *id).collect();
    let look = sqlx::query(LOOK).bind(ids).bind(&way.projects).bind(erasure::LOCK);
    let rows = look.fetch_all(&mut *connection).await?;
    let mut known = of_candidates(candidates, &rows)?;
    let unknown: Vec<Key<'w>> = candidates.keys.iter().filter(|key| !known.contains(*key)).copied().collect();
    match way.remember {
        Remember::Wait if !unknown.is_empty() => {
            let (ids, projects): (Vec<Uuid>, Vec<&str>) = unknown.iter().copied().unzip();
            let remember = sqlx::query(REMEMBER).bind(ids).bind(projects).bind(&way.projects);
            let rows = remember.fetch_all(connection).await?;
            let (counts, fresh): (Vec<PgRow>, Vec<PgRow>) =
                rows.into_iter().partition(|row| matches!(row.try_get::<Option<i64>, _>(2), Ok(Some(_))));
            for row in counts {
                tombstones.count(row.try_get(1)?, row.try_get(2)?, row.try_get::<At, _>(3)?.0);
            }
            let fresh = of_candidates(candidates, &fresh)?;
            known.extend(unknown.into_iter().filter(|key| !fresh.contains(key)));
        }
        _ => {
            erasure::counts(connection, &way.projects, tombstones).await?;
            if !unknown.is_empty() {
                copy_keys(connection, &unknown).await?;
            }
        }
    }
    Ok(known)
}

/// The candidates among rows of (id, project).
fn of_candidates<'w>(candidates: &Candidates<'w>, rows: &[PgRow]) -> Result<HashSet<Key<'w>>, sqlx::Error> {
    let mut found = HashSet::with_capacity(rows.len());
    for row in rows {
        let key: Key<'_> = (row.try_get(0)?, row.try_get(1)?);
        if let Ok(at) = candidates.keys.binary_search(&key) {
            found.insert(candidates.keys[at]);
        }
    }
    Ok(found)
}

/// The dead letters that are tried again and still there.
async fn old_letters(
    connection: &mut Link,
    replayed: &[DeadLetterId],
) -> Result<HashMap<DeadLetterId, OldLetter>, sqlx::Error> {
    if replayed.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = sqlx::query("SELECT id, attempts, first_failed_at FROM dead_letters WHERE id = ANY($1)")
        .bind(replayed)
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| {
            let attempts = u32::try_from(row.try_get::<i64, _>(1)?).unwrap_or(u32::MAX);
            Ok((row.try_get(0)?, OldLetter { attempts, first_failed_at: row.try_get::<At, _>(2)?.0 }))
        })
        .collect()
}

async fn tally(
    connection: &mut Link,
    settlement: &Settlement<'_>,
    sessions: &[&SessionUser<'_>],
    cardinality: Cardinality,
) -> Result<(), sqlx::Error> {
    if settlement.rows.is_empty() && settlement.receipts.is_empty() {
        return Ok(());
    }
    let Settlement { rollups, receipts, newest, quarters, .. } = settlement;
    let unseen = sqlx::query(TALLY)
        .bind(column(sessions, |session| session.session_id))
        .bind(column(sessions, |session| session.project))
        .bind(column(sessions, |session| session.user_id))
        .bind(column(sessions, |session| At(session.timestamp)))
        .bind(column(sessions, |session| session.id))
        .bind(column(sessions, |session| At(session.last_timestamp)))
        .bind(column(rollups, |rollup| rollup.project))
        .bind(column(rollups, |rollup| date(rollup.day)))
        .bind(column(rollups, |rollup| rollup.dimension_key))
        .bind(column(rollups, |rollup| rollup.dimension_value))
        .bind(column(rollups, |rollup| rollup.count))
        .bind(column(receipts, |receipt| receipt.project))
        .bind(column(receipts, |receipt| date(receipt.day)))
        .bind(column(receipts, |receipt| receipt.kind))
        .bind(column(receipts, |receipt| receipt.reason))
        .bind(column(receipts, |receipt| receipt.count))
        .bind(column(newest, |(project, _)| *project))
        .bind(column(newest, |(_, receipt)| At(*receipt)))
        .bind(column(quarters, |(project, _)| *project))
        .bind(column(quarters, |(_, quarter)| *quarter))
        .fetch_all(&mut *connection)
        .await?;
    if unseen.is_empty() {
        return Ok(());
    }
    let of_place = |row: &PgRow| {
        let place: i64 = row.try_get(0)?;
        let rollup = usize::try_from(place - 1).ok().and_then(|index| rollups.get(index));
        rollup.cloned().ok_or(sqlx::Error::RowNotFound)
    };
    let unseen = unseen.iter().map(of_place).collect::<Result<Vec<Rollup<'_>>, _>>()?;
    new_values::count(connection, unseen, cardinality).await
}

async fn put_letter(connection: &mut Link, new: &NewLetter) -> Result<(), sqlx::Error> {
    let letter = &new.letter;
    sqlx::query(
        "INSERT INTO dead_letters (id, project, event_id, payload, code, sqlstate, message, attempts, first_failed_at,
            last_failed_at, received_day)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, DATE '1970-01-01' + $11::int4) ON CONFLICT (id) DO NOTHING",
    )
    .bind(letter.id)
    .bind(letter.project.as_str())
    .bind(letter.event_id)
    .bind(letter.payload.as_slice())
    .bind(letter.reason.code.as_str())
    .bind(letter.reason.sqlstate.as_deref())
    .bind(letter.reason.message.as_str())
    .bind(i64::from(letter.attempts))
    .bind(At(letter.first_failed_at))
    .bind(At(letter.last_failed_at))
    .bind(new.received_day.map(date))
    .execute(connection)
    .await
    .map(|_| ())
}
