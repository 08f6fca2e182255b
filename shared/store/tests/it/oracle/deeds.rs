//! What a person has done, worked out by hand for every kind of question: the oracle and every store say so too.
//!
//! The range is 2 November. ann and bob buy on it; cyd bought the day before and buys again the day after; in `s5` nobody does.

use std::sync::Arc;

use analytics_domain::{Event, Project, Timestamp};
use analytics_store::EventStore;
use analytics_testkit::oracle::{OracleRow, StoredEvent, World};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::Case;
use super::asking::{Bench, Way};
use super::cohorts::Cohorts;
use super::figures::{Figures, Rows};
use super::kinds::{Kind, difference};
use super::sequences::{Funnels, Paths};
use super::sessions::Sessions;

const EVENTS: [(&str, &str, Option<&str>, &str); 9] = [
    ("2026-11-01T09:00:00Z", "s3", Some("cyd"), "buy"),
    // Nobody is known yet; the session is ann's.
    ("2026-11-02T10:00:00Z", "s1", None, "view"),
    ("2026-11-02T10:10:00Z", "s1", Some("ann"), "buy"),
    ("2026-11-02T11:00:00Z", "s2", Some("bob"), "view"),
    ("2026-11-02T11:20:00Z", "s2", Some("bob"), "buy"),
    ("2026-11-02T11:30:00Z", "s2", Some("bob"), "complain"),
    ("2026-11-02T12:00:00Z", "s4", Some("cyd"), "view"),
    ("2026-11-02T13:00:00Z", "s5", None, "view"),
    ("2026-11-03T08:00:00Z", "s4", Some("cyd"), "buy"),
];

/// Asks a store for them by all ways.
pub(crate) async fn agree(store: Arc<dyn EventStore>, _: &str) {
    for (way, project) in [(Way::Rows, "deeds-rows"), (Way::OldColumns, "deeds-old"), (Way::Columns, "deeds-columns")] {
        let bench = Bench::new(store.clone(), way);
        let world = World {
            now: Timestamp::parse_rfc3339("2026-11-05T12:00:00Z").unwrap(),
            retention_days: 0,
            project: Project::new(project).unwrap(),
        };
        let events: Vec<StoredEvent> =
            EVENTS.iter().enumerate().map(|(place, event)| stored(place, event, &world)).collect();
        bench.store_all(&events, &world).await;
        let case = |mut question: Json| {
            question["date_range"] = json!(["2026-11-02", "2026-11-02"]);
            Case { world: world.clone(), events: events.clone(), question }
        };
        holds::<Figures>(
            &bench,
            case(json!({"metrics": ["events", "visitors"], "filters": [done("buy")]})),
            row([5.0, 2.0]),
        )
        .await;
        holds::<Figures>(
            &bench,
            case(json!({"metrics": ["events", "visitors"], "filters": [never("buy")]})),
            row([2.0, 2.0]),
        )
        .await;
        holds::<Funnels>(&bench, case(later_steps()), steps(2, 1, 72_000.0)).await;
        holds::<Funnels>(&bench, case(ten_deeds()), steps(2, 1, 1_200.0)).await;
        holds::<Cohorts>(&bench, case(returns()), one_cohort()).await;
        holds::<Paths>(&bench, case(json!({"from": {"filters": [is("view"), done("buy")]}})), ways()).await;
        holds::<Sessions>(&bench, case(json!({"filters": [done("buy")]})), two_sessions()).await;
    }
}

/// That the oracle and the store say what was worked out.
async fn holds<K: Kind>(bench: &Bench, case: Case, by_hand: K::Answer) {
    let oracle = K::expected(&case).unwrap();
    assert_eq!(K::difference(&by_hand, &oracle), None, "by hand, and by the oracle: {}", case.question);
    assert_eq!(difference::<K>(bench, &case, &by_hand).await, None, "{}", case.question);
}

