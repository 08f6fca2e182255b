//! A day counts a bounded number of values one by one, and every event nonetheless.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use analytics_domain::{Event, Project};
use analytics_query::{Figure, OTHER_VALUE, Question, Source};
use analytics_store::answer;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use super::{CARDINALITY, DAY, Fixture, NOW, RETENTION, as_int, as_text, batch, event, project, text, work};

const MOST: usize = CARDINALITY.event_types as usize;

fn of(id: u128, event_type: &str) -> Event<'static> {
    let mut event = event(id);
    event.event_type = event_type.to_owned().into();
    event
}

/// The rows of a dimension today.
async fn rows(fixture: &Fixture, project: &Project, dimension: &str) -> BTreeMap<String, i64> {
    let sql = "SELECT dimension_value, value FROM daily_metrics
        WHERE project = $1 AND dimension_key = $2 AND date = (SELECT max(date) FROM daily_metrics WHERE project = $1)";
    let rows = fixture.rows(sql, vec![text(project.as_str()), text(dimension)]).await;
    rows.iter().map(|row| (as_text(&row[0]).to_owned(), as_int(&row[1]))).collect()
}

/// That the values of every day and dimension add up to the day's events.
async fn sums_are_exact(fixture: &Fixture, project: &Project) {
    let all = "SELECT date, dimension_key, value FROM daily_metrics WHERE project = $1";
    let mut sums: BTreeMap<(String, String), i64> = BTreeMap::new();
    for row in fixture.rows(all, vec![text(project.as_str())]).await {
        *sums.entry((as_text(&row[0]).to_owned(), as_text(&row[1]).to_owned())).or_default() += as_int(&row[2]);
    }
    assert!(!sums.is_empty());
    for ((date, dimension), sum) in &sums {
        assert_eq!(*sum, sums[&(date.clone(), String::new())], "{date} {dimension}");
    }
}

/// Events by type of the last week, as a question is answered.
async fn asked(fixture: &Fixture, project: &Project, filters: Value) -> (BTreeMap<String, i64>, Source) {
    let question = json!({"metrics": ["events"], "date_range": "7d", "dimensions": ["event_type"], "filters": filters});
    let question = Question::from_json(&question).unwrap();
    let answer = answer(fixture.store.as_ref(), &question, project, RETENTION, NOW).await.unwrap();
    let row = |row: &analytics_query::ResultRow| {
        let Figure::Count(count) = row.metrics[0] else { panic!("{row:?}") };
        (row.dimensions[0].clone().unwrap(), count)
    };
    (answer.results.iter().map(row).collect(), answer.meta.source)
}

pub(crate) async fn values_beyond_a_days_number_are_counted_together(fixture: &Fixture) {
    let project = project("shop");
    let name = |number: usize| format!("type {number:03}");
    // One at a time up to one less than fit, and some events of a day that has room for long.
    for number in 0..MOST - 1 {
        fixture.put(&batch(&project, vec![of(number as u128, &name(number))])).await;
    }
    let mut earlier = of(900, "another day");
    earlier.timestamp = NOW.saturating_add_micros(-3 * DAY);
    fixture.put(&batch(&project, vec![earlier.clone()])).await;
    assert_eq!(rows(fixture, &project, "event_type").await.len(), MOST - 1);
    let from = NOW.saturating_add_micros(-10 * DAY);
    assert!(fixture.store.integrity(&project, from).await.unwrap().together.is_empty());
    assert_eq!(asked(fixture, &project, json!([])).await.1, Source::Rollup);

    // Three new ones at once, where one fits; two of them twice, beside one that has a row.
    let (first, second, third) = (name(MOST - 1), name(MOST), name(MOST + 1));
    let sent = [(100, &third), (101, &second), (102, &first), (103, &second), (104, &third), (105, &name(0))];
    fixture.put(&batch(&project, sent.iter().map(|(id, name)| of(*id, name)).collect())).await;
    let found = rows(fixture, &project, "event_type").await;
    assert_eq!(found.len(), MOST + 1);
    assert_eq!((found[OTHER_VALUE], found[&first], found[&name(0)]), (4, 1, 2));
    // What has a row keeps it; what has none gets none any more.
    fixture.put(&batch(&project, vec![of(110, &third), of(111, &first), of(112, &name(MOST + 9))])).await;
    fixture.put(&batch(&project, vec![of(113, &name(3)), of(114, OTHER_VALUE)])).await;
    let found = rows(fixture, &project, "event_type").await;
    assert_eq!(found.len(), MOST + 1);
    assert_eq!((found[OTHER_VALUE], found[&first], found[&name(3)]), (7, 2, 2));
    // Another day, another dimension and another project have room.
    earlier.id = uuid::Uuid::from_u128(901);
    earlier.event_type = "late and new".into();
    fixture.put(&batch(&project, vec![earlier])).await;
    let late = "SELECT value FROM daily_metrics WHERE dimension_value = 'late and new'";
    assert_eq!(as_int(&fixture.rows(late, vec![]).await[0][0]), 1);
    assert_eq!(rows(fixture, &project, "event_action").await.len(), 1);
    let other = super::project("other");
    fixture.put(&batch(&other, vec![of(120, &third)])).await;
    assert_eq!(rows(fixture, &other, "event_type").await, BTreeMap::from([(third.clone(), 1)]));
    sums_are_exact(fixture, &project).await;

    let found = fixture.store.integrity(&project, from).await.unwrap();
    assert_eq!(found.together, BTreeMap::from([(NOW.utc_day(), BTreeMap::from([("event_type".to_owned(), 7)]))]));
    assert!(found.stored.values().all(|day| day.raw == day.rollup && day.raw == day.columns), "{:?}", found.stored);

    // Answers count every value for itself, from columns once these are made.
    let one = json!([["is", "event_type", [third.clone()]]]);
    for source in [Source::Mixed, Source::Rollup] {
        let (counts, from) = asked(fixture, &project, json!([])).await;
        assert_eq!(from, source);
        assert_eq!(counts.len(), MOST + 6);
        assert_eq!((counts[OTHER_VALUE], counts[&third], counts[&second], counts[&first]), (1, 3, 2, 2));
        assert_eq!(asked(fixture, &project, one.clone()).await, (BTreeMap::from([(third.clone(), 3)]), source));
        while fixture.store.refresh().await.unwrap().left {}
    }
    assert_eq!(asked(fixture, &other, json!([])).await, (BTreeMap::from([(third, 1)]), Source::Rollup));
}

