//! Random events in random transactions in random order, and an erasure somewhere between: the end is the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU32, Ordering};

use analytics_domain::{Batch, Event, Project, Timestamp};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use uuid::Uuid;

use super::columns::{nothing_drifts, of};
use super::{Fixture, NOW, as_text, as_uuid, batch, project, text, work};

/// Who is erased.
const ANN: &str = "user 0";

/// One event, by small numbers so that sessions, users and times meet.
#[derive(Debug, Clone)]
struct Draft {
    session: u8,
    user: Option<u8>,
    minute: u8,
    kind: u8,
}

/// Something that happens to the store.
#[derive(Debug, Clone)]
enum Step {
    /// Batches are stored together.
    Store(Vec<usize>),
    /// The person is erased.
    Erase,
    /// Columns are made.
    Refresh,
}

#[derive(Debug, Clone)]
struct Case {
    /// Batches in the order of their receipt.
    batches: Vec<Vec<Draft>>,
    /// How many of them were accepted up to the erasure.
    before: usize,
    steps: Vec<Step>,
}

fn case() -> impl Strategy<Value = Case> {
    let draft = (0..5_u8, prop::option::of(0..3_u8), 0..40_u8, 0..3_u8)
        .prop_map(|(session, user, minute, kind)| Draft { session, user, minute, kind });
    prop::collection::vec(prop::collection::vec(draft, 1..5), 1..9).prop_flat_map(|batches| {
        let count = batches.len();
        let order = Just((0..count).collect::<Vec<_>>()).prop_shuffle();
        let cuts = prop::collection::vec(any::<bool>(), count);
        let (erase, refreshes) = (0..=count, prop::collection::vec(0..=count, 0..4));
        (Just(batches), 0..=count, order, cuts, erase, refreshes).prop_map(
            |(batches, before, order, cuts, erase, refreshes)| {
                let mut steps: Vec<Step> = Vec::new();
                for (place, batch) in order.iter().enumerate() {
                    match steps.last_mut() {
                        Some(Step::Store(together)) if cuts[place] => together.push(*batch),
                        _ => steps.push(Step::Store(vec![*batch])),
                    }
                }
                for place in refreshes {
                    steps.insert(place.min(steps.len()), Step::Refresh);
                }
                steps.insert(erase.min(steps.len()), Step::Erase);
                // The queue gives an entry out again.
                steps.push(Step::Store(vec![order[0]]));
                Case { batches, before, steps }
            },
        )
    })
}

