//! A cursor is good for one question of one project.

use analytics_domain::{Project, Timestamp};
use analytics_query::{Answer, Cell, Context, Dialect, EventsQuestion, Executable as _, QueryErrorCode, Row, plan};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{at, context, of_statements, question};

fn rows() -> Vec<Row> {
    (0..5).map(|n| vec![Cell::Text(format!("type {n}")), Cell::Int(10 - n)]).collect()
}

fn page(value: &Value, context: &Context) -> Answer {
    let plan = plan(&question(value), context).unwrap();
    plan.shape(of_statements(&plan, vec![rows()])).unwrap()
}

fn asked() -> Value {
    json!({"metrics": ["events"], "dimensions": ["event_type"], "date_range": "7d", "limit": 2})
}

#[test]
fn pages_are_the_whole_answer_once() {
    let mut value = asked();
    let mut seen = Vec::new();
    let mut now = context();
    let first_range = page(&value, &now).query.date_range;
    loop {
        let answer = page(&value, &now);
        assert_eq!((answer.meta.total_rows, &answer.query.date_range), (5, &first_range));
        seen.extend(answer.results.into_iter().map(|row| row.dimensions[0].clone().unwrap()));
        match answer.meta.next_cursor {
            Some(cursor) => value["cursor"] = json!(cursor),
            None => break,
        }
        // The next page is asked for after midnight: the range stays.
        now.now = at("2026-11-13T12:00:00Z");
    }
    assert_eq!(seen, ["type 0", "type 1", "type 2", "type 3", "type 4"]);
}

#[test]
fn any_other_use_is_refused() {
    let cursor = page(&asked(), &context()).meta.next_cursor.unwrap();
    let refused = |change: &dyn Fn(&mut Value), context: &Context| {
        let mut value = asked();
        value["cursor"] = json!(cursor);
        change(&mut value);
        plan(&question(&value), context).err().map(|error| (error.code, error.path))
    };
    let wrong = Some((QueryErrorCode::InvalidCursor, "cursor".to_owned()));
    assert_eq!(refused(&|_| (), &context()), None);
    for (member, other) in [
        ("metrics", json!(["sessions"])),
        ("dimensions", json!(["event_action"])),
        ("date_range", json!("30d")),
        ("timezone", json!("Europe/Berlin")),
        ("filters", json!([["exists", "user_id"]])),
        ("order_by", json!([["events", "asc"]])),
        ("compare", json!("previous_period")),
        ("limit", json!(3)),
    ] {
        assert_eq!(refused(&|value| value[member] = other.clone(), &context()), wrong, "{member}");
    }
    let elsewhere = Context { project: Project::new("other").unwrap(), ..context() };
    assert_eq!(refused(&|_| (), &elsewhere), wrong);
    for text in ["", "x", "AAAA", "not base64!", &cursor[1..], &cursor[..cursor.len() - 4]] {
        assert_eq!(refused(&|value| value["cursor"] = json!(text), &context()), wrong, "{text}");
    }
    for index in 0..cursor.len() {
        let mut changed = cursor.clone().into_bytes();
        changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        let found = refused(&|value| value["cursor"] = json!(changed), &context());
        assert_eq!(found, wrong, "character {index}");
    }
    let mut list = json!({"cursor": cursor, "date_range": "7d", "limit": 2});
    assert!(plan(&EventsQuestion::from_json(&list).unwrap(), &context()).is_err());
    list["cursor"] = json!("x".repeat(2_000));
    assert_eq!(EventsQuestion::from_json(&list).unwrap_err().code, QueryErrorCode::InvalidCursor);
}

#[test]
fn a_list_of_events_goes_on_behind_the_last() {
    let event = |n: u128| {
        let text = |text: &str| Cell::Text(text.to_owned());
        vec![
            Cell::Uuid(Uuid::from_u128(n)),
            text("s"),
            Cell::Null,
            text("t"),
            text("a"),
            text("{\"b\": 1, \"a\": 2}"),
            Cell::Int(1_000 + n as i64),
            Cell::Timestamp(Timestamp::from_micros(5)),
        ]
    };
    let mut value = json!({"limit": 2});
    let plan_of = |value: &Value| plan(&EventsQuestion::from_json(value).unwrap(), &context()).unwrap();
    let answer = plan_of(&value).shape(vec![vec![event(9), event(8), event(7)]]).unwrap();
    assert_eq!(answer.results.len(), 2);
    assert_eq!(answer.results[0].metadata.get(), "{\"a\":2,\"b\":1}");
    insta::assert_json_snapshot!(answer.results[0]);
    value["cursor"] = json!(answer.meta.next_cursor.unwrap());
    let next = plan_of(&value);
    let statement = &next.statements(Dialect::Sqlite)[0];
    assert!(statement.params.contains(&analytics_query::Param::Uuid(Uuid::from_u128(8))), "{statement:?}");
    assert!(next.shape(vec![vec![event(7)]]).unwrap().meta.next_cursor.is_none());
}

/// The same question has one key, another one another; hours up to now share theirs for the life of the cache.
#[test]
fn cache_keys() {
    let key = |value: &Value, context: &Context| plan(&question(value), context).unwrap().cache_key();
    let later = crate::context_at("2026-11-12T12:00:01Z");
    let tomorrow = crate::context_at("2026-11-13T12:00:00Z");
    assert_eq!(key(&asked(), &context()), key(&asked(), &later));
    assert_ne!(key(&asked(), &context()), key(&asked(), &tomorrow));
    let mut day = asked();
    day["date_range"] = json!("24h");
    assert_eq!(key(&day, &context()), key(&day, &later));
    assert_ne!(key(&day, &context()), key(&asked(), &context()));
    let elsewhere = Context { project: Project::new("other").unwrap(), ..context() };
    assert_ne!(key(&asked(), &context()), key(&asked(), &elsewhere));
}