fn stored(
    place: usize,
    event: &(&'static str, &'static str, Option<&'static str>, &'static str),
    world: &World,
) -> StoredEvent {
    let (at, session, user, action) = *event;
    StoredEvent {
        project: world.project.clone(),
        event: Event {
            id: Uuid::new_v4(),
            client_id: true,
            session_id: session.into(),
            user_id: user.map(Into::into),
            event_type: "shop".into(),
            event_action: action.into(),
            metadata: "{}".into(),
            timestamp: Timestamp::parse_rfc3339(at).unwrap(),
        },
        // Batches of a receipt each, so that a first half of them is there before the second.
        created_at: world.now.saturating_add_micros(-(place as i64)),
    }
}

fn is(action: &str) -> Json {
    json!(["is", "event_action", [action]])
}

fn done(action: &str) -> Json {
    json!(["has_done", [is(action)]])
}

fn never(action: &str) -> Json {
    json!(["has_not_done", [is(action)]])
}

fn row(figures: [f64; 2]) -> Rows {
    Rows::of(vec![OracleRow { dimensions: Vec::new(), metrics: figures.map(Some).to_vec(), comparison: None }])
}

/// cyd and `s5` have not bought on the day. That cyd does so the day after is a step, and no deed of the range.
fn later_steps() -> Json {
    json!({"steps": [{"filters": [is("view"), never("buy")]}, {"filters": [is("buy"), never("buy")]}], "window": "2d"})
}

/// As many as there may be, on two steps: ann and bob begin, and bob goes on, as only he complains.
fn ten_deeds() -> Json {
    let first = [
        is("view"),
        done("view"),
        done("buy"),
        never("refund"),
        never("open"),
        json!(["has_done", [["exists", "user_id"]]]),
    ];
    let second = [is("buy"), done("complain"), done("buy"), done("view"), never("leave"), never("open")];
    json!({"steps": [{"filters": first}, {"filters": second}], "window": "2d"})
}

fn steps(first: u32, second: u32, seconds: f64) -> Json {
    let step = |count: u32, ratio: f64, seconds: Option<f64>| json!({"name": null, "count": count, "ratio_previous": ratio, "ratio_first": ratio, "median_seconds": seconds, "average_seconds": seconds});
    json!({"steps": [step(first, 1.0, None), step(second, f64::from(second) / f64::from(first), Some(seconds))]})
}

/// Those who have not bought on the day that they looked on, and who bought on the next.
fn returns() -> Json {
    json!({"start": {"filters": [is("view"), never("buy")]}, "return": {"filters": [is("buy")]}, "unit": "day", "periods": 2})
}

fn one_cohort() -> Json {
    let cell = |count: u32| json!({"count": count, "out_of": 2, "incomplete": false});
    json!({"cohorts": [{"start": "2026-11-02", "size": 2, "cells": [cell(0), cell(1)]}]})
}

fn ways() -> Json {
    let node = |step: u32, name: &str, count: u32| json!({"step": step, "name": name, "count": count});
    let link =
        |step: u32, from: &str, to: &str, count: u32| json!({"step": step, "from": from, "to": to, "count": count});
    json!({
        "nodes": [node(0, "view", 2), node(1, "buy", 2), node(2, "complain", 1)],
        "links": [link(0, "view", "buy", 2), link(1, "buy", "complain", 1)],
    })
}

fn two_sessions() -> Json {
    json!({"results": [
        {"session_id": "s2", "user_id": "bob", "started_at": "2026-11-02T11:00:00.000000Z", "ended_at": "2026-11-02T11:30:00.000000Z",
         "duration_seconds": 1_800.0, "events": 3, "entry_action": "view", "exit_action": "complain"},
        {"session_id": "s1", "user_id": "ann", "started_at": "2026-11-02T10:00:00.000000Z", "ended_at": "2026-11-02T10:10:00.000000Z",
         "duration_seconds": 600.0, "events": 2, "entry_action": "view", "exit_action": "buy"},
    ]})
}
