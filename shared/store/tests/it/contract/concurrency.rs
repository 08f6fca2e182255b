//! Writers at the same time.

use std::collections::BTreeMap;
use std::sync::Arc;

use analytics_domain::{Event, EventOutcome, Project};
use rand::seq::SliceRandom as _;

use super::{Fixture, NOW, RETENTION, as_int, as_text, batch, event, project, text, work};

const WRITERS: usize = 8;

pub(crate) async fn writers_of_the_same_ids_and_rollups_agree(fixture: &Fixture) {
    // Every writer sends the same 300 ids in an order of its own, over 60 hot rollup rows, in several transactions.
    let project = project("shop");
    let hot = |id: u128| {
        let mut event = event(id);
        event.event_type = format!("type {}", id % 10).into();
        event.event_action = format!("action {}", id % 50).into();
        event.session_id = format!("session {}", id % 20).into();
        event.user_id = Some(format!("user {}", id % 7).into());
        event
    };
    let stored = run_writers(fixture, &project, (1..=300).map(hot).collect(), 10).await;
    assert_eq!(stored, 300);
    assert_eq!(fixture.ids(&project).await, (1..=300).collect::<Vec<_>>());

    let rollups = fixture
        .rows(
            "SELECT dimension_key, sum(value), count(*) FROM daily_metrics WHERE project = $1 GROUP BY dimension_key
             ORDER BY dimension_key",
            vec![text("shop")],
        )
        .await;
    let found: BTreeMap<&str, (i64, i64)> =
        rollups.iter().map(|row| (as_text(&row[0]), (number(&row[1]), as_int(&row[2])))).collect();
    assert_eq!(found, BTreeMap::from([("", (300, 1)), ("event_action", (300, 50)), ("event_type", (300, 10))]));

    let counts = fixture.store.integrity(&project, NOW).await.unwrap().received[&NOW.utc_day()].clone();
    assert_eq!(counts.accepted, 300 * WRITERS as u64);
    assert_eq!((counts.stored, counts.duplicate), (300, 300 * (WRITERS as u64 - 1)));
}

pub(crate) async fn writers_of_many_of_the_same_ids_agree(fixture: &Fixture) {
    // Transactions of 2,000: large ones may be written another way than small ones.
    let project = project("shop");
    let stored = run_writers(fixture, &project, (1..=4_000).map(event).collect(), 2).await;
    assert_eq!(stored, 4_000);
    assert_eq!(fixture.ids(&project).await, (1..=4_000).collect::<Vec<_>>());
}

pub(crate) async fn writers_of_the_same_sessions_agree(fixture: &Fixture) {
    let project = project("shop");
    let hot = |id: u128| {
        let mut event = event(id);
        event.session_id = format!("session {}", id % 5).into();
        event.timestamp = NOW.saturating_add_micros(-((id * 7_919 % 400) as i64));
        event.user_id = Some(format!("user {id}").into());
        event
    };
    let events: Vec<Event<'static>> = (1..=400).map(hot).collect();
    let mut expected: BTreeMap<String, (_, _, String)> = BTreeMap::new();
    for event in &events {
        let first = (event.timestamp, event.id, event.user_id.as_ref().unwrap().to_string());
        expected
            .entry(event.session_id.to_string())
            .and_modify(|known| *known = first.clone().min(known.clone()))
            .or_insert(first);
    }
    run_writers(fixture, &project, events, 20).await;
    let rows = fixture.rows("SELECT session_id, user_id FROM session_users ORDER BY session_id", vec![]).await;
    let found: Vec<_> = rows.iter().map(|row| (as_text(&row[0]).to_owned(), as_text(&row[1]).to_owned())).collect();
    assert_eq!(found, expected.into_iter().map(|(session, (_, _, user))| (session, user)).collect::<Vec<_>>());
}

/// Each of the writers stores all events, shuffled and cut into `cuts` transactions; gives how often one was stored.
async fn run_writers(fixture: &Fixture, project: &Project, events: Vec<Event<'static>>, cuts: usize) -> usize {
    let mut writers = Vec::new();
    for _ in 0..WRITERS {
        let mut events = events.clone();
        events.shuffle(&mut rand::rng());
        let (store, project) = (Arc::clone(&fixture.store), project.clone());
        writers.push(tokio::spawn(async move {
            let mut stored = 0;
            for cut in events.chunks(events.len().div_ceil(cuts)) {
                let batches: Vec<_> = cut.chunks(7).map(|events| batch(&project, events.to_vec())).collect();
                let outcomes = store.ingest(&work(&batches), RETENTION, NOW).await.expect("no deadlock, no timeout");
                stored += outcomes.iter().map(|outcome| outcome.count(EventOutcome::Stored)).sum::<usize>();
            }
            stored
        }));
    }
    let mut stored = 0;
    for writer in writers {
        stored += writer.await.unwrap();
    }
    stored
}

/// A sum, which PostgreSQL gives as `numeric`.
fn number(cell: &analytics_query::Cell) -> i64 {
    match cell {
        analytics_query::Cell::Float(number) => *number as i64,
        other => as_int(other),
    }
}
