//! Sessions whose row of `session_users` needs no change, so that most events of a session do not look it up again.
//!
//! What is known of a row stays true while the row is there: its first event only moves back in time, its last only forward.
//! A row is deleted by upkeep when its last event is past the retention, and such a session's next event is far enough ahead
//! to be written. An erasure deletes rows and moves their first events ahead, in whichever process: it moves the project's
//! number of erasures, which each transaction reads, and with it everything that is known here is forgotten. For whoever else
//! deletes a row, nothing is known for longer than two lifetimes.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use analytics_domain::Timestamp;
use uuid::Uuid;

use crate::erasure::Tombstones;
use crate::settlement::SessionUser;

/// Sessions of a generation at most; there are two.
const GENERATION: usize = 32_768;

/// How long a generation takes new ones.
const LIFETIME: Duration = Duration::from_secs(5);

/// How far an event may lie behind the last one that was written for its session without being written itself. With the 23
/// hours that the statement leaves out, a row's `last_timestamp` is at most a day behind.
const UNWRITTEN_MICROS: i64 = 3_600_000_000;

/// A session and its project, by two hashes under keys of this process: names of any length take the same room.
type Name = (u64, u64);

/// At most the row's first event, at least its last, as far as this process has written them.
#[derive(Debug, Clone, Copy)]
struct Seen {
    first: (Timestamp, Uuid),
    last: Timestamp,
}

/// What this process knows of the rows that it wrote lately.
#[derive(Debug, Default)]
pub(super) struct KnownSessions {
    hashers: (RandomState, RandomState),
    generations: Mutex<Generations>,
}

#[derive(Debug, Default)]
struct Generations {
    /// The numbers of erasures that the transactions of this process have read, by project.
    erasures: HashMap<u64, i64>,
    young: HashMap<Name, Seen>,
    old: HashMap<Name, Seen>,
    began: Option<Instant>,
}

impl KnownSessions {
    /// Those of `sessions` whose rows may have to change, in their order; `tombstones` as the transaction has read them.
    pub(super) fn to_write<'s, 'w>(
        &self,
        sessions: &'s [SessionUser<'w>],
        tombstones: &Tombstones,
        now: Instant,
    ) -> Vec<&'s SessionUser<'w>> {
        let mut generations = self.generations(now);
        for (project, erasures) in tombstones.erasures() {
            let project = self.hashers.0.hash_one(project);
            if generations.erasures.insert(project, erasures) != Some(erasures) {
                generations.young.clear();
                generations.old.clear();
            }
        }
        let needs_no_change = |session: &SessionUser<'_>| {
            generations.seen(&self.name(session)).is_some_and(|seen| {
                (session.timestamp, session.id) >= seen.first
                    && session.last_timestamp < seen.last.saturating_add_micros(UNWRITTEN_MICROS)
            })
        };
        sessions.iter().filter(|session| !needs_no_change(session)).collect()
    }

    /// Notes what was written and committed, but for projects where an erasure has come since.
    pub(super) fn wrote(&self, sessions: &[SessionUser<'_>], tombstones: &Tombstones, now: Instant) {
        let mut generations = self.generations(now);
        for session in sessions {
            let erasures = generations.erasures.get(&self.hashers.0.hash_one(session.project)).copied();
            if erasures != tombstones.erasures_of(session.project) {
                continue;
            }
            let name = self.name(session);
            let written = Seen { first: (session.timestamp, session.id), last: session.last_timestamp };
            let seen = generations.seen(&name).map_or(written, |seen| Seen {
                first: seen.first.min(written.first),
                last: seen.last.max(written.last),
            });
            generations.young.insert(name, seen);
            generations.age(now);
        }
    }

    fn name(&self, session: &SessionUser<'_>) -> Name {
        let name = (session.session_id, session.project);
        (self.hashers.0.hash_one(name), self.hashers.1.hash_one(name))
    }

    fn generations(&self, now: Instant) -> MutexGuard<'_, Generations> {
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        generations.age(now);
        generations
    }
}

impl Generations {
    fn seen(&self, name: &Name) -> Option<Seen> {
        self.young.get(name).or_else(|| self.old.get(name)).copied()
    }

