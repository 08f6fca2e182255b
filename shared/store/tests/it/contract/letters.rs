//! What cannot be stored is put aside, kept, and tried again.

use std::borrow::Cow;

use analytics_domain::EventOutcome::{DeadLettered, Duplicate, Stored};
use analytics_domain::{Batch, DeadLetter, DeadLetterReason, Project};
use analytics_store::{DayCounts, FailedEvent, Ingest, IngestBatch, StoreError};
use uuid::Uuid;

use super::{DAY, Fixture, NOW, RETENTION, SECOND, batch, event, project, work};

fn reason() -> DeadLetterReason {
    DeadLetterReason {
        code: "data_error".into(),
        sqlstate: Some("23514".into()),
        message: "the store refused the event".into(),
    }
}

fn poisoned(project: &Project) -> Batch<'static> {
    let mut events: Vec<_> = (1..=5).map(event).collect();
    events[2].event_action = "poison".into();
    events[2].user_id = Some("Zoë".into());
    batch(project, events)
}

pub(super) fn with_failure<'a>(batch: &'a Batch<'a>, index: usize) -> Ingest<'a> {
    Ingest {
        batches: vec![IngestBatch {
            batch: Cow::Borrowed(batch),
            failed: vec![FailedEvent { index, reason: reason() }],
            attempt: 2,
        }],
        ..Ingest::default()
    }
}

pub(super) async fn today(fixture: &Fixture, project: &Project) -> DayCounts {
    fixture.store.integrity(project, NOW).await.unwrap().received[&NOW.utc_day()].clone()
}

/// Puts the poisoned event aside and gives the letter.
async fn put_aside(fixture: &Fixture, project: &Project) -> DeadLetter {
    let sent = poisoned(project);
    let outcomes = fixture.ingest(&with_failure(&sent, 2)).await.unwrap();
    assert_eq!(outcomes[0].events, [Stored, Stored, DeadLettered, Stored, Stored]);
    fixture.store.dead_letters(project, None, 10).await.unwrap().letters.remove(0)
}

pub(crate) async fn poison_is_found_and_put_aside(fixture: &Fixture) {
    let project = project("shop");
    fixture.operator.run(REFUSE);
    let sent = poisoned(&project);
    let batches = [sent.clone()];
    for error in [
        fixture.ingest(&work(&batches)).await.unwrap_err(),
        fixture.store.probe(&work(&batches), RETENTION, NOW).await.unwrap_err(),
    ] {
        let StoreError::Data { sqlstate, message } = error else { panic!("{error:?}") };
        assert!(!sqlstate.is_empty() && !message.contains("Zoë"), "{sqlstate} {message}");
    }
    assert_eq!(fixture.count("raw_events").await, 0);

    // Alone the poison fails; its neighbours pass, and a trial stores nothing.
    let mut neighbours = sent.clone();
    neighbours.events.remove(2);
    let mut alone = sent.clone();
    alone.events = vec![sent.events[2].clone()];
    assert!(matches!(fixture.store.probe(&work(&[alone]), RETENTION, NOW).await, Err(StoreError::Data { .. })));
    fixture.store.probe(&work(&[neighbours]), RETENTION, NOW).await.unwrap();
    fixture.store.probe(&with_failure(&sent, 2), RETENTION, NOW).await.unwrap();
    for table in ["raw_events", "daily_metrics", "receipt_counts", "session_users", "dead_letters", "event_ids"] {
        assert_eq!(fixture.count(table).await, 0, "{table}");
    }

    let letter = put_aside(fixture, &project).await;
    assert_eq!(letter.event_id, Some(Uuid::from_u128(3)));
    assert_eq!((letter.reason, letter.attempts, letter.replay_requested), (reason(), 2, false));
    assert_eq!((letter.first_failed_at, letter.last_failed_at), (NOW, NOW));
    let kept = Batch::decode(&letter.payload).unwrap();
    assert_eq!((kept.received_at, &kept.events), (sent.received_at, &vec![sent.events[2].clone()]));
    let counts = today(fixture, &project).await;
    assert_eq!((counts.accepted, counts.stored, counts.dead_lettered), (5, 4, 1));
    assert_eq!(fixture.store.dead_letter_count().await.unwrap(), 1);
}

