//! The verb receive: a body comes in, never more of it than allowed.

use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body_util::BodyExt;
use tokio::time::timeout;

use crate::budget::Held;
use crate::collect::Collector;
use crate::refusal::Refusal;

/// A body as it was sent.
pub(crate) struct Received {
    pub(crate) bytes: Bytes,
    /// Its share of the budget, held until the bytes are gone.
    pub(crate) held: Held,
}

/// Of a body that is refused so much is read and thrown away, so that its client gets to see the answer: a connection that
/// is closed with bytes unread is reset, and the answer with it.
const DISCARDED_BYTES: usize = 4 << 20;

/// How long that may take.
const DISCARD_TIME: Duration = Duration::from_secs(5);

/// Reads the body.
pub(crate) async fn receive(collector: &Collector, headers: &HeaderMap, mut body: Body) -> Result<Received, Refusal> {
    let limit = collector.limits.body_bytes;
    let too_large = Refusal::BodyTooLarge { limit, inflated: false };
    let announced = announced_bytes(headers);
    if announced.is_some_and(|announced| announced > limit as u64) {
        discard(body, headers).await;
        return Err(too_large);
    }
    let mut held = collector.budget.hold();
    let announced = announced.and_then(|announced| usize::try_from(announced).ok());
    if let Err(overloaded) = held.grow_to(announced.unwrap_or(0)) {
        discard(body, headers).await;
        return Err(overloaded);
    }
    let reading = async {
        let mut whole: Option<Bytes> = None;
        let mut pieces = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_| Refusal::BodyInterrupted)?.into_data() else { continue };
            let length = whole.as_ref().map_or(0, Bytes::len) + pieces.len() + data.len();
            if length > limit {
                return Err(Refusal::BodyTooLarge { limit, inflated: false });
            }
            held.grow_to(length)?;
            // Most bodies are one piece, which is kept as it is.
            if pieces.is_empty() && whole.is_none() {
                whole = Some(data);
                continue;
            }
            if let Some(first) = whole.take() {
                pieces.reserve(announced.unwrap_or(0).max(length));
                pieces.extend_from_slice(&first);
            }
            pieces.extend_from_slice(&data);
        }
        Ok(whole.unwrap_or_else(|| pieces.freeze()))
    };
    match timeout(collector.limits.body_time, reading).await {
        Ok(Ok(bytes)) => Ok(Received { bytes, held }),
        Ok(Err(refusal)) => {
            drop(held);
            discard(body, headers).await;
            Err(refusal)
        }
        Err(_) => Err(Refusal::BodyTimeout { seconds: collector.limits.body_time.as_secs() }),
    }
}

/// Reads and throws away what is left of a refused body, as far as that is worth it.
pub(crate) async fn discard(mut body: Body, headers: &HeaderMap) {
    // Who asks before sending gets the answer instead of a go-ahead, and what is beyond every measure is cut off.
    if headers.contains_key(header::EXPECT) || announced_bytes(headers).is_some_and(|bytes| bytes > DISCARDED_BYTES as u64) {
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

fn announced_bytes(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
