//! Funnels: every possible start of every actor is tried, and the one that gets furthest counts.

use std::collections::{BTreeMap, BTreeSet};

use analytics_domain::{Retention, Timestamp};
use jiff::tz::TimeZone;
use serde_json::{Value as Json, json};

use super::answer::{Seen, with_persons};
use super::filter::Filter;
use super::range::{Range, clamp, resolve};
use super::value::Field;
use super::{OracleError, StoredEvent, World};

/// Values of a breakdown that are told by themselves.
const VALUES: usize = 25;

/// A funnel, read from its JSON.
struct Question {
    names: Vec<Json>,
    steps: Vec<Vec<Filter>>,
    window: i64,
    order: String,
    by_session: bool,
    /// The filters, and the steps after and before which they count.
    exclude: Vec<(Vec<Filter>, usize, usize)>,
    breakdown: Option<Field>,
    filters: Vec<Filter>,
    zone: TimeZone,
    date_range: Json,
}

/// The steps that an attempt has reached: the event of each.
type Attempt<'a, 'e> = Vec<&'a Seen<'e>>;

/// What a funnel has to be answered with, as it stands in the answer: `{"steps":[...]}`, and `"breakdown"` where one is asked
/// for.
///
/// # Errors
/// [`OracleError`] where the question is no funnel.
pub fn funnel(events: &[StoredEvent], question: &Json, world: &World) -> Result<Json, OracleError> {
    let question = Question::parse(question)?;
    let cutoff = Retention { days: world.retention_days }.cutoff(world.now);
    let kept: Vec<Seen<'_>> =
        with_persons(events, world).into_iter().filter(|seen| seen.event.timestamp >= cutoff).collect();
    let first_event = kept.iter().map(|seen| seen.event.timestamp).min();
    let range = clamp(resolve(&question.date_range, &question.zone, world, first_event)?, world);
    let judge = Judge { question: &question, range, kept: &kept };

    let mut actors: BTreeMap<String, Vec<&Seen<'_>>> = BTreeMap::new();
    for seen in kept.iter().filter(|seen| judge.passes(seen, &question.filters)) {
        let actor = if question.by_session { seen.event.session_id.to_string() } else { seen.person.clone() };
        actors.entry(actor).or_default().push(seen);
    }
    let mut counted: Vec<Attempt<'_, '_>> = Vec::new();
    for events in actors.values_mut() {
        events.sort_by_key(|seen| (seen.event.timestamp, seen.event.id));
        let mut best: Attempt<'_, '_> = Vec::new();
        for attempt in judge.attempts(events) {
            // Of those that get as far the earliest, which comes first.
            if attempt.len() > best.len() {
                best = attempt;
            }
        }
        if !best.is_empty() {
            counted.push(best);
        }
    }

    let mut answer = json!({ "steps": question.figures(&counted) });
    if let Some(field) = &question.breakdown {
        let mut values: BTreeMap<Option<String>, Vec<Attempt<'_, '_>>> = BTreeMap::new();
        for attempt in counted {
            values.entry(field.of(attempt[0].event).text()).or_default().push(attempt);
        }
        let mut values: Vec<_> = values.into_iter().collect();
        values.sort_by_key(|(value, attempts)| (std::cmp::Reverse(attempts.len()), value.is_none(), value.clone()));
        let rest = values.split_off(values.len().min(VALUES));
        let mut breakdown: Vec<Json> = values
            .iter()
            .map(|(value, attempts)| json!({ "value": value, "steps": question.figures(attempts) }))
            .collect();
        if !rest.is_empty() {
            let rest: Vec<Attempt<'_, '_>> = rest.into_iter().flat_map(|(_, attempts)| attempts).collect();
            breakdown.push(json!({ "value": "other", "steps": question.figures(&rest) }));
        }
        answer["breakdown"] = json!(breakdown);
    }
    Ok(answer)
}

/// Says what an event is to the question.
struct Judge<'q, 'e> {
    question: &'q Question,
    range: Range,
    kept: &'q [Seen<'e>],
}

