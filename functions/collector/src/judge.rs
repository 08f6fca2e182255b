//! The verbs inflate, decode and limit, and the making of the queue's entry: all that is work and no waiting.

use std::borrow::Cow;
use std::sync::Arc;

use analytics_domain::rejection::count_by_code;
use analytics_domain::{Batch, DecodeContext, Timestamp, decode};
use analytics_messaging::Entry;
use bytes::Bytes;

use crate::answer;
use crate::collect::{Admission, Collector};
use crate::inflate::inflate;
use crate::receive::Received;
use crate::refusal::Refusal;

/// What is to be done with a body.
pub(crate) struct Judged {
    /// What goes to the queue.
    pub(crate) entry: Entry,
    /// How many of its events were accepted.
    pub(crate) accepted: usize,
    /// The answer's body.
    pub(crate) answer: Vec<u8>,
}

/// Bodies up to this size are worked on where they are: that takes less than a tenth of a millisecond. Larger ones would
/// hold up the other connections of their thread.
const SMALL: usize = 64 << 10;

/// Judges a body.
pub(crate) async fn judge(
    collector: &Arc<Collector>,
    admission: Admission,
    received: Received,
) -> Result<Judged, Refusal> {
    let received_at = collector.clock.now();
    if received.bytes.len() <= SMALL {
        // What turns out to be large is begun again among the large ones.
        match unpack(&received.bytes, &admission, SMALL.min(collector.limits.inflated_bytes)) {
            Ok(plain) => return work(collector, &admission, &plain, received_at),
            Err(Refusal::BodyTooLarge { .. }) => {}
            Err(refusal) => return Err(refusal),
        }
    }
    let hand = collector.budget.hand().await?;
    let collector = Arc::clone(collector);
    let working = tokio::task::spawn_blocking(move || {
        let judged = unpack(&received.bytes, &admission, collector.limits.inflated_bytes)
            .and_then(|plain| work(&collector, &admission, &plain, received_at));
        // Both are held until nothing of the body is left.
        drop((received, hand));
        judged
    });
    match working.await {
        Ok(judged) => judged,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Err(Refusal::Overloaded),
    }
}

/// The plain body, of at most `limit` bytes.
fn unpack<'b>(bytes: &'b Bytes, admission: &Admission, limit: usize) -> Result<Cow<'b, [u8]>, Refusal> {
    match admission.encoding {
        None if bytes.len() <= limit => Ok(Cow::Borrowed(bytes)),
        None => Err(Refusal::BodyTooLarge { limit, inflated: false }),
        Some(encoding) => inflate(bytes, encoding, limit)
            .map(Cow::Owned)
            .map_err(|error| Refusal::of_inflating(error, encoding, limit)),
    }
}

/// Decodes, counts against the sender's rate, and writes entry and answer.
fn work(collector: &Collector, admission: &Admission, plain: &[u8], received_at: Timestamp) -> Result<Judged, Refusal> {
    let context = DecodeContext { received_at, retention: collector.retention.get() };
    let mut ids = collector.ids.batch(received_at);
    let batch_id = ids();
    let decoded = decode(plain, &context, &mut ids).map_err(Refusal::Body)?;
    if let Some(limiter) = &collector.limiter {
        limiter.take(&admission.sender, decoded.events.len() + decoded.rejected.len())?;
    }
    collector.meters.judged(&decoded.events, &decoded.rejected);
    let answer = answer::body(&decoded);
    let accepted = decoded.events.len();
    let batch = Batch {
        id: batch_id,
        project: admission.project.clone(),
        received_at,
        refused: count_by_code(&decoded.rejected),
        context: None,
        events: decoded.events,
    };
    let events = u32::try_from(accepted).unwrap_or(u32::MAX);
    // Counts of refused events alone have nothing to add to.
    let facts = admission.facts.as_ref().filter(|_| accepted > 0);
    let entry = Entry { project: admission.project.clone(), events, payload: Bytes::from(batch.encode_with(facts)) };
    Ok(Judged { entry, accepted, answer })
}
