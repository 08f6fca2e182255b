//! Reading a request's body with a bound on its size, its time and its slowness.

use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http_body::Body as _;
use http_body_util::BodyExt as _;
use thiserror::Error;
use tokio::time::{Instant, timeout_at};

use crate::problem::Problem;

/// The time that a whole body may take, where a role has no reason for another.
pub const BODY_TIME: Duration = Duration::from_secs(30);

/// After this time a body has to come at [`LEAST_BYTES_PER_SECOND`]: connections begin slowly.
const GRACE: Duration = Duration::from_secs(5);

/// The slowest that a body may come, on average, once the grace is over.
const LEAST_BYTES_PER_SECOND: u64 = 1_024;

/// The longest silence between two pieces.
const LONGEST_SILENCE: Duration = Duration::from_secs(10);

/// Why a body was not read.
#[derive(Debug, Error)]
pub enum BodyProblem {
    /// It is larger than the bound.
    #[error("the body is larger than {limit} bytes; send less at a time")]
    TooLarge {
        /// The bound in bytes.
        limit: usize,
    },
    /// It came too slowly: in all, or by silence.
    #[error("the body came too slowly: a whole one within {} s, at least {LEAST_BYTES_PER_SECOND} bytes a second", .total.as_secs())]
    TooSlow {
        /// The time for the whole body.
        total: Duration,
    },
    /// The connection ended or broke the protocol before the body was whole.
    #[error("the connection ended before the body was whole")]
    Interrupted {
        /// What the HTTP library says.
        #[source]
        source: axum::Error,
    },
}

impl From<BodyProblem> for Problem {
    fn from(problem: BodyProblem) -> Self {
        let (status, code) = match problem {
            BodyProblem::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"),
            BodyProblem::TooSlow { .. } => (StatusCode::REQUEST_TIMEOUT, "body_too_slow"),
            BodyProblem::Interrupted { .. } => (StatusCode::BAD_REQUEST, "body_interrupted"),
        };
        Self::new(status, code, problem.to_string())
    }
}

/// Reads a whole body of at most `limit` bytes within `total`.
///
/// What is too large is left unread, for the edge to throw away after the answer. Holds at most `limit` bytes and one piece
/// of the connection.
///
/// # Errors
/// [`BodyProblem`].
pub async fn read(mut body: Body, limit: usize, total: Duration) -> Result<Bytes, BodyProblem> {
    let promised = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if promised > limit {
        return Err(BodyProblem::TooLarge { limit });
    }
    let mut pace = Pace { began: Instant::now(), total, bytes: 0 };
    let Some(first) = pace.next(&mut body).await? else { return Ok(Bytes::new()) };
    if first.len() > limit {
        return Err(BodyProblem::TooLarge { limit });
    }
    // Most bodies come in one piece, which is handed on as it is.
    let Some(second) = pace.next(&mut body).await? else { return Ok(first) };
    let mut whole = BytesMut::with_capacity(promised.max(first.len() + second.len()).min(limit));
    whole.extend_from_slice(&first);
    drop(first);
    let mut piece = second;
    loop {
        if whole.len() + piece.len() > limit {
            return Err(BodyProblem::TooLarge { limit });
        }
        whole.extend_from_slice(&piece);
        match pace.next(&mut body).await? {
            Some(next) => piece = next,
            None => return Ok(whole.freeze()),
        }
    }
}

/// How fast a body comes.
struct Pace {
    began: Instant,
    total: Duration,
    bytes: u64,
}

impl Pace {
    /// The next piece that holds bytes; `None` at the end.
    async fn next(&mut self, body: &mut Body) -> Result<Option<Bytes>, BodyProblem> {
        loop {
            let too_slow = || BodyProblem::TooSlow { total: self.total };
            // No timer is set for a piece that is there already.
            let now = Instant::now();
            let until = (self.began + self.total).min(now + LONGEST_SILENCE);
            let frame = timeout_at(until, body.frame()).await.map_err(|_| too_slow())?;
            let Some(frame) = frame else { return Ok(None) };
            let frame = frame.map_err(|source| BodyProblem::Interrupted { source })?;
            let Ok(piece) = frame.into_data() else { continue };
            self.bytes += piece.len() as u64;
            let elapsed = self.began.elapsed();
            if elapsed > GRACE && self.bytes < LEAST_BYTES_PER_SECOND * elapsed.as_secs() {
                return Err(too_slow());
            }
            if !piece.is_empty() {
                return Ok(Some(piece));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures::stream;
    use proptest::prelude::*;

    use super::*;

    fn pieces(pieces: Vec<Vec<u8>>) -> Body {
        Body::from_stream(stream::iter(pieces.into_iter().map(|piece| Ok::<_, Infallible>(Bytes::from(piece)))))
    }

    proptest! {
        /// However a body is cut, it is read whole where it fits and refused where it does not.
        #[test]
        fn is_whole_or_refused(parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..12), limit in 0_usize..200) {
            let whole = parts.concat();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            let read = runtime.block_on(read(pieces(parts), limit, BODY_TIME));
            match read {
                Ok(bytes) => { prop_assert!(whole.len() <= limit); prop_assert_eq!(bytes.as_ref(), whole.as_slice()); }
                Err(BodyProblem::TooLarge { .. }) => prop_assert!(whole.len() > limit),
                Err(other) => prop_assert!(false, "{other}"),
            }
        }
    }

    /// A body of ten bytes every `every`, for ever.
    fn dribble(every: Duration) -> Body {
        Body::from_stream(stream::unfold((), move |()| async move {
            tokio::time::sleep(every).await;
            Some((Ok::<_, Infallible>(Bytes::from_static(&[b'x'; 10])), ()))
        }))
    }

    #[tokio::test(start_paused = true)]
    async fn slowness_is_bounded_by_silence_by_rate_and_in_all() {
        for (every, expected) in
            [(Duration::from_secs(3_600), 10), (Duration::from_secs(1), 6), (Duration::from_millis(600), 5)]
        {
            let began = Instant::now();
            let problem = read(dribble(every), 1 << 20, BODY_TIME).await.unwrap_err();
            assert!(matches!(problem, BodyProblem::TooSlow { .. }), "{problem}");
            assert_eq!(began.elapsed().as_secs(), expected, "{every:?}");
        }
        let began = Instant::now();
        let problem = read(dribble(Duration::from_millis(5)), 1 << 20, BODY_TIME).await.unwrap_err();
        assert!(matches!(problem, BodyProblem::TooSlow { .. }), "{problem}");
        assert!(began.elapsed() <= BODY_TIME + Duration::from_millis(1));
    }
}
