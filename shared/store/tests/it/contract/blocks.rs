//! Blocks count what their quarters do, and are not read where one of these has changed.

use analytics_query::{Figure, Question, Source};
use analytics_store::answer;
use serde_json::{Value, json};

use super::columns::{is_as_if_made_anew, nothing_drifts, of, refresh};
use super::{Fixture, NOW, RETENTION, as_int, batch, project};

/// Hours ago, in minutes.
const HOUR: i64 = 60;

/// The figures of each row over the last days.
async fn asked(fixture: &Fixture, question: Value) -> (Vec<(String, Vec<i64>)>, Source) {
    let question = Question::from_json(&question).unwrap();
    let answer = answer(fixture.store.as_ref(), &question, &project("shop"), RETENTION, NOW).await.unwrap();
    let figure = |figure: &Figure| match figure {
        Figure::Count(count) => *count,
        other => panic!("{other:?} is no count"),
    };
    let row = |row: &analytics_query::ResultRow| {
        let name = row.dimensions.iter().map(|value| format!("{value:?}")).collect::<Vec<_>>().join(" ");
        (name, row.metrics.iter().map(figure).collect())
    };
    (answer.results.iter().map(row).collect(), answer.meta.source)
}

fn overall(of_type: Option<&str>) -> Value {
    let filters = of_type.map_or(json!([]), |of_type| json!([["is", "event_type", [of_type]]]));
    json!({ "metrics": ["events", "sessions", "users", "visitors"], "date_range": "7d", "filters": filters })
}

async fn figures(fixture: &Fixture, of_type: Option<&str>) -> (Vec<i64>, Source) {
    let (rows, source) = asked(fixture, overall(of_type)).await;
    (rows.into_iter().next().map(|(_, figures)| figures).unwrap_or_default(), source)
}

async fn blocks(fixture: &Fixture) -> i64 {
    as_int(&fixture.rows("SELECT count(*) FROM block_counts WHERE name = 'actors'", vec![]).await[0][0])
}

pub(crate) async fn blocks_are_read_in_place_of_their_quarters(fixture: &Fixture) {
    let shop = project("shop");
    let first = vec![
        of(1, "a", None, 30 * HOUR),
        of(2, "a", Some("al"), 30 * HOUR - 20),
        of(3, "b", None, 29 * HOUR),
        of(4, "c", Some("al"), 20 * HOUR),
        of(5, "b", None, 20 * HOUR),
        of(6, "d", None, 1),
    ];
    fixture.put(&batch(&shop, first)).await;
    refresh(fixture).await;
    // Of the newest one there is none.
    assert_eq!(blocks(fixture).await, 2);
    let expected = (vec![6, 4, 1, 3], Source::Rollup);
    assert_eq!(figures(fixture, None).await, expected);
    nothing_drifts(fixture, &shop).await;
    // They are what is read: with other bytes there is another answer, and drift.
    let swap = |one: i64, other: i64| format!("UPDATE block_counts SET block = {one} WHERE block = {other}");
    let found = fixture.rows("SELECT min(block), max(block) FROM block_counts", vec![]).await;
    let (oldest, newest) = (as_int(&found[0][0]), as_int(&found[0][1]));
    fixture.operator.run(&swap(newest + 600, newest));
    assert_eq!(figures(fixture, None).await, expected, "its quarters are there");
    fixture.operator.run(&swap(newest, newest + 600));
    fixture.operator.run(&format!(
        "UPDATE block_counts SET data = (SELECT o.data FROM block_counts o
            WHERE o.project = 'shop' AND o.block = {oldest} AND o.name = 'actors')
         WHERE project = 'shop' AND block = {newest} AND name = 'actors'"
    ));
    assert_eq!(figures(fixture, None).await.0, [7, 3, 1, 3]);
    let days = fixture.store.integrity(&shop, NOW.saturating_add_micros(-100 * super::DAY)).await.unwrap().stored;
    assert!(days.values().any(|day| day.raw != day.columns), "{days:?}");
    // A late event has the quarter, and with it the block, made anew.
    fixture.put(&batch(&shop, vec![of(7, "c", Some("cy"), 20 * HOUR)])).await;
    let expected = vec![7, 4, 2, 4];
    assert_eq!(figures(fixture, None).await, (expected.clone(), Source::Mixed));
    nothing_drifts(fixture, &shop).await;
    refresh(fixture).await;
    assert_eq!(figures(fixture, None).await, (expected, Source::Rollup));
    assert_eq!(blocks(fixture).await, 2);
    nothing_drifts(fixture, &shop).await;
    is_as_if_made_anew(fixture).await;
}

