//! An event counts once, and every count says so.

use analytics_domain::EventOutcome::{Duplicate, Expired, Stored};

use super::{DAY, Fixture, NOW, RETENTION, SECOND, as_int, as_text, batch, event, project, text, work};

pub(crate) async fn an_id_counts_once_over_batches_and_times(fixture: &Fixture) {
    let project = project("shop");
    let first = batch(&project, vec![event(1), event(2)]);
    assert_eq!(fixture.put(&first).await, [Stored, Stored]);

    let mut moved = event(2);
    moved.timestamp = NOW.saturating_add_micros(-20 * DAY);
    moved.event_type = "other".into();
    let second = batch(&project, vec![moved, event(3)]);
    assert_eq!(fixture.put(&second).await, [Duplicate, Stored]);

    assert_eq!(fixture.ids(&project).await, [1, 2, 3]);
    let totals = fixture
        .rows(
            "SELECT date, value FROM daily_metrics WHERE project = $1 AND metric_name = 'events' AND dimension_key = ''",
            vec![text("shop")],
        )
        .await;
    assert_eq!(totals.len(), 1, "{totals:?}");
    assert_eq!((as_text(&totals[0][0]), as_int(&totals[0][1])), ("2026-11-02", 3));
    assert_eq!(fixture.rows("SELECT 1 FROM daily_metrics WHERE dimension_value = 'other'", vec![]).await.len(), 0);
}

pub(crate) async fn twins_in_a_batch_count_once(fixture: &Fixture) {
    let project = project("shop");
    let mut first = event(1);
    first.event_action = "first".into();
    let mut second = event(1);
    second.event_action = "second".into();
    assert_eq!(fixture.put(&batch(&project, vec![first, second])).await, [Stored, Duplicate]);
    let rows = fixture.rows("SELECT event_action FROM raw_events", vec![]).await;
    assert_eq!(rows.len(), 1);
    assert_eq!(as_text(&rows[0][0]), "first");

    let counts = fixture.store.integrity(&project, NOW).await.unwrap().received[&NOW.utc_day()].clone();
    assert_eq!((counts.accepted, counts.stored, counts.duplicate), (2, 1, 1));
}

pub(crate) async fn projects_do_not_share_ids(fixture: &Fixture) {
    for name in ["a", "b"] {
        assert_eq!(fixture.put(&batch(&project(name), vec![event(1)])).await, [Stored]);
    }
    assert_eq!(fixture.count("raw_events").await, 2);
}

pub(crate) async fn a_redelivered_batch_changes_nothing(fixture: &Fixture) {
    let project = project("shop");
    let mut sent = batch(&project, vec![event(1), event(1), event(2)]);
    sent.refused = vec![("too_large".into(), 4)];
    sent.events[2].timestamp = NOW.saturating_add_micros(-200 * DAY);
    assert_eq!(fixture.put(&sent).await, [Stored, Duplicate, Expired]);
    let before = fixture.store.integrity(&project, NOW.saturating_add_micros(-300 * DAY)).await.unwrap();

    // Again alone, and twice in one transaction with a batch that is new.
    assert_eq!(fixture.put(&sent).await, [Duplicate; 3]);
    assert_eq!(fixture.store.integrity(&project, NOW.saturating_add_micros(-300 * DAY)).await.unwrap(), before);
    let together = [sent.clone(), batch(&project, vec![event(3)]), sent.clone()];
    let outcomes = fixture.ingest(&work(&together)).await.unwrap();
    assert_eq!(outcomes[0].events, [Duplicate; 3]);
    assert_eq!(outcomes[1].events, [Stored]);
    assert_eq!(outcomes[2].events, [Duplicate; 3]);

    let counts = fixture.store.integrity(&project, NOW).await.unwrap().received[&NOW.utc_day()].clone();
    assert_eq!((counts.accepted, counts.stored, counts.duplicate, counts.expired), (4, 2, 1, 1));
    assert_eq!(counts.rejected["too_large"], 4);
}

