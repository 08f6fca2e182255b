//! The statements of the corpus, as they are sent to each store.

use std::fmt::Write as _;

use analytics_query::{
    Askable, Dialect, EventsQuestion, Executable as _, ExportQuestion, FunnelQuestion, Param, PathsQuestion, Place,
    PropertiesQuestion, Statement, corpus, plan,
};
use serde_json::json;
use uuid::Uuid;

use crate::{context, question};

pub(crate) const DIALECTS: [(Dialect, &str); 2] = [(Dialect::Postgres, "postgres"), (Dialect::Sqlite, "sqlite")];

pub(crate) fn written(statements: &[Statement]) -> String {
    let mut text = String::new();
    for statement in statements {
        writeln!(text, "{}", statement.sql).unwrap();
        for (index, param) in statement.params.iter().enumerate() {
            let param = match param {
                Param::Timestamp(instant) => instant.to_string(),
                Param::Timestamps(instants) if instants.len() > 8 => {
                    format!("{} instants from {} to {}", instants.len(), instants[0], instants[instants.len() - 1])
                }
                Param::Timestamps(instants) => instants.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
                other => format!("{other:?}"),
            };
            writeln!(text, "  {}: {param}", index + 1).unwrap();
        }
        text.push('\n');
    }
    text
}

#[test]
fn the_corpus_is_what_it_was() {
    let questions = corpus::questions();
    assert!(questions.len() >= 25);
    for (dialect, name) in DIALECTS {
        let mut text = String::new();
        for (title, value) in &questions {
            let plan = plan(&question(value), &context()).unwrap();
            writeln!(text, "-- {title}\n{}", written(&plan.statements(dialect))).unwrap();
        }
        insta::assert_snapshot!(format!("corpus_{name}"), text);
    }
}

#[test]
fn lists_are_what_they_were() {
    let filters = json!([["is", "event_type", ["commerce"]], ["gt", "metadata.price", [10]]]);
    let events = EventsQuestion::from_json(&json!({"date_range": "7d", "filters": filters, "limit": 50})).unwrap();
    let properties = PropertiesQuestion::from_json(&json!({"filters": filters})).unwrap();
    for (dialect, name) in DIALECTS {
        let mut text = written(&events.plan(&context()).unwrap().statements(dialect));
        text.push_str(&written(&properties.plan(&context()).unwrap().statements(dialect)));
        insta::assert_snapshot!(format!("lists_{name}"), text);
    }
}

#[test]
fn an_export_is_read_page_by_page() {
    let question =
        ExportQuestion::from_json(&json!({"date_range": "7d", "filters": [["exists", "user_id"]], "limit": 5}));
    let plan = question.unwrap().plan(&context()).unwrap();
    let place = |id: u128| Some(Place { timestamp: crate::at("2026-11-10T10:00:00Z"), id: Uuid::from_u128(id) });
    for (dialect, name) in DIALECTS {
        let statements = [plan.look_ahead(dialect).unwrap(), plan.page(place(1), place(2), dialect)];
        insta::assert_snapshot!(format!("export_{name}"), written(&statements));
    }
}

#[test]
fn sequences_are_what_they_were() {
    let step = |action: &str| json!({"filters": [["is", "event_action", [action]]]});
    let mut question = json!({
        "steps": [step("look"), step("buy")], "window": "1h", "date_range": ["2026-11-02", "2026-11-02"],
        "exclude": [{"filters": [["gt", "metadata.price", [10]], ["exists", "user_id"]]}],
        "breakdown": "metadata.country", "filters": [["is", "event_type", ["commerce", "navigation"]]],
    });
    let ordered = FunnelQuestion::from_json(&question).unwrap();
    question["order"] = json!("strict");
    question["by"] = json!("session");
    question["steps"][1] = json!({});
    question.as_object_mut().unwrap().retain(|name, _| !["exclude", "breakdown", "filters"].contains(&name.as_str()));
    let strict = FunnelQuestion::from_json(&question).unwrap();
    let paths = PathsQuestion::from_json(&json!({"to": step("buy"), "date_range": "7d"})).unwrap();
    for (dialect, name) in DIALECTS {
        let mut text = written(&ordered.plan(&context()).unwrap().statements(dialect));
        text.push_str(&written(&strict.plan(&context()).unwrap().statements(dialect)));
        text.push_str(&written(&paths.plan(&context()).unwrap().statements(dialect)));
        insta::assert_snapshot!(format!("sequences_{name}"), text);
    }
}

