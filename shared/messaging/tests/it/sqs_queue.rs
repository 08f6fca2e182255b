//! What only a queue on SQS goes through.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use analytics_domain::{Batch, EnvelopeError};
use analytics_messaging::sqs::{SqsEndpoint, SqsOptions, SqsQueue, pack, unpack};
use analytics_messaging::{Consumer, Delivery, EnqueueError, Queue, QueueError, Receipt};
use analytics_testkit::breaker::{Network, TcpBreaker};
use analytics_testkit::sqs::{Forward, Reply, SqsProxy};
use serde_json::{Value, json};

use crate::beds::{SQS, entry, queue_name};
use crate::sqs_batches::{batch, entry_of, event_ids};

const SOON: Duration = Duration::from_secs(5);

pub(crate) fn receipts(deliveries: &[Delivery]) -> Vec<Receipt> {
    deliveries.iter().map(|delivery| delivery.receipt.clone()).collect()
}

fn payloads(deliveries: &[Delivery]) -> BTreeSet<Vec<u8>> {
    deliveries.iter().map(|delivery| delivery.payload.to_vec()).collect()
}

/// A queue of the shared server, asked at `endpoint`.
pub(crate) async fn connect(url: &str, endpoint: String) -> Result<SqsQueue, QueueError> {
    SqsQueue::connect(SqsOptions { endpoint: Some(SqsEndpoint::new(endpoint)), ..SqsOptions::new(url) }).await
}

/// A fresh queue with attributes.
pub(crate) async fn fresh(attributes: &[(&str, &str)]) -> (SqsQueue, String) {
    let url = SQS.create_queue(&queue_name(), attributes).unwrap();
    (connect(&url, SQS.endpoint()).await.unwrap(), url)
}

