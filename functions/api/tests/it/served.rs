//! The API's router over a SQLite store with believable events, and its document with the schemas ready to be asked.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use analytics_access::{Access, secret};
use analytics_api::answering::Flights;
use analytics_api::{ApiDeps, router};
use analytics_domain::body::{DecodeContext, decode};
use analytics_domain::{Batch, DeadLetter, DeadLetterReason, Event, Project, Retention, SharedRetention, Timestamp};
use analytics_host::clock::Clock;
use analytics_host::cors::Origins;
use analytics_host::keys::{ReadKeys, WriteKeys};
use analytics_messaging::Queue;
use analytics_messaging::embedded::{EmbeddedOptions, EmbeddedQueue};
use analytics_messaging::process::ProcessCache;
use analytics_store::retention::settle;
use analytics_store::sqlite::{SqliteOptions, SqliteStore};
use analytics_store::{
    EventStore, FailedEvent, Ingest, IngestBatch, ItemKind, KeyScope, ProjectStore, SavedItem, StoredKey,
};
use analytics_testkit::generator::EventGenerator;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use axum::{Router, http};
use boon::{Compiler, Draft, Schemas};
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt as _;
use uuid::Uuid;

/// A key of project `default` that may only read.
pub const READ_KEY: &str = "key-that-only-reads";
/// An admin key of project `default`.
pub const ADMIN_KEY: &str = "key-of-an-administrator";
/// A key that may only write.
pub const WRITE_KEY: &str = "key-that-only-writes";

/// Noon of a day in whose month the document's examples lie.
const NOW: &str = "2026-11-15T12:00:00Z";

struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        Timestamp::parse_rfc3339(NOW).unwrap()
    }
}

/// A router and the folder of its store.
pub struct Api {
    router: Router,
    folder: TempDir,
}

/// What was answered.
pub struct Answered {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answered {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }
}

