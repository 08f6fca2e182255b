//! The events themselves, newest first: `GET /api/events`.

use analytics_domain::{Project, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::cursor::{Cursor, Position, Resolved};
use crate::event_record::{POSTGRES_COLUMNS, SQLITE_COLUMNS};
use crate::filter::{Columns, Filtered as _};
use crate::plan::{cache_key, kept, resolve, warn_of_cut, within};
use crate::question::{LIMIT_DEFAULT, LIMIT_MAX};
use crate::reading::{Member as _, members};
use crate::sql::Sql;
use crate::{
    Askable, Context, DateRange, Dialect, EventRecord, Executable, Filter, Param, QueryError, Range, Row, Statement,
    Warning, Zone,
};

const MEMBERS: [&str; 5] = ["date_range", "timezone", "filters", "limit", "cursor"];

/// Which events are listed: by time and id, falling.
///
/// As JSON: `date_range` (`"all"` unless given), `timezone`, `filters`, `limit` and `cursor`, as in [`crate::Question`].
#[derive(Debug, Clone, PartialEq)]
pub struct EventsQuestion {
    /// The range.
    pub date_range: DateRange,
    /// The zone whose days are meant.
    pub timezone: Zone,
    /// Which events: those for which all hold.
    pub filters: Vec<Filter>,
    /// Events a page.
    pub limit: u32,
    /// Where the page begins, from the answer before.
    pub cursor: Option<String>,
}

impl EventsQuestion {
    /// Reads a question.
    ///
    /// # Errors
    /// [`QueryError`] with the place of what is wrong and what is allowed there.
    pub fn from_json(value: &Value) -> Result<Self, QueryError> {
        let members = members(value, "", &MEMBERS)?;
        let date_range = members.get("date_range").map(|range| DateRange::parse(range, "date_range"));
        Ok(Self {
            date_range: date_range.unwrap_or(Ok(DateRange::All))?,
            timezone: members.timezone()?,
            filters: members.filters()?,
            limit: members.limit(LIMIT_DEFAULT, LIMIT_MAX)?,
            cursor: members.cursor()?,
        })
    }

    fn asked(&self) -> String {
        let filters: Vec<Value> = self.filters.iter().map(Filter::to_json).collect();
        json!(["events", self.date_range.to_string(), self.timezone.name(), filters, self.limit]).to_string()
    }
}

/// A page of events.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EventsAnswer {
    /// The events, newest first; of equal times the greatest id first.
    pub results: Vec<EventRecord>,
    /// How the answer came about.
    pub meta: EventsMeta,
    /// The question, in one form and with absolute instants.
    pub query: EventsQuery,
}

/// How a page of events came about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventsMeta {
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

/// An [`EventsQuestion`] in its one form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventsQuery {
    /// The first instant of the range and its end, which is not part of it, with the zone's offset.
    pub date_range: [String; 2],
    /// The IANA name of the zone.
    pub timezone: String,
    /// The filters, all of which hold.
    pub filters: Vec<Value>,
    /// Events a page.
    pub limit: u32,
}

/// A planned [`EventsQuestion`].
#[derive(Debug, Clone, PartialEq)]
pub struct EventsPlan {
    question: EventsQuestion,
    project: Project,
    newest_receipt: Option<Timestamp>,
    asked: String,
    resolved: Resolved,
    range: Range,
    after: Option<Position>,
    query: EventsQuery,
    warnings: Vec<Warning>,
}

impl Askable for EventsQuestion {
    type Plan = EventsPlan;

    fn plan(&self, context: &Context) -> Result<EventsPlan, QueryError> {
        let asked = self.asked();
        let zone = &self.timezone;
        let (resolved, after) = match &self.cursor {
            None => (resolve(self.date_range, None, zone, context), None),
            Some(cursor) => {
                let cursor = Cursor::read(cursor, &context.project, &asked)?;
                (cursor.resolved, Some(cursor.position))
            }
        };
        let mut warnings = Vec::new();
        warn_of_cut(resolved.range, "the range", context, &mut warnings);
        let shown = kept(resolved.range, context);
        let query = EventsQuery {
            date_range: [zone.write(shown.from), zone.write(shown.to)],
            timezone: zone.name().to_owned(),
            filters: self.filters.iter().map(Filter::to_json).collect(),
            limit: self.limit,
        };
        Ok(EventsPlan {
            question: self.clone(),
            project: context.project.clone(),
            newest_receipt: context.newest_receipt,
            asked,
            range: within(resolved.range, zone, resolved.now, context),
            resolved,
            after,
            query,
            warnings,
        })
    }
}

impl Executable for EventsPlan {
    type Answer = EventsAnswer;

    fn statements(&self, dialect: Dialect) -> Vec<Statement> {
        let mut sql = Sql::new(dialect, &self.project, self.range);
        let columns = match dialect {
            Dialect::Postgres => POSTGRES_COLUMNS,
            Dialect::Sqlite => SQLITE_COLUMNS,
        };
        let mut part = self.range;
        if let Some(Position::After(timestamp, _)) = self.after {
            part.to = part.to.min(timestamp.saturating_add_micros(1));
        }
        let mut conditions = sql.in_part(part);
        if let Some(Position::After(timestamp, id)) = self.after {
            let timestamp = sql.instant(timestamp);
            let id = sql.bind(Param::Uuid(id));
            conditions.push(format!("(e.timestamp <> {timestamp} OR e.id < {id})"));
        }
        conditions.extend(self.question.filters.iter().map(|filter| sql.filter(filter, Columns::Raw)));
        let text = format!(
            "SELECT {columns}\nFROM {}\nWHERE {}\nORDER BY e.timestamp DESC, e.id DESC\nLIMIT {}",
            sql.events(),
            conditions.join("\n  AND "),
            self.question.limit.saturating_add(1)
        );
        vec![sql.finish(text)]
    }

    fn shape(&self, rows: Vec<Vec<Row>>) -> Result<EventsAnswer, QueryError> {
        let rows = rows.into_iter().next().unwrap_or_default();
        let mut results: Vec<EventRecord> = rows.into_iter().filter_map(EventRecord::from_row).collect();
        let limit = self.question.limit as usize;
        let has_more = results.len() > limit;
        results.truncate(limit);
        let next_cursor = results.last().filter(|_| has_more).map(|last| {
            let cursor = Cursor { resolved: self.resolved, position: Position::After(last.timestamp, last.id) };
            cursor.write(&self.project, &self.asked)
        });
        let meta = EventsMeta {
            fresh_as_of: self.newest_receipt,
            next_cursor,
            cached: false,
            took_ms: 0,
            warnings: self.warnings.clone(),
        };
        Ok(EventsAnswer { results, meta, query: self.query.clone() })
    }

    fn cache_key(&self) -> String {
        cache_key("events", &self.project, &self.asked, self.question.date_range, &self.resolved, &self.question.cursor)
    }
}
