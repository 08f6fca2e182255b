//! Which questions the counts of whole UTC days answer.

use analytics_query::{Answer, Executable as _, Source, plan};
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
