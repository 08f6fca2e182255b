//! The document by itself: names, parameters, references, and whether it has the routes that there are.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use axum::http::{Method, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::served::{Api, Document, escaped};

/// Operations that need no key.
const OPEN: [&str; 4] = ["openapi_document", "docs_page", "sign_in", "sign_out"];

#[tokio::test]
async fn every_operation_is_named_and_described() {
    let document = Document::of(&Api::start().await).await;
    assert!(document.value["openapi"].as_str().unwrap().starts_with("3.1."));
    assert!(document.value["info"]["description"].as_str().unwrap().contains("X-API-Key"));
    let tags: Vec<&Value> = document.value["tags"].as_array().unwrap().iter().map(|tag| &tag["name"]).collect();
    let mut ids = BTreeSet::new();
    for operation in document.operations() {
        let (path, described) = (&operation.path, &operation.described);
        let id = described["operationId"].as_str().unwrap().to_owned();
        assert!(ids.insert(id.clone()), "{id} is used twice");
        assert!(described["summary"].as_str().is_some_and(|summary| summary.ends_with('.')), "{id} has no summary");
        assert!(tags.contains(&&described["tags"][0]), "{id} has a tag of its own");

        let security = described.get("security").unwrap_or(&document.value["security"]);
        let schemes: BTreeSet<&String> =
            security.as_array().unwrap().iter().flat_map(|one| one.as_object().unwrap().keys()).collect();
        assert_eq!(schemes.is_empty(), OPEN.contains(&id.as_str()), "{id}");
        for scheme in schemes {
            assert!(document.value["components"]["securitySchemes"][scheme].is_object(), "{scheme} is not described");
        }

        let responses = described["responses"].as_object().unwrap();
        let (good, bad): (Vec<_>, Vec<_>) = responses.keys().partition(|status| status.starts_with('2'));
        assert_eq!(good.len(), 1, "{id}");
        assert!(!bad.is_empty(), "{id} refuses nothing");
        for status in responses.keys() {
            let method = operation.method.as_str().to_lowercase();
            let (at, response) = document.resolve(&format!("/paths/{}/{method}/responses/{status}", escaped(path)));
            assert!(!response["description"].as_str().unwrap().is_empty(), "{id} {status}");
            if status == "204" {
                assert!(response["content"].is_null(), "{id} {status} has a body");
                continue;
            }
            let (media_type, content) = response["content"].as_object().unwrap().iter().next().unwrap();
            assert!(content["schema"].is_object(), "{id} {status} has no schema");
            assert_eq!(media_type == "application/problem+json", bad.contains(&status), "{id} {status}");
            let schema = format!("{at}/content/{}/schema", escaped(media_type));
            for (code, example) in content["examples"].as_object().into_iter().flatten() {
                let value = &example["value"];
                assert_eq!(document.misfit(&schema, value), None, "{id} {status} {code}");
                assert_eq!((&value["code"], &value["status"].to_string()), (&Value::from(code.as_str()), status));
            }
        }
    }
}

#[tokio::test]
async fn only_what_is_in_a_path_is_a_path_parameter() {
    let document = Document::of(&Api::start().await).await;
    for operation in document.operations() {
        let path = &operation.path;
        let of_template: BTreeSet<&str> =
            path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
        let mut of_path = BTreeSet::new();
        let mut names = BTreeSet::new();
        for parameter in operation.described["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap();
            assert!(names.insert(name), "{path}: {name} stands twice");
            assert!(!parameter["description"].as_str().unwrap().is_empty(), "{path}: {name} has no description");
            if parameter["in"] == "path" {
                assert_eq!(parameter["required"], true, "{path}: {name}");
                of_path.insert(name);
            } else {
                assert_eq!(parameter["in"], "query", "{path}: {name}");
            }
            let schema = &parameter["schema"];
            assert!(!schema.to_string().contains("null"), "{path}: {name} is text, which is never null: {schema}");
        }
        assert_eq!(of_path, of_template, "{path}");
    }
}

