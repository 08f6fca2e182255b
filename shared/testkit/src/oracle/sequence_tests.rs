//! Funnels and paths of the oracle held against answers worked out by hand.

use analytics_domain::{Event, Project, Timestamp};
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::{StoredEvent, World, funnel, paths, random_funnel, random_paths, random_trails, random_world};

/// Events of 2026-11-02, each as its second after ten, its session, its type and, behind a `/`, its user; ids rise.
fn events(list: &[(u32, &'static str, &'static str)]) -> Vec<StoredEvent> {
    let one = |(index, (second, who, kind)): (usize, &(u32, &'static str, &'static str))| {
        let (session, user) = who.split_once('/').map_or((*who, None), |(session, user)| (session, Some(user)));
        let time = format!("2026-11-02T10:{:02}:{:02}Z", second / 60, second % 60);
        let timestamp = Timestamp::parse_rfc3339(&time).unwrap();
        StoredEvent {
            project: Project::default(),
            event: Event {
                id: Uuid::from_u128(index as u128 + 1),
                client_id: false,
                session_id: session.into(),
                user_id: user.map(Into::into),
                event_type: (*kind).into(),
                event_action: (*kind).into(),
                metadata: "{}".into(),
                timestamp,
            },
            created_at: timestamp,
        }
    };
    list.iter().enumerate().map(one).collect()
}

fn world() -> World {
    World {
        now: Timestamp::parse_rfc3339("2026-11-05T12:00:00Z").unwrap(),
        retention_days: 0,
        project: Project::default(),
    }
}

/// The counts of a funnel from `a` over `b` to `c` within ten seconds, and the median seconds to its second step.
fn reached(list: &[(u32, &'static str, &'static str)], members: Json) -> (Vec<u64>, Json) {
    let step = |kind: &str| json!({ "filters": [["is", "event_type", [kind]]] });
    let mut question = json!({ "steps": [step("a"), step("b"), step("c")], "window": "10s", "date_range": "7d" });
    for (name, value) in members.as_object().into_iter().flatten() {
        question[name] = value.clone();
    }
    let answer = funnel(&events(list), &question, &world()).unwrap();
    let steps = answer["steps"].as_array().unwrap();
    (steps.iter().map(|step| step["count"].as_u64().unwrap()).collect(), steps[1]["median_seconds"].clone())
}

#[test]
fn of_all_starts_the_one_that_gets_furthest_counts() {
    let none = json!({});
    assert_eq!(reached(&[], none.clone()), (vec![0, 0, 0], Json::Null));
    assert_eq!(reached(&[(0, "s", "a"), (3, "s", "b"), (10, "s", "c")], none.clone()), (vec![1, 1, 1], json!(3.0)));
    assert_eq!(reached(&[(0, "s", "a"), (3, "s", "b"), (11, "s", "c")], none.clone()), (vec![1, 1, 0], json!(3.0)));
    let again = [(0, "s", "a"), (2, "s", "a"), (3, "s", "b"), (11, "s", "c")];
    assert_eq!(reached(&again, none.clone()), (vec![1, 1, 1], json!(1.0)));
    // Equal times: the order of ids decides nothing but which of two that fit comes first.
    assert_eq!(reached(&[(5, "s", "c"), (5, "s", "b"), (5, "s", "a")], none.clone()), (vec![1, 1, 1], json!(0.0)));
    // The same person in two sessions, one of them named later.
    let late = [(0, "s", "a"), (1, "s/u", "x"), (2, "t/u", "b")];
    assert_eq!(reached(&late, none), (vec![1, 1, 0], json!(2.0)));
    assert_eq!(reached(&late, json!({ "by": "session" })), (vec![1, 0, 0], Json::Null));
}

#[test]
fn the_range_is_that_of_first_steps() {
    let list = [(0, "s", "a"), (5, "s", "b"), (20, "t", "a"), (21, "t", "b")];
    let range = |from: &str, to: &str| json!({ "date_range": [format!("2026-11-02T10:00:{from}Z"), format!("2026-11-02T10:00:{to}Z")] });
    assert_eq!(reached(&list, range("00", "01")), (vec![1, 1, 0], json!(5.0)));
    assert_eq!(reached(&list, range("00", "20")), (vec![1, 1, 0], json!(5.0)));
    assert_eq!(reached(&list, range("01", "21")), (vec![1, 1, 0], json!(1.0)));
    assert_eq!(reached(&list, range("21", "21")), (vec![0, 0, 0], Json::Null));
}

