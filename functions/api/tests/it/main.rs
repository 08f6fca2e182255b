//! The API over a real store: whether the document describes what is really read and answered.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod answers;
mod dashboard;
mod document;
mod examples;
mod export;
mod funnels;
mod paths;
mod published;
mod questions;
mod refusals;
mod served;
mod tracker;
