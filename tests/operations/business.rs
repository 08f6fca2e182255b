//! The SQL of the business dashboard, on the migrated schema and as Grafana's own role.

use std::process::Command;

use analytics_blackbox::deployment::Settings;
use analytics_blackbox::{Deployment, Form};
use analytics_testkit::postgres::Database;
use analytics_testkit::prometheus::deploy_check;
use serde_json::{Value, json};

use crate::{event, repository};

/// A range that holds every event of the test.
const RANGE: (&str, &str) = ("now() - interval '6 days'", "now() + interval '1 hour'");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn panels_give_rows_with_timescale() {
    panels_give_rows(Form::FourRoles).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn panels_give_rows_without() {
    panels_give_rows(Form::FourRolesPlain).await;
}

async fn panels_give_rows(form: Form) {
    let deployment = Deployment::start(form, &Settings::default()).unwrap();
    let (tenant, other) = (deployment.owned_tenant(), deployment.owned_tenant());
    other.store(&vec![event("x", "foreign", "f"); 7]).await;
    // Three persons: ann in two sessions, one of which she is named in later only; and somebody without a name.
    let by = |mut event: Value, user: &str| {
        event["user_id"] = user.into();
        event
    };
    tenant
        .store(&[
            event("a", "navigation", "page_view"),
            by(event("a", "navigation", "page_view"), "ann"),
            by(event("b", "commerce", "purchase"), "ann"),
            event("c", "navigation", "page_view"),
            by(event("d", "commerce", "purchase"), "O'Hara"),
        ])
        .await;
    let _ = tenant
        .collect(json!([event("a", "navigation", "page_view"), { "session_id": "s" }]).to_string())
        .await
        .expect_status(202);
    tenant.settled(6).await;
    let question = json!({ "metrics": ["visitors"], "date_range": "7d" });
    let visitors = tenant.query(&question).await.expect_status(200).number();

    let parts = deployment.parts();
    let database = parts.database.as_ref().unwrap();
    make_reader(database);
    let asked = deploy_check(&repository(), &["live-queries".to_owned()]).unwrap();
    let asked: Value = serde_json::from_str(&asked).unwrap();
    let statements = asked["statements"].as_array().unwrap();
    assert!(statements.len() > 12, "{statements:?}");
    let mut answers = std::collections::BTreeMap::new();
    for statement in statements {
        let place = statement["place"].as_str().unwrap();
        let rows = as_reader(database, &expand(statement["sql"].as_str().unwrap(), &tenant.project));
        assert!(!rows.is_empty(), "{place} gives no row");
        assert!(!rows.contains("foreign"), "{place} shows another project: {rows}");
        answers.insert(place.rsplit(": ").next().unwrap().to_owned(), rows);
    }
    assert_eq!(answers["variable project"].lines().count(), 2);
    assert_eq!(answers["Events"], "6");
    assert_eq!(answers["Sessions"], "4");
    assert_eq!(answers["Events per session"], "1.5");
    assert_eq!(answers["Most frequent types"], "navigation|4\ncommerce|2");
    assert_eq!(answers["Most active visitors"].lines().next(), Some("ann||4|2"));
    assert!(answers["Rollups against raw events"].lines().all(|row| row.ends_with("|0")), "{answers:?}");
    assert!(answers["Refused by reason"].contains("|missing_field|1"), "{answers:?}");
    // The panel and the API mean the same by a visitor.
    assert_eq!((answers["Visitors"].as_str(), visitors), ("3", json!(3)));

    let refused = database.psql("set role analytics_reader; select * from dead_letters").unwrap_err().to_string();
    assert!(refused.contains("permission denied"), "{refused}");
}

/// Runs `deploy/grafana/reader.sql` twice: the second time sets another password.
fn make_reader(database: &Database) {
    let server = database.server();
    for password in ["first-password", "second-password"] {
        let mut command = Command::new(server.edition().program("psql").unwrap());
        command.args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--dbname"]).arg(database.url());
        command.arg(format!("--set=password={password}"));
        command.arg("--file").arg(repository().join("deploy/grafana/reader.sql"));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// What a statement gives to Grafana's role, which may not write.
fn as_reader(database: &Database, statement: &str) -> String {
    let sql = format!("set role analytics_reader; set transaction_read_only = on; {statement}");
    database.psql(&sql).unwrap_or_else(|error| panic!("{statement}: {error}"))
}

/// The statement as Grafana sends it: its macros and the chosen project put in.
fn expand(statement: &str, project: &str) -> String {
    let (from, to) = RANGE;
    let mut text = statement.replace("${project:sqlstring}", &format!("'{project}'"));
    text = text.replace("$__timeFrom()", &format!("({from})")).replace("$__timeTo()", &format!("({to})"));
    text = call(&text, "$__timeFilter(", |column| format!("{column} BETWEEN {from} AND {to}"));
    text = call(&text, "$__timeGroupAlias(", |arguments| {
        let column = arguments.split(',').next().unwrap_or_default();
        format!("floor(extract(epoch from {column})/3600)*3600 AS \"time\"")
    });
    assert!(!text.contains('$'), "a macro is left: {text}");
    text
}

/// Puts something in the place of each call of a macro, whose arguments hold no parenthesis.
fn call(text: &str, macro_name: &str, put: impl Fn(&str) -> String) -> String {
    let mut parts = text.split(macro_name);
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (arguments, rest) = part.split_once(')').expect("a macro is closed");
        whole.push_str(&put(arguments));
        whole.push_str(rest);
    }
    whole
}
