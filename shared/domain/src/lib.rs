//! Pure types and rules of events and batches.
//!
//! This crate knows no clock, no environment, no IO and no server: what it needs of those comes in as an argument.
//! Everything here can be called from any process form, tested without a runtime, and fuzzed.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic"))]

pub mod body;
pub mod dead_letter;
pub mod envelope;
pub mod event;
mod event_reader;
pub mod facts;
mod json;
pub mod metadata;
pub mod outcome;
pub mod project;
pub mod rejection;
pub mod retention;
pub mod timestamp;

pub use body::{BodyError, DecodeContext, DecodedBody, decode};
pub use dead_letter::{DeadLetter, DeadLetterId, DeadLetterReason};
pub use envelope::{Batch, BatchContext, EnvelopeError};
pub use event::Event;
pub use facts::Facts;
pub use metadata::Metadata;
pub use outcome::{BatchOutcome, EventOutcome};
pub use project::Project;
pub use rejection::{Rejection, RejectionCode};
pub use retention::{Retention, SharedRetention};
pub use timestamp::Timestamp;
