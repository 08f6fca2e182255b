//! Blocks of quarters, and what each of them counts: of all its events, and of those of each type and of each action.
//!
//! A question about many days merges the sets of blocks, which costs a word for 64 sessions that follow each other and no look
//! at any event.

use std::collections::{BTreeMap, BTreeSet};

use analytics_domain::Timestamp;

use crate::bytes::{Corrupt, Reader, put_number, put_text};
use crate::encoded_set::EncodedSet;
use crate::{ACTORS, Column, EVENT_ACTION, EVENT_TYPE, NumberSet, Quarter, Segment};

const VERSION: u8 = 1;

/// Four hours: sixteen quarters, counted from 1970-01-01T00:00Z. A UTC day has six, and most of a day of any other zone lies in
/// five.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Block(pub i64);

impl Block {
    /// How many quarters it has, as a power of two: what SQL moves a quarter's number by.
    pub const SHIFT: u32 = 4;

    /// The block that holds a quarter.
    #[must_use]
    pub const fn of(quarter: Quarter) -> Self {
        Self(quarter.0 >> Self::SHIFT)
    }

    /// Its first quarter.
    #[must_use]
    pub const fn first(self) -> Quarter {
        Quarter(self.0.saturating_mul(1 << Self::SHIFT))
    }

    /// The first quarter after it.
    #[must_use]
    pub const fn after(self) -> Quarter {
        Self(self.0.saturating_add(1)).first()
    }

    /// Its first instant.
    #[must_use]
    pub const fn start(self) -> Timestamp {
        self.first().start()
    }

    /// The first instant after it.
    #[must_use]
    pub const fn end(self) -> Timestamp {
        self.after().start()
    }
}

/// The columns of quarters that a block is made of.
pub const BLOCK_SOURCES: [&str; 4] = [ACTORS, crate::ACTOR, EVENT_TYPE, EVENT_ACTION];

/// What is counted of some of a block's events.
#[derive(Debug, Default)]
struct Count {
    events: u64,
    sessions: NumberSet,
    /// The users that events carry.
    users: NumberSet,
    /// Sessions of events that carry none, where the session is known by none either.
    strangers: NumberSet,
    /// The others of them, and the user that each is known by.
    known: BTreeSet<(u32, u32)>,
}

impl Count {
    fn take(&mut self, session: u32, user: u32, known: u32) {
        self.sessions.insert(session);
        match (user, known) {
            (0, 0) => self.strangers.insert(session),
            (0, known) => {
                self.known.insert((session, known));
            }
            (user, _) => self.users.insert(user),
        }
    }

    fn put(&mut self, text: Option<&str>, bytes: &mut Vec<u8>) {
        put_number(bytes, self.events);
        match text {
            None => bytes.push(0),
            Some(text) => {
                bytes.push(1);
                put_text(bytes, text);
            }
        }
        for set in [&mut self.sessions, &mut self.users, &mut self.strangers] {
            let mut own = Vec::new();
            set.encode(&mut own);
            put_number(bytes, own.len() as u64);
            bytes.append(&mut own);
        }
        put_number(bytes, self.known.len() as u64);
        let mut before = 0;
        for (session, user) in &self.known {
            put_number(bytes, u64::from(session - before));
            put_number(bytes, u64::from(*user));
            before = *session;
        }
    }
}

/// A block in the making: takes its quarters in, whatever their order.
#[derive(Debug, Default)]
pub struct BlockMaker {
    all: Count,
    by_type: BTreeMap<Box<str>, Count>,
    by_action: BTreeMap<Box<str>, Count>,
}

