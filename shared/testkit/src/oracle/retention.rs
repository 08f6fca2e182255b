//! Who came back: the cohorts of a question of retention.

use std::collections::BTreeMap;

use analytics_domain::{Retention, Timestamp};
use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Value as Json, json};

use super::answer::{Seen, with_persons};
use super::filter::Filter;
use super::range::{Interval, clamp, date_of, days_before, resolve, start_of_day};
use super::{OracleError, StoredEvent, World};

/// A question of retention, read from its JSON.
struct Question {
    start: Vec<Filter>,
    returned: Vec<Filter>,
    unit: Interval,
    periods: i64,
    or_after: bool,
    ever: bool,
    by_session: bool,
    zone: TimeZone,
    date_range: Json,
}

/// The cohorts that `question` has to be answered with, as they stand in the answer: `{"cohorts":[...]}`.
///
/// # Errors
/// [`OracleError`] where the question is none of retention.
pub fn retention(events: &[StoredEvent], question: &Json, world: &World) -> Result<Json, OracleError> {
    let question = Question::parse(question)?;
    let zone = &question.zone;
    // What is older than the retention is in no answer; who somebody is, is looked up over everything.
    let cutoff = Retention { days: world.retention_days }.cutoff(world.now);
    let kept: Vec<Seen<'_>> =
        with_persons(events, world).into_iter().filter(|seen| seen.event.timestamp >= cutoff).collect();
    let first_event = kept.iter().map(|seen| seen.event.timestamp).min();
    let range = clamp(resolve(&question.date_range, zone, world, first_event)?, world);

    let mut actors: BTreeMap<String, Vec<&Seen<'_>>> = BTreeMap::new();
    for seen in &kept {
        let actor = if question.by_session { seen.event.session_id.to_string() } else { seen.person.clone() };
        actors.entry(actor).or_default().push(seen);
    }

    let passes = |own: &Seen<'_>, filters: &[Filter]| own.passes(filters, &kept, range);
    // For each unit with a cohort: the members' counts of every cell.
    let mut members: BTreeMap<Date, Vec<Vec<bool>>> = BTreeMap::new();
    for events in actors.values() {
        let is_in_range = |at: Timestamp| range.from <= at && at < range.to;
        let starts = events.iter().filter(|seen| passes(seen, &question.start)).map(|seen| seen.event.timestamp);
        let first = starts.filter(|at| question.ever || is_in_range(*at)).min();
        let Some(first) = first.filter(|first| is_in_range(*first)) else { continue };
        let cohort = question.unit_of(first)?;
        let returns = events.iter().filter(|seen| seen.event.timestamp >= first && passes(seen, &question.returned));
        let returned: Vec<Date> =
            returns.map(|seen| question.unit_of(seen.event.timestamp)).collect::<Result<_, _>>()?;
        let cells = (0..question.periods)
            .map(|cell| {
                let from = question.units_after(cohort, cell)?;
                let to = question.units_after(cohort, if question.or_after { question.periods - 1 } else { cell })?;
                Ok(returned.iter().any(|unit| from <= *unit && *unit <= to))
            })
            .collect::<Result<Vec<bool>, OracleError>>()?;
        members.entry(cohort).or_default().push(cells);
    }

    let mut cohorts = Vec::new();
    let newest = members.keys().next_back().copied();
    let mut unit = question.unit_of(range.from)?;
    while range.from < range.to && start_of_day(unit, zone)? < range.to {
        if start_of_day(unit, zone)? > world.now && newest.is_none_or(|newest| newest < unit) {
            break;
        }
        let own = members.get(&unit).map(Vec::as_slice).unwrap_or_default();
        let cells = (0..question.periods)
            .map(|cell| {
                let count = own.iter().filter(|cells| cells[usize::try_from(cell).unwrap_or(0)]).count();
                let end = start_of_day(question.units_after(unit, cell + 1)?, zone)?;
                Ok(json!({ "count": count, "out_of": own.len(), "incomplete": end > world.now }))
            })
            .collect::<Result<Vec<Json>, OracleError>>()?;
        cohorts.push(json!({ "start": unit.to_string(), "size": own.len(), "cells": cells }));
        unit = question.units_after(unit, 1)?;
    }
    Ok(json!({ "cohorts": cohorts }))
}

