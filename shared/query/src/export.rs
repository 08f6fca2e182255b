//! The events themselves, oldest first, as many as there are: `GET /api/export`.
//!
//! An export is no one statement: it is read in pages, each behind the last event of the one before, so that no more than a
//! page is ever in memory and no statement runs for as long as a reader takes. What is stored while it runs is in it where it
//! lies behind the place that has been reached.

use analytics_domain::{Project, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::cursor::{Cursor, Position, Resolved};
use crate::event_record::{POSTGRES_COLUMNS, SQLITE_COLUMNS, instant};
use crate::filter::{Columns, Filtered as _};
use crate::plan::{resolve, within};
use crate::reading::{Member as _, members};
use crate::sql::Sql;
use crate::{Cell, Context, DateRange, Dialect, EventRecord, Filter, Param, QueryError, Range, Row, Statement, Zone};

/// Most events of an answer that is limited.
pub const EXPORT_MAX: u32 = 1_000_000;

/// Events that are read at once.
pub const EXPORT_PAGE: usize = 1_000;

const MEMBERS: [&str; 5] = ["date_range", "timezone", "filters", "limit", "cursor"];

/// Which events are exported: by time and id, rising.
///
/// As JSON: `date_range` (`"all"` unless given), `timezone`, `filters`, `limit` (none unless given) and `cursor`.
#[derive(Debug, Clone, PartialEq)]
pub struct ExportQuestion {
    /// The range.
    pub date_range: DateRange,
    /// The zone whose days are meant.
    pub timezone: Zone,
    /// Which events: those for which all hold.
    pub filters: Vec<Filter>,
    /// How many events at most; `None` for all.
    pub limit: Option<u32>,
    /// Where to go on, from the answer before.
    pub cursor: Option<String>,
}

/// The place of an event in the order of exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Its time.
    pub timestamp: Timestamp,
    /// Its id.
    pub id: Uuid,
}

/// A planned [`ExportQuestion`].
#[derive(Debug, Clone, PartialEq)]
pub struct ExportPlan {
    question: ExportQuestion,
    project: Project,
    asked: String,
    resolved: Resolved,
    range: Range,
    after: Option<Place>,
}

impl ExportQuestion {
    /// Reads a question.
    ///
    /// # Errors
    /// [`QueryError`] with the place of what is wrong and what is allowed there.
    pub fn from_json(value: &Value) -> Result<Self, QueryError> {
        let members = members(value, "", &MEMBERS)?;
        let date_range = members.get("date_range").map(|range| DateRange::parse(range, "date_range"));
        let limit = members.get("limit").map(|_| members.limit(EXPORT_MAX, EXPORT_MAX));
        Ok(Self {
            date_range: date_range.unwrap_or(Ok(DateRange::All))?,
            timezone: members.timezone()?,
            filters: members.filters()?,
            limit: limit.transpose()?,
            cursor: members.cursor()?,
        })
    }

    /// Checks the question in its context and plans it.
    ///
    /// # Errors
    /// [`QueryError`] where the cursor is another question's.
    pub fn plan(&self, context: &Context) -> Result<ExportPlan, QueryError> {
        let filters: Vec<Value> = self.filters.iter().map(Filter::to_json).collect();
        // How much of it comes at once is no part of what is asked: it may change from one answer to the next.
        let asked = json!(["export", self.date_range.to_string(), self.timezone.name(), filters]).to_string();
        let (resolved, after) = match &self.cursor {
            None => (resolve(self.date_range, None, &self.timezone, context), None),
            Some(cursor) => match Cursor::read(cursor, &context.project, &asked)? {
                Cursor { resolved, position: Position::After(timestamp, id) } => {
                    (resolved, Some(Place { timestamp, id }))
                }
                Cursor { .. } => return Err(QueryError::cursor("the cursor belongs to no export")),
            },
        };
        Ok(ExportPlan {
            question: self.clone(),
            project: context.project.clone(),
            range: within(resolved.range, &self.timezone, resolved.now, context),
            asked,
            resolved,
            after,
        })
    }
}

impl ExportPlan {
    /// The place behind which the export begins; `None` for the first event of the range.
    #[must_use]
    pub const fn after(&self) -> Option<Place> {
        self.after
    }

    /// Selects the next [`EXPORT_PAGE`] events behind `after`, none of them behind `until`.
    #[must_use]
    pub fn page(&self, after: Option<Place>, until: Option<Place>, dialect: Dialect) -> Statement {
        let columns = match dialect {
            Dialect::Postgres => POSTGRES_COLUMNS,
            Dialect::Sqlite => SQLITE_COLUMNS,
        };
        self.select(columns, after, until, &format!("LIMIT {EXPORT_PAGE}"), dialect)
    }

    /// Selects, where the export is limited, the place of its last event and whether one follows: [`ExportPlan::end`] reads it.
    #[must_use]
    pub fn look_ahead(&self, dialect: Dialect) -> Option<Statement> {
        let last = self.question.limit?.saturating_sub(1);
        Some(self.select("e.id, e.timestamp", self.after, None, &format!("LIMIT 2 OFFSET {last}"), dialect))
    }

    /// The place of the last event of a limited export, where others follow it; `None` where it goes on to the end.
    #[must_use]
    pub fn end(rows: Vec<Row>) -> Option<Place> {
        let [last, _] = <[Row; 2]>::try_from(rows).ok()?;
        match <[Cell; 2]>::try_from(last).ok()? {
            [Cell::Uuid(id), timestamp] => Some(Place { timestamp: instant(&timestamp)?, id }),
            _ => None,
        }
    }

    /// The events of the rows of a page.
    #[must_use]
    pub fn events(rows: Vec<Row>) -> Vec<EventRecord> {
        rows.into_iter().filter_map(EventRecord::from_row).collect()
    }

    /// The cursor of what follows a place.
    #[must_use]
    pub fn cursor(&self, after: Place) -> String {
        let position = Position::After(after.timestamp, after.id);
        Cursor { resolved: self.resolved, position }.write(&self.project, &self.asked)
    }

    fn select(
        &self,
        columns: &str,
        after: Option<Place>,
        until: Option<Place>,
        limit: &str,
        dialect: Dialect,
    ) -> Statement {
        let mut sql = Sql::new(dialect, &self.project, self.range);
        let mut part = self.range;
        if let Some(after) = after {
            part.from = part.from.max(after.timestamp);
        }
        if let Some(until) = until {
            part.to = part.to.min(until.timestamp.saturating_add_micros(1));
        }
        let mut conditions = sql.in_part(part);
        for (place, sign) in [(after, ">"), (until, "<=")] {
            let Some(place) = place else { continue };
            let (timestamp, id) = (sql.instant(place.timestamp), sql.bind(Param::Uuid(place.id)));
            // Of events at that time the ids decide.
            conditions.push(format!("(e.timestamp <> {timestamp} OR e.id {sign} {id})"));
        }
        conditions.extend(self.question.filters.iter().map(|filter| sql.filter(filter, Columns::Raw)));
        let text = format!(
            "SELECT {columns}\nFROM {}\nWHERE {}\nORDER BY e.timestamp, e.id\n{limit}",
            sql.events(),
            conditions.join("\n  AND ")
        );
        sql.finish(text)
    }
}

impl EventRecord {
    /// Its place in the order of exports.
    #[must_use]
    pub const fn place(&self) -> Place {
        Place { timestamp: self.timestamp, id: self.id }
    }
}
