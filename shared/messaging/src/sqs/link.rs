//! The client of one queue, and the requests that more than one side makes.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::config::timeout::TimeoutConfig;
use aws_sdk_sqs::config::{BehaviorVersion, Builder, Config, Credentials, Region};
use aws_sdk_sqs::types::QueueAttributeName;
use tokio::time::timeout;
#[cfg(not(feature = "credential-chain"))]
use variables::found;

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
#[cfg(feature = "credential-chain")]
async fn found(queue_url: &str) -> Result<Builder, QueueError> {
    const DOING: &str = "find out its region";
    let searched = timeout(LOOK_TIME, aws_config::load_defaults(BehaviorVersion::latest())).await;
    let shared =
        searched.map_err(|_| Fault::Unanswered("the machine tells no region".to_owned()).while_it_should(DOING))?;
    let region = region_for(shared.region().cloned(), queue_url)?;
    Ok(Config::from(&shared).to_builder().region(region))
}

/// What a function has, which Lambda gives region and credentials in its variables: a small build looks nowhere else.
#[cfg(not(feature = "credential-chain"))]
mod variables {
    use aws_config::environment::{EnvironmentVariableCredentialsProvider, EnvironmentVariableRegionProvider};
    use aws_config::meta::region::ProvideRegion as _;
    use aws_sdk_sqs::config::{BehaviorVersion, Builder, Config};

    use super::{origin_of, region_for, region_of};
    use crate::queue::QueueError;

    /// The region and credentials of the process's variables. A queue that is not AWS's own answers where its URL says.
    pub(super) async fn found(queue_url: &str) -> Result<Builder, QueueError> {
        let region = region_for(EnvironmentVariableRegionProvider::new().region().await, queue_url)?;
        let builder = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(region)
            .credentials_provider(EnvironmentVariableCredentialsProvider::new());
        match (region_of(queue_url), origin_of(queue_url)) {
            (None, Some(origin)) => Ok(builder.endpoint_url(origin)),
            _ => Ok(builder),
        }
    }
}

/// The region that was found, else the one that the queue's URL names.
fn region_for(found: Option<Region>, queue_url: &str) -> Result<Region, QueueError> {
    found.or_else(|| region_of(queue_url).map(|region| Region::new(region.to_owned()))).ok_or_else(|| {
        QueueError::Misconfigured {
            problem: format!("the AWS region of the queue {queue_url} is not known"),
            mend: "set AWS_REGION".to_owned(),
        }
    })
}

/// The scheme, host and port of a queue's URL.
#[cfg(any(test, not(feature = "credential-chain")))]
fn origin_of(queue_url: &str) -> Option<&str> {
    let host = queue_url.find("://")? + "://".len();
    let length = queue_url[host..].find('/').unwrap_or(queue_url.len() - host);
    (length > 0).then(|| &queue_url[..host + length])
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

    #[test]
    fn a_queue_of_ones_own_answers_where_its_url_says() {
        assert_eq!(origin_of("http://127.0.0.1:9324/123456789012/events"), Some("http://127.0.0.1:9324"));
        assert_eq!(origin_of("https://sqs.example.com"), Some("https://sqs.example.com"));
        assert_eq!(origin_of("events"), None);
        assert_eq!(origin_of("http:///events"), None);
    }

    #[test]
    fn a_queue_whose_region_nobody_knows_is_told_with_the_mend() {
        let error = region_for(None, "http://127.0.0.1:9324/1/events").unwrap_err();
        assert!(matches!(error, QueueError::Misconfigured { mend, .. } if mend == "set AWS_REGION"));
        assert_eq!(region_for(Some(Region::new("eu-west-1")), "").unwrap(), Region::new("eu-west-1"));
    }
}
