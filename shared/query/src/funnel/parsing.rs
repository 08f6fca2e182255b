//! Funnels from their JSON form, with the place of what is wrong.

use serde_json::Value;

use super::{EXCLUSIONS_MAX, STEPS_MAX, STEPS_MIN};
use super::{Exclusion, FunnelQuestion, Step, StepOrder, Window};
use crate::filter::{Limits, TEXT_MAX, parse_list};
use crate::reading::{Member as _, json, members};
use crate::{Actor, Field, Filter, QueryError};

const MEMBERS: [&str; 9] =
    ["steps", "window", "order", "by", "exclude", "breakdown", "date_range", "timezone", "filters"];

/// The units of a window, in seconds.
pub(super) const UNITS: [(char, u32); 4] = [('s', 1), ('m', 60), ('h', 3_600), ('d', 86_400)];

/// Longest window, in seconds.
const WINDOW_MAX: u32 = 90 * 86_400;

impl FunnelQuestion {
    /// Reads the JSON text of a question.
    ///
    /// # Errors
    /// [`QueryError`] with the place of what is wrong; with an empty path where the text is no JSON.
    pub fn from_slice(body: &[u8]) -> Result<Self, QueryError> {
        Self::from_json(&json(body)?)
    }

    /// Reads a question.
    ///
    /// # Errors
    /// [`QueryError`] with the place of what is wrong and what is allowed there.
    pub fn from_json(value: &Value) -> Result<Self, QueryError> {
        let members = members(value, "", &MEMBERS)?;
        // One budget for all filters, wherever they stand.
        let mut limits = Limits::default();
        let steps = parse_steps(members.get("steps"), &mut limits)?;
        let exclude = match members.present("exclude") {
            Some(exclude) => parse_exclusions(exclude, steps.len(), &mut limits)?,
            None => Vec::new(),
        };
        let breakdown = match members.present("breakdown") {
            Some(Value::String(field)) => Some(Field::parse(field, "breakdown")?),
            Some(_) => {
                return Err(QueryError::invalid("breakdown", format!("expected a field: {}", crate::field::ALLOWED)));
            }
            None => None,
        };
        let filters = match members.get("filters") {
            Some(filters) => parse_list(filters, "filters", 1, &mut limits)?,
            None => Vec::new(),
        };
        Ok(Self {
            window: Window::parse(members.get("window"), "window")?,
            order: StepOrder::parse(members.get("order"), "order")?,
            by: members.get("by").map_or(Ok(Actor::default()), |by| Actor::parse(by, "by"))?,
            date_range: members.date_range()?,
            timezone: members.timezone()?,
            steps,
            exclude,
            breakdown,
            filters,
        })
    }
}

fn parse_steps(value: Option<&Value>, limits: &mut Limits) -> Result<Vec<Step>, QueryError> {
    let wrong = || {
        let message = format!(
            "expected a list of {STEPS_MIN} to {STEPS_MAX} steps: {{\"name\": TEXT, \"filters\": [FILTER, ...]}}"
        );
        QueryError::invalid("steps", message)
    };
    let steps = value.and_then(Value::as_array).ok_or_else(wrong)?;
    if !(STEPS_MIN..=STEPS_MAX).contains(&steps.len()) {
        return Err(wrong());
    }
    let parse = |(index, step): (usize, &Value)| {
        let path = format!("steps[{index}]");
        let members = members(step, &path, &["name", "filters"])?;
        let name = match members.present("name") {
            None => None,
            Some(Value::String(name)) if name.chars().count() <= TEXT_MAX => Some(name.clone()),
            Some(_) => {
                let message = format!("expected a text of at most {TEXT_MAX} characters");
                return Err(QueryError::invalid(format!("{path}.name"), message));
            }
        };
        Ok(Step { name, filters: parse_filters(members.get("filters"), &path, limits)? })
    };
    steps.iter().enumerate().map(parse).collect()
}

fn parse_exclusions(value: &Value, steps: usize, limits: &mut Limits) -> Result<Vec<Exclusion>, QueryError> {
    let Some(exclusions) = value.as_array().filter(|exclusions| exclusions.len() <= EXCLUSIONS_MAX) else {
        let message = format!(
            "expected a list of at most {EXCLUSIONS_MAX} exclusions: {{\"filters\": [FILTER, ...], \"after\": 0, \"before\": 1}}"
        );
        return Err(QueryError::invalid("exclude", message));
    };
    let parse = |(index, exclusion): (usize, &Value)| {
        let path = format!("exclude[{index}]");
        let members = members(exclusion, &path, &["filters", "after", "before"])?;
        let step = |name: &str, default: usize, least: usize, most: usize| match members.get(name) {
            None => Ok(default),
            Some(value) => {
                let step = value.as_u64().and_then(|step| usize::try_from(step).ok());
                step.filter(|step| (least..=most).contains(step)).ok_or_else(|| {
                    let message = format!("expected a step from {least} to {most}; steps are counted from 0");
                    QueryError::invalid(format!("{path}.{name}"), message)
                })
            }
        };
        let filters = parse_filters(members.get("filters"), &path, limits)?;
        let after = step("after", 0, 0, steps - 2)?;
        Ok(Exclusion { filters, after, before: step("before", after + 1, after + 1, steps - 1)? })
    };
    exclusions.iter().enumerate().map(parse).collect()
}

/// The member `filters` of a part of the question; without any, it is every event.
fn parse_filters(value: Option<&Value>, path: &str, limits: &mut Limits) -> Result<Vec<Filter>, QueryError> {
    value.map_or(Ok(Vec::new()), |filters| parse_list(filters, &format!("{path}.filters"), 1, limits))
}

impl StepOrder {
    fn parse(value: Option<&Value>, path: &str) -> Result<Self, QueryError> {
        let Some(value) = value else { return Ok(Self::default()) };
        let all = [Self::Ordered, Self::Strict, Self::Any];
        let named = all.into_iter().find(|order| value.as_str() == Some(order.name()));
        named.ok_or_else(|| QueryError::invalid(path, "expected \"ordered\", \"strict\" or \"any\""))
    }
}

impl Window {
    /// Reads a window; `1d` where there is none.
    fn parse(value: Option<&Value>, path: &str) -> Result<Self, QueryError> {
        let Some(value) = value else { return Ok(Self { seconds: 86_400 }) };
        let wrong = || {
            QueryError::invalid(
                path,
                "expected a whole number and one of s, m, h and d, at most 90d, such as \"30m\" or \"1d\"",
            )
        };
        let text = value.as_str().ok_or_else(wrong)?;
        let unit = text.chars().next_back().and_then(|last| UNITS.into_iter().find(|(unit, _)| *unit == last));
        let (unit, length) = unit.ok_or_else(wrong)?;
        let digits = text.strip_suffix(unit).unwrap_or_default();
        if digits.starts_with('0') || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong());
        }
        let count: u32 = digits.parse().map_err(|_| wrong())?;
        let seconds = count.checked_mul(length).filter(|seconds| *seconds <= WINDOW_MAX).ok_or_else(wrong)?;
        Ok(Self { seconds })
    }
}
