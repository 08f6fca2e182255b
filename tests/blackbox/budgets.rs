//! Questions that are too large: each is refused with 422 and what to narrow, in bounded time and memory, and the server
//! and its database do as before.

use std::time::{Duration, Instant};

use analytics_blackbox::deployment::Settings;
use analytics_blackbox::tenant::send;
use analytics_blackbox::{Answer, Deployment, Form, Tenant};
use reqwest::Method;
use serde_json::{Value, json};

use crate::corpus::{at, event};
use crate::injection::encoded;

/// Events that the database is filled with.
const EVENTS: u64 = 400_000;

/// `STATEMENT_TIMEOUT_SECONDS`, and what an answer may take beyond it on a machine that does other things too.
const TIMEOUT: u64 = 3;
const LENIENCY: Duration = Duration::from_secs(8);

/// How much an api's memory may grow over all of it.
const MEMORY_MIB: u64 = 400;

/// Four roles over a database with many events of one project: each of a value of its own, all of one user, a hundred of each
/// session, over 40 days; and two events of another one.
///
/// The processor is stopped: questions are asked of raw rows until columns are made.
async fn filled(timeout: u64) -> (Deployment, Tenant, Tenant) {
    let settings = Settings::default().variable("STATEMENT_TIMEOUT_SECONDS", &timeout.to_string());
    let start = move || Deployment::start(Form::FourRolesPlain, &settings).unwrap();
    let deployment = tokio::task::spawn_blocking(start).await.unwrap();
    let (tenant, other) = (deployment.owned_tenant(), deployment.owned_tenant());
    other.store(&[event("s", "t", "a", &at(1, "10:00:00")), event("s", "t", "b", &at(1, "10:00:00"))]).await;
    for (name, role) in &mut deployment.parts().roles {
        if *name == "processor" {
            assert!(role.stop(Duration::from_secs(30)).unwrap().success());
        }
    }
    let fill = format!(
        "INSERT INTO raw_events (id, project, session_id, user_id, event_type, event_action, metadata, timestamp, created_at)
         SELECT gen_random_uuid(), '{project}', 's' || i / 100, 'u', 'type', 'action ' || i % 1000,
             jsonb_build_object('own', repeat('long ', 10) || i, 'few', i % 100, 'n', i, 'text', repeat('abc', 80)),
             now() - i * INTERVAL '40 days' / {EVENTS}, now()
         FROM generate_series(1, {EVENTS}) AS i;
         INSERT INTO column_marks (project, quarter)
         SELECT '{project}', floor(extract(epoch FROM now() - i * INTERVAL '15 minutes') / 900)::int8
         FROM generate_series(0, 3841) AS i;
         ANALYZE raw_events",
        project = tenant.project
    );
    deployment.parts().database.as_ref().unwrap().psql(&fill).unwrap();
    (deployment, tenant, other)
}

/// A filter that takes long on every event and lets none pass.
fn slow() -> Value {
    let patterns: Vec<String> = (0..100).map(|number| format!("*a*b*c*{number}*e*f*g*")).collect();
    json!([["matches", "metadata.text", patterns]])
}

/// Questions that cannot be answered in time or are too large, each with the member or parameter that is to be narrowed.
fn questions() -> Vec<(&'static str, Method, String, Value)> {
    let filters = slow();
    let mut questions = Vec::new();
    let mut post = |name, path: &str, question: Value| {
        questions.push((name, Method::POST, path.to_owned(), question));
    };
    post("percentiles", "/api/query", json!({"metrics": ["p50:metadata.n"], "filters": filters, "date_range": "all"}));
    post(
        "people",
        "/api/query",
        json!({"metrics": ["visitors"], "filters": [["has_done", filters]], "date_range": "all"}),
    );
    post(
        "comparison",
        "/api/query",
        json!({"metrics": ["users"], "filters": filters, "date_range": "30d", "compare": "previous_period"}),
    );
    post("minutes", "/api/query", json!({"metrics": ["events"], "dimensions": ["time:minute"], "date_range": "90d"}));
    post(
        "values by minutes",
        "/api/query",
        json!({"metrics": ["events"], "dimensions": ["time:minute", "event_action"], "date_range": "30d"}),
    );
    post(
        "many values",
        "/api/query",
        json!({"metrics": ["events"], "dimensions": ["metadata.own"], "date_range": "all"}),
    );
    post(
        "values of users",
        "/api/query",
        json!({"metrics": ["p50:metadata.n"], "dimensions": ["metadata.own"], "filters": filters, "date_range": "all"}),
    );
    post(
        "a funnel",
        "/api/funnel",
        json!({"steps": [{"filters": filters}, {}, {"filters": filters}], "window": "90d", "date_range": "90d"}),
    );
    post(
        "paths",
        "/api/paths",
        json!({"from": {"filters": filters}, "name": "metadata.own", "depth": 10, "date_range": "90d"}),
    );
    post(
        "paths to an end",
        "/api/paths",
        json!({"to": {"filters": filters}, "name": "metadata.own", "by": "session", "depth": 10, "date_range": "90d"}),
    );
    post(
        "retention",
        "/api/retention",
        json!({"start": {"filters": filters}, "return": {}, "unit": "day", "periods": 90, "date_range": "90d"}),
    );
    let filter = encoded(filters.to_string().as_bytes());
    for (name, path) in [
        ("a series", "/api/trends?metric=users&interval=minute&range=30d&"),
        ("a series of minutes", "/api/trends?interval=minute&range=90d&"),
        ("a ranking", "/api/breakdown?dimension=metadata.own&metric=users&range=all&"),
        ("sessions", "/api/sessions?range=all&"),
        ("events", "/api/events?range=all&"),
        ("properties", "/api/properties?range=all&"),
        ("values", "/api/properties/metadata.own/values?range=all&"),
        ("an export", "/api/export?range=all&"),
        ("a table", "/api/export?format=csv&range=all&limit=1000000&"),
    ] {
        questions.push((name, Method::GET, format!("{path}filter={filter}"), Value::Null));
    }
    questions
}

