//! Retention: of those who started in a unit of the calendar, how many came back in each unit after it: `POST /api/retention`.
//!
//! - An actor (a person or a session) belongs to the calendar unit, in the question's zone, of its first start event in the
//!   range; with `ever`, of its first start event over everything kept, where that lies in the range.
//! - Cell k, from 0 to `periods` - 1, counts those with a return event, at or after that start event, in the k-th unit after
//!   it (`on`), or in that or a later one up to the last (`on_or_after`), past the range's end if need be.
//! - A start event that is a return event too counts for cell 0, and so does a return event at the same instant.
//!
//! Both sides of an actor's life in a unit are two instants, its first start and its last return: the statement gives these,
//! ordered by actor and unit, and `fold` makes the cohorts of them.

mod answer;
mod fold;
mod plan;
mod units;

use analytics_domain::Timestamp;
use serde_json::{Value, json};

use crate::filter::{Limits, parse_list};
use crate::reading::{Member as _, members};
use crate::{Actor, DateRange, Filter, Interval, QueryError, Zone};

pub use answer::{Cohort, RetentionAnswer, RetentionCell, RetentionQuery};
pub use plan::{RetentionIntake, RetentionPlan};

/// Most cells of a cohort: a year of days.
pub const PERIODS_MAX: u32 = 366;
/// Cells of a cohort unless asked.
pub const PERIODS_DEFAULT: u32 = 8;

const MEMBERS: [&str; 9] = ["start", "return", "unit", "periods", "mode", "first", "by", "date_range", "timezone"];

/// Who came back, and when.
///
/// As JSON: `start` and `return` (required, each `{"filters": [...]}`, any event without filters), `unit` (`"week"` unless
/// given), `periods` ([`PERIODS_DEFAULT`], at most [`PERIODS_MAX`]), `mode` (`"on"`), `first` (`"in_range"`), `by`
/// (`"person"`), `date_range` and `timezone` as in [`crate::Question`].
#[derive(Debug, Clone, PartialEq)]
pub struct RetentionQuestion {
    /// What a start event is: all of these hold.
    pub start: Vec<Filter>,
    /// What a return event is: all of these hold.
    pub returned: Vec<Filter>,
    /// The unit of the calendar: day, week or month.
    pub unit: Interval,
    /// Cells of a cohort.
    pub periods: u32,
    /// Which units a return counts for.
    pub mode: ReturnMode,
    /// Which start event counts.
    pub first: FirstStart,
    /// Who is counted.
    pub by: Actor,
    /// The range.
    pub date_range: DateRange,
    /// The zone whose calendar is meant.
    pub timezone: Zone,
}

/// Which units a return counts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReturnMode {
    /// `on`: the unit in which it lies.
    On,
    /// `on_or_after`: that one and all before it.
    OnOrAfter,
}

/// Which start event says when an actor started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstStart {
    /// `in_range`: the first in the range, whatever was before it.
    InRange,
    /// `ever`: the first over everything kept; who started before the range is in no cohort.
    Ever,
}

impl ReturnMode {
    const fn name(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::OnOrAfter => "on_or_after",
        }
    }
}

impl FirstStart {
    const fn name(self) -> &'static str {
        match self {
            Self::InRange => "in_range",
            Self::Ever => "ever",
        }
    }
}

impl RetentionQuestion {
    /// Reads the JSON text of a question.
    ///
    /// # Errors
    /// [`QueryError`] with the place of what is wrong; with an empty path where the text is no JSON.
    pub fn from_slice(body: &[u8]) -> Result<Self, QueryError> {
        let value =
            serde_json::from_slice(body).map_err(|error| QueryError::invalid("", format!("expected JSON: {error}")))?;
        Self::from_json(&value)
    }

    /// Reads a question.
    ///
    /// # Errors
    /// [`QueryError`] with the place of what is wrong and what is allowed there.
    pub fn from_json(value: &Value) -> Result<Self, QueryError> {
        let members = members(value, "", &MEMBERS)?;
        // One budget for all filters, wherever they stand.
        let mut limits = Limits::default();
        let word = |name: &str, words: &[&'static str]| one_of(members.get(name), name, words);
        Ok(Self {
            start: event(members.get("start"), "start", &mut limits)?,
            returned: event(members.get("return"), "return", &mut limits)?,
            unit: match word("unit", &["week", "day", "month"])? {
                "day" => Interval::Day,
                "month" => Interval::Month,
                _ => Interval::Week,
            },
            periods: periods(members.get("periods"))?,
            mode: match word("mode", &["on", "on_or_after"])? {
                "on" => ReturnMode::On,
                _ => ReturnMode::OnOrAfter,
            },
            first: match word("first", &["in_range", "ever"])? {
                "in_range" => FirstStart::InRange,
                _ => FirstStart::Ever,
            },
            by: members.get("by").map_or(Ok(Actor::default()), |by| Actor::parse(by, "by"))?,
            date_range: members.date_range()?,
            timezone: members.timezone()?,
        })
    }

    /// The question as JSON, every member present, in one form.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let event = |filters: &[Filter]| json!({ "filters": filters.iter().map(Filter::to_json).collect::<Vec<_>>() });
        json!({
            "start": event(&self.start),
            "return": event(&self.returned),
            "unit": self.unit.name(),
            "periods": self.periods,
            "mode": self.mode.name(),
            "first": self.first.name(),
            "by": self.by.name(),
            "date_range": self.date_range.to_json(),
            "timezone": self.timezone.name(),
        })
    }
}

/// `{"filters": [...]}`.
fn event(value: Option<&Value>, path: &str, limits: &mut Limits) -> Result<Vec<Filter>, QueryError> {
    let wrong = || {
        let message = "expected an object such as {\"filters\": [[\"is\", \"event_action\", [\"sign_up\"]]]}; without \
                       filters it is any event";
        QueryError::invalid(path, message)
    };
    let value = value.filter(|value| value.is_object()).ok_or_else(wrong)?;
    let members = members(value, path, &["filters"])?;
    let filters = members.get("filters");
    filters.map_or(Ok(Vec::new()), |filters| parse_list(filters, &format!("{path}.filters"), 1, limits))
}

/// One of a few words; the first where there is none.
fn one_of(value: Option<&Value>, path: &str, words: &[&'static str]) -> Result<&'static str, QueryError> {
    let Some(value) = value else { return Ok(words.first().copied().unwrap_or_default()) };
    let found = value.as_str().and_then(|text| words.iter().find(|word| **word == text));
    found.copied().ok_or_else(|| QueryError::invalid(path, format!("expected {}", words.join(" or "))))
}

fn periods(value: Option<&Value>) -> Result<u32, QueryError> {
    let Some(value) = value else { return Ok(PERIODS_DEFAULT) };
    let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
    number
        .filter(|number| (1..=PERIODS_MAX).contains(number))
        .ok_or_else(|| QueryError::invalid("periods", format!("expected a whole number from 1 to {PERIODS_MAX}")))
}

/// The life of an actor in one unit, as far as the question goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stay {
    /// The index of the unit; `None` before the range.
    pub(crate) unit: Option<usize>,
    /// Its first start event in it.
    pub(crate) first_start: Option<Timestamp>,
    /// Its last return event in it.
    pub(crate) last_return: Option<Timestamp>,
}
