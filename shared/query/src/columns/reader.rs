//! Rows of the statements put together to quarters.

use std::collections::HashMap;
use std::sync::Arc;

use analytics_columns::{Block, Column, Corrupt, Quarter, Segment};

use super::crew::{Crew, Left};
use super::part::{Part, RawRow};
use super::statements::Blocks;
use super::threads::{Hired, Threads};
use crate::event_record::{instant, text};
use crate::{Cell, QueryError, Row};

/// What an answer is made of, a quarter after the other.
///
/// What is made does not depend on how many takers there were, as long as the quarters of a lane were taken by one of them, in
/// their order.
pub(crate) trait Quarterly: Send + Sized + 'static {
    /// The columns that are read.
    fn columns(&self) -> Vec<String>;

    /// The blocks whose counts are taken in place of their quarters; none, where single events are looked at.
    fn blocks(&self) -> Blocks {
        Blocks::default()
    }

    /// Takes what a block has counted in place of its quarters.
    fn take_block(&mut self, _block: Block, _data: &[u8], _changed: &HashMap<u32, u32>) -> Result<(), Stop> {
        Ok(())
    }

    /// Whether the quarters of a lane may be taken by several: no sum is made, whose last bits tell the order.
    fn is_of_any_order(&self) -> bool {
        false
    }

    /// Takes a quarter in. `changed` are sessions whose user is another one than the columns say, 0 for none.
    fn take(&mut self, segment: &Segment, changed: &HashMap<u32, u32>) -> Result<(), Stop>;

    /// Another one for the same answer, that has taken nothing yet.
    fn beside(&self) -> Self;

    /// Puts what it took in order, so that taking it in costs little.
    fn settle(&mut self) {}

    /// Takes in what another one took, of other quarters.
    fn join(&mut self, other: Self) -> Result<(), Stop>;

    /// How much it holds that could be too much.
    fn weight(&self) -> usize;

    /// Most that may be held. Together two may seem to hold more than the same as one.
    fn most(&self) -> usize;

    /// Refuses where it holds too much.
    fn check(&self) -> Result<(), Stop>;
}

/// Why no more quarters are taken.
#[derive(Debug)]
pub(crate) enum Stop {
    /// A column cannot be read.
    Corrupt(Corrupt),
    /// The answer would be too large; what to narrow.
    TooLarge(String),
    /// A thread that took quarters is gone.
    Lost,
}

impl From<Corrupt> for Stop {
    fn from(corrupt: Corrupt) -> Self {
        Self::Corrupt(corrupt)
    }
}

/// Hands on what the statements give.
#[derive(Debug)]
pub(crate) struct ColumnReader<T> {
    taker: T,
    threads: Threads,
    stage: Stage<T>,
    /// The next number of sessions, and of users.
    next: [u32; 2],
    /// Names without a number, which are given the next ones for this answer alone.
    named: [HashMap<String, u32>; 2],
    /// Sessions whose user is another one than the columns say.
    changed: Arc<HashMap<u32, u32>>,
    /// The part of a quarter that is read, by its number, and its bytes.
    segment: Option<(i64, Segment, usize)>,
    rows: Vec<RawRow>,
    raw: u64,
}

/// Who takes the quarters.
#[derive(Debug)]
enum Stage<T> {
    /// Nobody yet, or, where any order does, the reader's own taker: those that wait, and the bytes of all that have come.
    Held(Vec<Part>, usize),
    /// The reader's own taker.
    Alone,
    /// Threads.
    Crew(Crew<T>),
}

/// So many raw rows are taken for a part of a quarter: memory does not grow with what a quarter holds.
const ROWS_AT_ONCE: usize = 50_000;

const SESSION: usize = 0;
const USER: usize = 1;

impl<T: Quarterly> ColumnReader<T> {
    pub(crate) fn new(taker: T, threads: Threads) -> Self {
        Self {
            taker,
            threads,
            stage: Stage::Held(Vec::new(), 0),
            next: [1; 2],
            named: Default::default(),
            changed: Arc::default(),
            segment: None,
            rows: Vec::new(),
            raw: 0,
        }
    }

    /// Takes a row of the statement at this place of [`super::statements()`]. The statements come one after another.
    pub(crate) fn push(&mut self, statement: usize, row: Row) -> Result<(), QueryError> {
        let taken = match statement {
            0 => self.take_counter(row),
            1 => self.take_change(row),
            2 => self.take_block(row)?,
            3 => self.take_column(row)?,
            _ => self.take_raw(row)?,
        };
        taken.ok_or_else(|| QueryError::unreadable("a row of the columns has cells of another kind than it should"))
    }

    fn take_counter(&mut self, row: Row) -> Option<()> {
        let [kind, next] = <[Cell; 2]>::try_from(row).ok()?;
        let kind = if text(kind)? == "s" { SESSION } else { USER };
        *self.next.get_mut(kind)? = number(&next)?;
        Some(())
    }

