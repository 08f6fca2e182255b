//! The events themselves, newest first: `GET /api/events`.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::filter::{Columns, Filtered as _};
use crate::intake::{Gathered, Gathering};
use crate::page::{Order, Page};
use crate::question::{LIMIT_DEFAULT, LIMIT_MAX};
use crate::reading::{Member as _, members};
use crate::{
    Askable, Context, DateRange, Dialect, EventRecord, Executable, Filter, PageMeta, QueryError, Row, Statement, Zone,
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
    pub meta: PageMeta,
    /// The question, in one form and with absolute instants.
    pub query: EventsQuery,
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
    page: Page,
}

impl Askable for EventsQuestion {
    type Plan = EventsPlan;

    fn plan(&self, context: &Context) -> Result<EventsPlan, QueryError> {
        let asked = self.asked();
        let page = Page::new(asked, self.date_range, &self.timezone, self.cursor.as_deref(), self.limit, context)?;
        Ok(EventsPlan { question: self.clone(), page })
    }
}

impl Executable for EventsPlan {
    type Answer = EventsAnswer;
    type Intake = Gathering<Self>;

    fn statements(&self, dialect: Dialect) -> Vec<Statement> {
        let mut sql = self.page.sql(dialect);
        let mut conditions = self.page.conditions(&mut sql, Order::NewestFirst);
        conditions.extend(self.question.filters.iter().map(|filter| sql.filter(filter, Columns::Raw)));
        vec![self.page.events(sql, &conditions, Order::NewestFirst)]
    }

    fn intake(&self) -> Gathering<Self> {
        Gathering::new(self)
    }

    fn cache_key(&self) -> String {
        self.page.cache_key("events")
    }
}

impl Gathered for EventsPlan {
    type Answer = EventsAnswer;

    fn answer(&self, rows: Vec<Vec<Row>>) -> Result<EventsAnswer, QueryError> {
        let (results, meta) = self.page.read_events(rows.into_iter().next().unwrap_or_default());
        let query = EventsQuery {
            date_range: self.page.shown.clone(),
            timezone: self.question.timezone.name().to_owned(),
            filters: self.question.filters.iter().map(Filter::to_json).collect(),
            limit: self.question.limit,
        };
        Ok(EventsAnswer { results, meta, query })
    }
}
