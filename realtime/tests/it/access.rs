//! Who gets in, and what the others are told before the upgrade.

use analytics_realtime::Limits;
use tokio_tungstenite::tungstenite::Error;

use crate::server::{KEY, Server, Setup, WRITE_KEY};
use crate::socket::{Client, request};

type Headers<'a> = &'a [(&'static str, &'a str)];

/// The status, the problem's code and the headers' answer of an upgrade that was refused.
async fn refused(server: &Server, headers: Headers<'_>) -> (u16, String) {
    match Client::open(request(server.address, headers), server.address, None).await.map(|_| ()) {
        Err(Error::Http(response)) => {
            let status = response.status().as_u16();
            assert_eq!(response.headers()["content-type"], "application/problem+json");
            let body = response.body().clone().unwrap_or_default();
            let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
            (status, problem["code"].as_str().unwrap().to_owned())
        }
        Err(other) => panic!("{other}"),
        Ok(()) => (101, String::new()),
    }
}

#[tokio::test]
async fn keys_come_by_header_or_subprotocol_never_by_address() {
    let server = Server::start(Setup::default()).await;
    let bearer = format!("Bearer {KEY}");
    let protocols = format!("analytics.v1, bearer.{KEY}");
    let write = format!("Bearer {WRITE_KEY}");
    let table: &[(Headers<'_>, u16, &str)] = &[
        (&[("authorization", &bearer)], 101, ""),
        (&[("x-api-key", KEY)], 101, ""),
        (&[("sec-websocket-protocol", &protocols)], 101, ""),
        (&[], 401, "unknown_key"),
        (&[("authorization", "Bearer nobody-knows-this-key")], 401, "unknown_key"),
        (&[("sec-websocket-protocol", "analytics.v1, bearer.nobody-knows-this")], 401, "unknown_key"),
        (&[("sec-websocket-protocol", "analytics.v1")], 401, "unknown_key"),
        // A header that is there counts, a subprotocol beside it does not mend it.
        (
            &[("authorization", "Bearer nobody-knows-this-key"), ("sec-websocket-protocol", &protocols)],
            401,
            "unknown_key",
        ),
        (&[("authorization", &write)], 403, "forbidden_scope"),
    ];
    for (headers, status, code) in table {
        assert_eq!(refused(&server, headers).await, (*status, (*code).to_owned()), "{headers:?}");
    }
    let by_address = format!("http://{}/realtime/sse?key={KEY}&subscribe=%7B%22events%22:%7B%7D%7D", server.address);
    assert_eq!(reqwest::get(by_address).await.unwrap().status(), 401);
}

#[tokio::test]
async fn the_answer_names_our_subprotocol_and_no_key() {
    let server = Server::start(Setup::default()).await;
    let protocols = format!("bearer.{KEY}, analytics.v1");
    let request = request(server.address, &[("sec-websocket-protocol", &protocols)]);
    let (_client, response) = Client::open(request, server.address, None).await.unwrap();
    assert_eq!(response.headers()["sec-websocket-protocol"], "analytics.v1");
}

#[tokio::test]
async fn a_foreign_page_is_sent_away() {
    let server = Server::start(Setup { origins: "https://dash.example.com", ..Setup::default() }).await;
    let bearer = format!("Bearer {KEY}");
    let with = |origin| [("authorization", bearer.as_str()), ("origin", origin)];
    assert_eq!(refused(&server, &with("https://dash.example.com")).await.0, 101);
    for origin in ["https://evil.example.com", "http://dash.example.com", "null"] {
        assert_eq!(refused(&server, &with(origin)).await, (403, "forbidden_origin".to_owned()), "{origin}");
    }
    // No Origin: no browser.
    assert_eq!(refused(&server, &[("authorization", &bearer)]).await.0, 101);
    let stream = reqwest::Client::new()
        .get(format!("http://{}/realtime/sse?subscribe=%7B%22events%22:%7B%7D%7D", server.address))
        .header("origin", "https://evil.example.com")
        .bearer_auth(KEY);
    assert_eq!(stream.send().await.unwrap().status(), 403);
}

#[tokio::test]
async fn connections_are_bounded_and_a_closed_one_makes_room() {
    let limits = Limits { connections: 3, connections_per_key: 2, ..Limits::default() };
    let server = Server::start(Setup { limits, ..Setup::default() }).await;
    let first = Client::connect(server.address).await;
    let _second = Client::connect(server.address).await;
    let (bearer, other) = (format!("Bearer {KEY}"), format!("Bearer {}", crate::server::OTHER_KEY));
    assert_eq!(refused(&server, &[("authorization", &bearer)]).await, (429, "too_many_connections".to_owned()));
    let _third = Client::connect_with_key(server.address, crate::server::OTHER_KEY).await;
    assert_eq!(refused(&server, &[("authorization", &other)]).await, (503, "too_many_connections".to_owned()));
    drop(first);
    for _ in 0..100 {
        if refused(&server, &[("authorization", &bearer)]).await.0 == 101 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the closed connection still counts");
}

#[tokio::test]
async fn a_rush_is_spread() {
    let limits = Limits { connects_per_second: 5, ..Limits::default() };
    let server = Server::start(Setup { limits, ..Setup::default() }).await;
    let bearer = format!("Bearer {KEY}");
    let mut refusals = 0;
    for _ in 0..20 {
        let (status, code) = refused(&server, &[("authorization", &bearer)]).await;
        if status != 101 {
            assert_eq!((status, code.as_str()), (503, "rate_limited"));
            refusals += 1;
        }
    }
    assert!((5..=15).contains(&refusals), "{refusals} of 20 were refused");
}

#[tokio::test]
async fn a_plain_request_is_told_what_this_path_speaks() {
    let server = Server::start(Setup::default()).await;
    let url = format!("http://{}/realtime", server.address);
    let answer = reqwest::Client::new().get(&url).bearer_auth(KEY).send().await.unwrap();
    assert_eq!(answer.status(), 426);
    assert_eq!(answer.headers()["upgrade"], "websocket");
    assert_eq!(answer.json::<serde_json::Value>().await.unwrap()["code"], "upgrade_required");
    assert_eq!(reqwest::get(&url).await.unwrap().status(), 401);
}
