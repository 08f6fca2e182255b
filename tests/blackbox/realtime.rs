//! `/realtime`: contract, "Live".

use std::time::Duration;

use analytics_blackbox::socket::{Socket, connect};
use analytics_blackbox::{Deployment, Tenant};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::Request;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::corpus::{at, event};

every_live_form! {
    a_socket_needs_a_key,
    events_arrive_filtered_and_once_stored,
    a_live_query_is_answered_again,
    a_live_funnel_is_answered_again_and_paths_are,
    live_cohorts_are_answered_again,
    a_bad_message_is_told,
}

fn request(tenant: &Tenant, headers: &[(&'static str, String)]) -> Request<()> {
    let mut request = tenant.socket_url().into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    request
}

async fn open(tenant: &Tenant) -> Socket {
    let bearer = format!("Bearer {}", tenant.read_key);
    let (mut socket, _) = connect(tenant, request(tenant, &[("authorization", bearer)])).await.unwrap();
    assert_eq!(next(&mut socket).await["type"], "welcome");
    socket
}

async fn next(socket: &mut Socket) -> Value {
    loop {
        let message = tokio::time::timeout(Duration::from_secs(20), socket.next()).await.expect("a message in 20 s");
        match message.expect("an open socket").unwrap() {
            Message::Text(text) => return serde_json::from_str(&text).unwrap(),
            Message::Ping(_) | Message::Pong(_) => {}
            other => panic!("unexpected: {other:?}"),
        }
    }
}

async fn say(socket: &mut Socket, message: Value) {
    socket.send(Message::text(message.to_string())).await.unwrap();
}

async fn a_socket_needs_a_key(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let refused = [
        vec![],
        vec![("authorization", "Bearer no-key-of-this-server".to_owned())],
        vec![("sec-websocket-protocol", "analytics.v1, bearer.no-key-of-this-server".to_owned())],
    ];
    for headers in refused {
        match connect(&tenant, request(&tenant, &headers)).await {
            Err(Error::Http(response)) => assert_eq!(response.status().as_u16(), 401, "{headers:?}"),
            other => panic!("{headers:?}: {other:?}"),
        }
    }
    let protocols = format!("analytics.v1, bearer.{}", tenant.read_key);
    let (_, response) = connect(&tenant, request(&tenant, &[("sec-websocket-protocol", protocols)])).await.unwrap();
    // The key is not given back.
    assert_eq!(response.headers()["sec-websocket-protocol"], "analytics.v1");
}

async fn events_arrive_filtered_and_once_stored(deployment: &'static Deployment) {
    let (tenant, other) = (deployment.tenant(), deployment.tenant());
    let mut socket = open(&tenant).await;
    let filters = json!([["is", "event_type", ["commerce"]]]);
    say(&mut socket, json!({ "type": "subscribe", "id": "b", "events": { "filters": filters } })).await;
    // What is heard first may come before the subscription is there: so events come until one is heard.
    other.collect_all(&[event("x", "commerce", "foreign", &at(1, "10:00:00"))]).await;
    let heard = async {
        loop {
            let message = next(&mut socket).await;
            if message["type"] == "event" {
                return message;
            }
        }
    };
    let sending = async {
        loop {
            tenant
                .collect_all(&[
                    event("s", "navigation", "quiet", &at(1, "10:00:00")),
                    event("s", "commerce", "heard", &at(1, "10:00:00")),
                ])
                .await;
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    };
    let message = tokio::select! { message = heard => message, () = sending => unreachable!("it sends for ever") };
    assert_eq!((&message["id"], &message["event"]["event_action"]), (&json!("b"), &json!("heard")), "{message}");
    assert!(message["cursor"].is_string(), "{message}");
    let id = message["event"]["id"].as_str().unwrap();
    let listed = tenant.get("/api/events").await.expect_status(200);
    assert!(listed.text.contains(id), "only what is stored is shown");
}

async fn a_live_query_is_answered_again(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    tenant.store(&[event("s", "t", "a", &at(1, "10:00:00"))]).await;
    let mut socket = open(&tenant).await;
    let query = json!({
        "metrics": ["events", "events / sessions", "p50:metadata.ms"], "date_range": "7d",
        "filters": [["has_done", [["is", "event_action", ["a"]]]]],
    });
    say(&mut socket, json!({ "type": "subscribe", "id": "a", "query": query })).await;
    let first = next(&mut socket).await;
    assert_eq!(
        (&first["type"], &first["result"]["results"][0]["metrics"]),
        (&json!("snapshot"), &json!([1, 1.0, null])),
        "{first}"
    );
    tenant.collect_all(&[event("s", "t", "a", &at(1, "10:00:00"))]).await;
    let second = next(&mut socket).await;
    assert_eq!(
        (&second["type"], &second["result"]["results"][0]["metrics"]),
        (&json!("update"), &json!([2, 2.0, null])),
        "{second}"
    );
}

async fn a_live_funnel_is_answered_again_and_paths_are(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    tenant.store(&[event("s", "t", "look", &at(1, "10:00:00"))]).await;
    let mut socket = open(&tenant).await;
    let step = |action: &str| json!({ "filters": [["is", "event_action", [action]]] });
    let funnel = json!({ "steps": [step("look"), step("buy")] });
    say(&mut socket, json!({ "type": "subscribe", "id": "a", "query": funnel })).await;
    let counts = |message: &Value| {
        let steps = &message["result"]["steps"];
        (message["type"].clone(), steps[0]["count"].clone(), steps[1]["count"].clone())
    };
    let first = next(&mut socket).await;
    assert_eq!(counts(&first), (json!("snapshot"), json!(1), json!(0)), "{first}");
    tenant.collect_all(&[event("s", "t", "buy", &at(1, "10:05:00"))]).await;
    let second = next(&mut socket).await;
    assert_eq!(counts(&second), (json!("update"), json!(1), json!(1)), "{second}");

    say(&mut socket, json!({ "type": "subscribe", "id": "c", "query": { "depth": 2 } })).await;
    let paths = next(&mut socket).await;
    let link = json!({ "step": 0, "from": "look", "to": "buy", "count": 1 });
    assert_eq!((&paths["type"], &paths["result"]["links"]), (&json!("snapshot"), &json!([link])), "{paths}");

    say(&mut socket, json!({ "type": "subscribe", "id": "b", "query": { "steps": [{}] } })).await;
    let refused = next(&mut socket).await;
    assert_eq!((&refused["type"], &refused["path"]), (&json!("error"), &json!("steps")), "{refused}");
}

async fn live_cohorts_are_answered_again(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    tenant.store(&[event("s", "t", "join", &at(1, "10:00:00"))]).await;
    let mut socket = open(&tenant).await;
    let action = |action: &str| json!({ "filters": [["is", "event_action", [action]]] });
    let cohorts =
        json!({ "start": action("join"), "return": action("open"), "unit": "day", "periods": 1, "date_range": "7d" });
    say(&mut socket, json!({ "type": "subscribe", "id": "a", "query": cohorts })).await;
    let told = |message: &Value| {
        let cohort =
            message["result"]["cohorts"].as_array().unwrap().iter().find(|cohort| cohort["size"] == 1).cloned();
        (message["type"].clone(), cohort.unwrap_or_default()["cells"][0]["count"].clone())
    };
    let first = next(&mut socket).await;
    assert_eq!(told(&first), (json!("snapshot"), json!(0)), "{first}");
    tenant.collect_all(&[event("s", "t", "open", &at(1, "10:05:00"))]).await;
    let second = next(&mut socket).await;
    assert_eq!(told(&second), (json!("update"), json!(1)), "{second}");

    say(&mut socket, json!({ "type": "subscribe", "id": "b", "query": { "start": {} } })).await;
    let refused = next(&mut socket).await;
    assert_eq!((&refused["type"], &refused["path"]), (&json!("error"), &json!("return")), "{refused}");
}

async fn a_bad_message_is_told(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let mut socket = open(&tenant).await;
    for message in [
        json!({ "type": "subscribe", "id": "a", "query": { "metrics": ["applause"] } }),
        json!({ "type": "subscribe", "id": "a", "query": { "metrics": ["events / evnts"] } }),
        json!({ "type": "subscribe", "id": "a", "events": { "filters": [["has_done", [["exists", "user_id"]]]] } }),
        json!({ "type": "subscribe", "id": "a" }),
        json!({ "type": "dance" }),
        json!("nonsense"),
    ] {
        say(&mut socket, message.clone()).await;
        let answer = next(&mut socket).await;
        assert_eq!(answer["type"], "error", "{message}: {answer}");
        assert!(answer["code"].is_string() && answer["message"].is_string(), "{answer}");
    }
}
