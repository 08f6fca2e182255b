//! The figures of an answer in one form, so that three ways of asking can be held against each other.

use serde_json::Value;

use super::asked::Kind;

/// Rows of cells, sorted; a cell that is null is empty.
pub type Figures = Vec<Vec<String>>;

/// The figures of our answer.
pub fn of_answer(kind: Kind, answer: &Value) -> Figures {
    let mut rows: Figures = match kind {
        Kind::Figures => list(answer, "results").iter().map(figures).collect(),
        Kind::Funnel => vec![list(answer, "steps").iter().map(|step| cell(&step["count"])).collect()],
        Kind::Retention => list(answer, "cohorts").iter().flat_map(cohort).collect(),
        Kind::Paths => paths(answer),
        Kind::Sessions => {
            let row = |session: &Value| ["session_id", "user_id", "events"].map(|name| cell(&session[name])).to_vec();
            list(answer, "results").iter().map(row).collect()
        }
        Kind::Session => vec![["session_id", "events"].map(|name| cell(&answer["session"][name])).to_vec()],
        Kind::User => vec![["user_id", "events", "sessions"].map(|name| cell(&answer["user"][name])).to_vec()],
    };
    rows.sort();
    rows
}

/// The figures of lines whose cells are parted by `parted_by`; `\N` is null.
pub fn of_lines(lines: &str, parted_by: char) -> Figures {
    let mut rows: Figures = lines
        .lines()
        .filter(|line| !line.is_empty())
        .map(|line| line.split(parted_by).map(|text| if text == "\\N" { String::new() } else { text.into() }).collect())
        .collect();
    rows.sort();
    rows
}

/// The first row in which two differ; sums may differ by the order of adding.
pub fn difference(ours: &Figures, theirs: &Figures) -> Option<String> {
    if ours.len() != theirs.len() {
        return Some(format!("{} rows against {}", ours.len(), theirs.len()));
    }
    let differs = |(one, other): &(&Vec<String>, &Vec<String>)| {
        one.len() != other.len() || !one.iter().zip(*other).all(|(one, other)| is_same(one, other))
    };
    let (one, other) = ours.iter().zip(theirs).find(differs)?;
    Some(format!("{one:?} against {other:?}"))
}

fn is_same(one: &str, other: &str) -> bool {
    let near = |(one, other): (f64, f64)| (one - other).abs() <= one.abs().max(other.abs()) * 1e-9;
    one == other || one.parse().ok().zip(other.parse().ok()).is_some_and(near)
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A bucket of time is its day.
fn figures(row: &Value) -> Vec<String> {
    let day = |text: String| if text.contains("T00:00:00") { text.chars().take(10).collect() } else { text };
    let dimensions = list(row, "dimensions").iter().map(|dimension| day(cell(dimension)));
    dimensions.chain(list(row, "metrics").iter().chain(list(row, "comparison")).map(cell)).collect()
}

/// Start, period and count of each cell in which somebody is.
fn cohort(cohort: &Value) -> Figures {
    let cells = list(cohort, "cells").iter().enumerate().filter(|(_, found)| found["count"] != 0);
    cells.map(|(period, found)| vec![cell(&cohort["start"]), period.to_string(), cell(&found["count"])]).collect()
}

fn paths(answer: &Value) -> Figures {
    let node = |node: &Value| {
        vec!["node".into(), cell(&node["step"]), cell(&node["name"]), String::new(), cell(&node["count"])]
    };
    let link = |link: &Value| {
        vec!["link".into(), cell(&link["step"]), cell(&link["from"]), cell(&link["to"]), cell(&link["count"])]
    };
    list(answer, "nodes").iter().map(node).chain(list(answer, "links").iter().map(link)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn three_ways_meet_in_one_form() {
        let answer = json!({ "results": [
            { "dimensions": ["2026-11-02T00:00:00+05:45"], "metrics": [2, 0.5] },
            { "dimensions": [null], "metrics": [1, null], "comparison": [3] },
        ] });
        let ours = of_answer(Kind::Figures, &answer);
        assert_eq!(ours, of_lines("2026-11-02|2|0.5\n|1||3\n", '|'));
        assert_eq!(ours, of_lines("2026-11-02\t2\t0.5\n\\N\t1\t\\N\t3\n", '\t'));
        assert_eq!(difference(&ours, &of_lines("2026-11-02|2|0.5000000000001\n|1||3\n", '|')), None);
        assert!(difference(&ours, &of_lines("2026-11-02|3|0.5\n|1||3\n", '|')).is_some());
        assert!(difference(&ours, &of_lines("|1||3\n", '|')).is_some());
    }

    #[test]
    fn cells_without_anybody_are_left_out() {
        let answer =
            json!({ "cohorts": [{ "start": "2026-11-02", "size": 3, "cells": [{ "count": 3 }, { "count": 0 }] }] });
        assert_eq!(of_answer(Kind::Retention, &answer), [["2026-11-02", "0", "3"]]);
    }
}
