//! A batch as a queue entry: a version byte, then the version's fields.
//!
//! The layout of a version never changes once it has been queued anywhere. All are postcard (its documented wire format:
//! varints, length-prefixed texts, fields in order). A later version gets a new first byte and a decoder beside the old ones,
//! since entries of all lie in the queue during an upgrade.
//!
//! | version | fields |
//! |---|---|
//! | 1 | [`Batch`] |
//! | 2 | [`Facts`], then [`Batch`] as in version 1 |
//!
//! What is written is the oldest version that can say it: a batch without facts is of version 1, which every build reads.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

use crate::{Event, Facts, Project, Timestamp};

/// The first byte of a batch alone.
const ALONE: u8 = 1;

/// The first byte of a batch with facts.
const WITH_FACTS: u8 = 2;

/// The latest version that this build writes and reads.
pub const VERSION: u8 = WITH_FACTS;

/// Whether a first byte names a version, of this build or of a later one.
///
/// Versions stay below 32, the first printable character, and are never the white space that is below it. So a text, and
/// the first byte of a zstd frame, are told from an envelope by one look.
const fn is_version(byte: u8) -> bool {
    matches!(byte, 1..=8 | 11 | 12 | 14..=31)
}

/// One accepted body: it stays together from the collector to the store's transaction.
///
/// The order and kinds of the fields are part of envelope versions 1 and 2: a change here is a new envelope version.
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
        self.encode_with(None)
    }

    /// The queue entry of this batch and of what its request told.
    #[must_use]
    pub fn encode_with(&self, facts: Option<&Facts<'_>>) -> Vec<u8> {
        let mut entry = Vec::with_capacity(192 + self.events.len() * 160);
        match facts {
            None => entry.push(ALONE),
            Some(facts) => {
                entry.push(WITH_FACTS);
                entry = append(facts, entry);
            }
        }
        append(self, entry)
    }

    /// Reads a queue entry; texts borrow from it. What its facts add is in the events' metadata.
    ///
    /// # Errors
    /// [`EnvelopeError`] where the entry is not an envelope of a known version.
    pub fn decode(entry: &'a [u8]) -> Result<Self, EnvelopeError> {
        let (mut batch, facts) = Self::decode_apart(entry)?;
        if let Some(facts) = facts {
            facts.add(&mut batch.events);
        }
        Ok(batch)
    }

    /// Reads a queue entry as it was written: the batch as it was sent, and its facts beside it. Only who writes entries anew,
    /// in parts, wants them so.
    ///
    /// # Errors
    /// [`EnvelopeError`] where the entry is not an envelope of a known version.
    pub fn decode_apart(entry: &'a [u8]) -> Result<(Self, Option<Facts<'a>>), EnvelopeError> {
        let (facts, fields) = open(entry)?;
        let batch = postcard::from_bytes(fields).map_err(|_| EnvelopeError::Unreadable)?;
        Ok((batch, facts))
    }
}

fn append(fields: &impl Serialize, entry: Vec<u8>) -> Vec<u8> {
    postcard::to_extend(fields, entry).unwrap_or_else(|error| {
        // Postcard fails only on sequences of unknown length and on full fixed buffers; a batch has neither.
        unreachable!("a batch can always be encoded: {error}")
    })
}

/// The facts of an entry, and the fields of its batch.
fn open(entry: &[u8]) -> Result<(Option<Facts<'_>>, &[u8]), EnvelopeError> {
    match entry.split_first() {
        Some((&ALONE, fields)) => Ok((None, fields)),
        Some((&WITH_FACTS, fields)) => postcard::take_from_bytes::<Facts<'_>>(fields)
            .ok()
            .filter(|(facts, _)| facts.are_sound())
            .map(|(facts, fields)| (Some(facts), fields))
            .ok_or(EnvelopeError::Unreadable),
        Some((&found, _)) if is_version(found) => Err(EnvelopeError::NewerVersion { found }),
        _ => Err(EnvelopeError::Unreadable),
    }
}

