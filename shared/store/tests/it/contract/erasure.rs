//! A person goes with all that was made of them, whenever their events come.

use std::collections::BTreeSet;
use std::sync::Arc;

use analytics_domain::EventOutcome::{Duplicate, Erased, Stored};
use analytics_domain::{Batch, Event, EventOutcome, Project, Timestamp};
use analytics_query::{Cell, Source};
use analytics_store::{Erasure, Maintenance};
use serde_json::json;

use super::columns::{asked, is_as_if_made_anew, nothing_drifts, of, refresh};
use super::letters::{replay, today, with_failure};
use super::{DAY, Fixture, NOW, RETENTION, SECOND, as_int, as_text, batch, project, text, work};

/// The instant of the scenarios' erasures: after the receipt of a [`batch`].
const THEN: Timestamp = NOW;

/// A batch that was accepted after it.
fn later(project: &Project, events: Vec<Event<'static>>) -> Batch<'static> {
    Batch { received_at: THEN.saturating_add_micros(1), ..batch(project, events) }
}

async fn erase(fixture: &Fixture, project: &Project, user: &str) -> (u64, u64, u64) {
    let Erasure { events, sessions, dead_letters } = fixture.store.erase(project, user, THEN).await.unwrap();
    (events, sessions, dead_letters)
}

/// The texts of a column.
async fn texts(fixture: &Fixture, sql: &str) -> Vec<String> {
    fixture.rows(sql, vec![]).await.iter().map(|row| as_text(&row[0]).to_owned()).collect()
}

/// Everything that the store holds as text, where names could be.
async fn all_texts(fixture: &Fixture) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for sql in [
        "SELECT session_id, user_id FROM raw_events",
        "SELECT session_id, user_id FROM session_users",
        "SELECT dimension_value, dimension_key FROM daily_metrics",
        "SELECT name, kind FROM identities",
        "SELECT session_id, project FROM identity_changes",
    ] {
        for row in fixture.rows(sql, vec![]).await {
            found.extend(row.iter().filter(|cell| matches!(cell, Cell::Text(_))).map(|cell| as_text(cell).to_owned()));
        }
    }
    found
}

pub(crate) async fn a_person_goes_with_all_that_was_made_of_them(fixture: &Fixture) {
    let project = project("shop");
    let mut special = of(3, "a", Some("ann"), 100);
    special.event_type = "only ann".into();
    let events = vec![
        of(1, "a", None, 110),
        special,
        of(4, "b", Some("ann"), 50),
        of(5, "c", None, 50),
        of(6, "c", Some("bob"), 40),
        of(7, "d", None, 30),
    ];
    let sent = batch(&project, events);
    fixture.put(&sent).await;
    let other = self::project("blog");
    fixture.put(&batch(&other, vec![of(1, "a", Some("ann"), 50)])).await;
    refresh(fixture).await;

    assert_eq!(erase(fixture, &project, "ann").await, (3, 2, 0));
    assert_eq!(fixture.ids(&project).await, [5, 6, 7]);
    let metrics = json!(["events", "sessions", "users", "visitors"]);
    let expected = vec![3.0, 2.0, 1.0, 2.0];
    assert_eq!(asked(fixture, &project, metrics.clone()).await, (expected.clone(), Source::Mixed));
    nothing_drifts(fixture, &project).await;
    refresh(fixture).await;
    assert_eq!(asked(fixture, &project, metrics.clone()).await, (expected, Source::Rollup));
    nothing_drifts(fixture, &project).await;
    is_as_if_made_anew(fixture).await;
    let names = texts(fixture, "SELECT name FROM identities WHERE project = 'shop' ORDER BY name").await;
    assert_eq!(names, ["bob", "c", "d"]);
    let values = "SELECT dimension_value FROM daily_metrics WHERE project = 'shop' AND dimension_key = 'event_type'";
    assert_eq!(texts(fixture, values).await, ["type"]);
    let sessions = texts(fixture, "SELECT session_id FROM session_users WHERE project = 'shop'").await;
    assert_eq!(sessions, ["c"]);
    // What was stored stays counted as that, on the day of its receipt.
    let counts = today(fixture, &project).await;
    assert_eq!((counts.accepted, counts.stored, counts.erased), (6, 6, 0));
    // Somebody of the same name in another project is somebody else.
    assert_eq!(fixture.ids(&other).await, [1]);

    // Neither a redelivery nor a client's retry brings anything back; both are told to nobody.
    assert_eq!(fixture.put(&sent).await, [Erased, Erased, Erased, Duplicate, Duplicate, Duplicate]);
    let retry = later(&project, sent.events.clone());
    assert_eq!(fixture.put(&retry).await, [Duplicate; 6]);
    assert_eq!(fixture.ids(&project).await, [5, 6, 7]);
    let counts = today(fixture, &project).await;
    assert_eq!((counts.accepted, counts.stored, counts.duplicate, counts.erased), (12, 6, 6, 0));

    // Whoever comes back is there again, and a second erasure up to the same instant changes nothing.
    assert_eq!(
        fixture.put(&later(&project, vec![of(9, "a", Some("ann"), 10), of(10, "a", None, 9)])).await,
        [Stored; 2]
    );
    assert_eq!(erase(fixture, &project, "ann").await, (0, 0, 0));
    assert_eq!(fixture.ids(&project).await, [5, 6, 7, 9, 10]);
    refresh(fixture).await;
    assert_eq!(asked(fixture, &project, metrics).await, (vec![5.0, 3.0, 2.0, 3.0], Source::Rollup));
    nothing_drifts(fixture, &project).await;
}

