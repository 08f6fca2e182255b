//! The oracle held against answers worked out by hand.

use analytics_domain::{Event, Project, Timestamp};
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::{
    Extent, OracleAnswer, StoredEvent, World, answer, canonical_json, random_events, random_question, random_world,
};

fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).unwrap()
}

pub(super) fn world(now: &str) -> World {
    World { now: at(now), retention_days: 0, project: Project::default() }
}

pub(super) fn event(timestamp: &str, session: &'static str, user: Option<&'static str>, metadata: Json) -> StoredEvent {
    StoredEvent {
        project: Project::default(),
        event: Event {
            id: Uuid::now_v7(),
            client_id: false,
            session_id: session.into(),
            user_id: user.map(Into::into),
            event_type: "t".into(),
            event_action: "a".into(),
            metadata: canonical_json(&metadata).into(),
            timestamp: at(timestamp),
        },
        created_at: at(timestamp),
    }
}

fn ask(events: &[StoredEvent], world: &World, question: Json) -> OracleAnswer {
    answer(events, &question, world).unwrap()
}

/// Rows as `dimension | dimension : metric metric`.
fn lines(answer: &OracleAnswer) -> Vec<String> {
    let cell = |figure: &Option<f64>| figure.map_or("null".to_owned(), |figure| figure.to_string());
    let row = |row: &super::OracleRow| {
        let tuple: Vec<_> = row.dimensions.iter().map(|value| value.as_deref().unwrap_or("null")).collect();
        let figures: Vec<_> = row.metrics.iter().map(cell).collect();
        format!("{} : {}", tuple.join(" | "), figures.join(" "))
    };
    answer.rows.iter().map(row).collect()
}

#[test]
fn a_day_is_a_day_of_the_zone_and_empty_ones_are_there() {
    let events = [
        event("2026-10-24T21:59:59.999999Z", "s", None, json!({})),
        event("2026-10-24T22:00:00Z", "s", None, json!({})),
        event("2026-10-25T22:59:59.999999Z", "s", None, json!({})),
        event("2026-10-25T23:00:00Z", "s", None, json!({})),
    ];
    let question = json!({"metrics": ["events", "events_per_session"], "dimensions": ["time:day"], "timezone": "Europe/Berlin",
        "date_range": ["2026-10-24", "2026-10-28"]});
    assert_eq!(
        lines(&ask(&events, &world("2026-10-27T12:00:00Z"), question)),
        [
            "2026-10-24T00:00:00+02:00 : 1 1",
            "2026-10-25T00:00:00+02:00 : 2 2",
            "2026-10-26T00:00:00+01:00 : 1 1",
            "2026-10-27T00:00:00+01:00 : 0 null",
        ]
    );
}

#[test]
fn the_hour_that_comes_twice_is_two_buckets() {
    let question = |zone: &str, from: &str, to: &str| {
        let now = world("2026-12-01T00:00:00Z");
        let question =
            json!({"metrics": ["events"], "dimensions": ["time:hour"], "timezone": zone, "date_range": [from, to]});
        lines(&ask(&[event("2026-10-25T01:30:00Z", "s", None, json!({}))], &now, question))
    };
    assert_eq!(
        question("Europe/Berlin", "2026-10-25T00:10:00Z", "2026-10-25T02:00:00Z"),
        ["2026-10-25T02:00:00+02:00 : 0", "2026-10-25T02:00:00+01:00 : 1"]
    );
    assert_eq!(
        question("Australia/Lord_Howe", "2026-04-04T14:00:00Z", "2026-04-04T16:30:00Z"),
        ["2026-04-05T01:00:00+11:00 : 0", "2026-04-05T01:30:00+10:30 : 0", "2026-04-05T02:00:00+10:30 : 0"]
    );
    // Cairo's clocks jump over the midnight of 2026-04-24.
    let day = json!({"metrics": ["events"], "dimensions": ["time:day"], "timezone": "Africa/Cairo",
        "date_range": ["2026-04-23", "2026-04-24"]});
    assert_eq!(
        lines(&ask(&[], &world("2026-12-01T00:00:00Z"), day)),
        ["2026-04-23T00:00:00+02:00 : 0", "2026-04-24T01:00:00+03:00 : 0"]
    );
}

#[test]
fn a_bucket_has_its_own_start_even_before_the_range() {
    let events = [event("2026-11-04T00:00:00Z", "s", None, json!({}))];
    let question = json!({"metrics": ["events"], "dimensions": ["time:week"], "date_range": "7d"});
    assert_eq!(
        lines(&ask(&events, &world("2026-11-05T10:00:00Z"), question)),
        ["2026-10-26T00:00:00+00:00 : 0", "2026-11-02T00:00:00+00:00 : 1"]
    );
}

#[test]
fn a_bucket_ahead_of_now_is_there_for_an_event_in_it() {
    let question = json!({"metrics": ["events"], "dimensions": ["time:hour"],
        "date_range": ["2026-11-05T09:00:00Z", "2026-11-05T23:00:00Z"]});
    let now = world("2026-11-05T10:20:00Z");
    assert_eq!(ask(&[], &now, question.clone()).total_rows, 2);
    let ahead = [event("2026-11-05T11:10:00Z", "s", None, json!({}))];
    assert_eq!(ask(&ahead, &now, question).total_rows, 3);
}

