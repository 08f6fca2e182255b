//! What a `date_range` and a `compare` are in instants.

use analytics_domain::Retention;
use analytics_query::{Context, plan};
use serde_json::{Value, json};

use crate::{context_at, question};

fn resolved(context: &Context, zone: &str, range: &Value, compare: &Value) -> (String, Option<String>) {
    let value = json!({"metrics": ["events"], "date_range": range, "timezone": zone, "compare": compare});
    let plan = plan(&question(&value), context).unwrap();
    let written = |[from, to]: &[String; 2]| format!("{from} {to}");
    (written(&plan.query().date_range), plan.query().compare.as_ref().map(written))
}

#[test]
fn words_and_ends() {
    let now = "2026-11-12T22:30:00Z";
    let table = [
        ("UTC", json!("today"), "2026-11-12T00:00:00+00:00 2026-11-13T00:00:00+00:00"),
        ("UTC", json!("yesterday"), "2026-11-11T00:00:00+00:00 2026-11-12T00:00:00+00:00"),
        ("UTC", json!("7d"), "2026-11-06T00:00:00+00:00 2026-11-13T00:00:00+00:00"),
        ("UTC", json!("month"), "2026-11-01T00:00:00+00:00 2026-11-13T00:00:00+00:00"),
        ("UTC", json!("year"), "2026-01-01T00:00:00+00:00 2026-11-13T00:00:00+00:00"),
        ("UTC", json!("all"), "2026-10-01T00:00:00+00:00 2026-11-13T00:00:00+00:00"),
        ("UTC", json!("24h"), "2026-11-11T22:30:00+00:00 2026-11-12T22:30:00+00:00"),
        // It is tomorrow already, or the clocks were changed within the range.
        ("Asia/Kathmandu", json!("today"), "2026-11-13T00:00:00+05:45 2026-11-14T00:00:00+05:45"),
        ("Europe/Berlin", json!("30d"), "2026-10-14T00:00:00+02:00 2026-11-13T00:00:00+01:00"),
        ("America/New_York", json!("month"), "2026-11-01T00:00:00-04:00 2026-11-13T00:00:00-05:00"),
        ("Europe/Berlin", json!("24h"), "2026-11-11T23:30:00+01:00 2026-11-12T23:30:00+01:00"),
        ("Europe/Berlin", json!(["2026-03-29", "2026-03-29"]), "2026-03-29T00:00:00+01:00 2026-03-30T00:00:00+02:00"),
        (
            "Australia/Lord_Howe",
            json!(["2026-04-05", "2026-04-05"]),
            "2026-04-05T00:00:00+11:00 2026-04-06T00:00:00+10:30",
        ),
        ("Pacific/Apia", json!(["2011-12-29", "2011-12-30"]), "2011-12-29T00:00:00-10:00 2011-12-31T00:00:00+14:00"),
        (
            "Europe/Berlin",
            json!(["2026-11-02T10:00:00.5Z", "2026-11-02T13:00:00+02:00"]),
            "2026-11-02T11:00:00.500000+01:00 2026-11-02T12:00:00+01:00",
        ),
        ("UTC", json!(["2027-01-01", "2099-12-31"]), "2027-01-01T00:00:00+00:00 2100-01-01T00:00:00+00:00"),
    ];
    for (zone, range, expected) in table {
        assert_eq!(resolved(&context_at(now), zone, &range, &Value::Null).0, expected, "{range} in {zone}");
    }
}

#[test]
fn comparisons() {
    let table = [
        ("UTC", json!("7d"), json!("previous_period"), "2026-10-30T00:00:00+00:00 2026-11-06T00:00:00+00:00"),
        // Twelve days of November so far: the twelve before them.
        ("UTC", json!("month"), json!("previous_period"), "2026-10-20T00:00:00+00:00 2026-11-01T00:00:00+00:00"),
        ("UTC", json!("24h"), json!("previous_period"), "2026-11-10T12:00:00+00:00 2026-11-11T12:00:00+00:00"),
        (
            "Europe/Berlin",
            json!("30d"),
            json!("previous_period"),
            "2026-09-14T00:00:00+02:00 2026-10-14T00:00:00+02:00",
        ),
        (
            "Europe/Berlin",
            json!("today"),
            json!("previous_year"),
            "2025-11-12T00:00:00+01:00 2025-11-13T00:00:00+01:00",
        ),
        (
            "UTC",
            json!(["2024-02-29", "2024-02-29"]),
            json!("previous_year"),
            "2023-02-28T00:00:00+00:00 2023-03-01T00:00:00+00:00",
        ),
        (
            "UTC",
            json!(["2026-11-02T10:00:00Z", "2026-11-02T12:00:00Z"]),
            json!("previous_period"),
            "2026-11-01T10:00:00+00:00 2026-11-01T12:00:00+00:00",
        ),
        ("UTC", json!("7d"), json!("yesterday"), "2026-11-11T00:00:00+00:00 2026-11-12T00:00:00+00:00"),
        (
            "UTC",
            json!("7d"),
            json!(["2026-01-01", "2026-01-07"]),
            "2026-01-01T00:00:00+00:00 2026-01-08T00:00:00+00:00",
        ),
        // The day before began an hour late: there was no midnight.
        (
            "America/Sao_Paulo",
            json!(["2018-11-05", "2018-11-05"]),
            json!("previous_period"),
            "2018-11-04T01:00:00-02:00 2018-11-05T00:00:00-02:00",
        ),
    ];
    for (zone, range, compare, expected) in table {
        let found = resolved(&context_at("2026-11-12T12:00:00Z"), zone, &range, &compare).1;
        assert_eq!(found.as_deref(), Some(expected), "{range} with {compare} in {zone}");
    }
}

#[test]
fn the_retention_cuts_and_says_so() {
    let mut context = context_at("2026-11-12T12:00:00Z");
    context.retention = Retention { days: 10 };
    let ask = |range: Value, compare: Value| {
        let value = json!({"metrics": ["events"], "date_range": range, "compare": compare});
        plan(&question(&value), &context).unwrap()
    };
    use analytics_query::Executable as _;
    let warned = |range: Value, compare: Value| {
        let answer = ask(range, compare).shape(Vec::new()).unwrap();
        (answer.query.date_range, answer.meta.warnings.len())
    };
    let day = |text: &str| format!("2026-11-{text}T00:00:00+00:00");
    assert_eq!(warned(json!("7d"), Value::Null), ([day("06"), day("13")], 0));
    assert_eq!(warned(json!("11d"), Value::Null), ([day("02"), day("13")], 0));
    assert_eq!(warned(json!("12d"), Value::Null), ([day("02"), day("13")], 1));
    assert_eq!(warned(json!("7d"), json!("previous_period")), ([day("06"), day("13")], 1));
    // Nothing of the range is left.
    assert_eq!(warned(json!(["2026-01-01", "2026-01-31"]), Value::Null), ([day("02"), day("02")], 1));
}

/// The answer's `query` may be asked again.
#[test]
fn a_normalised_query_is_its_own_normal_form() {
    for (name, value) in analytics_query::corpus::questions() {
        let context = context_at("2026-11-12T12:00:00.000001Z");
        let first = plan(&question(&value), &context).unwrap().query().clone();
        let again = plan(&question(&serde_json::to_value(&first).unwrap()), &context).unwrap().query().clone();
        assert_eq!(first, again, "{name}");
    }
}
