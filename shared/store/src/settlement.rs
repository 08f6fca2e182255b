//! What one transaction writes: decided in memory, the same for every kind of store.
//!
//! An adapter asks for the [`candidates`], writes their keys down and learns which were known, [`judge`]s the work with that,
//! looks up who was erased (see [`erasure`](crate::erasure)), and [`settle`]s it. What comes back is in the one order that every writer takes its locks in: ids, session identities, raw rows,
//! rollups, receipt counts, dead letters, and each of them sorted by its key.

use std::collections::{BTreeMap, HashMap, HashSet};

use analytics_columns::Quarter;
use analytics_domain::{
    Batch, BatchOutcome, DeadLetter, DeadLetterId, DeadLetterReason, Event, EventOutcome, Project, Timestamp,
};
use uuid::Uuid;

use crate::Ingest;
use crate::erasure::Tombstones;

/// What is remembered of an event: its id and its project; of a batch: its id and the project `''`, which no event has.
pub(crate) type Key<'w> = (Uuid, &'w str);

/// The project under which a batch's own id is remembered.
const BATCH: &str = "";

/// Keys to be remembered, sorted, each once.
#[derive(Debug, Default)]
pub(crate) struct Candidates<'w> {
    /// The keys.
    pub(crate) keys: Vec<Key<'w>>,
    /// Whether a key stands twice in the work.
    twins: bool,
}

/// A dead letter that the work tries again, as the store holds it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OldLetter {
    /// How often it was tried.
    pub(crate) attempts: u32,
    /// When it was first put aside.
    pub(crate) first_failed_at: Timestamp,
}

/// An event that goes into `raw_events`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FreshRow<'w> {
    /// Its project.
    pub(crate) project: &'w str,
    /// Its receipt.
    pub(crate) created_at: Timestamp,
    /// The event.
    pub(crate) event: &'w Event<'w>,
}

/// What is added to one row of `daily_metrics`, metric `events`. Ordered by its key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rollup<'w> {
    /// The project.
    pub(crate) project: &'w str,
    /// The UTC day of the events.
    pub(crate) day: i64,
    /// `''`, `event_type` or `event_action`.
    pub(crate) dimension_key: &'static str,
    /// The dimension's value.
    pub(crate) dimension_value: &'w str,
    /// How many events.
    pub(crate) count: i64,
}

/// The first event of a session, within the work, that has a `user_id`. Ordered by its key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SessionUser<'w> {
    /// The session.
    pub(crate) session_id: &'w str,
    /// The project.
    pub(crate) project: &'w str,
    /// The event's time.
    pub(crate) timestamp: Timestamp,
    /// The event's id.
    pub(crate) id: Uuid,
    /// The user.
    pub(crate) user_id: &'w str,
    /// The time of the session's last event, within the work, that has a `user_id`.
    pub(crate) last_timestamp: Timestamp,
}

/// What is added to one row of `receipt_counts`. Ordered by its key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ReceiptCount<'w> {
    /// The project.
    pub(crate) project: &'w str,
    /// The UTC day of receipt.
    pub(crate) day: i64,
    /// `accepted`, `stored`, `duplicate`, `expired`, `dead_lettered`, `erased` or `rejected`.
    pub(crate) kind: &'static str,
    /// The code of a rejection, else `''`.
    pub(crate) reason: &'w str,
    /// How many events; negative where a dead letter leaves its count.
    pub(crate) count: i64,
}

/// A dead letter to be written, and the day whose count it is in.
#[derive(Debug, Clone)]
pub(crate) struct NewLetter {
    /// The dead letter.
    pub(crate) letter: DeadLetter,
    /// The UTC day of receipt; `None` where the entry could not be read and is in no count.
    pub(crate) received_day: Option<i64>,
}

/// What becomes of every event by its id and its age, before anybody's erasure is looked at.
#[derive(Debug)]
pub(crate) struct Verdicts<'w> {
    /// One outcome an event, batch by batch.
    pub(crate) batches: Vec<Vec<EventOutcome>>,
    /// Which batches were settled by an earlier transaction: their events are duplicates that are counted nowhere.
    settled: Vec<bool>,
    /// Whether something of the work may be known, or stand twice in it.
    careful: bool,
    /// Then the keys that the work took.
    taken: HashSet<Key<'w>>,
}