#[test]
fn a_person_is_the_user_else_the_first_user_of_the_session_else_the_session() {
    let now = world("2026-11-05T10:00:00Z");
    let events = [
        event("2026-11-01T10:00:00Z", "s1", Some("first"), json!({})),
        event("2026-11-05T01:00:00Z", "s1", Some("second"), json!({})),
        event("2026-11-05T02:00:00Z", "s1", None, json!({})),
        event("2026-11-05T03:00:00Z", "first", None, json!({})),
    ];
    let question = json!({"metrics": ["visitors", "users", "sessions"], "date_range": "today"});
    // `second`, `first` by the session's first user, and the session that is called like a user.
    assert_eq!(lines(&ask(&events, &now, question)), [" : 3 1 2"]);
    let done =
        json!({"metrics": ["events"], "date_range": "today", "filters": [["has_done", [["exists", "user_id"]]]]});
    assert_eq!(lines(&ask(&events, &now, done)), [" : 1"]);
}

#[test]
fn values_compare_as_text_and_numbers_only_as_numbers() {
    let now = world("2026-11-05T10:00:00Z");
    let values = [
        json!(10),
        json!("10"),
        json!(10.5),
        json!(true),
        json!(null),
        json!({"b": 1}),
        json!([1]),
        json!(-0.0),
        json!("ÄB"),
    ];
    let events: Vec<_> =
        values.iter().map(|value| event("2026-11-05T01:00:00Z", "s", None, json!({"a.b": value}))).collect();
    let count = |filter: Json| {
        let question = json!({"metrics": ["events"], "date_range": "today", "filters": [filter]});
        ask(&events, &now, question).rows[0].metrics[0].unwrap()
    };
    let field = "metadata.\"a.b\"";
    for (filter, expected) in [
        (json!(["is", field, [10]]), 2.0),
        (json!(["is", field, ["true"]]), 1.0),
        (json!(["is", field, ["0"]]), 1.0),
        (json!(["is_not", field, [10]]), 7.0),
        (json!(["exists", field]), 8.0),
        (json!(["not_exists", field]), 1.0),
        (json!(["gt", field, [9]]), 2.0),
        (json!(["between", field, [10, 10.5]]), 2.0),
        (json!(["contains", field, ["0"]]), 4.0),
        (json!(["not_contains", field, ["0"]]), 5.0),
        (json!(["matches", field, ["1?"]]), 2.0),
        (json!(["matches", field, ["1*"]]), 3.0),
        (json!(["matches", field, ["?b"], {"case_sensitive": false}]), 1.0),
        (json!(["is", field, ["äb"], {"case_sensitive": false}]), 0.0),
        (json!(["is", "metadata.a.b", [10]]), 0.0),
        (json!(["not", ["or", [["is", field, [10]], ["exists", field]]]]), 1.0),
    ] {
        assert!((count(filter.clone()) - expected).abs() < 1e-9, "{filter}");
    }
    let question = json!({"metrics": ["events", "sum:metadata.\"a.b\"", "max:metadata.\"a.b\""], "date_range": "today", "dimensions": [field]});
    assert_eq!(
        lines(&ask(&events, &now, question)),
        ["null : 3 0 null", "10 : 2 10 10", "0 : 1 0 0", "10.5 : 1 10.5 10.5", "true : 1 0 null", "ÄB : 1 0 null"]
    );
}

#[test]
fn what_is_older_than_the_retention_is_in_no_answer() {
    let mut now = world("2026-11-05T10:00:00Z");
    let events =
        [event("2026-11-03T23:59:59Z", "s", None, json!({})), event("2026-11-04T00:00:00Z", "s", None, json!({}))];
    let question = json!({"metrics": ["events"], "date_range": "all"});
    assert_eq!(lines(&ask(&events, &now, question.clone())), [" : 2"]);
    now.retention_days = 1;
    assert_eq!(lines(&ask(&events, &now, question)), [" : 1"]);
}

#[test]
fn a_comparison_pairs_by_tuple_and_position() {
    let now = world("2026-11-05T10:00:00Z");
    let events =
        [event("2026-11-04T00:00:00Z", "s", None, json!({})), event("2026-10-28T23:00:00Z", "s", None, json!({}))];
    let question =
        json!({"metrics": ["events"], "date_range": "7d", "dimensions": ["time:day"], "compare": "previous_period"});
    let answer = ask(&events, &now, question);
    let found: Vec<_> = answer.rows.iter().map(|row| row.comparison.clone().unwrap()[0].unwrap()).collect();
    assert_eq!(found, [0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
}

/// A seed makes one world; every question in it is understood; and most answers say something.
#[test]
fn random_questions_are_understood() {
    let mut told = 0;
    for seed in 0..150 {
        let make = || {
            let mut rng = StdRng::seed_from_u64(seed);
            let (world, around) = random_world(&mut rng, &Project::default());
            let events = random_events(&mut rng, 40, &world, &around);
            let question = random_question(&mut rng, &world, &around, Extent { compare: true, deeds: true });
            (world, events, question)
        };
        let (world, events, question) = make();
        assert_eq!(make(), (world.clone(), events.clone(), question.clone()));
        match answer(&events, &question, &world) {
            Ok(answer) => told += u32::from(answer.fresh_as_of.is_some()),
            Err(error) => panic!("seed {seed}: {error}\n{question}"),
        }
    }
    assert!(told > 60, "only {told} of 150 questions found an event");
}
