//! Every form gives the same answers to the same events and questions.

use analytics_blackbox::mask::differences;
use analytics_blackbox::{Deployment, Form, Tenant};
use analytics_domain::Timestamp;
use analytics_testkit::generator::EventGenerator;
use serde_json::{Value, json};

use crate::corpus::{date, now};

/// The same project in every form, out of reach of the other cases.
const TENANT: usize = 299;

const EVENTS: usize = 3_000;

fn events() -> Vec<Value> {
    let end = Timestamp::from_utc_day(now().utc_day());
    let start = Timestamp::from_utc_day(now().utc_day() - 20);
    let mut generator = EventGenerator::new(20_261_102, start, end);
    (0..EVENTS).map(|_| generator.event()).collect()
}

/// Questions, each with the path that answers its kind.
fn questions() -> Vec<(&'static str, Value)> {
    let mut questions: Vec<_> = figures().into_iter().map(|question| ("/api/query", question)).collect();
    let range = json!([date(20), date(1)]);
    let step = |kind: &str| json!({ "filters": [["is", "event_type", [kind]]] });
    for order in ["ordered", "strict", "any"] {
        for by in ["person", "session"] {
            questions.push((
                "/api/funnel",
                json!({
                    "steps": [step("navigation"), step("commerce"), {}], "order": order, "by": by, "window": "6h",
                    "breakdown": "metadata.path", "exclude": [step("error")], "date_range": range,
                }),
            ));
        }
    }
    for name in ["event_action", "metadata.path"] {
        questions
            .push(("/api/paths", json!({ "from": step("navigation"), "name": name, "date_range": range, "limit": 4 })));
        questions.push((
            "/api/paths",
            json!({ "to": step("commerce"), "name": name, "date_range": range, "by": "session" }),
        ));
    }
    questions
}

fn figures() -> Vec<Value> {
    // Absolute ranges, so that midnight between two forms' answers changes nothing.
    let range = json!([date(20), date(1)]);
    let mut questions = Vec::new();
    let all = [
        "events",
        "sessions",
        "users",
        "visitors",
        "events_per_session",
        "sum:metadata.price",
        "avg:metadata.ms",
        "max:metadata.price",
        "p50:metadata.ms",
        "p95:metadata.price",
        "(events - users) / sessions",
    ];
    for dimensions in [
        json!([]),
        json!(["event_type"]),
        json!(["event_action"]),
        json!(["metadata.path"]),
        json!(["metadata.device.browser", "metadata.country"]),
        json!(["metadata.device.mobile"]),
        json!(["metadata.price"]),
        json!(["user_id"]),
        json!(["time:day"]),
        json!(["time:week", "event_type"]),
        json!(["time:hour"]),
        json!(["time:month", "metadata.country"]),
    ] {
        for zone in ["UTC", "America/New_York", "Asia/Kathmandu"] {
            questions.push(json!({ "metrics": all, "dimensions": dimensions, "date_range": range, "timezone": zone, "limit": 500 }));
        }
    }
    for filter in [
        json!(["is", "event_type", ["commerce"]]),
        json!(["is_not", "metadata.country", ["DE", "FR"]]),
        json!(["contains", "metadata.path", ["SHOP"], { "case_sensitive": false }]),
        json!(["matches", "metadata.path", ["/*/s*"]]),
        json!(["gt", "metadata.price", [100]]),
        json!(["between", "metadata.ms", [100, 200]]),
        json!(["or", [["exists", "metadata.query"], ["not", ["exists", "user_id"]]]]),
        json!(["contains", "metadata.query", ["größe"]]),
        json!(["has_done", [["is", "event_type", ["commerce"]], ["gt", "metadata.price", [50]]]]),
        json!(["or", [["has_not_done", [["is", "event_type", ["error"]]]], ["exists", "metadata.query"]]]),
    ] {
        questions.push(json!({
            "metrics": all, "dimensions": ["event_action"], "date_range": range, "filters": [filter],
            "order_by": [["sessions", "asc"]], "compare": "previous_period",
        }));
    }
    questions
}