/// The processor's replay of one letter.
pub(super) fn replay<'a>(letter: &DeadLetter, kept: &'a Batch<'a>, failed: bool) -> Ingest<'a> {
    let failed = if failed { vec![FailedEvent { index: 0, reason: reason() }] } else { Vec::new() };
    Ingest {
        batches: vec![IngestBatch { batch: Cow::Borrowed(kept), failed, attempt: 1 }],
        unreadable: Vec::new(),
        replayed: vec![letter.id],
    }
}

pub(crate) async fn a_replay_moves_the_counts(fixture: &Fixture) {
    let project = project("shop");
    let letter = put_aside(fixture, &project).await;
    assert!(fixture.store.replay_requests(10).await.unwrap().is_empty());
    assert_eq!(fixture.store.request_replay(&self::project("other"), None).await.unwrap(), 0);
    assert_eq!(fixture.store.request_replay(&project, Some(&[Uuid::from_u128(99)])).await.unwrap(), 0);
    assert_eq!(fixture.store.request_replay(&self::project("other"), Some(&[letter.id])).await.unwrap(), 0);
    assert_eq!(fixture.store.request_replay(&project, Some(&[letter.id])).await.unwrap(), 1);
    let asked = fixture.store.replay_requests(10).await.unwrap();
    assert_eq!(asked, [DeadLetter { replay_requested: true, ..letter.clone() }]);

    let kept = Batch::decode(&letter.payload).unwrap();
    let outcomes = fixture.ingest(&replay(&letter, &kept, false)).await.unwrap();
    assert_eq!(outcomes[0].events, [Stored]);
    let counts = today(fixture, &project).await;
    assert_eq!((counts.accepted, counts.stored, counts.duplicate, counts.dead_lettered), (5, 5, 0, 0));
    assert_eq!(fixture.store.dead_letter_count().await.unwrap(), 0);
    assert_eq!(fixture.ids(&project).await, [1, 2, 3, 4, 5]);

    // Once more, as after a cut during the commit.
    assert_eq!(fixture.ingest(&replay(&letter, &kept, false)).await.unwrap()[0].events, [Duplicate]);
    assert_eq!(today(fixture, &project).await, counts);
    assert_eq!(fixture.ids(&project).await.len(), 5);
}

pub(crate) async fn a_replay_that_fails_again_keeps_its_history(fixture: &Fixture) {
    let project = project("shop");
    let letter = put_aside(fixture, &project).await;
    let later = NOW.saturating_add_micros(3_600 * SECOND);
    let kept = Batch::decode(&letter.payload).unwrap();
    let outcomes = fixture.store.ingest(&replay(&letter, &kept, true), RETENTION, later).await.unwrap();
    assert_eq!(outcomes[0].events, [DeadLettered]);
    let page = fixture.store.dead_letters(&project, None, 10).await.unwrap();
    assert_eq!(page.total, 1);
    let again = &page.letters[0];
    assert_ne!(again.id, letter.id);
    assert_eq!((again.first_failed_at, again.last_failed_at, again.attempts), (NOW, later, 3));
    let counts = today(fixture, &project).await;
    assert_eq!((counts.accepted, counts.stored, counts.dead_lettered), (5, 4, 1));

    // A replay whose event expired meanwhile is counted as that.
    let much_later = NOW.saturating_add_micros(200 * DAY);
    let kept = Batch::decode(&again.payload).unwrap();
    fixture.store.ingest(&replay(again, &kept, false), RETENTION, much_later).await.unwrap();
    let counts = today(fixture, &project).await;
    assert_eq!((counts.stored, counts.expired, counts.dead_lettered), (4, 1, 0));
}

