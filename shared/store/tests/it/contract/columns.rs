//! Columns are made anew where events have come, and until then nothing is missing from an answer.

use std::sync::Arc;

use analytics_domain::{Event, Project};
use analytics_query::{Figure, Question, Source};
use analytics_store::{Maintenance, answer};
use serde_json::{Value, json};

use super::{DAY, Fixture, NOW, RETENTION, SECOND, as_int, as_text, batch, event, project, text};

const MINUTE: i64 = 60 * SECOND;

/// An event of a session, so many minutes ago.
pub(super) fn of(id: u128, session: &str, user: Option<&str>, minutes_ago: i64) -> Event<'static> {
    let mut event = event(id);
    event.session_id = session.to_owned().into();
    event.user_id = user.map(|user| user.to_owned().into());
    event.timestamp = NOW.saturating_add_micros(-minutes_ago * MINUTE);
    event
}

/// The first row's figures over the last days, and where they come from. The dimension keeps daily counts out of it.
pub(super) async fn asked(fixture: &Fixture, project: &Project, metrics: Value) -> (Vec<f64>, Source) {
    let question = json!({ "metrics": metrics, "date_range": "7d" });
    let question = Question::from_json(&question).unwrap();
    let answer = answer(fixture.store.as_ref(), &question, project, RETENTION, NOW).await.unwrap();
    let figure = |figure: &Figure| match figure {
        Figure::Count(count) => *count as f64,
        Figure::Number(number) => *number,
        Figure::Null => f64::NAN,
    };
    (answer.results[0].metrics.iter().map(figure).collect(), answer.meta.source)
}

pub(super) async fn refresh(fixture: &Fixture) {
    while fixture.store.refresh().await.unwrap().left {}
    assert_eq!(fixture.count("column_marks").await, 0);
    assert_eq!(fixture.count("identity_changes").await, 0);
}

/// That columns, with what is read beside them, tell of as many events as there are raw rows on each day.
pub(super) async fn nothing_drifts(fixture: &Fixture, project: &Project) {
    let from = NOW.saturating_add_micros(-100 * DAY);
    let days = fixture.store.integrity(project, from).await.unwrap().stored;
    assert!(!days.is_empty());
    assert!(days.values().all(|day| day.raw == day.columns && day.raw == day.rollup), "{days:?}");
}

/// Every column as it is, and as it is after all were made anew from raw rows.
pub(super) async fn is_as_if_made_anew(fixture: &Fixture) {
    let all = "SELECT project, quarter, name, part, data FROM event_columns ORDER BY project, quarter, name, part";
    // The newest block may have been made when there was a newer quarter, which is gone.
    let blocks = "SELECT project, block, name, data FROM block_counts b
        WHERE block < (SELECT max(quarter) >> 4 FROM event_columns c WHERE c.project = b.project)
        ORDER BY project, block, name";
    let kept = fixture.rows(all, vec![]).await;
    let kept_blocks = fixture.rows(blocks, vec![]).await;
    assert!(!kept.is_empty());
    fixture
        .operator
        .run("INSERT INTO column_marks (project, quarter) SELECT DISTINCT project, quarter FROM event_columns");
    fixture.operator.run("DELETE FROM event_columns; DELETE FROM block_counts");
    refresh(fixture).await;
    let anew = fixture.rows(all, vec![]).await;
    assert_eq!(kept.len(), anew.len());
    for (kept, anew) in kept.iter().zip(&anew) {
        assert_eq!(kept, anew, "{}", as_text(&kept[2]));
    }
    let anew_blocks = fixture.rows(blocks, vec![]).await;
    assert_eq!(kept_blocks.len(), anew_blocks.len());
    for (kept, anew) in kept_blocks.iter().zip(&anew_blocks) {
        assert_eq!(kept, anew, "{}", as_text(&kept[2]));
    }
}