pub(crate) async fn what_is_queued_is_dropped_when_it_comes(fixture: &Fixture) {
    let project = project("shop");
    fixture.put(&batch(&project, vec![of(1, "a", Some("ann"), 50), of(2, "b", Some("bob"), 50)])).await;
    assert_eq!(erase(fixture, &project, "ann").await, (1, 1, 0));
    let queued = batch(
        &project,
        vec![of(3, "a", Some("ann"), 40), of(4, "a", None, 40), of(5, "b", None, 40), of(6, "x", None, 1)],
    );
    let outcomes = fixture
        .ingest(&work(&[queued.clone(), later(&project, vec![of(7, "a", None, 5), of(8, "z", Some("ann"), 5)])]))
        .await;
    let outcomes = outcomes.unwrap();
    assert_eq!(outcomes[0].events, [Erased, Erased, Stored, Stored]);
    assert_eq!(outcomes[1].events, [Stored, Stored]);
    assert_eq!(fixture.ids(&project).await, [2, 5, 6, 7, 8]);
    let counts = today(fixture, &project).await;
    assert_eq!((counts.accepted, counts.stored, counts.duplicate, counts.erased), (8, 6, 0, 2));
    // They are remembered all the same.
    assert_eq!(fixture.put(&later(&project, queued.events.clone())).await, [Duplicate; 4]);
    assert_eq!(fixture.put(&queued).await, [Erased, Erased, Duplicate, Duplicate]);
    assert_eq!(today(fixture, &project).await.erased, 2);
    // Many at once are written another way.
    let many = (100..2_100).map(|id| of(id, "many", (id % 2 == 0).then_some("ann"), 30)).collect();
    let outcomes = fixture.put(&batch(&project, many)).await;
    assert_eq!(outcomes, [Erased; 2_000], "the session was hers");
    assert_eq!(fixture.ids(&project).await, [2, 5, 6, 7, 8]);
    nothing_drifts(fixture, &project).await;
}

