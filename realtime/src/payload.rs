//! What is shown, written as JSON once and shared by every reader.

use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};

use analytics_messaging::{FeedCursor, FeedMessage};
use axum::extract::ws::Utf8Bytes;

use crate::subscription::SubscriptionId;

/// Which message carries a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A stored event.
    Event,
    /// The first answer of a live query.
    Snapshot,
    /// A later answer of a live query.
    Update,
}

impl Kind {
    /// What stands before the subscription's id and between it and the body.
    const fn pieces(self) -> (&'static str, &'static str) {
        match self {
            Self::Event => (r#"{"type":"event","id":"#, r#","event":"#),
            Self::Snapshot => (r#"{"type":"snapshot","id":"#, r#","result":"#),
            Self::Update => (r#"{"type":"update","id":"#, r#","result":"#),
        }
    }
}

/// An event or an answer as JSON, and its place in the feed.
///
/// Most readers of a payload give their subscription the same id (they run the same page), so the whole message is kept
/// for the first id that asks: those readers share its bytes, others pay one copy.
#[derive(Debug)]
pub(crate) struct Payload {
    body: String,
    cursor: FeedCursor,
    first: OnceLock<(Kind, SubscriptionId, Utf8Bytes)>,
}

impl Payload {
    /// A payload of `body`, which must be JSON.
    pub(crate) fn new(body: String, cursor: FeedCursor) -> Arc<Self> {
        Arc::new(Self { body, cursor, first: OnceLock::new() })
    }

    /// The payload of a stored event.
    pub(crate) fn of_event(message: &FeedMessage) -> Arc<Self> {
        Self::new(event_json(message), message.cursor)
    }

    /// Its place in the feed.
    pub(crate) fn cursor(&self) -> FeedCursor {
        self.cursor
    }

    /// Bytes of the body.
    pub(crate) fn len(&self) -> usize {
        self.body.len()
    }

    /// The message of this payload to the subscription `id`.
    pub(crate) fn message(&self, kind: Kind, id: &SubscriptionId) -> Utf8Bytes {
        let (first_kind, first_id, text) =
            self.first.get_or_init(|| (kind, id.clone(), Utf8Bytes::from(self.write(kind, id))));
        if *first_kind == kind && first_id == id { text.clone() } else { self.write(kind, id).into() }
    }

    fn write(&self, kind: Kind, id: &SubscriptionId) -> String {
        let (before, between) = kind.pieces();
        let mut text = String::with_capacity(before.len() + between.len() + self.body.len() + id.json().len() + 64);
        text.push_str(before);
        text.push_str(id.json());
        text.push_str(between);
        text.push_str(&self.body);
        // Writing to a String cannot fail.
        let _ = write!(text, r#","cursor":"{}"}}"#, self.cursor);
        text
    }
}

/// A text as JSON.
pub(crate) fn json_text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// An event in the shape that every answer of the API gives it.
pub(crate) fn event_json(message: &FeedMessage) -> String {
    let event = &message.event;
    let mut json = String::with_capacity(320 + event.metadata.len());
    // Writing to a String cannot fail. The metadata is canonical JSON since the collector checked it.
    let _ = write!(
        json,
        r#"{{"id":"{}","session_id":{},"user_id":{},"event_type":{},"event_action":{},"metadata":{},"timestamp":"{}","created_at":"{}"}}"#,
        event.id,
        json_text(&event.session_id),
        event.user_id.as_deref().map_or_else(|| "null".to_owned(), json_text),
        json_text(&event.event_type),
        json_text(&event.event_action),
        event.metadata,
        event.timestamp,
        message.received_at,
    );
    json
}

#[cfg(test)]
mod tests {
    use analytics_domain::{Event, Timestamp};
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::*;

    #[test]
    fn writes_the_shape_of_the_api() {
        let message = FeedMessage {
            cursor: FeedCursor { millis: 1, sequence: 2, index: 3 },
            received_at: Timestamp::parse_rfc3339("2026-11-02T10:00:01Z").unwrap(),
            event: Arc::new(Event {
                id: Uuid::from_u128(7),
                client_id: true,
                session_id: "a \"quoted\" \u{1F600} \n".into(),
                user_id: None,
                event_type: "page".into(),
                event_action: "view".into(),
                metadata: r#"{"path":"/docs"}"#.into(),
                timestamp: Timestamp::parse_rfc3339("2026-11-02T10:00:00.000001Z").unwrap(),
            }),
        };
        let payload = Payload::of_event(&message);
        let id = SubscriptionId::new("my \"id\"");
        let text = payload.message(Kind::Event, &id);
        assert_eq!(
            serde_json::from_str::<Value>(text.as_str()).unwrap(),
            json!({
                "type": "event",
                "id": "my \"id\"",
                "event": {
                    "id": "00000000-0000-0000-0000-000000000007",
                    "session_id": "a \"quoted\" \u{1F600} \n",
                    "user_id": null,
                    "event_type": "page",
                    "event_action": "view",
                    "metadata": {"path": "/docs"},
                    "timestamp": "2026-11-02T10:00:00.000001Z",
                    "created_at": "2026-11-02T10:00:01.000000Z",
                },
                "cursor": "1-2-3",
            })
        );
        // The same id shares the bytes, another gets a message of its own.
        assert_eq!(payload.message(Kind::Event, &id).as_str().as_ptr(), text.as_str().as_ptr());
        let other = payload.message(Kind::Event, &SubscriptionId::new("b"));
        assert_eq!(serde_json::from_str::<Value>(other.as_str()).unwrap()["id"], "b");
    }
}
