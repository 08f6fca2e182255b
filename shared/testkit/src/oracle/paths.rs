//! Paths: the names of every actor's steps, written out one after the other and counted.

use std::collections::{BTreeMap, BTreeSet};

use analytics_domain::Retention;
use jiff::tz::TimeZone;
use serde_json::{Value as Json, json};

use super::answer::{Seen, with_persons};
use super::filter::Filter;
use super::range::{clamp, resolve};
use super::value::Field;
use super::{OracleError, StoredEvent, World};

/// The name of a step; none where the event has none.
type Name = Option<String>;

/// What a question of paths has to be answered with, as it stands in the answer: `{"nodes":[...],"links":[...]}`.
///
/// # Errors
/// [`OracleError`] where the question is none of paths.
pub fn paths(events: &[StoredEvent], question: &Json, world: &World) -> Result<Json, OracleError> {
    let end = |name: &str| match question.get(name) {
        None | Some(Json::Null) => Ok(None),
        Some(end) => match end.get("filters") {
            Some(filters) => Filter::parse_all(filters, name).map(Some),
            None => Ok(Some(Vec::new())),
        },
    };
    let number = |name: &str, default: u64| {
        let number = question.get(name).map_or(Some(default), Json::as_u64);
        number.and_then(|number| usize::try_from(number).ok()).ok_or_else(|| OracleError::new(name, "a whole number"))
    };
    let word = |name: &str, default: &str| {
        let word = question.get(name).map_or(Some(default), Json::as_str);
        word.map(str::to_owned).ok_or_else(|| OracleError::new(name, "a word"))
    };
    let (from, to, depth, limit) = (end("from")?, end("to")?, number("depth", 5)?, number("limit", 10)?);
    let name = Field::parse(&word("name", "event_action")?, "name")?;
    let by_session = word("by", "person")? == "session";
    let zone = TimeZone::get(&word("timezone", "UTC")?).map_err(|_| OracleError::new("timezone", "a zone"))?;
    let date_range = question.get("date_range").cloned().unwrap_or(json!("7d"));

    let cutoff = Retention { days: world.retention_days }.cutoff(world.now);
    let seen = with_persons(events, world);
    let first_event = seen.iter().map(|seen| seen.event.timestamp).filter(|at| *at >= cutoff).min();
    let range = clamp(resolve(&date_range, &zone, world, first_event)?, world);
    let mut actors: BTreeMap<String, Vec<&Seen<'_>>> = BTreeMap::new();
    for seen in seen.iter().filter(|seen| range.from <= seen.event.timestamp && seen.event.timestamp < range.to) {
        let actor = if by_session { seen.event.session_id.to_string() } else { seen.person.clone() };
        actors.entry(actor).or_default().push(seen);
    }

    let passes = |own: &&Seen<'_>, filters: &[Filter]| own.passes(filters, &seen, range);
    // The names of each actor's steps.
    let mut paths: Vec<Vec<Name>> = Vec::new();
    for events in actors.values_mut() {
        events.sort_by_key(|seen| (seen.event.timestamp, seen.event.id));
        let mut events = events.as_slice();
        if let Some(filters) = &from {
            let Some(first) = events.iter().position(|seen| passes(seen, filters)) else { continue };
            events = &events[first..];
        }
        if let Some(filters) = &to {
            let Some(last) = events.iter().position(|seen| passes(seen, filters)) else { continue };
            events = &events[..=last];
        }
        let mut names: Vec<Name> = events.iter().map(|seen| name.of(seen.event).text()).collect();
        names.dedup();
        names.truncate(depth);
        paths.push(names);
    }

    // What each name of a step is called in the answer, and in which order they stand there.
    let mut nodes = Vec::new();
    let mut called: Vec<BTreeMap<Name, Name>> = Vec::new();
    let mut places: Vec<Vec<Name>> = Vec::new();
    for step in 0..depth {
        let names: Vec<&Name> = paths.iter().filter_map(|path| path.get(step)).collect();
        let mut different: Vec<&Name> = names.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
        let count = |name: &Name| names.iter().filter(|other| **other == name).count();
        different.sort_by_key(|name| (std::cmp::Reverse(count(name)), name.is_none(), *name));
        let rest = different.split_off(limit.min(different.len()));
        let other: Name = Some("other".to_owned());
        let mut step_called: BTreeMap<Name, Name> = BTreeMap::new();
        step_called.extend(different.iter().map(|name| ((*name).clone(), (*name).clone())));
        step_called.extend(rest.iter().map(|name| ((*name).clone(), other.clone())));
        let mut order: Vec<Name> = different.into_iter().cloned().collect();
        if !rest.is_empty() {
            // The rest is last, and with it those who are called so themselves.
            order.retain(|name| *name != other);
            order.push(other);
        }
        for name in &order {
            let count = names.iter().filter(|own| step_called[**own] == *name).count();
            nodes.push(json!({ "step": step, "name": name, "count": count }));
        }
        called.push(step_called);
        places.push(order);
    }

    let mut links: Vec<(usize, std::cmp::Reverse<usize>, usize, usize)> = Vec::new();
    for step in 1..depth {
        let mut counts: BTreeMap<(usize, usize), usize> = BTreeMap::new();
        let place = |step: usize, name: &Name| {
            let called = &called[step][name];
            places[step].iter().position(|other| other == called).unwrap_or(usize::MAX)
        };
        for path in paths.iter().filter(|path| path.len() > step) {
            *counts.entry((place(step - 1, &path[step - 1]), place(step, &path[step]))).or_default() += 1;
        }
        links.extend(counts.into_iter().map(|((from, to), count)| (step - 1, std::cmp::Reverse(count), from, to)));
    }
    links.sort_unstable();
    let links: Vec<Json> = links
        .into_iter()
        .map(|(step, count, from, to)| {
            json!({ "step": step, "from": places[step][from], "to": places[step + 1][to], "count": count.0 })
        })
        .collect();
    Ok(json!({ "nodes": nodes, "links": links }))
}
