//! A WebSocket: one half reads the client's messages, the other writes what waits for it, neither waits for the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use analytics_access::Admitted;
use analytics_host::shutdown::Shutdown;
use axum::body::Bytes;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, close_code};
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt as _, StreamExt as _};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_tungstenite::tungstenite::Error as ProtocolError;
use tokio_tungstenite::tungstenite::error::CapacityError;
use tracing::debug;

use crate::admission::Place;
use crate::limits::Limits;
use crate::message::{ClientMessage, WELCOME, read_message};
use crate::outbox::Outbox;
use crate::rate::Rate;
use crate::reader::Reader;
use crate::refusal::Refusal;
use crate::router::Realtime;

/// Messages that are written before the socket is flushed.
const WRITTEN_AT_ONCE: usize = 32;

/// Pings without a sign of life after which the client counts as gone.
const MISSED_PINGS: u32 = 2;

/// Why a socket ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The client closed it or is gone.
    Left,
    /// The client did not answer pings.
    Silent,
    /// The client did not read.
    Stuck,
    /// A message was larger than allowed.
    TooLarge,
    /// A text was no UTF-8.
    NoText,
    /// The client broke the protocol.
    Broken,
    /// What let the client in does so no more.
    PutOut,
    /// The server stops.
    Stopping,
}

/// Serves one socket to its end.
pub(crate) async fn serve(socket: WebSocket, guest: Admitted, place: Place, realtime: Arc<Realtime>) {
    let limits = &realtime.sources.limits;
    let outbox = Outbox::new(limits.queue_messages, limits.queue_bytes, realtime.meters.clone());
    outbox.reply(WELCOME);
    let mut reader = Reader::new(guest.grant.project.clone(), realtime.sources.clone(), Arc::clone(&outbox));
    let (mut sink, mut stream) = socket.split();
    let silent_pings = AtomicU32::new(0);
    let end = {
        let reading = read(&mut stream, &mut reader, &outbox, &realtime, &silent_pings);
        let writing = write(&mut sink, &outbox, limits, &silent_pings);
        let stopping = stopping(&realtime.shutdown);
        tokio::select! {
            end = reading => end,
            end = writing => end,
            end = stopping => end,
            () = realtime.admission.put_out(&guest) => End::PutOut,
        }
    };
    // Nothing more is queued for it while it says goodbye.
    drop(reader);
    debug!(end = ?end, "a realtime socket ends");
    close(sink, stream, end, limits).await;
    drop(place);
}

async fn stopping(shutdown: &Shutdown) -> End {
    shutdown.stopping().await;
    End::Stopping
}

async fn read(
    stream: &mut SplitStream<WebSocket>,
    reader: &mut Reader,
    outbox: &Arc<Outbox>,
    realtime: &Realtime,
    silent_pings: &AtomicU32,
) -> End {
    let rate = Rate::new(realtime.sources.limits.messages_per_second);
    loop {
        // Who does not read replies is not read: the lane of replies stays short.
        outbox.room_for_reply().await;
        rate.wait().await;
        let message = match stream.next().await {
            Some(Ok(message)) => message,
            Some(Err(error)) => return end_of(error),
            None => return End::Left,
        };
        silent_pings.store(0, Ordering::Relaxed);
        let refused = match message {
            Message::Text(text) => obey(text.as_str(), reader, realtime).await,
            Message::Binary(_) => Err((None, Refusal::new("invalid_message", "messages are JSON in text frames"))),
            Message::Ping(_) | Message::Pong(_) => Ok(()),
            Message::Close(_) => return End::Left,
        };
        if let Err((id, refusal)) = refused {
            outbox.reply(refusal.to_json(id.as_deref()));
        }
    }
}

