//! What is answered to the examples of requests, as the examples of answers.
//!
//! They were answered: a test asks for each of them, and fails where another answer would come.

use std::collections::BTreeMap;

use serde_json::Value;
use utoipa::Modify;
use utoipa::openapi::path::Operation;
use utoipa::openapi::{OpenApi, RefOr};

/// Of each operation the example of its good answer: a document, or the beginning of a text.
const ANSWERS: &str = include_str!("answers.json");

/// Gives every good answer its example.
pub(crate) struct Answers;

impl Modify for Answers {
    fn modify(&self, document: &mut OpenApi) {
        // A document that is none is found by the tests; the routes do not depend on it.
        let answers: BTreeMap<String, Value> = serde_json::from_str(ANSWERS).unwrap_or_default();
        for item in document.paths.paths.values_mut() {
            let methods = [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
            for operation in methods.into_iter().flatten() {
                give(operation, &answers);
            }
        }
    }
}

/// Gives the first content of an operation's good answer its example.
fn give(operation: &mut Operation, answers: &BTreeMap<String, Value>) {
    let Some(answer) = operation.operation_id.as_ref().and_then(|id| answers.get(id)) else { return };
    for (status, response) in &mut operation.responses.responses {
        if let (true, RefOr::T(response)) = (status.starts_with('2'), response)
            && let Some(content) = response.content.values_mut().next()
        {
            content.example = Some(answer.clone());
        }
    }
}
