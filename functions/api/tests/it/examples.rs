//! The examples of answers: what is answered to an example of each request, and nothing else.
//!
//! `ANALYTICS_WRITE_EXAMPLES=1` writes them anew, where an answer is meant to be another one.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use axum::http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use crate::questions::examples;
use crate::served::{ADMIN_KEY, Answered, Api, Document, Operation, escaped};

/// Rows of a list that an example shows.
const SHOWN: usize = 2;

/// Bytes of a text that an example shows, up to the end of a line.
const TEXT: usize = 900;

/// Operations whose answer is what is being read.
const ITSELF: [&str; 2] = ["openapi_document", "docs_page"];

/// An answer as an example: lists of objects are shortened, and what no two answers have in common is fixed.
fn example(answered: &Answered) -> Value {
    match serde_json::from_str(&answered.text) {
        Ok(mut value) => {
            shorten(&mut value, "");
            value
        }
        Err(_) => {
            let mut ends = answered.text.match_indices('\n').map(|(at, _)| at + 1).filter(|end| *end <= TEXT);
            json!(answered.text[..ends.next_back().unwrap()].to_owned())
        }
    }
}

fn shorten(value: &mut Value, name: &str) {
    match value {
        Value::Array(items) => {
            // Columns and steps belong to the question: the rows have as many.
            if items.first().is_some_and(Value::is_object) && !["columns", "steps"].contains(&name) {
                items.truncate(SHOWN);
            }
            items.iter_mut().for_each(|item| shorten(item, name));
            // Their ids are given where they are stored, and are others in each store.
            if name == "dead_letters" {
                for (place, letter) in items.iter_mut().enumerate() {
                    letter["id"] = json!(format!("019a4310-8a00-7000-8000-{:012}", place + 1));
                }
            }
        }
        Value::Object(members) => {
            fix_what_is_made(members);
            for (name, member) in members {
                match name.as_str() {
                    "took_ms" => *member = json!(2),
                    "next_cursor" if member.is_string() => *member = json!("eyJ2IjoxfQ"),
                    _ => shorten(member, name),
                }
            }
        }
        _ => {}
    }
}

/// What the server makes up is another one each time.
fn fix_what_is_made(members: &mut Map<String, Value>) {
    let is_made = members.contains_key("key") && members.contains_key("revocable");
    if is_made {
        members.insert("key".to_owned(), json!("q7Zk2mVt0cXb4Nf9sYwLr1HdJu8GeAo5Pi3KxTnRvQ6"));
        members.insert("hint".to_owned(), json!("q7Zk"));
    }
    let is_kept = members.contains_key("updated_at") || is_made;
    if is_kept && members["id"].as_str().is_some_and(|id| !id.starts_with("019a4310")) {
        members.insert("id".to_owned(), json!("019a4310-8a00-7000-8000-000000000004"));
    }
}

/// Where the examples are written.
fn written() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/openapi/answers.json")
}

fn id(operation: &Operation) -> String {
    operation.described["operationId"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_examples_of_answers_are_what_is_answered() {
    let api = Api::start().await;
    let document = Document::of(&api).await;
    let mut answers: BTreeMap<String, Value> = BTreeMap::new();
    let mut operations = document.operations();
    // What takes events away comes last.
    operations.sort_by_key(|operation| operation.method == Method::DELETE);
    for operation in operations.iter().filter(|operation| !ITSELF.contains(&id(operation).as_str())) {
        // Of several the answer that says most.
        let mut most = Value::Null;
        for (uri, body) in examples(operation) {
            let answered = api.send(Some(ADMIN_KEY), &operation.method, &uri, body).await;
            assert!(answered.status.is_success(), "{uri}: {}", answered.text);
            document.hold(&operation.path, &operation.method, &answered);
            if answered.status == StatusCode::NO_CONTENT {
                continue;
            }
            let answer = example(&answered);
            if answer.to_string().len() > most.to_string().len() {
                most = answer;
            }
        }
        if !most.is_null() {
            answers.insert(id(operation), most);
        }
    }
    answers.insert(ITSELF[0].to_owned(), json!({ "openapi": "3.1.0", "info": { "title": "analytics" }, "paths": {} }));
    answers.insert(ITSELF[1].to_owned(), json!("<!doctype html>\n"));
    let text = format!("{:#}\n", json!(answers));
    if std::env::var("ANALYTICS_WRITE_EXAMPLES").is_ok() {
        fs::write(written(), &text).unwrap();
    }
    let present: BTreeMap<String, Value> = serde_json::from_str(&fs::read_to_string(written()).unwrap()).unwrap();
    for (id, answer) in &answers {
        let found = present.get(id).unwrap_or(&Value::Null);
        assert_eq!(found, answer, "{id} is answered otherwise: ANALYTICS_WRITE_EXAMPLES=1 writes the examples anew");
    }
    assert_eq!(present.len(), answers.len());
}

#[tokio::test]
async fn every_operation_has_an_example_of_its_request_and_of_its_answer() {
    let document = Document::of(&Api::start().await).await;
    for operation in document.operations() {
        let id = id(&operation);
        let requests = &operation.described["requestBody"]["content"]["application/json"]["examples"];
        let has_request = requests.as_object().is_some_and(|examples| !examples.is_empty());
        let has_body = [Method::POST, Method::PUT, Method::PATCH].contains(&operation.method);
        assert_eq!(has_request, has_body, "{id} has no example of its body");
        let method = operation.method.as_str().to_lowercase();
        let responses = operation.described["responses"].as_object().unwrap();
        let status = responses.keys().find(|status| status.starts_with('2')).unwrap();
        if status == "204" {
            continue;
        }
        let content = responses[status]["content"].as_object().unwrap();
        let shown = content.iter().find_map(|(media_type, content)| Some((media_type, content.get("example")?)));
        let (media_type, example) = shown.unwrap_or_else(|| panic!("{id} has no example of its answer"));
        let place = format!(
            "/paths/{}/{method}/responses/{status}/content/{}/schema",
            escaped(&operation.path),
            escaped(media_type)
        );
        assert_eq!(document.misfit(&place, example), None, "{id}: {example}");
    }
}