pub(crate) async fn one_transaction_of_many_values_fills_a_day(fixture: &Fixture) {
    let project = project("shop");
    let mut id = 0;
    let mut next = |count: usize, day: i64| {
        (0..count)
            .map(|number| {
                id += 1;
                let mut event = of(id, &format!("type {number}"));
                event.event_action = format!("action {number}").into();
                event.timestamp = NOW.saturating_add_micros(-day * DAY - 1);
                event
            })
            .collect::<Vec<_>>()
    };
    let sent = [batch(&project, next(700, 0)), batch(&project, next(3, 1)), batch(&project, next(700, 2))];
    fixture.ingest(&work(&sent)).await.unwrap();
    let of_days =
        "SELECT dimension_key, count(*) FROM daily_metrics WHERE project = $1 AND dimension_value <> '__other__'
        GROUP BY date, dimension_key ORDER BY date, dimension_key";
    let found = fixture.rows(of_days, vec![text("shop")]).await;
    let found: Vec<_> = found.iter().map(|row| (as_text(&row[0]), as_int(&row[1]))).collect();
    let full = [("", 1), ("event_action", CARDINALITY.event_actions.into()), ("event_type", MOST as i64)];
    assert_eq!(found, [full, [("", 1), ("event_action", 3), ("event_type", 3)], full].concat());
    sums_are_exact(fixture, &project).await;
}