impl Api {
    /// Over a store with a month of events, some of them refused or put aside.
    pub async fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let store = open(&folder, SqliteOptions::default()).await;
        store.migrate().await.unwrap();
        fill(&store).await;
        furnish(&store).await;
        let queue = EmbeddedQueue::open(folder.path().join("queue.db"), EmbeddedOptions::default()).unwrap();
        Self::over(folder, store, Some(Arc::new(queue)), keys())
    }

    /// As a function, whose exports give about so many bytes at once.
    pub async fn in_parts(export_bytes: usize) -> Self {
        let Self { folder, .. } = Self::start().await;
        let store = open(&folder, SqliteOptions::default()).await;
        Self::routes(folder, store, None, keys(), Some(export_bytes))
    }

    /// Over a store with these events and no others.
    pub async fn with(events: &Value) -> Self {
        let folder = TempDir::new().unwrap();
        let store = open(&folder, SqliteOptions::default()).await;
        store.migrate().await.unwrap();
        let context = DecodeContext { received_at: Noon.now(), retention: Retention::default() };
        let body = events.to_string();
        let mut ids = 1..;
        let decoded = decode(body.as_bytes(), &context, &mut || Uuid::from_u128(ids.next().unwrap())).unwrap();
        assert_eq!(decoded.events.len(), events.as_array().unwrap().len(), "an event is refused");
        let batch = Batch {
            id: Uuid::from_u128(u128::MAX),
            project: Project::default(),
            received_at: Noon.now(),
            refused: Vec::new(),
            context: None,
            events: decoded.events,
        };
        let batches = vec![IngestBatch { batch: Cow::Borrowed(&batch), failed: Vec::new(), attempt: 1 }];
        store.ingest(&Ingest { batches, ..Ingest::default() }, Retention::default(), Noon.now()).await.unwrap();
        Self::over(folder, store, None, keys())
    }

    /// Over an empty file that has no schema.
    pub async fn without_schema() -> Self {
        let folder = TempDir::new().unwrap();
        let store = open(&folder, SqliteOptions::default()).await;
        Self::over(folder, store, None, keys())
    }

    /// Over a store that gives no question any time.
    pub async fn without_time() -> Self {
        let Self { folder, .. } = Self::start().await;
        let options = SqliteOptions { statement_timeout: Duration::ZERO, ..SqliteOptions::default() };
        let store = open(&folder, options).await;
        Self::over(folder, store, None, keys())
    }

    /// Where `RETENTION_DAYS` said the retention to the processor.
    pub async fn with_retention_said() -> Self {
        let Self { folder, .. } = Self::start().await;
        let store = open(&folder, SqliteOptions::default()).await;
        settle(&store, Some(90)).await.unwrap();
        Self::over(folder, store, None, keys())
    }

    /// Without keys: only requests from this machine are answered.
    pub async fn without_keys() -> Self {
        let Self { folder, .. } = Self::start().await;
        let store = open(&folder, SqliteOptions::default()).await;
        Self::over(folder, store, None, ReadKeys::open_on_loopback())
    }

    fn over(folder: TempDir, store: SqliteStore, queue: Option<Arc<dyn Queue>>, keys: ReadKeys) -> Self {
        Self::routes(folder, store, queue, keys, None)
    }

    fn routes(
        folder: TempDir,
        store: SqliteStore,
        queue: Option<Arc<dyn Queue>>,
        keys: ReadKeys,
        export_bytes: Option<usize>,
    ) -> Self {
        let guarding = keys.clone();
        let store = Arc::new(store);
        let access = Access::new(keys, Arc::new(Noon), true);
        access.open(Arc::clone(&store) as Arc<dyn EventStore>);
        let deps = ApiDeps {
            store,
            cache: Arc::new(ProcessCache::new(1 << 20)),
            queue,
            access,
            origins: Origins::Any,
            retention: SharedRetention::new(Retention::default()),
            retention_is_said: false,
            clock: Arc::new(Noon),
            flights: Flights::default(),
            export_bytes,
            made_keys_send: export_bytes.is_none(),
        };
        Self { router: guarding.guard(analytics_host::problem::fallbacks(router(deps), &Origins::Any)), folder }
    }

    /// Sends a request with a key.
    pub async fn send(&self, key: Option<&str>, method: &Method, uri: &str, body: impl Into<Body>) -> Answered {
        let bearer = key.map(|key| format!("Bearer {key}"));
        let headers: Vec<_> = bearer.iter().map(|bearer| ("authorization", bearer.as_str())).collect();
        self.send_with(&headers, method, uri, body).await
    }

    /// Sends a request with these headers.
    pub async fn send_with(
        &self,
        headers: &[(&str, &str)],
        method: &Method,
        uri: &str,
        body: impl Into<Body>,
    ) -> Answered {
        let mut request = Request::builder().method(method).uri(uri).header(header::HOST, "analytics.example");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request: http::Request<Body> = request.body(body.into()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        Answered { status: parts.status, headers: parts.headers, text: String::from_utf8(bytes.into()).unwrap() }
    }

    /// A response whose body has not been read.
    pub async fn response(&self, uri: &str) -> http::Response<Body> {
        let request = Request::builder().uri(uri).header(header::HOST, "analytics.example");
        let request = request.header(header::AUTHORIZATION, format!("Bearer {ADMIN_KEY}"));
        self.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    }

    /// Stores `count` more events of a day of the month, apart from the router.
    pub async fn store_more(&self, day: i64, count: usize) {
        let store = open(&self.folder, SqliteOptions::default()).await;
        let from = Timestamp::from_utc_day(Noon.now().utc_day() - 15 + day);
        let to = from.saturating_add_micros(60_000_000);
        let mut generator = EventGenerator::new(count as u64, from, to);
        for begin in (0..count).step_by(1_000) {
            put(&store, &generator.body((count - begin).min(1_000))).await;
        }
    }

    pub async fn get(&self, uri: &str) -> Answered {
        self.send(Some(ADMIN_KEY), &Method::GET, uri, "").await
    }

    pub async fn post(&self, uri: &str, body: &Value) -> Answered {
        self.send(Some(ADMIN_KEY), &Method::POST, uri, body.to_string()).await
    }
}

fn keys() -> ReadKeys {
    let write_keys = WriteKeys::parse(&format!("{WRITE_KEY}:default")).unwrap();
    ReadKeys::parse(&format!("{ADMIN_KEY},{READ_KEY}:default:read")).unwrap().with_write_keys(&write_keys)
}

async fn open(folder: &TempDir, options: SqliteOptions) -> SqliteStore {
    SqliteStore::open(folder.path().join("events.db"), options).await.unwrap()
}