pub(crate) async fn a_session_that_is_named_late_loses_what_it_had(fixture: &Fixture) {
    let project = project("shop");
    let unnamed = |ids: std::ops::Range<u128>, session: &'static str| {
        batch(&project, ids.map(|id| of(id, session, None, 200 - id as i64)).collect())
    };
    fixture.put(&unnamed(1..4, "made")).await;
    refresh(fixture).await;
    fixture.put(&unnamed(4..6, "marked")).await;
    fixture.put(&later(&project, vec![of(6, "made", None, 50)])).await;
    assert_eq!(erase(fixture, &project, "ann").await, (0, 0, 0));
    assert_eq!(fixture.ids(&project).await.len(), 6);
    // The queue gives them out: who names them first, others of theirs in the same transaction, and others after it.
    let naming = batch(
        &project,
        vec![
            of(10, "made", Some("ann"), 100),
            of(11, "made", None, 99),
            of(12, "marked", Some("ann"), 98),
            of(13, "x", None, 97),
        ],
    );
    assert_eq!(fixture.put(&naming).await, [Erased, Erased, Erased, Stored]);
    assert_eq!(fixture.ids(&project).await, [6, 13]);
    assert_eq!(fixture.put(&unnamed(20..22, "made")).await, [Erased; 2]);
    assert_eq!(fixture.ids(&project).await, [6, 13]);
    nothing_drifts(fixture, &project).await;
    refresh(fixture).await;
    nothing_drifts(fixture, &project).await;
    assert_eq!(texts(fixture, "SELECT name FROM identities ORDER BY name").await, ["made", "x"]);
    // One whom she names only after her erasure has events of hers from before it.
    assert_eq!(fixture.put(&later(&project, vec![of(30, "x", Some("ann"), 2)])).await, [Stored]);
    assert_eq!(fixture.ids(&project).await, [6, 30]);
    // The queue's last word comes from before it too.
    assert_eq!(fixture.put(&unnamed(40..42, "x")).await, [Erased; 2]);
    nothing_drifts(fixture, &project).await;
    refresh(fixture).await;
    is_as_if_made_anew(fixture).await;
}

pub(crate) async fn others_keep_what_is_theirs(fixture: &Fixture) {
    let project = project("shop");
    let events = vec![
        // Bob's first, and ann has used his machine.
        of(1, "bobs", None, 100),
        of(2, "bobs", Some("bob"), 99),
        of(3, "bobs", Some("ann"), 98),
        // Ann's first, and bob has used hers.
        of(4, "anns", None, 100),
        of(5, "anns", Some("ann"), 99),
        of(6, "anns", Some("bob"), 98),
    ];
    fixture.put(&batch(&project, events)).await;
    fixture.put(&later(&project, vec![of(7, "anns", None, 10)])).await;
    refresh(fixture).await;
    assert_eq!(erase(fixture, &project, "ann").await, (3, 2, 0));
    assert_eq!(fixture.ids(&project).await, [1, 2, 6, 7]);
    let known = fixture.rows("SELECT session_id, user_id FROM session_users ORDER BY session_id", vec![]).await;
    let known: Vec<_> = known.iter().map(|row| (as_text(&row[0]), as_text(&row[1]))).collect();
    assert_eq!(known, [("anns", "bob"), ("bobs", "bob")]);
    let metrics = json!(["events", "sessions", "users", "visitors"]);
    for source in [Source::Mixed, Source::Rollup] {
        assert_eq!(asked(fixture, &project, metrics.clone()).await, (vec![4.0, 2.0, 1.0, 1.0], source));
        refresh(fixture).await;
    }
    is_as_if_made_anew(fixture).await;
    // Queued: of bob's session ann's own goes, and nothing else.
    let queued = vec![of(10, "bobs", Some("ann"), 97), of(11, "bobs", None, 96), of(12, "bobs", Some("bob"), 95)];
    assert_eq!(fixture.put(&batch(&project, queued)).await, [Erased, Stored, Stored]);
    assert_eq!(fixture.ids(&project).await, [1, 2, 6, 7, 11, 12]);
    // No name of hers is anywhere.
    refresh(fixture).await;
    let found = all_texts(fixture).await;
    assert!(found.contains("bob") && !found.contains("ann"), "{found:?}");
}

