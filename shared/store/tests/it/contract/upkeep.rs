//! What is too old goes, and nothing else.

use analytics_domain::EventOutcome::{Duplicate, Stored};
use analytics_domain::{Retention, Timestamp};
use analytics_store::Maintenance;

use super::{DAY, Fixture, NOW, RETENTION, SECOND, as_int, batch, event, project, text, work};

fn maintenance(now: Timestamp) -> Maintenance {
    Maintenance { now, retention: RETENTION, dedupe_days: 30 }
}

pub(crate) async fn old_events_go_and_rollups_stay(fixture: &Fixture) {
    let project = project("shop");
    let events = (0..90).map(|age| {
        let mut event = event(age as u128);
        event.timestamp = NOW.saturating_add_micros(-age * DAY);
        event
    });
    fixture.put(&batch(&project, events.collect())).await;
    fixture.store.maintain(maintenance(NOW)).await.unwrap();
    assert_eq!(fixture.count("raw_events").await, 90, "nothing is too old yet");

    // Thirty days later, those days that are past the retention are out of the store, but for what shares a chunk with
    // days that are kept.
    let later = NOW.saturating_add_micros(30 * DAY);
    let cutoff = RETENTION.cutoff(later);
    let upkeep = fixture.store.maintain(maintenance(later)).await.unwrap();
    assert!(upkeep.raw_dropped > 0);
    let kept = fixture
        .rows("SELECT count(*) FROM raw_events WHERE timestamp >= $1", vec![analytics_query::Param::Timestamp(cutoff)]);
    assert_eq!(as_int(&kept.await[0][0]), 61);
    assert!(fixture.count("raw_events").await <= 61 + 7);
    let rollups = fixture
        .rows("SELECT count(*) FROM daily_metrics WHERE project = $1 AND dimension_key = ''", vec![text("shop")]);
    assert_eq!(as_int(&rollups.await[0][0]), 90);

    // Days that are not whole any more are in no comparison.
    let found = fixture.store.integrity(&project, Timestamp::from_micros(0)).await.unwrap();
    assert_eq!(found.stored.len(), 61);
    assert_eq!(*found.stored.keys().next().unwrap(), cutoff.utc_day());
    assert!(found.stored.values().all(|drift| drift.raw == 1 && drift.rollup == 1));

    // For ever is for ever.
    let forever =
        Maintenance { retention: Retention { days: 0 }, ..maintenance(NOW.saturating_add_micros(5_000 * DAY)) };
    let before = fixture.count("raw_events").await;
    fixture.store.maintain(forever).await.unwrap();
    assert_eq!(fixture.count("raw_events").await, before);
}

pub(crate) async fn ids_are_remembered_over_generations_and_then_forgotten(fixture: &Fixture) {
    let project = project("shop");
    fixture.store.maintain(maintenance(NOW)).await.unwrap();
    fixture.put(&batch(&project, vec![event(1)])).await;
    let mut dropped = 0;
    for day in 1..=30 {
        let now = NOW.saturating_add_micros(day * DAY);
        let mut retry = event(1);
        retry.timestamp = now;
        dropped += fixture.store.maintain(maintenance(now)).await.unwrap().ids_dropped;
        let batches = [batch(&project, vec![retry])];
        let outcomes = fixture.store.ingest(&work(&batches), RETENTION, now).await.unwrap();
        assert_eq!(outcomes[0].events, [Duplicate], "day {day}");
    }
    assert_eq!(dropped, 0);
    // A generation is half of the thirty days, and three are kept.
    for day in 31..=46 {
        dropped += fixture.store.maintain(maintenance(NOW.saturating_add_micros(day * DAY))).await.unwrap().ids_dropped;
    }
    assert!(dropped > 0);
    let now = NOW.saturating_add_micros(46 * DAY);
    let mut again = event(1);
    again.timestamp = now;
    let outcomes = fixture.store.ingest(&work(&[batch(&project, vec![again])]), RETENTION, now).await.unwrap();
    assert_eq!(outcomes[0].events, [Stored]);
}

pub(crate) async fn a_batch_is_remembered_over_generations(fixture: &Fixture) {
    let project = project("shop");
    fixture.store.maintain(maintenance(NOW)).await.unwrap();
    let mut sent = batch(&project, vec![event(1)]);
    sent.refused = vec![("too_deep".into(), 1)];
    fixture.put(&sent).await;
    for day in [15, 30] {
        let now = NOW.saturating_add_micros(day * DAY);
        fixture.store.maintain(maintenance(now)).await.unwrap();
        fixture.store.ingest(&work(std::slice::from_ref(&sent)), RETENTION, now).await.unwrap();
    }
    let counts = fixture.store.integrity(&project, NOW).await.unwrap().received[&NOW.utc_day()].clone();
    assert_eq!((counts.accepted, counts.stored, counts.duplicate, counts.rejected["too_deep"]), (1, 1, 0, 1));
    assert_eq!(fixture.count("raw_events").await, 1);
}

pub(crate) async fn upkeep_runs_beside_itself_and_writers(fixture: &Fixture) {
    // Generations move on while two upkeeps and a writer run: every event stays exactly once.
    let project = project("shop");
    fixture.store.maintain(maintenance(NOW)).await.unwrap();
    let write = async {
        let mut stored = 0;
        for round in 0..60_u128 {
            let events = (0..20).map(|index| event(round / 2 * 20 + index)).collect();
            let batches = [batch(&project, events)];
            let outcomes = fixture.ingest(&work(&batches)).await.unwrap();
            stored += outcomes[0].events.iter().filter(|end| **end == Stored).count();
        }
        stored
    };
    let keep = async || {
        for step in 1..=2 {
            tokio::time::sleep(std::time::Duration::from_millis(30)).await;
            fixture.store.maintain(maintenance(NOW.saturating_add_micros(step * 15 * DAY))).await.unwrap();
        }
    };
    let (stored, (), ()) = tokio::join!(write, keep(), keep());
    assert_eq!(stored, 600);
    assert_eq!(fixture.ids(&project).await, (0..600).collect::<Vec<_>>());
}

pub(crate) async fn old_sessions_go(fixture: &Fixture) {
    let project = project("shop");
    let named = |id: u128, session: &'static str, age: i64| {
        let mut event = event(id);
        event.session_id = session.into();
        event.user_id = Some("user".into());
        event.timestamp = NOW.saturating_add_micros(-age * DAY);
        event
    };
    let events = vec![named(1, "old", 80), named(2, "long", 80), named(3, "long", 1), named(4, "new", 1)];
    fixture.put(&batch(&project, events)).await;
    let later = NOW.saturating_add_micros(30 * DAY + SECOND);
    fixture.store.maintain(maintenance(later)).await.unwrap();
    let rows = fixture.rows("SELECT session_id FROM session_users ORDER BY session_id", vec![]).await;
    let sessions: Vec<_> = rows.iter().map(|row| super::as_text(&row[0])).collect();
    assert_eq!(sessions, ["long", "new"]);
}
