//! The examples of the pages on questions, asked of the router: what they say is what is answered.
//!
//! A page is read by its fenced blocks: `json events` are stored, `json request METHOD /path` with its body or `http` with
//! `METHOD /path` is asked, and the members of the `json answer` behind it are those of the answer; an answer of another kind,
//! such as `csv answer`, is all of it.

use std::fs;
use std::path::Path;

use axum::http::Method;
use serde_json::Value;

use crate::served::{Api, Document};

/// The fenced blocks of a page: what stands behind the fence, and the text.
fn blocks(page: &str) -> Vec<(&str, String)> {
    let mut blocks: Vec<(&str, String)> = Vec::new();
    let mut is_inside = false;
    for line in page.lines() {
        match line.strip_prefix("```") {
            Some(kind) => {
                is_inside = !is_inside;
                if is_inside {
                    blocks.push((kind, String::new()));
                }
            }
            None if is_inside => {
                let (_, text) = blocks.last_mut().unwrap();
                text.push_str(line);
                text.push('\n');
            }
            None => {}
        }
    }
    blocks
}

/// The path of the document that a request is sent to.
fn template(document: &Document, path: &str) -> String {
    let path = path.split('?').next().unwrap();
    let fits = |template: &str| {
        let (parts, asked) = (template.split('/'), path.split('/'));
        parts.clone().count() == asked.clone().count()
            && parts.zip(asked).all(|(part, asked)| part == asked || part.starts_with('{'))
    };
    let found = document.operations().into_iter().map(|operation| operation.path).find(|template| fits(template));
    found.unwrap_or_else(|| panic!("{path} is no path of the document"))
}

#[tokio::test]
async fn what_the_pages_say_is_answered() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/queries");
    let mut asked = 0;
    let pages = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    for page in pages.filter(|page| page.extension().is_some_and(|kind| kind == "md")) {
        let before = asked;
        let text = fs::read_to_string(&page).unwrap();
        let mut api = None;
        let mut request = None;
        for (kind, text) in blocks(&text) {
            let json = || -> Value {
                serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}: {text}", page.display()))
            };
            match kind.split_once(' ') {
                Some(("json", "events")) => api = Some(Api::with(&json()).await),
                Some(("json", asked)) if asked.starts_with("request ") => {
                    let (method, path) = asked["request ".len()..].split_once(' ').unwrap();
                    request = Some((method.parse::<Method>().unwrap(), path.to_owned(), json().to_string()));
                }
                None if kind == "http" => {
                    let (method, path) = text.trim().split_once(' ').unwrap();
                    request = Some((method.parse::<Method>().unwrap(), path.to_owned(), String::new()));
                }
                Some(("json", "answer")) => {
                    let api = api.as_ref().unwrap_or_else(|| panic!("{}: nothing is stored", page.display()));
                    let (method, path, body) =
                        request.take().unwrap_or_else(|| panic!("{}: nothing is asked", page.display()));
                    let answered = api.send(Some(crate::served::ADMIN_KEY), &method, &path, body.clone()).await;
                    assert_eq!(answered.status, 200, "{}: {}", page.display(), answered.text);
                    let document = Document::of(api).await;
                    document.hold(&template(&document, &path), &method, &answered);
                    let found = answered.json();
                    for (member, expected) in json().as_object().unwrap() {
                        assert_eq!(&found[member], expected, "{}: {member} of {path} {body}", page.display());
                    }
                    asked += 1;
                }
                Some((_, "answer")) => {
                    let api = api.as_ref().unwrap_or_else(|| panic!("{}: nothing is stored", page.display()));
                    let (method, path, body) =
                        request.take().unwrap_or_else(|| panic!("{}: nothing is asked", page.display()));
                    let answered = api.send(Some(crate::served::ADMIN_KEY), &method, &path, body).await;
                    assert_eq!(answered.status, 200, "{}: {}", page.display(), answered.text);
                    assert_eq!(answered.text.replace("\r\n", "\n"), text, "{}: {path}", page.display());
                    asked += 1;
                }
                _ => {}
            }
        }
        assert!(request.is_none(), "{}: a request without an answer", page.display());
        assert!(asked > before, "{}: nothing is asked", page.display());
    }
    assert!(asked > 10, "{asked}");
}
