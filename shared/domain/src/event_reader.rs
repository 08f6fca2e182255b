//! One event of a body: its fields are read in one pass, then held against their rules.

use std::borrow::Cow;

use uuid::Uuid;

use crate::event::{EVENT_ACTION_MAX, EVENT_TYPE_MAX, METADATA_MAX_BYTES, SESSION_ID_MAX, USER_ID_MAX};
use crate::json::canonical::Member;
use crate::json::{Fault, FaultKind, Kind, ObjectScan, Scanner, Text, TooLarge};
use crate::rejection::{FIELD_NAME_SHOWN, Refusal, RejectionCode};
use crate::retention::MAX_AHEAD_MICROS;
use crate::timestamp::MICROS_PER_DAY;
use crate::{Event, Retention, Timestamp};

/// The fields that an event may have, in the order in which their rules are judged.
const FIELDS: [&str; 7] = ["id", "session_id", "user_id", "event_type", "event_action", "metadata", "timestamp"];

/// Places in [`FIELDS`].
const ID: usize = 0;
const SESSION_ID: usize = 1;
const USER_ID: usize = 2;
const EVENT_TYPE: usize = 3;
const EVENT_ACTION: usize = 4;
const METADATA: usize = 5;
const TIMESTAMP: usize = 6;

/// Shown in messages where a name was wrong.
const FIELDS_TEXT: &str = "id, session_id, user_id, event_type, event_action, metadata and timestamp";

/// What a field held when it was read. Null is the same as absent; of a field that stands twice the last one counts.
#[derive(Debug, Clone, Copy, Default)]
enum Slot<'a> {
    #[default]
    Absent,
    Text(Text<'a>),
    Number(&'a str),
    Object(ObjectScan<'a>),
    Other(Kind),
}

impl Slot<'_> {
    const fn kind(&self) -> Kind {
        match self {
            Self::Absent => Kind::Null,
            Self::Text(_) => Kind::Text,
            Self::Number(_) => Kind::Number,
            Self::Object(_) => Kind::Object,
            Self::Other(kind) => *kind,
        }
    }
}

/// A slot a field, in the order of [`FIELDS`].
type Slots<'a> = [Slot<'a>; FIELDS.len()];

/// Reads events; what it holds between two of them is only room that is used again.
#[derive(Debug)]
pub(crate) struct EventReader<'a> {
    received_at: Timestamp,
    cutoff: Timestamp,
    latest: Timestamp,
    members: Vec<Member<'a>>,
}

impl<'a> EventReader<'a> {
    pub(crate) fn new(received_at: Timestamp, retention: Retention) -> Self {
        Self {
            received_at,
            cutoff: retention.cutoff(received_at),
            latest: received_at.saturating_add_micros(MAX_AHEAD_MICROS),
            members: Vec::new(),
        }
    }