/// All that one transaction writes.
#[derive(Debug, Default)]
pub(crate) struct Settlement<'w> {
    /// What became of each event, in the order of the work.
    pub(crate) outcomes: Vec<BatchOutcome>,
    /// Keys that were written down for events that this work does not store after all.
    pub(crate) forget: Vec<Key<'w>>,
    /// Keys of events that failed and would be dead letters, were they not erased: to be remembered, where they are not yet.
    pub(crate) remember: Vec<Key<'w>>,
    /// Session identities, sorted.
    pub(crate) sessions: Vec<SessionUser<'w>>,
    /// Raw rows, in the order of the work.
    pub(crate) rows: Vec<FreshRow<'w>>,
    /// Rollups, sorted.
    pub(crate) rollups: Vec<Rollup<'w>>,
    /// The quarters of an hour that got rows, by project, sorted.
    pub(crate) quarters: Vec<(&'w str, i64)>,
    /// Receipt counts, sorted.
    pub(crate) receipts: Vec<ReceiptCount<'w>>,
    /// The newest receipt a project, sorted.
    pub(crate) newest: Vec<(&'w str, Timestamp)>,
    /// Dead letters, sorted by id.
    pub(crate) letters: Vec<NewLetter>,
}

/// The keys of every batch and of every event that may be stored: not of those that failed or are older than `cutoff`.
pub(crate) fn candidates<'w>(work: &'w Ingest<'_>, cutoff: Timestamp) -> Candidates<'w> {
    let events: usize = work.batches.iter().map(|item| item.batch.events.len() + 1).sum();
    let mut keys = Vec::with_capacity(events);
    for item in &work.batches {
        keys.push((item.batch.id, BATCH));
        let mut failed = item.failed.iter().map(|failed| failed.index).peekable();
        for (index, event) in item.batch.events.iter().enumerate() {
            if failed.next_if_eq(&index).is_none() && event.timestamp >= cutoff {
                keys.push((event.id, item.batch.project.as_str()));
            }
        }
    }
    keys.sort_unstable();
    let all = keys.len();
    keys.dedup();
    Candidates { twins: keys.len() < all, keys }
}

/// Judges every event by its id and its age.
///
/// `known` are the candidates that the store held already; `letters` are the dead letters of `work.replayed` that the store
/// still holds.
///
/// - A batch whose id is known was settled by an earlier transaction: its events are duplicates, and nothing is counted.
/// - A batch that carries the id of a dead letter of `work.replayed` is that letter's replay. Where the letter is gone,
///   somebody else has settled it.
pub(crate) fn judge<'w>(
    work: &'w Ingest<'_>,
    candidates: &Candidates<'w>,
    known: &HashSet<Key<'w>>,
    letters: &HashMap<DeadLetterId, OldLetter>,
    cutoff: Timestamp,
) -> Verdicts<'w> {
    let mut verdicts = Verdicts {
        batches: Vec::with_capacity(work.batches.len()),
        settled: Vec::with_capacity(work.batches.len()),
        // Only twins and known batches make it necessary to remember what was taken.
        careful: candidates.twins || !known.is_empty() || !work.replayed.is_empty(),
        taken: HashSet::new(),
    };
    for item in &work.batches {
        let batch = item.batch.as_ref();
        let settled_before = known.contains(&(batch.id, BATCH))
            || (verdicts.careful && !verdicts.taken.insert((batch.id, BATCH)))
            || (work.replayed.contains(&batch.id) && !letters.contains_key(&batch.id));
        verdicts.settled.push(settled_before);
        if settled_before {
            verdicts.batches.push(vec![EventOutcome::Duplicate; batch.events.len()]);
            continue;
        }
        let mut failed = item.failed.iter().map(|failed| failed.index).peekable();
        let judge = |(index, event): (usize, &'w Event<'w>)| {
            let key = (event.id, batch.project.as_str());
            if failed.next_if_eq(&index).is_some() {
                EventOutcome::DeadLettered
            } else if event.timestamp < cutoff {
                EventOutcome::Expired
            } else if known.contains(&key) || (verdicts.careful && !verdicts.taken.insert(key)) {
                EventOutcome::Duplicate
            } else {
                EventOutcome::Stored
            }
        };
        let ends = batch.events.iter().enumerate().map(judge).collect();
        verdicts.batches.push(ends);
    }
    verdicts
}

