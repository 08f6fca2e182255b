//! `/metrics`: contract, "Health and metrics".

use std::collections::{BTreeMap, BTreeSet};

use analytics_blackbox::Deployment;
use analytics_blackbox::tenant::send;

use crate::corpus::{at, event};

every_form_of_processes! { every_metric_is_there, labels_do_not_grow_with_clients }

/// The series of every role together: name with labels, and value.
async fn scrape(deployment: &Deployment) -> BTreeMap<String, f64> {
    let client = reqwest::Client::new();
    let mut series = BTreeMap::new();
    for (_, url) in deployment.roles() {
        let answer = send(client.get(format!("{url}/metrics"))).await.expect_status(200);
        assert!(answer.header("content-type").starts_with("text/plain"), "{:?}", answer.headers);
        for line in answer.text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            let (name, value) = line.rsplit_once(' ').unwrap();
            *series.entry(name.to_owned()).or_insert(0.0) += value.parse::<f64>().unwrap_or(f64::NAN);
        }
    }
    series
}

async fn every_metric_is_there(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    tenant
        .store(&[event("s", "navigation", "a", &at(1, "10:00:00")), event("s", "navigation", "a", &at(1, "10:00:00"))])
        .await;
    let _ = tenant.collect("{}").await;
    let _ = tenant.get("/api/trends").await.expect_status(200);
    let series = scrape(deployment).await;
    let names: BTreeSet<&str> = series.keys().map(|series| series.split('{').next().unwrap()).collect();
    for name in [
        "analytics_events_received_total",
        "analytics_events_queued_total",
        "analytics_batch_size_histogram_bucket",
        "analytics_events_processed_total",
        "analytics_processing_duration_seconds_bucket",
        "analytics_queue_depth",
        "analytics_queue_batches",
        "analytics_api_requests_total",
        "analytics_api_latency_seconds_bucket",
        "analytics_events_rejected_total",
        "analytics_events_duplicate_total",
        "analytics_dead_letters",
        "analytics_ingest_lag_seconds",
        "analytics_realtime_connections",
    ] {
        assert!(
            names.iter().any(|found| *found == name || found.strip_suffix("_bucket") == Some(name)),
            "{name} is not in {names:#?}"
        );
    }
    let has = |name: &str, labels: &[&str]| {
        series.keys().any(|series| series.starts_with(name) && labels.iter().all(|label| series.contains(label)))
    };
    assert!(has("analytics_batch_size_histogram_bucket", &["le=\"10\""]), "{names:#?}");
    assert!(has("analytics_processing_duration_seconds_bucket", &["le=\"0.1\""]));
    assert!(has("analytics_api_latency_seconds_bucket", &["le=\"0.5\""]));
    assert!(has("analytics_api_requests_total", &["endpoint=\"/trends\"", "status=\"200\""]));
    assert!(has("analytics_events_rejected_total", &["reason=\"missing_field\""]));
    assert!(has("analytics_events_received_total", &["type="]));
}

async fn labels_do_not_grow_with_clients(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let events: Vec<_> = (0..400).map(|n| event("s", &format!("invented-{n}"), "a", &at(1, "10:00:00"))).collect();
    tenant.collect_all(&events).await;
    for n in 0..50 {
        let _ = tenant.get(&format!("/api/invented-{n}")).await;
        let _ = tenant.get(&format!("/api/properties/metadata.k{n}/values")).await;
    }
    let series = scrape(deployment).await;
    let of = |name: &str| series.keys().filter(|series| series.starts_with(name)).count();
    assert!(of("analytics_events_received_total") <= 51, "{}", of("analytics_events_received_total"));
    assert!(of("analytics_api_requests_total") < 100, "{}", of("analytics_api_requests_total"));
    let text: Vec<_> =
        series.keys().filter(|series| series.contains("metadata.k") || series.contains("/invented")).collect();
    assert!(text.is_empty(), "{text:#?}");
}