/// Writers that all bring new values, some of them the same, to the same days.
pub(crate) async fn writers_of_new_values_keep_the_number(fixture: &Fixture) {
    const WRITERS: usize = 8;
    let project = project("shop");
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        let (store, project) = (Arc::clone(&fixture.store), project.clone());
        writers.push(tokio::spawn(async move {
            for round in 0..24_usize {
                let events = (0..12_usize).map(|index| {
                    let mut event = of((writer * 10_000 + round * 100 + index) as u128, "");
                    // Actions of all writers, and types that come to each at another time.
                    event.event_type = format!("type {}", (round + writer * 3 + index) % 40).into();
                    event.event_action = format!("action {}", round * 12 + (index + writer) % 12).into();
                    event.timestamp = NOW.saturating_add_micros(-((index % 2) as i64) * DAY - 1);
                    event
                });
                let sent = [batch(&project, events.collect())];
                store.ingest(&work(&sent), RETENTION, NOW).await.expect("no deadlock, no timeout");
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
    sums_are_exact(fixture, &project).await;
    let mut shelves: BTreeMap<(String, String), BTreeMap<String, i64>> = BTreeMap::new();
    let all = "SELECT date, dimension_key, dimension_value, value FROM daily_metrics WHERE project = $1 AND dimension_key <> ''";
    for row in fixture.rows(all, vec![text("shop")]).await {
        let shelf = (as_text(&row[0]).to_owned(), as_text(&row[1]).to_owned());
        shelves.entry(shelf).or_default().insert(as_text(&row[2]).to_owned(), as_int(&row[3]));
    }
    assert_eq!(shelves.len(), 4);
    for ((date, dimension), values) in &shelves {
        let most = if dimension == "event_type" { CARDINALITY.event_types } else { CARDINALITY.event_actions };
        assert_eq!(values.len(), most as usize + 1, "{date} {dimension}");
        // A value is wholly in its own row or wholly among the others.
        let counts = match dimension.as_str() {
            "event_type" => {
                "SELECT event_type, count(*), min(timestamp) FROM raw_events WHERE project = $1
                GROUP BY event_type, timestamp ORDER BY 1"
            }
            _ => {
                "SELECT event_action, count(*), min(timestamp) FROM raw_events WHERE project = $1
                GROUP BY event_action, timestamp ORDER BY 1"
            }
        };
        let mut of_day = 0;
        for row in fixture.rows(counts, vec![text("shop")]).await {
            let day = super::as_instant(&row[2]).utc_day() - NOW.utc_day();
            if (day == 0) == date.ends_with("02") {
                of_day += 1;
                let own = values.get(as_text(&row[0]));
                assert!(own.is_none_or(|own| *own == as_int(&row[1])), "{date} {dimension} {row:?} {own:?}");
            }
        }
        assert!(of_day > most as usize, "there are no others");
    }
}

/// Types and days of the events of each transaction.
fn case() -> impl Strategy<Value = Vec<Vec<(u8, u8)>>> {
    let kinds = MOST as u8 * 2;
    prop::collection::vec(prop::collection::vec((0..kinds, 0..2_u8), 0..20), 1..14)
}

/// One case has a project of its own in one store.
pub(crate) fn random_values_agree_with_the_model(runtime: &tokio::runtime::Runtime, fixture: &Fixture) {
    let cases = AtomicU32::new(0);
    let config = Config { cases: 48, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&case(), |transactions| {
        let case = cases.fetch_add(1, Ordering::Relaxed);
        let project = project(&format!("case-{case}"));
        let name = |kind: u8| if kind == 7 { OTHER_VALUE.to_owned() } else { format!("type {kind}") };
        let mut model: BTreeMap<i64, BTreeMap<String, i64>> = BTreeMap::new();
        let mut id = 0;
        for transaction in &transactions {
            let events = transaction.iter().map(|(kind, day)| {
                id += 1;
                let mut event = of(id, &name(*kind));
                event.timestamp = NOW.saturating_add_micros(-i64::from(*day) * DAY);
                event
            });
            runtime.block_on(fixture.put(&batch(&project, events.collect())));
            for day in 0..2_u8 {
                let today = transaction.iter().filter(|event| event.1 == day).map(|event| name(event.0));
                take(model.entry(NOW.utc_day() - i64::from(day)).or_default(), today.collect());
            }
        }
        model.retain(|_, values| !values.is_empty());
        let rows = "SELECT date, dimension_value, value FROM daily_metrics WHERE project = $1 AND dimension_key = 'event_type'";
        let mut found: BTreeMap<i64, BTreeMap<String, i64>> = BTreeMap::new();
        for row in runtime.block_on(fixture.rows(rows, vec![text(project.as_str())])) {
            let day = if as_text(&row[0]).ends_with("02") { NOW.utc_day() } else { NOW.utc_day() - 1 };
            found.entry(day).or_default().insert(as_text(&row[1]).to_owned(), as_int(&row[2]));
        }
        prop_assert_eq!(found, model);
        Ok(())
    });
    outcome.unwrap();
}

/// What a day does with the values of one transaction: those that have a row go there, then new ones in their order take
/// what room there is.
fn take(day: &mut BTreeMap<String, i64>, values: Vec<String>) {
    let was_full = day.contains_key(OTHER_VALUE);
    let new: BTreeSet<&String> = values.iter().filter(|value| !day.contains_key(*value)).collect();
    let own: BTreeSet<String> = day.keys().filter(|value| *value != OTHER_VALUE).cloned().collect();
    let room = if was_full { 0 } else { MOST - own.len() };
    let taken: BTreeSet<String> =
        new.into_iter().filter(|value| *value != OTHER_VALUE).take(room).cloned().chain(own).collect();
    for value in values {
        let row = if taken.contains(&value) { value } else { OTHER_VALUE.to_owned() };
        *day.entry(row).or_default() += 1;
    }
}
