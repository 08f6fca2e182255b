//! The reader of JSON on the way of every event: one pass over the bytes, texts borrowed, no tree.
//!
//! - [`scanner`] reads by the letter of RFC 8259 and stops at the first fault, saying what it is.
//! - [`structure`] passes over a value whose inside breaks the rules, by its strings and brackets alone.
//! - [`text`] and [`number`] know the two kinds of scalars and the one form in which each is kept.
//! - [`canonical`] writes an object in the form in which metadata is kept.

pub(crate) mod canonical;
pub(crate) mod number;
pub(crate) mod scanner;
pub(crate) mod structure;
pub(crate) mod text;

pub(crate) use canonical::{ObjectScan, TooLarge};
pub(crate) use scanner::{Fault, FaultKind, Kind, Scanner};
pub(crate) use text::Text;