#[tokio::test]
async fn every_reference_leads_somewhere_and_every_component_is_used() {
    let document = Document::of(&Api::start().await).await;
    let mut references = BTreeSet::new();
    collect(&document.value, &mut references);
    for reference in &references {
        document.resolve(reference.strip_prefix('#').unwrap());
    }
    for kind in ["schemas", "responses"] {
        for name in document.value["components"][kind].as_object().unwrap().keys() {
            let reference = format!("#/components/{kind}/{name}");
            assert!(references.contains(&reference), "nothing refers to {reference}");
        }
    }
}

fn collect(value: &Value, references: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, references)),
        Value::Object(members) => {
            references.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|member| collect(member, references));
        }
        _ => {}
    }
}

#[tokio::test]
async fn an_example_fits_its_schema() {
    let document = Document::of(&Api::start().await).await;
    let mut examples = Vec::new();
    gather(&document.value["components"]["schemas"], "/components/schemas", &mut examples);
    assert!(examples.len() > 10, "{examples:?}");
    for (schema, example) in examples {
        assert_eq!(document.misfit(&schema, &example), None, "{schema}: {example}");
    }
}

/// The examples and defaults of every schema below, each with the schema's place.
fn gather(value: &Value, place: &str, examples: &mut Vec<(String, Value)>) {
    match value {
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| gather(item, &format!("{place}/{index}"), examples));
        }
        Value::Object(members) => {
            let several = members.get("examples").and_then(Value::as_array).into_iter().flatten();
            for example in several.chain(members.get("example")).chain(members.get("default")) {
                examples.push((place.to_owned(), example.clone()));
            }
            for (name, member) in members.iter().filter(|(name, _)| !name.starts_with("example")) {
                gather(member, &format!("{place}/{}", escaped(name)), examples);
            }
        }
        _ => {}
    }
}

/// The router cannot be asked for its routes, so they are read where they are written.
fn written_routes() -> BTreeSet<String> {
    let mut routes = BTreeSet::new();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for file in fs::read_dir(source).unwrap().map(|entry| entry.unwrap().path()) {
        // `main` puts the whole router behind one path; pages and their scripts are no routes of the API.
        let is_none = |name: &&str| file.ends_with(name);
        if file.extension().is_none_or(|kind| kind != "rs")
            || ["main.rs", "tracker.rs", "dashboard.rs"].iter().any(is_none)
        {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        let calls = text.split(".route(").skip(1);
        routes.extend(calls.map(|call| {
            let path = call.trim_start().strip_prefix('"').expect("a route is written as a text");
            path.split('"').next().unwrap().to_owned()
        }));
    }
    routes
}

#[tokio::test]
async fn the_routes_of_the_router_are_the_paths_of_the_document() {
    let api = Api::start().await;
    let document = Document::of(&api).await;
    let mut described: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for operation in document.operations() {
        described.entry(operation.path).or_default().insert(operation.method.to_string());
    }
    let routes = written_routes();
    assert!(routes.len() > 10, "{routes:?}");
    assert_eq!(routes, described.keys().cloned().collect());
    for (path, methods) in described {
        let asked = path.replace("{key}", "event_type").replace("{id}", "nobody");
        let refused = api.send(None, &Method::TRACE, &asked, "").await;
        assert_eq!(refused.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        let allowed = refused.headers[header::ALLOW].to_str().unwrap().split(',').map(str::trim);
        let allowed: BTreeSet<String> = allowed.filter(|method| *method != "HEAD").map(str::to_owned).collect();
        assert_eq!(allowed, methods, "{path}");
    }
}

#[tokio::test]
async fn the_page_allows_its_own_script_and_nothing_else() {
    let api = Api::start().await;
    let page = api.send(None, &Method::GET, "/api/docs", "").await;
    let policy = page.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert_eq!((page.text.matches("<script").count(), page.text.matches("</script>").count()), (1, 1));
    let (_, script) = page.text.split_once("<script>").unwrap();
    let (script, _) = script.split_once("</script>").unwrap();
    let digest = STANDARD.encode(Sha256::digest(script));
    assert!(policy.contains(&format!("script-src 'sha256-{digest}';")), "{policy}");
    assert!(!page.text.contains("src="), "the page needs nothing from elsewhere");
}