impl BlockMaker {
    /// Takes a quarter, or a part of one, that has the columns [`BLOCK_SOURCES`].
    ///
    /// # Errors
    /// [`Corrupt`].
    pub fn take(&mut self, segment: &Segment) -> Result<(), Corrupt> {
        let actors = segment.actors()?;
        let pair = |pair: usize| {
            let at = |numbers: &[u32]| numbers.get(pair).copied().unwrap_or(0);
            (at(&actors.sessions), at(&actors.users), at(&actors.known))
        };
        self.all.events += u64::from(actors.events);
        for (session, user, known) in (0..actors.len()).map(pair) {
            self.all.take(session, user, known);
        }
        let pairs = segment.actor(&actors)?;
        for (name, counts) in [(EVENT_TYPE, &mut self.by_type), (EVENT_ACTION, &mut self.by_action)] {
            let texts = segment.texts(&actors, name)?.ok_or(Corrupt("it is not there"))?;
            let mut found: Vec<(u32, u32)> = texts.codes.iter().copied().zip(pairs.iter().copied()).collect();
            found.sort_unstable();
            for events in found.chunk_by(|(one, _), (other, _)| one == other) {
                let text = events.first().and_then(|(code, _)| texts.values.get((*code as usize).checked_sub(1)?));
                let text = *text.ok_or(Corrupt("an event has no type or action"))?;
                if !counts.contains_key(text) {
                    counts.insert(text.into(), Count::default());
                }
                let Some(count) = counts.get_mut(text) else { continue };
                count.events += events.len() as u64;
                for same in events.chunk_by(|(_, one), (_, other)| one == other) {
                    let (session, user, known) = pair(same.first().map_or(0, |(_, pair)| *pair as usize));
                    count.take(session, user, known);
                }
            }
        }
        Ok(())
    }

    /// Whether it has no events.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.all.events == 0
    }

    /// What it counts: of all events under [`ACTORS`], and by type and by action under the names of these columns.
    #[must_use]
    pub fn columns(mut self) -> [Column; 3] {
        let named = |name: &str, data| Column { name: name.to_owned(), data };
        let by = |counts: BTreeMap<Box<str>, Count>| {
            let mut bytes = vec![VERSION];
            put_number(&mut bytes, counts.len() as u64);
            counts.into_iter().for_each(|(text, mut count)| count.put(Some(&text), &mut bytes));
            bytes
        };
        let mut all = vec![VERSION, 1];
        self.all.put(None, &mut all);
        [named(ACTORS, all), named(EVENT_TYPE, by(self.by_type)), named(EVENT_ACTION, by(self.by_action))]
    }
}

/// What a block counts of the events of one text, or of all; read from its bytes where it is asked for.
#[derive(Debug, Clone, Copy)]
pub struct BlockCount<'b> {
    /// How many events.
    pub events: u64,
    /// Their type or action; `None` where it is all of the block's events.
    pub text: Option<&'b str>,
    sessions: EncodedSet<'b>,
    users: EncodedSet<'b>,
    strangers: EncodedSet<'b>,
    known: Reader<'b>,
    known_count: usize,
}

impl<'b> BlockCount<'b> {
    /// Every count of a block's column.
    ///
    /// # Errors
    /// [`Corrupt`].
    pub fn all(bytes: &'b [u8]) -> Result<Vec<Self>, Corrupt> {
        let mut reader = Reader::new(bytes, VERSION)?;
        (0..reader.count()?).map(|_| Self::read(&mut reader)).collect()
    }

    /// How many events a block has, of its column [`ACTORS`]; the first [`BlockCount::HEAD`] bytes are enough.
    ///
    /// # Errors
    /// [`Corrupt`].
    pub fn events_of(bytes: &[u8]) -> Result<u64, Corrupt> {
        let mut reader = Reader::new(bytes, VERSION)?;
        match reader.number()? {
            1 => reader.number(),
            _ => Err(Corrupt("it is not of all events")),
        }
    }

    /// So many bytes at the beginning of a column tell how many events there are.
    pub const HEAD: usize = 12;

    fn read(reader: &mut Reader<'b>) -> Result<Self, Corrupt> {
        let events = reader.number()?;
        let text = if reader.take(1)? == [0] { None } else { Some(reader.text()?) };
        let mut set = || {
            let length = reader.count()?;
            reader.take(length).map(EncodedSet::new)
        };
        let (sessions, users, strangers) = (set()?, set()?, set()?);
        let known_count = reader.count()?;
        let known = *reader;
        for _ in 0..known_count {
            let _ = (reader.small()?, reader.small()?);
        }
        Ok(Self { events, text, sessions, users, strangers, known, known_count })
    }

    /// Adds its sessions to a set.
    ///
    /// # Errors
    /// [`Corrupt`].
    pub fn add_sessions(&self, set: &mut NumberSet) -> Result<(), Corrupt> {
        self.sessions.add_to(set)
    }

    /// Adds the users that its events carry to a set.
    ///
    /// # Errors
    /// [`Corrupt`].
    pub fn add_users(&self, set: &mut NumberSet) -> Result<(), Corrupt> {
        self.users.add_to(set)
    }

    /// Adds the sessions of events without user that were known by nobody to a set.
    ///
    /// # Errors
    /// [`Corrupt`].
    pub fn add_strangers(&self, set: &mut NumberSet) -> Result<(), Corrupt> {
        self.strangers.add_to(set)
    }

