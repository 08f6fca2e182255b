//! A store that an earlier build filled is brought up to the present schema, and then answers as one that was never old.

use std::path::PathBuf;

use analytics_domain::{Batch, EventOutcome, Project};
use analytics_query::{Dialect, Question};
use analytics_store::{StoreError, answer};
use serde_json::json;

use super::columns::{nothing_drifts, of, refresh};
use super::schema::EMPTY;
use super::{DAY, Fixture, NOW, RETENTION, batch, project};

/// The tables that hold something, with the migration that made each and its columns then. What the server counts up by itself
/// is left out.
const TABLES: &[(i64, &str, &str)] = &[
    (1, "raw_events", "id, project, session_id, user_id, event_type, event_action, metadata, timestamp, created_at"),
    (1, "daily_metrics", "project, date, metric_name, dimension_key, dimension_value, value"),
    (1, "session_users", "project, session_id, user_id, timestamp, id, last_timestamp"),
    (1, "event_ids", "id, project"),
    (1, "event_ids_1", "id, project"),
    (1, "event_ids_2", "id, project"),
    (1, "receipt_counts", "project, day, kind, reason, count"),
    (1, "newest_receipts", "project, created_at"),
    (1, "settings", "name, value"),
    (2, "column_marks", "project, quarter"),
    (2, "identity_changes", "project, session_id"),
    (2, "identities", "project, kind, name, number, first_quarter, last_quarter"),
    (2, "identity_counters", "project, kind, next"),
    (2, "event_columns", "project, quarter, part, name, data"),
    (6, "api_keys", "digest, id, project, name, scope, hint, created_at"),
    (6, "page_sessions", "digest, project, key_digest, opened_at, expires_at"),
    (6, "saved_items", "project, kind, id, name, content, updated_at"),
    (6, "project_settings", "project, name, value"),
];

pub(crate) async fn every_older_schema_is_brought_up_and_answers_as_before(fixture: &Fixture) {
    let shop = project("shop");
    let batches = [
        batch(&shop, vec![of(1, "a", None, 3_000), of(2, "b", Some("bo"), 3_000), of(3, "b", None, 2_900)]),
        batch(&shop, vec![of(4, "a", Some("ann"), 1_500), of(5, "c", None, 1_500)]),
        // Columns are made of those before, and wait to be made of this.
        batch(&shop, vec![of(6, "c", Some("bo"), 20), of(7, "d", None, 20)]),
    ];
    fill(fixture, &batches[..2]).await;
    refresh(fixture).await;
    fill(fixture, &batches[2..]).await;
    let expected = answers(fixture, &shop).await;
    let steps = migrations(fixture.store.dialect());
    for (old, name, _) in &steps[..steps.len() - 1] {
        take_back(fixture, *old, &steps);
        let error = fixture.store.check_schema().await.unwrap_err();
        assert!(
            matches!(&error, StoreError::Schema { found, .. } if found == &format!("has the schema {name}")),
            "{error}"
        );

        let applied = fixture.store.migrate().await.unwrap();
        assert_eq!(i64::from(applied), steps.len() as i64 - old);
        fixture.store.check_schema().await.unwrap();
        assert_eq!(answers(fixture, &shop).await, expected, "after {name}");
        nothing_drifts(fixture, &shop).await;
        refresh(fixture).await;
        assert_eq!(answers(fixture, &shop).await, expected, "after {name}, from columns");
        // Ids and batches are remembered: what was sent to the old build and comes again counts once.
        for batch in &batches {
            let again = Batch { id: uuid::Uuid::new_v4(), ..batch.clone() };
            assert!(fixture.put(&again).await.iter().all(|outcome| *outcome == EventOutcome::Duplicate));
        }
        assert_eq!(answers(fixture, &shop).await, expected);
        nothing_drifts(fixture, &shop).await;
    }
}

async fn fill(fixture: &Fixture, batches: &[Batch<'static>]) {
    for batch in batches {
        assert!(fixture.put(batch).await.iter().all(|outcome| *outcome == EventOutcome::Stored));
    }
}

/// What the store says to questions of several kinds.
async fn answers(fixture: &Fixture, project: &Project) -> Vec<String> {
    let mut said = Vec::new();
    for question in [
        json!({ "metrics": ["events", "sessions", "users", "visitors"], "date_range": "7d" }),
        json!({ "metrics": ["events", "visitors"], "date_range": "7d", "dimensions": ["time:day"], "timezone": "Asia/Kathmandu" }),
        json!({ "metrics": ["events"], "date_range": "all", "dimensions": ["event_type"] }),
        json!({ "metrics": ["events"], "date_range": "7d", "dimensions": ["user_id", "session_id"] }),
        json!({ "metrics": ["events"], "date_range": "7d", "filters": [["is", "user_id", ["bo"]]] }),
    ] {
        let question = Question::from_json(&question).unwrap();
        let answer = answer(fixture.store.as_ref(), &question, project, RETENTION, NOW).await.unwrap();
        said.push(format!("{:?}", answer.results));
    }
    let stored = fixture.store.integrity(project, NOW.saturating_add_micros(-100 * DAY)).await.unwrap().stored;
    said.push(format!("{stored:?}"));
    said
}

/// Makes the store what it was at the schema `old`: its tables by the migrations of then, with the rows that they had.
fn take_back(fixture: &Fixture, old: i64, steps: &[(i64, String, String)]) {
    let run = |sql: String| fixture.operator.run(&sql);
    let tables: Vec<_> = TABLES.iter().filter(|(since, ..)| *since <= old).collect();
    for (_, table, columns) in &tables {
        run(format!("CREATE TABLE saved_{table} AS SELECT {columns} FROM {table}"));
    }
    fixture.operator.run(EMPTY);
    run("CREATE TABLE schema_migrations (number INT8 PRIMARY KEY, name TEXT NOT NULL, applied_at TEXT)".to_owned());
    for (number, name, sql) in steps.iter().filter(|(number, ..)| *number <= old) {
        run(sql.clone());
        let name = name.split_once('_').unwrap().1;
        run(format!("INSERT INTO schema_migrations (number, name) VALUES ({number}, '{name}')"));
    }
    for (_, table, columns) in &tables {
        run(format!("INSERT INTO {table} ({columns}) SELECT {columns} FROM saved_{table}"));
        run(format!("DROP TABLE saved_{table}"));
    }
}

/// The migrations of the store's kind: number, file name and statements, in order.
fn migrations(dialect: Dialect) -> Vec<(i64, String, String)> {
    let kind = if dialect == Dialect::Postgres { "timescale" } else { "sqlite" };
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../migrations").join(kind);
    let mut steps: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name.split_once('_').unwrap().0.parse().unwrap(), name, std::fs::read_to_string(path).unwrap())
        })
        .collect();
    steps.sort();
    assert!(steps.len() > 1);
    steps
}
