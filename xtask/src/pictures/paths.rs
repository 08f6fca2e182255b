//! Paths: the names of each step one below the other, and a band for those who go from one to the next.

use std::collections::BTreeMap;

use serde_json::Value;

use super::page::{Page, list, number, text};
use super::sheet::{Anchor, MARGIN, RIGHT, Sheet, TOP};
use crate::failure::Failure;

const BAR: f64 = 10.0;
/// What a name needs behind the last step.
const LAST: f64 = 130.0;
/// What one person is high.
const UNIT: f64 = 40.0;
const BETWEEN: f64 = 38.0;

pub(super) fn draw(page: &Page) -> Result<Sheet, Failure> {
    let answer = page.answer(0)?;
    let (nodes, links) = (list(&answer["nodes"]), list(&answer["links"]));
    let last = nodes.iter().map(|node| number(&node["step"])).fold(0.0, f64::max);
    if last == 0.0 {
        return Err(page.unexpected("the paths have one step only"));
    }
    let mut sheet =
        Sheet::new("Where do they go from the pricing page?", "Persons at each step, and how many go each way.");
    let column = (RIGHT - LAST - MARGIN) / last;
    let left = |step: f64| MARGIN + step * column;
    let mut tops: BTreeMap<(u64, String), f64> = BTreeMap::new();
    let mut ends: BTreeMap<u64, f64> = BTreeMap::new();
    for node in nodes {
        let step = node["step"].as_u64().unwrap_or(0);
        let end = ends.entry(step).or_insert(TOP + 28.0);
        tops.insert((step, name(&node["name"])), *end);
        *end += number(&node["count"]) * UNIT + BETWEEN;
    }
    // Bands first, so that names lie on them.
    let (mut leaving, mut arriving) = (tops.clone(), tops.clone());
    for link in links {
        let step = link["step"].as_u64().unwrap_or(0);
        let height = number(&link["count"]) * UNIT;
        let missing = || page.unexpected("a link is between no nodes");
        let from = leaving.get_mut(&(step, name(&link["from"]))).ok_or_else(missing)?;
        let to = arriving.get_mut(&(step + 1, name(&link["to"]))).ok_or_else(missing)?;
        sheet.band((left(step as f64) + BAR, *from), (left(step as f64 + 1.0), *to), height);
        *from += height;
        *to += height;
    }
    for step in ends.keys() {
        let heading = if *step == 0 { "start".to_owned() } else { format!("step {step}") };
        sheet.text_at(left(*step as f64), TOP + 8.0, Anchor::Start, "quiet", &heading);
    }
    for node in nodes {
        let step = node["step"].as_u64().unwrap_or(0);
        let (x, y) = (left(step as f64), tops.get(&(step, name(&node["name"]))).copied().unwrap_or(TOP));
        let height = number(&node["count"]) * UNIT;
        sheet.rectangle([x, y, BAR, height], 3.0, "bar");
        let middle = y + height / 2.0;
        sheet.text_at(x + BAR + 12.0, middle, Anchor::Start, "strong", &name(&node["name"]));
        sheet.text_at(x + BAR + 12.0, middle + 16.0, Anchor::Start, "quiet", &node["count"].to_string());
    }
    let bottom = ends.values().copied().fold(TOP, f64::max) - BETWEEN;
    Ok(sheet.end(bottom + 6.0))
}

fn name(name: &Value) -> String {
    text(name, "no path").to_owned()
}