    /// The sessions of events without user that were known by nobody.
    ///
    /// # Errors
    /// [`Corrupt`].
    pub fn strangers(&self) -> Result<Vec<u32>, Corrupt> {
        self.strangers.numbers()
    }

    /// The sessions of events without user that were known by one, and by whom; a session may come again with another one.
    ///
    /// # Errors
    /// [`Corrupt`].
    pub fn known(&self) -> Result<Vec<(u32, u32)>, Corrupt> {
        let mut reader = self.known;
        let mut session = 0_u32;
        let mut next = || {
            session = session.checked_add(reader.small()?).ok_or(Corrupt("a session's number is too large"))?;
            Ok((session, reader.small()?))
        };
        (0..self.known_count).map(|_| next()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EventRow, columns};

    fn segment(rows: &[(u32, u32, u32, &str, &str)]) -> Segment {
        let rows: Vec<EventRow<'_>> = rows
            .iter()
            .map(|(session, user, known, event_type, event_action)| EventRow {
                timestamp: Timestamp::from_micros(0),
                session: *session,
                user: *user,
                known: *known,
                event_type,
                event_action,
                metadata: "{}",
            })
            .collect();
        Segment::new(Quarter(0), columns(&rows))
    }

    fn numbers(add: impl Fn(&mut NumberSet) -> Result<(), Corrupt>) -> usize {
        let mut set = NumberSet::default();
        add(&mut set).unwrap();
        set.count()
    }

    #[test]
    fn a_block_counts_all_and_each_text() {
        let mut maker = BlockMaker::default();
        maker
            .take(&segment(&[(1, 7, 0, "page", "view"), (1, 0, 7, "page", "click"), (2, 0, 0, "page", "view")]))
            .unwrap();
        maker
            .take(&segment(&[(2, 0, 0, "shop", "view"), (3, 8, 0, "shop", "buy"), (2, 0, 0, "shop", "view")]))
            .unwrap();
        let [all, by_type, by_action] = maker.columns();
        assert_eq!([&all.name, &by_type.name, &by_action.name], [ACTORS, EVENT_TYPE, EVENT_ACTION]);
        assert_eq!(BlockCount::events_of(&all.data[..BlockCount::HEAD]).unwrap(), 6);
        let told = |data: &[u8]| {
            let counts = BlockCount::all(data).unwrap();
            let tell = |count: &BlockCount<'_>| {
                let sets = [
                    numbers(|set| count.add_sessions(set)),
                    numbers(|set| count.add_users(set)),
                    numbers(|set| count.add_strangers(set)),
                ];
                assert_eq!(count.strangers().unwrap().len(), sets[2]);
                (count.text.unwrap_or("-").to_owned(), count.events, sets, count.known().unwrap())
            };
            counts.iter().map(tell).collect::<Vec<_>>()
        };
        let row = |text: &str, events, sets, known: &[(u32, u32)]| (text.to_owned(), events, sets, known.to_vec());
        assert_eq!(told(&all.data), [row("-", 6, [3, 2, 1], &[(1, 7)])]);
        assert_eq!(told(&by_type.data), [row("page", 3, [2, 1, 1], &[(1, 7)]), row("shop", 3, [2, 1, 1], &[])]);
        let by_action = told(&by_action.data);
        assert_eq!(
            by_action.iter().map(|(text, events, ..)| (text.as_str(), *events)).collect::<Vec<_>>(),
            [("buy", 1), ("click", 1), ("view", 4)]
        );
    }

    #[test]
    fn bytes_that_are_cut_short_are_told() {
        let mut maker = BlockMaker::default();
        maker.take(&segment(&[(1, 7, 0, "page", "view"), (70_000, 0, 3, "page", "view")])).unwrap();
        let [_, by_type, _] = maker.columns();
        for length in 0..by_type.data.len() {
            let read = BlockCount::all(&by_type.data[..length]);
            assert!(read.is_err(), "{length} of {} bytes are read as {read:?}", by_type.data.len());
        }
    }

    #[test]
    fn blocks_divide_days() {
        assert_eq!(Block::of(Quarter(-1)), Block(-1));
        assert_eq!((Block(1).first(), Block(1).after()), (Quarter(16), Quarter(32)));
        assert_eq!(Block(6).start(), Quarter(96).start());
        assert_eq!(Block(5).end(), Block(6).start());
    }
}