pub(crate) async fn answers_miss_nothing_before_and_after_columns_are_made(fixture: &Fixture) {
    let project = project("shop");
    let metrics = json!(["events", "sessions", "users", "visitors"]);
    assert_eq!(asked(fixture, &project, metrics.clone()).await, (vec![0.0; 4], Source::Rollup));
    fixture.put(&batch(&project, vec![of(1, "a", None, 50), of(2, "b", Some("bo"), 50), of(3, "b", None, 20)])).await;
    let expected = vec![3.0, 2.0, 1.0, 2.0];
    assert_eq!(asked(fixture, &project, metrics.clone()).await, (expected.clone(), Source::Mixed));
    nothing_drifts(fixture, &project).await;
    refresh(fixture).await;
    assert_eq!(asked(fixture, &project, metrics.clone()).await, (expected, Source::Rollup));
    nothing_drifts(fixture, &project).await;
    // A column of others is found.
    fixture.operator.run("UPDATE event_columns SET quarter = quarter - 96 WHERE name = 'actors'");
    let found = fixture.store.integrity(&project, NOW.saturating_add_micros(-100 * DAY)).await.unwrap().stored;
    assert!(found.values().any(|day| day.raw != day.columns), "{found:?}");
    fixture.operator.run("UPDATE event_columns SET quarter = quarter + 96 WHERE name = 'actors'");
    // One that comes late, into a quarter that has columns.
    fixture.put(&batch(&project, vec![of(4, "c", Some("cy"), 50)])).await;
    let expected = vec![4.0, 3.0, 2.0, 3.0];
    assert_eq!(asked(fixture, &project, metrics.clone()).await, (expected.clone(), Source::Mixed));
    refresh(fixture).await;
    assert_eq!(asked(fixture, &project, metrics).await, (expected, Source::Rollup));
    is_as_if_made_anew(fixture).await;
}

pub(crate) async fn a_session_that_is_known_later_is_known_in_old_columns(fixture: &Fixture) {
    let project = project("shop");
    let visitors = json!(["visitors"]);
    // Two sessions without a name, and one of bo.
    let first = vec![of(1, "a", None, 200), of(2, "b", None, 200), of(3, "c", Some("bo"), 200)];
    fixture.put(&batch(&project, first)).await;
    refresh(fixture).await;
    assert_eq!(asked(fixture, &project, visitors.clone()).await, (vec![3.0], Source::Rollup));
    // Hours later the first turns out to be bo, and the second to be somebody whom nobody has seen.
    fixture.put(&batch(&project, vec![of(4, "a", Some("bo"), 20), of(5, "b", Some("di"), 20)])).await;
    assert_eq!(asked(fixture, &project, visitors.clone()).await, (vec![2.0], Source::Mixed));
    refresh(fixture).await;
    assert_eq!(asked(fixture, &project, visitors.clone()).await, (vec![2.0], Source::Rollup));
    // An earlier event names the second otherwise: its unnamed events are bo's too, and di keeps one of her own.
    fixture.put(&batch(&project, vec![of(6, "b", Some("bo"), 100)])).await;
    assert_eq!(asked(fixture, &project, visitors.clone()).await, (vec![2.0], Source::Mixed));
    refresh(fixture).await;
    assert_eq!(asked(fixture, &project, visitors.clone()).await, (vec![2.0], Source::Rollup));
    is_as_if_made_anew(fixture).await;
}