/// All events with their receipts: what was ever accepted.
struct Accepted(Vec<(Event<'static>, Timestamp)>);

impl Accepted {
    /// Who each session is known by, over some of the events.
    fn sessions(&self, of: impl Fn(&Event<'_>) -> bool) -> BTreeMap<&str, &str> {
        let mut firsts: BTreeMap<&str, (Timestamp, Uuid, &str)> = BTreeMap::new();
        for (event, _) in self.0.iter().filter(|(event, _)| of(event)) {
            let Some(user) = &event.user_id else { continue };
            let named = (event.timestamp, event.id, user.as_ref());
            firsts.entry(&event.session_id).and_modify(|first| *first = named.min(*first)).or_insert(named);
        }
        firsts.into_iter().map(|(session, (_, _, user))| (session, user)).collect()
    }

    /// The users that are named in a session.
    fn users(&self, session: &str) -> BTreeSet<&str> {
        self.0
            .iter()
            .filter(|(event, _)| event.session_id == session)
            .filter_map(|(event, _)| event.user_id.as_deref())
            .collect()
    }
}

/// Each case has a project of its own in one store.
pub(crate) fn every_order_of_events_and_an_erasure_ends_alike(runtime: &tokio::runtime::Runtime, fixture: &Fixture) {
    let cases = AtomicU32::new(0);
    let config = Config { cases: 64, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&case(), |case| {
        let project = project(&format!("case-{}", cases.fetch_add(1, Ordering::Relaxed)));
        runtime.block_on(run(fixture, &project, &case))
    });
    outcome.unwrap();
}

async fn run(fixture: &Fixture, project: &Project, case: &Case) -> Result<(), TestCaseError> {
    let receipt = |place: usize| NOW.saturating_add_micros(place as i64);
    let mut next = 0_u128;
    let batches: Vec<Batch<'static>> = case
        .batches
        .iter()
        .enumerate()
        .map(|(place, drafts)| {
            let events = drafts.iter().map(|draft| {
                next += 1;
                finish(next, draft)
            });
            Batch { received_at: receipt(place), ..batch(project, events.collect()) }
        })
        .collect();
    // The receipt of the last batch before it, or an instant before all.
    let until = receipt(case.before).saturating_add_micros(-1);
    for step in &case.steps {
        match step {
            Step::Store(places) => {
                let chosen: Vec<Batch<'static>> = places.iter().map(|place| batches[*place].clone()).collect();
                fixture.ingest(&work(&chosen)).await.unwrap();
            }
            Step::Erase => drop(fixture.store.erase(project, ANN, until).await.unwrap()),
            Step::Refresh => drop(fixture.store.refresh().await.unwrap()),
        }
    }
    let events = batches.iter().flat_map(|batch| batch.events.iter().map(|event| (event.clone(), batch.received_at)));
    let accepted = Accepted(events.collect());
    compare(fixture, project, &accepted, until).await?;

    // The client sends everything again.
    for batch in &batches {
        let again = Batch { id: Uuid::new_v4(), received_at: receipt(1_000), ..batch.clone() };
        fixture.put(&again).await;
    }
    compare(fixture, project, &accepted, until).await
}

fn finish(number: u128, draft: &Draft) -> Event<'static> {
    let id = number.wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
    let user = draft.user.map(|user| format!("user {user}"));
    let mut event = of(id, &format!("session {}", draft.session), user.as_deref(), i64::from(draft.minute));
    event.event_type = format!("type {}", draft.kind).into();
    event
}

async fn compare(
    fixture: &Fixture,
    project: &Project,
    accepted: &Accepted,
    until: Timestamp,
) -> Result<(), TestCaseError> {
    let of_project = || vec![text(project.as_str())];
    let rows = fixture.rows("SELECT id FROM raw_events WHERE project = $1", of_project()).await;
    let stored: BTreeSet<Uuid> = rows.iter().map(|row| as_uuid(&row[0])).collect();
    prop_assert_eq!(rows.len(), stored.len());
    let known = accepted.sessions(|_| true);
    for (event, receipt) in &accepted.0 {
        let person = event.user_id.as_deref().or(known.get(&*event.session_id).copied());
        let users = accepted.users(&event.session_id);
        let is_there = stored.contains(&event.id);
        if *receipt <= until && person == Some(ANN) {
            prop_assert!(!is_there, "the person's is there: {:?}", event);
        } else if *receipt <= until && event.user_id.is_none() && users.contains(ANN) {
            // Several people named its session: it may be gone.
        } else {
            prop_assert!(is_there, "somebody else's is gone: {:?}", event);
        }
    }

    // All that is made of raw rows is as of those that are there.
    let is_stored = |event: &Event<'_>| stored.contains(&event.id);
    let rows = fixture.rows("SELECT session_id, user_id FROM session_users WHERE project = $1", of_project()).await;
    let sessions: BTreeMap<&str, &str> = rows.iter().map(|row| (as_text(&row[0]), as_text(&row[1]))).collect();
    prop_assert_eq!(sessions, accepted.sessions(is_stored));
    let rows = fixture
        .rows(
            "SELECT dimension_value, value FROM daily_metrics WHERE project = $1 AND dimension_key = 'event_type'",
            of_project(),
        )
        .await;
    let mut counted: BTreeMap<String, i64> = BTreeMap::new();
    for row in &rows {
        *counted.entry(as_text(&row[0]).to_owned()).or_default() += super::as_int(&row[1]);
    }
    let mut expected: BTreeMap<String, i64> = BTreeMap::new();
    for (event, _) in accepted.0.iter().filter(|(event, _)| is_stored(event)) {
        *expected.entry(event.event_type.to_string()).or_default() += 1;
    }
    prop_assert_eq!(counted, expected);

    while fixture.store.refresh().await.unwrap().left {}
    if !stored.is_empty() {
        nothing_drifts(fixture, project).await;
    }
    let rows = fixture.rows("SELECT name FROM identities WHERE project = $1", of_project()).await;
    let names: BTreeSet<&str> = rows.iter().map(|row| as_text(&row[0])).collect();
    let carried: BTreeSet<&str> = accepted
        .0
        .iter()
        .filter(|(event, _)| is_stored(event))
        .flat_map(|(event, _)| event.user_id.as_deref().into_iter().chain([event.session_id.as_ref()]))
        .collect();
    prop_assert_eq!(names, carried);

    let found = fixture.store.integrity(project, NOW.saturating_add_micros(-200 * super::DAY)).await.unwrap();
    for counts in found.received.values() {
        let ends = counts.stored + counts.duplicate + counts.expired + counts.dead_lettered + counts.erased;
        prop_assert_eq!(counts.accepted, ends, "{:?}", counts);
    }
    Ok(())
}
