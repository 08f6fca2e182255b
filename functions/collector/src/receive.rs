//! The verb receive: a body comes in, never more of it than allowed.

use std::time::Duration;

use analytics_host::body;
use axum::body::{Body, HttpBody as _};
use bytes::Bytes;
use http::{HeaderMap, header};
use http_body_util::BodyExt as _;
use tokio::time::timeout;

use crate::budget::Held;
use crate::collect::Collector;
use crate::refusal::Refusal;

/// A body as it was sent.
pub(crate) struct Received {
    pub(crate) bytes: Bytes,
    /// Its share of the budget, held until the bytes are gone.
    pub(crate) _held: Held,
}

/// Of a body that is refused so much is read and thrown away, so that its client gets to see the answer: a connection that
/// is closed with bytes unread is reset, and the answer with it.
const DISCARDED_BYTES: usize = 2 << 20;

/// How long that may take.
const DISCARD_TIME: Duration = Duration::from_secs(5);

/// Reads the body.
pub(crate) async fn receive(collector: &Collector, headers: &HeaderMap, body: Body) -> Result<Received, Refusal> {
    let limit = collector.limits.body_bytes;
    // A body without a length may become as large as any.
    let promised = body.size_hint().exact().and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(limit);
    if promised <= limit {
        match collector.budget.hold(promised) {
            Ok(held) => {
                let bytes = body::read(body, limit, collector.limits.body_time).await?;
                return Ok(Received { bytes, _held: held });
            }
            Err(overloaded) => {
                discard(body, headers).await;
                return Err(overloaded);
            }
        }
    }
    discard(body, headers).await;
    Err(Refusal::BodyTooLarge { limit, inflated: false })
}

/// Reads and throws away what is left of a refused body, as far as that is worth it.
pub(crate) async fn discard(mut body: Body, headers: &HeaderMap) {
    // Who asks before sending gets the answer instead of a go-ahead.
    if headers.contains_key(header::EXPECT) {
        return;
    }
    let reading = async {
        let mut length = 0;
        while let Some(Ok(frame)) = body.frame().await {
            length += frame.data_ref().map_or(0, Bytes::len);
            if length > DISCARDED_BYTES {
                break;
            }
        }
    };
    // Late or not, the answer is the same.
    let _ = timeout(DISCARD_TIME, reading).await;
}
