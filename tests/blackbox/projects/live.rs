//! Live connections that a session or a key of the store lets in.

use std::time::{Duration, Instant};

use analytics_blackbox::Deployment;
use analytics_blackbox::Tenant;
use analytics_blackbox::socket::{Socket, connect};
use analytics_blackbox::tenant::send;
use futures::StreamExt as _;
use reqwest::Method;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::{Browser, administrate, make_key};

every_live_form! { a_session_watches_its_projects, a_connection_ends_with_its_key }

/// Opens a socket with these headers; the status where it is refused.
async fn open(tenant: &Tenant, query: &str, headers: &[(&'static str, &str)]) -> Result<Socket, u16> {
    let mut request = format!("{}{query}", tenant.socket_url()).into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    match connect(tenant, request).await {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(response)) => Err(response.status().as_u16()),
        Err(other) => panic!("{other:?}"),
    }
}

async fn a_session_watches_its_projects(deployment: &'static Deployment) {
    let (tenant, other) = (deployment.tenant(), deployment.tenant());
    let browser = Browser::sign_in(&tenant, &tenant.read_key).await;
    let (cookie, own) = (browser.cookie.as_str(), tenant.realtime.as_str());
    let mut socket =
        open(&tenant, "", &[("cookie", cookie), ("origin", own)]).await.expect("a session of the own page");
    assert!(matches!(socket.next().await, Some(Ok(Message::Text(text))) if text.contains("welcome")));
    let named = format!("?project={}", tenant.project);
    open(&tenant, &named, &[("cookie", cookie), ("origin", own)]).await.expect("the project by name");
    // Not from a foreign page, nor where nothing tells the page, nor to a project that the session has not.
    for headers in [vec![("cookie", cookie)], vec![("cookie", cookie), ("origin", "https://elsewhere.example")]] {
        assert_eq!(open(&tenant, "", &headers).await.err(), Some(403), "{headers:?}");
    }
    let foreign = format!("?project={}", other.project);
    assert_eq!(open(&tenant, &foreign, &[("cookie", cookie), ("origin", own)]).await.err(), Some(403));
    // A key wins over the cookie.
    let wrong = [("cookie", cookie), ("origin", own), ("authorization", "Bearer no-key-of-this-server")];
    assert_eq!(open(&tenant, "", &wrong).await.err(), Some(401));

    // A stream of events is let in alike.
    let url =
        format!("{}/realtime/sse?subscribe=%7B%22events%22%3A%7B%7D%7D&project={}", tenant.realtime, tenant.project);
    let stream = tenant.client.get(&url).header("cookie", cookie).header("origin", own).send().await.unwrap();
    assert_eq!(stream.status(), 200);
    let refused = send(tenant.client.get(&url).header("cookie", cookie)).await;
    let _ = refused.expect_problem(403, "cross_site");
    // Signed out: the socket ends within 10 s.
    let _ = send(browser.request(Method::DELETE, "/api/session")).await.expect_status(204);
    ends(&mut socket).await;
}

async fn a_connection_ends_with_its_key(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let made = make_key(&tenant, "live", "read").await;
    let bearer = format!("Bearer {}", made["key"].as_str().unwrap());
    let mut socket = open(&tenant, "", &[("authorization", &bearer)]).await.expect("a key of the store");
    let url = format!("{}/realtime/sse?subscribe=%7B%22events%22%3A%7B%7D%7D", tenant.realtime);
    let stream = tenant.client.get(&url).header("authorization", &bearer).send().await.unwrap();
    assert_eq!(stream.status(), 200);
    let lasting = format!("Bearer {}", tenant.read_key);
    let mut other = open(&tenant, "", &[("authorization", &lasting)]).await.expect("a key of the environment");
    let _ = other.next().await;
    let path = format!("/api/keys/{}", made["id"].as_str().unwrap());
    let _ = administrate(&tenant, Method::DELETE, &path, None).await.expect_status(204);
    let began = Instant::now();
    let streamed = tokio::time::timeout(Duration::from_secs(12), stream.text());
    let ((), streamed) = tokio::join!(ends(&mut socket), streamed);
    assert!(streamed.is_ok(), "the stream goes on after {:?}", began.elapsed());
    assert_eq!(open(&tenant, "", &[("authorization", &bearer)]).await.err(), Some(401));
    // Others stay.
    let quiet = tokio::time::timeout(Duration::from_millis(500), other.next()).await;
    assert!(!matches!(quiet, Ok(None | Some(Err(_) | Ok(Message::Close(_))))), "{quiet:?}");
}

/// Reads a socket until the server closes it, which it has to within 10 s.
async fn ends(socket: &mut Socket) {
    let closed = async {
        loop {
            match socket.next().await {
                Some(Ok(Message::Close(frame))) => {
                    assert_eq!(frame.map(|frame| u16::from(frame.code)), Some(1008));
                    return;
                }
                Some(Ok(_)) => {}
                None | Some(Err(_)) => return,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), closed).await.expect("the connection ends within 10 s");
}
