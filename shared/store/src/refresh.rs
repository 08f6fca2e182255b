//! A quarter's columns made of its raw rows: what is the same for every kind of store.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use analytics_columns::{Actors, Block, BlockMaker, Column, Corrupt, EventRow, Quarter, Segment, columns};
use analytics_domain::Timestamp;

/// Most quarters that one transaction makes anew.
pub(crate) const QUARTERS_AT_ONCE: i64 = 64;

/// Raw rows after which a transaction takes no further quarter.
pub(crate) const ROWS_AT_ONCE: usize = 50_000;

/// Raw rows of one part of a quarter: what is in memory at once, some ten megabytes with the numbers of their names.
pub(crate) const ROWS_A_PART: usize = 20_000;

/// Most sessions whose user is looked at anew in one transaction.
pub(crate) const CHANGES_AT_ONCE: i64 = 5_000;

/// Quarters whose pairs are patched at once.
pub(crate) const PATCHES_AT_ONCE: usize = 200;

/// Most blocks that one transaction makes anew: some tens of milliseconds.
pub(crate) const BLOCKS_AT_ONCE: i64 = 8;

/// A raw row, as a quarter's columns need it.
#[derive(Debug, Clone)]
pub(crate) struct RawRow {
    pub(crate) timestamp: Timestamp,
    pub(crate) session_id: String,
    pub(crate) user_id: Option<String>,
    /// The user that the session is known by.
    pub(crate) known: Option<String>,
    pub(crate) event_type: String,
    pub(crate) event_action: String,
    pub(crate) metadata: String,
}

/// What has numbers of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    Session,
    User,
}

impl Kind {
    /// The word of the table `identities`.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Session => "s",
            Self::User => "u",
        }
    }
}

/// The numbers of names, by kind.
pub(crate) type Numbers = HashMap<(Kind, String), u32>;

/// Every name of the rows.
pub(crate) fn names(rows: &[RawRow]) -> BTreeSet<(Kind, &str)> {
    let mut names = BTreeSet::new();
    for row in rows {
        names.insert((Kind::Session, row.session_id.as_str()));
        names.extend(row.user_id.iter().chain(&row.known).map(|user| (Kind::User, user.as_str())));
    }
    names
}

/// The UTC day of a quarter, counted from 1970-01-01.
pub(crate) const fn day_of(quarter: i64) -> i64 {
    quarter.div_euclid(96)
}

/// The first quarter of a UTC day.
pub(crate) const fn first_quarter(day: i64) -> i64 {
    day * 96
}

/// The blocks of quarters, each once.
pub(crate) fn blocks_of(quarters: impl IntoIterator<Item = i64>) -> Vec<i64> {
    let blocks: BTreeSet<i64> = quarters.into_iter().map(|quarter| Block::of(Quarter(quarter)).0).collect();
    blocks.into_iter().collect()
}

/// The columns of a block's quarters as they come, by quarter and part.
#[derive(Debug, Default)]
pub(crate) struct QuartersOfBlock {
    maker: BlockMaker,
    /// The part of a quarter that is read.
    segment: Option<(i64, Segment)>,
}

impl QuartersOfBlock {
    pub(crate) fn take(&mut self, quarter: i64, part: i64, name: String, data: Vec<u8>) -> Result<(), Corrupt> {
        let quarter = Quarter(quarter);
        if self.segment.as_ref().is_none_or(|(read, segment)| *read != part || segment.quarter != quarter) {
            self.hand_on()?;
            self.segment = Some((part, Segment::new(quarter, [])));
        }
        if let Some((_, segment)) = &mut self.segment {
            segment.add(Column { name, data });
        }
        Ok(())
    }

    fn hand_on(&mut self) -> Result<(), Corrupt> {
        self.segment.take().map_or(Ok(()), |(_, segment)| self.maker.take(&segment))
    }

    /// The block's columns; `None` where it has no events any more.
    pub(crate) fn columns(mut self) -> Result<Option<[Column; 3]>, Corrupt> {
        self.hand_on()?;
        Ok((!self.maker.is_empty()).then(|| self.maker.columns()))
    }
}

/// The columns of a quarter's rows, which are in order.
pub(crate) fn encode(rows: &[RawRow], numbers: &Numbers) -> Vec<Column> {
    let sessions: HashMap<&str, u32> = of_kind(numbers, Kind::Session);
    let users: HashMap<&str, u32> = of_kind(numbers, Kind::User);
    let user = |name: &Option<String>| name.as_deref().and_then(|name| users.get(name)).copied().unwrap_or(0);
    let rows: Vec<EventRow<'_>> = rows
        .iter()
        .map(|row| EventRow {
            timestamp: row.timestamp,
            session: sessions.get(row.session_id.as_str()).copied().unwrap_or(0),
            user: user(&row.user_id),
            known: user(&row.known),
            event_type: &row.event_type,
            event_action: &row.event_action,
            metadata: &row.metadata,
        })
        .collect();
    columns(&rows)
}

fn of_kind(numbers: &Numbers, kind: Kind) -> HashMap<&str, u32> {
    numbers.iter().filter(|((of, _), _)| *of == kind).map(|((_, name), number)| (name.as_str(), *number)).collect()
}

/// A session whose user has changed.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) session: u32,
    pub(crate) first_quarter: i64,
    pub(crate) last_quarter: i64,
    /// The user that it is known by now.
    pub(crate) user: Option<String>,
}

/// Every quarter that a changed session was seen in, and those in between.
pub(crate) fn seen_in(changes: &[Change]) -> Vec<i64> {
    let mut spans: BTreeMap<i64, i64> = BTreeMap::new();
    for change in changes {
        let end = spans.entry(change.first_quarter).or_insert(change.last_quarter);
        *end = change.last_quarter.max(*end);
    }
    let mut quarters = Vec::new();
    let mut next = i64::MIN;
    for (first, last) in spans {
        quarters.extend(first.max(next)..=last);
        next = next.max(last + 1);
    }
    quarters
}

/// The pairs with the changed sessions' users; `None` where nothing changes by it.
pub(crate) fn patched(data: &[u8], changes: &[Change], numbers: &Numbers) -> Result<Option<Vec<u8>>, Corrupt> {
    let mut actors = Actors::decode(data)?;
    let mut news = false;
    for change in changes {
        let user = change.user.clone().and_then(|user| numbers.get(&(Kind::User, user))).copied().unwrap_or(0);
        news |= actors.know(change.session, user);
    }
    Ok(news.then(|| actors.encode()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quarters_are_looked_through_once() {
        let change = |first_quarter, last_quarter| Change { session: 1, first_quarter, last_quarter, user: None };
        assert_eq!(
            seen_in(&[change(5, 7), change(1, 2), change(6, 9), change(9, 9), change(5, 5)]),
            [1, 2, 5, 6, 7, 8, 9]
        );
        assert_eq!(seen_in(&[]), [] as [i64; 0]);
    }
}