pub(crate) async fn two_replays_of_one_letter_store_it_once(fixture: &Fixture) {
    let project = project("shop");
    let letter = put_aside(fixture, &project).await;
    let kept = Batch::decode(&letter.payload).unwrap();
    let (one, two) = (replay(&letter, &kept, false), replay(&letter, &kept, false));
    let (one, two) = tokio::join!(fixture.ingest(&one), fixture.ingest(&two));
    let mut ends = [one.unwrap()[0].events[0], two.unwrap()[0].events[0]];
    ends.sort_by_key(|end| *end as u8);
    assert_eq!(ends, [Stored, Duplicate]);
    let counts = today(fixture, &project).await;
    assert_eq!((counts.accepted, counts.stored, counts.duplicate, counts.dead_lettered), (5, 5, 0, 0));
}

pub(crate) async fn a_redelivery_does_not_lose_a_dead_letter(fixture: &Fixture) {
    // The commit's answer was lost: the batch comes again, and this time nobody says that an event of it failed.
    let project = project("shop");
    let sent = poisoned(&project);
    fixture.ingest(&with_failure(&sent, 2)).await.unwrap();
    assert_eq!(fixture.put(&sent).await, [Duplicate; 5]);
    assert_eq!(fixture.ids(&project).await, [1, 2, 4, 5]);
    let letter = fixture.store.dead_letters(&project, None, 10).await.unwrap().letters.remove(0);
    let kept = Batch::decode(&letter.payload).unwrap();
    assert_eq!(fixture.ingest(&replay(&letter, &kept, false)).await.unwrap()[0].events, [Stored]);
    assert_eq!(fixture.ids(&project).await, [1, 2, 3, 4, 5]);
}

pub(crate) async fn unreadable_entries_are_kept(fixture: &Fixture) {
    let letter = DeadLetter {
        id: Uuid::from_u128(77),
        project: Project::default(),
        event_id: None,
        payload: vec![0, 159, 146, 150],
        reason: DeadLetterReason { code: "unreadable_entry".into(), sqlstate: None, message: "no batch".into() },
        attempts: 1,
        first_failed_at: NOW,
        last_failed_at: NOW,
        replay_requested: false,
    };
    let sent = batch(&Project::default(), vec![event(1)]);
    let work = Ingest { unreadable: vec![letter.clone()], ..work(std::slice::from_ref(&sent)) };
    fixture.ingest(&work).await.unwrap();
    // The same entry redelivered is the same letter.
    fixture.ingest(&work).await.unwrap();
    let page = fixture.store.dead_letters(&Project::default(), None, 10).await.unwrap();
    assert_eq!((page.total, page.letters), (1, vec![letter]));
    assert_eq!(today(fixture, &Project::default()).await.dead_lettered, 0);
}

pub(crate) async fn pages_are_newest_first(fixture: &Fixture) {
    let project = project("shop");
    for index in 0..5_u128 {
        let sent = batch(&project, vec![event(index)]);
        let now = NOW.saturating_add_micros(index as i64 * SECOND);
        fixture.store.ingest(&with_failure(&sent, 0), RETENTION, now).await.unwrap();
    }
    let mut seen = Vec::new();
    let mut before = None;
    loop {
        let page = fixture.store.dead_letters(&project, before, 2).await.unwrap();
        assert_eq!(page.total, 5);
        let Some(last) = page.letters.last() else { break };
        before = Some(last.id);
        seen.extend(page.letters.iter().map(|letter| letter.event_id.unwrap().as_u128()));
    }
    assert_eq!(seen, [4, 3, 2, 1, 0]);
    assert_eq!(fixture.store.request_replay(&project, None).await.unwrap(), 5);
    let asked = fixture.store.replay_requests(3).await.unwrap();
    assert_eq!(asked.iter().map(|letter| letter.event_id.unwrap().as_u128()).collect::<Vec<_>>(), [0, 1, 2]);
}

