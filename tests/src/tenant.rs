//! A project of a deployment, and how a client speaks with it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::{Certificate, Client, ClientBuilder, Method, RequestBuilder};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};

use crate::answer::Answer;

/// How long a stored event may take to be in answers.
const SETTLE_LIMIT: Duration = Duration::from_secs(30);

/// A project with its keys; clones share connections.
#[derive(Debug, Clone)]
pub struct Tenant {
    /// The project's name.
    pub project: String,
    /// The key of `POST /collect`.
    pub write_key: String,
    /// A key of scope `read`.
    pub read_key: String,
    /// A key of scope `admin`.
    pub admin_key: String,
    /// Where `/collect` is.
    pub collector: String,
    /// Where `/api` is.
    pub api: String,
    /// Where `/realtime` is.
    pub realtime: String,
    /// The client library.
    pub client: Client,
    tls: Option<Arc<rustls::ClientConfig>>,
}

fn client() -> ClientBuilder {
    Client::builder().timeout(Duration::from_secs(60)).pool_max_idle_per_host(0)
}

impl Tenant {
    /// A project's client; keys are those to write, read and administrate, URLs those of collector, api and realtime.
    #[must_use]
    pub fn new(project: String, keys: [String; 3], urls: [String; 3]) -> Self {
        let [write_key, read_key, admin_key] = keys;
        let [collector, api, realtime] = urls;
        let client = client().build().unwrap_or_default();
        Self { project, write_key, read_key, admin_key, collector, api, realtime, client, tls: None }
    }

    /// The same by TLS, trusting this certificate (PEM) alone.
    ///
    /// # Panics
    /// Where it is none.
    #[must_use]
    pub fn trusting(mut self, certificate: &[u8]) -> Self {
        let fail = |error: &dyn std::fmt::Display| -> ! { panic!("the certificate cannot be trusted: {error}") };
        let authority = Certificate::from_pem(certificate).unwrap_or_else(|error| fail(&error));
        self.client = client().tls_certs_only([authority]).build().unwrap_or_else(|error| fail(&error));
        let mut trusted = rustls::RootCertStore::empty();
        let read = CertificateDer::from_pem_slice(certificate).unwrap_or_else(|error| fail(&error));
        trusted.add(read).unwrap_or_else(|error| fail(&error));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap_or_else(|error| fail(&error))
            .with_root_certificates(trusted)
            .with_no_client_auth();
        self.tls = Some(Arc::new(config));
        self
    }

    /// What a socket of its own needs for TLS; nothing where the deployment is reached without.
    #[must_use]
    pub fn tls(&self) -> Option<Arc<rustls::ClientConfig>> {
        self.tls.clone()
    }

    /// Where sockets are opened.
    #[must_use]
    pub fn socket_url(&self) -> String {
        // `https` begins with `http`.
        format!("{}/realtime", self.realtime.replacen("http", "ws", 1))
    }

    /// A `POST /collect` without key or type, to be completed.
    pub fn collect_request(&self) -> RequestBuilder {
        self.client.post(format!("{}/collect", self.collector))
    }

    /// Sends a body as JSON with the write key.
    pub async fn collect(&self, body: impl Into<reqwest::Body>) -> Answer {
        let request = self.collect_request().header("content-type", "application/json").body(body);
        let request = if self.write_key.is_empty() { request } else { request.bearer_auth(&self.write_key) };
        send(request).await
    }

    /// Sends events that must all be accepted, and gives their ids back.
    ///
    /// # Panics
    /// Where one is not.
    pub async fn collect_all(&self, events: &[Value]) -> Vec<String> {
        let mut ids = Vec::new();
        for events in events.chunks(500) {
            let answer = self.collect(json!({ "events": events }).to_string()).await.expect_status(202);
            assert_eq!(answer.body["accepted"], events.len(), "{}", answer.text);
            let new = answer.body["ids"].as_array().into_iter().flatten();
            ids.extend(new.map(|id| id.as_str().unwrap_or_default().to_owned()));
        }
        ids
    }

    /// A request to the api with the reading key; `path` begins with `/api`.
    pub fn api_request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.api));
        if self.read_key.is_empty() { request } else { request.bearer_auth(&self.read_key) }
    }

    /// Asks a question of metrics and dimensions, computed anew.
    pub async fn query(&self, question: &Value) -> Answer {
        self.ask("/api/query", question).await
    }

    /// Asks a question of the kind that is answered at `path`, computed anew.
    pub async fn ask(&self, path: &str, question: &Value) -> Answer {
        let request = self.api_request(Method::POST, path).header("cache-control", "no-cache");
        send(request.header("content-type", "application/json").body(question.to_string())).await
    }

    /// A GET of the api with the reading key, computed anew.
    pub async fn get(&self, path: &str) -> Answer {
        send(self.api_request(Method::GET, path).header("cache-control", "no-cache")).await
    }

    /// A GET of the api with the admin key.
    pub async fn get_as_admin(&self, path: &str) -> Answer {
        let request = self.client.get(format!("{}{path}", self.api));
        send(if self.admin_key.is_empty() { request } else { request.bearer_auth(&self.admin_key) }).await
    }

    /// Waits until `events` events are in answers.
    ///
    /// # Panics
    /// Where it takes longer than 30 s, or more come.
    pub async fn settled(&self, events: u64) {
        let question = json!({ "metrics": ["events"], "date_range": "all" });
        let started = Instant::now();
        loop {
            let answer = self.query(&question).await.expect_status(200);
            let found = answer.metrics().first().and_then(|row| row[0].as_u64()).unwrap_or(0);
            assert!(found <= events, "{found} events are stored, {events} were sent: {}", answer.text);
            if found == events {
                return;
            }
            let waited = started.elapsed();
            assert!(waited < SETTLE_LIMIT, "after {waited:?} {found} of {events} events are stored: {}", answer.text);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until `accepted` events are in the account: what is stored of none of them is in no answer.
    ///
    /// # Panics
    /// Where it takes longer than 30 s, or more come.
    pub async fn accounted(&self, accepted: u64) {
        let started = Instant::now();
        loop {
            let answer = self.get("/api/integrity").await.expect_status(200);
            let days = answer.body["received"].as_array().into_iter().flatten();
            let found: u64 = days.map(|day| day["accepted"].as_u64().unwrap_or(0)).sum();
            if found == accepted {
                return;
            }
            assert!(found < accepted, "{found} events are in the account, {accepted} were sent: {}", answer.text);
            let waited = started.elapsed();
            assert!(
                waited < SETTLE_LIMIT,
                "after {waited:?} {found} of {accepted} are in the account: {}",
                answer.text
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Sends events and waits until all are in answers; the project must have been empty.
    ///
    /// # Panics
    /// Where one is not accepted or not stored.
    pub async fn store(&self, events: &[Value]) {
        self.collect_all(events).await;
        self.settled(events.len() as u64).await;
    }
}

/// Sends a request and reads its answer whole.
///
/// # Panics
/// Where no answer comes.
pub async fn send(request: RequestBuilder) -> Answer {
    let (client, request) = request.build_split();
    let request = request.unwrap_or_else(|error| panic!("the request cannot be made: {error}"));
    let body = request.body().and_then(reqwest::Body::as_bytes).map(String::from_utf8_lossy).unwrap_or_default();
    let shown: String = body.chars().take(600).collect();
    let told = format!("{} {} {shown}", request.method(), request.url());
    let response = client.execute(request).await.unwrap_or_else(|error| panic!("{told}: no answer: {error:?}"));
    Answer::read(told, response).await
}
