//! Which sessions a page of the list may hold, and in which quarters of an hour they have events: what columns tell, so that raw
//! rows are read there only.
//!
//! The page goes by the start of sessions, which only all events of the range tell. Columns name the sessions of each quarter,
//! so that the quarter that each starts in is known of some bytes a session, and with filters whether an event of it passes.
//! What a session is called, when it starts to the microsecond, and what it ends with stands in raw rows alone.

use std::collections::HashSet;
use std::ops::ControlFlow;

use analytics_columns::Quarter;
use analytics_domain::Timestamp;

use super::list::SessionsPlan;
use crate::columns::{self, ColumnReader, Starting, Threads};
use crate::sql::Sql;
use crate::{Dialect, Looking, Param, Row, Statement};

/// What a page is read of.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Starts {
    /// The quarters to read, ascending.
    quarters: Vec<i64>,
    /// No session of the page starts before.
    earliest: Timestamp,
    /// Which sessions may be on it, by number, and those that have none yet by name.
    numbers: Vec<i64>,
    names: Vec<String>,
}

impl Starts {
    /// What stands behind `FROM` for the events to read, as `raw_events e`.
    pub(super) fn events(&self, sql: &mut Sql) -> String {
        sql.events_of_quarters(&self.quarters, sql.range(), &[])
    }

    /// What holds for a group of a session's events where it may be on the page: it starts late enough, and is one of those
    /// found. Of any other not all events may have been read.
    pub(super) fn conditions(&self, sql: &mut Sql) -> [String; 2] {
        let (project, earliest) = (sql.project(), sql.instant(self.earliest));
        let numbers = sql.bind(Param::Ints(self.numbers.clone()));
        let names = sql.bind(Param::Texts(self.names.clone()));
        let each = |list: &str| match sql.dialect() {
            Dialect::Postgres => format!("SELECT unnest({list})"),
            Dialect::Sqlite => format!("SELECT value FROM json_each({list})"),
        };
        let number = format!(
            "(SELECT i.number FROM identities i WHERE i.project = {project} AND i.kind = 's' AND i.name = e.session_id)"
        );
        [
            format!("min(e.timestamp) >= {earliest}"),
            format!("({number} IN ({}) OR e.session_id IN ({}))", each(&numbers), each(&names)),
        ]
    }
}

/// Finds what a page is to be read of.
pub(super) struct LookingForStarts {
    plan: SessionsPlan,
    reader: ColumnReader<Starting>,
}

impl LookingForStarts {
    /// `None` where columns do not tell which sessions are listed.
    pub(super) fn new(plan: &SessionsPlan) -> Option<Self> {
        let filters = plan.filters();
        columns::can_be_judged(filters).then(|| {
            let starting = Starting::new(plan.page().range(), filters);
            Self { plan: plan.clone(), reader: ColumnReader::new(starting, Threads::of_machine()) }
        })
    }
}

impl Looking<SessionsPlan> for LookingForStarts {
    fn statements(&self, dialect: Dialect) -> Vec<Statement> {
        let page = self.plan.page();
        let starting = Starting::new(page.range(), self.plan.filters());
        columns::statements(&page.project, page.range(), &starting, dialect).into()
    }

    /// Columns that are too many or cannot be read are none to look into: raw rows can be read.
    fn push(&mut self, statement: usize, row: Row) -> ControlFlow<()> {
        match self.reader.push(statement, row) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }

    fn found(self: Box<Self>) -> Option<SessionsPlan> {
        let (starting, named) = self.reader.finish_with_named().ok()?;
        let page = self.plan.page();
        // One more tells whether there is a next page.
        let limit = page.limit as usize + 1;
        let found = starting.page(limit, self.plan.behind())?;
        let of_answer: HashSet<u32> = named.values().copied().collect();
        let numbers = found.sessions.iter().filter(|number| !of_answer.contains(number)).copied().map(i64::from);
        let is_found = |number: &u32| found.sessions.binary_search(number).is_ok();
        let mut names: Vec<String> =
            named.into_iter().filter(|(_, number)| is_found(number)).map(|(name, _)| name).collect();
        names.sort_unstable();
        let starts = Starts {
            quarters: found.quarters,
            earliest: page.range().from.max(Quarter(found.first).start()),
            numbers: numbers.collect(),
            names,
        };
        Some(self.plan.narrowed(starts))
    }
}