/// Decides what is written of the judged work, and what is not, since it is erased.
///
/// An event that a tombstone covers is erased, whatever else it would be. The replay of a dead letter was counted as accepted
/// with its first batch, and leaves the count `dead_lettered`.
pub(crate) fn settle<'w>(
    work: &'w Ingest<'_>,
    candidates: &Candidates<'w>,
    known: &HashSet<Key<'w>>,
    letters: &HashMap<DeadLetterId, OldLetter>,
    verdicts: Verdicts<'w>,
    tombstones: &Tombstones,
    now: Timestamp,
) -> Settlement<'w> {
    let mut settled = Settlement { outcomes: Vec::with_capacity(work.batches.len()), ..Settlement::default() };
    let mut rollups: HashMap<(&'w str, i64, &'static str, &'w str), i64> = HashMap::new();
    let mut sessions: HashMap<Session<'w>, Identity<'w>> = HashMap::new();
    let mut receipts: BTreeMap<(&'w str, i64, &'static str, &'w str), i64> = BTreeMap::new();
    let mut newest: BTreeMap<&'w str, Timestamp> = BTreeMap::new();

    for ((item, ends), settled_before) in work.batches.iter().zip(verdicts.batches).zip(verdicts.settled) {
        let batch = item.batch.as_ref();
        let project = batch.project.as_str();
        let day = batch.received_at.utc_day();
        let letter = letters.get(&batch.id).filter(|_| work.replayed.contains(&batch.id));
        let mut counts = [0_i64; 5];
        let mut outcome = BatchOutcome { events: ends };
        let mut failed = item.failed.iter().peekable();
        for (index, (event, end)) in batch.events.iter().zip(&mut outcome.events).enumerate() {
            let failure = failed.next_if(|failure| failure.index == index).filter(|_| !settled_before);
            if *end != EventOutcome::Expired && tombstones.cover(project, event, batch.received_at) {
                *end = EventOutcome::Erased;
            }
            match (*end, failure) {
                (EventOutcome::DeadLettered, Some(failure)) => {
                    settled.letters.push(new_letter(batch, event, &failure.reason, item.attempt, letter, now));
                }
                (EventOutcome::Erased, Some(_)) => settled.remember.push((event.id, project)),
                (EventOutcome::Stored, _) => {
                    settled.rows.push(FreshRow { project, created_at: batch.received_at, event });
                    let event_day = event.timestamp.utc_day();
                    *rollups.entry((project, event_day, "event_type", &event.event_type)).or_default() += 1;
                    *rollups.entry((project, event_day, "event_action", &event.event_action)).or_default() += 1;
                    if let Some(user) = &event.user_id {
                        let first = (event.timestamp, event.id, user.as_ref());
                        sessions
                            .entry((event.session_id.as_ref(), project))
                            .and_modify(|(known, last)| {
                                *known = first.min(*known);
                                *last = event.timestamp.max(*last);
                            })
                            .or_insert((first, event.timestamp));
                    }
                }
                _ => {}
            }
            counts[*end as usize] += 1;
        }
        if settled_before {
            settled.outcomes.push(outcome);
            continue;
        }

        if counts[EventOutcome::Stored as usize] > 0 {
            let receipt = newest.entry(project).or_insert(batch.received_at);
            *receipt = batch.received_at.max(*receipt);
        }
        let mut count = |kind, reason: &'w str, events: i64| {
            if events != 0 {
                *receipts.entry((project, day, kind, reason)).or_default() += events;
            }
        };
        let all = batch.events.len() as i64;
        if letter.is_some() {
            count("dead_lettered", "", -all);
        } else {
            count("accepted", "", all);
            for (code, events) in &batch.refused {
                count("rejected", code, i64::from(*events));
            }
        }
        for (end, kind) in KINDS {
            count(kind, "", counts[end as usize]);
        }
        settled.outcomes.push(outcome);
    }

    if verdicts.careful {
        let is_taken = |key: &Key<'w>| known.contains(key) || verdicts.taken.contains(key);
        settled.forget.extend(candidates.keys.iter().filter(|key| !is_taken(key)));
    }
    settled.remember.sort_unstable();
    settled
        .letters
        .extend(work.unreadable.iter().map(|letter| NewLetter { letter: letter.clone(), received_day: None }));
    settled.letters.sort_by_key(|letter| letter.letter.id);
    settled.rollups = sorted_rollups(rollups);
    settled.quarters = changed_quarters(&settled.rows);
    settled.sessions = sessions
        .into_iter()
        .map(|((session_id, project), ((timestamp, id, user_id), last_timestamp))| SessionUser {
            session_id,
            project,
            timestamp,
            id,
            user_id,
            last_timestamp,
        })
        .collect();
    settled.sessions.sort_unstable();
    settled.receipts = receipts
        .into_iter()
        .filter(|(_, count)| *count != 0)
        .map(|((project, day, kind, reason), count)| ReceiptCount { project, day, kind, reason, count })
        .collect();
    settled.newest = newest.into_iter().collect();
    settled
}

