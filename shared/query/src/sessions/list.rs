//! The sessions, newest first: `GET /api/sessions`.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::summary::{SessionSummary, select};
use crate::cursor::Position;
use crate::filter::{Columns, Filtered as _};
use crate::intake::{Gathered, Gathering};
use crate::page::Page;
use crate::question::{LIMIT_DEFAULT, LIMIT_MAX};
use crate::reading::{Member as _, members};
use crate::{Askable, Context, DateRange, Dialect, Executable, Filter, PageMeta, QueryError, Row, Statement, Zone};

const MEMBERS: [&str; 5] = ["date_range", "timezone", "filters", "limit", "cursor"];

/// Which sessions are listed: those with an event in the range that passes all filters, by start and id, falling.
///
/// As JSON: `date_range` (`"7d"` unless given), `timezone`, `filters`, `limit` and `cursor`, as in [`crate::Question`].
#[derive(Debug, Clone, PartialEq)]
pub struct SessionsQuestion {
    /// The range.
    pub date_range: DateRange,
    /// The zone whose days are meant.
    pub timezone: Zone,
    /// What one event of the session has to pass.
    pub filters: Vec<Filter>,
    /// Sessions a page.
    pub limit: u32,
    /// Where the page begins, from the answer before.
    pub cursor: Option<String>,
}

impl SessionsQuestion {
    /// Reads a question.
    ///
    /// # Errors
    /// [`QueryError`] with the place of what is wrong and what is allowed there.
    pub fn from_json(value: &Value) -> Result<Self, QueryError> {
        let members = members(value, "", &MEMBERS)?;
        Ok(Self {
            date_range: members.date_range()?,
            timezone: members.timezone()?,
            filters: members.filters()?,
            limit: members.limit(LIMIT_DEFAULT, LIMIT_MAX)?,
            cursor: members.cursor()?,
        })
    }
}

/// A page of sessions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionsAnswer {
    /// The sessions, newest start first; of equal starts the greatest id first.
    pub results: Vec<SessionSummary>,
    /// How the answer came about.
    pub meta: PageMeta,
    /// The question, in one form and with absolute instants.
    pub query: SessionsQuery,
}

/// A [`SessionsQuestion`] in its one form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionsQuery {
    /// The first instant of the range and its end, which is not part of it, with the zone's offset.
    pub date_range: [String; 2],
    /// The IANA name of the zone.
    pub timezone: String,
    /// The filters, all of which hold for one event of the session.
    pub filters: Vec<Value>,
    /// Sessions a page.
    pub limit: u32,
}

/// A planned [`SessionsQuestion`].
#[derive(Debug, Clone, PartialEq)]
pub struct SessionsPlan {
    question: SessionsQuestion,
    page: Page,
}

impl Askable for SessionsQuestion {
    type Plan = SessionsPlan;

    fn plan(&self, context: &Context) -> Result<SessionsPlan, QueryError> {
        let filters: Vec<Value> = self.filters.iter().map(Filter::to_json).collect();
        let asked = json!(["sessions", self.date_range.to_string(), self.timezone.name(), filters, self.limit]);
        let cursor = self.cursor.as_deref();
        let page = Page::new(asked.to_string(), self.date_range, &self.timezone, cursor, self.limit, context)?;
        Ok(SessionsPlan { question: self.clone(), page })
    }
}

impl Executable for SessionsPlan {
    type Answer = SessionsAnswer;
    type Intake = Gathering<Self>;

    fn statements(&self, dialect: Dialect) -> Vec<Statement> {
        let mut sql = self.page.sql(dialect);
        let conditions = sql.in_range();
        let mut having = Vec::new();
        let filters: Vec<String> =
            self.question.filters.iter().map(|filter| sql.filter(filter, Columns::Raw)).collect();
        if !filters.is_empty() {
            let any = match dialect {
                Dialect::Postgres => "bool_or",
                Dialect::Sqlite => "max",
            };
            having.push(format!("{any}({})", filters.join(" AND ")));
        }
        if let Some(Position::AfterSession(started_at, id)) = &self.page.after {
            let (started_at, id) = (sql.instant(*started_at), sql.text(id));
            having.push(format!(
                "(min(e.timestamp) < {started_at} OR (min(e.timestamp) = {started_at} AND e.session_id < {id}))"
            ));
        }
        let limit = self.page.limit.saturating_add(1);
        let from = format!("{}\n  WHERE {}", sql.events(), conditions.join("\n    AND "));
        let text = select(&mut sql, &from, &having, limit);
        vec![sql.finish(text)]
    }

    fn intake(&self) -> Gathering<Self> {
        Gathering::new(self)
    }

    fn cache_key(&self) -> String {
        self.page.cache_key("sessions")
    }
}

impl Gathered for SessionsPlan {
    type Answer = SessionsAnswer;

    fn answer(&self, rows: Vec<Vec<Row>>) -> Result<SessionsAnswer, QueryError> {
        let rows = rows.into_iter().flatten().filter_map(SessionSummary::from_row).collect();
        let (results, meta) = self
            .page
            .read(rows, |last: &SessionSummary| Position::AfterSession(last.started_at, last.session_id.clone()));
        let query = SessionsQuery {
            date_range: self.page.shown.clone(),
            timezone: self.question.timezone.name().to_owned(),
            filters: self.question.filters.iter().map(Filter::to_json).collect(),
            limit: self.question.limit,
        };
        Ok(SessionsAnswer { results, meta, query })
    }
}
