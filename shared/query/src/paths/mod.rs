//! Paths: which events follow which, from a first one on or up to a last one: `POST /api/paths`.
//!
//! An ordered scan gives each actor's events in the range; of an actor nothing is kept but the names of its first steps.

mod answer;
mod plan;
mod tally;
mod trail;

#[cfg(test)]
mod tests;

use serde_json::{Value, json};

pub use answer::{PathEnd, PathLink, PathNode, PathsAnswer, PathsQuery};
pub use plan::{PathsIntake, PathsPlan};

use crate::filter::{Limits, parse_list};
use crate::reading::{self, Member, members};
use crate::{Actor, DateRange, Field, Filter, QueryError, Zone};

/// Steps of a path unless asked.
pub const DEPTH_DEFAULT: usize = 5;
/// Most steps of a path.
pub const DEPTH_MAX: usize = 10;
/// Names of a step that are told by themselves unless asked.
pub const NAMES_DEFAULT: u32 = 10;
/// Most names of a step that are told by themselves.
pub const NAMES_MAX: u32 = 100;

const MEMBERS: [&str; 8] = ["from", "to", "depth", "by", "name", "limit", "date_range", "timezone"];

/// Which events follow which.
///
/// As JSON: `from` and `to` (each `{"filters": [...]}`), `depth` ([`DEPTH_DEFAULT`], at most [`DEPTH_MAX`]), `by` (`"person"`),
/// `name` (`"event_action"`), `limit` ([`NAMES_DEFAULT`], at most [`NAMES_MAX`]), `date_range` and `timezone`; other members are
/// refused by name.
#[derive(Debug, Clone, PartialEq)]
pub struct PathsQuestion {
    /// What a path begins with; else with the first event.
    pub from: Option<Vec<Filter>>,
    /// What a path ends with; who never gets there has none. Else it ends with the last event.
    pub to: Option<Vec<Filter>>,
    /// Most steps.
    pub depth: usize,
    /// Whose events belong together.
    pub by: Actor,
    /// The field whose text is the name of a step.
    pub name: Field,
    /// How many names of a step are told by themselves.
    pub limit: u32,
    /// The range.
    pub date_range: DateRange,
    /// The zone whose days are meant.
    pub timezone: Zone,
}

impl PathsQuestion {
    /// Reads the JSON text of a question.
    ///
    /// # Errors
    /// [`QueryError`] with the place of what is wrong; with an empty path where the text is no JSON.
    pub fn from_slice(body: &[u8]) -> Result<Self, QueryError> {
        Self::from_json(&reading::json(body)?)
    }

    /// Reads a question.
    ///
    /// # Errors
    /// [`QueryError`] with the place of what is wrong and what is allowed there.
    pub fn from_json(value: &Value) -> Result<Self, QueryError> {
        let members = members(value, "", &MEMBERS)?;
        // One budget for all filters, wherever they stand.
        let mut limits = Limits::default();
        let mut end = |name: &str| members.present(name).map(|end| parse_end(end, name, &mut limits)).transpose();
        let (from, to) = (end("from")?, end("to")?);
        let name = match members.get("name") {
            None => Field::EventAction,
            Some(Value::String(field)) => Field::parse(field, "name")?,
            Some(_) => return Err(QueryError::invalid("name", format!("expected a field: {}", crate::field::ALLOWED))),
        };
        Ok(Self {
            from,
            to,
            depth: parse_depth(members.get("depth"))?,
            by: members.get("by").map_or(Ok(Actor::default()), |by| Actor::parse(by, "by"))?,
            name,
            limit: members.limit(NAMES_DEFAULT, NAMES_MAX)?,
            date_range: members.date_range()?,
            timezone: members.timezone()?,
        })
    }

    /// The question as JSON, every member present, in one form.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let end = |filters: &Option<Vec<Filter>>| {
            let filters = filters.as_ref()?;
            Some(json!({ "filters": filters.iter().map(Filter::to_json).collect::<Vec<_>>() }))
        };
        json!({
            "from": end(&self.from),
            "to": end(&self.to),
            "depth": self.depth,
            "by": self.by.name(),
            "name": self.name.to_string(),
            "limit": self.limit,
            "date_range": self.date_range.to_json(),
            "timezone": self.timezone.name(),
        })
    }
}

fn parse_end(value: &Value, path: &str, limits: &mut Limits) -> Result<Vec<Filter>, QueryError> {
    match members(value, path, &["filters"])?.get("filters") {
        Some(filters) => parse_list(filters, &format!("{path}.filters"), 1, limits),
        None => Ok(Vec::new()),
    }
}

fn parse_depth(value: Option<&Value>) -> Result<usize, QueryError> {
    let Some(value) = value else { return Ok(DEPTH_DEFAULT) };
    let depth = value.as_u64().and_then(|depth| usize::try_from(depth).ok());
    depth
        .filter(|depth| (1..=DEPTH_MAX).contains(depth))
        .ok_or_else(|| QueryError::invalid("depth", format!("expected a whole number from 1 to {DEPTH_MAX}")))
}