impl Judge<'_, '_> {
    fn is_in_range(&self, at: Timestamp) -> bool {
        self.range.from <= at && at < self.range.to
    }

    fn passes(&self, seen: &Seen<'_>, filters: &[Filter]) -> bool {
        seen.passes(filters, self.kept, self.range)
    }

    fn fits(&self, seen: &Seen<'_>, step: usize) -> bool {
        self.question.steps.get(step).is_some_and(|filters| self.passes(seen, filters))
    }

    /// The attempts of one actor whose events are in order, earliest start first.
    fn attempts<'a, 'e>(&self, events: &[&'a Seen<'e>]) -> Vec<Attempt<'a, 'e>> {
        let in_range = |seen: &Seen<'_>| self.is_in_range(seen.event.timestamp);
        let mut attempts = Vec::new();
        for (place, start) in events.iter().enumerate() {
            match self.question.order.as_str() {
                // From the first event in range that fits a step, and from no other.
                "any" if in_range(start) && (0..self.question.steps.len()).any(|step| self.fits(start, step)) => {
                    return vec![self.any(&events[place..])];
                }
                "ordered" if in_range(start) && self.fits(start, 0) => attempts.push(self.ordered(start, events)),
                "strict" if in_range(start) && self.fits(start, 0) => {
                    attempts.push(self.strict(&events[place..], events))
                }
                _ => {}
            }
        }
        attempts
    }

    /// Each next step is the earliest unused event that fits, at or after the step before.
    fn ordered<'a, 'e>(&self, start: &'a Seen<'e>, events: &[&'a Seen<'e>]) -> Attempt<'a, 'e> {
        let mut attempt = vec![start];
        while attempt.len() < self.question.steps.len() {
            let last = attempt[attempt.len() - 1].event.timestamp;
            // They are in order of time and, where that is equal, of id.
            let next = events.iter().find(|seen| {
                let used = attempt.iter().any(|used| used.event.id == seen.event.id);
                !used && seen.event.timestamp >= last && self.fits(seen, attempt.len())
            });
            match next {
                Some(next) if self.is_reached(&attempt, next, events) => attempt.push(*next),
                _ => break,
            }
        }
        attempt
    }

    /// Each next step is the event behind the step before.
    fn strict<'a, 'e>(&self, from_start: &[&'a Seen<'e>], events: &[&'a Seen<'e>]) -> Attempt<'a, 'e> {
        let mut attempt = Vec::new();
        for seen in from_start.iter().take(self.question.steps.len()) {
            if !self.fits(seen, attempt.len()) || !self.is_reached(&attempt, seen, events) {
                break;
            }
            attempt.push(*seen);
        }
        attempt
    }

    /// Each event fills the first unfilled step that it fits.
    fn any<'a, 'e>(&self, from_start: &[&'a Seen<'e>]) -> Attempt<'a, 'e> {
        let mut attempt = Vec::new();
        let mut filled = BTreeSet::new();
        for seen in from_start {
            let step = (0..self.question.steps.len()).find(|step| !filled.contains(step) && self.fits(seen, *step));
            let Some(step) = step else { continue };
            if !self.is_reached(&attempt, seen, from_start) {
                break;
            }
            filled.insert(step);
            attempt.push(*seen);
        }
        attempt
    }