    /// Reads the event at the scanner's place and leaves the scanner behind it, or, where the event was refused for how it
    /// is written, somewhere inside it.
    ///
    /// What is wrong with how it is written, and unknown fields, come first, in the order of the body; then the rules of
    /// the fields, in the order of [`FIELDS`].
    #[inline(always)]
    pub(crate) fn read(
        &mut self,
        scanner: &mut Scanner<'a>,
        ids: &mut dyn FnMut() -> Uuid,
    ) -> Result<Event<'a>, Refusal> {
        let slots = self.read_slots(scanner)?;
        self.judge(&slots, ids)
    }

    #[inline(always)]
    fn read_slots(&mut self, scanner: &mut Scanner<'a>) -> Result<Slots<'a>, Refusal> {
        let start = scanner.at();
        let in_event = |fault: Fault| Refusal::of_fault(fault, None, start);
        let mut slots = Slots::default();
        scanner.advance();
        scanner.space();
        if scanner.peek() == b'}' {
            scanner.advance();
            return Ok(slots);
        }
        loop {
            let (key, _) = scanner.key().map_err(in_event)?;
            let field = match key.raw {
                "id" => ID,
                "session_id" => SESSION_ID,
                "user_id" => USER_ID,
                "event_type" => EVENT_TYPE,
                "event_action" => EVENT_ACTION,
                "metadata" => METADATA,
                "timestamp" => TIMESTAMP,
                _ => by_escaped_name(&key)?,
            };
            slots[field] = self
                .read_slot(scanner, field == METADATA)
                .map_err(|fault| Refusal::of_fault(fault, Some(FIELDS[field]), start))?;
            scanner.space();
            if scanner.next_member(b'}').map_err(in_event)?.is_none() {
                return Ok(slots);
            }
        }
    }

    #[inline(always)]
    fn read_slot(&mut self, scanner: &mut Scanner<'a>, is_metadata: bool) -> Result<Slot<'a>, Fault> {
        Ok(match scanner.kind()? {
            Kind::Text => Slot::Text(scanner.text()?),
            Kind::Number => Slot::Number(scanner.number()?.raw),
            Kind::Null => {
                scanner.literal()?;
                Slot::Absent
            }
            Kind::Object if is_metadata => Slot::Object(scanner.members(0, METADATA_MAX_BYTES, &mut self.members)?),
            kind @ (Kind::Object | Kind::Array | Kind::Boolean) => {
                scanner.value(0)?;
                Slot::Other(kind)
            }
        })
    }

    #[inline(always)]
    fn judge(&mut self, slots: &Slots<'a>, ids: &mut dyn FnMut() -> Uuid) -> Result<Event<'a>, Refusal> {
        let id = client_id(&slots[ID])?;
        let session_id = required(&slots[SESSION_ID], "session_id", SESSION_ID_MAX)?;
        let user_id = optional(&slots[USER_ID], "user_id", USER_ID_MAX)?;
        let event_type = required(&slots[EVENT_TYPE], "event_type", EVENT_TYPE_MAX)?;
        let event_action = required(&slots[EVENT_ACTION], "event_action", EVENT_ACTION_MAX)?;
        let metadata = self.metadata(&slots[METADATA])?;
        let timestamp = self.timestamp(&slots[TIMESTAMP])?;
        Ok(Event {
            client_id: id.is_some(),
            id: id.unwrap_or_else(ids),
            session_id,
            user_id,
            event_type,
            event_action,
            metadata,
            timestamp,
        })
    }

    fn metadata(&mut self, slot: &Slot<'a>) -> Result<Cow<'a, str>, Refusal> {
        match slot {
            Slot::Absent => Ok(Cow::Borrowed("{}")),
            Slot::Object(scan) => scan.canonical(METADATA_MAX_BYTES, &mut self.members).map_err(|TooLarge| {
                let message = format!("metadata has to fit into {METADATA_MAX_BYTES} bytes of compact JSON");
                Refusal::of(RejectionCode::TooLarge, "metadata", message)
            }),
            other => Err(invalid("metadata", format!("metadata has to be an object, not {}", other.kind().name()))),
        }
    }

    fn timestamp(&self, slot: &Slot<'a>) -> Result<Timestamp, Refusal> {
        const RULE: &str =
            "timestamp has to be RFC 3339 with an offset (2026-11-02T10:00:00.000Z) or a number of Unix milliseconds";
        let timestamp = match slot {
            Slot::Absent => return Ok(self.received_at),
            Slot::Text(text) => Timestamp::parse_rfc3339(&text.decode()).ok_or_else(|| invalid("timestamp", RULE))?,
            Slot::Number(raw) => from_unix_millis(raw),
            other => return Err(invalid("timestamp", format!("{RULE}, not {}", other.kind().name()))),
        };
        if timestamp >= self.cutoff && timestamp <= self.latest {
            return Ok(timestamp);
        }
        Err(self.out_of_range(timestamp, matches!(slot, Slot::Number(_))))
    }

    #[cold]
    fn out_of_range(&self, timestamp: Timestamp, is_number: bool) -> Refusal {
        // Seconds where milliseconds belong are the usual slip; as seconds they would lie near now.
        let as_seconds = Timestamp::from_micros(timestamp.as_micros().saturating_mul(1_000));
        let seconds = is_number && as_seconds.micros_since(self.received_at).saturating_abs() < 3_660 * MICROS_PER_DAY;
        let hint = if seconds { "; a number is Unix milliseconds, this one looks like seconds" } else { "" };
        let message = format!("timestamp has to lie between {} and one hour after its receipt{hint}", self.cutoff);
        Refusal::of(RejectionCode::TimestampOutOfRange, "timestamp", message)
    }
}

/// The place of a key that is not written as the rules write it: with an escape, or unknown.
#[cold]
fn by_escaped_name(key: &Text<'_>) -> Result<usize, Refusal> {
    let name = key.decode();
    FIELDS.iter().position(|field| *field == name).ok_or_else(|| unknown_field(&name))
}

fn unknown_field(name: &str) -> Refusal {
    let shown: String = name.chars().take(FIELD_NAME_SHOWN).collect();
    let message = format!("an event has no field {shown:?}; it may have {FIELDS_TEXT}, and metadata takes the rest");
    Refusal { code: RejectionCode::UnknownField, field: Some(Cow::Owned(shown)), message: Cow::Owned(message) }
}

fn invalid(field: &'static str, message: impl Into<Cow<'static, str>>) -> Refusal {
    Refusal::of(RejectionCode::InvalidField, field, message)
}

#[inline]
fn client_id(slot: &Slot<'_>) -> Result<Option<Uuid>, Refusal> {
    const RULE: &str = "id has to be a UUID with hyphens, such as 0192f0c1-2d3e-7a4b-8c5d-6e7f80910111";
    match slot {
        Slot::Absent => Ok(None),
        Slot::Text(text) => {
            let text = text.decode();
            // Of the forms of a UUID only the hyphenated one has this length.
            let id = if text.len() == 36 { Uuid::try_parse_ascii(text.as_bytes()).ok() } else { None };
            id.map(Some).ok_or_else(|| invalid("id", RULE))
        }
        other => Err(invalid("id", format!("{RULE}; not {}", other.kind().name()))),
    }
}

#[inline(always)]
fn required<'a>(slot: &Slot<'a>, field: &'static str, longest: usize) -> Result<Cow<'a, str>, Refusal> {
    optional(slot, field, longest)?.ok_or_else(|| {
        let message = format!("{field} is required: a string of 1 to {longest} characters");
        Refusal::of(RejectionCode::MissingField, field, message)
    })
}

#[inline(always)]
fn optional<'a>(slot: &Slot<'a>, field: &'static str, longest: usize) -> Result<Option<Cow<'a, str>>, Refusal> {
    let text = match slot {
        Slot::Absent => return Ok(None),
        Slot::Text(text) => text.decode(),
        other => {
            let kind = other.kind().name();
            return Err(invalid(field, format!("{field} has to be a string of 1 to {longest} characters, not {kind}")));
        }
    };
    // A character takes at least a byte, so that most texts need no counting.
    if text.is_empty() || (text.len() > longest && text.chars().count() > longest) {
        let count = text.chars().count();
        return Err(invalid(
            field,
            format!("{field} has to be a string of 1 to {longest} characters, this has {count}"),
        ));
    }
    Ok(Some(text))
}

/// The instant of a number of Unix milliseconds: a fraction is kept down to microseconds and cut there; what lies outside
/// of every range is held at its end.
fn from_unix_millis(raw: &str) -> Timestamp {
    // What nearly every client sends: 13 digits.
    if raw.len() <= 15 && raw.bytes().all(|byte| byte.is_ascii_digit()) {
        let millis = raw.bytes().fold(0, |millis, digit| millis * 10 + i64::from(digit - b'0'));
        return Timestamp::from_micros(millis * 1_000);
    }
    let (whole, fraction) = raw.split_once('.').unwrap_or((raw, ""));
    if let Ok(millis) = whole.parse::<i64>()
        && fraction.bytes().all(|byte| byte.is_ascii_digit())
    {
        let digit = |place: usize| fraction.as_bytes().get(place).map_or(0, |digit| i64::from(digit - b'0'));
        let micros = digit(0) * 100 + digit(1) * 10 + digit(2);
        return Timestamp::from_micros(millis.saturating_mul(1_000).saturating_add(micros));
    }
    // With an exponent, or longer than any instant. The conversion holds a double at the ends of the integer's range.
    Timestamp::from_micros((raw.parse::<f64>().unwrap_or(0.0) * 1_000.0).floor() as i64)
}

/// What a fault of the body's own means to a reader of its message.
pub(crate) const fn fault_text(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::BadText(what) | FaultKind::Syntax(what) => what,
        FaultKind::BadNumber => "a number breaks JSON's rules",
        FaultKind::TooDeep => "the value nests too deep",
    }
}