/// Questions of who came back.
fn returns() -> Vec<Value> {
    let mut questions = Vec::new();
    for (unit, zone) in [("day", "Asia/Kathmandu"), ("week", "Europe/Berlin"), ("month", "Pacific/Chatham")] {
        for (mode, first, by) in
            [("on", "in_range", "person"), ("on_or_after", "ever", "person"), ("on", "in_range", "session")]
        {
            questions.push(json!({
                "start": { "filters": [["is", "event_type", ["commerce"]]] }, "return": {}, "unit": unit, "periods": 5,
                "mode": mode, "first": first, "by": by, "date_range": [date(18), date(2)], "timezone": zone,
            }));
        }
    }
    questions
}

const PATHS: [&str; 7] = [
    "/api/sessions?range=30d&limit=1000",
    "/api/sessions?range=30d&event_type=commerce&limit=50",
    "/api/users/user-0?limit=50",
    "/api/events?limit=200",
    "/api/properties?range=30d",
    "/api/properties/metadata.path/values?range=30d",
    "/api/openapi.json",
];

async fn tenant_of(form: Form, events: &[Value]) -> Tenant {
    let tenant = Deployment::shared(form).tenant_number(TENANT);
    tenant.store(events).await;
    tenant
}

#[tokio::test]
async fn every_form_answers_alike() {
    let events = events();
    let first = tenant_of(Form::Single, &events).await;
    for form in [Form::FourRoles, Form::FourRolesPlain, Form::Serverless] {
        let other = tenant_of(form, &events).await;
        let mut wrong = Vec::new();
        for (path, question) in questions() {
            let (left, right) = (first.ask(path, &question).await.expect_status(200), other.ask(path, &question).await);
            let found = differences(&left.body, &right.body);
            if !found.is_empty() {
                wrong.push(format!("{question}\n  {}", found[..found.len().min(5)].join("\n  ")));
            }
        }
        for question in returns() {
            let left = first.ask("/api/retention", &question).await.expect_status(200);
            let found = differences(&left.body, &other.ask("/api/retention", &question).await.body);
            if !found.is_empty() {
                wrong.push(format!("{question}\n  {}", found[..found.len().min(5)].join("\n  ")));
            }
        }
        for path in PATHS {
            let (left, right) = (first.get(path).await.expect_status(200), other.get(path).await);
            let found = differences(&left.body, &right.body);
            if !found.is_empty() {
                wrong.push(format!("{path}\n  {}", found[..found.len().min(5)].join("\n  ")));
            }
        }
        assert!(
            wrong.is_empty(),
            "{:?} against {form:?}, {} questions:\n{}",
            Form::Single,
            wrong.len(),
            wrong.join("\n")
        );
    }
}

#[tokio::test]
async fn every_form_refuses_alike() {
    let bodies = [
        "",
        "[]",
        "{",
        "[{}]",
        "{\"events\":1}",
        "[{\"session_id\":7}]",
        "{\"x\":1}",
        "[1,2]",
        "{\"events\":[],\"extra\":1}",
    ];
    let questions = ["{}", "[]", "{\"metrics\":[\"x\"]}", "{\"metrics\":[\"events\"],\"limit\":0}", "nonsense"];
    let first = Deployment::shared(Form::Single).tenant();
    for form in [Form::FourRoles, Form::FourRolesPlain, Form::Serverless] {
        let other = Deployment::shared(form).tenant();
        for body in bodies {
            let (left, right) = (first.collect(body).await, other.collect(body).await);
            assert_eq!((left.status, &left.text), (right.status, &right.text), "{body}");
        }
        for question in questions {
            let ask = |tenant: &Tenant| {
                let request = tenant.api_request(reqwest::Method::POST, "/api/query");
                analytics_blackbox::tenant::send(request.header("content-type", "application/json").body(question))
            };
            let (left, right) = (ask(&first).await, ask(&other).await);
            assert_eq!((left.status, &left.text), (right.status, &right.text), "{question}");
        }
    }
}
