//! Coming back with the last cursor.

use std::sync::Arc;

use serde_json::Value;

use crate::server::{Server, Setup, event};
use crate::socket::{Client, number};

fn subscribe(since: &str) -> String {
    format!(r#"{{"type":"subscribe","id":"a","events":{{}},"since":"{since}"}}"#)
}

async fn cursor_after(server: &Server, first: u128, last: u128) -> String {
    let mut client = Client::connect(server.address).await;
    client.say(r#"{"type":"subscribe","id":"a","events":{}}"#).await;
    for number in first..=last {
        server.publish(&[event(number)]).await;
    }
    let mut cursor = Value::Null;
    for expected in first..=last {
        let message = client.next().await;
        assert_eq!(number(&message), expected);
        cursor = message["cursor"].clone();
    }
    cursor.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_was_missed_comes_first_then_what_is_new_each_once() {
    let server = Server::start(Setup::default()).await;
    let cursor = cursor_after(&server, 1, 10).await;
    for number in 11..=600 {
        server.publish(&[event(number)]).await;
    }
    // Publishing goes on while the reader catches up.
    let feed = Arc::clone(&server.feed);
    let publishing = tokio::spawn(async move {
        for number in 601..=900 {
            crate::server::publish(&*feed, &[event(number)]).await;
            tokio::task::yield_now().await;
        }
    });
    let mut client = Client::connect(server.address).await;
    client.send(subscribe(&cursor)).await;
    for expected in 11..=900 {
        assert_eq!(number(&client.next().await), expected);
    }
    publishing.await.unwrap();
    server.publish(&[event(901)]).await;
    assert_eq!(number(&client.next().await), 901);
    client.barrier().await;
}

#[tokio::test]
async fn a_batch_is_taken_up_in_its_middle() {
    let server = Server::start(Setup::default()).await;
    let mut client = Client::connect(server.address).await;
    client.say(r#"{"type":"subscribe","id":"a","events":{}}"#).await;
    let batch: Vec<_> = (1..=9).map(event).collect();
    server.publish(&batch).await;
    let mut fourth = Value::Null;
    for _ in 1..=4 {
        fourth = client.next().await;
    }
    assert_eq!(number(&fourth), 4);
    let mut again = Client::connect(server.address).await;
    again.send(subscribe(fourth["cursor"].as_str().unwrap())).await;
    for expected in 5..=9 {
        assert_eq!(number(&again.next().await), expected);
    }
    again.barrier().await;
}

#[tokio::test]
async fn the_newest_cursor_has_nothing_to_catch_up_with() {
    let server = Server::start(Setup::default()).await;
    let cursor = cursor_after(&server, 1, 3).await;
    let mut client = Client::connect(server.address).await;
    client.say(subscribe(&cursor)).await;
    server.publish(&[event(4)]).await;
    assert_eq!(number(&client.next().await), 4);
    client.barrier().await;
}

#[tokio::test]
async fn a_cursor_from_before_what_is_kept_is_told_so() {
    let server = Server::start(Setup::default()).await;
    let mut client = Client::connect(server.address).await;
    client.send(subscribe("1700000000000-0-0")).await;
    let lagged = client.next().await;
    assert_eq!((&lagged["type"], &lagged["id"], &lagged["missed"]), (&"lagged".into(), &"a".into(), &Value::Null));
    client.barrier().await;
    server.publish(&[event(1)]).await;
    assert_eq!(number(&client.next().await), 1);
}

#[tokio::test]
async fn history_is_filtered_too() {
    let server = Server::start(Setup::default()).await;
    let cursor = cursor_after(&server, 1, 1).await;
    server.publish(&(2..=30).map(event).collect::<Vec<_>>()).await;
    let mut client = Client::connect(server.address).await;
    let filters = r#"{"filters":[["is","event_type",["third"]]]}"#;
    client.send(format!(r#"{{"type":"subscribe","id":"a","events":{filters},"since":"{cursor}"}}"#)).await;
    for expected in (3..=30).step_by(3) {
        assert_eq!(number(&client.next().await), expected);
    }
    client.barrier().await;
}