/// How many events an entry holds, without reading them; `None` where it is no envelope of a known version.
#[must_use]
pub fn count_events(entry: &[u8]) -> Option<usize> {
    type Head<'a> = (Uuid, &'a str, Timestamp, Vec<(Cow<'a, str>, u32)>, Option<BatchContext<'a>>);
    let (_, fields) = open(entry).ok()?;
    let (_, rest) = postcard::take_from_bytes::<Head<'_>>(fields).ok()?;
    postcard::take_from_bytes::<usize>(rest).ok().map(|(events, _)| events)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::facts::{Derived, HOST_MAX_BYTES, SHARED_MAX_BYTES};

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

    fn facts() -> Facts<'static> {
        let told = [("browser", "Firefox".into()), ("os", "Linux".into())];
        Facts::new(&told, Some("https://shop.example"), Derived { channel: true, utm: true }).unwrap()
    }

    #[test]
    fn comes_back_as_it_went_in_and_borrows() {
        let entry = batch().encode();
        let read = Batch::decode(&entry).unwrap();
        assert_eq!(read, batch());
        assert!(matches!(read.events[0].session_id, Cow::Borrowed(_)));
        assert_eq!(count_events(&entry), Some(1));
        assert_eq!(count_events(&entry[1..]), None);
        assert_eq!(Batch::decode_apart(&entry).unwrap(), (batch(), None));
    }

    #[test]
    fn facts_lie_beside_the_events_and_are_read_into_them() {
        let entry = batch().encode_with(Some(&facts()));
        assert_eq!(Batch::decode_apart(&entry).unwrap(), (batch(), Some(facts())));
        assert_eq!(count_events(&entry), Some(1));
        let read = Batch::decode(&entry).unwrap();
        let mut expected = batch();
        expected.events[0].metadata = r#"{"browser":"Firefox","os":"Linux"}"#.into();
        assert_eq!(read, expected);
        assert!(matches!(read.events[0].session_id, Cow::Borrowed(_)));
        // Written anew it is a batch of events that have all of it, and nothing is added twice.
        assert_eq!(Batch::decode(&read.encode()).unwrap(), expected);
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
        for found in [3, 8, 11, 31] {
            assert!(
                matches!(Batch::decode(&[found, 0]), Err(EnvelopeError::NewerVersion { found: told }) if told == found)
            );
        }
        for entry in [batch().encode(), batch().encode_with(Some(&facts()))] {
            for length in 0..entry.len() {
                assert!(Batch::decode(&entry[..length]).is_err());
            }
        }
    }

    /// Who writes into the queue by hand does not make a batch many times larger by its being read.
    #[test]
    fn facts_beyond_their_bounds_are_no_entry() {
        let with = |shared: &str, host: Option<&str>| {
            let mut entry = append(&(shared, host, true, true), vec![WITH_FACTS]);
            entry = append(&batch(), entry);
            let read = Batch::decode(&entry).map(|batch| batch.events[0].metadata.clone().into_owned());
            assert_eq!(count_events(&entry).is_some(), read.is_ok());
            read.map_err(|error| error.code())
        };
        let object = |bytes: usize| format!(r#"{{"a":"{}"}}"#, "x".repeat(bytes - 8));
        assert_eq!(with(&object(SHARED_MAX_BYTES), Some(&"h".repeat(HOST_MAX_BYTES))), Ok(object(SHARED_MAX_BYTES)));
        let unreadable = Err("unreadable_entry");
        assert_eq!(with(&object(SHARED_MAX_BYTES + 1), None), unreadable);
        assert_eq!(with("{}", Some(&"h".repeat(HOST_MAX_BYTES + 1))), unreadable);
        for shared in ["", "7", "[]", r#"{"b":1,"a":1}"#, r#"{"a":1.0}"#, r#"{"a":1}{}"#, r#"{"a":1"#] {
            assert_eq!(with(shared, None), unreadable, "{shared}");
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
            prop_assert_eq!(newer, (VERSION + 1..32).contains(&first) && !b"\t\n\r".contains(&first));
        }
    }
}
