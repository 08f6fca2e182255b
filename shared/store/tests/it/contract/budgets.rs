//! Questions that would take too long or too much end, are told what to narrow, and leave the store to the next.

use std::time::{Duration, Instant};

use analytics_domain::Retention;
use analytics_query::{
    Askable, EventsQuestion, FunnelQuestion, PathsQuestion, PropertiesQuestion, Question, RetentionQuestion,
    SessionsQuestion, UserQuestion,
};
use analytics_store::{AnswerError, StoreError, answer, prepare};
use serde_json::{Value, json};

use super::{DAY, Fixture, NOW, RETENTION, batch, event, project};

/// What an [`super::Operator`] runs to put [`EVENTS`] events of project `large` in, over ten days: each with values of its own,
/// all of user `u`, a hundred of each session.
pub(crate) const MANY: &str = "many events";

/// So many are in [`MANY`].
const EVENTS: i64 = 240_000;

/// The statement timeout of the scenarios, and what an answer may take beyond it on a machine that does other things too.
const TIMEOUT: Duration = Duration::from_secs(1);
const LENIENCY: Duration = Duration::from_secs(6);

/// Puts many events in, and marks more quarters than columns are read beside.
async fn fill(fixture: &Fixture) {
    // One by the way that events come, for the rest of what a project has.
    fixture.put(&batch(&project("large"), vec![event(1)])).await;
    fixture.operator.run(MANY);
    let quarters: Vec<String> = (0..80).map(|quarter| format!("('large', {quarter})")).collect();
    fixture.operator.run(&format!("INSERT INTO column_marks (project, quarter) VALUES {}", quarters.join(",")));
    assert_eq!(fixture.count("raw_events").await, EVENTS + 1);
}

/// A filter that takes long on every event and lets none pass.
fn slow() -> Value {
    let patterns: Vec<String> = (0..100).map(|number| format!("*a*b*c*{number}*e*f*g*")).collect();
    json!([["matches", "metadata.text", patterns]])
}