pub(crate) async fn columns_hold_while_writers_and_makers_run(fixture: &Fixture) {
    let project = project("shop");
    let mut tasks = Vec::new();
    for writer in 0..4_u128 {
        let (store, project) = (Arc::clone(&fixture.store), project.clone());
        tasks.push(tokio::spawn(async move {
            for turn in 0..25_u128 {
                let events = (0..8_u128).map(|index| {
                    let id = 1 + index + 8 * (turn + 25 * writer);
                    let user = id.is_multiple_of(3).then(|| format!("user {}", id % 11));
                    of(id, &format!("session {}", id % 40), user.as_deref(), (id % 120) as i64)
                });
                let batches = [batch(&project, events.collect())];
                store.ingest(&super::work(&batches), RETENTION, NOW).await.unwrap();
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
    for task in tasks {
        task.await.unwrap();
    }
    let metrics = json!(["events", "sessions", "users", "visitors"]);
    let (before, _) = asked(fixture, &project, metrics.clone()).await;
    nothing_drifts(fixture, &project).await;
    refresh(fixture).await;
    assert_eq!(asked(fixture, &project, metrics).await, (before.clone(), Source::Rollup));
    let raw = fixture
        .rows(
            "SELECT count(*), count(DISTINCT session_id), count(DISTINCT user_id) FROM raw_events WHERE project = $1",
            vec![text("shop")],
        )
        .await;
    assert_eq!(before[..3], [as_int(&raw[0][0]) as f64, as_int(&raw[0][1]) as f64, as_int(&raw[0][2]) as f64]);
    nothing_drifts(fixture, &project).await;
    is_as_if_made_anew(fixture).await;
}

pub(crate) async fn columns_go_with_the_retention(fixture: &Fixture) {
    let project = project("shop");
    let ago = |id, session: &str, user: Option<&str>, days: i64| {
        let mut event = of(id, session, user, 0);
        event.timestamp = NOW.saturating_add_micros(-days * DAY);
        event
    };
    let events = vec![ago(1, "old", Some("al"), 80), ago(2, "long", Some("bo"), 80), ago(3, "long", None, 5)];
    fixture.put(&batch(&project, events)).await;
    refresh(fixture).await;
    let later = NOW.saturating_add_micros(20 * DAY);
    fixture.store.maintain(Maintenance { now: later, retention: RETENTION, dedupe_days: 30 }).await.unwrap();
    let quarters = fixture.rows("SELECT count(DISTINCT quarter) FROM event_columns", vec![]).await;
    assert_eq!(as_int(&quarters[0][0]), 1);
    let names = fixture.rows("SELECT name FROM identities ORDER BY name", vec![]).await;
    // Bo stands in the newer quarter, as who the long session is known by.
    assert_eq!(names.iter().map(|row| as_text(&row[0])).collect::<Vec<_>>(), ["bo", "long"]);
    // What named the long session is gone: it is a stranger's now.
    assert_eq!(asked(fixture, &project, json!(["visitors", "users"])).await.0, [1.0, 0.0]);
    refresh(fixture).await;
    assert_eq!(asked(fixture, &project, json!(["visitors", "users"])).await, (vec![1.0, 0.0], Source::Rollup));
    is_as_if_made_anew(fixture).await;
}

/// Brings the store back to its first schema; an [`super::Operator`] undoes beside that what its kind of store has more.
pub(crate) const FIRST_SCHEMA: &str =
    "DROP TABLE column_marks; DROP TABLE identity_changes; DROP TABLE identities; DROP TABLE identity_counters;
     DROP TABLE event_columns; DROP TABLE erasures; DROP TABLE erasure_counters;
     DROP TABLE block_counts; DROP TABLE block_marks; DROP TABLE api_keys; DROP TABLE page_sessions;
     DROP TABLE saved_items; DROP TABLE project_settings; DELETE FROM schema_migrations WHERE number > 1";

pub(crate) async fn events_from_before_there_were_columns_get_them(fixture: &Fixture) {
    let project = project("shop");
    let mut early = of(1, "a", Some("al"), 0);
    early.timestamp = analytics_domain::Timestamp::from_micros(1_087_008 * 900 * SECOND - 1);
    fixture.put(&batch(&project, vec![of(2, "a", None, 50), of(3, "b", Some("bo"), 50)])).await;
    let forever = analytics_domain::Retention { days: 0 };
    fixture.store.ingest(&super::work(&[batch(&project, vec![early])]), forever, NOW).await.unwrap();
    fixture.operator.run(FIRST_SCHEMA);
    assert_eq!(fixture.store.migrate().await.unwrap(), 5);
    let marks = fixture.rows("SELECT quarter FROM column_marks ORDER BY quarter", vec![]).await;
    assert_eq!((marks.len(), as_int(&marks[0][0])), (2, 1_087_007));
    let metrics = json!(["events", "visitors"]);
    assert_eq!(asked(fixture, &project, metrics.clone()).await, (vec![2.0, 2.0], Source::Mixed));
    refresh(fixture).await;
    assert_eq!(asked(fixture, &project, metrics).await, (vec![2.0, 2.0], Source::Rollup));
}

pub(crate) async fn a_quarter_of_many_events_has_parts(fixture: &Fixture) {
    let project = project("shop");
    let in_a_quarter = |id: u128| of(id, &format!("session {}", id % 900), id.is_multiple_of(7).then_some("bo"), 50);
    for turn in 0..5_u128 {
        let events = (0..5_000_u128).map(|index| in_a_quarter(1 + turn * 5_000 + index)).collect();
        fixture.put(&batch(&project, events)).await;
    }
    let metrics = json!(["events", "sessions", "users", "visitors"]);
    let expected = vec![25_000.0, 900.0, 1.0, 1.0];
    // Not asked before: these stores give a question a second, which as many raw rows may take on a busy machine.
    refresh(fixture).await;
    let parts = fixture.rows("SELECT count(*) FROM event_columns WHERE name = 'actors'", vec![]).await;
    assert_eq!(as_int(&parts[0][0]), 2);
    assert_eq!(asked(fixture, &project, metrics).await, (expected, Source::Rollup));
    nothing_drifts(fixture, &project).await;
    is_as_if_made_anew(fixture).await;
}
