//! A batch as a queue entry: a version byte, then the version's fields.
//!
//! The layout of a version never changes once it has been queued anywhere. Version 1 is postcard (its documented wire
//! format: varints, length-prefixed texts, fields in order) of [`Batch`]. A later version gets a new first byte and a
//! decoder beside the old one, since entries of both lie in the queue during an upgrade.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

use crate::{Event, Project, Timestamp};

/// The first byte of an envelope that this build writes.
pub const VERSION: u8 = 1;

/// Whether a first byte names a version, of this build or of a later one.
///
/// Versions stay below 32, the first printable character, and are never the white space that is below it. So a text, and
/// the first byte of a zstd frame, are told from an envelope by one look.
const fn is_version(byte: u8) -> bool {
    matches!(byte, 1..=8 | 11 | 12 | 14..=31)
}

/// One accepted body: it stays together from the collector to the store's transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch<'a> {
    /// The batch's own id, a UUIDv7.
    pub id: Uuid,
    /// Whose events these are.
    pub project: Project,
    /// When the collector received it: the `created_at` of its events.
    pub received_at: Timestamp,
    /// How many events of the same body were refused, by the stable code of the reason, sorted by code.
    #[serde(borrow)]
    pub refused: Vec<(Cow<'a, str>, u32)>,
    /// What the collector saw of the sender, where it was asked to keep it.
    #[serde(borrow)]
    pub context: Option<BatchContext<'a>>,
    /// The accepted events in the body's order; empty where the body held only refused ones.
    #[serde(borrow)]
    pub events: Vec<Event<'a>>,
}

/// What the collector saw of a batch's sender.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchContext<'a> {
    /// The user agent, cut to 512 bytes.
    #[serde(borrow)]
    pub user_agent: Option<Cow<'a, str>>,
    /// The address with its host part zeroed (IPv4 /24, IPv6 /48), as text.
    #[serde(borrow)]
    pub address: Option<Cow<'a, str>>,
}

/// A queue entry that is no envelope of ours.
#[derive(Debug, Error)]
pub enum EnvelopeError {
    /// The entry is empty or its fields cannot be read.
    #[error("the queue entry is no batch: its fields cannot be read")]
    Unreadable,
    /// The entry was written by a later build.
    #[error("the queue entry has version {found}, this build reads up to {VERSION}; upgrade the processor first")]
    NewerVersion {
        /// The entry's first byte.
        found: u8,
    },
}

impl EnvelopeError {
    /// The stable word of the dead letter that such an entry becomes.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable_entry",
            Self::NewerVersion { .. } => "newer_version",
        }
    }
}

impl<'a> Batch<'a> {
    /// The queue entry of this batch.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut entry = Vec::with_capacity(64 + self.events.len() * 160);
        entry.push(VERSION);
        postcard::to_extend(self, entry).unwrap_or_else(|error| {
            // Postcard fails only on sequences of unknown length and on full fixed buffers; a batch has neither.
            unreachable!("a batch can always be encoded: {error}")
        })
    }

    /// Reads a queue entry; texts borrow from it.
    ///
    /// # Errors
    /// [`EnvelopeError`] where the entry is not an envelope of a known version.
    pub fn decode(entry: &'a [u8]) -> Result<Self, EnvelopeError> {
        match entry.split_first() {
            Some((&VERSION, fields)) => postcard::from_bytes(fields).map_err(|_| EnvelopeError::Unreadable),
            Some((&found, _)) if is_version(found) => Err(EnvelopeError::NewerVersion { found }),
            _ => Err(EnvelopeError::Unreadable),
        }
    }
}

/// How many events an entry holds, without reading them; `None` where it is no envelope of a known version.
#[must_use]
pub fn count_events(entry: &[u8]) -> Option<usize> {
    type Head<'a> = (Uuid, &'a str, Timestamp, Vec<(Cow<'a, str>, u32)>, Option<BatchContext<'a>>);
    let fields = entry.strip_prefix(&[VERSION])?;
    let (_, rest) = postcard::take_from_bytes::<Head<'_>>(fields).ok()?;
    postcard::take_from_bytes::<usize>(rest).ok().map(|(events, _)| events)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn batch() -> Batch<'static> {
        Batch {
            id: Uuid::from_u128(7),
            project: Project::default(),
            received_at: Timestamp::from_micros(1_700_000_000_000_001),
            refused: vec![("invalid_field".into(), 2)],
            context: None,
            events: vec![Event {
                id: Uuid::from_u128(9),
                client_id: true,
                session_id: "s".into(),
                user_id: None,
                event_type: "t".into(),
                event_action: "a".into(),
                metadata: "{}".into(),
                timestamp: Timestamp::from_micros(1_700_000_000_000_000),
            }],
        }
    }

    #[test]
    fn comes_back_as_it_went_in_and_borrows() {
        let entry = batch().encode();
        let read = Batch::decode(&entry).unwrap();
        assert_eq!(read, batch());
        assert!(matches!(read.events[0].session_id, Cow::Borrowed(_)));
        assert_eq!(count_events(&entry), Some(1));
        assert_eq!(count_events(&entry[1..]), None);
    }

    /// The bytes of version 1 are fixed: entries of an older build lie in queues.
    #[test]
    fn version_1_is_frozen() {
        let hex: String = batch().encode().iter().map(|byte| format!("{byte:02x}")).collect();
        insta::assert_snapshot!(hex);
    }

    #[test]
    fn says_what_is_wrong() {
        assert!(matches!(Batch::decode(&[]), Err(EnvelopeError::Unreadable)));
        for found in [2, 8, 11, 31] {
            assert!(
                matches!(Batch::decode(&[found, 0]), Err(EnvelopeError::NewerVersion { found: told }) if told == found)
            );
        }
        let entry = batch().encode();
        for length in 0..entry.len() {
            assert!(Batch::decode(&entry[..length]).is_err());
        }
    }

    proptest! {
        /// What a later build wrote waits for an upgrade; what nobody of us wrote does not.
        #[test]
        fn a_text_is_never_taken_for_a_later_version(text in "\\PC.*|[\t\n\r].*") {
            prop_assert!(matches!(Batch::decode(text.as_bytes()), Err(EnvelopeError::Unreadable)));
        }

        #[test]
        fn nothing_but_a_version_is_a_version(first in any::<u8>(), rest in proptest::collection::vec(any::<u8>(), 0..64)) {
            let entry: Vec<u8> = std::iter::once(first).chain(rest).collect();
            let newer = matches!(Batch::decode(&entry), Err(EnvelopeError::NewerVersion { .. }));
            prop_assert_eq!(newer, (2..32).contains(&first) && !b"\t\n\r".contains(&first));
        }
    }
}
