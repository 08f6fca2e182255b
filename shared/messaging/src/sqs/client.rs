//! The SDK's client, with our patience, and its errors in one sentence.

use std::time::Duration;

use aws_config::{BehaviorVersion, Region};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::config::timeout::TimeoutConfig;
use aws_sdk_sqs::config::{Builder, Credentials};
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};

use super::options::{SqsEndpoint, SqsOptions};
use crate::queue::QueueError;
use crate::reason::sentence;

/// How long one try of a request may take, and all of its tries.
const A_TRY: Duration = Duration::from_secs(2);
const ALL_TRIES: Duration = Duration::from_millis(3_500);

/// Tries of a request that fails for no fault of ours.
const TRIES: u32 = 3;

/// A client for the queue's own region.
pub(super) async fn client(options: &SqsOptions) -> Client {
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .timeout_config(timeouts(A_TRY, ALL_TRIES))
        .retry_config(RetryConfig::standard().with_max_attempts(TRIES));
    if let Some(region) = region_of(&options.queue_url) {
        loader = loader.region(Region::new(region.to_owned()));
    }
    if let Some(SqsEndpoint { url, region, access_key_id, secret_access_key }) = &options.endpoint {
        let credentials = Credentials::new(access_key_id, secret_access_key, None, None, "options");
        loader = loader.endpoint_url(url).region(Region::new(region.clone())).credentials_provider(credentials);
    }
    Client::new(&loader.load().await)
}

/// The settings of a request that waits at the server for so long.
pub(super) fn waiting(time: Duration) -> Builder {
    let whole = time + A_TRY;
    aws_sdk_sqs::Config::builder().timeout_config(timeouts(whole, whole + A_TRY))
}

fn timeouts(a_try: Duration, all: Duration) -> TimeoutConfig {
    TimeoutConfig::builder().connect_timeout(A_TRY).operation_attempt_timeout(a_try).operation_timeout(all).build()
}

/// The region in the URL of a queue of Amazon's: requests to it are signed for it, whatever the environment says.
fn region_of(url: &str) -> Option<&str> {
    let host = url.split("://").nth(1)?.split(['/', ':']).next()?;
    host.strip_prefix("sqs.")?.split_once(".amazonaws.")?.0.split('.').next()
}

/// What the service or the connection said, without the request.
pub(super) fn told<E, R>(error: &SdkError<E, R>) -> String
where
    SdkError<E, R>: std::error::Error + ProvideErrorMetadata,
{
    match (error.code(), error.message()) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.to_owned(),
        (None, _) => sentence(error),
    }
}

/// Wraps an error with what was being done.
pub(super) fn unavailable<E, R>(doing: &'static str) -> impl FnOnce(SdkError<E, R>) -> QueueError
where
    SdkError<E, R>: std::error::Error + ProvideErrorMetadata,
{
    move |error| QueueError::Unavailable { doing, source: told(&error).into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_stands_in_the_url() {
        assert_eq!(region_of("https://sqs.eu-central-1.amazonaws.com/1/q"), Some("eu-central-1"));
        assert_eq!(region_of("https://sqs.cn-north-1.amazonaws.com.cn/1/q"), Some("cn-north-1"));
        assert_eq!(region_of("http://127.0.0.1:5000/1/q"), None);
        assert_eq!(region_of("nonsense"), None);
    }
}
