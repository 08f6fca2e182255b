//! The body of a request on its way in: the watch sees whether it is waited for, and what nobody reads is thrown away.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::header;
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::runtime::Handle;

use super::pulse::Pulse;

/// Most bytes of a body that are thrown away after an answer that did not wait for them.
const DRAINED_BYTES: usize = 2 << 20;

/// The longest that this may take.
const DRAIN_TIME: Duration = Duration::from_secs(10);

/// The request with its body as handlers read it.
pub(super) fn watched(request: hyper::Request<Incoming>, pulse: &Arc<Pulse>) -> axum::extract::Request {
    let expects = request.headers().contains_key(header::EXPECT);
    request.map(|incoming| {
        if incoming.is_end_stream() {
            return Body::empty();
        }
        let upload = Upload::begin(incoming, Arc::clone(pulse));
        Body::new(RequestBody { upload: Some(upload), drains: !expects })
    })
}

/// A body whose end has not come yet.
struct Upload {
    incoming: Incoming,
    pulse: Arc<Pulse>,
    awaited: bool,
}

impl Upload {
    fn begin(incoming: Incoming, pulse: Arc<Pulse>) -> Self {
        pulse.upload_began();
        Self { incoming, pulse, awaited: false }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.incoming).poll_frame(cx);
        self.awaits(polled.is_pending());
        polled
    }

    fn awaits(&mut self, awaited: bool) {
        if self.awaited != awaited {
            self.awaited = awaited;
            self.pulse.upload_awaited(awaited);
        }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.awaits(false);
        self.pulse.upload_ended();
    }
}

/// The body that a handler gets.
///
/// Dropped before its end it is read on in the background: the answer goes out at once, and its client, who may write all
/// before it reads, is not reset under it. A connection that is closed with bytes unread is reset, and the answer with it;
/// of HTTP/2, some clients lose the answer of a stream that is reset although the reset says that nothing is wrong.
struct RequestBody {
    upload: Option<Upload>,
    /// Whether what nobody reads is thrown away. Not where the client asks before sending and nobody has asked for the
    /// body: it gets the answer instead of a go-ahead.
    drains: bool,
}

impl http_body::Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        self.drains = true;
        let Some(upload) = &mut self.upload else { return Poll::Ready(None) };
        let frame = ready!(upload.poll(cx));
        if !matches!(frame, Some(Ok(_))) {
            self.upload = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.upload.as_ref().is_none_or(|upload| upload.incoming.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.upload.as_ref().map_or_else(|| SizeHint::with_exact(0), |upload| upload.incoming.size_hint())
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        let left = self.upload.take().filter(|upload| self.drains && !upload.incoming.is_end_stream());
        // Without a runtime the connection is gone too.
        if let (Some(upload), Ok(runtime)) = (left, Handle::try_current()) {
            runtime.spawn(drain(upload));
        }
    }
}

/// Reads and throws away, as far as that is worth it; the connection ends where more is left.
async fn drain(mut upload: Upload) {
    let reading = async {
        let mut bytes = 0;
        while let Some(Ok(frame)) = poll_fn(|cx| upload.poll(cx)).await {
            bytes += frame.data_ref().map_or(0, Bytes::len);
            if bytes > DRAINED_BYTES {
                break;
            }
        }
    };
    // Late or not, the answer is out.
    let _ = tokio::time::timeout(DRAIN_TIME, reading).await;
}