    /// Begins a new generation where the young one is full or its time is over, and forgets the one before.
    fn age(&mut self, now: Instant) {
        let began = *self.began.get_or_insert(now);
        let age = now.saturating_duration_since(began);
        if self.young.len() < GENERATION && age < LIFETIME {
            return;
        }
        self.old = std::mem::take(&mut self.young);
        if age >= 2 * LIFETIME {
            self.old.clear();
        }
        self.began = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(session_id: &str, first: i64, last: i64) -> SessionUser<'_> {
        SessionUser {
            session_id,
            project: "shop",
            timestamp: Timestamp::from_micros(first),
            id: Uuid::from_u128(1),
            user_id: "u",
            last_timestamp: Timestamp::from_micros(last),
        }
    }

    #[test]
    fn only_what_would_change_a_row_is_written() {
        let (known, now) = (KnownSessions::default(), Instant::now());
        let to_write = |sessions: &[SessionUser<'_>]| known.to_write(sessions, &Tombstones::default(), now).len();
        assert_eq!(to_write(&[session("a", 100, 200)]), 1, "unknown");
        // The one of a later transaction is merged with the one of an earlier.
        known.wrote(&[session("a", 100, 200)], &Tombstones::default(), now);
        known.wrote(&[session("a", 150, 300)], &Tombstones::default(), now);
        assert_eq!(to_write(&[session("a", 100, 250)]), 0, "the first itself");
        assert_eq!(to_write(&[session("a", 101, 300 + UNWRITTEN_MICROS - 1)]), 0);
        assert_eq!(to_write(&[session("a", 101, 300 + UNWRITTEN_MICROS)]), 1, "the row falls behind");
        assert_eq!(to_write(&[session("a", 99, 99)]), 1, "an earlier first");
        assert_eq!(to_write(&[session("b", 100, 200), session("a", 100, 200)]), 1, "another session");
        let of_another_project = SessionUser { project: "blog", ..session("a", 100, 200) };
        assert_eq!(to_write(&[of_another_project]), 1);
    }

    #[test]
    fn nothing_is_known_for_longer_than_two_lifetimes() {
        let (known, begin) = (KnownSessions::default(), Instant::now());
        let is_known =
            |at: Duration| known.to_write(&[session("a", 100, 200)], &Tombstones::default(), begin + at).is_empty();
        known.wrote(&[session("a", 100, 200)], &Tombstones::default(), begin);
        assert!(is_known(LIFETIME - Duration::from_millis(1)));
        assert!(is_known(LIFETIME + Duration::from_secs(1)), "it is in the old generation");
        assert!(!is_known(2 * LIFETIME + Duration::from_secs(1)));
        known.wrote(&[session("a", 100, 200)], &Tombstones::default(), begin + 3 * LIFETIME);
        assert!(!is_known(5 * LIFETIME), "a process that did nothing meanwhile forgets it too");
    }

    #[test]
    fn an_erasure_is_told_by_the_number_that_a_transaction_reads() {
        let (known, now) = (KnownSessions::default(), Instant::now());
        let after = |erasures| {
            let mut tombstones = Tombstones::default();
            tombstones.count("shop", erasures, Timestamp::from_micros(0));
            tombstones
        };
        let sessions = [session("a", 100, 200)];
        let to_write = |tombstones: &Tombstones| known.to_write(&sessions, tombstones, now).len();
        known.wrote(&sessions, &Tombstones::default(), now);
        assert_eq!(to_write(&Tombstones::default()), 0);
        assert_eq!(to_write(&after(1)), 1, "the first erasure of the project");
        known.wrote(&sessions, &Tombstones::default(), now);
        assert_eq!(to_write(&after(1)), 1, "what a transaction before it wrote, told late");
        known.wrote(&sessions, &after(1), now);
        assert_eq!(to_write(&after(1)), 0);
        assert_eq!(to_write(&after(2)), 1);
    }

    #[test]
    fn memory_is_bounded() {
        let (known, now) = (KnownSessions::default(), Instant::now());
        for number in 0..3 * GENERATION {
            known.wrote(&[session(&number.to_string(), 0, 0)], &Tombstones::default(), now);
        }
        let generations = known.generations(now);
        assert!(generations.young.len() + generations.old.len() <= 2 * GENERATION);
    }
}
