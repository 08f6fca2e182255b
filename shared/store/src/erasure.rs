//! A person's erasure: what is the same for every kind of store.
//!
//! What is stored goes in the transaction of the erasure. What is still queued then comes later, in any order, and is held
//! against what the erasure left behind: an instant for the person, and one for each session whose unnamed events were the
//! person's, both under a hash. Whichever way the events come,
//!
//! - no event accepted up to the erasure is the person's in the end: neither by its name nor by its session's;
//! - nothing else is gone, but for unnamed events of a session that several people named: where the erasure met it while it
//!   was known by the person, and an earlier event of somebody else was still queued, they are gone too.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use analytics_columns::Quarter;
use analytics_domain::retention::MAX_AHEAD_MICROS;
use analytics_domain::{Batch, Event, EventOutcome, Timestamp};
use analytics_query::OTHER_VALUE;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::Ingest;
use crate::refresh::{Kind, first_quarter};
use crate::settlement::{Rollup, Verdicts};

/// A person or a session of a project, as `erasures` knows it.
pub(crate) type Subject = [u8; 32];

/// The subject of a user or a session. A project's name is never empty and holds no U+0000, so parts cannot run together.
pub(crate) fn subject(kind: Kind, project: &str, name: &str) -> Subject {
    let mut hash = Sha256::new();
    for part in [kind.word(), project] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.update(name.as_bytes());
    hash.finalize().into()
}

/// The instants up to which events go, of those subjects of one transaction that have any; and how many erasures each
/// project has had.
#[derive(Debug, Default)]
pub(crate) struct Tombstones {
    until: HashMap<Subject, Timestamp>,
    counts: BTreeMap<String, Count>,
}

/// What `erasure_counters` says of a project.
#[derive(Debug, Clone, Copy)]
struct Count {
    erasures: i64,
    until: Timestamp,
}

impl Tombstones {
    /// Takes a row of `erasure_counters` in.
    pub(crate) fn count(&mut self, project: &str, erasures: i64, until: Timestamp) {
        self.counts.insert(project.to_owned(), Count { erasures, until });
    }

    /// Takes a row of `erasures` in.
    pub(crate) fn add(&mut self, subject: Subject, until: Timestamp) {
        let known = self.until.entry(subject).or_insert(until);
        *known = until.max(*known);
    }

    /// How many erasures the projects of the transaction have had, those that had any.
    #[cfg(feature = "postgres")]
    pub(crate) fn erasures(&self) -> impl Iterator<Item = (&str, i64)> {
        self.counts.iter().map(|(project, count)| (project.as_str(), count.erasures))
    }

    /// How many erasures a project has had; `None` where none.
    #[cfg(feature = "postgres")]
    pub(crate) fn erasures_of(&self, project: &str) -> Option<i64> {
        self.counts.get(project).map(|count| count.erasures)
    }

    /// Until when the last erasure of a project goes; `None` where every event that it could mean is older than `cutoff`.
    fn live(&self, project: &str, cutoff: Timestamp) -> Option<Timestamp> {
        let until = self.counts.get(project)?.until;
        (until.saturating_add_micros(MAX_AHEAD_MICROS) >= cutoff).then_some(until)
    }

    fn of(&self, kind: Kind, project: &str, name: &str) -> Option<Timestamp> {
        if self.until.is_empty() {
            return None;
        }
        self.until.get(&subject(kind, project, name)).copied()
    }

    /// Whether an event accepted at `receipt` is erased.
    pub(crate) fn cover(&self, project: &str, event: &Event<'_>, receipt: Timestamp) -> bool {
        if self.until.is_empty() {
            return false;
        }
        let (kind, name) = match &event.user_id {
            Some(user) => (Kind::User, user),
            None => (Kind::Session, &event.session_id),
        };
        self.of(kind, project, name).is_some_and(|until| receipt <= until)
    }

    /// The subjects of the work that may have tombstones: of every named event its user, for one that comes back names
    /// sessions; of unnamed ones accepted before an erasure the session.
    pub(crate) fn subjects(&self, work: &Ingest<'_>, cutoff: Timestamp) -> Vec<Subject> {
        let mut names: HashSet<(Kind, &str, &str)> = HashSet::new();
        for batch in work.batches.iter().map(|item| item.batch.as_ref()) {
            let project = batch.project.as_str();
            let Some(until) = self.live(project, cutoff) else { continue };
            for event in &batch.events {
                match &event.user_id {
                    Some(user) => drop(names.insert((Kind::User, project, user))),
                    None if batch.received_at <= until => {
                        names.insert((Kind::Session, project, &event.session_id));
                    }
                    None => {}
                }
            }
        }
        names.into_iter().map(|(kind, project, name)| subject(kind, project, name)).collect()
    }
}

