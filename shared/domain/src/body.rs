//! A collected body: which of its events are accepted, and why the others are not.
//!
//! Three shapes are one: `{"events":[EVENT, ...], "sent_at"?: RFC3339}`, `[EVENT, ...]` and one `EVENT`. An object with a
//! member `events` is of the first shape; another member beside `events` and `sent_at`, a member of these two that stands
//! twice, or a `sent_at` that is no instant refuses the body by name, since it would hide a slip that loses events.
//!
//! What JSON forbids inside one event refuses that event alone, as long as strings and brackets still tell where the next
//! one begins; anything else that JSON forbids refuses the body, with line and column. A byte order mark before the body is
//! passed over. Nothing here recurses deeper than an event's metadata may nest.

use thiserror::Error;
use uuid::Uuid;

use crate::event::METADATA_MAX_DEPTH;
use crate::event_reader::{EventReader, fault_text};
use crate::json::{Fault, Kind, Scanner};
use crate::rejection::{FIELD_NAME_SHOWN, Refusal, RejectionCode};
use crate::{Event, Rejection, Retention, Timestamp};

/// Most events of one body.
pub const EVENTS_MAX: usize = 1_000;

/// What the rules need to know beside the body.
#[derive(Debug, Clone, Copy)]
pub struct DecodeContext {
    /// When the body was received: the time of events without one, and what the accepted range is measured from.
    pub received_at: Timestamp,
    /// How far back an event's time may lie.
    pub retention: Retention,
}

/// A body whose every event was judged.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DecodedBody<'a> {
    /// The accepted events, in the body's order; their texts borrow from the body where they hold no escape.
    pub events: Vec<Event<'a>>,
    /// The others, in the body's order.
    pub rejected: Vec<Rejection>,
}

/// Why a body was refused as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BodyError {
    /// It is no JSON, or none of the three shapes.
    #[error("line {line}, column {column}: {reason}")]
    InvalidJson {
        /// The line of the first fault, from 1.
        line: usize,
        /// Its column, from 1, in Unicode scalar values.
        column: usize,
        /// The member of the body that is at fault, where it is one.
        field: Option<String>,
        /// What is wrong, as a clause.
        reason: String,
    },
    /// It holds no event.
    #[error("the body holds no event; send at least one")]
    EmptyBatch,
    /// It holds more than [`EVENTS_MAX`] events.
    #[error("the body holds more than {EVENTS_MAX} events; send them in several")]
    TooManyEvents,
}

impl BodyError {
    /// The stable code of the answer.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::InvalidJson { .. } => "invalid_json",
            Self::EmptyBatch => "empty_batch",
            Self::TooManyEvents => "too_many_events",
        }
    }
}

/// Judges every event of a body.
///
/// `ids` gives the id of an accepted event that came without one; it is asked in the body's order, so that rising ids stay
/// in it.
///
/// # Errors
/// [`BodyError`] where the body is refused as a whole.
pub fn decode<'a>(
    body: &'a [u8],
    context: &DecodeContext,
    ids: &mut dyn FnMut() -> Uuid,
) -> Result<DecodedBody<'a>, BodyError> {
    let text = std::str::from_utf8(body).map_err(|error| {
        let before = body.get(..error.valid_up_to()).unwrap_or_default();
        let before = std::str::from_utf8(before).unwrap_or_default();
        invalid_json(before, before.len(), None, "the body is not valid UTF-8")
    })?;
    let mut decoder = Decoder {
        body: text,
        scanner: Scanner::new(text, METADATA_MAX_DEPTH),
        events: EventReader::new(context.received_at, context.retention),
        decoded: DecodedBody::default(),
        ids,
    };
    decoder.body()?;
    Ok(decoder.decoded)
}

struct Decoder<'a, 'i> {
    body: &'a str,
    scanner: Scanner<'a>,
    events: EventReader<'a>,
    decoded: DecodedBody<'a>,
    ids: &'i mut dyn FnMut() -> Uuid,
}

/// The smallest event is longer than this, so that room for events is bounded by the body's length.
const EVENT_BYTES: usize = 64;

/// The member that makes an object a batch.
const EVENTS: &str = "events";

/// The member that tells when the client sent the batch; it is checked and corrects nothing.
const SENT_AT: &str = "sent_at";