impl Question {
    fn parse(question: &Json) -> Result<Self, OracleError> {
        let word = |name: &str, default: &str| {
            let word = question.get(name).map_or(Some(default), Json::as_str);
            word.map(str::to_owned).ok_or_else(|| OracleError::new(name, "a word"))
        };
        let filters = |name: &str| match question.get(name).map(|event| event.get("filters")) {
            Some(Some(filters)) => Filter::parse_all(filters, name),
            Some(None) => Ok(Vec::new()),
            None => Err(OracleError::new(name, "what an event has to be")),
        };
        let zone = word("timezone", "UTC")?;
        Ok(Self {
            start: filters("start")?,
            returned: filters("return")?,
            unit: Interval::parse(&word("unit", "week")?).ok_or_else(|| OracleError::new("unit", "a unit"))?,
            periods: question.get("periods").map_or(Some(8), Json::as_i64).unwrap_or(8),
            or_after: word("mode", "on")? == "on_or_after",
            ever: word("first", "in_range")? == "ever",
            by_session: word("by", "person")? == "session",
            zone: TimeZone::get(&zone).map_err(|_| OracleError::new("timezone", "the name of a zone"))?,
            date_range: question.get("date_range").cloned().unwrap_or(json!("7d")),
        })
    }

    /// The first date of the unit that holds an instant.
    fn unit_of(&self, instant: Timestamp) -> Result<Date, OracleError> {
        let date = date_of(instant, &self.zone)?;
        match self.unit {
            Interval::Month => Ok(date.first_of_month()),
            Interval::Week(first) => days_before(date, i64::from(date.weekday().since(first))),
            _ => Ok(date),
        }
    }

