//! An entry of a feed's stream: a version byte, then the messages in postcard.

use std::borrow::Cow;
use std::sync::Arc;

use analytics_domain::{Event, Timestamp};
use redis::{RedisResult, Value};
use serde::{Deserialize, Serialize};

use super::reply::{bytes, entry, unexpected};
use crate::feed::{FeedCursor, FeedMessage};
use crate::ring::weight;

/// The first byte of an entry that this build writes. Feeds live for minutes: a reader skips versions it does not know.
const VERSION: u8 = 1;

/// Bytes of events in memory from which on a publication gets another entry.
const ENTRY_BYTES: usize = 256 << 10;

/// Events of an entry at most: what a slow subscriber loses goes by entries.
const ENTRY_EVENTS: usize = 500;

#[derive(Serialize, Deserialize)]
struct Payload<'a> {
    received_at: Timestamp,
    #[serde(borrow)]
    events: Cow<'a, [Event<'a>]>,
}

/// The entries of one publication: how many messages each holds, and its bytes.
pub(super) fn encode(received_at: Timestamp, events: &[Event<'_>]) -> Vec<(usize, Vec<u8>)> {
    let mut entries = Vec::new();
    let mut rest = events;
    while !rest.is_empty() {
        let mut bytes = 0;
        let fitting = rest.iter().take(ENTRY_EVENTS).take_while(|event| {
            bytes += weight(event);
            bytes <= ENTRY_BYTES
        });
        let (part, after) = rest.split_at(fitting.count().max(1));
        let payload = Payload { received_at, events: Cow::Borrowed(part) };
        // Postcard refuses only what has no known length or no room; neither is the case here.
        if let Ok(encoded) = postcard::to_extend(&payload, vec![VERSION]) {
            entries.push((part.len(), encoded));
        }
        rest = after;
    }
    entries
}

/// An entry as it is read: its messages, and how many the feed had before it.
#[derive(Debug)]
pub(super) struct FeedEntry {
    pub(super) cursor: FeedCursor,
    pub(super) before: u64,
    pub(super) messages: Vec<FeedMessage>,
}

impl FeedEntry {
    /// Reads an entry; one of a version that this build does not know has no messages.
    pub(super) fn read(value: Value) -> RedisResult<Option<Self>> {
        const WHAT: &str = "a feed's entry";
        let Some((id, fields)) = entry(value)? else { return Ok(None) };
        let (millis, sequence) = parse_id(&id).ok_or_else(|| unexpected(WHAT))?;
        let cursor = FeedCursor { millis, sequence, index: u32::MAX };
        let mut read = Self { cursor, before: 0, messages: Vec::new() };
        let mut fields = fields.into_iter();
        while let (Some(name), Some(value)) = (fields.next(), fields.next()) {
            let value = bytes(value);
            match &bytes(name)[..] {
                b"s" => read.before = std::str::from_utf8(&value).ok().and_then(|text| text.parse().ok()).unwrap_or(0),
                b"d" => read.messages = messages(millis, sequence, &value),
                _ => {}
            }
        }
        Ok(Some(read))
    }
}

fn messages(millis: u64, sequence: u64, payload: &[u8]) -> Vec<FeedMessage> {
    let Some((&VERSION, fields)) = payload.split_first() else { return Vec::new() };
    let Ok(payload) = postcard::from_bytes::<Payload<'_>>(fields) else { return Vec::new() };
    let received_at = payload.received_at;
    (0..)
        .zip(payload.events.into_owned())
        .map(|(index, event)| FeedMessage {
            cursor: FeedCursor { millis, sequence, index },
            received_at,
            event: Arc::new(event.into_owned()),
        })
        .collect()
}

/// The two numbers of a stream id.
pub(super) fn parse_id(id: &str) -> Option<(u64, u64)> {
    let (millis, sequence) = id.split_once('-')?;
    Some((millis.parse().ok()?, sequence.parse().ok()?))
}

/// The stream id that a cursor lies in.
pub(super) fn id_of(cursor: FeedCursor) -> String {
    format!("{}-{}", cursor.millis, cursor.sequence)
}
