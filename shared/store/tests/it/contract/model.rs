//! Random batches, split, repeated and put together at random, against a model that a page explains.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicU32, Ordering};

use analytics_domain::{Batch, Event, Project, Timestamp};
use analytics_store::DayCounts;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use uuid::Uuid;

use super::{DAY, Fixture, NOW, as_int, as_text, as_uuid, batch, event, project, text, work};

/// One event of a case, by small numbers so that ids, sessions and rollups meet.
#[derive(Debug, Clone)]
struct Draft {
    id: u8,
    day: u8,
    session: u8,
    user: Option<u8>,
    kind: u8,
}

/// Batches, and transactions as lists of batch numbers (with repeats: redeliveries).
type Case = (Vec<Vec<Draft>>, Vec<Vec<prop::sample::Index>>);

fn case() -> impl Strategy<Value = Case> {
    let draft = (0..40_u8, 0..100_u8, 0..4_u8, prop::option::of(0..3_u8), 0..3_u8)
        .prop_map(|(id, day, session, user, kind)| Draft { id, day, session, user, kind });
    let batches = prop::collection::vec(prop::collection::vec(draft, 0..12), 1..8);
    let transactions = prop::collection::vec(prop::collection::vec(any::<prop::sample::Index>(), 0..5), 1..10);
    (batches, transactions)
}

/// What the store should hold.
#[derive(Default)]
struct Model {
    settled: HashSet<Uuid>,
    stored: HashMap<Uuid, Event<'static>>,
    counts: DayCounts,
}

impl Model {
    fn take(&mut self, batch: &Batch<'static>, cutoff: Timestamp) {
        if !self.settled.insert(batch.id) {
            return;
        }
        for event in &batch.events {
            self.counts.accepted += 1;
            if event.timestamp < cutoff {
                self.counts.expired += 1;
            } else if self.stored.contains_key(&event.id) {
                self.counts.duplicate += 1;
            } else {
                self.counts.stored += 1;
                self.stored.insert(event.id, event.clone());
            }
        }
    }

    fn rollups(&self) -> BTreeMap<(i64, String, String), i64> {
        let mut rollups = BTreeMap::new();
        for event in self.stored.values() {
            let day = event.timestamp.utc_day();
            for (key, value) in [("", ""), ("event_type", &*event.event_type), ("event_action", &*event.event_action)] {
                *rollups.entry((day, key.to_owned(), value.to_owned())).or_default() += 1;
            }
        }
        rollups
    }

    fn sessions(&self) -> BTreeMap<String, String> {
        let mut first: BTreeMap<String, (Timestamp, Uuid, String)> = BTreeMap::new();
        for event in self.stored.values() {
            let Some(user) = &event.user_id else { continue };
            let named = (event.timestamp, event.id, user.to_string());
            first
                .entry(event.session_id.to_string())
                .and_modify(|known| *known = named.clone().min(known.clone()))
                .or_insert(named);
        }
        first.into_iter().map(|(session, (_, _, user))| (session, user)).collect()
    }
}

/// Each case has a project of its own in one store.
pub(crate) fn random_batches_agree_with_the_model(runtime: &tokio::runtime::Runtime, fixture: &Fixture) {
    let cases = AtomicU32::new(0);
    let config = Config { cases: 48, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&case(), |(drafts, transactions)| {
        let project = project(&format!("case-{}", cases.fetch_add(1, Ordering::Relaxed)));
        let batches: Vec<Batch<'static>> =
            drafts.iter().map(|drafts| batch(&project, drafts.iter().map(finish).collect())).collect();
        let mut model = Model::default();
        runtime.block_on(async {
            for transaction in &transactions {
                let chosen: Vec<Batch<'static>> = transaction.iter().map(|index| index.get(&batches).clone()).collect();
                fixture.ingest(&work(&chosen)).await.unwrap();
                for batch in &chosen {
                    model.take(batch, super::RETENTION.cutoff(NOW));
                }
            }
            compare(fixture, &project, &model).await
        })
    });
    outcome.unwrap();
}

fn finish(draft: &Draft) -> Event<'static> {
    let mut event = event(u128::from(draft.id).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835));
    event.timestamp = NOW.saturating_add_micros(-i64::from(draft.day) * DAY);
    event.session_id = format!("session {}", draft.session).into();
    event.user_id = draft.user.map(|user| format!("user {user}").into());
    event.event_type = format!("type {}", draft.kind).into();
    event.event_action = format!("action {}", draft.id % 3).into();
    event
}

async fn compare(fixture: &Fixture, project: &Project, model: &Model) -> Result<(), TestCaseError> {
    let of_project = || vec![text(project.as_str())];
    let rows = fixture.rows("SELECT id, event_type, session_id FROM raw_events WHERE project = $1", of_project()).await;
    prop_assert_eq!(rows.len(), model.stored.len());
    for row in &rows {
        let event = model.stored.get(&as_uuid(&row[0]));
        prop_assert!(event.is_some_and(|event| event.event_type == as_text(&row[1])), "{:?}", row);
    }

    let rows = fixture
        .rows("SELECT date, dimension_key, dimension_value, value FROM daily_metrics WHERE project = $1", of_project())
        .await;
    let rollups: BTreeMap<_, _> = rows
        .iter()
        .map(|row| {
            let date = as_text(&row[0]).to_owned() + "T00:00:00Z";
            let day = Timestamp::parse_rfc3339(&date).unwrap().utc_day();
            ((day, as_text(&row[1]).to_owned(), as_text(&row[2]).to_owned()), as_int(&row[3]))
        })
        .collect();
    prop_assert_eq!(rollups, model.rollups());

    let rows = fixture.rows("SELECT session_id, user_id FROM session_users WHERE project = $1", of_project()).await;
    let sessions: BTreeMap<_, _> =
        rows.iter().map(|row| (as_text(&row[0]).to_owned(), as_text(&row[1]).to_owned())).collect();
    prop_assert_eq!(sessions, model.sessions());

    let found = fixture.store.integrity(project, NOW.saturating_add_micros(-200 * DAY)).await.unwrap();
    let counts = found.received.get(&NOW.utc_day()).cloned().unwrap_or_default();
    prop_assert_eq!(&counts, &model.counts);
    for drift in found.stored.values() {
        prop_assert_eq!(drift.raw, drift.rollup);
    }
    Ok(())
}