pub(crate) async fn blocks_know_sessions_by_their_user_of_now(fixture: &Fixture) {
    let shop = project("shop");
    let first = vec![of(1, "a", None, 30 * HOUR), of(2, "b", None, 30 * HOUR), of(3, "a", None, 20 * HOUR)];
    fixture.put(&batch(&shop, first)).await;
    fixture.put(&batch(&shop, vec![of(4, "z", Some("zoe"), 2)])).await;
    refresh(fixture).await;
    assert_eq!(blocks(fixture).await, 2);
    assert_eq!(figures(fixture, Some("type")).await, (vec![4, 3, 1, 3], Source::Rollup));
    // Known long after: first by what waits, then by the blocks made anew.
    for (id, user, visitors) in [(5, "zoe", 2), (6, "ann", 3)] {
        let mut naming = of(id, "a", Some(user), 3 - i64::try_from(id - 4).unwrap());
        if user == "ann" {
            naming.timestamp = NOW.saturating_add_micros(-10 * HOUR * 60 * super::SECOND);
        }
        fixture.put(&batch(&shop, vec![naming])).await;
        let events = i64::try_from(id).unwrap();
        let users = if user == "ann" { 2 } else { 1 };
        let expected = vec![events, 3, users, visitors];
        assert_eq!(figures(fixture, Some("type")).await, (expected.clone(), Source::Mixed), "{user} waits");
        refresh(fixture).await;
        assert_eq!(figures(fixture, Some("type")).await, (expected, Source::Rollup), "{user}");
    }
    is_as_if_made_anew(fixture).await;
}

pub(crate) async fn blocks_count_by_type_and_action_in_every_zone(fixture: &Fixture) {
    let shop = project("shop");
    let events: Vec<_> = (0..400_i64)
        .map(|index| {
            let id = u128::try_from(index).unwrap() + 1;
            let user = (index % 3 == 0).then(|| format!("user {}", index % 17));
            let mut event = of(id, &format!("session {}", index / 4), user.as_deref(), 1 + index * 19);
            event.event_type = format!("type {}", index % 5).into();
            event.event_action = format!("action {}", index % 23).into();
            event
        })
        .collect();
    fixture.put(&batch(&shop, events)).await;
    refresh(fixture).await;
    assert!(blocks(fixture).await > 25);
    for zone in ["UTC", "Asia/Kathmandu", "America/New_York"] {
        for dimensions in [json!(["event_type"]), json!(["time:day", "event_action"]), json!(["time:hour"])] {
            for filter in [json!([]), json!([["matches", "event_type", ["*[13]", "*2", "*4"]]])] {
                let question = |filters: Value| {
                    json!({ "metrics": ["events", "sessions", "users", "visitors"], "date_range": "7d", "timezone": zone,
                        "dimensions": dimensions, "filters": filters, "limit": 10_000 })
                };
                let (from_blocks, source) = asked(fixture, question(filter.clone())).await;
                assert_eq!(source, Source::Rollup);
                // The same of single events: blocks do not tell of metadata.
                let mut filters = filter.as_array().cloned().unwrap_or_default();
                filters.push(json!(["not_exists", "metadata.none"]));
                let (from_quarters, _) = asked(fixture, question(filters.into())).await;
                assert!(!from_quarters.is_empty());
                assert_eq!(from_blocks, from_quarters, "{zone} {dimensions} {filter}");
            }
        }
    }
    nothing_drifts(fixture, &shop).await;
    is_as_if_made_anew(fixture).await;
}
