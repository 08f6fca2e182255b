//! The same messages as server-sent events, for clients without WebSocket.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use analytics_access::Admitted;
use analytics_host::client::ClientAddress;
use analytics_host::problem::Problem;
use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Response};
use futures::stream;
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use tokio::time::{Duration, Interval, MissedTickBehavior, interval};

use crate::admission::Place;
use crate::message::{WELCOME, read_cursor, read_subscriptions};
use crate::outbox::{Outbox, Outgoing};
use crate::reader::Reader;
use crate::refusal::Refusal;
use crate::router::{Realtime, project_of};
use crate::socket::retry_after_millis;

/// Bytes that are handed to the connection at once.
const CHUNK_BYTES: usize = 32 * 1024;

/// The pairs of the query string.
type Parameters = Vec<(String, String)>;

/// The parameter `subscribe` of a stream: a subscription as JSON, or a list of them. The other is `project`.
fn subscribe(parameters: Result<Query<Parameters>, QueryRejection>) -> Result<String, Refusal> {
    const EXPECTED: &str = "a JSON object, as {\"events\":{}}, or a list of them";
    let pairs = parameters.map(|Query(pairs)| pairs).unwrap_or_default();
    let mut found = None;
    for (name, value) in pairs {
        if name == "project" {
            continue;
        }
        if name != "subscribe" {
            let name: String = name.chars().take(100).collect();
            let message =
                "there is no such parameter; expected subscribe or project, and the key in the Authorization header";
            return Err(Refusal::new("unknown_field", message).at(name));
        }
        if found.replace(value).is_some() {
            let message = format!("the parameter subscribe is given twice; expected once: {EXPECTED}");
            return Err(Refusal::new("invalid_field", message).at("subscribe"));
        }
    }
    found.ok_or_else(|| {
        Refusal::new("missing_field", format!("the parameter subscribe is missing: {EXPECTED}")).at("subscribe")
    })
}

