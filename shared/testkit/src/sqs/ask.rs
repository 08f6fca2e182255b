//! One of SQS's actions, asked for over HTTP.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use crate::http::post;

/// Longer than SQS holds back an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Asks a server for one of SQS's actions in `region`; the status and the JSON of the answer.
pub(super) fn ask(server: SocketAddr, region: &str, action: &str, body: &[u8]) -> io::Result<(u16, Vec<u8>)> {
    // The server learns service and region from the signature's scope and does not look at the signature.
    let headers = format!(
        "Content-Type: application/x-amz-json-1.0\r\nX-Amz-Target: AmazonSQS.{action}\r\nAuthorization: AWS4-HMAC-SHA256 \
         Credential=test/20260101/{region}/sqs/aws4_request, SignedHeaders=host, Signature=0\r\n"
    );
    post(server, "/", &headers, body, PATIENCE)
}
