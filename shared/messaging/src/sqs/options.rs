//! What an SQS queue is opened with.

use std::time::Duration;

/// Which queue, and how long consumers hold entries.
#[derive(Debug, Clone)]
pub struct SqsOptions {
    /// The queue's URL, as SQS shows it.
    pub queue_url: String,
    /// How long a consumer holds an entry before another gets it; SQS counts whole seconds, so it is rounded up. Lambda's own
    /// poller goes by the queue's attribute instead.
    pub visibility: Duration,
    /// Where SQS answers; `None`: region, credentials and `AWS_ENDPOINT_URL` are found as every AWS program finds them.
    pub endpoint: Option<SqsEndpoint>,
}

impl SqsOptions {
    /// The defaults for a queue.
    #[must_use]
    pub fn new(queue_url: impl Into<String>) -> Self {
        Self { queue_url: queue_url.into(), visibility: Duration::from_secs(60), endpoint: None }
    }
}

/// An SQS of one's own, which takes any credentials: for tests that share a process and so its environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqsEndpoint {
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    /// The region that it plays.
    pub region: String,
}

impl SqsEndpoint {
    /// An endpoint that plays `us-east-1`.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), region: "us-east-1".to_owned() }
    }
}
