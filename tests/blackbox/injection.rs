//! Hostile texts in every field of every route: each is taken as the text that it is or refused by name, never a part of
//! something else, and whoever asks next is answered.

mod fields;
mod literal;
mod live;
mod texts;

pub(crate) use texts::encoded;

use std::collections::{BTreeMap, BTreeSet};

use analytics_blackbox::tenant::send;
use analytics_blackbox::{Answer, Deployment, Form, Tenant};
use futures::{StreamExt as _, stream};
use reqwest::Method;
use reqwest::header::HeaderValue;
use serde_json::{Map, Value, json};

use crate::corpus::shop;
use fields::{KEY_OF_ADMIN, NOT_THERE, Place, Route, routes};
use texts::Hostile;

every_form! { every_documented_field_has_an_entry, every_field_of_every_route, headers, bodies_that_are_none, fields_of_events }

/// Requests under way at a time.
const AT_ONCE: usize = 8;

/// Routes that ask the store nothing.
const OF_THE_DOCUMENT: [&str; 2] = ["/api/openapi.json", "/api/docs"];

async fn every_documented_field_has_an_entry(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let document = tenant.get("/api/openapi.json").await.expect_status(200).body;
    let mut documented: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            if OF_THE_DOCUMENT.contains(&path.as_str()) {
                continue;
            }
            let fields = documented.entry(format!("{} {path}", method.to_uppercase())).or_default();
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                fields.insert(parameter["name"].as_str().unwrap().to_owned());
            }
            for content in operation["requestBody"]["content"].as_object().into_iter().flat_map(Map::values) {
                members(&document, &content["schema"], String::new(), fields);
            }
        }
    }
    let described: BTreeMap<String, BTreeSet<String>> = routes()
        .iter()
        .map(|route| {
            let fields = route.fields.iter().map(|field| field.name.to_owned()).collect();
            (format!("{} {}", route.method, route.path), fields)
        })
        .collect();
    assert_eq!(documented, described);
}

/// The members of a schema, those of objects and lists of objects within it, but for what is in a filter.
fn members(document: &Value, schema: &Value, within: String, fields: &mut BTreeSet<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        if !reference.ends_with("/Filter") {
            members(document, document.pointer(&reference[1..]).unwrap(), within, fields);
        }
        return;
    }
    for part in ["oneOf", "anyOf", "allOf"] {
        for schema in schema[part].as_array().into_iter().flatten() {
            members(document, schema, within.clone(), fields);
        }
    }
    if schema["items"].is_object() {
        members(document, &schema["items"], format!("{within}[]"), fields);
    }
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        let name = if within.is_empty() { name.clone() } else { format!("{within}.{name}") };
        let before = fields.len();
        members(document, member, name.clone(), fields);
        if fields.len() == before {
            fields.insert(name);
        }
    }
}

/// A request of the list.
#[derive(Debug)]
struct Attempt {
    route: &'static str,
    method: Method,
    path: String,
    body: Option<String>,
    /// What a refusal's `path` begins with.
    field: Option<String>,
}