/// Whether a question ends in time, and how it is refused.
async fn ask<Q: Askable>(fixture: &Fixture, name: &str, question: &Q) -> Refused {
    let begun = Instant::now();
    let answered = answer(fixture.store.as_ref(), question, &project("large"), RETENTION, NOW).await;
    let took = begun.elapsed();
    assert!(took < TIMEOUT + LENIENCY, "{name} took {took:?}");
    let error = answered.err();
    // Whoever asks next is answered at once.
    let begun = Instant::now();
    let small = Question::from_json(&json!({"metrics": ["events"], "date_range": "24h"})).unwrap();
    answer(fixture.store.as_ref(), &small, &project("small"), RETENTION, NOW).await.unwrap();
    fixture.store.check().await.unwrap();
    assert!(begun.elapsed() < LENIENCY, "after {name} a small question took {:?}", begun.elapsed());
    match error {
        None => Refused::Not,
        Some(AnswerError::Store(StoreError::TooSlow { seconds: 1 })) => Refused::InTime,
        Some(AnswerError::Query(refusal)) if refusal.code.as_str() == "query_too_large" => {
            assert!(!refusal.path.is_empty() && refusal.message.len() > 20, "{name}: {refusal:?}");
            Refused::AsTooLarge
        }
        Some(other) => panic!("{name}: {other:?}"),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Refused {
    /// By the statement timeout.
    InTime,
    /// By a bound of the answer.
    AsTooLarge,
    /// It was answered.
    Not,
}

use Refused::{AsTooLarge, InTime, Not};

pub(crate) async fn every_kind_of_question_ends(fixture: &Fixture) {
    fill(fixture).await;
    let figures = |question: Value| Question::from_json(&question).unwrap();
    let filters = slow();
    // Too slow for its time.
    for (name, question) in [
        ("percentiles", json!({"metrics": ["p50:metadata.n"], "filters": filters, "date_range": "all"})),
        (
            "minutes",
            json!({"metrics": ["users"], "dimensions": ["time:minute"], "filters": filters, "date_range": "30d"}),
        ),
        (
            "values",
            json!({"metrics": ["users"], "dimensions": ["metadata.own"], "filters": filters, "date_range": "all"}),
        ),
        (
            "comparison",
            json!({"metrics": ["visitors"], "filters": filters, "date_range": "30d", "compare": "previous_period"}),
        ),
        ("deeds", json!({"metrics": ["visitors"], "filters": [["has_done", filters]], "date_range": "30d"})),
    ] {
        assert_eq!(ask(fixture, name, &figures(question)).await, InTime, "{name}");
    }
    let funnel = json!({"steps": [{"filters": filters}, {"filters": filters}], "window": "90d", "date_range": "90d"});
    assert_eq!(ask(fixture, "a funnel", &FunnelQuestion::from_json(&funnel).unwrap()).await, InTime);
    let paths = json!({"from": {"filters": filters}, "depth": 10, "date_range": "90d"});
    assert_eq!(ask(fixture, "paths", &PathsQuestion::from_json(&paths).unwrap()).await, InTime);
    let retention = json!({"start": {"filters": filters}, "return": {"filters": filters}, "unit": "day",
        "periods": 90, "date_range": "90d"});
    assert_eq!(ask(fixture, "retention", &RetentionQuestion::from_json(&retention).unwrap()).await, InTime);
    let filter = ("filter".to_owned(), filters.to_string());
    let all = ("range".to_owned(), "all".to_owned());
    let given = [filter, all];
    let sessions = SessionsQuestion::from_parameters(&given).unwrap();
    assert_eq!(ask(fixture, "sessions", &sessions).await, InTime);
    let events = EventsQuestion::from_parameters(&given).unwrap();
    assert_eq!(ask(fixture, "events", &events).await, InTime);
    let properties = PropertiesQuestion::from_parameters(&given).unwrap();
    assert_eq!(ask(fixture, "properties", &properties).await, InTime);
    let values = Question::property_values("metadata.own", &given).unwrap();
    assert_eq!(ask(fixture, "values of a property", &values).await, InTime);

    // Too large for an answer, whatever time there is.
    for (name, question) in [
        ("many minutes", json!({"metrics": ["events"], "dimensions": ["time:minute"], "date_range": "90d"})),
        ("many values", json!({"metrics": ["events"], "dimensions": ["metadata.own"], "date_range": "all"})),
        (
            "values by minutes",
            json!({"metrics": ["events"], "dimensions": ["time:minute", "metadata.few"], "date_range": "30d"}),
        ),
    ] {
        let refused = ask(fixture, name, &figures(question)).await;
        // Groups are counted before the first comes: that may take the time that there is.
        assert!(refused == AsTooLarge || (name != "many minutes" && refused == InTime), "{name}: {refused:?}");
    }
    let names = json!({"name": "metadata.own", "by": "session", "date_range": "all"});
    assert_ne!(ask(fixture, "many names", &PathsQuestion::from_json(&names).unwrap()).await, Not);
    // A page of a long timeline, which may be had in time.
    ask(fixture, "a timeline", &UserQuestion::from_parameters("u", &[]).unwrap()).await;
    let cohorts =
        json!({"start": {}, "return": {}, "unit": "day", "periods": 366, "date_range": ["2000-01-01", "2026-11-02"]});
    let cohorts = RetentionQuestion::from_json(&cohorts).unwrap();
    let kept = Retention { days: 0 };
    let answered = answer(fixture.store.as_ref(), &cohorts, &project("large"), kept, NOW).await;
    assert!(matches!(&answered, Err(AnswerError::Query(refusal)) if refusal.path == "date_range"), "{answered:?}");
}

pub(crate) async fn a_question_reads_so_many_rows_at_most(fixture: &Fixture) {
    let project = project("shop");
    let events = (0..500).map(|id| {
        let mut event = event(id);
        event.session_id = format!("s{id}").into();
        event.timestamp = NOW.saturating_add_micros(-(id as i64 % 5) * DAY - 1);
        event
    });
    fixture.put(&batch(&project, events.collect())).await;
    let steps = json!({"steps": [{}, {"filters": [["exists", "user_id"]]}], "date_range": "7d"});
    let funnel = FunnelQuestion::from_json(&steps).unwrap();
    let prepared = prepare(fixture.store.as_ref(), &funnel, &project, RETENTION, NOW).await.unwrap();
    prepared.run_within(fixture.store.as_ref(), 600).await.unwrap();
    let refused = prepared.run_within(fixture.store.as_ref(), 400).await;
    let Err(AnswerError::Query(refusal)) = refused else { panic!("it was answered") };
    assert_eq!((refusal.code.as_str(), refusal.path.as_str()), ("query_too_large", "date_range"));
    assert!(refusal.message.contains("400 rows") && refusal.message.contains("narrow"), "{}", refusal.message);
    prepared.run(fixture.store.as_ref()).await.unwrap();
}

/// Somebody who asks and leaves, again and again, keeps nobody else from being answered. The store has a statement timeout
/// that is not met.
pub(crate) async fn who_has_gone_is_not_answered(fixture: &Fixture) {
    fill(fixture).await;
    let question = json!({"metrics": ["p50:metadata.n"], "filters": slow(), "date_range": "all"});
    let question = Question::from_json(&question).unwrap();
    let small = Question::from_json(&json!({"metrics": ["events"], "date_range": "24h"})).unwrap();
    for _ in 0..12 {
        let (large, small_of) = (project("large"), project("small"));
        let asking = answer(fixture.store.as_ref(), &question, &large, RETENTION, NOW);
        assert!(tokio::time::timeout(Duration::from_millis(150), asking).await.is_err(), "it is too quick");
        let answered = answer(fixture.store.as_ref(), &small, &small_of, RETENTION, NOW);
        tokio::time::timeout(Duration::from_secs(4), answered).await.expect("a free connection").unwrap();
    }
}