pub(crate) async fn dead_letters_of_a_person_go(fixture: &Fixture) {
    let project = project("shop");
    let put_aside = async |id: u128, session: &'static str, user: Option<&'static str>| {
        let sent = batch(&project, vec![of(id, session, user, 50)]);
        fixture.ingest(&with_failure(&sent, 0)).await.unwrap()[0].events[0]
    };
    fixture.put(&batch(&project, vec![of(1, "a", Some("ann"), 60)])).await;
    for (id, session, user) in [(2, "b", Some("ann")), (3, "a", None), (4, "c", Some("bob")), (5, "c", None)] {
        assert_eq!(put_aside(id, session, user).await, EventOutcome::DeadLettered);
    }
    assert_eq!(erase(fixture, &project, "ann").await, (1, 1, 2));
    let letters = fixture.store.dead_letters(&project, None, 10).await.unwrap().letters;
    let left: BTreeSet<_> = letters.iter().filter_map(|letter| letter.event_id).map(|id| id.as_u128()).collect();
    assert_eq!(left, BTreeSet::from([4, 5]));
    let counts = today(fixture, &project).await;
    assert_eq!((counts.accepted, counts.stored, counts.dead_lettered, counts.erased), (5, 1, 2, 2));
    // Their ids are remembered, and what fails of hers from now on is no dead letter.
    assert_eq!(fixture.put(&later(&project, vec![of(2, "b", Some("ann"), 5)])).await, [Duplicate]);
    assert_eq!(put_aside(6, "b", Some("ann")).await, Erased);
    assert_eq!(fixture.put(&later(&project, vec![of(6, "b", Some("ann"), 5)])).await, [Duplicate]);
    // One that was put aside before anybody knew whose it is goes when it is tried again.
    assert_eq!(put_aside(7, "late", None).await, EventOutcome::DeadLettered);
    let mut letters = fixture.store.dead_letters(&project, None, 10).await.unwrap().letters;
    letters.retain(|letter| letter.event_id.is_some_and(|id| id.as_u128() == 7));
    let letter = letters.remove(0);
    let kept = Batch::decode(&letter.payload).unwrap();
    assert_eq!(fixture.put(&batch(&project, vec![of(8, "late", Some("ann"), 40)])).await, [Erased]);
    assert_eq!(fixture.store.dead_letters(&project, None, 10).await.unwrap().total, 2, "it went at once");
    assert_eq!(fixture.ingest(&replay(&letter, &kept, false)).await.unwrap()[0].events, [Erased]);
    let counts = today(fixture, &project).await;
    assert_eq!((counts.accepted, counts.dead_lettered, counts.erased), (10, 2, 5), "{counts:?}");
    assert_eq!(counts.accepted, counts.stored + counts.duplicate + counts.dead_lettered + counts.erased);
}