    /// Whether the window is open and no excluded event has ended the attempt before.
    fn is_reached(&self, attempt: &[&Seen<'_>], next: &Seen<'_>, events: &[&Seen<'_>]) -> bool {
        let Some(start) = attempt.first() else { return true };
        let at = next.event.timestamp;
        let step = attempt.len();
        let is_ended = self.question.exclude.iter().any(|(filters, after, before)| {
            *after < step
                && step <= *before
                && events.iter().any(|seen| {
                    let excluded = seen.event.timestamp;
                    attempt[*after].event.timestamp < excluded && excluded < at && self.passes(seen, filters)
                })
        });
        at <= start.event.timestamp.saturating_add_micros(self.question.window) && !is_ended
    }
}

impl Question {
    #[allow(clippy::cast_precision_loss, reason = "counts in tests are far below 2^53")]
    fn figures(&self, attempts: &[Attempt<'_, '_>]) -> Vec<Json> {
        let count = |step: usize| attempts.iter().filter(|attempt| attempt.len() > step).count();
        let ratio = |count: usize, of: usize| (of > 0).then(|| count as f64 / of as f64);
        let figures = |step: usize| {
            let mut micros: Vec<i64> = attempts
                .iter()
                .filter(|attempt| step > 0 && attempt.len() > step)
                .map(|attempt| attempt[step].event.timestamp.micros_since(attempt[step - 1].event.timestamp))
                .collect();
            micros.sort_unstable();
            let seconds = |sum: i64, of: usize| (of > 0).then(|| sum as f64 / (of as f64 * 1e6));
            let middle = micros.len() / 2;
            let median = match micros.len() {
                0 => None,
                odd if odd % 2 == 1 => seconds(micros[middle], 1),
                _ => seconds(micros[middle - 1] + micros[middle], 2),
            };
            let average = seconds(micros.iter().sum(), micros.len());
            json!({
                "name": self.names[step],
                "count": count(step),
                // The first step's is to itself.
                "ratio_previous": ratio(count(step), count(step.saturating_sub(1))),
                "ratio_first": ratio(count(step), count(0)),
                "median_seconds": median,
                "average_seconds": average,
            })
        };
        (0..self.steps.len()).map(figures).collect()
    }

    fn parse(question: &Json) -> Result<Self, OracleError> {
        let filters = |part: &Json, path: &str| match part.get("filters") {
            Some(filters) => Filter::parse_all(filters, path),
            None => Ok(Vec::new()),
        };
        let word = |name: &str, default: &str| {
            let word = question.get(name).map_or(Some(default), Json::as_str);
            word.map(str::to_owned).ok_or_else(|| OracleError::new(name, "a word"))
        };
        let steps = question["steps"].as_array().filter(|steps| steps.len() > 1);
        let steps = steps.ok_or_else(|| OracleError::new("steps", "a list of two steps or more"))?;
        let mut exclude = Vec::new();
        for one in question["exclude"].as_array().into_iter().flatten() {
            let step = |name: &str, default: u64| {
                usize::try_from(one.get(name).map_or(Some(default), Json::as_u64).unwrap_or(u64::MAX))
                    .unwrap_or(usize::MAX)
            };
            let after = step("after", 0);
            let before = step("before", after as u64 + 1);
            if after >= before || before >= steps.len() {
                return Err(OracleError::new("exclude", "a step and a later one"));
            }
            exclude.push((filters(one, "exclude")?, after, before));
        }
        let breakdown = match question.get("breakdown").and_then(Json::as_str) {
            Some(field) => Some(Field::parse(field, "breakdown")?),
            None => None,
        };
        let zone = word("timezone", "UTC")?;
        Ok(Self {
            names: steps.iter().map(|step| step["name"].clone()).collect(),
            steps: steps.iter().map(|step| filters(step, "steps")).collect::<Result<_, _>>()?,
            window: window(&word("window", "1d")?)?,
            order: word("order", "ordered")?,
            by_session: word("by", "person")? == "session",
            exclude,
            breakdown,
            filters: filters(question, "filters")?,
            zone: TimeZone::get(&zone).map_err(|_| OracleError::new("timezone", "the name of a zone"))?,
            date_range: question.get("date_range").cloned().unwrap_or(json!("7d")),
        })
    }
}

/// `30m` in microseconds; `u` is one of them, which no question can say.
fn window(text: &str) -> Result<i64, OracleError> {
    let wrong = || OracleError::new("window", "a number and s, m, h or d");
    let (number, unit) = text.split_at(text.len() - 1);
    let micros = match unit {
        "u" => 1,
        "s" => 1_000_000,
        "m" => 60 * 1_000_000,
        "h" => 60 * 60 * 1_000_000,
        "d" => 24 * 60 * 60 * 1_000_000,
        _ => return Err(wrong()),
    };
    number.parse::<i64>().map(|number| number * micros).map_err(|_| wrong())
}
