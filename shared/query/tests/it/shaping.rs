//! Rows of a store become the answer: filled, paired, ordered.

use analytics_domain::Retention;
use analytics_query::{Answer, Cell, Executable as _, Figure, QueryErrorCode, ROW_BUDGET, Row, plan};
use serde_json::{Value, json};

use crate::{context, of_statements, question};

fn shape(value: &Value, rows: Vec<Vec<Row>>) -> Answer {
    let plan = plan(&question(value), &context()).unwrap();
    plan.shape(of_statements(&plan, rows)).unwrap()
}

fn text(text: &str) -> Cell {
    Cell::Text(text.to_owned())
}

fn table(answer: &Answer) -> Vec<(Vec<&str>, Vec<Figure>)> {
    let shown = |row: &'_ analytics_query::ResultRow| row.metrics.clone();
    answer
        .results
        .iter()
        .map(|row| (row.dimensions.iter().map(|value| value.as_deref().unwrap_or("null")).collect(), shown(row)))
        .collect()
}

#[test]
fn nothing_is_still_an_answer() {
    let metrics = json!(["events", "sum:metadata.a", "avg:metadata.a", "min:metadata.a", "events_per_session"]);
    let nothing = [Figure::Count(0), Figure::Number(0.0), Figure::Null, Figure::Null, Figure::Null];
    let answer = shape(&json!({"metrics": metrics}), vec![vec![]]);
    assert_eq!(table(&answer), [(vec![], nothing.to_vec())]);
    let answer = shape(&json!({"metrics": metrics, "date_range": "3d", "dimensions": ["time:day"]}), vec![vec![]]);
    assert_eq!(answer.results.len(), 3);
    assert!(answer.results.iter().all(|row| row.metrics == nothing));
    let answer = shape(&json!({"metrics": metrics, "dimensions": ["time:day", "event_type"]}), vec![vec![]]);
    assert_eq!((answer.results.len(), answer.meta.total_rows), (0, 0));
}

#[test]
fn a_bucket_up_to_now_is_there_where_its_range_is_yet_to_come() {
    let weeks = |from: &str| {
        let range = json!([from, "2026-12-24"]);
        let answer =
            shape(&json!({"metrics": ["events"], "dimensions": ["time:week"], "date_range": range}), vec![vec![]]);
        answer.results.into_iter().map(|row| row.dimensions[0].clone().unwrap()).collect::<Vec<_>>()
    };
    // It is Thursday: Saturday lies in this week, Monday in the next.
    assert_eq!(weeks("2026-11-14"), ["2026-11-09T00:00:00+00:00"]);
    assert!(weeks("2026-11-16").is_empty());
}

#[test]
fn every_tuple_has_every_bucket_up_to_now() {
    let value = json!({"metrics": ["events"], "dimensions": ["event_type", "time:day"], "date_range": ["2026-11-10", "2026-11-20"]});
    let rows = vec![vec![Cell::Int(0), text("b"), Cell::Int(2)], vec![Cell::Int(1), Cell::Null, Cell::Int(3)]];
    let answer = shape(&value, vec![rows.clone()]);
    let day = |day| format!("2026-11-{day}T00:00:00+00:00");
    let expected: Vec<(String, &str, i64)> = [(10, 2, 0), (11, 0, 3), (12, 0, 0)]
        .into_iter()
        .flat_map(|(date, b, null)| [(day(date), "b", b), (day(date), "null", null)])
        .collect();
    let found: Vec<(String, &str, i64)> = table(&answer)
        .into_iter()
        .map(|(dimensions, figures)| {
            let Figure::Count(count) = figures[0] else { panic!("no count") };
            (dimensions[1].to_owned(), dimensions[0], count)
        })
        .collect();
    assert_eq!(found, expected);
    assert_eq!(answer.meta.incomplete_buckets, [day(12)]);
    // An event of the hour ahead lies in tomorrow: its bucket is there for all.
    let mut ahead = rows;
    ahead.push(vec![Cell::Int(3), text("b"), Cell::Int(1)]);
    let answer = shape(&value, vec![ahead]);
    assert_eq!(answer.meta.total_rows, 8);
    assert_eq!(answer.meta.incomplete_buckets, [day(12), day(13)]);
}

