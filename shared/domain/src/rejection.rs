//! Why one event of a body was not accepted, in words that stay.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::json::{Fault, FaultKind};

/// The stable code of a rejection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RejectionCode {
    /// A text holds U+0000, a lone surrogate, an unknown escape or a control character that is not escaped.
    BadText,
    /// A number breaks JSON's grammar (`01`, `NaN`, `1.`) or is too large for a double (`1e400`).
    BadNumber,
    /// A field has another type, length or form than its rule says; without a field: the event is no object, or JSON
    /// forbids what stands in it.
    InvalidField,
    /// A required field is absent or null.
    MissingField,
    /// The queue did not take it; the only code after which the same event may be sent again.
    NotQueued,
    /// The time lies before what is kept or more than an hour ahead.
    TimestampOutOfRange,
    /// A field's value nests deeper than [`crate::event::METADATA_MAX_DEPTH`] levels.
    TooDeep,
    /// The metadata's compact form is longer than [`crate::event::METADATA_MAX_BYTES`].
    TooLarge,
    /// A field that no rule knows.
    UnknownField,
}

impl RejectionCode {
    /// Every code, in alphabetical order of its word.
    pub const ALL: [Self; 9] = [
        Self::BadNumber,
        Self::BadText,
        Self::InvalidField,
        Self::MissingField,
        Self::NotQueued,
        Self::TimestampOutOfRange,
        Self::TooDeep,
        Self::TooLarge,
        Self::UnknownField,
    ];

    /// The word that clients and counters see.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadNumber => "bad_number",
            Self::BadText => "bad_text",
            Self::InvalidField => "invalid_field",
            Self::MissingField => "missing_field",
            Self::NotQueued => "not_queued",
            Self::TimestampOutOfRange => "timestamp_out_of_range",
            Self::TooDeep => "too_deep",
            Self::TooLarge => "too_large",
            Self::UnknownField => "unknown_field",
        }
    }
}

/// One event that was not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Its place in the body, from 0.
    pub index: usize,
    /// Why.
    pub code: RejectionCode,
    /// The field that breaks a rule, where it is one field; a name of the client's own is cut to
    /// [`FIELD_NAME_SHOWN`] characters.
    pub field: Option<Cow<'static, str>>,
    /// One sentence that says what would be right.
    pub message: Cow<'static, str>,
}

/// How many characters of an unknown field's name are given back.
pub const FIELD_NAME_SHOWN: usize = 100;

/// How many events were refused for each reason, sorted by code: what an envelope carries.
#[must_use]
pub fn count_by_code(rejected: &[Rejection]) -> Vec<(Cow<'static, str>, u32)> {
    let mut counts = BTreeMap::<&'static str, u32>::new();
    for rejection in rejected {
        *counts.entry(rejection.code.as_str()).or_default() += 1;
    }
    counts.into_iter().map(|(code, count)| (Cow::Borrowed(code), count)).collect()
}

/// A rejection that does not know its index yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: RejectionCode,
    pub(crate) field: Option<Cow<'static, str>>,
    pub(crate) message: Cow<'static, str>,
}

impl Refusal {
    #[cold]
    pub(crate) fn of(code: RejectionCode, field: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, field: Some(Cow::Borrowed(field)), message: message.into() }
    }

    /// What a fault inside an event's `field` means; the event begins at offset `start` of the body.
    #[cold]
    pub(crate) fn of_fault(fault: Fault, field: Option<&'static str>, start: usize) -> Self {
        let place = fault.at.saturating_sub(start);
        let whose = field.unwrap_or("the event");
        let (code, message) = match fault.kind {
            FaultKind::BadText(what) => {
                (RejectionCode::BadText, format!("{whose} holds {what}, at byte {place} of the event"))
            }
            FaultKind::BadNumber => (
                RejectionCode::BadNumber,
                format!(
                    "{whose} holds what is no JSON number or is too large for a double, at byte {place} of the event"
                ),
            ),
            FaultKind::TooDeep => (
                RejectionCode::TooDeep,
                format!("{whose} nests deeper than {} levels", crate::event::METADATA_MAX_DEPTH),
            ),
            FaultKind::Syntax(what) => {
                (RejectionCode::InvalidField, format!("this is not JSON: {what}, at byte {place} of the event"))
            }
        };
        Self { code, field: field.map(Cow::Borrowed), message: Cow::Owned(message) }
    }

    pub(crate) fn at(self, index: usize) -> Rejection {
        Rejection { index, code: self.code, field: self.field, message: self.message }
    }
}