/// What an [`super::Operator`] runs to make the store refuse events with the action `poison`; each knows its own dialect.
pub(crate) const REFUSE: &str = "refuse poison";

/// Days that do not add up: raw rows against rollups, their values, and columns.
async fn drifting(fixture: &Fixture, project: &Project) -> Vec<String> {
    let found = fixture.store.integrity(project, NOW.saturating_add_micros(-100 * DAY)).await.unwrap().stored;
    assert!(!found.is_empty());
    let drifts = found.iter().filter(|(_, day)| day.raw != day.rollup || day.raw != day.columns);
    let mut drifting: Vec<String> = drifts.map(|(day, drift)| format!("{day}: {drift:?}")).collect();
    let sums = "SELECT t.date, t.value, v.dimension_key FROM daily_metrics t
        JOIN daily_metrics v ON v.project = t.project AND v.date = t.date AND v.dimension_key <> ''
        WHERE t.project = $1 AND t.dimension_key = ''
        GROUP BY t.date, t.value, v.dimension_key HAVING sum(v.value) <> t.value";
    let wrong = fixture.rows(sums, vec![super::text(project.as_str())]).await;
    drifting.extend(wrong.iter().map(|row| format!("{row:?}")));
    drifting
}

pub(crate) async fn late_events_and_replays_leave_no_drift(fixture: &Fixture) {
    let project = project("shop");
    let on = |id: u128, day: i64, action: &str| {
        let mut event = event(id);
        event.timestamp = NOW.saturating_add_micros(-day * DAY - id as i64 * SECOND);
        event.event_action = action.to_owned().into();
        event
    };
    let refresh = async || while fixture.store.refresh().await.unwrap().left {};
    // Twenty days, with columns.
    let first: Vec<_> = (0..200).map(|id| on(id, id as i64 % 20, &format!("action {}", id % 7))).collect();
    fixture.put(&batch(&project, first)).await;
    refresh().await;
    assert_eq!(drifting(fixture, &project).await, [""; 0]);

    // Late ones: into days that have columns, into days that had nothing, new values and known ones; one is put aside.
    let mut late: Vec<_> = (300..360).map(|id| on(id, id as i64 % 40, &format!("late {}", id % 5))).collect();
    late.push(on(360, 12, "put aside"));
    late.push(on(361, 88, "put aside"));
    let late = batch(&project, late);
    let failed = [60, 61].map(|index| FailedEvent { index, reason: reason() });
    let item = IngestBatch { batch: Cow::Borrowed(&late), failed: failed.into(), attempt: 1 };
    fixture.ingest(&Ingest { batches: vec![item], ..Ingest::default() }).await.unwrap();
    assert_eq!(drifting(fixture, &project).await, [""; 0]);
    refresh().await;
    assert_eq!(drifting(fixture, &project).await, [""; 0]);

    // The replay is late too; of one letter it is so late that the event has expired.
    let letters = fixture.store.dead_letters(&project, None, 10).await.unwrap().letters;
    assert_eq!(letters.len(), 2);
    let later = NOW.saturating_add_micros(3 * DAY);
    for letter in &letters {
        let kept = Batch::decode(&letter.payload).unwrap();
        for _ in 0..2 {
            fixture.store.ingest(&replay(letter, &kept, false), RETENTION, later).await.unwrap();
            assert_eq!(drifting(fixture, &project).await, [""; 0]);
        }
    }
    refresh().await;
    assert_eq!(drifting(fixture, &project).await, [""; 0]);
    let counts = today(fixture, &project).await;
    assert_eq!((counts.accepted, counts.stored, counts.expired, counts.dead_lettered), (262, 261, 1, 0));
    // A day that does not add up is found.
    fixture.operator.run("UPDATE daily_metrics SET value = value + 1 WHERE dimension_value = 'late 3'");
    assert!(!drifting(fixture, &project).await.is_empty());
}
