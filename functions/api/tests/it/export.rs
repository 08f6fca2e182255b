//! Exports, read back from every format and compared with what is stored.

use analytics_testkit::export::{from_csv, from_ndjson, from_parquet};
use axum::body::to_bytes;
use axum::http::{HeaderMap, StatusCode, header};
use futures::StreamExt as _;
use serde_json::{Value, json};

use crate::served::Api;

/// Everything that is stored, by the other route, in the order of exports.
async fn stored(api: &Api) -> Vec<Value> {
    let mut events = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = api.get(&format!("/api/events?limit=10000{cursor}")).await.json();
        events.extend(page["results"].as_array().unwrap().clone());
        match page["meta"]["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    events.reverse();
    events
}

async fn export(api: &Api, parameters: &str) -> (HeaderMap, Vec<u8>) {
    let response = api.response(&format!("/api/export?{parameters}")).await;
    assert_eq!(response.status(), StatusCode::OK, "{parameters}");
    let (head, body) = response.into_parts();
    (head.headers, to_bytes(body, usize::MAX).await.unwrap().to_vec())
}

#[tokio::test]
async fn every_format_gives_what_is_stored() {
    let api = Api::start().await;
    api.store_more(3, 2_500).await;
    let stored = stored(&api).await;
    assert!(stored.len() > 3_000 && stored.iter().any(|event| event["user_id"].is_null()));
    let (headers, bytes) = export(&api, "format=ndjson").await;
    assert_eq!(headers[header::CONTENT_TYPE], "application/x-ndjson");
    assert!(!headers.contains_key("x-next-cursor"));
    assert_eq!(from_ndjson(&bytes), stored);
    let (headers, bytes) = export(&api, "format=csv").await;
    assert_eq!(headers[header::CONTENT_DISPOSITION], "attachment; filename=\"events.csv\"");
    assert_eq!(from_csv(&bytes), stored);
    let (headers, bytes) = export(&api, "format=parquet").await;
    assert_eq!(headers[header::CONTENT_TYPE], "application/vnd.apache.parquet");
    assert_eq!(from_parquet(&bytes), stored);
}

#[tokio::test]
async fn range_and_filters_are_those_of_the_other_forms() {
    let api = Api::start().await;
    let chosen =
        "range=2026-11-01,2026-11-07&tz=Europe/Berlin&event_type=commerce&filter=%5B%22exists%22,%22user_id%22%5D";
    let mut expected = api.get(&format!("/api/events?limit=10000&{chosen}")).await.json()["results"].clone();
    expected.as_array_mut().unwrap().reverse();
    assert!(!expected.as_array().unwrap().is_empty());
    assert_eq!(json!(from_ndjson(&export(&api, chosen).await.1)), expected);
    // Nothing is a file too.
    for format in ["ndjson", "csv", "parquet"] {
        let bytes = export(&api, &format!("range=2020-01-01,2020-01-02&format={format}")).await.1;
        match format {
            "ndjson" => assert!(bytes.is_empty()),
            "csv" => assert!(from_csv(&bytes).is_empty()),
            _ => assert!(from_parquet(&bytes).is_empty()),
        }
    }
}

#[tokio::test]
async fn parts_follow_each_other() {
    let api = Api::start().await;
    let stored = stored(&api).await;
    let (mut events, mut cursor) = (Vec::new(), String::new());
    for limit in [1, 250, 7, 5_000] {
        // How much comes at once and in which format may change from part to part.
        let (headers, bytes) = if limit == 7 {
            let (headers, bytes) = export(&api, &format!("limit={limit}&format=csv{cursor}")).await;
            (headers, from_csv(&bytes))
        } else {
            let (headers, bytes) = export(&api, &format!("limit={limit}{cursor}")).await;
            (headers, from_ndjson(&bytes))
        };
        assert_eq!(bytes.len(), limit.min(stored.len() - events.len()));
        events.extend(bytes);
        match headers.get("x-next-cursor") {
            Some(next) => cursor = format!("&cursor={}", next.to_str().unwrap()),
            None => assert_eq!(limit, 5_000),
        }
    }
    assert_eq!(events, stored);
    let (headers, bytes) = export(&api, &format!("limit={}", stored.len())).await;
    assert!(!headers.contains_key("x-next-cursor"), "nothing follows");
    assert_eq!(from_ndjson(&bytes).len(), stored.len());

    for wrong in ["range=7d", "tz=Europe/Berlin", "event_type=commerce"] {
        let answered = api.get(&format!("/api/export?{wrong}{cursor}")).await;
        assert_eq!((answered.status.as_u16(), &answered.json()["code"]), (400, &json!("invalid_cursor")), "{wrong}");
    }
    for (wrong, path) in [("format=xml", "format"), ("limit=1000001", "limit"), ("format=csv&format=csv", "format")] {
        let answered = api.get(&format!("/api/export?{wrong}")).await;
        assert_eq!((answered.status.as_u16(), &answered.json()["path"]), (400, &json!(path)), "{}", answered.text);
    }
}

#[tokio::test]
async fn a_function_gives_as_much_as_it_can() {
    const MOST: usize = 25_000;
    let api = Api::in_parts(MOST).await;
    let stored = stored(&api).await;
    for format in ["ndjson", "csv", "parquet"] {
        let (mut events, mut cursor, mut parts) = (Vec::new(), String::new(), 0);
        loop {
            let (headers, bytes) = export(&api, &format!("format={format}&limit=400{cursor}")).await;
            assert!(bytes.len() < MOST + 2_000, "{format}: {}", bytes.len());
            events.extend(match format {
                "ndjson" => from_ndjson(&bytes),
                "csv" => from_csv(&bytes),
                _ => from_parquet(&bytes),
            });
            parts += 1;
            match headers.get("x-next-cursor") {
                Some(next) => cursor = format!("&cursor={}", next.to_str().unwrap()),
                None => break,
            }
        }
        assert!(parts > 3, "{format}: {parts}");
        assert_eq!(events, stored, "{format}");
    }
}

/// What is stored while an export waits for its reader is in it: nothing is read ahead of the reader but for a page or two.
#[tokio::test]
async fn an_export_is_read_as_it_is_taken() {
    let api = Api::start().await;
    api.store_more(1, 8_000).await;
    let mut body = api.response("/api/export").await.into_body().into_data_stream();
    let mut bytes = body.next().await.unwrap().unwrap().to_vec();
    let first = from_ndjson(&bytes).len();
    assert_eq!(first, 1_000);
    api.store_more(14, 50).await;
    let mut pieces = 1;
    while let Some(more) = body.next().await {
        bytes.extend_from_slice(&more.unwrap());
        pieces += 1;
    }
    assert!(pieces >= 8, "{pieces}");
    let exported = from_ndjson(&bytes);
    assert_eq!(exported, stored(&api).await);
    assert!(exported.len() > 8_600);
}