/// A fresh queue, and the way to it on which `script` answers.
pub(crate) async fn scripted(
    attributes: &[(&str, &str)],
    script: impl Fn(&str, Value, Forward<'_>) -> Reply + Send + Sync + 'static,
) -> (SqsQueue, SqsProxy) {
    let url = SQS.create_queue(&queue_name(), attributes).unwrap();
    let proxy = SqsProxy::start(&SQS, script).unwrap();
    (connect(&url, proxy.endpoint()).await.unwrap(), proxy)
}

/// Fails the entries of a batch request that `fails` names, and forwards the others.
pub(crate) fn fail_some(
    request: &Value,
    forward: Forward<'_>,
    sender_fault: bool,
    fails: impl Fn(&Value) -> bool,
) -> Reply {
    let (failed, passed): (Vec<_>, Vec<_>) =
        request["Entries"].as_array().unwrap().iter().cloned().partition(|entry| fails(entry));
    let failed: Vec<Value> = failed
        .iter()
        .map(
            |entry| json!({ "Id": entry["Id"], "SenderFault": sender_fault, "Code": "Scripted", "Message": "as told" }),
        )
        .collect();
    let mut reply = match passed.is_empty() {
        true => Reply { status: 200, body: json!({ "Successful": [] }) },
        false => forward(json!({ "QueueUrl": request["QueueUrl"], "Entries": passed })),
    };
    reply.body["Failed"] = failed.into();
    reply
}

pub(crate) async fn receive_all(consumer: &mut Box<dyn Consumer>, count: usize) -> Vec<Delivery> {
    let (started, mut all) = (Instant::now(), Vec::new());
    while all.len() < count {
        assert!(started.elapsed() < Duration::from_secs(20), "{} of {count} entries came", all.len());
        all.extend(consumer.receive(count - all.len(), Duration::from_secs(1)).await.unwrap());
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_that_come_together_share_requests_and_one_alone_waits_for_nobody() {
    let (queue, proxy) = scripted(&[], |_, request, forward| forward(request)).await;
    let started = Instant::now();
    queue.enqueue(entry("default", 1, "alone")).await.unwrap();
    assert!(started.elapsed() < Duration::from_millis(500), "{:?}", started.elapsed());
    assert_eq!(proxy.count("SendMessageBatch"), 1);
    let queue = Arc::new(queue);
    let mut callers = tokio::task::JoinSet::new();
    for index in 0..100 {
        let queue = Arc::clone(&queue);
        callers.spawn(async move { queue.enqueue(entry("default", 1, &format!("{index:02}"))).await });
    }
    for answered in callers.join_all().await {
        answered.unwrap();
    }
    let requests = proxy.count("SendMessageBatch") - 1;
    assert!((10..=40).contains(&requests), "{requests} requests for 100 entries");
    assert_eq!(queue.depth().await.unwrap().batches, 101);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_that_sqs_failed_is_sent_again_and_its_neighbours_are_not() {
    let tries = AtomicUsize::new(0);
    let (queue, _proxy) = scripted(&[], move |action, request, forward| match action {
        "SendMessageBatch" => {
            let earlier = tries.fetch_add(1, Ordering::Relaxed);
            fail_some(&request, forward, false, |entry| {
                earlier < 3 && entry["MessageBody"].as_str().is_some_and(|body| unpack(body) == "unlucky")
            })
        }
        _ => forward(request),
    })
    .await;
    let texts = ["a", "unlucky", "b"];
    let (one, two, three) = tokio::join!(
        queue.enqueue(entry("default", 1, texts[0])),
        queue.enqueue(entry("default", 1, texts[1])),
        queue.enqueue(entry("default", 1, texts[2])),
    );
    one.and(two).and(three).unwrap();
    let mut consumer = queue.consumer("slot-0").await.unwrap();
    let came = receive_all(&mut consumer, 3).await;
    assert_eq!(payloads(&came), texts.iter().map(|text| text.as_bytes().to_vec()).collect());
    assert_eq!(queue.depth().await.unwrap().batches, 3, "sent once each");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_that_sqs_refuses_is_answered_at_once_and_one_that_keeps_failing_in_time() {
    let (queue, proxy) = scripted(&[], |action, request, forward| match action {
        "SendMessageBatch" => {
            let is = |entry: &Value, text: &str| entry["MessageBody"].as_str().is_some_and(|body| unpack(body) == text);
            let sender_fault = request["Entries"].as_array().unwrap().iter().any(|entry| is(entry, "refused"));
            fail_some(&request, forward, sender_fault, |entry| is(entry, "refused") || is(entry, "failing"))
        }
        _ => forward(request),
    })
    .await;
    let started = Instant::now();
    let (good, refused) =
        tokio::join!(queue.enqueue(entry("default", 1, "good")), queue.enqueue(entry("default", 1, "refused")),);
    good.unwrap();
    let refused = refused.unwrap_err();
    assert!(matches!(&refused, EnqueueError::Unavailable { reason } if reason.contains("Scripted")), "{refused}");
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    let (started, sent) = (Instant::now(), proxy.count("SendMessageBatch"));
    queue.enqueue(entry("default", 1, "failing")).await.unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    assert!((3..10).contains(&(proxy.count("SendMessageBatch") - sent)), "with pauses that grow");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_of_the_service_passes_and_a_silent_one_is_told_in_time() {
    let tries = AtomicUsize::new(0);
    let (queue, _proxy) = scripted(&[], move |action, request, forward| match action {
        "SendMessageBatch" if tries.fetch_add(1, Ordering::Relaxed) == 0 => {
            Reply::error(503, "ServiceUnavailable", "busy")
        }
        _ => forward(request),
    })
    .await;
    queue.enqueue(entry("default", 1, "a")).await.unwrap();

    let breaker = TcpBreaker::start(SQS.address()).unwrap();
    let url = SQS.create_queue(&queue_name(), &[]).unwrap();
    let endpoint = format!("http://{}", breaker.address());
    let queue = Arc::new(connect(&url, endpoint.clone()).await.unwrap());
    breaker.set(Network::Silent);
    let started = Instant::now();
    let mut callers = tokio::task::JoinSet::new();
    for index in 0..200 {
        let queue = Arc::clone(&queue);
        callers.spawn(async move { queue.enqueue(entry("default", 1, &index.to_string())).await });
    }
    for answered in callers.join_all().await {
        assert!(matches!(answered, Err(EnqueueError::Unavailable { .. })), "{answered:?}");
    }
    assert!(started.elapsed() < Duration::from_millis(4_500), "{:?}", started.elapsed());
    let started = Instant::now();
    assert!(matches!(queue.check().await, Err(QueueError::Unavailable { .. })));
    assert!(matches!(connect(&url, endpoint).await, Err(QueueError::Unavailable { .. })));
    assert!(started.elapsed() < Duration::from_millis(4_500), "{:?}", started.elapsed());
    breaker.set(Network::Whole);
    queue.check().await.unwrap();
    queue.enqueue(entry("default", 1, "after")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_that_goes_away_takes_no_entry_with_it() {
    let (queue, _proxy) = scripted(&[], |action, request, forward| {
        if action == "SendMessageBatch" {
            std::thread::sleep(Duration::from_millis(200));
        }
        forward(request)
    })
    .await;
    let queue = Arc::new(queue);
    let callers: Vec<_> = (0..40)
        .map(|index| {
            let queue = Arc::clone(&queue);
            tokio::spawn(async move { queue.enqueue(entry("default", 1, &index.to_string())).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(50)).await;
    for (index, caller) in callers.into_iter().enumerate() {
        if index % 2 == 0 {
            caller.abort();
        } else {
            caller.await.unwrap().unwrap();
        }
    }
    let mut consumer = queue.consumer("slot-0").await.unwrap();
    assert_eq!(payloads(&receive_all(&mut consumer, 40).await).len(), 40);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_above_the_limit_of_a_queue_arrives_in_parts_and_counts_once() {
    for (size_max, parts) in [(256 << 10, 8..=16), (1 << 20, 2..=4)] {
        let (queue, _) = fresh(&[("MaximumMessageSize", &size_max.to_string())]).await;
        let whole = batch(1_000, 2_000);
        queue.enqueue(entry_of(&whole)).await.unwrap();
        let depth = queue.depth().await.unwrap();
        assert!(parts.contains(&depth.batches), "{} parts", depth.batches);
        assert!((990..=1_000).contains(&depth.events), "{} events", depth.events);
        let mut consumer = queue.consumer("slot-0").await.unwrap();
        let came = receive_all(&mut consumer, usize::try_from(depth.batches).unwrap()).await;
        let read: Vec<Batch<'_>> = came.iter().map(|delivery| Batch::decode(&delivery.payload).unwrap()).collect();
        let events: Vec<_> = read.iter().flat_map(event_ids).collect();
        assert_eq!(events.len(), 1_000);
        assert_eq!(events.into_iter().collect::<BTreeSet<_>>(), event_ids(&whole).collect());
        let ids: BTreeSet<_> = read.iter().map(|part| part.id).collect();
        assert!(ids.len() == read.len() && ids.contains(&whole.id));
        let refused: Vec<_> = read.iter().flat_map(|part| part.refused.clone()).collect();
        assert_eq!(refused, whole.refused);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_that_was_lost_names_its_events() {
    let whole = batch(300, 3_000);
    let bad = whole.events[200].id;
    for everything in [false, true] {
        let (queue, _proxy) =
            scripted(&[("MaximumMessageSize", "262144")], move |action, request, forward| match action {
                "SendMessageBatch" => fail_some(&request, forward, true, |entry| {
                    let payload = unpack(entry["MessageBody"].as_str().unwrap());
                    everything || Batch::decode(&payload).unwrap().events.iter().any(|event| event.id == bad)
                }),
                _ => forward(request),
            })
            .await;
        let answer = queue.enqueue(entry_of(&whole)).await.unwrap_err();
        if everything {
            assert!(matches!(answer, EnqueueError::Unavailable { .. }), "{answer}");
            continue;
        }
        let EnqueueError::Partial { lost, reason } = answer else { panic!("{answer}") };
        assert!(reason.contains("Scripted") && lost.contains(&200) && lost.is_sorted(), "{reason}: {lost:?}");
        let lost: BTreeSet<_> = lost.into_iter().map(|place| whole.events[place as usize].id).collect();
        let mut consumer = queue.consumer("slot-0").await.unwrap();
        let parts = usize::try_from(queue.depth().await.unwrap().batches).unwrap();
        let came = receive_all(&mut consumer, parts).await;
        let read: Vec<Batch<'_>> = came.iter().map(|delivery| Batch::decode(&delivery.payload).unwrap()).collect();
        let durable: BTreeSet<_> = read.iter().flat_map(event_ids).collect();
        assert!(durable.is_disjoint(&lost));
        assert_eq!(&durable | &lost, event_ids(&whole).collect());
    }
}

#[tokio::test]
async fn an_entry_that_neither_fits_nor_can_be_split_says_so() {
    let (queue, url) = fresh(&[("MaximumMessageSize", "262144")]).await;
    let noise = batch(400, 2_000).encode();
    let refusal = queue.enqueue(entry("default", 1, &format!("no batch {}", pack(&noise)))).await.unwrap_err();
    assert!(matches!(&refusal, EnqueueError::Unavailable { reason } if reason.contains("262144")), "{refusal}");
    assert_eq!(SQS.count(&url).unwrap(), 0);
}

#[tokio::test]
async fn what_is_no_batch_of_ours_is_handed_out_beside_its_neighbours() {
    let (queue, url) = fresh(&[]).await;
    let good = batch(3, 10).encode();
    queue.enqueue(entry_of(&batch(3, 10))).await.unwrap();
    let newer = pack(&[7, 1, 2, 3]);
    let truncated = pack(&good[..good.len() - 9]);
    for body in ["{\"events\":[]}", "größer\n", &newer, &truncated, "KLUv/QBYAAAA"] {
        SQS.send(&url, body).unwrap();
    }
    let mut consumer = queue.consumer("slot-0").await.unwrap();
    let came = receive_all(&mut consumer, 6).await;
    let outcomes = came.iter().map(|delivery| Batch::decode(&delivery.payload));
    let (read, junk): (Vec<_>, Vec<_>) = outcomes.partition(Result::is_ok);
    assert_eq!(read.len(), 1);
    let newer = |outcome: &&Result<_, EnvelopeError>| matches!(outcome, Err(EnvelopeError::NewerVersion { found: 7 }));
    assert_eq!((junk.len(), junk.iter().filter(newer).count()), (5, 1));
    consumer.acknowledge(&receipts(&came)).await.unwrap();
    assert_eq!(SQS.count(&url).unwrap(), 0);
}

#[tokio::test]
async fn what_fails_again_and_again_goes_to_the_dead_letter_queue() {
    let (url, dead) = SQS.create_queue_with_dead_letters(&queue_name(), 3, &[]).unwrap();
    let queue = connect(&url, SQS.endpoint()).await.unwrap();
    queue.enqueue(entry("default", 1, "stubborn")).await.unwrap();
    let mut consumer = queue.consumer("slot-0").await.unwrap();
    for attempt in 1..=3 {
        let held = consumer.receive(10, SOON).await.unwrap();
        assert_eq!((held.len(), held[0].attempt), (1, attempt));
        consumer.release(&receipts(&held)).await.unwrap();
    }
    assert!(consumer.receive(10, Duration::from_millis(500)).await.unwrap().is_empty());
    assert_eq!((SQS.count(&url).unwrap(), SQS.count(&dead).unwrap()), (0, 1));
}
