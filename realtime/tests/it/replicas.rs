//! Two servers on one Redis: any of them serves anyone.

use std::sync::Arc;
use std::time::Duration;

use analytics_messaging::Feed;
use analytics_messaging::redis::{RedisEndpoint, RedisFeed};
use analytics_testkit::redis::{RedisOptions, RedisServer};

use crate::server::{Server, Setup, event, publish};
use crate::socket::{Client, number};

fn feed(redis: &RedisServer) -> Arc<dyn Feed> {
    Arc::new(RedisFeed::new(&RedisEndpoint { url: redis.url(), root_certificates: None }, "analytics").unwrap())
}

async fn server(redis: &RedisServer) -> Server {
    Server::start(Setup { feed: feed(redis), ..Setup::default() }).await
}

#[tokio::test]
async fn a_reader_goes_on_at_the_other_server() {
    let redis = RedisServer::start(RedisOptions::default()).unwrap();
    let (one, two) = (server(&redis).await, server(&redis).await);
    let processor = feed(&redis);
    let mut client = Client::connect(one.address).await;
    let mut witness = Client::connect(two.address).await;
    for client in [&mut client, &mut witness] {
        client.say(r#"{"type":"subscribe","id":"a","events":{}}"#).await;
    }
    let mut cursor = String::new();
    publish(&*processor, &(1..=10).map(event).collect::<Vec<_>>()).await;
    for expected in 1..=10 {
        let message = client.next().await;
        assert_eq!(number(&message), expected);
        cursor = message["cursor"].as_str().unwrap().to_owned();
    }
    one.shutdown.stop();
    assert_eq!(client.closed().await.0, 1012);
    for number in 11..=20 {
        publish(&*processor, &[event(number)]).await;
    }
    let mut again = Client::connect(two.address).await;
    again.send(format!(r#"{{"type":"subscribe","id":"a","events":{{}},"since":"{cursor}"}}"#)).await;
    for expected in 11..=20 {
        assert_eq!(number(&again.next().await), expected);
    }
    publish(&*processor, &[event(21)]).await;
    assert_eq!(number(&again.next().await), 21);
    for expected in 1..=21 {
        assert_eq!(number(&witness.next().await), expected);
    }
    again.barrier().await;
}

#[tokio::test]
async fn sockets_live_through_a_restart_of_redis() {
    let mut redis = RedisServer::start(RedisOptions::default()).unwrap();
    let server = server(&redis).await;
    let mut client = Client::connect(server.address).await;
    client.say(r#"{"type":"subscribe","id":"a","events":{}}"#).await;
    server.publish(&[event(1)]).await;
    assert_eq!(number(&client.next().await), 1);
    redis.kill9();
    let mut newcomer = Client::connect(server.address).await;
    newcomer.barrier().await;
    redis.restart().unwrap();
    let processor = feed(&redis);
    publish(&*processor, &[event(2)]).await;
    let mut message = client.next().await;
    while message["type"] == "lagged" {
        message = client.next().await;
    }
    assert_eq!(number(&message), 2);
}

#[tokio::test]
async fn a_subscription_without_redis_is_told_so_and_may_be_tried_again() {
    let mut redis = RedisServer::start(RedisOptions::default()).unwrap();
    redis.kill9();
    let server = server(&redis).await;
    let mut client = Client::connect(server.address).await;
    client.send(r#"{"type":"subscribe","id":"a","events":{}}"#).await;
    let error = client.next().await;
    assert_eq!((&error["code"], &error["id"]), (&"feed_unavailable".into(), &"a".into()));
    redis.restart().unwrap();
    let subscribed = async {
        loop {
            client.send(r#"{"type":"subscribe","id":"a","events":{}}"#).await;
            if client.next_within(Duration::from_millis(700)).await.is_none() {
                break;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), subscribed).await.unwrap();
    client.barrier().await;
    server.publish(&[event(1)]).await;
    assert_eq!(number(&client.next().await), 1);
}
