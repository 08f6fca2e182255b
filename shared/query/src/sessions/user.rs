//! One person known by a user id, and what the person did: `GET /api/users/{id}`.

use std::ops::ControlFlow;

use analytics_domain::Timestamp;
use analytics_domain::event::USER_ID_MAX;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::session::{Timeline, TimelineQuery};
use super::whereabouts::Whereabouts;
use crate::error::QueryErrorCode;
use crate::event_record::instant;
use crate::intake::{Gathered, Gathering};
use crate::page::{Order, Page};
use crate::sql::Sql;
use crate::{
    Askable, Cell, Context, Dialect, EventRecord, Executable, Looking, PageMeta, QueryError, Range, Row, Statement,
};

/// Which person is shown: whose events carry the user id, and the unnamed events of the sessions that it was first seen in.
///
/// As JSON, beside the id: `date_range` (`"all"` unless given), `timezone`, `limit` and `cursor`, as in [`crate::Question`].
#[derive(Debug, Clone, PartialEq)]
pub struct UserQuestion(Timeline);

impl UserQuestion {
    /// Reads a question about the person of this user id.
    ///
    /// # Errors
    /// [`QueryError`] with the place of what is wrong and what is allowed there; the id's place is `id`.
    pub fn from_json(id: &str, value: &Value) -> Result<Self, QueryError> {
        Timeline::from_json(id, USER_ID_MAX, value).map(Self)
    }
}

/// A person, as far as the events lie in the range.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserSummary {
    /// The user id.
    pub user_id: String,
    /// The time of the first event.
    pub first_seen_at: Timestamp,
    /// The time of the last event.
    pub last_seen_at: Timestamp,
    /// How many events.
    pub events: u64,
    /// In how many sessions.
    pub sessions: u64,
}

/// A person and a page of the timeline.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct UserAnswer {
    /// The person, the same on every page.
    pub user: UserSummary,
    /// The events, newest first; of equal times the greatest id first.
    pub results: Vec<EventRecord>,
    /// How the answer came about.
    pub meta: PageMeta,
    /// The question, in one form and with absolute instants.
    pub query: TimelineQuery,
}

/// A planned [`UserQuestion`].
#[derive(Debug, Clone, PartialEq)]
pub struct UserPlan {
    question: Timeline,
    page: Page,
    has_columns: bool,
    /// The quarters of an hour to read, where they are known.
    quarters: Option<Vec<i64>>,
}

impl Askable for UserQuestion {
    type Plan = UserPlan;

    fn plan(&self, context: &Context) -> Result<UserPlan, QueryError> {
        let page = self.0.page("user", context)?;
        Ok(UserPlan { question: self.0.clone(), page, has_columns: context.has_columns, quarters: None })
    }
}

impl UserPlan {
    /// The sessions whose first user the person is: read once, where a store would else read them for every chunk of events.
    fn sessions(&self, sql: &mut Sql) -> String {
        let (project, id) = (sql.project(), sql.text(&self.question.id));
        format!(
            "WITH theirs AS MATERIALIZED (\n  SELECT s.session_id FROM session_users s WHERE s.project = {project} \
             AND s.user_id = {id}\n)\n"
        )
    }

    /// The person's events in a part of the range, those behind the page before, beside [`UserPlan::sessions`].
    fn from(&self, sql: &mut Sql, part: Range, behind: Option<String>) -> String {
        let id = sql.text(&self.question.id);
        let mut conditions = vec![format!(
            "(e.user_id = {id} OR (e.user_id IS NULL AND e.session_id IN (SELECT t.session_id FROM theirs t)))"
        )];
        conditions.extend(behind);
        match &self.quarters {
            Some(quarters) => sql.events_of_quarters_and_marked(quarters, part, &conditions),
            None => sql.events_of_user(&self.question.id, part, &conditions),
        }
    }
}

impl Executable for UserPlan {
    type Answer = UserAnswer;
    type Intake = Gathering<Self>;

    fn looking(&self) -> Option<Box<dyn Looking<Self>>> {
        if !self.has_columns || self.quarters.is_some() {
            return None;
        }
        let whereabouts = Whereabouts::new(&self.page.project, &self.question.id, self.page.range());
        Some(Box::new(LookingForPerson { plan: self.clone(), whereabouts }))
    }

    /// The person in one line, and the page of the timeline.
    fn statements(&self, dialect: Dialect) -> Vec<Statement> {
        let mut sql = self.page.sql(dialect);
        let (from, sessions) = (self.from(&mut sql, self.page.range(), None), self.sessions(&mut sql));
        let text = format!(
            "{sessions}SELECT min(e.timestamp), max(e.timestamp), count(*), count(DISTINCT e.session_id)\nFROM {from}"
        );
        let summary = sql.finish(text);

        let mut sql = self.page.sql(dialect);
        let (part, behind) = self.page.part(&mut sql, Order::NewestFirst);
        let (from, sessions) = (self.from(&mut sql, part, behind), self.sessions(&mut sql));
        vec![summary, self.page.events_from(sql, &sessions, &from, Order::NewestFirst)]
    }

    fn intake(&self) -> Gathering<Self> {
        Gathering::new(self)
    }

    fn cache_key(&self) -> String {
        self.page.cache_key("user")
    }
}

/// Finds the quarters to read.
struct LookingForPerson {
    plan: UserPlan,
    whereabouts: Whereabouts,
}

impl Looking<UserPlan> for LookingForPerson {
    fn statements(&self, dialect: Dialect) -> Vec<Statement> {
        self.whereabouts.statements(dialect)
    }

    fn push(&mut self, statement: usize, row: Row) -> ControlFlow<()> {
        self.whereabouts.push(statement, &row);
        ControlFlow::Continue(())
    }

    fn found(self: Box<Self>) -> Option<UserPlan> {
        let quarters = self.whereabouts.quarters()?;
        Some(UserPlan { quarters: Some(quarters), ..self.plan })
    }
}

impl Gathered for UserPlan {
    type Answer = UserAnswer;

    fn answer(&self, rows: Vec<Vec<Row>>) -> Result<UserAnswer, QueryError> {
        let mut rows = rows.into_iter();
        let summary = rows.next().unwrap_or_default().into_iter().find_map(|row| summary(&self.question.id, &row));
        let user = summary.ok_or_else(|| QueryError {
            code: QueryErrorCode::UserNotFound,
            path: "id".to_owned(),
            message: "there is no event of this user in the range".to_owned(),
        })?;
        let (results, meta) = self.page.read_events(rows.next().unwrap_or_default());
        Ok(UserAnswer { user, results, meta, query: self.question.query(&self.page) })
    }
}

/// The person of a row; `None` where there is no event.
fn summary(id: &str, row: &[Cell]) -> Option<UserSummary> {
    let [first_seen_at, last_seen_at, Cell::Int(events), Cell::Int(sessions)] = row else { return None };
    Some(UserSummary {
        user_id: id.to_owned(),
        first_seen_at: instant(first_seen_at)?,
        last_seen_at: instant(last_seen_at)?,
        events: u64::try_from(*events).ok()?,
        sessions: u64::try_from(*sessions).ok()?,
    })
}
