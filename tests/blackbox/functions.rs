//! What only functions meet: what they have not, junk in their queue, messages twice, deaths in the middle.

use std::time::{Duration, Instant};

use analytics_blackbox::deployment::Settings;
use analytics_blackbox::tenant::send;
use analytics_blackbox::{Deployment, Form};
use serde_json::{Value, json};

use crate::corpus::{at, event};

#[tokio::test]
async fn what_a_function_has_not_is_404_and_says_so() {
    let deployment = Deployment::shared(Form::Serverless);
    let client = deployment.tenant().client;
    for (role, url) in deployment.roles() {
        for (path, word) in [("/metrics", "CloudWatch"), ("/realtime", "container"), ("/realtime/sse", "container")] {
            let answer = send(client.get(format!("{url}{path}"))).await.expect_problem(404, "not_found");
            assert!(answer.body["detail"].as_str().unwrap().contains(word), "{role}{path}: {}", answer.text);
        }
    }
}

#[tokio::test]
async fn metrics_are_told_under_their_names_before_the_answer() {
    let deployment = Deployment::shared(Form::Serverless);
    let tenant = deployment.tenant();
    tenant.store(&[event("s", "t", "a", &at(1, "10:00:00"))]).await;
    let _ = tenant.get("/api/trends").await.expect_status(200);
    let parts = deployment.parts();
    let told: Vec<(&str, Value)> = parts
        .functions
        .iter()
        .flat_map(|functions| functions.logs())
        .flat_map(|(name, log)| {
            let lines: Vec<_> = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).collect();
            lines.into_iter().filter(|line| line.get("_aws").is_some()).map(move |line| (name, line))
        })
        .collect();
    for (function, name) in [
        ("collector", "analytics_events_queued_total"),
        ("collector", "analytics_events_received_total"),
        ("collector", "analytics_batch_size_histogram"),
        ("api", "analytics_api_requests_total"),
        ("api", "analytics_api_latency_seconds"),
        ("processor", "analytics_events_processed_total"),
        ("processor", "analytics_processing_duration_seconds"),
        ("processor", "analytics_ingest_lag_seconds"),
    ] {
        let of = |(found, line): &&(&str, Value)| *found == function && !line[name].is_null();
        let (_, line) = told.iter().find(of).unwrap_or_else(|| panic!("{function} did not tell {name}"));
        let metrics = line["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array().unwrap();
        assert!(metrics.iter().any(|metric| metric["Name"] == name), "{line}");
    }
}

#[tokio::test]
async fn upkeep_is_done_where_only_a_schedule_asks_for_it() {
    let deployment = Deployment::shared(Form::Serverless);
    let told = || {
        let parts = deployment.parts();
        let mut logs = parts.functions.iter().flat_map(|functions| functions.logs());
        // A new database has no chunks for the days to come: the first tick makes them, and says so.
        logs.any(|(name, log)| name == "maintenance" && log.contains("the store was tended"))
    };
    let started = Instant::now();
    while !told() {
        assert!(started.elapsed() < Duration::from_secs(30), "no tick was worked on: {}", deployment.logs());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn junk_in_the_queue_becomes_dead_letters_and_its_neighbours_are_stored() {
    let deployment = Deployment::start(Form::Serverless, &Settings::default()).unwrap();
    let tenant = deployment.owned_tenant();
    let (sqs, queue_url) = {
        let parts = deployment.parts();
        let functions = parts.functions.as_ref().unwrap();
        (std::sync::Arc::clone(&functions.sqs), functions.queue_url.clone())
    };
    // No base64, base64 of another version, a cut frame of zstd, nothing but spaces.
    let junk = ["{\"not\":\"ours\"}", "AgABAg==", "KLUv/SAB", "   "];
    for body in junk {
        sqs.send(&queue_url, body).unwrap();
        tenant.collect_all(&[event("s", "t", "a", &at(1, "10:00:00"))]).await;
    }
    tenant.settled(junk.len() as u64).await;
    let started = Instant::now();
    while sqs.count(&queue_url).unwrap() > 0 {
        assert!(started.elapsed() < Duration::from_secs(30), "junk stays in the queue: {}", deployment.logs());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_batch_beyond_a_message_is_split_and_answered_event_by_event() {
    let deployment = Deployment::shared(Form::Serverless);
    let tenant = deployment.tenant();
    {
        let parts = deployment.parts();
        let functions = parts.functions.as_ref().unwrap();
        let whole = functions.sqs.send(&functions.queue_url, &"x".repeat(300_000));
        assert!(whole.is_err(), "the queue would take the batch as one message");
    }
    // Noise that hardly compresses: three times what a message of this queue takes, so that it is there only in parts.
    let mut state = 7_u64;
    let mut text = |length: usize| -> String {
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            char::from(b'0' + ((state >> 40) % 75) as u8).to_string().replace('\\', "-")
        };
        (0..length).map(|_| next()).collect()
    };
    let events: Vec<Value> = (0..60)
        .map(|_| {
            let mut event = event("s", "t", "a", &at(1, "10:00:00"));
            event["metadata"] = json!({ "noise": text(15_000) });
            event
        })
        .collect();
    let answer = tenant.collect(json!(events).to_string()).await.expect_status(202);
    assert_eq!(answer.body["accepted"], 60, "{}", &answer.text[..200.min(answer.text.len())]);
    tenant.settled(60).await;
}

#[tokio::test]
async fn functions_that_die_in_the_middle_lose_nothing() {
    let deployment = Deployment::start(Form::Serverless, &Settings::default()).unwrap();
    let tenant = deployment.owned_tenant();
    for n in 0..20 {
        tenant.collect_all(&vec![event("s", "t", &n.to_string(), &at(1, "10:00:00")); 10]).await;
        if n % 5 == 2 {
            deployment.parts().functions.as_mut().unwrap().restart("processor").unwrap();
        }
    }
    tenant.settled(200).await;
    let answer = tenant.get("/api/integrity").await.expect_status(200);
    assert_eq!(answer.body["drift"], 0, "{}", answer.text);
}
