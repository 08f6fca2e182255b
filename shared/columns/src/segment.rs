//! A quarter's columns: made of rows, and read one by one.

use std::collections::HashMap;

use analytics_domain::Timestamp;

use crate::bytes::Corrupt;
use crate::codes::{put_codes, read_codes};
use crate::{Actors, Quarter, Texts, metadata, texts, times};

/// The column of the pairs of session and user.
pub const ACTORS: &str = "actors";
/// The column of each event's pair.
pub const ACTOR: &str = "actor";
/// The column of instants.
pub const TIME: &str = "time";
/// The column of types.
pub const EVENT_TYPE: &str = "event_type";
/// The column of actions.
pub const EVENT_ACTION: &str = "event_action";

const ACTOR_VERSION: u8 = 1;

/// An event, its session and user as numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventRow<'r> {
    /// When it happened.
    pub timestamp: Timestamp,
    /// The number of its session.
    pub session: u32,
    /// The number of its user; 0 for none.
    pub user: u32,
    /// The number of the user that its session is known by; 0 for none.
    pub known: u32,
    /// Its type.
    pub event_type: &'r str,
    /// Its action.
    pub event_action: &'r str,
    /// Its metadata, a JSON object.
    pub metadata: &'r str,
}

/// A column as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its bytes.
    pub data: Vec<u8>,
}

/// The columns of events of one quarter, which are in order of (timestamp, id); none of no events.
#[must_use]
pub fn columns(rows: &[EventRow<'_>]) -> Vec<Column> {
    if rows.is_empty() {
        return Vec::new();
    }
    let (actors, actor) = Actors::collect(rows.iter().map(|row| (row.session, row.user, row.known)));
    let mut codes = vec![ACTOR_VERSION];
    put_codes(&mut codes, &actor);
    let named = |name: &str, data| Column { name: name.to_owned(), data };
    let mut columns = vec![
        named(ACTORS, actors.encode()),
        named(ACTOR, codes),
        named(TIME, times::encode(rows.iter().map(|row| row.timestamp))),
        named(EVENT_TYPE, texts::encode(rows.iter().map(|row| Some(row.event_type)))),
        named(EVENT_ACTION, texts::encode(rows.iter().map(|row| Some(row.event_action)))),
    ];
    columns.extend(metadata::encode(rows.iter().map(|row| row.metadata)));
    columns
}

/// The columns of a quarter that were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Which quarter.
    pub quarter: Quarter,
    columns: HashMap<String, Vec<u8>>,
}

impl Segment {
    /// A quarter with these columns.
    #[must_use]
    pub fn new(quarter: Quarter, columns: impl IntoIterator<Item = Column>) -> Self {
        Self { quarter, columns: columns.into_iter().map(|column| (column.name, column.data)).collect() }
    }

    /// Adds a column.
    pub fn add(&mut self, column: Column) {
        self.columns.insert(column.name, column.data);
    }

    /// The pairs of session and user.
    ///
    /// # Errors
    /// [`Corrupt`], also where the column is not there.
    pub fn actors(&self) -> Result<Actors, Corrupt> {
        Actors::decode(self.column(ACTORS)?)
    }

    /// The pair of each event.
    ///
    /// # Errors
    /// [`Corrupt`], also where the column is not there.
    pub fn actor(&self, actors: &Actors) -> Result<Vec<u32>, Corrupt> {
        let mut reader = crate::bytes::Reader::new(self.column(ACTOR)?, ACTOR_VERSION)?;
        self.of_each(actors, read_codes(&mut reader, actors.len())?)
    }

    /// The instant of each event, ascending.
    ///
    /// # Errors
    /// [`Corrupt`], also where the column is not there.
    pub fn times(&self, actors: &Actors) -> Result<Vec<Timestamp>, Corrupt> {
        self.of_each(actors, times::decode(self.column(TIME)?)?)
    }

    /// The texts of a column; `None` where the quarter has no such column.
    ///
    /// # Errors
    /// [`Corrupt`].
    pub fn texts(&self, actors: &Actors, name: &str) -> Result<Option<Texts<'_>>, Corrupt> {
        let Some(bytes) = self.columns.get(name) else { return Ok(None) };
        let Texts { values, codes } = texts::decode(bytes)?;
        Ok(Some(Texts { values, codes: self.of_each(actors, codes)? }))
    }

    fn column(&self, name: &str) -> Result<&[u8], Corrupt> {
        self.columns.get(name).map(Vec::as_slice).ok_or(Corrupt("it is not there"))
    }

    fn of_each<T>(&self, actors: &Actors, items: Vec<T>) -> Result<Vec<T>, Corrupt> {
        if items.len() == actors.events as usize { Ok(items) } else { Err(Corrupt("it is of other events")) }
    }
}
