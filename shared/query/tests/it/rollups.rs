//! Which questions the counts of whole UTC days answer.

use analytics_query::{Answer, Cell, Dialect, Executable as _, QueryErrorCode, Source, plan};
use serde_json::{Value, json};

use crate::{context_at, question};

fn source(value: &Value) -> Source {
    let answer: Answer =
        plan(&question(value), &context_at("2026-11-12T12:00:00Z")).unwrap().shape(Vec::new()).unwrap();
    answer.meta.source
}

#[test]
fn only_what_they_hold() {
    let base = || json!({"metrics": ["events"], "date_range": "7d", "dimensions": ["time:day"]});
    let with = |member: &str, value: Value| {
        let mut question = base();
        question[member] = value;
        source(&question)
    };
    let types = json!([["or", [["is", "event_type", ["a"]], ["not", ["matches", "event_type", ["b*"]]]]]]);
    assert_eq!(source(&base()), Source::Rollup);
    assert_eq!(with("dimensions", json!(["event_type", "time:month"])), Source::Rollup);
    assert_eq!(with("dimensions", json!(["event_action"])), Source::Rollup);
    assert_eq!(with("filters", types.clone()), Source::Rollup);
    assert_eq!(with("compare", json!("previous_period")), Source::Rollup);
    assert_eq!(with("timezone", json!("Africa/Abidjan")), Source::Rollup);
    assert_eq!(with("metrics", json!(["100 * events / 7"])), Source::Rollup);
    // London keeps UTC in winter only.
    assert_eq!(with("timezone", json!("Europe/London")), Source::Rollup);
    let summer = json!({"metrics": ["events"], "date_range": "30d", "timezone": "Europe/London"});
    assert_eq!(source(&summer), Source::Raw);

    assert_eq!(with("metrics", json!(["events", "sessions"])), Source::Raw);
    assert_eq!(with("metrics", json!(["events / sessions"])), Source::Raw);
    assert_eq!(with("metrics", json!(["p50:metadata.ms"])), Source::Raw);
    assert_eq!(with("filters", json!([["has_done", [["is", "event_type", ["a"]]]]])), Source::Raw);
    assert_eq!(with("dimensions", json!(["time:hour"])), Source::Raw);
    assert_eq!(with("dimensions", json!(["event_type", "event_action"])), Source::Raw);
    assert_eq!(with("dimensions", json!(["metadata.path"])), Source::Raw);
    assert_eq!(with("filters", json!([["exists", "user_id"]])), Source::Raw);
    assert_eq!(with("filters", json!([["gt", "metadata.a", [1]]])), Source::Raw);
    assert_eq!(with("filters", json!([["is", "event_type", ["a"]], ["is", "event_action", ["a"]]])), Source::Raw);
    let mut both = base();
    both["dimensions"] = json!(["event_action"]);
    both["filters"] = types;
    assert_eq!(source(&both), Source::Raw);
    assert_eq!(with("timezone", json!("Europe/Berlin")), Source::Raw);
    assert_eq!(with("date_range", json!("24h")), Source::Raw);
    assert_eq!(with("date_range", json!(["2026-11-02T00:00:00Z", "2026-11-03T00:00:00Z"])), Source::Rollup);
    assert_eq!(with("date_range", json!(["2026-11-02T00:00:00Z", "2026-11-03T00:00:01Z"])), Source::Raw);
    assert_eq!(with("compare", json!(["2026-11-02T00:00:00Z", "2026-11-03T00:00:01Z"])), Source::Mixed);
}

#[test]
fn a_day_that_counts_values_together_is_asked_otherwise() {
    let tables = |plan: &analytics_query::Plan| {
        let statements = plan.statements(Dialect::Postgres);
        let is_of = |table: &str| statements.iter().any(|statement| statement.sql.contains(table));
        (is_of("daily_metrics"), is_of("event_columns"), is_of("raw_events"))
    };
    let value = json!({"metrics": ["events"], "date_range": "7d", "filters": [["is", "event_type", ["a"]]]});
    for has_columns in [false, true] {
        let mut context = context_at("2026-11-12T12:00:00Z");
        context.has_columns = has_columns;
        let plan = plan(&question(&value), &context).unwrap();
        assert!(plan.is_of_one_state());
        assert_eq!(tables(&plan), (true, false, false));
        // The first statement answers whether there is such a day.
        let count = vec![vec![Cell::Int(3)]];
        assert_eq!(plan.shape(vec![vec![], count.clone()]).unwrap().meta.total_rows, 1);
        let refusal = plan.shape(vec![vec![vec![Cell::Int(1)]], count.clone()]).unwrap_err();
        assert_eq!(refusal.code, QueryErrorCode::QueryTooLarge);
        let otherwise = plan.fallback().unwrap();
        // The raw rows of quarters that have changed are read beside columns.
        assert_eq!(tables(&otherwise), (false, has_columns, true));
        assert!(otherwise.fallback().is_none());
        assert_eq!(otherwise.cache_key(), plan.cache_key());
    }
    // Without a value there is nothing to be counted together.
    let total =
        plan(&question(&json!({"metrics": ["events"], "date_range": "7d"})), &context_at("2026-11-12T12:00:00Z"));
    assert_eq!(total.unwrap().statements(Dialect::Postgres).len(), 1);
}
