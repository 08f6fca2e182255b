//! Questions that every store has to answer alike: what the equality tests of the stores and the snapshots of the SQL run.

use serde_json::Value;

/// Names and questions, each valid as the body of `POST /api/query`; relative ranges are meant to be asked at any instant.
const TEXT: &str = include_str!("../corpus/questions.json");

/// The questions by name, in their order.
///
/// # Panics
/// Never: the file is part of this crate and read by its tests.
#[must_use]
pub fn questions() -> Vec<(String, Value)> {
    let all: Vec<Named> = serde_json::from_str(TEXT).unwrap_or_default();
    all.into_iter().map(|named| (named.name, named.question)).collect()
}

#[derive(serde::Deserialize)]
struct Named {
    name: String,
    question: Value,
}