/// A session whose first named event, as far as the work shows, is of somebody who was erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Claim<'w> {
    /// The session's project.
    pub(crate) project: &'w str,
    /// The session.
    pub(crate) session: &'w str,
    /// Until when the person was erased.
    pub(crate) until: Timestamp,
    /// The time and id of the event.
    pub(crate) first: (Timestamp, Uuid),
}

impl Claim<'_> {
    /// The session's subject.
    pub(crate) fn subject(&self) -> Subject {
        subject(Kind::Session, self.project, self.session)
    }

    /// Whether the session is the person's, where `row` is the event that it is known by so far.
    pub(crate) fn holds(&self, row: Option<(Timestamp, Uuid)>) -> bool {
        row.is_none_or(|row| self.first <= row)
    }

    /// The first quarter that holds no event accepted before the erasure.
    pub(crate) fn end(&self) -> i64 {
        Quarter::of(self.until.saturating_add_micros(MAX_AHEAD_MICROS)).0 + 1
    }
}

/// The sessions that the work's new events claim for people who were erased, sorted: whether such an event is stored or
/// dropped, the session's unnamed events accepted before the erasure were the person's.
pub(crate) fn claims<'w>(work: &'w Ingest<'_>, verdicts: &Verdicts<'w>, tombstones: &Tombstones) -> Vec<Claim<'w>> {
    if tombstones.until.is_empty() {
        return Vec::new();
    }
    let mut firsts: HashMap<(&'w str, &'w str), (Timestamp, Uuid, &'w str)> = HashMap::new();
    for (item, ends) in work.batches.iter().zip(&verdicts.batches) {
        let batch: &'w Batch<'w> = item.batch.as_ref();
        for (event, _) in batch.events.iter().zip(ends).filter(|(_, end)| **end == EventOutcome::Stored) {
            let Some(user) = &event.user_id else { continue };
            let named = (event.timestamp, event.id, user.as_ref());
            firsts
                .entry((batch.project.as_str(), event.session_id.as_ref()))
                .and_modify(|first| *first = named.min(*first))
                .or_insert(named);
        }
    }
    let mut claims: Vec<Claim<'w>> = firsts
        .into_iter()
        .filter_map(|((project, session), (timestamp, id, user))| {
            let until = tombstones.of(Kind::User, project, user)?;
            Some(Claim { project, session, until, first: (timestamp, id) })
        })
        .collect();
    claims.sort_unstable();
    claims
}

impl Tombstones {
    /// Whether a claim says nothing new.
    pub(crate) fn know(&self, claim: &Claim<'_>) -> bool {
        self.until.get(&claim.subject()).is_some_and(|until| claim.until <= *until)
    }
}

/// Raw rows that were deleted.
#[derive(Debug, Default)]
pub(crate) struct Gone {
    /// How many.
    pub(crate) events: u64,
    /// The sessions that they lay in.
    pub(crate) sessions: BTreeSet<String>,
    /// The quarters that they lay in.
    pub(crate) quarters: BTreeSet<i64>,
    counts: BTreeMap<(i64, &'static str, String), i64>,
}

impl Gone {
    /// Takes a deleted row in.
    pub(crate) fn add(&mut self, session: &str, timestamp: Timestamp, event_type: &str, event_action: &str) {
        self.events += 1;
        if !self.sessions.contains(session) {
            self.sessions.insert(session.to_owned());
        }
        self.quarters.insert(Quarter::of(timestamp).0);
        let day = timestamp.utc_day();
        for (key, value) in [("", ""), ("event_type", event_type), ("event_action", event_action)] {
            *self.counts.entry((day, key, value.to_owned())).or_default() += 1;
        }
    }

    /// What the rows counted for, by day, dimension and value, sorted.
    pub(crate) fn rollups<'g>(&'g self, project: &'g str) -> Vec<Rollup<'g>> {
        let rollup = |(key, count): (&'g (i64, &'static str, String), &'g i64)| {
            let (day, dimension_key, value) = key;
            Rollup { project, day: *day, dimension_key, dimension_value: value, count: *count }
        };
        self.counts.iter().map(rollup).collect()
    }

