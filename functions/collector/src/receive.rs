//! The verb receive: a body comes in, never more of it than allowed.

use analytics_host::body;
use axum::body::{Body, HttpBody as _};
use bytes::Bytes;

use crate::budget::Held;
use crate::collect::Collector;
use crate::refusal::Refusal;

/// A body as it was sent.
pub(crate) struct Received {
    pub(crate) bytes: Bytes,
    /// Its share of the budget, held until the bytes are gone.
    pub(crate) _held: Held,
}

/// Reads the body. One that is refused is left unread: the answer goes out at once, and the edge throws the rest away.
pub(crate) async fn receive(collector: &Collector, body: Body) -> Result<Received, Refusal> {
    let limit = collector.limits.body_bytes;
    // A body without a length may become as large as any.
    let promised = body.size_hint().exact().and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(limit);
    if promised > limit {
        return Err(Refusal::BodyTooLarge { limit, inflated: false });
    }
    let held = collector.budget.hold(promised)?;
    let bytes = body::read(body, limit, collector.limits.body_time).await?;
    Ok(Received { bytes, _held: held })
}
