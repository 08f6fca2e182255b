//! Telling Lambda why a function cannot begin.

use std::time::Duration;

use http::{Method, Request};
use lambda_runtime_api_client::Client;
use lambda_runtime_api_client::body::Body;
use serde::Serialize;
use tracing::debug;

/// How long the runtime's API may take; the log has the reason already.
const PATIENCE: Duration = Duration::from_secs(1);

/// An error as the runtime's API takes it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InitError<'a> {
    error_type: &'a str,
    error_message: &'a str,
}

/// Tells the runtime's API that the function cannot begin and why, so that whoever invokes it reads the reason. A failure
/// to tell it is no error of its own.
pub(crate) async fn tell_failure(reason: &str) {
    let Ok(body) = serde_json::to_vec(&InitError { error_type: "Runtime.InitError", error_message: reason }) else {
        return;
    };
    let request = Request::builder()
        .method(Method::POST)
        .uri("/2018-06-01/runtime/init/error")
        .header("lambda-runtime-function-error-type", "Runtime.InitError")
        .body(Body::from(body));
    let (Ok(request), Ok(client)) = (request, Client::builder().build()) else { return };
    match tokio::time::timeout(PATIENCE, client.call(request)).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => debug!(error, "the failed start could not be told to the runtime"),
        Err(_) => debug!("the runtime took too long to hear of the failed start"),
    }
}
