//! Who did it: each pair of session and user that has events in the quarter, once.

use std::collections::BTreeMap;

use crate::bytes::{Corrupt, Reader, put_number};

const VERSION: u8 = 1;

/// The pairs of session and user, by session.
///
/// Sessions and users are numbers from 1 that the store gave them, each kind its own; 0 is no user.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Actors {
    /// How many events there are.
    pub events: u32,
    /// The session of each pair, ascending.
    pub sessions: Vec<u32>,
    /// The user that the pair's events carry.
    pub users: Vec<u32>,
    /// Where they carry none, the user that the session was known by when the column was made.
    pub known: Vec<u32>,
}

impl Actors {
    /// The pairs of events of (session, user, user of the session), and which pair each event has.
    pub(crate) fn collect(events: impl Iterator<Item = (u32, u32, u32)> + Clone) -> (Self, Vec<u32>) {
        let mut pairs: BTreeMap<(u32, u32), (u32, u32)> = BTreeMap::new();
        let mut count = 0;
        for (session, user, known) in events.clone() {
            count += 1;
            pairs.entry((session, user)).or_insert((0, if user == 0 { known } else { 0 }));
        }
        pairs.values_mut().zip(0..).for_each(|((code, _), index)| *code = index);
        let codes = events.map(|(session, user, _)| pairs.get(&(session, user)).map_or(0, |(code, _)| *code)).collect();
        let actors = Self {
            events: count,
            sessions: pairs.keys().map(|(session, _)| *session).collect(),
            users: pairs.keys().map(|(_, user)| *user).collect(),
            known: pairs.values().map(|(_, known)| *known).collect(),
        };
        (actors, codes)
    }

    /// How many pairs there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// Says by which user a session is known now; whether that was news.
    pub fn know(&mut self, session: u32, user: u32) -> bool {
        let from = self.sessions.partition_point(|other| *other < session);
        let mut news = false;
        for index in (from..self.len()).take_while(|index| self.sessions[*index] == session) {
            if self.users[index] == 0 && self.known[index] != user {
                self.known[index] = user;
                news = true;
            }
        }
        news
    }

    /// As bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        put_number(&mut bytes, u64::from(self.events));
        put_number(&mut bytes, self.len() as u64);
        let mut before = 0;
        for session in &self.sessions {
            put_number(&mut bytes, u64::from(session - before));
            before = *session;
        }
        self.users.iter().chain(&self.known).for_each(|user| put_number(&mut bytes, u64::from(*user)));
        bytes
    }

    /// From bytes.
    ///
    /// # Errors
    /// [`Corrupt`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Corrupt> {
        let mut reader = Reader::new(bytes, VERSION)?;
        let events = reader.small()?;
        let count = reader.count()?;
        let mut session = 0_u32;
        let mut sessions = Vec::with_capacity(count);
        for _ in 0..count {
            session = session.checked_add(reader.small()?).ok_or(Corrupt("a session's number is too large"))?;
            sessions.push(session);
        }
        let mut users = || (0..count).map(|_| reader.small()).collect::<Result<Vec<_>, _>>();
        Ok(Self { events, sessions, users: users()?, known: users()? })
    }
}
