//! Who may ask: keys of the environment, keys that the store keeps, and sessions of the page.
//!
//! A key of the environment is known without asking anybody. Every other key, and every session, is looked up in the store, and
//! what was found holds for a few seconds, so that a key which is revoked ends soon in every process. Only a text of the form that
//! keys are made in is looked up at all, and unknown ones only so many a second.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic"))]

mod access;
pub mod cookie;
mod guesses;
mod recent;
pub mod secret;
mod sessions;
pub mod site;

pub use access::{Access, Admitted, Asking, Pass};
pub use sessions::SignedIn;
