//! One session and its events in order: `GET /api/sessions/{id}`.

use analytics_domain::event::SESSION_ID_MAX;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::summary::{SessionSummary, select};
use crate::error::QueryErrorCode;
use crate::intake::{Gathered, Gathering};
use crate::page::{Order, Page};
use crate::question::{LIMIT_DEFAULT, LIMIT_MAX};
use crate::reading::{Member as _, members};
use crate::sql::Sql;
use crate::{
    Askable, Context, DateRange, Dialect, EventRecord, Executable, PageMeta, QueryError, Range, Row, Statement, Zone,
};

const MEMBERS: [&str; 4] = ["date_range", "timezone", "limit", "cursor"];

/// The page of a timeline: of one session's events, or of one person's.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Timeline {
    pub(super) id: String,
    pub(super) date_range: DateRange,
    pub(super) timezone: Zone,
    pub(super) limit: u32,
    pub(super) cursor: Option<String>,
}

impl Timeline {
    /// Reads a question: `date_range` is `"all"` unless given.
    pub(super) fn from_json(id: &str, longest: usize, value: &Value) -> Result<Self, QueryError> {
        if id.is_empty() || id.contains('\0') || id.chars().count() > longest {
            return Err(QueryError::invalid("id", format!("expected 1 to {longest} characters, without U+0000")));
        }
        let members = members(value, "", &MEMBERS)?;
        let date_range = members.get("date_range").map(|range| DateRange::parse(range, "date_range"));
        Ok(Self {
            id: id.to_owned(),
            date_range: date_range.unwrap_or(Ok(DateRange::All))?,
            timezone: members.timezone()?,
            limit: members.limit(LIMIT_DEFAULT, LIMIT_MAX)?,
            cursor: members.cursor()?,
        })
    }

    pub(super) fn page(&self, kind: &str, context: &Context) -> Result<Page, QueryError> {
        let asked = json!([kind, self.id, self.date_range.to_string(), self.timezone.name(), self.limit]);
        let cursor = self.cursor.as_deref();
        Page::new(asked.to_string(), self.date_range, &self.timezone, cursor, self.limit, context)
    }

    pub(super) fn query(&self, page: &Page) -> TimelineQuery {
        TimelineQuery { date_range: page.shown.clone(), timezone: self.timezone.name().to_owned(), limit: self.limit }
    }
}

/// A question for a timeline in its one form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimelineQuery {
    /// The first instant of the range and its end, which is not part of it, with the zone's offset.
    pub date_range: [String; 2],
    /// The IANA name of the zone.
    pub timezone: String,
    /// Events a page.
    pub limit: u32,
}

/// Which session is shown.
///
/// As JSON, beside the id: `date_range` (`"all"` unless given), `timezone`, `limit` and `cursor`, as in [`crate::Question`].
#[derive(Debug, Clone, PartialEq)]
pub struct SessionQuestion(Timeline);

impl SessionQuestion {
    /// Reads a question about the session of this id.
    ///
    /// # Errors
    /// [`QueryError`] with the place of what is wrong and what is allowed there; the id's place is `id`.
    pub fn from_json(id: &str, value: &Value) -> Result<Self, QueryError> {
        Timeline::from_json(id, SESSION_ID_MAX, value).map(Self)
    }
}

/// A session and a page of its events.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SessionAnswer {
    /// The session, the same on every page.
    pub session: SessionSummary,
    /// Its events, oldest first; of equal times the lowest id first.
    pub results: Vec<EventRecord>,
    /// How the answer came about.
    pub meta: PageMeta,
    /// The question, in one form and with absolute instants.
    pub query: TimelineQuery,
}

/// A planned [`SessionQuestion`].
#[derive(Debug, Clone, PartialEq)]
pub struct SessionPlan {
    question: Timeline,
    page: Page,
}

impl Askable for SessionQuestion {
    type Plan = SessionPlan;

    fn plan(&self, context: &Context) -> Result<SessionPlan, QueryError> {
        Ok(SessionPlan { question: self.0.clone(), page: self.0.page("session", context)? })
    }
}

impl SessionPlan {
    /// The session's events in a part of the range, those behind the page before.
    fn from(&self, sql: &mut Sql, part: Range, behind: Option<String>) -> String {
        let mut conditions = vec![format!("e.session_id = {}", sql.text(&self.question.id))];
        conditions.extend(behind);
        sql.events_of_session(&self.question.id, part, &conditions)
    }
}

impl Executable for SessionPlan {
    type Answer = SessionAnswer;
    type Intake = Gathering<Self>;

    /// The session in one line, and the page of its events.
    fn statements(&self, dialect: Dialect) -> Vec<Statement> {
        let mut sql = self.page.sql(dialect);
        let from = self.from(&mut sql, self.page.range(), None);
        let text = select(&mut sql, &from, &[], 1);
        let summary = sql.finish(text);

        let mut sql = self.page.sql(dialect);
        let (part, behind) = self.page.part(&mut sql, Order::OldestFirst);
        let from = self.from(&mut sql, part, behind);
        vec![summary, self.page.events_from(sql, "", &from, Order::OldestFirst)]
    }

    fn intake(&self) -> Gathering<Self> {
        Gathering::new(self)
    }

    fn cache_key(&self) -> String {
        self.page.cache_key("session")
    }
}

impl Gathered for SessionPlan {
    type Answer = SessionAnswer;

    fn answer(&self, rows: Vec<Vec<Row>>) -> Result<SessionAnswer, QueryError> {
        let mut rows = rows.into_iter();
        let summary = rows.next().unwrap_or_default().into_iter().find_map(SessionSummary::from_row);
        let session = summary.ok_or_else(|| QueryError {
            code: QueryErrorCode::SessionNotFound,
            path: "id".to_owned(),
            message: "there is no event of this session in the range".to_owned(),
        })?;
        let (results, meta) = self.page.read_events(rows.next().unwrap_or_default());
        Ok(SessionAnswer { session, results, meta, query: self.question.query(&self.page) })
    }
}