fn attempts(route: &Route, text: &Hostile) -> Vec<Attempt> {
    let mut attempts = Vec::new();
    let path = |id: &str| route.path.replace("{id}", id).replace("{key}", id);
    let plain = path(route.known);
    let begin = Attempt::plain(route);
    let filled = |pattern: &str| pattern.replace("HOLE", &text.json).replace("KEY", &text.quoted_json);
    for field in &route.fields {
        let first = field.name.split(['.', '[']).next().unwrap_or_default().to_owned();
        for place in &field.places {
            let attempt = match place {
                // Without a text, it is another route; and so it is with a dot, which clients take out of a URL.
                Place::Path if text.url.is_empty() || text.url == "%2E" => continue,
                Place::Path if route.has_body() => {
                    let body = Some(route.plain.to_owned());
                    Attempt { path: path(&text.url), body, field: None, ..begin.copy() }
                }
                Place::Path => {
                    Attempt { path: format!("{}?{}", path(&text.url), route.plain), field: None, ..begin.copy() }
                }
                Place::Parameter(pattern) => {
                    let value = match text.text.as_deref() {
                        // In the parameter that holds JSON, the text is written as JSON has it.
                        _ if field.name == "filter" => texts::encoded(filled(pattern).as_bytes()),
                        Some(_) | None => encoded_with_hole(pattern, &text.url),
                    };
                    let others = route.plain.split('&').filter(|pair| pair.split('=').next() != Some(field.name));
                    let others = others.collect::<Vec<_>>().join("&");
                    Attempt {
                        path: format!("{plain}?{}={value}&{others}", field.name),
                        field: Some(first.clone()),
                        ..begin.copy()
                    }
                }
                Place::Members(pattern) => {
                    let mut members: Map<String, Value> = serde_json::from_str(route.plain).unwrap();
                    let given = pattern.replace("HOLE", "h").replace("KEY", "k");
                    let given: Map<String, Value> = serde_json::from_str(&given).unwrap();
                    given.keys().for_each(|name| drop(members.remove(name)));
                    // A question of a letter is either of some or of all.
                    if given.contains_key("all") {
                        members.clear();
                    }
                    let rest = Value::Object(members).to_string();
                    let rest = &rest[1..rest.len() - 1];
                    let comma = if rest.is_empty() { "" } else { "," };
                    let pattern = filled(pattern);
                    let body = format!("{{{rest}{comma}{}", &pattern[1..]);
                    Attempt { path: plain.clone(), body: Some(body), field: Some(first.clone()), ..begin.copy() }
                }
            };
            attempts.push(attempt);
        }
    }
    // A member or parameter that there is not.
    attempts.push(if !route.has_body() {
        Attempt { path: format!("{plain}?{}=1&{}", text.url, route.plain), ..begin.copy() }
    } else {
        let rest = if route.plain == "{}" { "\"h\":1}" } else { &route.plain[1..] };
        Attempt { path: plain, body: Some(format!(r#"{{"{}":1,{rest}"#, text.json)), ..begin.copy() }
    });
    attempts
}

impl Attempt {
    /// What a route is asked without any hostile text.
    fn plain(route: &Route) -> Self {
        let path = route.path.replace("{id}", route.known).replace("{key}", route.known);
        let method = Method::from_bytes(route.method.as_bytes()).unwrap();
        let (path, body) = match route.has_body() {
            true => (path, Some(route.plain.to_owned())),
            false => (format!("{path}?{}", route.plain), None),
        };
        Self { route: route.path, method, path, body, field: None }
    }

    fn copy(&self) -> Self {
        Self { route: self.route, method: self.method.clone(), path: String::new(), body: None, field: None }
    }

    /// Whether the body is JSON.
    fn is_readable(&self) -> bool {
        self.body.as_ref().is_none_or(|body| serde_json::from_str::<Value>(body).is_ok())
    }

    async fn send(&self, tenant: &Tenant) -> Answer {
        let request = tenant.client.request(self.method.clone(), format!("{}{}", tenant.api, self.path));
        let request = request.bearer_auth(&tenant.admin_key);
        send(match &self.body {
            Some(body) => {
                let body = body.replace(KEY_OF_ADMIN, &tenant.admin_key);
                request.header("content-type", "application/json").body(body)
            }
            None => request,
        })
        .await
    }
}

fn encoded_with_hole(pattern: &str, url: &str) -> String {
    pattern.split("HOLE").map(|part| texts::encoded(part.as_bytes())).collect::<Vec<_>>().join(url)
}

/// Why an answer to a hostile text is none that may be given; `field` is where it was.
fn fault(answer: &Answer, field: Option<&str>) -> Option<String> {
    let code = answer.body["code"].as_str().unwrap_or_default();
    let is_problem = answer.header("content-type").starts_with("application/problem+json");
    let place = answer.body["path"].as_str();
    let told = match answer.status {
        _ if answer.headers.contains_key("x-injected") => "a header was injected",
        200..=204 => return None,
        400..=499 if !is_problem || code.is_empty() => "the refusal is no problem with a code",
        400 if field.is_some() && code == "invalid_query" && place.is_none_or(str::is_empty) => {
            "the refusal has no place"
        }
        400 if code.starts_with("invalid_")
            && field.is_some_and(|field| place.is_some_and(|p| !p.starts_with(field))) =>
        {
            "the refusal has another place"
        }
        400..=499 => return None,
        _ => "the server failed",
    };
    Some(told.to_owned())
}

async fn every_field_of_every_route(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    tenant.store(&shop()).await;
    // Everything on each kind of store; where the routes and the store are those of another form, a part of it in every field.
    let stride = match deployment.form() {
        Form::Single | Form::FourRolesPlain => 1,
        Form::FourRoles => 7,
        Form::Serverless => 9,
        Form::Door => 31,
    };
    let mut wrong = Vec::new();
    let mut tried = 0;
    for route in routes() {
        // What is tried in one field is asked for all others as it is here.
        let answer = Attempt::plain(&route).send(&tenant).await;
        let is_not_there = route.known == NOT_THERE && answer.status == 404;
        assert!(answer.status < 300 || is_not_there, "{}: {}", route.path, answer.text);
        let mut list = Vec::new();
        for (number, text) in texts::all().iter().enumerate() {
            let of_text = attempts(&route, text).into_iter().enumerate();
            list.extend(of_text.filter(|(place, _)| (place + number) % stride == 0).map(|(_, attempt)| attempt));
        }
        tried += list.len();
        let answers = stream::iter(list).map(|attempt| async {
            let answer = attempt.send(&tenant).await;
            (attempt, answer)
        });
        let mut answers = answers.buffer_unordered(AT_ONCE);
        while let Some((attempt, answer)) = answers.next().await {
            // What is no JSON has no fields.
            let field = attempt.field.as_deref().filter(|_| attempt.is_readable());
            if let Some(fault) = fault(&answer, field) {
                wrong.push(shown(&fault, &attempt, &answer));
            }
        }
        // The store answers, and holds what it held.
        tenant.settled(shop().len() as u64).await;
    }
    assert!(tried > if stride == 1 { 5_000 } else { 500 }, "{tried}");
    assert!(
        wrong.is_empty(),
        "{} of {tried} answers are wrong:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(40)].join("\n")
    );
}

fn shown(fault: &str, attempt: &Attempt, answer: &Answer) -> String {
    let short = |text: &str| text.chars().take(300).collect::<String>();
    let body = attempt.body.as_deref().map(short).unwrap_or_default();
    let (path, text) = (short(&attempt.path), short(&answer.text));
    format!("{fault}: {} {} {path} {body}\n  -> {} {text}", attempt.method, attempt.route, answer.status)
}

async fn headers(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    tenant.store(&shop()).await;
    let names = [
        "x-request-id",
        "accept",
        "accept-encoding",
        "accept-language",
        "cache-control",
        "content-type",
        "cookie",
        "forwarded",
        "if-none-match",
        "origin",
        "range",
        "referer",
        "traceparent",
        "user-agent",
        "x-amzn-trace-id",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-real-ip",
    ];
    let mut values: Vec<HeaderValue> = Vec::new();
    for text in texts::all() {
        let bytes: Vec<u8> = text.text.as_deref().unwrap_or("\u{fffd}").bytes().take(4_000).collect();
        values.extend(HeaderValue::from_bytes(&bytes));
    }
    assert!(values.len() > 50, "{values:?}");
    let list = values.iter().flat_map(|value| names.map(|name| (name, value)));
    let mut answers = stream::iter(list)
        .map(|(name, value)| {
            let request = tenant.api_request(Method::GET, "/api/trends?range=7d").header(name, value.clone());
            async move { (name, value, send(request).await) }
        })
        .buffer_unordered(AT_ONCE);
    while let Some((name, value, answer)) = answers.next().await {
        assert_eq!(fault(&answer, None), None, "{name}: {value:?}: {} {}", answer.status, answer.text);
    }
    for value in &values {
        for name in ["authorization", "x-api-key"] {
            let url = format!("{}/api/trends", tenant.api);
            let answer = send(tenant.client.get(url).header(name, value.clone())).await;
            let _ = answer.expect_problem(401, "unknown_key");
        }
    }
    tenant.settled(shop().len() as u64).await;
}

/// Bodies that are no JSON, or not the JSON of a question.
async fn bodies_that_are_none(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let deep_members = "{\"a\":".repeat(20_000);
    let mut bodies: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        b"\xff\xfe{\"metrics\":[\"events\"]}".to_vec(),
        b"{\"metrics\":[\"\xc0\xaf\"]}".to_vec(),
        b"{\"metrics\":[\"\0\"]}".to_vec(),
        deep.into_bytes(),
        deep_members.into_bytes(),
        b"{\"metrics\":[\"events\"],\"metrics\":[\"x\"]}".to_vec(),
        b"{\"limit\":1e999}".to_vec(),
        b"{\"limit\":-0.0,\"metrics\":[\"events\"]}".to_vec(),
        b"NaN".to_vec(),
        vec![b' '; 300_000],
    ];
    bodies.extend(texts::all().into_iter().map(|text| text.json.into_bytes()));
    for route in routes().iter().filter(|route| route.method == "POST") {
        for body in &bodies {
            let request = tenant.client.post(format!("{}{}", tenant.api, route.path)).bearer_auth(&tenant.admin_key);
            let answer = send(request.header("content-type", "application/json").body(body.clone())).await;
            let begin = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
            let is_refused = (400..500).contains(&answer.status) || begin.contains("-0.0");
            assert!(is_refused && fault(&answer, None).is_none(), "{} {begin}: {}", route.path, answer.text);
        }
    }
    tenant.settled(0).await;
}

/// What is sent to be stored: each field of an event, and what is around it.
async fn fields_of_events(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let mut stored = 0;
    for text in texts::all() {
        let hole = &text.json;
        let plain = r#""session_id":"s","event_type":"t","event_action":"a""#;
        let single = |member: &str| format!("{{{member}}}");
        let bodies = [
            single(&format!(r#"{plain},"id":"{hole}""#)),
            single(&format!(r#""session_id":"{hole}","event_type":"t","event_action":"a""#)),
            single(&format!(r#"{plain},"user_id":"{hole}""#)),
            single(&format!(r#""session_id":"s","event_type":"{hole}","event_action":"a""#)),
            single(&format!(r#""session_id":"s","event_type":"t","event_action":"{hole}""#)),
            single(&format!(r#"{plain},"metadata":{{"{hole}":"{hole}"}}"#)),
            single(&format!(r#"{plain},"metadata":{{"a":{{"{hole}":[{{"{hole}":"{hole}"}}]}}}}"#)),
            single(&format!(r#"{plain},"metadata":"{hole}""#)),
            single(&format!(r#"{plain},"timestamp":"{hole}""#)),
            single(&format!(r#"{plain},"{hole}":"{hole}""#)),
            format!(r#"{{"events":[{{{plain}}}],"sent_at":"{hole}"}}"#),
            format!(r#"{{"events":[{{{plain}}}],"{hole}":1}}"#),
            format!(r#"{{"{hole}":[{{{plain}}}]}}"#),
            format!(r#""{hole}""#),
        ];
        for body in bodies {
            let answer = tenant.collect(body.clone()).await;
            let is_verdict = answer.body["rejected"].is_array();
            let problem = fault(&answer, None).filter(|_| !is_verdict);
            assert_eq!(problem, None, "{body}: {} {}", answer.status, answer.text);
            assert!((200..500).contains(&answer.status), "{body}: {} {}", answer.status, answer.text);
            stored += answer.body["accepted"].as_u64().unwrap_or(0);
        }
        let by_key = tenant.client.post(format!("{}/collect?key={}", tenant.collector, text.url)).body("{}");
        let _ = send(by_key).await.expect_problem(401, "unknown_key");
    }
    assert!(stored > 200, "{stored}");
    tenant.settled(stored).await;
    let integrity = tenant.get("/api/integrity").await.expect_status(200);
    assert_eq!(integrity.body["drift"], json!(0), "{}", integrity.text);
    let put_aside = |day: &Value| day["dead_lettered"].as_u64().unwrap_or(0);
    let put_aside: u64 = integrity.body["received"].as_array().unwrap().iter().map(put_aside).sum();
    assert_eq!(put_aside, 0, "the collector refuses what the store cannot hold: {}", integrity.text);
}