    /// The same without those rows of `daily_metrics` that were found, by day and dimension: what is counted under no value of
    /// its own.
    pub(crate) fn rest<'g>(&self, project: &'g str, found: &BTreeSet<(i64, String, String)>) -> Vec<Rollup<'g>> {
        let mut rest: BTreeMap<(i64, &'static str), i64> = BTreeMap::new();
        for ((day, key, value), count) in &self.counts {
            if !found.contains(&(*day, (*key).to_owned(), value.clone())) {
                *rest.entry((*day, key)).or_default() += count;
            }
        }
        rest.into_iter()
            .map(|((day, dimension_key), count)| Rollup {
                project,
                day,
                dimension_key,
                dimension_value: OTHER_VALUE,
                count,
            })
            .collect()
    }
}

/// Who a session is known by after an erasure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Known {
    /// Its first named event, and whose it is.
    pub(crate) first: (Timestamp, Uuid, String),
    /// The time of its last named event.
    pub(crate) last: Timestamp,
}

/// The raw rows that are left of sessions and a person of whom some were deleted.
#[derive(Debug, Default)]
pub(crate) struct Remains {
    /// The sessions that have rows, and who they are known by.
    pub(crate) sessions: BTreeMap<String, Option<Known>>,
    /// Whether the person has rows.
    pub(crate) person: bool,
}

impl Remains {
    /// Takes a row in that is still there.
    pub(crate) fn add(&mut self, session: &str, user: Option<&str>, timestamp: Timestamp, id: Uuid, is_person: bool) {
        self.person |= is_person;
        if !self.sessions.contains_key(session) {
            self.sessions.insert(session.to_owned(), None);
        }
        let (Some(known), Some(user)) = (self.sessions.get_mut(session), user) else { return };
        match known {
            None => *known = Some(Known { first: (timestamp, id, user.to_owned()), last: timestamp }),
            Some(known) => {
                if (timestamp, id) < (known.first.0, known.first.1) {
                    known.first = (timestamp, id, user.to_owned());
                }
                known.last = timestamp.max(known.last);
            }
        }
    }
}

/// Ranges beyond which those less than a day apart are read as one: each is a statement with all names.
const MANY_RANGES: usize = 64;

/// Where raw rows can lie of names that were seen in the quarters of `spans`: there, and in quarters whose columns are still
/// to be made. Gives instants, each range without its end; none reaches beyond the quarter `end`.
pub(crate) fn ranges(marks: &[i64], spans: &[(i64, i64)], end: i64) -> Vec<(Timestamp, Timestamp)> {
    let mut spans: Vec<(i64, i64)> = spans
        .iter()
        .map(|(first, last)| (*first, last + 1))
        .chain(marks.iter().map(|quarter| (*quarter, quarter + 1)))
        .map(|(from, to)| (from, to.min(end)))
        .filter(|(from, to)| from < to)
        .collect();
    spans.sort_unstable();
    let mut merged = merge(&spans, 0);
    if merged.len() > MANY_RANGES {
        merged = merge(&merged, first_quarter(1));
    }
    merged.into_iter().map(|(from, to)| (Quarter(from).start(), Quarter(to).start())).collect()
}

/// Sorted ranges put together where they lie at most `gap` apart.
fn merge(ranges: &[(i64, i64)], gap: i64) -> Vec<(i64, i64)> {
    let mut merged: Vec<(i64, i64)> = Vec::new();
    for (from, to) in ranges {
        match merged.last_mut() {
            Some((_, end)) if *from <= *end + gap => *end = *to.max(end),
            _ => merged.push((*from, *to)),
        }
    }
    merged
}

/// Whose events go: a person's, and the unnamed ones of sessions.
#[derive(Debug)]
pub(crate) struct Erased<'e> {
    /// The project.
    pub(crate) project: &'e str,
    /// The person; `None` where only sessions are meant.
    pub(crate) user: Option<&'e str>,
    /// The sessions.
    pub(crate) sessions: BTreeSet<String>,
    /// Events accepted up to here go.
    pub(crate) until: Timestamp,
    /// The first quarter that holds none of them.
    pub(crate) end: i64,
}

/// What an erasure takes of a dead letter.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Trimmed {
    /// The events that go.
    pub(crate) gone: Vec<Uuid>,
    /// The letter's payload without them; `None` where nothing is left of it.
    pub(crate) rest: Option<Vec<u8>>,
}

