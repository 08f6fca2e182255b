//! Events as they are stored.

use std::time::Duration;

use analytics_domain::Project;
use analytics_host::clock::{Clock as _, SystemClock};
use serde_json::json;

use crate::server::{OTHER_KEY, Server, Setup, event};
use crate::socket::{Client, number};

#[tokio::test]
async fn an_event_comes_in_the_shape_of_the_api() {
    let server = Server::start(Setup::default()).await;
    let mut client = Client::connect(server.address).await;
    client.say(r#"{"type":"subscribe","id":"all","events":{}}"#).await;
    server.publish(&[event(1), event(2)]).await;
    let mut first = client.next().await;
    let cursor = first["cursor"].take();
    assert!(cursor.as_str().unwrap().split('-').count() == 3, "{cursor}");
    let created_at = first["event"]["created_at"].take();
    assert_eq!(created_at.as_str().unwrap().len(), "2026-11-02T10:00:00.000000Z".len());
    assert_eq!(
        first,
        json!({
            "type": "event", "id": "all", "cursor": null,
            "event": {
                "id": "00000000-0000-0000-0000-000000000001",
                "session_id": "session 1", "user_id": null, "event_type": "plain", "event_action": "1",
                "metadata": {"number": 1}, "timestamp": "2026-11-02T10:00:00.000000Z", "created_at": null,
            },
        })
    );
    assert_eq!(client.next().await["event"]["user_id"], "user 2");
}

#[tokio::test]
async fn filters_are_those_of_the_query_language() {
    let server = Server::start(Setup::default()).await;
    let mut client = Client::connect(server.address).await;
    for (id, filters) in [
        ("third", r#"[["is","event_type",["third"]]]"#),
        ("large", r#"[["gt","metadata.number",[8]]]"#),
        ("user", r#"[["or",[["is","user_id",["user 4"]],["starts_with","session_id",["session 1"]]]]]"#),
    ] {
        client.say(format!(r#"{{"type":"subscribe","id":"{id}","events":{{"filters":{filters}}}}}"#)).await;
    }
    let events: Vec<_> = (1..=10).map(event).collect();
    server.publish(&events).await;
    let mut seen: Vec<(String, u128)> = Vec::new();
    for _ in 0..8 {
        let message = client.next().await;
        seen.push((message["id"].as_str().unwrap().to_owned(), number(&message)));
    }
    let of = |id: &str| seen.iter().filter(|(of, _)| of == id).map(|(_, number)| *number).collect::<Vec<_>>();
    assert_eq!((of("third"), of("large"), of("user")), (vec![3, 6, 9], vec![9, 10], vec![1, 4, 10]));
    client.barrier().await;
}

#[tokio::test]
async fn a_project_sees_nothing_of_another() {
    let server = Server::start(Setup::default()).await;
    let mut mine = Client::connect(server.address).await;
    let mut others = Client::connect_with_key(server.address, OTHER_KEY).await;
    for client in [&mut mine, &mut others] {
        client.say(r#"{"type":"subscribe","id":"a","events":{}}"#).await;
    }
    let other = Project::new("other").unwrap();
    server.feed.publish(&other, SystemClock.now(), &[event(7)]).await.unwrap();
    server.publish(&[event(8)]).await;
    assert_eq!(number(&mine.next().await), 8);
    assert_eq!(number(&others.next().await), 7);
    mine.barrier().await;
    others.barrier().await;
}

#[tokio::test]
async fn a_redelivered_batch_is_not_shown_again() {
    let server = Server::start(Setup::default()).await;
    let mut client = Client::connect(server.address).await;
    client.say(r#"{"type":"subscribe","id":"a","events":{}}"#).await;
    server.publish(&[event(1), event(2)]).await;
    server.publish(&[event(1), event(2), event(3)]).await;
    for expected in [1, 2, 3] {
        assert_eq!(number(&client.next().await), expected);
    }
    assert_eq!(client.next_within(Duration::from_millis(200)).await, None);
}

#[tokio::test]
async fn after_unsubscribe_nothing_more_comes_and_the_id_is_free() {
    let server = Server::start(Setup::default()).await;
    let mut client = Client::connect(server.address).await;
    client.say(r#"{"type":"subscribe","id":"a","events":{}}"#).await;
    server.publish(&[event(1)]).await;
    assert_eq!(number(&client.next().await), 1);
    client.say(r#"{"type":"unsubscribe","id":"a"}"#).await;
    server.publish(&[event(2)]).await;
    client.say(r#"{"type":"subscribe","id":"a","events":{}}"#).await;
    server.publish(&[event(3)]).await;
    assert_eq!(number(&client.next().await), 3);
}