/// Stores events up to yesterday, one of them refused by the collector, one by the store; and an entry that is none.
async fn fill(store: &SqliteStore) {
    let now = Noon.now();
    let (from, to) = (Timestamp::from_utc_day(now.utc_day() - 30), Timestamp::from_utc_day(now.utc_day()));
    let body = EventGenerator::new(7, from, to).body(600);
    let context = DecodeContext { received_at: now, retention: Retention::default() };
    let mut decoded = decode(&body, &context, &mut Uuid::nil).unwrap();
    decoded.events.push(example(now));
    let batch = Batch {
        id: Uuid::from_u128(1),
        project: Project::default(),
        received_at: now,
        refused: vec![("invalid_field".into(), 1)],
        context: None,
        events: decoded.events,
    };
    let reason = |code: &str, sqlstate: Option<&str>| DeadLetterReason {
        code: code.to_owned(),
        sqlstate: sqlstate.map(str::to_owned),
        message: "the value does not fit".to_owned(),
    };
    let failed = vec![FailedEvent { index: 3, reason: reason("data_error", Some("22001")) }];
    let work = Ingest {
        batches: vec![IngestBatch { batch: Cow::Borrowed(&batch), failed, attempt: 1 }],
        unreadable: vec![DeadLetter {
            id: Uuid::from_u128(2),
            project: Project::default(),
            event_id: None,
            payload: vec![0],
            reason: reason("unreadable_entry", None),
            attempts: 1,
            first_failed_at: now,
            last_failed_at: now,
            replay_requested: false,
        }],
        replayed: Vec::new(),
    };
    store.ingest(&work, Retention::default(), now).await.unwrap();
}

/// A key of the store, which only reads.
pub const STORED_KEY: &str = "stored-key-that-reads-012345678901234567890";

/// Keeps the key, the view and the board that the document's examples name.
async fn furnish(store: &SqliteStore) {
    let id = |number: u128| Uuid::from_u128(0x019a_4310_8a00_7000_8000_0000_0000_0000 + number);
    let (project, now) = (Project::default(), Noon.now());
    let key = StoredKey {
        id: id(1),
        project: project.clone(),
        name: "CI".to_owned(),
        scope: KeyScope::Read,
        hint: "stor".to_owned(),
        created_at: now,
    };
    assert!(store.add_key(&secret::digest(STORED_KEY), &key, 100).await.unwrap());
    let view = json!({ "page": "explore", "state": { "metric": "visitors" } });
    let board = json!([{ "view": id(2), "width": 1 }, { "view": id(99), "width": 2 }]);
    for (kind, number, name, content) in
        [(ItemKind::View, 2, "Signups", view), (ItemKind::Board, 3, "Marketing", board)]
    {
        let item = SavedItem { id: id(number), name: name.to_owned(), content: content.to_string(), updated_at: now };
        assert!(store.save(&project, kind, &item, 100).await.unwrap());
    }
}

/// Stores a body as its collector would have sent it.
async fn put(store: &SqliteStore, body: &[u8]) {
    let now = Noon.now();
    let context = DecodeContext { received_at: now, retention: Retention::default() };
    let decoded = decode(body, &context, &mut Uuid::now_v7).unwrap();
    let batch = Batch {
        id: Uuid::now_v7(),
        project: Project::default(),
        received_at: now,
        refused: Vec::new(),
        context: None,
        events: decoded.events,
    };
    let batches = vec![IngestBatch { batch: Cow::Borrowed(&batch), failed: Vec::new(), attempt: 1 }];
    store.ingest(&Ingest { batches, ..Ingest::default() }, Retention::default(), now).await.unwrap();
}

/// An event of the session and the user that the document's examples ask for.
fn example(now: Timestamp) -> Event<'static> {
    Event {
        id: Uuid::from_u128(42),
        client_id: true,
        session_id: "s-7f3a".into(),
        user_id: Some("u-42".into()),
        event_type: "commerce".into(),
        event_action: "purchase".into(),
        metadata: r#"{"path":"/cart","price":39.9}"#.into(),
        timestamp: Timestamp::from_utc_day(now.utc_day() - 2),
    }
}

/// An operation of the document.
pub struct Operation {
    pub path: String,
    pub method: Method,
    pub described: Value,
}

/// The document as served, and what was seen of it.
pub struct Document {
    pub value: Value,
    /// The same, its objects closed: an answer with a member that is not described does not fit.
    closed: Value,
    met: RefCell<BTreeSet<String>>,
}

impl Document {
    pub async fn of(api: &Api) -> Self {
        let value = api.send(None, &Method::GET, "/api/openapi.json", "").await.json();
        let mut closed = value.clone();
        close(&mut closed);
        Self { value, closed, met: RefCell::default() }
    }