#[test]
fn a_cut_bucket_is_incomplete() {
    let value = json!({"metrics": ["events"], "dimensions": ["time:week"], "date_range": ["2026-10-28", "2026-11-10"]});
    let answer = shape(&value, vec![vec![]]);
    let week = |text: &str| format!("2026-{text}T00:00:00+00:00");
    assert_eq!(answer.results.len(), 3);
    assert_eq!(answer.meta.incomplete_buckets, [week("10-26"), week("11-09")]);
}

#[test]
fn rows_pair_by_tuple_and_position() {
    let value = json!({
        "metrics": ["events"], "dimensions": ["time:day", "event_type"], "date_range": ["2026-11-01", "2026-11-03"],
        "compare": ["2026-10-01", "2026-10-02"],
    });
    let main = vec![vec![Cell::Int(0), text("a"), Cell::Int(1)], vec![Cell::Int(0), text("b"), Cell::Int(2)]];
    let other = vec![vec![Cell::Int(1), text("a"), Cell::Int(7)], vec![Cell::Int(0), text("c"), Cell::Int(9)]];
    let answer = shape(&value, vec![main, other]);
    let found: Vec<Option<Option<Vec<Figure>>>> = answer.results.iter().map(|row| row.comparison.clone()).collect();
    let pair = |count| Some(Some(vec![Figure::Count(count)]));
    // a, b by day: a has partners on the two days of the other range, b none.
    assert_eq!(found, [pair(0), Some(None), pair(7), Some(None), Some(None), Some(None)]);
    let json = serde_json::to_value(&answer).unwrap();
    assert_eq!(json["results"][1]["comparison"], Value::Null);
    assert!(json["results"][1].as_object().unwrap().contains_key("comparison"));
    assert_eq!(serde_json::from_value::<Answer>(json).unwrap(), answer);
}

#[test]
fn what_the_retention_cut_off_does_not_move_the_pairs() {
    let mut context = context();
    context.retention = Retention { days: 8 };
    let value =
        json!({"metrics": ["events"], "dimensions": ["time:day"], "date_range": "7d", "compare": "previous_period"});
    let plan = plan(&question(&value), &context).unwrap();
    // Of the seven days before, 30 October to 5 November, the last two are kept: buckets 5 and 6.
    let answer = plan.shape(vec![vec![], vec![vec![Cell::Int(5), Cell::Int(4)]]]).unwrap();
    let found: Vec<_> = answer.results.into_iter().map(|row| row.comparison.unwrap()).collect();
    assert_eq!(found[..5], [None, None, None, None, None]);
    assert_eq!(found[5..], [Some(vec![Figure::Count(4)]), Some(vec![Figure::Count(0)])]);
}

/// A bucket that has begun is there, also where the range has not.
#[test]
fn a_range_that_is_yet_to_come() {
    let ask = |range: Value, interval: &str| {
        let value = json!({"metrics": ["events"], "dimensions": [interval], "date_range": range});
        shape(&value, vec![vec![]]).results.len()
    };
    let soon = json!(["2026-11-12T12:30:00Z", "2026-11-12T13:30:00Z"]);
    assert_eq!(ask(soon.clone(), "time:day"), 1);
    assert_eq!(ask(soon.clone(), "time:hour"), 1);
    assert_eq!(ask(soon, "time:minute"), 0);
    assert_eq!(ask(json!(["2027-01-01", "2027-01-02"]), "time:day"), 0);
}

