//! Events and entries that could not be stored, kept with the reason.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Project, Timestamp};

/// The key of a dead letter.
pub type DeadLetterId = Uuid;

/// Why something became a dead letter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetterReason {
    /// A stable word: `data_error` (the store refused the event), `unreadable_entry` (a queue entry that is no envelope),
    /// `newer_version` (an envelope of a later version).
    pub code: String,
    /// The SQLSTATE that the store gave, where it gave one.
    pub sqlstate: Option<String>,
    /// One sentence that says what was wrong; it holds no value of the event.
    pub message: String,
}

/// Something that could not be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its key, a UUIDv7 of the time it was put aside.
    pub id: DeadLetterId,
    /// Whose it is; `default` where the entry could not be read.
    pub project: Project,
    /// The event's id; `None` where the entry could not be read.
    pub event_id: Option<Uuid>,
    /// The event in an envelope of one, or the entry as it came.
    pub payload: Vec<u8>,
    /// Why.
    pub reason: DeadLetterReason,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was first put aside.
    pub first_failed_at: Timestamp,
    /// When it was last put aside.
    pub last_failed_at: Timestamp,
    /// Whether somebody asked for it to be tried again and the processor has not done so yet.
    pub replay_requested: bool,
}