    /// Those that delete come last: what the others ask for is there.
    pub fn operations(&self) -> Vec<Operation> {
        let paths = self.value["paths"].as_object().unwrap().iter();
        let operation = |path: &str, method: &str, described: &Value| Operation {
            path: path.to_owned(),
            method: method.to_uppercase().parse().unwrap(),
            described: described.clone(),
        };
        let mut operations: Vec<Operation> = paths
            .flat_map(|(path, methods)| {
                let methods = methods.as_object().unwrap().iter();
                methods.map(|(method, described)| operation(path, method, described)).collect::<Vec<_>>()
            })
            .collect();
        operations.sort_by_key(|operation| operation.method == Method::DELETE);
        operations
    }

    /// What a value stands for, itself or what it refers to, and where that is.
    pub fn resolve(&self, pointer: &str) -> (String, &Value) {
        let found = self.value.pointer(pointer).unwrap_or_else(|| panic!("there is nothing at {pointer}"));
        match found["$ref"].as_str() {
            Some(reference) => self.resolve(reference.strip_prefix('#').unwrap()),
            None => (pointer.to_owned(), found),
        }
    }

    /// Why a value does not fit the schema at a pointer; none where it fits.
    pub fn misfit(&self, pointer: &str, value: &Value) -> Option<String> {
        misfit(&self.closed, pointer, value)
    }

    /// Holds an answer to what the document says of its route and status, and remembers that it was met.
    pub fn hold(&self, path: &str, method: &Method, answered: &Answered) {
        let (status, text) = (answered.status.as_u16(), &answered.text);
        let name = method.as_str().to_lowercase();
        let pointer = format!("/paths/{}/{name}/responses/{status}", escaped(path));
        assert!(self.value.pointer(&pointer).is_some(), "{method} {path}: {status} is not described: {text}");
        let (pointer, response) = self.resolve(&pointer);
        self.met.borrow_mut().insert(format!("{method} {path} {status}"));
        if response["content"].is_null() {
            assert_eq!(text, "", "{method} {path} {status} has a body");
            return;
        }
        let media_type = answered.headers[header::CONTENT_TYPE].to_str().unwrap().split(';').next().unwrap();
        let content = &response["content"][media_type];
        assert!(content.is_object(), "{method} {path} {status}: {media_type} is not described");
        let is_json = media_type == "application/json" || media_type.ends_with("+json");
        let value = if is_json { answered.json() } else { json!(text) };
        let pointer = format!("{pointer}/content/{}/schema", escaped(media_type));
        if let Some(misfit) = self.misfit(&pointer, &value) {
            panic!("{method} {path} {status}: {misfit}\n{value:#}");
        }
        if !answered.status.is_success() {
            let code = value["code"].as_str().unwrap();
            assert!(content["examples"][code].is_object(), "{method} {path} {status}: {code} is not described");
            for header in response["headers"].as_object().into_iter().flat_map(|headers| headers.keys()) {
                assert!(answered.headers.contains_key(header), "{method} {path} {status}: no {header}");
            }
        }
    }

    /// The routes and statuses that were met.
    pub fn met(&self) -> BTreeSet<String> {
        self.met.borrow().clone()
    }
}

/// A name as a part of a JSON pointer.
pub fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn misfit(document: &Value, pointer: &str, value: &Value) -> Option<String> {
    let mut compiler = Compiler::new();
    compiler.set_default_draft(Draft::V2020_12);
    compiler.enable_format_assertions();
    compiler.add_resource("http://localhost/openapi.json", document.clone()).unwrap();
    let mut schemas = Schemas::new();
    // Braces of a path's template have to be written as a URL has them.
    let place = pointer.replace('{', "%7B").replace('}', "%7D");
    let index = compiler.compile(&format!("http://localhost/openapi.json#{place}"), &mut schemas);
    let index = index.unwrap_or_else(|error| panic!("{pointer}: {error:#}"));
    schemas.validate(value, index).err().map(|error| format!("{error:#}"))
}

/// Forbids members that are not described.
fn close(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(close),
        Value::Object(members) => {
            members.values_mut().for_each(close);
            let is_object_schema = members.get("type") == Some(&json!("object")) && members.contains_key("properties");
            if is_object_schema && !members.contains_key("additionalProperties") {
                members.insert("additionalProperties".to_owned(), json!(false));
            }
        }
        _ => {}
    }
}
