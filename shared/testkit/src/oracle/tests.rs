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

#[test]
fn a_percentile_lies_between_two_numbers() {
    let now = world("2026-11-05T10:00:00Z");
    let asked = |numbers: &[f64], metrics: &[&str]| {
        let events: Vec<_> =
            numbers.iter().map(|number| event("2026-11-05T01:00:00Z", "s", None, json!({"x": number}))).collect();
        let text = event("2026-11-05T01:00:00Z", "s", None, json!({"x": "1000"}));
        lines(&ask(&[events, vec![text]].concat(), &now, json!({"metrics": metrics, "date_range": "today"}))).concat()
    };
    // Of five numbers the median is the third; p90 has rank 0.9 * 4 = 3.6, which is 40 + 0.6 * (50 - 40).
    assert_eq!(asked(&[30.0, 10.0, 50.0, 20.0, 40.0], &["p50:metadata.x", "p90:metadata.x"]), " : 30 46");
    // Of four the median has rank 1.5, and p25 rank 0.75: 10 + 0.75 * (20 - 10).
    assert_eq!(asked(&[40.0, 20.0, 10.0, 30.0], &["p50:metadata.x", "p25:metadata.x"]), " : 25 17.5");
    assert_eq!(asked(&[7.0], &["p1:metadata.x", "p99:metadata.x"]), " : 7 7");
    assert_eq!(asked(&[5.0, 5.0, 9.0], &["p50:metadata.x"]), " : 5");
    assert_eq!(asked(&[], &["p50:metadata.x"]), " : null");
    assert_eq!(asked(&[-1e300, 1e300], &["p50:metadata.x"]), " : 0");
}

#[test]
fn a_formula_is_reckoned_from_the_figures_of_its_row() {
    let now = world("2026-11-05T10:00:00Z");
    let events = [
        event("2026-11-05T01:00:00Z", "s", Some("u"), json!({"price": 10, "load-time": 4, "kind": "a"})),
        event("2026-11-05T02:00:00Z", "s", Some("u"), json!({"price": 5, "load-time": 8, "kind": "a"})),
        event("2026-11-05T03:00:00Z", "t", Some("v"), json!({"kind": "b"})),
    ];
    let metrics = [
        "(events - users) / sessions",
        "sum:metadata.price / events",
        "max:metadata.load-time - min:metadata.load-time",
        "events / (events - events)",
        "2 + 3 * events - 1",
        "sum:metadata.\"load-time\"*0.5",
    ];
    let question = json!({"metrics": metrics, "dimensions": ["metadata.kind"], "date_range": "today",
        "order_by": [["(events - users) / sessions", "desc"]]});
    assert_eq!(lines(&ask(&events, &now, question)), ["a : 1 7.5 4 null 7 6", "b : 0 0 null null 4 0"]);
}

#[test]
fn who_has_done_something_is_asked_within_the_range() {
    let now = world("2026-11-05T10:00:00Z");
    let events = [
        event("2026-11-05T01:00:00Z", "s1", Some("ann"), json!({"n": 1})),
        // The same person without her name, in a session that is hers.
        event("2026-11-05T02:00:00Z", "s1", None, json!({"buys": true})),
        event("2026-11-05T03:00:00Z", "s2", Some("ben"), json!({"n": 2})),
        // Ben has bought, but yesterday.
        event("2026-11-04T03:00:00Z", "s2", Some("ben"), json!({"buys": true})),
        event("2026-11-05T04:00:00Z", "s3", None, json!({"n": 3})),
    ];
    let count = |range: &str, filters: Json| {
        lines(&ask(&events, &now, json!({"metrics": ["events"], "date_range": range, "filters": filters}))).concat()
    };
    let bought = json!(["has_done", [["exists", "metadata.buys"]]]);
    let not_bought = json!(["has_not_done", [["exists", "metadata.buys"]]]);
    assert_eq!(count("today", json!([bought])), " : 2");
    assert_eq!(count("today", json!([not_bought])), " : 2");
    assert_eq!(count("7d", json!([bought])), " : 4");
    assert_eq!(count("today", json!([bought, ["exists", "metadata.n"]])), " : 1");
    assert_eq!(count("today", json!([["or", [bought, ["is", "metadata.n", [3]]]]])), " : 3");
    assert_eq!(count("today", json!([["not", bought]])), " : 2");
    // One event has to pass all of them.
    assert_eq!(count("7d", json!([["has_done", [["exists", "metadata.buys"], ["exists", "metadata.n"]]]])), " : 0");
    assert_eq!(
        count("7d", json!([["has_done", [["exists", "metadata.buys"]]], ["has_done", [["exists", "metadata.n"]]]])),
        " : 4"
    );
    // The day before is asked about its own deeds.
    let compared =
        json!({"metrics": ["events"], "date_range": "today", "filters": [bought], "compare": "previous_period"});
    assert_eq!(ask(&events, &now, compared).rows[0].comparison, Some(vec![Some(1.0)]));
}
