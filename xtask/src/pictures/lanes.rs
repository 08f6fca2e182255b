//! A filter by deeds: what each person did, one lane for each, with the question's range and the events that it counts.

use std::collections::BTreeMap;

use serde_json::Value;

use super::page::{Page, clock, day, list, text};
use super::sheet::{Anchor, MARGIN, RIGHT, Sheet, TOP};
use crate::failure::Failure;

/// Where times begin.
const LEFT: f64 = 128.0;
const LANE: f64 = 62.0;

pub(super) fn draw(page: &Page) -> Result<Sheet, Failure> {
    let (events, answer) = (page.events()?, page.answer(0)?);
    let events = list(&events);
    let asked: Value = serde_json::from_str(page.block("json request POST /api/query", 0)?)
        .map_err(|error| page.unexpected(&format!("the first question: {error}")))?;
    let (first_day, last_day) = (text(&asked["date_range"][0], ""), text(&asked["date_range"][1], ""));
    let is_in_range = |time: &str| time.get(..10).is_some_and(|day| first_day <= day && day <= last_day);

    let mut known: BTreeMap<&str, &str> = BTreeMap::new();
    for event in events {
        if let Some(user) = event["user_id"].as_str() {
            known.entry(text(&event["session_id"], "")).or_insert(user);
        }
    }
    let person = |event: &Value| {
        let session = text(&event["session_id"], "").to_owned();
        known.get(session.as_str()).map_or(format!("session {session}"), |user| (*user).to_owned())
    };
    let mut persons: Vec<String> = Vec::new();
    for event in events {
        if !persons.contains(&person(event)) {
            persons.push(person(event));
        }
    }
    let mut times: Vec<&str> = events.iter().map(|event| text(&event["timestamp"], "")).collect();
    times.sort_unstable();
    times.dedup();
    let column = (RIGHT - LEFT) / times.len() as f64;
    let place = |time: &str| times.iter().position(|other| *other == time).unwrap_or(0) as f64;
    let middle = |time: &str| LEFT + (place(time) + 0.5) * column;

    let mut sheet = Sheet::new(
        "Who bought for more than 10, and what did they look at?",
        "The range is shaded, and a halo is around what counts: views by those who bought within it.",
    );
    let bottom = TOP + 40.0 + LANE * persons.len() as f64;
    let within: Vec<f64> = times.iter().filter(|time| is_in_range(time)).map(|time| place(time)).collect();
    if let [first, .., last] = within[..] {
        sheet.rectangle(
            [LEFT + first * column, TOP - 8.0, (last - first + 1.0) * column, bottom - TOP + 16.0],
            8.0,
            "zone",
        );
    }
    for (index, time) in times.iter().enumerate() {
        sheet.text_at(middle(time), TOP + 28.0, Anchor::Middle, "quiet", clock(time));
        if index == 0 || day(times[index - 1]) != day(time) {
            sheet.text_at(middle(time), TOP + 10.0, Anchor::Middle, "strong", &day(time));
        }
    }
    let counted = |event: &Value| {
        let path = &event["metadata"]["path"];
        path.is_string() && is_in_range(text(&event["timestamp"], "")) && path == &answer["results"][0]["dimensions"][0]
    };
    if events.iter().filter(|event| counted(event)).count() as u64
        != answer["results"][0]["metrics"][0].as_u64().unwrap_or(0)
    {
        return Err(page.unexpected("the first answer counts other events than those of its path"));
    }
    for (lane, name) in persons.iter().enumerate() {
        let y = TOP + 40.0 + (lane as f64 + 0.5) * LANE;
        sheet.text_at(MARGIN, y + 5.0, Anchor::Start, "strong", name);
        sheet.line((LEFT, y), (RIGHT, y), "line");
        for event in events.iter().filter(|event| person(event) == *name) {
            let x = middle(text(&event["timestamp"], ""));
            if counted(event) {
                sheet.dot((x, y), 15.0, "halo");
            }
            let action = text(&event["event_action"], "");
            let class = match action {
                "purchase" => "bar",
                "view" => "ring",
                _ => "third",
            };
            sheet.dot((x, y), if class == "ring" { 6.0 } else { 7.0 }, class);
            let metadata = &event["metadata"];
            let label = match (action, &metadata["path"], &metadata["price"]) {
                ("view", Value::String(path), _) => path.clone(),
                ("purchase", _, Value::Number(price)) => format!("paid {price}"),
                _ => action.to_owned(),
            };
            sheet.text_at(x, y + 26.0, Anchor::Middle, "quiet", &label);
        }
    }
    Ok(sheet.end(bottom + 10.0))
}