impl Erased<'_> {
    /// What goes of a dead letter; `None` where nothing does, also where it cannot be read and so is nobody's.
    pub(crate) fn trim(&self, payload: &[u8]) -> Option<Trimmed> {
        let mut batch = Batch::decode(payload).ok().filter(|batch| batch.received_at <= self.until)?;
        let mut gone = Vec::new();
        batch.events.retain(|event| {
            let is_erased = match event.user_id.as_deref() {
                Some(user) => self.user == Some(user),
                None => self.sessions.contains(event.session_id.as_ref()),
            };
            if is_erased {
                gone.push(event.id);
            }
            !is_erased
        });
        let rest = (!batch.events.is_empty()).then(|| batch.encode());
        (!gone.is_empty()).then_some(Trimmed { gone, rest })
    }
}

/// Claims put together that can be swept at once: of one project, and until one instant.
pub(crate) fn swept<'w>(claims: &[Claim<'w>]) -> Vec<Erased<'w>> {
    let mut swept: BTreeMap<(&'w str, Timestamp), Erased<'w>> = BTreeMap::new();
    for claim in claims {
        swept
            .entry((claim.project, claim.until))
            .or_insert_with(|| Erased {
                project: claim.project,
                user: None,
                sessions: BTreeSet::new(),
                until: claim.until,
                end: claim.end(),
            })
            .sessions
            .insert(claim.session.to_owned());
    }
    swept.into_values().collect()
}

#[cfg(test)]
mod tests {
    use analytics_domain::Project;

    use super::*;

    fn quarters(marks: &[i64], spans: &[(i64, i64)], end: i64) -> Vec<(i64, i64)> {
        ranges(marks, spans, end).into_iter().map(|(from, to)| (Quarter::of(from).0, Quarter::of(to).0)).collect()
    }

    #[test]
    fn rows_are_looked_for_where_they_can_be_and_nowhere_else() {
        assert_eq!(quarters(&[], &[], i64::MAX), []);
        assert_eq!(quarters(&[7, 3], &[(4, 5), (9, 9), (4, 4)], i64::MAX), [(3, 6), (7, 8), (9, 10)]);
        assert_eq!(quarters(&[7, 3], &[(4, 5), (6, 12)], 6), [(3, 6)], "before the end only");
        // Very many are read together, where they are not far from each other.
        let hourly: Vec<i64> = (0..100).map(|hour| hour * 4).collect();
        assert_eq!(quarters(&hourly, &[(10_000, 10_001)], i64::MAX), [(0, 397), (10_000, 10_002)]);
    }

    #[test]
    fn a_subject_is_of_one_kind_in_one_project() {
        let all = [
            subject(Kind::User, "shop", "ann"),
            subject(Kind::Session, "shop", "ann"),
            subject(Kind::User, "shopa", "nn"),
            subject(Kind::User, "shop", "anna"),
        ];
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
    }

    #[test]
    fn of_an_entry_that_was_put_aside_whole_the_others_are_kept() {
        let event = |id: u128, session: &'static str, user: Option<&'static str>| Event {
            id: Uuid::from_u128(id),
            client_id: true,
            session_id: session.into(),
            user_id: user.map(Into::into),
            event_type: "t".into(),
            event_action: "a".into(),
            metadata: "{}".into(),
            timestamp: Timestamp::from_micros(0),
        };
        let batch = |events| Batch {
            id: Uuid::nil(),
            project: Project::default(),
            received_at: Timestamp::from_micros(10),
            refused: Vec::new(),
            context: None,
            events,
        };
        let erased = |until| Erased {
            project: "default",
            user: Some("ann"),
            sessions: BTreeSet::from(["hers".to_owned()]),
            until: Timestamp::from_micros(until),
            end: i64::MAX,
        };
        let (hers, others) = (
            [event(1, "x", Some("ann")), event(2, "hers", None)],
            [event(3, "hers", Some("bob")), event(4, "x", None)],
        );
        let mixed = batch([hers.as_slice(), others.as_slice()].concat()).encode();
        let ids = |events: &[Event<'_>]| events.iter().map(|event| event.id).collect::<Vec<_>>();
        let kept = Trimmed { gone: ids(&hers), rest: Some(batch(others.to_vec()).encode()) };
        assert_eq!(erased(10).trim(&mixed), Some(kept));
        assert_eq!(erased(9).trim(&mixed), None, "accepted after it");
        assert_eq!(erased(10).trim(&batch(hers.to_vec()).encode()), Some(Trimmed { gone: ids(&hers), rest: None }));
        assert_eq!(erased(10).trim(&batch(others.to_vec()).encode()), None);
        assert_eq!(erased(10).trim(b"no entry of ours"), None);
    }
}