/// A deed is looked for in the range, also where a funnel reads on behind it.
#[test]
fn deeds_are_what_they_were() {
    let bought = json!(["has_done", [["is", "event_action", ["buy"]], ["gt", "metadata.price", [10]]]]);
    let range = json!(["2026-11-02", "2026-11-02"]);
    let figures = json!({"metrics": ["events", "visitors"], "date_range": range, "filters": [bought]});
    let step = json!({"filters": [["is", "event_action", ["look"]], bought]});
    let funnel = json!({"steps": [step, {}], "window": "1h", "date_range": range});
    let funnel = FunnelQuestion::from_json(&funnel).unwrap().plan(&context()).unwrap();
    for (dialect, name) in DIALECTS {
        let mut text = written(&plan(&question(&figures), &context()).unwrap().statements(dialect));
        text.push_str(&written(&funnel.statements(dialect)));
        insta::assert_snapshot!(format!("deeds_{name}"), text);
    }
}

/// There may be ten in a question, wherever they stand in it; what is the same deed is looked up once.
#[test]
fn deeds_are_counted_over_all_steps() {
    let deed = |action: usize| json!(["has_not_done", [["is", "event_action", [action.to_string()]]]]);
    let steps = |deeds: [usize; 10]| {
        let step = |deeds: &[usize]| json!({"filters": deeds.iter().map(|action| deed(*action)).collect::<Vec<_>>()});
        json!({"steps": [step(&deeds[..5]), step(&deeds[5..])]})
    };
    for (deeds, looked_up) in [([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 10), ([0, 0, 1, 1, 0, 0, 0, 0, 1, 1], 2)] {
        let funnel = FunnelQuestion::from_json(&steps(deeds)).unwrap().plan(&context()).unwrap();
        let sql = &funnel.statements(Dialect::Postgres)[0].sql;
        assert_eq!(sql.matches("SELECT DISTINCT").count(), looked_up, "{sql}");
    }
    let mut value = steps([0; 10]);
    value["filters"] = json!([deed(0)]);
    let error = FunnelQuestion::from_json(&value).unwrap_err();
    assert!(error.message.contains("10 of has_done"), "{}: {error}", error.path);
}

/// Whatever a client writes, none of it is in the text.
#[test]
fn no_text_of_a_client_is_in_the_sql() {
    let evil = "x'; DROP TABLE raw_events; --$1?1\"";
    let path = format!("metadata.{}", json!(evil));
    let value = json!({
        "metrics": [
            "events", format!("sum:{path}"), format!("min:{path}"), format!("p95:{path}"), format!("p5:{path} / avg:{path}"),
        ],
        "dimensions": ["time:day", path],
        "filters": [
            ["is", path, [evil]], ["is_not", "user_id", [evil, "b"]], ["contains", "event_type", [evil]],
            ["starts_with", path, [evil], {"case_sensitive": false}], ["matches", "session_id", [evil]],
            ["exists", path], ["between", path, [1, 2]], ["has_done", [["is", path, [evil]], ["contains", "user_id", [evil]]]],
            ["not", ["has_not_done", [["matches", path, [evil]]]]],
        ],
        "order_by": [[path, "asc"]],
        "compare": "previous_year",
    });
    for (dialect, _) in DIALECTS {
        for statement in plan(&question(&value), &context()).unwrap().statements(dialect) {
            assert!(!statement.sql.to_ascii_lowercase().contains("drop"), "{}", statement.sql);
        }
    }
    let filters = value["filters"].clone();
    let end = json!({"filters": filters});
    let funnel = json!({"steps": [end, end], "exclude": [end], "breakdown": path, "filters": filters});
    let funnel = FunnelQuestion::from_json(&funnel).unwrap().plan(&context()).unwrap();
    let paths = PathsQuestion::from_json(&json!({"from": end, "to": end, "name": path})).unwrap();
    let paths = paths.plan(&context()).unwrap();
    for (dialect, _) in DIALECTS {
        for statement in [funnel.statements(dialect), paths.statements(dialect)].concat() {
            assert!(!statement.sql.to_ascii_lowercase().contains("drop"), "{}", statement.sql);
        }
    }
}

#[test]
fn columns_are_asked_for_by_parameters_alone() {
    let asked = |key: &str, value: &str| {
        let context = analytics_query::Context { has_columns: true, ..context() };
        let property = format!("metadata.{}", serde_json::Value::from(key));
        let filters = json!([["is", property, [value]], ["exists", property]]);
        let step = json!({"filters": filters});
        let figures =
            json!({"metrics": ["visitors", format!("sum:{property}")], "dimensions": [property], "filters": filters});
        let figures = question(&figures).plan(&context).unwrap();
        let funnel =
            FunnelQuestion::from_json(&json!({"steps": [step, step], "window": "1h", "breakdown": property})).unwrap();
        let funnel = funnel.plan(&context).unwrap();
        DIALECTS.map(|(dialect, _)| [figures.statements(dialect), funnel.statements(dialect)].concat())
    };
    for (plain, hostile) in asked("plain", "text").iter().zip(asked("x' OR '1'='1", "'; DROP TABLE raw_events; --")) {
        assert_eq!(plain.len(), 10, "both are answered from columns");
        for (plain, hostile) in plain.iter().zip(hostile) {
            assert_eq!(plain.sql, hostile.sql);
            assert_eq!(plain.params.len(), hostile.params.len());
        }
    }
}