    fn take_change(&mut self, row: Row) -> Option<()> {
        let [session, user, user_number] = <[Cell; 3]>::try_from(row).ok()?;
        let user = self.number_of(USER, user, &user_number)?;
        // Nobody else has it yet: quarters come later.
        Arc::make_mut(&mut self.changed).insert(number(&session)?, user);
        Some(())
    }

    fn take_block(&mut self, row: Row) -> Result<Option<()>, QueryError> {
        let Ok([Cell::Int(block), data]) = <[Cell; 2]>::try_from(row) else { return Ok(None) };
        let Some(data) = bytes(data) else { return Ok(None) };
        self.taker.take_block(Block(block), &data, &self.changed).map_err(refusal)?;
        Ok(Some(()))
    }

    fn take_column(&mut self, row: Row) -> Result<Option<()>, QueryError> {
        let Ok([Cell::Int(quarter), Cell::Int(part), Cell::Text(name), data]) = <[Cell; 4]>::try_from(row) else {
            return Ok(None);
        };
        let Some(data) = bytes(data) else { return Ok(None) };
        let quarter = Quarter(quarter);
        if self.segment.as_ref().is_none_or(|(read, segment, _)| *read != part || segment.quarter != quarter) {
            self.hand_segment_on()?;
            self.segment = Some((part, Segment::new(quarter, []), 0));
        }
        if let Some((_, segment, bytes)) = &mut self.segment {
            *bytes += data.len();
            segment.add(Column { name, data });
        }
        Ok(Some(()))
    }

    fn take_raw(&mut self, row: Row) -> Result<Option<()>, QueryError> {
        let Some(row) = self.raw_row(row) else { return Ok(None) };
        let is_other = |first: &RawRow| Quarter::of(first.timestamp) != Quarter::of(row.timestamp);
        if self.rows.len() >= ROWS_AT_ONCE || self.rows.first().is_some_and(is_other) {
            self.hand_rows_on()?;
        }
        self.raw += 1;
        self.rows.push(row);
        Ok(Some(()))
    }

    fn raw_row(&mut self, row: Row) -> Option<RawRow> {
        let [
            timestamp,
            session,
            user,
            event_type,
            event_action,
            metadata,
            session_number,
            user_number,
            known,
            known_number,
        ] = <[Cell; 10]>::try_from(row).ok()?;
        Some(RawRow {
            timestamp: instant(&timestamp)?,
            session: self.number_of(SESSION, session, &session_number)?,
            user: self.number_of(USER, user, &user_number)?,
            known: self.number_of(USER, known, &known_number)?,
            event_type: text(event_type)?,
            event_action: text(event_action)?,
            metadata: text(metadata)?,
        })
    }

    /// The number of a name; 0 of no name.
    fn number_of(&mut self, kind: usize, name: Cell, known: &Cell) -> Option<u32> {
        if let Cell::Int(_) = known {
            return number(known);
        }
        let Some(name) = text(name) else { return Some(0) };
        let named = self.named.get_mut(kind)?;
        let next = self.next.get(kind)?.saturating_add(named.len() as u32);
        Some(*named.entry(name).or_insert(next))
    }

    fn hand_segment_on(&mut self) -> Result<(), QueryError> {
        let Some((_, segment, bytes)) = self.segment.take() else { return Ok(()) };
        self.hand_on(Part::Kept(segment, bytes)).map_err(refusal)
    }

    fn hand_rows_on(&mut self) -> Result<(), QueryError> {
        let rows = std::mem::take(&mut self.rows);
        if rows.is_empty() { Ok(()) } else { self.hand_on(Part::Rows(rows)).map_err(refusal) }
    }

    fn hand_on(&mut self, part: Part) -> Result<(), Stop> {
        match &mut self.stage {
            Stage::Held(parts, bytes) => {
                *bytes += part.bytes();
                let is_large = *bytes > self.threads.held;
                if self.taker.is_of_any_order() {
                    self.take(part)?;
                } else {
                    parts.push(part);
                }
                if is_large { self.begin() } else { Ok(()) }
            }
            Stage::Alone => self.take(part),
            Stage::Crew(crew) => match crew.hand_in(part) {
                Ok(()) => Ok(()),
                Err(part) => {
                    self.settle()?;
                    self.take(*part)
                }
            },
        }
    }

    /// Begins to take quarters, as many at once as there are threads for it.
    fn begin(&mut self) -> Result<(), Stop> {
        let crew = self.threads.hire().and_then(|hired| Crew::start(hired, &self.taker, &self.changed));
        let held = std::mem::replace(&mut self.stage, crew.map_or(Stage::Alone, Stage::Crew));
        let Stage::Held(parts, _) = held else { return Ok(()) };
        parts.into_iter().try_for_each(|part| self.hand_on(part))
    }

