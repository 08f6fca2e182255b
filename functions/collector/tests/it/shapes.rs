//! What is accepted, and what the queue then holds.

use std::io::Write as _;

use analytics_domain::Retention;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::running::{NOW, Running, Setup, event, told};

/// Compressed with each encoding that is known.
pub(crate) fn packed(plain: &[u8]) -> [(&'static str, Vec<u8>); 3] {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(plain).unwrap();
    let mut brotli_out = Vec::new();
    let parameters = brotli::enc::BrotliEncoderParams { quality: 4, ..Default::default() };
    brotli::BrotliCompress(&mut &plain[..], &mut brotli_out, &parameters).unwrap();
    [("gzip", gzip.finish().unwrap()), ("br", brotli_out), ("zstd", zstd::encode_all(plain, 3).unwrap())]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_answered_with_202_is_in_the_queue() {
    let running = Running::start(Setup::default()).await;
    let own = "0192F0C1-2D3E-7A4B-8C5D-6E7F80910111";
    let body = format!(
        "[{},{},{}]",
        event(&format!(r#","id":"{own}","user_id":"u\u00e9","metadata":{{"b":1.50,"a":"x"}}"#)),
        event(r#","colour":"red""#),
        event(""),
    );
    let response = running.post(body).header("content-type", "application/json").send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/json");
    let (status, answer) = told(response).await;
    assert_eq!((status, &answer["accepted"]), (202, &json!(2)));
    assert_eq!(answer["ids"][0], own.to_lowercase());
    assert_eq!(answer["rejected"].as_array().unwrap().len(), 1);
    assert_eq!(answer["rejected"][0]["index"], 1);
    assert_eq!(answer["rejected"][0]["code"], "unknown_field");
    assert_eq!(answer["rejected"][0]["field"], "colour");

    let [batch] = &running.drain().await[..] else { panic!("one body, one entry") };
    assert_eq!((batch.project.as_str(), batch.received_at), ("default", NOW));
    assert_eq!(batch.refused, [("unknown_field".into(), 1)]);
    let ids: Vec<Value> = batch.events.iter().map(|event| json!(event.id)).collect();
    assert_eq!(json!(ids), answer["ids"]);
    assert_eq!(batch.events[0].metadata, r#"{"a":"x","b":1.5}"#);
    assert_eq!(batch.events[0].user_id.as_deref(), Some("ué"));
    assert_eq!((batch.events[0].client_id, batch.events[1].client_id), (true, false));
    assert_eq!(batch.events[1].timestamp, NOW);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_three_shapes_three_types_and_three_encodings_are_the_same() {
    let running = Running::start(Setup::default()).await;
    let one = event(r#","metadata":{"a":1}"#);
    let shapes = [one.clone(), format!("[{one}]"), format!(r#"{{"events":[{one}],"sent_at":"2026-11-02T09:59:59Z"}}"#)];
    let mut sent = 0;
    for shape in shapes {
        for kind in [None, Some("application/json"), Some("text/plain;charset=UTF-8")] {
            let requests = packed(shape.as_bytes())
                .map(|(encoding, body)| running.post(body).header("content-encoding", encoding));
            for request in requests.into_iter().chain([running.post(shape.clone())]) {
                let request = kind.map_or(request.try_clone().unwrap(), |kind| request.header("content-type", kind));
                let (status, answer) = told(request.send().await.unwrap()).await;
                assert_eq!(
                    (status, &answer["accepted"], &answer["rejected"]),
                    (202, &json!(1), &json!([])),
                    "{answer}"
                );
                sent += 1;
            }
        }
    }
    let batches = running.drain().await;
    assert_eq!(batches.len(), sent);
    assert!(batches.iter().all(|batch| batch.events.len() == 1 && batch.events[0].metadata == r#"{"a":1}"#));
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_rise_in_a_batch_and_over_batches() {
    let running = Running::start(Setup::default()).await;
    let body = format!("[{}]", vec![event(""); 1_000].join(","));
    let mut ids: Vec<Uuid> = Vec::new();
    for _ in 0..3 {
        let (status, answer) = told(running.post(body.clone()).send().await.unwrap()).await;
        assert_eq!((status, &answer["accepted"]), (202, &json!(1_000)));
        ids.extend(answer["ids"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().parse::<Uuid>().unwrap()));
    }
    assert!(ids.is_sorted_by(|a, b| a < b));
    assert!(ids.iter().all(|id| id.get_version_num() == 7));
    let queued: Vec<Uuid> =
        running.drain().await.iter().flat_map(|batch| batch.events.iter().map(|event| event.id)).collect();
    assert_eq!(queued, ids);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_whose_events_are_all_refused_still_tells_its_counts() {
    let running = Running::start(Setup::default()).await;
    let (status, answer) = told(running.post(r#"[{"a":1},{"b":1},{}]"#).send().await.unwrap()).await;
    assert_eq!(status, 400);
    insta::assert_json_snapshot!(answer);
    let [batch] = &running.drain().await[..] else { panic!("the counts are an entry") };
    assert!(batch.events.is_empty());
    assert_eq!(batch.refused, [("missing_field".into(), 1), ("unknown_field".into(), 2)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_retention_is_read_for_each_request() {
    let running = Running::start(Setup::default()).await;
    let old = event(r#","timestamp":"2026-10-01T00:00:00Z""#);
    assert_eq!(running.post(old.clone()).send().await.unwrap().status(), 202);
    running.retention.set(Retention { days: 7 });
    let (status, answer) = told(running.post(old).send().await.unwrap()).await;
    assert_eq!((status, &answer["rejected"][0]["code"]), (400, &json!("timestamp_out_of_range")));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_choose_the_project_by_the_first_place_that_has_one() {
    let keys = "shop-key-00000000:shop, blog-key-00000000:blog";
    let running = Running::start(Setup { write_keys: keys, ..Setup::default() }).await;
    let collect = |query: &str| running.client.post(running.url(&format!("/collect{query}"))).body(event(""));
    let requests = [
        (collect("").bearer_auth("shop-key-00000000").header("x-write-key", "blog-key-00000000"), "shop"),
        (collect("?key=shop-key-00000000").header("x-write-key", "blog-key-00000000"), "blog"),
        (collect("?a=b&key=shop-key-00000000"), "shop"),
    ];
    for (request, project) in requests {
        assert_eq!(request.send().await.unwrap().status(), 202);
        assert_eq!(running.drain().await[0].project.as_str(), project);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_counted_is_shown() {
    let running = Running::start(Setup::default()).await;
    let page = async || {
        let page = analytics_host::metrics::router();
        let request = http::Request::get("/metrics").body(axum::body::Body::empty()).unwrap();
        let response = tower::ServiceExt::oneshot(page, request).await.unwrap();
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    };
    let body = format!(r#"[{0},{0},{{"bad_one":1}}]"#, event(r#","event_type":"counted-here""#));
    running.post(body).send().await.unwrap();
    let page = page().await;
    assert!(page.contains(r#"analytics_events_received_total{type="counted-here"} 2"#), "{page}");
    for name in [
        "analytics_events_queued_total ",
        "analytics_batch_size_histogram_bucket{le=\"10\"}",
        r#"analytics_events_rejected_total{reason="unknown_field"}"#,
    ] {
        assert!(page.contains(name), "{name} in {page}");
    }
}
