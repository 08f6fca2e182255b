//! Makes a disagreement small: events and parts of the question go as long as the two still disagree.

use std::fmt::Write as _;

use serde_json::{Value as Json, json};

use super::Case;
use super::asking::{Bench, difference};

/// Candidates tried for one disagreement; each is stored and asked anew.
const TRIES: usize = 600;

/// The smallest disagreement found from `case` on, and what it is.
pub(crate) async fn shrink(bench: &Bench, case: Case) -> (Case, String) {
    let mut shrinking = Shrinking { bench, tries: 0 };
    let mut difference = shrinking.difference(&case).await;
    let mut smallest = case;
    if difference.is_none() {
        // Asked again alone, with fresh events, the two agree: the first answer depended on what else was stored.
        return (smallest, "they agree when the same events are stored again in another project".to_owned());
    }
    loop {
        let mut smaller = None;
        for candidate in candidates(&smallest) {
            if let Some(found) = shrinking.difference(&candidate).await {
                smaller = Some((candidate, found));
                break;
            }
        }
        let Some((candidate, found)) = smaller else { break };
        smallest = candidate;
        difference = Some(found);
    }
    (smallest, difference.unwrap_or_default())
}

struct Shrinking<'b> {
    bench: &'b Bench,
    tries: usize,
}

impl Shrinking<'_> {
    async fn difference(&mut self, case: &Case) -> Option<String> {
        self.tries += 1;
        if self.tries > TRIES {
            return None;
        }
        let case = self.bench.in_fresh_projects(case);
        let (expected, limit) = Bench::expected(&case)?;
        self.bench.store_all(&case.events, &case.world).await;
        let got = self.bench.ask(&case.world, &case.question).await;
        difference(&expected, limit, &got)
    }
}

/// Cases with a little less, those with much less first.
fn candidates(case: &Case) -> Vec<Case> {
    let mut candidates = Vec::new();
    let mut size = case.events.len();
    while size > 0 {
        for start in (0..case.events.len()).step_by(size) {
            let mut events = case.events.clone();
            events.drain(start..(start + size).min(events.len()));
            candidates.push(Case { events, ..case.clone() });
        }
        size /= 2;
    }
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
