//! What the server says to what it does not understand, and what a large message does.

use futures::{SinkExt as _, StreamExt as _};
use tokio_tungstenite::tungstenite::Message;

use crate::server::{Server, Setup, event};
use crate::socket::{Client, number};

#[tokio::test]
async fn errors_have_a_code_and_the_socket_lives_on() {
    let server = Server::start(Setup::default()).await;
    let mut client = Client::connect(server.address).await;
    for (text, code, id, path) in [
        ("hello", "invalid_json", None, None),
        (r#"{"type":"hello","id":"a"}"#, "unknown_type", Some("a"), Some("type")),
        (r#"{"type":"subscribe","id":"a","events":{},"colour":1}"#, "unknown_field", Some("a"), Some("colour")),
        (
            r#"{"type":"subscribe","id":"a","events":{"filters":[["is","event_type",["x"]],["is","color",["x"]]]}}"#,
            "invalid_query",
            Some("a"),
            Some("events.filters[1][1]"),
        ),
        (
            r#"{"type":"subscribe","id":"a","events":{"filters":[["not",["has_done",[["exists","user_id"]]]]]}}"#,
            "invalid_query",
            Some("a"),
            Some("events.filters[0][1]"),
        ),
        (
            r#"{"type":"subscribe","id":"a","events":{},"since":"yesterday"}"#,
            "invalid_cursor",
            Some("a"),
            Some("since"),
        ),
        (r#"{"type":"subscribe","id":"a","query":{"metrics":["events"]}}"#, "queries_unavailable", Some("a"), None),
        (r#"{"type":"unsubscribe","id":"a"}"#, "unknown_subscription", Some("a"), Some("id")),
    ] {
        client.send(text).await;
        let error = client.next().await;
        assert_eq!(error["type"], "error", "{text}");
        assert_eq!(error["code"], code, "{text}: {error}");
        assert_eq!(error.get("id").and_then(|id| id.as_str()), id, "{text}");
        assert_eq!(error.get("path").and_then(|path| path.as_str()), path, "{text}: {error}");
        assert!(error["message"].as_str().is_some_and(|message| message.len() > 10), "{text}");
    }
    client.socket.send(Message::binary(vec![1, 2, 3])).await.unwrap();
    assert_eq!(client.next().await["code"], "invalid_message");
    client.say(r#"{"type":"subscribe","id":"a","events":{}}"#).await;
    client.send(r#"{"type":"subscribe","id":"a","events":{}}"#).await;
    assert_eq!(client.next().await["code"], "id_in_use");
    server.publish(&[event(1)]).await;
    assert_eq!(number(&client.next().await), 1);
}

#[tokio::test]
async fn the_33rd_subscription_is_refused() {
    let server = Server::start(Setup::default()).await;
    let mut client = Client::connect(server.address).await;
    for number in 0..32 {
        client.say(format!(r#"{{"type":"subscribe","id":"{number}","events":{{}}}}"#)).await;
    }
    client.send(r#"{"type":"subscribe","id":"one more","events":{}}"#).await;
    let error = client.next().await;
    assert_eq!((&error["code"], &error["id"]), (&"too_many_subscriptions".into(), &"one more".into()));
    client.say(r#"{"type":"unsubscribe","id":"7"}"#).await;
    client.say(r#"{"type":"subscribe","id":"one more","events":{}}"#).await;
}

#[tokio::test]
async fn a_frame_of_20_megabytes_closes_with_1009() {
    let server = Server::start(Setup::default()).await;
    for bytes in [16 * 1024 + 1, 20_000_000] {
        let client = Client::connect(server.address).await;
        let (mut sink, mut stream) = client.socket.split();
        let sending = tokio::spawn(async move { sink.send(Message::text("x".repeat(bytes))).await });
        let frame = tokio::time::timeout(std::time::Duration::from_secs(10), stream.next()).await.unwrap();
        let Some(Ok(Message::Close(Some(frame)))) = frame else { panic!("a close was expected, {frame:?} came") };
        assert_eq!(u16::from(frame.code), 1009, "{bytes}");
        sending.abort();
    }
    let mut neighbour = Client::connect(server.address).await;
    neighbour.say(r#"{"type":"subscribe","id":"a","events":{}}"#).await;
}

#[tokio::test]
async fn pieces_that_are_too_large_together_close_with_1009() {
    use tokio_tungstenite::tungstenite::protocol::frame::Frame;
    use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
    let server = Server::start(Setup::default()).await;
    let mut client = Client::connect(server.address).await;
    for piece in 0..3 {
        let opcode = OpCode::Data(if piece == 0 { Data::Text } else { Data::Continue });
        let frame = Frame::message(vec![b'x'; 10_000], opcode, piece == 2);
        if client.socket.send(Message::Frame(frame)).await.is_err() {
            break;
        }
    }
    assert_eq!(client.closed().await.0, 1009);
}