    fn take(&mut self, part: Part) -> Result<(), Stop> {
        self.taker.take(&part.segment(), &self.changed)
    }

    /// Has all that has come taken by the reader's own taker; the threads that did it are free then.
    fn settle(&mut self) -> Result<Hired, Stop> {
        let (parts, hired) = match std::mem::replace(&mut self.stage, Stage::Alone) {
            Stage::Alone => return Ok(Hired::nobody()),
            Stage::Held(parts, _) => (parts, Hired::nobody()),
            Stage::Crew(crew) => {
                let Left { takers, parts, hired } = crew.end()?;
                takers.into_iter().try_for_each(|taker| self.taker.join(taker))?;
                self.taker.check()?;
                (parts, hired)
            }
        };
        parts.into_iter().try_for_each(|part| self.take(part))?;
        Ok(hired)
    }

    /// Says that no more rows come, and lets go of threads that work for it.
    pub(crate) fn close(&mut self) -> Result<Hired, QueryError> {
        self.hand_segment_on()?;
        self.hand_rows_on()?;
        self.settle().map_err(refusal)
    }

    /// Ends as [`ColumnReader::finish`] does, then reads the same statements again for another taker. Whoever was given a number
    /// for this answer keeps it.
    pub(super) fn again(&mut self, next: impl FnOnce(&T) -> T) -> Result<(T, u64, Hired), QueryError> {
        let hired = self.close()?;
        let next = next(&self.taker);
        let taker = std::mem::replace(&mut self.taker, next);
        self.stage = Stage::Held(Vec::new(), 0);
        self.changed = Arc::default();
        Ok((taker, std::mem::take(&mut self.raw), hired))
    }

    /// What has taken all quarters, and the sessions that were given a number for this answer alone.
    pub(crate) fn finish_with_named(mut self) -> Result<(T, HashMap<String, u32>), QueryError> {
        self.close()?;
        let [sessions, _] = self.named;
        Ok((self.taker, sessions))
    }

    /// What has taken all quarters, how many raw events were read for it, and the threads that did it.
    pub(crate) fn finish(mut self) -> Result<(T, u64, Hired), QueryError> {
        let hired = self.close()?;
        Ok((self.taker, self.raw, hired))
    }
}

fn bytes(cell: Cell) -> Option<Vec<u8>> {
    match cell {
        Cell::Bytes(data) => Some(data),
        // Sixteen bytes are taken for an id.
        Cell::Uuid(data) => Some(data.as_bytes().to_vec()),
        _ => None,
    }
}

fn number(cell: &Cell) -> Option<u32> {
    if let Cell::Int(number) = cell { u32::try_from(*number).ok() } else { None }
}

fn refusal(stop: Stop) -> QueryError {
    match stop {
        Stop::Corrupt(corrupt) => QueryError::unreadable(&corrupt.to_string()),
        Stop::TooLarge(message) => QueryError::too_large("", message),
        Stop::Lost => QueryError::unreadable("a thread that worked at the answer ended before its time"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many events each part had that was handed on.
    #[derive(Debug, Default)]
    struct Parts(Vec<u32>);

    impl Quarterly for Parts {
        fn columns(&self) -> Vec<String> {
            Vec::new()
        }

        fn take(&mut self, segment: &Segment, _: &HashMap<u32, u32>) -> Result<(), Stop> {
            self.0.push(segment.actors()?.events);
            Ok(())
        }

        fn beside(&self) -> Self {
            Self::default()
        }

        fn join(&mut self, other: Self) -> Result<(), Stop> {
            self.0.extend(other.0);
            Ok(())
        }

        fn weight(&self) -> usize {
            0
        }

        fn most(&self) -> usize {
            0
        }

        fn check(&self) -> Result<(), Stop> {
            Ok(())
        }
    }

    #[test]
    fn raw_rows_of_a_large_quarter_are_handed_on_in_parts() {
        let text = |text: &str| Cell::Text(text.to_owned());
        let row = |micros: i64| {
            let unknown = || Cell::Null;
            let known =
                [text("s"), unknown(), text("t"), text("a"), text("{}"), unknown(), unknown(), unknown(), unknown()];
            std::iter::once(Cell::Int(micros)).chain(known).collect::<Row>()
        };
        let mut reader = ColumnReader::new(Parts::default(), Threads::of_machine());
        let all = ROWS_AT_ONCE as i64 + 7;
        (0..all).for_each(|micros| reader.push(4, row(micros)).unwrap());
        // Another quarter begins a part of its own.
        reader.push(4, row(900_000_000)).unwrap();
        let (Parts(parts), raw, _) = reader.finish().unwrap();
        assert_eq!((parts, raw), (vec![ROWS_AT_ONCE as u32, 7, 1], all as u64 + 1));
    }
}