/// A range compared with that is wholly gone costs no buckets for the time since.
#[test]
fn nothing_is_left_to_compare_with() {
    let mut context = context();
    context.retention = Retention { days: 1 };
    let range = json!(["2026-11-12T10:00:00Z", "2026-11-12T10:02:00Z"]);
    let value =
        json!({"metrics": ["events"], "dimensions": ["time:minute"], "date_range": range, "compare": "previous_year"});
    let answer = plan(&question(&value), &context).unwrap().shape(vec![vec![], vec![]]).unwrap();
    assert_eq!(answer.results.len(), 2);
    assert!(answer.results.iter().all(|row| row.comparison == Some(None)));
}

#[test]
fn order_asked_and_unasked() {
    let rows = || {
        let row =
            |kind: Cell, events: i64, sum: Cell, numbers: i64| vec![kind, Cell::Int(events), sum, Cell::Int(numbers)];
        vec![vec![
            row(text("b"), 5, Cell::Float(10.0), 2),
            row(text("a"), 5, Cell::Null, 0),
            row(Cell::Null, 5, Cell::Float(1.0), 1),
            row(text("Z"), 9, Cell::Float(-4.0), 1),
        ]]
    };
    let ordered = |order: Value| {
        let value = json!({"metrics": ["events", "avg:metadata.x"], "dimensions": ["event_type"], "order_by": order, "date_range": "24h"});
        let answer = shape(&value, rows());
        answer
            .results
            .iter()
            .map(|row| row.dimensions[0].clone().unwrap_or("null".into()))
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(ordered(json!([])), "Z a b null");
    assert_eq!(ordered(json!([["event_type", "asc"]])), "Z a b null");
    assert_eq!(ordered(json!([["event_type", "desc"]])), "b a Z null");
    assert_eq!(ordered(json!([["avg:metadata.x", "desc"]])), "b null Z a");
    assert_eq!(ordered(json!([["avg:metadata.x", "asc"]])), "Z null b a");
    assert_eq!(ordered(json!([["events", "asc"], ["event_type", "desc"]])), "b a null Z");
}

#[test]
fn too_many_rows_are_refused() {
    let value = json!({"metrics": ["events"], "dimensions": ["user_id", "time:day"], "date_range": "7d"});
    let plan = plan(&question(&value), &context()).unwrap();
    let rows = |count: usize| (0..count).map(|n| vec![Cell::Int(0), text(&n.to_string()), Cell::Int(1)]).collect();
    let most = ROW_BUDGET / 7;
    assert_eq!(plan.shape(vec![rows(most)]).unwrap().meta.total_rows, (most * 7) as u64);
    for count in [most + 1, ROW_BUDGET + 1] {
        let error = plan.shape(vec![rows(count)]).unwrap_err();
        assert_eq!(error.code, QueryErrorCode::QueryTooLarge);
        assert!(error.message.contains("date_range") && error.message.contains("filter"));
    }
}

#[test]
fn the_whole_answer() {
    let value = json!({
        "metrics": ["events", "sum:metadata.price", "avg:metadata.price", "events_per_session"],
        "dimensions": ["time:day", "metadata.currency"], "timezone": "europe/berlin", "date_range": ["2026-10-25", "2026-10-26"],
        "filters": [["is", "metadata.\"plain\"", [10, "x"], {"case_sensitive": false}]], "compare": "previous_year", "limit": 3,
    });
    let row = |bucket, currency: Cell, events, sum, numbers, sessions| {
        vec![Cell::Int(bucket), currency, Cell::Int(events), sum, Cell::Int(numbers), Cell::Int(sessions)]
    };
    let main = vec![row(0, text("EUR"), 4, Cell::Float(10.5), 3, 2), row(1, Cell::Null, 1, Cell::Null, 0, 1)];
    let other = vec![row(1, text("EUR"), 2, Cell::Float(1e300), 1, 2)];
    let mut answer = shape(&value, vec![main, other]);
    assert!(answer.meta.next_cursor.take().is_some());
    insta::assert_json_snapshot!(answer);
}
