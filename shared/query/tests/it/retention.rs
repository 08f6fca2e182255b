//! The question of retention: what is refused, what is sent to a store, and the cohorts made of its rows.

use analytics_domain::Retention;
use analytics_query::{
    Askable as _, Cell, Context, Dialect, Executable as _, QueryErrorCode, RetentionAnswer, RetentionQuestion, Row,
    plan,
};
use serde_json::{Value, json};

use crate::sql::{DIALECTS, written};
use crate::{at, context};

fn question(value: &Value) -> RetentionQuestion {
    RetentionQuestion::from_json(value).unwrap_or_else(|error| panic!("{error}: {value}"))
}

fn bought() -> Value {
    json!({"filters": [["is", "event_action", ["purchase"]], ["gt", "metadata.price", [10]]]})
}

#[test]
fn places_and_words() {
    let with = |member: &str, value: Value| {
        let mut question = json!({"start": {}, "return": {}});
        question[member] = value;
        question
    };
    let table = [
        (json!([]), "", "an object"),
        (json!({"return": {}}), "start", "{\"filters\""),
        (json!({"start": {}}), "return", "{\"filters\""),
        (with("start", json!(null)), "start", "{\"filters\""),
        (with("start", json!([["exists", "user_id"]])), "start", "{\"filters\""),
        (with("start", json!({"filter": []})), "start.filter", "no such member"),
        (with("return", json!({"filters": {}})), "return.filters", "a list of filters"),
        (with("return", json!({"filters": [["isnt", "event_type", ["a"]]]})), "return.filters[0][0]", "is_not"),
        (with("start", json!({"filters": [["is", "colour", ["a"]]]})), "start.filters[0][1]", "event_type"),
        (with("unit", json!("hour")), "unit", "week or day or month"),
        (with("unit", json!(7)), "unit", "week or day or month"),
        (with("periods", json!(0)), "periods", "1 to 366"),
        (with("periods", json!(367)), "periods", "1 to 366"),
        (with("periods", json!(1.5)), "periods", "1 to 366"),
        (with("periods", json!("8")), "periods", "1 to 366"),
        (with("mode", json!("after")), "mode", "on or on_or_after"),
        (with("first", json!("last")), "first", "in_range or ever"),
        (with("by", json!("user")), "by", "person"),
        (with("date_range", json!("soon")), "date_range", "yesterday"),
        (with("timezone", json!("Berlin")), "timezone", "IANA"),
        (with("filters", json!([])), "filters", "no such member"),
        (with("'; DROP TABLE raw_events; --", json!(1)), "'; DROP TABLE raw_events; --", "no such member"),
    ];
    for (value, path, word) in table {
        let error = RetentionQuestion::from_json(&value).expect_err(&value.to_string());
        assert_eq!((error.path.as_str(), error.code), (path, QueryErrorCode::InvalidQuery), "{value}: {error}");
        assert!(error.message.contains(word), "{value}: {error}");
    }
    // Of all filters together there are at most 200.
    let half = json!({"filters": vec![json!(["exists", "user_id"]); 101]});
    let error = RetentionQuestion::from_json(&json!({"start": half, "return": half})).unwrap_err();
    assert_eq!((error.path.as_str(), error.message.contains("200 filters")), ("return.filters[99]", true), "{error}");
    assert_eq!(RetentionQuestion::from_slice(b"{").unwrap_err().path, "");
}

#[test]
fn too_many_cells() {
    let value =
        json!({"start": {}, "return": {}, "unit": "day", "periods": 366, "date_range": ["2026-01-01", "2026-11-12"]});
    let error = plan(&question(&value), &context()).unwrap_err();
    assert_eq!((error.code, error.path.as_str()), (QueryErrorCode::QueryTooLarge, "date_range"));
    assert!(error.message.contains("fewer periods"), "{error}");
    let value =
        json!({"start": {}, "return": {}, "unit": "day", "periods": 366, "date_range": ["2026-03-01", "2026-11-12"]});
    assert!(plan(&question(&value), &context()).is_ok());
}

#[test]
fn statements_are_what_they_were() {
    let by_person = json!({"start": bought(), "return": {"filters": [["exists", "user_id"]]}, "date_range": "30d",
        "timezone": "Europe/Berlin", "first": "ever"});
    let by_session = json!({"start": bought(), "return": {}, "unit": "month", "periods": 2, "by": "session"});
    for (dialect, name) in DIALECTS {
        let mut text = written(&question(&by_person).plan(&context()).unwrap().statements(dialect));
        text.push_str(&written(&question(&by_session).plan(&context()).unwrap().statements(dialect)));
        insta::assert_snapshot!(format!("retention_{name}"), text);
    }
}

