//! A page of a list that goes through time: what every such list shares.
//!
//! A page begins behind the last row of the page before, told by a key that no other row has, so that events that come in
//! between neither push rows to the next page nor show them twice.

use analytics_domain::{Project, Timestamp};
use serde::{Deserialize, Serialize};

use crate::answer::Warning;
use crate::cursor::{Cursor, Position, Resolved};
use crate::event_record::{POSTGRES_COLUMNS, SQLITE_COLUMNS};
use crate::plan::{cache_key, kept, resolve, warn_of_cut, within};
use crate::sql::Sql;
use crate::{Context, DateRange, Dialect, EventRecord, Param, QueryError, Range, Row, Statement, Zone};

/// How a page of a list came about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageMeta {
    /// When the newest stored event was received.
    pub fresh_as_of: Option<Timestamp>,
    /// What to send as `cursor`, with the same question, for the next page.
    pub next_cursor: Option<String>,
    /// Whether the answer was computed for an earlier question, at most 5 s ago.
    pub cached: bool,
    /// How long it took to answer, in milliseconds.
    pub took_ms: u64,
    /// What the reader should know.
    pub warnings: Vec<Warning>,
}

/// In which order a list goes through time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// By time, then id, rising.
    OldestFirst,
    /// By time, then id, falling.
    NewestFirst,
}

impl Order {
    /// The word of the order, and the sign of what comes later in it.
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::OldestFirst => ("ASC", ">"),
            Self::NewestFirst => ("DESC", "<"),
        }
    }
}

/// A page, planned.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Page {
    pub(crate) project: Project,
    newest_receipt: Option<Timestamp>,
    asked: String,
    date_range: DateRange,
    resolved: Resolved,
    cursor: Option<String>,
    /// What is read.
    pub(crate) range: Range,
    /// Where the page begins.
    pub(crate) after: Option<Position>,
    pub(crate) limit: u32,
    /// The range as the answer tells it.
    pub(crate) shown: [String; 2],
    warnings: Vec<Warning>,
}

impl Page {
    /// The page of a list that `asked` tells apart from every other.
    pub(crate) fn new(
        asked: String,
        date_range: DateRange,
        zone: &Zone,
        cursor: Option<&str>,
        limit: u32,
        context: &Context,
    ) -> Result<Self, QueryError> {
        let (resolved, after) = match cursor {
            None => (resolve(date_range, None, zone, context), None),
            Some(cursor) => {
                let cursor = Cursor::read(cursor, &context.project, &asked)?;
                (cursor.resolved, Some(cursor.position))
            }
        };
        let mut warnings = Vec::new();
        warn_of_cut(resolved.range, "the range", context, &mut warnings);
        let shown = kept(resolved.range, context);
        Ok(Self {
            project: context.project.clone(),
            newest_receipt: context.newest_receipt,
            asked,
            date_range,
            range: within(resolved.range, zone, resolved.now, context),
            resolved,
            cursor: cursor.map(str::to_owned),
            after,
            limit,
            shown: [zone.write(shown.from), zone.write(shown.to)],
            warnings,
        })
    }

    /// The conditions of a page of events.
    pub(crate) fn conditions(&self, sql: &mut Sql, order: Order) -> Vec<String> {
        let (part, behind) = self.part(sql, order);
        let mut conditions = sql.in_part(part);
        conditions.extend(behind);
        conditions
    }

    /// The part of the range that a page of events lies in, and what holds for those behind the page before.
    pub(crate) fn part(&self, sql: &mut Sql, order: Order) -> (Range, Option<String>) {
        let mut part = self.range;
        let Some(Position::After(timestamp, id)) = &self.after else { return (part, None) };
        // What lies before the page is left out by the bounds, so that an index begins at the right place.
        match order {
            Order::OldestFirst => part.from = part.from.max(*timestamp),
            Order::NewestFirst => part.to = part.to.min(timestamp.saturating_add_micros(1)),
        }
        let (_, later) = order.words();
        let timestamp = sql.instant(*timestamp);
        let id = sql.bind(Param::Uuid(*id));
        (part, Some(format!("(e.timestamp <> {timestamp} OR e.id {later} {id})")))
    }

    /// The range of the list.
    pub(crate) const fn range(&self) -> Range {
        self.range
    }

    /// A statement about the events of the list's range.
    pub(crate) fn sql(&self, dialect: Dialect) -> Sql {
        Sql::new(dialect, &self.project, self.range)
    }

    /// The statement of a page of events for which the conditions hold, and one more.
    pub(crate) fn events(&self, sql: Sql, conditions: &[String], order: Order) -> Statement {
        let from = format!("{}\nWHERE {}", sql.events(), conditions.join("\n  AND "));
        self.events_from(sql, "", &from, order)
    }

    /// The same of events that `from` gives, as `raw_events e`; what it refers to stands in `before`.
    pub(crate) fn events_from(&self, sql: Sql, before: &str, from: &str, order: Order) -> Statement {
        let columns = match sql.dialect() {
            Dialect::Postgres => POSTGRES_COLUMNS,
            Dialect::Sqlite => SQLITE_COLUMNS,
        };
        let (order, _) = order.words();
        let text = format!(
            "{before}SELECT {columns}\nFROM {from}\nORDER BY e.timestamp {order}, e.id {order}\nLIMIT {}",
            self.limit.saturating_add(1)
        );
        sql.finish(text)
    }

    /// The events of the page, from the rows of [`Page::events`].
    pub(crate) fn read_events(&self, rows: Vec<Row>) -> (Vec<EventRecord>, PageMeta) {
        let events = rows.into_iter().filter_map(EventRecord::from_row).collect();
        self.read(events, |last: &EventRecord| Position::After(last.timestamp, last.id))
    }

    /// The page of a list that was read with one row more than the page has.
    pub(crate) fn read<T>(&self, mut rows: Vec<T>, position: impl Fn(&T) -> Position) -> (Vec<T>, PageMeta) {
        let limit = self.limit as usize;
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = rows.last().filter(|_| has_more).map(|last| {
            let cursor = Cursor { resolved: self.resolved, position: position(last) };
            cursor.write(&self.project, &self.asked)
        });
        let meta = PageMeta {
            fresh_as_of: self.newest_receipt,
            next_cursor,
            cached: false,
            took_ms: 0,
            warnings: self.warnings.clone(),
        };
        (rows, meta)
    }

    pub(crate) fn cache_key(&self, kind: &str) -> String {
        cache_key(kind, &self.project, &self.asked, self.date_range, &self.resolved, &self.cursor)
    }
}
