//! A collector on a port of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use analytics_collector::{CollectorDeps, Enrichment, Limits, MadeKeys, router};
use analytics_domain::{Batch, Retention, SharedRetention, Timestamp};
use analytics_host::client::TrustedProxies;
use analytics_host::clock::Clock;
use analytics_host::cors::Origins;
use analytics_host::edge::EdgeLimits;
use analytics_host::keys::WriteKeys;
use analytics_host::serve::{self, Site};
use analytics_host::shutdown::Shutdown;
use analytics_messaging::Queue;
use analytics_messaging::embedded::{EmbeddedOptions, EmbeddedQueue};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::Value;
use tokio::task::JoinHandle;

/// 2026-11-02T10:00:00Z, where the clock of every test stands.
pub(crate) const NOW: Timestamp = Timestamp::from_micros(1_793_613_600_000_000);

struct StandingClock;

impl Clock for StandingClock {
    fn now(&self) -> Timestamp {
        NOW
    }
}

/// How a test's collector differs from the usual one.
pub(crate) struct Setup {
    pub(crate) write_keys: &'static str,
    pub(crate) made_keys: MadeKeys,
    pub(crate) origins: Origins,
    pub(crate) limits: Limits,
    pub(crate) enrichment: Enrichment,
    pub(crate) trusted_proxies: &'static str,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            write_keys: "",
            made_keys: MadeKeys::none(),
            origins: Origins::Any,
            limits: Limits::default(),
            enrichment: Enrichment::default(),
            trusted_proxies: "",
        }
    }
}

/// A collector that serves until it is dropped.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) queue: Arc<dyn Queue>,
    pub(crate) client: Client,
    pub(crate) retention: SharedRetention,
    shutdown: Shutdown,
    serving: JoinHandle<()>,
    _folder: Option<tempfile::TempDir>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shutdown.stop();
        self.serving.abort();
    }
}

impl Running {
    /// A collector on an embedded queue of its own.
    pub(crate) async fn start(setup: Setup) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let queue = EmbeddedQueue::open(folder.path(), EmbeddedOptions::default()).unwrap();
        let mut running = Self::on(Arc::new(queue), setup).await;
        running._folder = Some(folder);
        running
    }

    /// A collector on a queue that is there.
    pub(crate) async fn on(queue: Arc<dyn Queue>, setup: Setup) -> Self {
        analytics_host::metrics::install();
        let listener = serve::bind([127, 0, 0, 1].into(), 0, "PORT").unwrap();
        let address = listener.local_addr().unwrap();
        let retention = SharedRetention::new(Retention { days: 90 });
        let router = router(CollectorDeps {
            queue: Arc::clone(&queue),
            write_keys: WriteKeys::parse(setup.write_keys).unwrap(),
            made_keys: setup.made_keys,
            origins: setup.origins.clone(),
            clock: Arc::new(StandingClock),
            retention: retention.clone(),
            enrichment: setup.enrichment,
            limits: setup.limits,
        });
        let shutdown = Shutdown::new();
        let stop = shutdown.clone();
        let trusted_proxies = TrustedProxies::parse(setup.trusted_proxies).unwrap();
        let limits = EdgeLimits { trusted_proxies, ..EdgeLimits::default() };
        let site = Site { router, limits, origins: setup.origins };
        let serving = tokio::spawn(async move {
            serve::serve(listener, site, stop).await.unwrap();
        });
        let client = Client::builder().timeout(Duration::from_secs(30)).build().unwrap();
        Self { address, queue, client, retention, shutdown, serving, _folder: None }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn post(&self, body: impl Into<reqwest::Body>) -> RequestBuilder {
        self.client.post(self.url("/collect")).body(body)
    }

    /// The batches in the queue, taken out of it.
    pub(crate) async fn drain(&self) -> Vec<Batch<'static>> {
        let mut consumer = self.queue.consumer("test").await.unwrap();
        let mut batches = Vec::new();
        loop {
            let deliveries = consumer.receive(1_000, Duration::from_millis(50)).await.unwrap();
            if deliveries.is_empty() {
                return batches;
            }
            for delivery in &deliveries {
                batches.push(owned(Batch::decode(&delivery.payload).unwrap()));
            }
            let receipts: Vec<_> = deliveries.into_iter().map(|delivery| delivery.receipt).collect();
            consumer.acknowledge(&receipts).await.unwrap();
        }
    }
}

fn owned(batch: Batch<'_>) -> Batch<'static> {
    Batch {
        id: batch.id,
        project: batch.project,
        received_at: batch.received_at,
        refused: batch.refused.into_iter().map(|(code, count)| (code.into_owned().into(), count)).collect(),
        context: None,
        events: batch.events.into_iter().map(analytics_domain::Event::into_owned).collect(),
    }
}

/// A valid event with these members besides the required ones.
pub(crate) fn event(more: &str) -> String {
    format!(r#"{{"session_id":"s","event_type":"t","event_action":"a"{more}}}"#)
}

/// Status and document of an answer.
pub(crate) async fn told(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    (status, response.json().await.unwrap())
}

/// The status and the code of a refusal.
pub(crate) async fn refused(response: Response) -> (u16, String) {
    let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
    assert_eq!(kind, "application/problem+json");
    let (status, document) = told(response).await;
    assert_eq!(document["status"], status);
    assert!(document["detail"].as_str().is_some_and(|detail| detail.len() > 10));
    (status, document["code"].as_str().unwrap().to_owned())
}