pub(crate) async fn refused_events_are_counted_by_code(fixture: &Fixture) {
    let project = project("shop");
    let mut first = batch(&project, vec![event(1)]);
    first.refused = vec![("invalid_field".into(), 2), ("too_deep".into(), 1)];
    let mut second = batch(&project, vec![event(2)]);
    second.refused = vec![("invalid_field".into(), 3)];
    // A batch of the day before is in the day before's counts.
    let mut earlier = batch(&project, vec![event(3)]);
    earlier.received_at = NOW.saturating_add_micros(-DAY);
    fixture.ingest(&work(&[first, second, earlier])).await.unwrap();
    let found = fixture.store.integrity(&project, NOW.saturating_add_micros(-5 * DAY)).await.unwrap();
    let today = &found.received[&NOW.utc_day()];
    assert_eq!((today.accepted, today.stored), (2, 2));
    assert_eq!(
        today.rejected.iter().map(|(code, n)| (code.as_str(), *n)).collect::<Vec<_>>(),
        [("invalid_field", 5), ("too_deep", 1)]
    );
    assert_eq!(found.received[&(NOW.utc_day() - 1)].accepted, 1);
    let only_today = fixture.store.integrity(&project, NOW).await.unwrap();
    assert_eq!(only_today.received.len(), 1);
}

pub(crate) async fn a_batch_of_only_refused_events_is_counted(fixture: &Fixture) {
    let project = project("shop");
    let mut sent = batch(&project, Vec::new());
    sent.refused = vec![("bad_text".into(), 7)];
    for _ in 0..3 {
        assert!(fixture.put(&sent).await.is_empty());
    }
    let counts = fixture.store.integrity(&project, NOW).await.unwrap().received[&NOW.utc_day()].clone();
    assert_eq!((counts.accepted, counts.rejected["bad_text"]), (0, 7));
}

pub(crate) async fn late_events_expire(fixture: &Fixture) {
    let project = project("shop");
    let cutoff = RETENTION.cutoff(NOW);
    let mut last_kept = event(1);
    last_kept.timestamp = cutoff;
    let mut expired = event(2);
    expired.timestamp = cutoff.saturating_add_micros(-1);
    let sent = batch(&project, vec![last_kept, expired]);
    assert_eq!(fixture.put(&sent).await, [Stored, Expired]);
    assert_eq!(fixture.ids(&project).await, [1]);
    assert_eq!(fixture.count("daily_metrics").await, 3);

    // What expired was not remembered: under a longer retention another batch may bring it.
    let mut again = event(2);
    again.timestamp = NOW.saturating_add_micros(-SECOND);
    assert_eq!(fixture.put(&batch(&project, vec![again])).await, [Stored]);
}

pub(crate) async fn many_batches_in_one_transaction(fixture: &Fixture) {
    // Sizes around the adapters' own slices, and ids that fall in no order.
    let project = project("shop");
    let mut id = 0_u128;
    let batches: Vec<_> = [0_usize, 1, 127, 128, 129, 700, 3]
        .into_iter()
        .map(|size| {
            let events = (0..size).map(|_| {
                id += 1;
                event(id.wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835))
            });
            batch(&project, events.collect())
        })
        .collect();
    let outcomes = fixture.ingest(&work(&batches)).await.unwrap();
    for (outcome, batch) in outcomes.iter().zip(&batches) {
        assert_eq!(outcome.events, vec![Stored; batch.events.len()]);
    }
    assert_eq!(fixture.ids(&project).await.len() as u128, id);
    let outcomes = fixture.ingest(&work(&batches)).await.unwrap();
    assert!(outcomes.iter().flat_map(|outcome| &outcome.events).all(|end| *end == Duplicate));
    assert!(fixture.ingest(&work(&[])).await.unwrap().is_empty());
}
