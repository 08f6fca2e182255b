//! Hostile texts in what is said over a socket and to a stream.

use std::time::Duration;

use analytics_blackbox::socket::{Socket, connect};
use analytics_blackbox::{Deployment, Tenant};
use futures::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use super::fields::{Place, routes};
use super::texts::{self, Hostile, encoded};
use crate::corpus::shop;

every_form_of_processes! { every_part_of_a_message, every_part_of_a_stream }

/// What a client may say, with a text in each part; `NAME` is the name that the answer is known by.
fn messages(text: &Hostile) -> Vec<String> {
    let mut patterns: Vec<String> = [
        r#"{"type":"HOLE","id":"NAME"}"#,
        r#"{"type":"subscribe","id":"HOLE","query":{"metrics":["HOLE"]}}"#,
        r#"{"type":"subscribe","id":"NAME","query":"HOLE"}"#,
        r#"{"type":"subscribe","id":"NAME","query":{"HOLE":1}}"#,
        r#"{"type":"subscribe","id":"NAME","events":"HOLE"}"#,
        r#"{"type":"subscribe","id":"NAME","events":{"HOLE":[]}}"#,
        r#"{"type":"subscribe","id":"NAME","events":{"filters":[["HOLE","event_type",["a"]]]}}"#,
        r#"{"type":"subscribe","id":"NAME","events":{"filters":[["is","HOLE",["a"]]]},"HOLE":1}"#,
        r#"{"type":"subscribe","id":"NAME","query":{"metrics":["events"]},"since":"HOLE"}"#,
        r#"{"type":"unsubscribe","id":"HOLE?"}"#,
        r#""HOLE""#,
    ]
    .map(|pattern| pattern.replace("HOLE", &text.json))
    .into();
    // Each kind of question that can be asked live, with the text where its route takes one.
    for route in routes()
        .iter()
        .filter(|route| ["/api/query", "/api/funnel", "/api/retention", "/api/paths"].contains(&route.path))
    {
        for field in route.fields.iter().filter(|field| field.name.contains("filters") || field.name == "dimensions") {
            let Some(Place::Members(pattern)) = field.places.first() else { continue };
            let pattern = pattern.replace("HOLE", &text.json).replace("KEY", &text.quoted_json);
            patterns.push(format!(r#"{{"type":"subscribe","id":"NAME","query":{pattern}}}"#));
        }
    }
    patterns
}

async fn every_part_of_a_message(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    tenant.store(&shop()).await;
    let mut request = tenant.socket_url().into_client_request().unwrap();
    request.headers_mut().insert("authorization", format!("Bearer {}", tenant.read_key).parse().unwrap());
    let (mut socket, _) = connect(&tenant, request).await.unwrap();
    let mut number = 0;
    for text in texts::all().iter().filter(|text| text.json.len() < 3_000) {
        for message in messages(text) {
            number += 1;
            let name = format!("n{number}");
            let message = message.replace("NAME", &name);
            socket.send(Message::text(message.clone())).await.unwrap();
            // Whatever came of it, it is over, and this is answered.
            socket.send(Message::text(format!(r#"{{"type":"unsubscribe","id":"{name}"}}"#))).await.unwrap();
            socket.send(Message::text(format!(r#"{{"type":"end","id":"end of {name}"}}"#))).await.unwrap();
            loop {
                let answer = next(&mut socket).await;
                assert_ne!(answer["code"], "internal_error", "{message}: {answer}");
                if answer["type"] == "error" {
                    assert!(answer["code"].as_str().is_some_and(|code| !code.is_empty()), "{message}: {answer}");
                }
                if answer["id"] == format!("end of {name}") {
                    break;
                }
            }
        }
        unsubscribe_all(&mut socket, text).await;
    }
    assert!(number > 700, "{number}");
    tenant.settled(shop().len() as u64).await;
}

/// Ends what a hostile id has begun.
async fn unsubscribe_all(socket: &mut Socket, text: &Hostile) {
    socket.send(Message::text(format!(r#"{{"type":"unsubscribe","id":"{}"}}"#, text.json))).await.unwrap();
}

async fn next(socket: &mut Socket) -> Value {
    loop {
        let message = tokio::time::timeout(Duration::from_secs(20), socket.next()).await.expect("a message in 20 s");
        match message.expect("the socket stays open").unwrap() {
            Message::Text(text) => return serde_json::from_str(&text).unwrap(),
            Message::Ping(_) | Message::Pong(_) => {}
            other => panic!("unexpected: {other:?}"),
        }
    }
}

async fn every_part_of_a_stream(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    tenant.store(&shop()).await;
    for text in texts::all() {
        let wishes = [
            format!(r#"{{"id":"{}","query":{{"metrics":["events"]}}}}"#, text.json),
            format!(r#"{{"id":"a","events":{{"filters":[["is","metadata.v",["{}"]]]}}}}"#, text.json),
            format!(r#"[{{"query":{{"metrics":["events"],"filters":[["is","{}",["a"]]]}}}}]"#, text.json),
            format!(r#""{}""#, text.json),
        ];
        for wish in wishes.map(|wish| encoded(wish.as_bytes())).iter().chain([&text.url]) {
            let status = opened(&tenant, &format!("subscribe={wish}"), None).await;
            assert!([200, 400, 414, 422, 431].contains(&status), "{wish}: {status}");
        }
        let status = opened(&tenant, &format!("{}=1", text.url), None).await;
        assert!([400, 414, 431].contains(&status), "{text:?}: {status}");
        let bytes: Vec<u8> = text.text.as_deref().unwrap_or("\u{fffd}").bytes().collect();
        if let Ok(value) = reqwest::header::HeaderValue::from_bytes(&bytes) {
            let query = encoded(br#"{"query":{"metrics":["events"]}}"#);
            let status = opened(&tenant, &format!("subscribe={query}"), Some(value)).await;
            assert!([200, 400, 431].contains(&status), "{text:?}: {status}");
        }
    }
    tenant.settled(shop().len() as u64).await;
}

/// The status of a stream, which is left at once.
async fn opened(tenant: &Tenant, query: &str, last: Option<reqwest::header::HeaderValue>) -> u16 {
    let request = tenant.client.get(format!("{}/realtime/sse?{query}", tenant.realtime)).bearer_auth(&tenant.read_key);
    let request = match last {
        Some(last) => request.header("last-event-id", last),
        None => request,
    };
    let response = request.send().await.unwrap();
    assert!(!response.headers().contains_key("x-injected"));
    response.status().as_u16()
}