#[test]
fn no_text_of_a_client_is_in_the_sql() {
    let evil = "x'; DROP TABLE raw_events; --$1?1\"";
    let event =
        json!({"filters": [["is", format!("metadata.{}", json!(evil)), [evil, "b"]], ["matches", "user_id", [evil]]]});
    let value = json!({"start": event, "return": event});
    for (dialect, _) in DIALECTS {
        for statement in plan(&question(&value), &context()).unwrap().statements(dialect) {
            assert!(!statement.sql.to_ascii_lowercase().contains("drop"), "{}", statement.sql);
        }
    }
}

fn row(actor: &str, unit: i64, first_start: Option<&str>, last_return: Option<&str>) -> Row {
    let instant = |text: Option<&str>| text.map_or(Cell::Null, |text| Cell::Timestamp(at(text)));
    vec![Cell::Text(actor.to_owned()), Cell::Int(unit), instant(first_start), instant(last_return), Cell::Int(2)]
}

fn answer(value: &Value, context: &Context, rows: Vec<Row>) -> RetentionAnswer {
    question(value).plan(context).unwrap().shape(vec![rows]).unwrap()
}

#[test]
fn rows_become_cohorts() {
    let value = json!({"start": {}, "return": {}, "periods": 2, "date_range": ["2026-11-04", "2026-11-20"], "timezone": "Asia/Kathmandu"});
    let rows = vec![
        row("u1", 0, Some("2026-11-04T10:00:00Z"), Some("2026-11-04T10:00:00Z")),
        row("u1", 1, None, Some("2026-11-09T10:00:00Z")),
        row("u2", 0, Some("2026-11-05T10:00:00Z"), None),
    ];
    let answer = answer(&value, &context(), rows);
    let found: Vec<_> = answer.cohorts.iter().map(|cohort| (cohort.start.as_str(), cohort.size)).collect();
    // The week of the range's start is told by its Monday, and the one ahead of now is not there.
    assert_eq!(found, [("2026-11-02", 2), ("2026-11-09", 0)]);
    let cells: Vec<_> = answer.cohorts[0].cells.iter().map(|cell| (cell.count, cell.out_of, cell.incomplete)).collect();
    assert_eq!(cells, [(1, 2, false), (1, 2, true)]);
    assert_eq!(answer.meta.events_read, 6);
    assert_eq!(answer.query.date_range[0], "2026-11-04T00:00:00+05:45");
}

#[test]
fn an_empty_range_has_no_cohort() {
    let value = json!({"start": {}, "return": {}, "date_range": ["2026-11-04T00:00:00Z", "2026-11-04T00:00:00Z"]});
    assert!(answer(&value, &context(), Vec::new()).cohorts.is_empty());
    let kept = Context { retention: Retention { days: 1 }, ..context() };
    let value = json!({"start": {}, "return": {}, "date_range": ["2026-11-01", "2026-11-02"]});
    let answer = answer(&value, &kept, Vec::new());
    assert!(answer.cohorts.is_empty());
    assert_eq!(answer.meta.warnings[0].code, "range_cut");
    for (dialect, _) in DIALECTS {
        assert!(!question(&value).plan(&kept).unwrap().statements(dialect)[0].sql.is_empty());
    }
}

/// A day that the zone skipped is no unit: the second day after 29 December is 1 January.
#[test]
fn a_skipped_day_is_no_unit() {
    let value = json!({"start": {}, "return": {}, "unit": "day", "periods": 3, "date_range": ["2011-12-29", "2011-12-31"],
        "timezone": "Pacific/Apia"});
    let rows = vec![row("s", 0, Some("2011-12-29T12:00:00Z"), None), row("s", 2, None, Some("2012-01-01T00:00:00Z"))];
    let answer = answer(&value, &context(), rows);
    let found: Vec<_> = answer.cohorts.iter().map(|cohort| cohort.start.as_str()).collect();
    assert_eq!(found, ["2011-12-29", "2011-12-31"]);
    assert_eq!(answer.cohorts[0].cells.iter().map(|cell| cell.count).collect::<Vec<_>>(), [0, 0, 1]);
    let sql = &question(&value).plan(&context()).unwrap().statements(Dialect::Sqlite)[0].sql;
    assert!(sql.contains("GROUP BY"), "{sql}");
}