#[test]
fn strict_any_and_excluded() {
    let strict = json!({ "order": "strict" });
    assert_eq!(reached(&[(0, "s", "a"), (1, "s", "x"), (2, "s", "b")], strict.clone()).0, [1, 0, 0]);
    assert_eq!(reached(&[(0, "s", "a"), (1, "t", "x"), (2, "s", "b")], strict.clone()).0, [1, 1, 0]);
    let seen = json!({ "order": "strict", "filters": [["is_not", "event_type", ["x"]]] });
    assert_eq!(reached(&[(0, "s", "a"), (1, "s", "x"), (2, "s", "b")], seen).0, [1, 1, 0]);
    assert_eq!(reached(&[(0, "s", "b"), (0, "s", "a")], strict).0, [1, 0, 0]);
    let any = json!({ "order": "any" });
    assert_eq!(reached(&[(0, "s", "c"), (4, "s", "a"), (9, "s", "b")], any.clone()), (vec![1, 1, 1], json!(4.0)));
    assert_eq!(reached(&[(0, "s", "a"), (20, "s", "a"), (21, "s", "b")], any).0, [1, 0, 0]);
    let exclude = |after: u32, before: u32| json!({ "exclude": [{ "filters": [["is", "event_type", ["x"]]], "after": after, "before": before }] });
    let list = [(0, "s", "a"), (1, "s", "b"), (2, "s", "x"), (3, "s", "c")];
    assert_eq!(reached(&list, exclude(0, 1)).0, [1, 1, 1]);
    assert_eq!(reached(&list, exclude(1, 2)).0, [1, 1, 0]);
    assert_eq!(reached(&list, exclude(0, 2)).0, [1, 1, 0]);
    let equal = [(0, "s", "a"), (0, "s", "x"), (1, "s", "x"), (1, "s", "b")];
    assert_eq!(reached(&equal, exclude(0, 1)).0, [1, 1, 0]);
}

/// Nodes and links as `step name count` and `step from to count`.
fn walked(list: &[(u32, &'static str, &'static str)], question: Json) -> (String, String) {
    let answer = paths(&events(list), &question, &world()).unwrap();
    let rows = |name: &str, members: &[&str]| {
        let row = |row: &Json| {
            members.iter().map(|member| row[member].to_string().replace('"', "")).collect::<Vec<_>>().join(" ")
        };
        answer[name].as_array().unwrap().iter().map(row).collect::<Vec<_>>().join(", ")
    };
    (rows("nodes", &["step", "name", "count"]), rows("links", &["step", "from", "to", "count"]))
}

#[test]
fn paths_are_written_out_and_counted() {
    let list = [
        (0, "s", "a"),
        (1, "s", "a"),
        (2, "s", "b"),
        (3, "s", "c"),
        (0, "t", "a"),
        (1, "t", "c"),
        (2, "t", "b"),
        (5, "u", "d"),
    ];
    let (nodes, links) = walked(&list, json!({}));
    assert_eq!(nodes, "0 a 2, 0 d 1, 1 b 1, 1 c 1, 2 b 1, 2 c 1");
    assert_eq!(links, "0 a b 1, 0 a c 1, 1 b c 1, 1 c b 1");
    let (nodes, links) = walked(&list, json!({ "limit": 1, "depth": 2 }));
    assert_eq!((nodes.as_str(), links.as_str()), ("0 a 2, 0 other 1, 1 b 1, 1 other 1", "0 a b 1, 0 a other 1"));
    let end = |kind: &str| json!({ "filters": [["is", "event_type", [kind]]] });
    assert_eq!(walked(&list, json!({ "from": end("b") })).0, "0 b 2, 1 c 1");
    assert_eq!(walked(&list, json!({ "to": end("b") })).0, "0 a 2, 1 b 1, 1 c 1, 2 b 1");
    assert_eq!(walked(&list, json!({ "from": end("b"), "to": end("c") })).0, "0 b 1, 1 c 1");
}

/// A seed makes one question, every question is understood, and the hard cases are met.
#[test]
fn random_sequences_are_understood_and_hard() {
    let (mut moved, mut excluded, mut rest, mut folded, mut linked) = (0, 0, 0, 0, 0);
    for seed in 0..300 {
        let make = || {
            let mut rng = StdRng::seed_from_u64(seed);
            let (world, around) = random_world(&mut rng, &Project::default());
            let events = random_trails(&mut rng, 50, &world, &around);
            let funnel = random_funnel(&mut rng, &world, &around, &events);
            let paths = random_paths(&mut rng, &world, &around, &events);
            (world, events, funnel, paths)
        };
        let (world, events, question, of_paths) = make();
        assert_eq!(make(), (world.clone(), events.clone(), question.clone(), of_paths.clone()));
        let answer = funnel(&events, &question, &world).unwrap_or_else(|error| panic!("{error}: {question}"));
        moved += u32::from(answer["steps"][1]["count"] != 0);
        let mut free = question.clone();
        if free.as_object_mut().unwrap().remove("exclude").is_some() {
            excluded += u32::from(funnel(&events, &free, &world).unwrap() != answer);
        }
        let values = answer["breakdown"].as_array().map_or(0, Vec::len);
        rest += u32::from(values == 26);
        let answer = paths(&events, &of_paths, &world).unwrap_or_else(|error| panic!("{error}: {of_paths}"));
        linked += u32::from(answer["links"] != json!([]));
        folded += u32::from(answer["nodes"].as_array().unwrap().iter().any(|node| node["name"] == "other"));
    }
    let met = [moved, excluded, rest, folded, linked];
    assert!(moved > 100 && excluded > 8 && rest > 2 && folded > 50 && linked > 100, "{met:?}");
}
