//! The client of one queue, and the requests that more than one side makes.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::config::timeout::TimeoutConfig;
use aws_sdk_sqs::config::{BehaviorVersion, Builder, Config, Credentials, Region};
use aws_sdk_sqs::types::QueueAttributeName;
use tokio::time::timeout;

use super::fault::Fault;
use super::mean::Mean;
use super::options::{SqsEndpoint, SqsOptions};
use crate::queue::QueueError;

/// Most entries of one batch request, and of one receipt.
pub(super) const MOST_ENTRIES: usize = 10;

/// How long a connection may take to be made.
const CONNECT_TIME: Duration = Duration::from_millis(1_000);

/// How long one attempt at a request may take.
pub(super) const ATTEMPT_TIME: Duration = Duration::from_secs(2);

/// How long a request may take, with all of its attempts.
pub(super) const REQUEST_TIME: Duration = Duration::from_millis(3_500);

/// How long a look at the queue's attributes may take, and finding out where the queue is.
const LOOK_TIME: Duration = Duration::from_secs(2);

/// The pause before a second attempt is about so long at first.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// A queue's client and what this process knows of it.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) client: aws_sdk_sqs::Client,
    pub(super) queue_url: String,
    pub(super) mean: Mean,
}

impl Link {
    /// A client; no request is made to the queue yet.
    pub(super) async fn new(options: &SqsOptions) -> Result<Self, QueueError> {
        let builder = match &options.endpoint {
            Some(endpoint) => fixed(endpoint),
            None => found(&options.queue_url).await?,
        };
        let config = builder
            .timeout_config(timeouts(Duration::ZERO))
            .retry_config(RetryConfig::standard().with_max_attempts(3).with_initial_backoff(FIRST_PAUSE))
            .build();
        let client = aws_sdk_sqs::Client::from_conf(config);
        Ok(Self { client, queue_url: options.queue_url.clone(), mean: Mean::default() })
    }

    /// What the queue says of itself, by the attributes' names.
    pub(super) async fn attributes(
        &self,
        names: &[QueueAttributeName],
    ) -> Result<HashMap<QueueAttributeName, String>, Fault> {
        let asked = self.client.get_queue_attributes().queue_url(&self.queue_url);
        let asked = asked.set_attribute_names(Some(names.to_vec())).send();
        match timeout(LOOK_TIME, asked).await {
            Ok(Ok(told)) => Ok(told.attributes.unwrap_or_default()),
            Ok(Err(error)) => Err(Fault::of(&error)),
            Err(_) => Err(Fault::Unanswered(format!("not within {} s", LOOK_TIME.as_secs()))),
        }
    }
}

/// The limits of a request that SQS holds back for as long as `wait`.
pub(super) fn timeouts(wait: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIME)
        .operation_attempt_timeout(wait + ATTEMPT_TIME)
        .operation_timeout(wait + REQUEST_TIME)
        .build()
}

/// An endpoint that takes any credentials.
fn fixed(endpoint: &SqsEndpoint) -> Builder {
    Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(&endpoint.url)
        .region(Region::new(endpoint.region.clone()))
        .credentials_provider(Credentials::new("test", "test", None, None, "a fixed endpoint"))
}

/// The region, credentials and endpoint that every AWS program finds: in its variables, its files, its machine.
async fn found(queue_url: &str) -> Result<Builder, QueueError> {
    const DOING: &str = "find out its region";
    let searched = timeout(LOOK_TIME, aws_config::load_defaults(BehaviorVersion::latest())).await;
    let shared =
        searched.map_err(|_| Fault::Unanswered("the machine tells no region".to_owned()).while_it_should(DOING))?;
    let builder = Config::from(&shared).to_builder();
    match (shared.region(), region_of(queue_url)) {
        (Some(_), _) => Ok(builder),
        (None, Some(region)) => Ok(builder.region(Region::new(region.to_owned()))),
        (None, None) => Err(QueueError::Misconfigured {
            problem: format!("the AWS region of the queue {queue_url} is not known"),
            mend: "set AWS_REGION".to_owned(),
        }),
    }
}

/// The region that an AWS queue's URL names: `https://sqs.REGION.amazonaws.com/ACCOUNT/NAME`.
fn region_of(queue_url: &str) -> Option<&str> {
    let host = queue_url.split_once("://")?.1.split('/').next()?;
    let (region, domain) = host.strip_prefix("sqs.")?.split_once('.')?;
    domain.starts_with("amazonaws.com").then_some(region)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_aws_url_names_its_region() {
        let region = region_of("https://sqs.eu-central-1.amazonaws.com/123456789012/events");
        assert_eq!(region, Some("eu-central-1"));
        assert_eq!(region_of("https://sqs.cn-north-1.amazonaws.com.cn/123456789012/events"), Some("cn-north-1"));
        for other in ["http://127.0.0.1:9324/123456789012/events", "https://sqs.example.com/1/q", "events", ""] {
            assert_eq!(region_of(other), None, "{other}");
        }
    }
}