async fn ask(tenant: &Tenant, method: &Method, path: &str, question: &Value) -> Answer {
    let request = tenant.api_request(method.clone(), path).header("cache-control", "no-cache");
    if question.is_null() {
        return send(request).await;
    }
    send(request.header("content-type", "application/json").body(question.to_string())).await
}

/// How much memory a role has, in MiB.
fn memory(deployment: &Deployment, name: &str) -> u64 {
    let parts = deployment.parts();
    let (_, role) = parts.roles.iter().find(|(role, _)| *role == name).unwrap();
    let status = std::fs::read_to_string(format!("/proc/{}/status", role.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1_024
}

/// Statements that run for somebody now.
fn running(deployment: &Deployment) -> u64 {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state <> 'idle'
        AND query LIKE '%raw_events e%' AND pid <> pg_backend_pid()";
    deployment.parts().database.as_ref().unwrap().psql(sql).unwrap().trim().parse().unwrap()
}

async fn nothing_runs(deployment: &Deployment, within: Duration, name: &str) {
    let begun = Instant::now();
    while running(deployment) > 0 {
        assert!(begun.elapsed() < within, "{name}: a statement still runs after {:?}", begun.elapsed());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// That the api answers somebody else at once.
async fn others_are_answered(deployment: &Deployment, other: &Tenant, name: &str) {
    let begun = Instant::now();
    let question = json!({"metrics": ["events", "sessions"], "date_range": "all"});
    let answer = other.query(&question).await.expect_status(200);
    assert_eq!(answer.metrics(), [json!([2, 1])]);
    for (role, url) in deployment.roles().iter().filter(|(role, _)| *role != "processor") {
        let answer = send(other.client.get(format!("{url}/health"))).await;
        assert_eq!(answer.status, 200, "after {name} {role} answered {}", answer.text);
    }
    assert!(begun.elapsed() < LENIENCY, "after {name} others waited {:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_question_is_refused_in_time() {
    let (deployment, tenant, other) = filled(TIMEOUT).await;
    let before = memory(&deployment, "api");
    for (name, method, path, question) in questions() {
        let begun = Instant::now();
        let answer = ask(&tenant, &method, &path, &question).await;
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(2 * TIMEOUT) + LENIENCY, "{name} took {took:?}");
        let answer = answer.expect_problem(422, "query_too_large");
        let (place, detail) =
            (answer.body["path"].as_str().unwrap_or_default(), answer.body["detail"].as_str().unwrap());
        assert!(
            detail.contains("narrow") || detail.contains("leave out") || detail.contains("another"),
            "{name}: {detail}"
        );
        let known = if method == Method::GET {
            ["range", "interval", "dimension", "filter"].contains(&place)
        } else {
            question.get(place.split('[').next().unwrap_or_default()).is_some()
        };
        assert!(known, "{name}: there is no {place:?} in the question: {}", answer.text);
        nothing_runs(&deployment, Duration::from_secs(3), name).await;
        others_are_answered(&deployment, &other, name).await;
    }
    // Many at a time: whoever else asks waits for a connection, and is answered.
    let all = questions();
    let burst = all.iter().take(4).cycle().take(24).enumerate().map(|(number, (_, method, path, question))| {
        let mut question = question.clone();
        question["limit"] = json!(number + 1);
        let tenant = tenant.clone();
        async move { ask(&tenant, method, path, &question).await.status }
    });
    let statuses = futures::future::join_all(burst).await;
    assert!(statuses.iter().all(|status| [422, 503].contains(status)), "{statuses:?}");
    nothing_runs(&deployment, Duration::from_secs(5), "a burst").await;
    others_are_answered(&deployment, &other, "a burst").await;
    let grown = memory(&deployment, "api").saturating_sub(before);
    assert!(grown < MEMORY_MIB, "the api has grown by {grown} MiB");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_ends_with_who_asked() {
    let (deployment, tenant, _) = filled(120).await;
    for (name, method, path, question) in questions().into_iter().filter(|(name, ..)| {
        ["percentiles", "people", "a funnel", "retention", "sessions", "events", "an export", "values"].contains(name)
    }) {
        let asking = ask(&tenant, &method, &path, &question);
        assert!(tokio::time::timeout(Duration::from_millis(1_500), asking).await.is_err(), "{name} is too quick");
        nothing_runs(&deployment, Duration::from_secs(5), name).await;
    }
    let small = tenant.query(&json!({"metrics": ["events"], "date_range": "24h"})).await.expect_status(200);
    assert!(small.number().as_u64().unwrap() > 1_000, "{}", small.text);
}