async fn obey(text: &str, reader: &mut Reader, realtime: &Realtime) -> Result<(), (Option<String>, Refusal)> {
    match read_message(text, realtime.clock.now()).map_err(|refused| (refused.id, refused.refusal))? {
        ClientMessage::Subscribe(wish) => {
            let id = wish.id.clone();
            reader.subscribe(wish).await.map_err(|refusal| (Some(id), refusal))
        }
        ClientMessage::Unsubscribe { id } => reader.unsubscribe(&id).map_err(|refusal| (Some(id), refusal)),
    }
}

async fn write(
    sink: &mut SplitSink<WebSocket, Message>,
    outbox: &Outbox,
    limits: &Limits,
    silent_pings: &AtomicU32,
) -> End {
    let mut pings = interval(limits.ping_every);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pings.tick().await;
    loop {
        tokio::select! {
            biased;
            _ = pings.tick() => {
                if silent_pings.fetch_add(1, Ordering::Relaxed) >= MISSED_PINGS {
                    return End::Silent;
                }
                match timeout(limits.stuck_after, sink.send(Message::Ping(Bytes::new()))).await {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) => return End::Left,
                    Err(_) => return End::Stuck,
                }
            }
            () = outbox.filled() => {
                for _ in 0..WRITTEN_AT_ONCE {
                    let Some(outgoing) = outbox.take() else { break };
                    match timeout(limits.stuck_after, sink.feed(Message::Text(outgoing.text))).await {
                        Ok(Ok(())) => {}
                        Ok(Err(_)) => return End::Left,
                        Err(_) => return End::Stuck,
                    }
                }
                match timeout(limits.stuck_after, sink.flush()).await {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) => return End::Left,
                    Err(_) => return End::Stuck,
                }
            }
        }
    }
}

fn end_of(error: axum::Error) -> End {
    match error.into_inner().downcast_ref::<ProtocolError>() {
        Some(ProtocolError::Capacity(CapacityError::MessageTooLong { .. })) => End::TooLarge,
        Some(ProtocolError::Utf8(_)) => End::NoText,
        Some(ProtocolError::Protocol(_)) => End::Broken,
        _ => End::Left,
    }
}

/// Says why, and waits a little for the client's goodbye.
async fn close(mut sink: SplitSink<WebSocket, Message>, mut stream: SplitStream<WebSocket>, end: End, limits: &Limits) {
    let frame = match end {
        End::Left => None,
        End::Silent => Some((close_code::POLICY, "two pings were not answered".into())),
        End::PutOut => Some((close_code::POLICY, "the key or the session that opened this has ended".into())),
        End::Stuck => Some((close_code::AGAIN, "the messages were not read".into())),
        End::TooLarge => Some((close_code::SIZE, format!("a message may have {} bytes", limits.message_bytes).into())),
        End::NoText => Some((close_code::INVALID, "a text frame must be UTF-8".into())),
        End::Broken => Some((close_code::PROTOCOL, "the frames break RFC 6455".into())),
        End::Stopping => Some((close_code::RESTART, retry_hint(limits))),
    };
    let goodbye = async {
        let Some((code, reason)) = frame else {
            let _ = sink.close().await;
            return;
        };
        if sink.send(Message::Close(Some(CloseFrame { code, reason }))).await.is_err() {
            return;
        }
        if end == End::TooLarge {
            // What the client still sends cannot be read past the frame that was refused. Closing at once would make its
            // system throw away our reason; so it gets the time to read it.
            tokio::time::sleep(limits.close_grace).await;
            return;
        }
        while let Some(Ok(_)) = stream.next().await {}
    };
    let _ = timeout(limits.close_grace, goodbye).await;
}

/// The reason of a close at shutdown: when to come back, spread so that not all come at once.
fn retry_hint(limits: &Limits) -> Utf8Bytes {
    format!(r#"{{"retry_after_ms":{}}}"#, retry_after_millis(limits)).into()
}

/// A random time of the spread, in milliseconds.
pub(crate) fn retry_after_millis(limits: &Limits) -> u64 {
    let spread = u64::try_from(limits.retry_spread.as_millis()).unwrap_or(u64::MAX);
    rand::random_range(0..=spread)
}