    /// The first date of a later unit.
    fn units_after(&self, unit: Date, count: i64) -> Result<Date, OracleError> {
        let span = match self.unit {
            Interval::Month => count.months(),
            Interval::Week(_) => count.weeks(),
            _ => count.days(),
        };
        unit.checked_add(span).map_err(|_| OracleError::new("periods", "a unit of the calendar"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::super::tests::{event, world};
    use super::super::{StoredEvent, World};
    use super::retention;

    /// Cohorts as `start size: count count`, with `?` behind what is incomplete.
    fn lines(events: &[StoredEvent], world: &World, question: &Json) -> Vec<String> {
        let answer = retention(events, question, world).unwrap();
        let cell =
            |cell: &Json| format!("{}{}", cell["count"], if cell["incomplete"].as_bool().unwrap() { "?" } else { "" });
        let cohort = |cohort: &Json| {
            let cells: Vec<String> = cohort["cells"].as_array().unwrap().iter().map(cell).collect();
            assert!(cohort["cells"].as_array().unwrap().iter().all(|cell| cell["out_of"] == cohort["size"]));
            format!("{} {}: {}", cohort["start"].as_str().unwrap(), cohort["size"], cells.join(" "))
        };
        answer["cohorts"].as_array().unwrap().iter().map(cohort).collect()
    }

    fn named(at: &str, session: &'static str, user: Option<&'static str>, action: &'static str) -> StoredEvent {
        let mut event = event(at, session, user, json!({}));
        event.event.event_action = action.into();
        event
    }

    fn weekly() -> Json {
        json!({"start": {"filters": [["is", "event_action", ["join"]]]}, "return": {"filters": [["is", "event_action", ["open"]]]},
            "unit": "week", "periods": 3, "date_range": ["2026-11-02", "2026-11-15"]})
    }

    fn with(mut question: Json, member: &str, value: Json) -> Json {
        question[member] = value;
        question
    }

    #[test]
    fn weeks_from_the_first_start_event() {
        let events = [
            named("2026-11-03T10:00:00Z", "a", Some("ann"), "join"),
            // Before the start: no return, though in its week.
            named("2026-11-03T09:00:00Z", "a", Some("ann"), "open"),
            // Past the range's end, in the second week after.
            named("2026-11-17T00:00:00Z", "a2", Some("ann"), "open"),
            named("2026-11-08T23:59:59Z", "b", Some("bob"), "join"),
            named("2026-11-08T23:59:59Z", "b", Some("bob"), "open"),
            named("2026-11-09T00:00:00Z", "b", Some("bob"), "open"),
            // A second start changes nothing.
            named("2026-11-10T00:00:00Z", "b", Some("bob"), "join"),
            named("2026-11-11T00:00:00Z", "c", None, "join"),
        ];
        let now = world("2026-11-20T00:00:00Z");
        assert_eq!(lines(&events, &now, &weekly()), ["2026-11-02 2: 1 1 1?", "2026-11-09 1: 0 0? 0?"]);
        let or_after = with(weekly(), "mode", json!("on_or_after"));
        assert_eq!(lines(&events, &now, &or_after), ["2026-11-02 2: 2 2 1?", "2026-11-09 1: 0 0? 0?"]);
        // By session, `a2` never started.
        let by_session = with(weekly(), "by", json!("session"));
        assert_eq!(lines(&events, &now, &by_session), ["2026-11-02 2: 1 1 0?", "2026-11-09 1: 0 0? 0?"]);
    }

    #[test]
    fn the_first_ever_start_decides_where_asked() {
        let events = [
            named("2026-10-01T10:00:00Z", "a", Some("ann"), "join"),
            named("2026-11-03T10:00:00Z", "b", Some("ann"), "join"),
            // Unnamed at first, and known by the session's first user.
            named("2026-10-02T10:00:00Z", "c", None, "join"),
            named("2026-11-10T10:00:00Z", "c", Some("cyd"), "join"),
        ];
        let mut now = world("2026-11-30T00:00:00Z");
        let one = with(weekly(), "periods", json!(1));
        assert_eq!(lines(&events, &now, &one), ["2026-11-02 1: 0", "2026-11-09 1: 0"]);
        let ever = with(one, "first", json!("ever"));
        assert_eq!(lines(&events, &now, &ever), ["2026-11-02 0: 0", "2026-11-09 0: 0"]);
        // What the retention has taken was never there.
        now.retention_days = 30;
        assert_eq!(lines(&events, &now, &ever), ["2026-11-02 1: 0", "2026-11-09 1: 0"]);
    }

    #[test]
    fn days_of_the_zone_over_clock_changes() {
        let question = |zone: &str, day: &str| json!({"start": {}, "return": {}, "unit": "day", "periods": 2, "timezone": zone, "date_range": [day, day]});
        let now = world("2027-01-01T00:00:00Z");
        // 23 hours in spring, 25 in autumn: the last instant of the day is cell 0, the next one cell 1.
        for (first, last, next, day) in [
            ("2026-03-28T23:00:00Z", "2026-03-29T21:59:59Z", "2026-03-29T22:00:00Z", "2026-03-29"),
            ("2026-10-24T22:00:00Z", "2026-10-25T22:59:59Z", "2026-10-25T23:00:00Z", "2026-10-25"),
        ] {
            let question = question("Europe/Berlin", day);
            let one = |other: &str| [named(first, "s", None, "x"), named(other, "s", None, "x")];
            assert_eq!(lines(&one(last), &now, &question), [format!("{day} 1: 1 0")]);
            assert_eq!(lines(&one(next), &now, &question), [format!("{day} 1: 1 1")]);
        }
        // Midnight at +05:45 is 18:15 UTC, at +13:45 (summer) 10:15.
        let events = [named("2026-11-01T18:14:59Z", "s", None, "x"), named("2026-11-01T18:15:00Z", "s", None, "x")];
        assert_eq!(lines(&events, &now, &question("Asia/Kathmandu", "2026-11-01")), ["2026-11-01 1: 1 1"]);
        let events = [named("2026-11-01T10:14:59Z", "s", None, "x"), named("2026-11-01T10:15:00Z", "s", None, "x")];
        assert_eq!(lines(&events, &now, &question("Pacific/Chatham", "2026-11-01")), ["2026-11-01 1: 1 1"]);
        assert_eq!(lines(&events, &now, &question("Pacific/Chatham", "2026-11-02")), ["2026-11-02 1: 1 0"]);
    }

    #[test]
    fn months_are_as_long_as_they_are() {
        let question = json!({"start": {}, "return": {}, "unit": "month", "periods": 3, "date_range": ["2024-01-31", "2024-02-29"]});
        let events = [
            named("2024-01-31T12:00:00Z", "s", None, "x"),
            named("2024-02-29T23:59:59Z", "s", None, "x"),
            named("2024-03-01T00:00:00Z", "t", None, "x"),
            named("2024-02-29T00:00:00Z", "u", None, "x"),
            named("2024-03-31T23:59:59Z", "u", None, "x"),
        ];
        assert_eq!(
            lines(&events, &world("2024-03-15T00:00:00Z"), &question),
            ["2024-01-01 1: 1 1 0?", "2024-02-01 1: 1 1? 0?"]
        );
    }

    #[test]
    fn a_unit_ahead_is_there_for_who_started_in_it() {
        let question =
            json!({"start": {}, "return": {}, "unit": "day", "periods": 1, "date_range": ["2026-11-01", "2026-11-09"]});
        let now = world("2026-11-02T23:30:00Z");
        assert_eq!(lines(&[], &now, &question), ["2026-11-01 0: 0", "2026-11-02 0: 0?"]);
        let ahead = [named("2026-11-03T00:10:00Z", "s", None, "x")];
        assert_eq!(lines(&ahead, &now, &question), ["2026-11-01 0: 0", "2026-11-02 0: 0?", "2026-11-03 1: 1?"]);
    }
}
