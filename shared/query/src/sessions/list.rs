//! The sessions, newest first: `GET /api/sessions`.

use analytics_domain::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::starts::{LookingForStarts, Starts};
use super::summary::{SessionSummary, select};
use crate::cursor::Position;
use crate::filter::{Columns, Filtered as _};
use crate::intake::{Gathered, Gathering};
use crate::page::Page;
use crate::question::{LIMIT_DEFAULT, LIMIT_MAX};
use crate::reading::{Member as _, members};
use crate::sql::Sql;
use crate::{
    Askable, Context, DateRange, Dialect, Executable, Filter, Looking, PageMeta, QueryError, Row, Statement, Zone,
};

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
    has_columns: bool,
    /// What the page is read of, where it is known: good for one state of the store.
    starts: Option<Starts>,
}

impl Askable for SessionsQuestion {
    type Plan = SessionsPlan;

    fn plan(&self, context: &Context) -> Result<SessionsPlan, QueryError> {
        let filters: Vec<Value> = self.filters.iter().map(Filter::to_json).collect();
        let asked = json!(["sessions", self.date_range.to_string(), self.timezone.name(), filters, self.limit]);
        let cursor = self.cursor.as_deref();
        let page = Page::new(asked.to_string(), self.date_range, &self.timezone, cursor, self.limit, context)?;
        Ok(SessionsPlan { question: self.clone(), page, has_columns: context.has_columns, starts: None })
    }
}

impl SessionsPlan {
    pub(super) fn filters(&self) -> &[Filter] {
        &self.question.filters
    }

    pub(super) const fn page(&self) -> &Page {
        &self.page
    }

    /// The start of the last session of the page before.
    pub(super) fn behind(&self) -> Option<Timestamp> {
        match &self.page.after {
            Some(Position::AfterSession(started_at, _)) => Some(*started_at),
            _ => None,
        }
    }

    /// The same, read of what was found.
    pub(super) fn narrowed(self, starts: Starts) -> Self {
        Self { starts: Some(starts), ..self }
    }

    /// What holds for a group of a session's events where the session has one that passes; nothing where any does.
    fn passes(&self, sql: &mut Sql) -> Option<String> {
        let filters: Vec<String> =
            self.question.filters.iter().map(|filter| sql.filter(filter, Columns::Raw)).collect();
        let any = match sql.dialect() {
            Dialect::Postgres => "bool_or",
            Dialect::Sqlite => "max",
        };
        (!filters.is_empty()).then(|| format!("{any}({})", filters.join(" AND ")))
    }

    /// What holds for a group of the events of a session behind the page before.
    fn is_behind(&self, sql: &mut Sql) -> Option<String> {
        let Some(Position::AfterSession(started_at, id)) = &self.page.after else { return None };
        let (started_at, id) = (sql.instant(*started_at), sql.text(id));
        Some(format!("(min(e.timestamp) < {started_at} OR (min(e.timestamp) = {started_at} AND e.session_id < {id}))"))
    }
}

impl Executable for SessionsPlan {
    type Answer = SessionsAnswer;
    type Intake = Gathering<Self>;

    fn looking(&self) -> Option<Box<dyn Looking<Self>>> {
        if !self.has_columns || self.starts.is_some() {
            return None;
        }
        Some(Box::new(LookingForStarts::new(self)?))
    }

    /// Where it was looked into columns before, all that is found passes.
    fn statements(&self, dialect: Dialect) -> Vec<Statement> {
        let mut sql = self.page.sql(dialect);
        let (from, having) = match &self.starts {
            None => {
                let conditions = sql.in_range();
                let having: Vec<String> =
                    [self.passes(&mut sql), self.is_behind(&mut sql)].into_iter().flatten().collect();
                (format!("{}\n  WHERE {}", sql.events(), conditions.join("\n    AND ")), having)
            }
            Some(starts) => {
                let from = starts.events(&mut sql);
                let behind = self.is_behind(&mut sql);
                (from, behind.into_iter().chain(starts.conditions(&mut sql)).collect())
            }
        };
        let text = select(&mut sql, &from, &having, self.page.limit.saturating_add(1));
        vec![sql.finish(text)]
    }

    fn is_of_one_state(&self) -> bool {
        self.starts.is_some()
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
