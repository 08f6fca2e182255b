//! `POST /collect`: contract, "Collect".

mod acceptance;
mod encodings;
mod idempotency;
mod refusals;
mod verdicts;