/// `GET /realtime/sse?subscribe=JSON`.
pub(crate) async fn stream(
    State(realtime): State<Arc<Realtime>>,
    address: Option<Extension<ClientAddress>>,
    headers: HeaderMap,
    uri: Uri,
    parameters: Result<Query<Parameters>, QueryRejection>,
) -> Response {
    let project = project_of(uri.query());
    match open(&realtime, address.map(|Extension(address)| address), &headers, project, parameters).await {
        Ok(body) => {
            let headers = [
                (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
                (header::CACHE_CONTROL, HeaderValue::from_static("no-store, no-transform")),
                // Tells nginx not to gather the stream.
                (header::HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
            ];
            (headers, body).into_response()
        }
        Err(problem) => problem.into_response(),
    }
}

async fn open(
    realtime: &Arc<Realtime>,
    address: Option<ClientAddress>,
    headers: &HeaderMap,
    project: Option<&str>,
    parameters: Result<Query<Parameters>, QueryRejection>,
) -> Result<Body, Problem> {
    realtime.check_running()?;
    let (guest, place) = realtime.admission.admit(headers, address, project).await?;
    let subscribe = subscribe(parameters).map_err(problem)?;
    let limits = Arc::clone(&realtime.sources.limits);
    if subscribe.len() > limits.message_bytes {
        let refusal = Refusal::new("too_large", format!("subscribe may have {} bytes", limits.message_bytes));
        return Err(problem(refusal.at("subscribe")));
    }
    let now = realtime.clock.now();
    let mut wishes = read_subscriptions(&subscribe, limits.subscriptions, now).map_err(problem)?;
    if let Some(last) = headers.get("last-event-id").filter(|last| !last.is_empty()) {
        let since = read_cursor(last.to_str().unwrap_or("?"), now).map_err(problem)?;
        for wish in &mut wishes {
            wish.since = Some(since);
        }
    }
    let outbox = Outbox::new(limits.queue_messages, limits.queue_bytes, realtime.meters.clone());
    outbox.reply(WELCOME);
    let mut reader = Reader::new(guest.grant.project.clone(), realtime.sources.clone(), Arc::clone(&outbox));
    for wish in wishes {
        reader.subscribe(wish).await.map_err(problem)?;
    }
    let reader = Arc::new(Mutex::new(Some(reader)));
    tokio::spawn(end_when_stuck(Arc::downgrade(&reader), Arc::clone(&outbox), limits.stuck_after));
    let mut pings = interval(limits.ping_every);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pings.reset();
    let mut looks = interval(limits.look_every);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    looks.reset();
    let flow =
        Flow { realtime: Arc::clone(realtime), reader, outbox, guest, pings, looks, ended: false, _place: place };
    Ok(Body::from_stream(stream::unfold(flow, Flow::next)))
}

/// An open stream.
struct Flow {
    realtime: Arc<Realtime>,
    /// Taken away by [`end_when_stuck`].
    reader: Arc<Mutex<Option<Reader>>>,
    outbox: Arc<Outbox>,
    guest: Admitted,
    pings: Interval,
    looks: Interval,
    ended: bool,
    _place: Place,
}

impl Flow {
    async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Self)> {
        if self.ended {
            return None;
        }
        if self.reader.lock().unwrap_or_else(PoisonError::into_inner).is_none() {
            self.ended = true;
            return Some((Ok(Bytes::from_static(b"retry: 1000\n\n")), self));
        }
        tokio::select! {
            biased;
            () = self.realtime.shutdown.stopping() => {
                self.ended = true;
                let retry = retry_after_millis(&self.realtime.sources.limits);
                Some((Ok(format!("retry: {retry}\n\n").into()), self))
            }
            _ = self.looks.tick() => {
                let Admitted { grant, pass } = &self.guest;
                if self.realtime.admission.access().still_lets_in(pass, &grant.project).await {
                    return Some((Ok(Bytes::new()), self));
                }
                self.ended = true;
                Some((Ok(Bytes::from_static(b": the key or the session that opened this has ended\n\n")), self))
            }
            () = self.outbox.filled() => {
                let mut chunk = String::new();
                while chunk.len() < CHUNK_BYTES && let Some(outgoing) = self.outbox.take() {
                    write_event(&mut chunk, &outgoing);
                }
                Some((Ok(chunk.into()), self))
            }
            _ = self.pings.tick() => Some((Ok(Bytes::from_static(b": ping\n\n")), self)),
        }
    }
}

/// A message is JSON on one line. Only events move the client's `Last-Event-ID`: an answer may overtake events that wait.
fn write_event(chunk: &mut String, outgoing: &Outgoing) {
    if let Some(event) = &outgoing.event {
        chunk.push_str("id: ");
        chunk.push_str(&event.cursor().to_string());
        chunk.push('\n');
    }
    chunk.push_str("data: ");
    chunk.push_str(outgoing.text.as_str());
    chunk.push_str("\n\n");
}

/// Ends the subscriptions of a stream that nobody reads: while its connection is full, the stream is never asked and could
/// not end by itself.
async fn end_when_stuck(reader: Weak<Mutex<Option<Reader>>>, outbox: Arc<Outbox>, stuck_after: Duration) {
    loop {
        tokio::time::sleep(stuck_after / 4).await;
        let Some(reader) = reader.upgrade() else { return };
        if outbox.stuck_for() >= stuck_after {
            reader.lock().unwrap_or_else(PoisonError::into_inner).take();
            return;
        }
    }
}

fn problem(refusal: Refusal) -> Problem {
    let status = match refusal.code {
        "query_too_large" => StatusCode::UNPROCESSABLE_ENTITY,
        "queries_unavailable" => StatusCode::SERVICE_UNAVAILABLE,
        _ if refusal.passing => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::BAD_REQUEST,
    };
    let mut problem = Problem::new(status, refusal.code, refusal.message);
    if refusal.passing {
        problem = problem.retry_after(5);
    }
    match refusal.path {
        Some(path) => problem.with("path", path),
        None => problem,
    }
}
