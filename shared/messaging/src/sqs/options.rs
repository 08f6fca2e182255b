//! What an SQS queue is opened with.

use std::fmt;
use std::time::Duration;

/// Which queue it is and how long consumers hold messages.
#[derive(Debug, Clone)]
pub struct SqsOptions {
    /// The queue's URL, as SQS gives it.
    pub queue_url: String,
    /// How long a consumer holds a message before another gets it; whole seconds, rounded up.
    pub visibility: Duration,
    /// Where SQS is and who asks; none: as the SDK reads it from the environment.
    pub endpoint: Option<SqsEndpoint>,
}

impl SqsOptions {
    /// The defaults for a queue.
    #[must_use]
    pub fn new(queue_url: impl Into<String>) -> Self {
        Self { queue_url: queue_url.into(), visibility: Duration::from_secs(60), endpoint: None }
    }
}

/// Where SQS is and who asks, said and not read from the environment.
#[derive(Clone)]
pub struct SqsEndpoint {
    /// `http://127.0.0.1:5000`.
    pub url: String,
    /// The region that requests are signed for.
    pub region: String,
    /// The id of the access key.
    pub access_key_id: String,
    /// The access key.
    pub secret_access_key: String,
}

/// Says nothing of the key.
impl fmt::Debug for SqsEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqsEndpoint").field("url", &self.url).field("region", &self.region).finish_non_exhaustive()
    }
}
