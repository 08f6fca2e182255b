//! The examples of `GET` forms on the pages on questions: what they show is what is answered.
//!
//! On a page, an `http` block is asked of the events in the block `json events` before it. Behind it stands what is answered: a
//! `json body` has members of the answer, any other body is all of it.

use std::fs;
use std::path::Path;

use axum::http::Method;
use serde_json::Value;

use crate::served::{Api, Document};

#[tokio::test]
async fn what_the_pages_show_is_answered() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/queries");
    let mut asked = 0;
    for page in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let text = fs::read_to_string(&page).unwrap();
        let (mut api, mut uri) = (None, None);
        // Every second piece stands between two fences.
        for block in text.split("```").skip(1).step_by(2) {
            let (kind, block) = block.split_once('\n').unwrap();
            match kind {
                "json events" => api = Some(Api::with(&serde_json::from_str(block).unwrap()).await),
                "http" => uri = block.trim().strip_prefix("GET ").map(str::to_owned),
                _ if kind.ends_with(" body") => {
                    let (api, uri) = (api.as_ref().unwrap(), uri.take().unwrap());
                    let answered = api.get(&uri).await;
                    assert_eq!(answered.status, 200, "{uri}: {}", answered.text);
                    asked += 1;
                    if kind != "json body" {
                        assert_eq!(answered.text.replace("\r\n", "\n"), block, "{uri}");
                        continue;
                    }
                    let path = uri.split('?').next().unwrap().replace("/path/values", "/{key}/values");
                    Document::of(api).await.hold(&path, &Method::GET, &answered);
                    let found = answered.json();
                    for (member, shown) in serde_json::from_str::<Value>(block).unwrap().as_object().unwrap() {
                        assert_eq!(&found[member], shown, "{uri}: {member}");
                    }
                }
                _ => {}
            }
        }
        assert_eq!(uri, None, "{}: a request without an answer", page.display());
    }
    assert!(asked > 3, "{asked}");
}