/// A session and its project.
type Session<'w> = (&'w str, &'w str);

/// The time, id and user of a session's first named event, and the time of its last.
type Identity<'w> = ((Timestamp, Uuid, &'w str), Timestamp);

/// The outcomes as `receipt_counts` names them.
const KINDS: [(EventOutcome, &str); 5] = [
    (EventOutcome::Stored, "stored"),
    (EventOutcome::Duplicate, "duplicate"),
    (EventOutcome::Expired, "expired"),
    (EventOutcome::DeadLettered, "dead_lettered"),
    (EventOutcome::Erased, "erased"),
];

/// Where rows were added, each once.
fn changed_quarters<'w>(rows: &[FreshRow<'w>]) -> Vec<(&'w str, i64)> {
    let mut quarters: Vec<(&str, i64)> = Vec::new();
    for row in rows {
        let quarter = (row.project, Quarter::of(row.event.timestamp).0);
        // The rows of a transaction mostly lie in one.
        if quarters.last() != Some(&quarter) {
            quarters.push(quarter);
        }
    }
    quarters.sort_unstable();
    quarters.dedup();
    quarters
}

/// The rollups by dimension and, as their sum by event type, those without one.
fn sorted_rollups<'w>(by_dimension: HashMap<(&'w str, i64, &'static str, &'w str), i64>) -> Vec<Rollup<'w>> {
    let mut totals: BTreeMap<(&'w str, i64), i64> = BTreeMap::new();
    let mut rollups: Vec<Rollup<'w>> = by_dimension
        .into_iter()
        .map(|((project, day, dimension_key, dimension_value), count)| {
            if dimension_key == "event_type" {
                *totals.entry((project, day)).or_default() += count;
            }
            Rollup { project, day, dimension_key, dimension_value, count }
        })
        .collect();
    rollups.extend(totals.into_iter().map(|((project, day), count)| Rollup {
        project,
        day,
        dimension_key: "",
        dimension_value: "",
        count,
    }));
    rollups.sort_unstable();
    rollups
}

/// The dead letter of an event. Its key is also the id of the envelope of one in its payload: that is how its replay is
/// known for one, and counts once.
fn new_letter(
    batch: &Batch<'_>,
    event: &Event<'_>,
    reason: &DeadLetterReason,
    attempt: u32,
    old: Option<&OldLetter>,
    now: Timestamp,
) -> NewLetter {
    let id = uuid_at(now);
    let envelope = Batch {
        id,
        project: batch.project.clone(),
        received_at: batch.received_at,
        refused: Vec::new(),
        context: batch.context.clone(),
        events: vec![event.clone()],
    };
    let letter = DeadLetter {
        id,
        project: batch.project.clone(),
        event_id: Some(event.id),
        payload: envelope.encode(),
        reason: reason.clone(),
        attempts: old.map_or(attempt, |old| old.attempts.saturating_add(1)),
        first_failed_at: old.map_or(now, |old| old.first_failed_at),
        last_failed_at: now,
        replay_requested: false,
    };
    NewLetter { letter, received_day: Some(batch.received_at.utc_day()) }
}

/// A UUIDv7 of `now`.
fn uuid_at(now: Timestamp) -> Uuid {
    let millis = u64::try_from(now.as_millis()).unwrap_or(0);
    let random = Uuid::new_v4();
    let mut bytes = [0_u8; 10];
    bytes.copy_from_slice(&random.as_bytes()[6..]);
    uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid()
}

/// The project of a stored name; `default` where the row was written by hand with a name that breaks the rule.
pub(crate) fn stored_project(name: &str) -> Project {
    Project::new(name).unwrap_or_default()
}

/// `YYYY-MM-DD` of a UTC day counted from 1970-01-01.
#[cfg(feature = "sqlite")]
pub(crate) fn date_text(day: i64) -> String {
    let (year, month, day) = analytics_domain::timestamp::civil_from_days(day);
    format!("{year:04}-{month:02}-{day:02}")
}

/// The inverse of [`date_text`]; `None` where the text is no date.
#[cfg(feature = "sqlite")]
pub(crate) fn day_of_text(text: &str) -> Option<i64> {
    let mut parts = text.splitn(3, '-');
    let year = parts.next()?.parse().ok()?;
    let month = parts.next()?.parse().ok()?;
    let day = parts.next()?.parse().ok()?;
    Some(analytics_domain::timestamp::days_from_civil(year, month, day))
}
