//! A realtime server on a port of its own, and events to publish.

use std::net::SocketAddr;
use std::sync::Arc;

use analytics_access::Access;
use analytics_domain::{Event, Project, Timestamp};
use analytics_host::clock::{Clock as _, SystemClock};
use analytics_host::cors::Origins;
use analytics_host::edge::EdgeLimits;
use analytics_host::keys::{ReadKeys, WriteKeys};
use analytics_host::serve::{Site, serve};
use analytics_host::shutdown::Shutdown;
use analytics_messaging::Feed;
use analytics_messaging::process::ProcessFeed;
use analytics_realtime::{Limits, LiveQueries, Realtime, RealtimeDeps};
use tokio::net::TcpListener;
use uuid::Uuid;

/// A key of project `default`.
pub const KEY: &str = "key-of-project-default";
/// A key of project `other`.
pub const OTHER_KEY: &str = "key-of-project-other";
/// A key that may only write.
pub const WRITE_KEY: &str = "key-that-only-writes";

/// What a test sets; the rest is as in production.
pub struct Setup {
    pub feed: Arc<dyn Feed>,
    pub origins: &'static str,
    pub limits: Limits,
    pub queries: Option<Arc<dyn LiveQueries>>,
}

impl Default for Setup {
    fn default() -> Self {
        let feed = Arc::new(ProcessFeed::new());
        Self { feed, origins: "*", limits: Limits::default(), queries: None }
    }
}

/// A running server.
pub struct Server {
    pub address: SocketAddr,
    pub feed: Arc<dyn Feed>,
    pub shutdown: Shutdown,
    pub realtime: Arc<Realtime>,
}

impl Server {
    pub async fn start(setup: Setup) -> Self {
        let shutdown = Shutdown::new();
        let write_keys = WriteKeys::parse(&format!("{WRITE_KEY}:default")).unwrap();
        let keys = ReadKeys::parse(&format!("{KEY}:default:read,{OTHER_KEY}:other:read")).unwrap();
        let realtime = Realtime::new(RealtimeDeps {
            feed: Arc::clone(&setup.feed),
            access: Access::new(keys.with_write_keys(&write_keys), Arc::new(SystemClock), false),
            origins: Origins::parse(setup.origins).unwrap(),
            clock: Arc::new(SystemClock),
            shutdown: shutdown.clone(),
            queries: setup.queries,
            limits: setup.limits,
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let site = Site { router: realtime.router(), limits: EdgeLimits::default(), origins: Origins::Any };
        let serving = serve(listener, site, shutdown.clone());
        tokio::spawn(async move { serving.await.unwrap() });
        Self { address, feed: setup.feed, shutdown, realtime }
    }

    /// Publishes events to project `default`.
    pub async fn publish(&self, events: &[Event<'static>]) {
        publish(&*self.feed, events).await;
    }
}

/// Publishes events to project `default`.
pub async fn publish(feed: &dyn Feed, events: &[Event<'static>]) {
    feed.publish(&Project::default(), SystemClock.now(), events).await.unwrap();
}

/// Event number `number`, whose action and metadata name it.
pub fn event(number: u128) -> Event<'static> {
    Event {
        id: Uuid::from_u128(number),
        client_id: true,
        session_id: format!("session {number}").into(),
        user_id: (number.is_multiple_of(2)).then(|| format!("user {number}").into()),
        event_type: if number.is_multiple_of(3) { "third" } else { "plain" }.into(),
        event_action: number.to_string().into(),
        metadata: format!(r#"{{"number":{number}}}"#).into(),
        timestamp: Timestamp::parse_rfc3339("2026-11-02T10:00:00Z").unwrap(),
    }
}

/// Event number `number` with so many more bytes of metadata.
pub fn wide_event(number: u128, bytes: usize) -> Event<'static> {
    Event { metadata: format!(r#"{{"fill":"{}","number":{number}}}"#, "x".repeat(bytes)).into(), ..event(number) }
}
