//! Sessions and timelines: what is refused, what is sent to a store, and the pages made of its rows.

use analytics_query::{
    Askable as _, Cell, Executable as _, QueryErrorCode, Row, SessionQuestion, SessionsQuestion, UserQuestion, plan,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::sql::{DIALECTS, written};
use crate::{at, context};

/// What could end a statement or a pattern; each is an id like any other.
const HOSTILE: [&str; 6] = ["'; DROP TABLE raw_events; --", "%", "$1", "?1", "\\", "日本'\""];

#[test]
fn statements_are_what_they_were() {
    let filters = json!([["is", "event_type", ["commerce"]], ["gt", "metadata.price", [10]]]);
    let sessions = SessionsQuestion::from_json(&json!({"date_range": "7d", "filters": filters, "limit": 50})).unwrap();
    let session = SessionQuestion::from_json("s", &json!({})).unwrap();
    let user = UserQuestion::from_json("u", &json!({"date_range": "30d"})).unwrap();
    for (dialect, name) in DIALECTS {
        let mut text = written(&sessions.plan(&context()).unwrap().statements(dialect));
        text.push_str(&written(&session.plan(&context()).unwrap().statements(dialect)));
        text.push_str(&written(&user.plan(&context()).unwrap().statements(dialect)));
        insta::assert_snapshot!(format!("sessions_{name}"), text);
    }
}

#[test]
fn an_id_is_a_parameter() {
    for id in HOSTILE {
        for (dialect, _) in DIALECTS {
            let session = SessionQuestion::from_json(id, &json!({})).unwrap().plan(&context()).unwrap();
            let user = UserQuestion::from_json(id, &json!({})).unwrap().plan(&context()).unwrap();
            let plain = SessionQuestion::from_json("plain", &json!({})).unwrap().plan(&context()).unwrap();
            let texts = |statements: Vec<analytics_query::Statement>| {
                statements.into_iter().map(|statement| statement.sql).collect::<Vec<_>>()
            };
            assert_eq!(texts(session.statements(dialect)), texts(plain.statements(dialect)), "{id}");
            assert!(!texts(user.statements(dialect)).concat().contains("DROP"), "{id}");
        }
    }
}

#[test]
fn a_person_is_read_where_columns_name_them() {
    let user = |has_columns| {
        let context = analytics_query::Context { has_columns, ..context() };
        UserQuestion::from_json(HOSTILE[0], &json!({"date_range": "30d"})).unwrap().plan(&context).unwrap()
    };
    assert!(user(false).looking().is_none(), "without columns there is nothing to look into");
    for (dialect, name) in DIALECTS {
        let mut looking = user(true).looking().unwrap();
        let statements = looking.statements(dialect);
        assert!(statements.iter().all(|statement| !statement.sql.contains("DROP")), "{statements:?}");
        for quarter in [1_991_100, 1_991_104] {
            assert!(looking.push(1, vec![Cell::Int(quarter)]).is_continue());
        }
        let found = looking.found().unwrap();
        assert!(found.looking().is_none() && !found.is_of_one_state());
        insta::assert_snapshot!(format!("person_{name}"), written(&statements) + &written(&found.statements(dialect)));
    }
}

#[test]
fn a_page_of_sessions_is_read_where_columns_show_their_starts() {
    let sessions = |filters: Value, has_columns| {
        let context = analytics_query::Context { has_columns, ..context() };
        let question = json!({"date_range": "7d", "filters": filters, "limit": 1});
        SessionsQuestion::from_json(&question).unwrap().plan(&context).unwrap()
    };
    let none = json!([]);
    assert!(sessions(none.clone(), false).looking().is_none(), "without columns there is nothing to look into");
    let of_user = json!([["is", "user_id", ["u"]]]);
    assert!(sessions(of_user, true).looking().is_none(), "columns do not tell who it was");
    for (dialect, name) in DIALECTS {
        let pay = json!([["is", "event_action", ["pay"]]]);
        let passing = sessions(pay, true).looking().unwrap().statements(dialect);
        let mut looking = sessions(none.clone(), true).looking().unwrap();
        let statements = looking.statements(dialect);
        // Sessions that begin in a quarter each; the third has no number yet.
        for (minute, session, number) in
            [(0, "a", Some(7)), (16, "b", Some(8)), (17, "a", Some(7)), (40, HOSTILE[0], None)]
        {
            assert!(looking.push(4, raw(minute, session, number)).is_continue());
        }
        let found = looking.found().unwrap();
        assert!(found.looking().is_none() && found.is_of_one_state());
        let read = found.statements(dialect);
        assert!(!read[0].sql.contains("DROP"), "{read:?}");
        insta::assert_snapshot!(
            format!("starts_{name}"),
            written(&statements) + &written(&passing[3..4]) + &written(&read)
        );
    }
}

/// A row of a quarter without columns, so many minutes after ten o'clock.
fn raw(minute: i64, session: &str, number: Option<i64>) -> Row {
    let text = |text: &str| Cell::Text(text.to_owned());
    let time = at("2026-11-10T10:00:00Z").saturating_add_micros(minute * 60_000_000);
    let number = number.map_or(Cell::Null, Cell::Int);
    let known = [number, Cell::Null, Cell::Null, Cell::Null];
    let event = [Cell::Timestamp(time), text(session), Cell::Null, text("t"), text("a"), text("{}")];
    event.into_iter().chain(known).collect()
}

#[test]
fn what_can_be_no_id_is_refused() {
    for id in ["", "a\0b", &"x".repeat(65)] {
        let error = SessionQuestion::from_json(id, &json!({})).unwrap_err();
        assert_eq!((error.code, error.path.as_str()), (QueryErrorCode::InvalidQuery, "id"), "{id:?}");
        assert!(error.message.contains("1 to 64"), "{error}");
    }
    assert!(SessionQuestion::from_json(&"字".repeat(64), &json!({})).is_ok());
    assert!(UserQuestion::from_json(&"字".repeat(255), &json!({})).is_ok());
    assert!(UserQuestion::from_json(&"字".repeat(256), &json!({})).unwrap_err().message.contains("1 to 255"));
    assert_eq!(SessionQuestion::from_json("s", &json!({"filters": []})).unwrap_err().path, "filters");
}

#[test]
fn parameters_compile_to_the_same() {
    let pairs = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    assert_eq!(
        SessionsQuestion::from_parameters(&pairs(&[("event_type", "a"), ("range", "30d"), ("limit", "5")])).unwrap(),
        SessionsQuestion::from_json(
            &json!({"filters": [["is", "event_type", ["a"]]], "date_range": "30d", "limit": 5})
        )
        .unwrap()
    );
    assert_eq!(
        UserQuestion::from_parameters("u", &pairs(&[("range", "2026-11-01,2026-11-02"), ("tz", "Asia/Kathmandu")]))
            .unwrap(),
        UserQuestion::from_json(
            "u",
            &json!({"date_range": ["2026-11-01", "2026-11-02"], "timezone": "Asia/Kathmandu"})
        )
        .unwrap()
    );
    let refused = |given: &[(&str, &str)]| SessionQuestion::from_parameters("s", &pairs(given)).unwrap_err().path;
    assert_eq!(refused(&[("filter", "[]")]), "filter");
    assert_eq!(refused(&[("range", "soon")]), "range");
    assert_eq!(refused(&[("tz", "Mars/Base")]), "tz");
    assert_eq!(refused(&[("limit", "0")]), "limit");
}

fn session(id: &str, started_at: &str) -> Row {
    vec![
        Cell::Text(id.to_owned()),
        Cell::Null,
        Cell::Timestamp(at(started_at)),
        Cell::Timestamp(at("2026-11-12T11:00:00.25Z")),
        Cell::Int(3),
        Cell::Text("land".to_owned()),
        Cell::Text("leave".to_owned()),
    ]
}

#[test]
fn a_page_goes_on_behind_its_last_session() {
    let mut value = json!({"date_range": "7d", "limit": 2});
    let rows = vec![
        session("b", "2026-11-12T11:00:00Z"),
        session("日", "2026-11-12T10:00:00Z"),
        session("a", "2026-11-12T10:00:00Z"),
    ];
    let first = plan(&SessionsQuestion::from_json(&value).unwrap(), &context()).unwrap().shape(vec![rows]).unwrap();
    assert_eq!(first.results.len(), 2);
    assert!((first.results[0].duration_seconds - 0.25).abs() < 1e-9);
    value["cursor"] = json!(first.meta.next_cursor.unwrap());
    for (dialect, name) in DIALECTS {
        let plan = plan(&SessionsQuestion::from_json(&value).unwrap(), &context()).unwrap();
        let text = written(&plan.statements(dialect));
        assert!(
            text.contains("HAVING") && text.contains("日") && text.contains("2026-11-12T10:00:00.000000Z"),
            "{text}"
        );
        insta::assert_snapshot!(format!("sessions_behind_{name}"), text);
    }
    // The next page is of another question.
    let mut other = value.clone();
    other["filters"] = json!([["exists", "user_id"]]);
    let refused = plan(&SessionsQuestion::from_json(&other).unwrap(), &context()).unwrap_err();
    assert_eq!(refused.code, QueryErrorCode::InvalidCursor);
    let timeline = SessionQuestion::from_json("a", &value).unwrap();
    assert_eq!(plan(&timeline, &context()).unwrap_err().code, QueryErrorCode::InvalidCursor);
}

#[test]
fn what_is_not_there_is_told() {
    let session = SessionQuestion::from_json("s", &json!({})).unwrap().plan(&context()).unwrap();
    let error = session.shape(vec![Vec::new(), Vec::new()]).unwrap_err();
    assert_eq!((error.code.as_str(), error.path.as_str()), ("session_not_found", "id"));
    let user = UserQuestion::from_json("u", &json!({})).unwrap().plan(&context()).unwrap();
    let nothing = vec![Cell::Null, Cell::Null, Cell::Int(0), Cell::Int(0)];
    let error = user.shape(vec![vec![nothing], Vec::new()]).unwrap_err();
    assert_eq!((error.code.as_str(), error.path.as_str()), ("user_not_found", "id"));
}

#[test]
fn a_timeline_goes_on_behind_its_last_event() {
    let event = |number: u128, time: &str| -> Row {
        let text = |text: &str| Cell::Text(text.to_owned());
        let instant = Cell::Timestamp(at(time));
        let id = Cell::Uuid(Uuid::from_u128(number));
        vec![id, text("s"), Cell::Null, text("t"), text("a"), text("{}"), instant.clone(), instant]
    };
    let mut value = json!({"limit": 1});
    let rows = vec![session("s", "2026-11-12T10:00:00Z")];
    let events = vec![event(1, "2026-11-12T10:00:00Z"), event(2, "2026-11-12T10:00:01Z")];
    let first = SessionQuestion::from_json("s", &value).unwrap().plan(&context()).unwrap();
    let first = first.shape(vec![rows, events]).unwrap();
    assert_eq!((first.results.len(), first.results[0].id), (1, Uuid::from_u128(1)));
    value["cursor"] = json!(first.meta.next_cursor.unwrap());
    for (dialect, _) in DIALECTS {
        let plan = SessionQuestion::from_json("s", &value).unwrap().plan(&context()).unwrap();
        let statements = plan.statements(dialect);
        // The session is the whole one on every page; its events go on.
        assert!(!statements[0].sql.contains("e.id >") && statements[1].sql.contains("e.id >"), "{statements:?}");
    }
}