impl<'a> Decoder<'a, '_> {
    fn body(&mut self) -> Result<(), BodyError> {
        if self.body.starts_with('\u{feff}') {
            self.scanner.go_to('\u{feff}'.len_utf8());
        }
        self.scanner.space();
        if self.scanner.is_at_end() {
            return Err(self.invalid_here("the body is empty"));
        }
        match self.scanner.kind().map_err(|fault| self.invalid(fault))? {
            Kind::Array => self.list()?,
            Kind::Object => self.object()?,
            kind => {
                let reason = format!("the body has to be an event, a list of events or a batch, not {}", kind.name());
                return Err(self.invalid_here(&reason));
            }
        }
        self.scanner.space();
        if !self.scanner.is_at_end() {
            return Err(self.invalid_here("the body goes on behind its end"));
        }
        if self.decoded.events.is_empty() && self.decoded.rejected.is_empty() {
            return Err(BodyError::EmptyBatch);
        }
        Ok(())
    }

    /// Reads a list of events, at its bracket.
    fn list(&mut self) -> Result<(), BodyError> {
        self.decoded.events.reserve((self.body.len() / (4 * EVENT_BYTES)).min(EVENTS_MAX));
        self.scanner.advance();
        self.scanner.space();
        if self.scanner.peek() == b']' {
            self.scanner.advance();
            return Ok(());
        }
        for index in 0..EVENTS_MAX {
            self.event(index)?;
            self.scanner.space();
            if self.scanner.next_member(b']').map_err(|fault| self.invalid(fault))?.is_none() {
                return Ok(());
            }
        }
        Err(BodyError::TooManyEvents)
    }

    /// Reads one event, accepted or not; whether it is none because it has the member of a batch.
    fn event(&mut self, index: usize) -> Result<bool, BodyError> {
        let start = self.scanner.at();
        let refusal = if self.scanner.peek() == b'{' {
            match self.events.read(&mut self.scanner, self.ids) {
                Ok(event) => {
                    self.decoded.events.push(event);
                    return Ok(false);
                }
                Err(refusal) => refusal,
            }
        } else {
            let found = self.found();
            let message = format!("an event has to be an object, not {found}");
            Refusal { code: RejectionCode::InvalidField, field: None, message: message.into() }
        };
        self.scanner.go_to(start);
        let is_batch = self.scanner.structure(EVENTS).map_err(|fault| self.invalid(fault))?;
        self.decoded.rejected.push(refusal.at(index));
        Ok(is_batch)
    }

    /// What stands at this place instead of an event, in words.
    fn found(&self) -> &'static str {
        const UNKNOWN: &str = "something that JSON does not know";
        match self.scanner.kind() {
            // Only the first letter was looked at.
            Ok(Kind::Boolean | Kind::Null) if self.scanner.clone().literal().is_err() => UNKNOWN,
            found => found.map_or(UNKNOWN, Kind::name),
        }
    }

    /// Reads an object that is a batch or one event, at its bracket.
    fn object(&mut self) -> Result<(), BodyError> {
        let start = self.scanner.at();
        let mut ahead = self.scanner.clone();
        ahead.advance();
        ahead.space();
        let first_key = if ahead.peek() == b'"' { ahead.key().ok().map(|(key, _)| key.decode()) } else { None };
        // The usual beginnings of a batch are tried first; what turns out otherwise is looked at without a guess.
        match first_key.as_deref() {
            Some(EVENTS) => return self.batch().map(|_| ()),
            Some(SENT_AT) if matches!(self.batch(), Ok(true)) => return Ok(()),
            _ => self.begin_again(start),
        }
        if self.event(0)? {
            self.begin_again(start);
            self.batch()?;
        }
        Ok(())
    }

    fn begin_again(&mut self, start: usize) {
        self.scanner.go_to(start);
        self.decoded = DecodedBody::default();
    }

    /// Reads `{"events":[...],"sent_at":...}`, at its bracket; whether `events` was there.
    fn batch(&mut self) -> Result<bool, BodyError> {
        let (mut seen_events, mut seen_sent_at) = (false, false);
        self.scanner.advance();
        self.scanner.space();
        loop {
            let start = self.scanner.at();
            let (key, _) = self.scanner.key().map_err(|fault| self.invalid(fault))?;
            let name = key.decode();
            let seen = match name.as_ref() {
                EVENTS => &mut seen_events,
                SENT_AT => &mut seen_sent_at,
                _ => {
                    let name: String = name.chars().take(FIELD_NAME_SHOWN).collect();
                    let reason = format!("a batch has no field {name:?}; it may have events and sent_at");
                    return Err(invalid_json(self.body, start, Some(name), &reason));
                }
            };
            if std::mem::replace(seen, true) {
                return Err(self.invalid_field(start, &name, "the field stands twice"));
            }
            if name == EVENTS {
                if self.scanner.peek() != b'[' {
                    return Err(self.invalid_field(self.scanner.at(), EVENTS, "events has to be a list"));
                }
                self.list()?;
            } else {
                self.sent_at()?;
            }
            self.scanner.space();
            if self.scanner.next_member(b'}').map_err(|fault| self.invalid(fault))?.is_none() {
                return Ok(seen_events);
            }
        }
    }

    /// Checks the time at which the client sent the batch.
    fn sent_at(&mut self) -> Result<(), BodyError> {
        let start = self.scanner.at();
        let valid = match self.scanner.kind().map_err(|fault| self.invalid(fault))? {
            Kind::Text => {
                let text = self.scanner.text().map_err(|fault| self.invalid(fault))?;
                Timestamp::parse_rfc3339(&text.decode()).is_some()
            }
            Kind::Null => self.scanner.literal().map(|()| true).map_err(|fault| self.invalid(fault))?,
            _ => false,
        };
        if valid {
            return Ok(());
        }
        Err(self.invalid_field(
            start,
            SENT_AT,
            "sent_at has to be RFC 3339 with an offset, such as 2026-11-02T10:00:00Z",
        ))
    }

    fn invalid(&self, fault: Fault) -> BodyError {
        invalid_json(self.body, fault.at, None, fault_text(fault.kind))
    }

    fn invalid_here(&self, reason: &str) -> BodyError {
        invalid_json(self.body, self.scanner.at(), None, reason)
    }

    fn invalid_field(&self, at: usize, field: &str, reason: &str) -> BodyError {
        invalid_json(self.body, at, Some(field.to_owned()), reason)
    }
}

/// The error at offset `at` of `body`.
#[cold]
fn invalid_json(body: &str, at: usize, field: Option<String>, reason: &str) -> BodyError {
    let before = body.get(..at).unwrap_or(body);
    let line_start = memchr::memrchr(b'\n', before.as_bytes()).map_or(0, |newline| newline + 1);
    BodyError::InvalidJson {
        line: memchr::memchr_iter(b'\n', before.as_bytes()).count() + 1,
        column: before[line_start..].chars().count() + 1,
        field,
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
