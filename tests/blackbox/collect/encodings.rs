//! Packed bodies.

use std::io::Write;

use analytics_blackbox::tenant::send;
use analytics_blackbox::{Answer, Deployment, Tenant};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::corpus::{at, event};

every_form! {
    each_encoding_is_read,
    a_body_that_is_not_packed_as_it_says,
    a_small_body_that_inflates_beyond_the_limit,
}

const ENCODINGS: [&str; 3] = ["gzip", "br", "zstd"];

fn pack(encoding: &str, body: &[u8]) -> Vec<u8> {
    match encoding {
        "gzip" => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(body).unwrap();
            encoder.finish().unwrap()
        }
        "br" => {
            let mut packed = Vec::new();
            let mut from = body;
            brotli::BrotliCompress(&mut from, &mut packed, &brotli::enc::BrotliEncoderParams::default()).unwrap();
            packed
        }
        _ => zstd::encode_all(body, 3).unwrap(),
    }
}

async fn collect_packed(tenant: &Tenant, encoding: &str, body: Vec<u8>) -> Answer {
    let request = tenant.collect_request().bearer_auth(&tenant.write_key).header("content-type", "application/json");
    send(request.header("content-encoding", encoding).body(body)).await
}

async fn each_encoding_is_read(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    for encoding in ENCODINGS {
        let events: Vec<_> = (0..500).map(|n| event("s", encoding, &n.to_string(), &at(1, "10:00:00"))).collect();
        let body = serde_json::json!(events).to_string();
        let answer = collect_packed(&tenant, encoding, pack(encoding, body.as_bytes())).await.expect_status(202);
        assert_eq!(answer.body["accepted"], 500, "{encoding}");
    }
    let body = pack("gzip", event("s", "t", "a", &at(1, "10:00:00")).to_string().as_bytes());
    let _ = collect_packed(&tenant, "GZIP", body).await.expect_status(202);
    tenant.settled(1_501).await;
}

async fn a_body_that_is_not_packed_as_it_says(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let body = event("s", "t", "a", &at(1, "10:00:00")).to_string();
    for encoding in ENCODINGS {
        let whole = pack(encoding, body.as_bytes());
        let broken = [body.clone().into_bytes(), whole[..whole.len() / 2].to_vec(), Vec::new()];
        for bytes in broken {
            let answer = collect_packed(&tenant, encoding, bytes).await;
            assert_eq!(answer.status, 400, "{encoding}: {}", answer.text);
            let code = answer.body["code"].as_str().unwrap();
            assert!(["invalid_encoding", "invalid_json"].contains(&code), "{encoding}: {code}");
        }
    }
}

async fn a_small_body_that_inflates_beyond_the_limit(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let padded = |bytes: usize| {
        let mut body = event("s", "t", "a", &at(1, "10:00:00")).to_string().into_bytes();
        body.resize(bytes, b' ');
        body
    };
    for encoding in ENCODINGS {
        let fits = pack(encoding, &padded(8 * 1024 * 1024));
        let _ = collect_packed(&tenant, encoding, fits).await.expect_status(202);
        let beyond = pack(encoding, &padded(8 * 1024 * 1024 + 1));
        assert!(beyond.len() < 100_000);
        let _ = collect_packed(&tenant, encoding, beyond).await.expect_problem(413, "body_too_large");
    }
    tenant.settled(3).await;
}
