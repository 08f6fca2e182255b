//! Makes a disagreement small: events and parts of the question go as long as the two still disagree.

use std::fmt::Write as _;

use serde_json::{Value as Json, json};

use super::Case;
use super::asking::Bench;
use super::kinds::{Kind, difference};

/// Candidates tried for one disagreement; each is stored and asked anew.
const TRIES: usize = 500;

/// The smallest disagreement found from `case` on, and what it is.
pub(crate) async fn shrink<K: Kind>(bench: &Bench, mut case: Case) -> (Case, String) {
    // Asked again alone, with fresh events: where the two agree then, the first answer depended on what else was stored.
    let mut found = "they agree when the same events are stored again in another project".to_owned();
    let mut tries = 0;
    let mut candidates = vec![case.clone()];
    'smaller: loop {
        for candidate in std::mem::take(&mut candidates) {
            tries += 1;
            if tries > TRIES {
                return (case, found);
            }
            let candidate = bench.in_fresh_projects(&candidate);
            let Some(expected) = K::expected(&candidate) else { continue };
            bench.store_all(&candidate.events, &candidate.world).await;
            if let Some(difference) = difference::<K>(bench, &candidate, &expected).await {
                (case, found) = (candidate, difference);
                candidates = K::candidates(&case);
                continue 'smaller;
            }
        }
        return (case, found);
    }
}

/// Without one of these members, and with fewer events.
pub(crate) fn fewer_members_and_events(case: &Case, members: &[&str]) -> Vec<Case> {
    let mut candidates = Vec::new();
    for member in members {
        let mut question = case.question.clone();
        if question.as_object_mut().is_some_and(|members| members.remove(*member).is_some()) {
            candidates.push(Case { question, ..case.clone() });
        }
    }
    let mut size = case.events.len() / 2;
    while size > 0 {
        for start in (0..case.events.len()).step_by(size) {
            let mut events = case.events.clone();
            events.drain(start..(start + size).min(events.len()));
            candidates.push(Case { events, ..case.clone() });
        }
        size /= 2;
    }
    candidates
}

/// Smaller cases of figures: fewer events, a shorter question, less in an event.
pub(crate) fn smaller_figures(case: &Case) -> Vec<Case> {
    let mut candidates = fewer_members_and_events(case, &[]);
    candidates.extend(smaller_questions(&case.question).into_iter().map(|question| Case { question, ..case.clone() }));
    for (index, stored) in case.events.iter().enumerate() {
        if let Ok(Json::Object(metadata)) = serde_json::from_str(&stored.event.metadata) {
            for key in metadata.keys() {
                let mut metadata = metadata.clone();
                metadata.remove(key);
                let mut events = case.events.clone();
                events[index].event.metadata = analytics_testkit::oracle::canonical_json(&metadata.into()).into();
                candidates.push(Case { events, ..case.clone() });
            }
        }
        if stored.event.user_id.is_some() {
            let mut events = case.events.clone();
            events[index].event.user_id = None;
            candidates.push(Case { events, ..case.clone() });
        }
    }
    candidates
}

fn smaller_questions(question: &Json) -> Vec<Json> {
    let mut questions = Vec::new();
    for field in ["filters", "order_by", "limit", "timezone", "compare", "dimensions"] {
        let mut smaller = question.clone();
        if smaller.as_object_mut().is_some_and(|object| object.remove(field).is_some()) {
            questions.push(smaller);
        }
    }
    for field in ["metrics", "dimensions", "order_by", "filters"] {
        let Some(list) = question[field].as_array() else { continue };
        for index in 0..list.len() {
            if field != "metrics" || list.len() > 1 {
                let mut smaller = question.clone();
                smaller[field].as_array_mut().unwrap().remove(index);
                questions.push(smaller);
            }
            if field == "filters" {
                for filter in smaller_filters(&list[index]) {
                    let mut smaller = question.clone();
                    smaller[field][index] = filter;
                    questions.push(smaller);
                }
            }
        }
    }
    // An order by what is no longer asked for would be no question.
    questions.retain(|question| {
        let asked = |name: &Json| {
            ["metrics", "dimensions"]
                .iter()
                .any(|list| question[list].as_array().is_some_and(|list| list.contains(name)))
        };
        question["order_by"].as_array().is_none_or(|order| order.iter().all(|key| asked(&key[0])))
    });
    questions
}

fn smaller_filters(filter: &Json) -> Vec<Json> {
    let mut filters = Vec::new();
    match filter[0].as_str() {
        Some("not") => {
            filters.push(filter[1].clone());
            filters.extend(smaller_filters(&filter[1]).into_iter().map(|inner| json!(["not", inner])));
        }
        Some(name @ ("and" | "or" | "has_done" | "has_not_done")) => {
            let inner = filter[1].as_array().cloned().unwrap_or_default();
            filters.extend(inner.iter().cloned());
            for (index, one) in inner.iter().enumerate() {
                if inner.len() > 1 {
                    let mut fewer = inner.clone();
                    fewer.remove(index);
                    filters.push(json!([name, fewer]));
                }
                for smaller in smaller_filters(one) {
                    let mut changed = inner.clone();
                    changed[index] = smaller;
                    filters.push(json!([name, changed]));
                }
            }
        }
        Some(name) => {
            if filter.as_array().is_some_and(|parts| parts.len() == 4) {
                filters.push(json!([name, filter[1], filter[2]]));
            }
            if name != "between"
                && let Some(values) = filter[2].as_array().filter(|values| values.len() > 1)
            {
                for index in 0..values.len() {
                    let mut fewer = filter.clone();
                    fewer[2].as_array_mut().unwrap().remove(index);
                    filters.push(fewer);
                }
            }
        }
        None => {}
    }
    filters
}

/// A case as text that can be acted on.
pub(crate) fn describe(case: &Case) -> String {
    let mut text = format!("now {}, retention {} days\n", case.world.now, case.world.retention_days);
    for stored in &case.events {
        let event = &stored.event;
        let project = if stored.project == case.world.project { "" } else { " (of another project)" };
        let _ = writeln!(
            text,
            "  {} {} session {:?} user {:?} type {:?} action {:?} {}{project}",
            event.timestamp,
            event.id,
            event.session_id,
            event.user_id,
            event.event_type,
            event.event_action,
            event.metadata
        );
    }
    let _ = write!(text, "{}", case.question);
    text
}
