//! Questions that every store has to answer alike: what the equality tests of the stores and the snapshots of the SQL run.

use serde_json::Value;

/// Names and questions, each valid as the body of `POST /api/query`; relative ranges are meant to be asked at any instant.
const TEXT: &str = include_str!("../corpus/questions.json");

/// The questions by name, in their order.
///
/// The file is part of this crate, and its tests read it: were it broken, there would be no questions.
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
