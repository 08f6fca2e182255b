//! One event, as it travels from the collector to the store.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Timestamp;

/// Longest `session_id`, in Unicode scalar values.
pub const SESSION_ID_MAX: usize = 64;
/// Longest `user_id`, in Unicode scalar values.
pub const USER_ID_MAX: usize = 255;
/// Longest `event_type`, in Unicode scalar values.
pub const EVENT_TYPE_MAX: usize = 100;
/// Longest `event_action`, in Unicode scalar values.
pub const EVENT_ACTION_MAX: usize = 255;
/// Largest `metadata`, in bytes of compact JSON.
pub const METADATA_MAX_BYTES: usize = 32 * 1024;
/// Deepest nesting of `metadata`, the object itself being level 1.
pub const METADATA_MAX_DEPTH: usize = 16;

/// An accepted event; texts borrow from the body or the queue entry that they were read from.
///
/// The order and kinds of the fields are part of envelope versions 1 and 2: a change here is a new envelope version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event<'a> {
    /// The idempotency key, unique in a project; the first stored event with an id wins.
    pub id: Uuid,
    /// Whether the client gave the id; such ids are remembered for `DEDUPE_DAYS`, the collector's own only as long as a
    /// redelivery can come.
    pub client_id: bool,
    /// 1 to [`SESSION_ID_MAX`] characters.
    #[serde(borrow)]
    pub session_id: Cow<'a, str>,
    /// 1 to [`USER_ID_MAX`] characters, where the client knows its user.
    #[serde(borrow)]
    pub user_id: Option<Cow<'a, str>>,
    /// 1 to [`EVENT_TYPE_MAX`] characters.
    #[serde(borrow)]
    pub event_type: Cow<'a, str>,
    /// 1 to [`EVENT_ACTION_MAX`] characters.
    #[serde(borrow)]
    pub event_action: Cow<'a, str>,
    /// A JSON object in canonical form (compact, keys sorted bytewise, doubles in plain decimals); `{}` where none was sent.
    #[serde(borrow)]
    pub metadata: Cow<'a, str>,
    /// When it happened, by the client's word or by the receipt.
    pub timestamp: Timestamp,
}

impl Event<'_> {
    /// The same event with texts of its own.
    #[must_use]
    pub fn into_owned(self) -> Event<'static> {
        Event {
            id: self.id,
            client_id: self.client_id,
            session_id: Cow::Owned(self.session_id.into_owned()),
            user_id: self.user_id.map(|user| Cow::Owned(user.into_owned())),
            event_type: Cow::Owned(self.event_type.into_owned()),
            event_action: Cow::Owned(self.event_action.into_owned()),
            metadata: Cow::Owned(self.metadata.into_owned()),
            timestamp: self.timestamp,
        }
    }
}