pub(crate) async fn an_erasure_runs_beside_writers_and_makers(fixture: &Fixture) {
    let project = project("shop");
    let mut tasks = Vec::new();
    for writer in 0..4_u128 {
        let (store, project) = (Arc::clone(&fixture.store), project.clone());
        tasks.push(tokio::spawn(async move {
            for turn in 0..25_u128 {
                let events = (0..8_u128).map(|index| {
                    let id = 1 + index + 8 * (turn + 25 * writer);
                    // Every session has one user.
                    let session = id % 40;
                    let user = id.is_multiple_of(3).then(|| format!("user {}", session % 4));
                    of(id, &format!("session {session}"), user.as_deref(), (id % 120) as i64)
                });
                let batches = [batch(&project, events.collect())];
                store.ingest(&work(&batches), RETENTION, NOW).await.unwrap();
            }
        }));
    }
    for _ in 0..2 {
        let store = Arc::clone(&fixture.store);
        tasks.push(tokio::spawn(async move {
            for _ in 0..30 {
                store.refresh().await.unwrap();
                tokio::task::yield_now().await;
            }
        }));
    }
    for user in ["user 0", "user 1"] {
        let (store, project) = (Arc::clone(&fixture.store), project.clone());
        tasks.push(tokio::spawn(async move {
            for _ in 0..4 {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                store.erase(&project, user, THEN).await.unwrap();
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    // Sessions without any event that names them stay.
    let named: BTreeSet<u128> = (1..=800).filter(|id: &u128| id.is_multiple_of(3)).map(|id| id % 40).collect();
    let stays = |id: &u128| !(named.contains(&(id % 40)) && id % 40 % 4 < 2);
    assert_eq!(fixture.ids(&project).await, (1..=800).filter(stays).collect::<Vec<_>>());
    let metrics = json!(["events", "sessions", "users", "visitors"]);
    let (before, _) = asked(fixture, &project, metrics.clone()).await;
    assert_eq!(before[2..], [2.0, 2.0]);
    nothing_drifts(fixture, &project).await;
    refresh(fixture).await;
    assert_eq!(asked(fixture, &project, metrics).await, (before, Source::Rollup));
    nothing_drifts(fixture, &project).await;
    is_as_if_made_anew(fixture).await;
    let found = all_texts(fixture).await;
    assert!(found.contains("user 2") && !found.contains("user 0") && !found.contains("user 1"), "{found:?}");
}

pub(crate) async fn counts_without_a_row_of_their_own_are_kept_right(fixture: &Fixture) {
    let project = project("shop");
    let typed = |id: u128, user: &'static str, kind: &'static str| {
        let mut event = of(id, user, Some(user), 50);
        event.event_type = kind.into();
        event
    };
    let events = vec![
        typed(1, "ann", "rare"),
        typed(2, "ann", "rarer"),
        typed(3, "bob", "rarest"),
        typed(4, "ann", "own"),
        typed(5, "bob", "own"),
    ];
    fixture.put(&batch(&project, events)).await;
    // As where a day has too many values: these three are counted together.
    fixture.operator.run(
        "DELETE FROM daily_metrics WHERE dimension_value IN ('rare', 'rarer');
         UPDATE daily_metrics SET dimension_value = '__other__', value = 3 WHERE dimension_value = 'rarest'",
    );
    assert_eq!(erase(fixture, &project, "ann").await.0, 3);
    let rows = fixture
        .rows(
            "SELECT dimension_value, value FROM daily_metrics WHERE project = $1 AND dimension_key = 'event_type'
             ORDER BY dimension_value",
            vec![text("shop")],
        )
        .await;
    let found: Vec<_> = rows.iter().map(|row| (as_text(&row[0]), as_int(&row[1]))).collect();
    assert_eq!(found, [("__other__", 1), ("own", 1)]);
    nothing_drifts(fixture, &project).await;
}

pub(crate) async fn old_tombstones_go(fixture: &Fixture) {
    let project = project("shop");
    fixture.put(&batch(&project, vec![of(1, "a", Some("ann"), 50)])).await;
    erase(fixture, &project, "ann").await;
    assert_eq!(fixture.count("erasures").await, 2);
    let maintain = async |days: i64| {
        let now = NOW.saturating_add_micros(days * DAY);
        fixture.store.maintain(Maintenance { now, retention: RETENTION, dedupe_days: 30 }).await.unwrap();
        fixture.count("erasures").await
    };
    // As long as an event from before it could still be stored.
    assert_eq!(maintain(90).await, 2);
    let now = NOW.saturating_add_micros(90 * DAY);
    let mut oldest = of(2, "a", Some("ann"), 0);
    oldest.timestamp = NOW.saturating_add_micros(10 * SECOND);
    let outcomes = fixture.store.ingest(&work(&[batch(&project, vec![oldest.clone()])]), RETENTION, now).await.unwrap();
    assert_eq!(outcomes[0].events, [Erased]);
    assert_eq!(maintain(92).await, 0);
    let now = NOW.saturating_add_micros(92 * DAY);
    oldest.id = uuid::Uuid::from_u128(3);
    let outcomes = fixture.store.ingest(&work(&[batch(&project, vec![oldest])]), RETENTION, now).await.unwrap();
    assert_eq!(outcomes[0].events, [EventOutcome::Expired]);
}
