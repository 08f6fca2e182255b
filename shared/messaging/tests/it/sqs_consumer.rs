//! What only a consumer of a queue on SQS goes through, and how a queue is opened.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use analytics_messaging::sqs::{SqsEndpoint, SqsOptions, SqsQueue};
use analytics_messaging::{Queue, QueueError, Receipt};
use analytics_testkit::sqs::Reply;

use crate::beds::{SQS, entry, queue_name};
use crate::sqs_batches::{batch, entry_of};
use crate::sqs_queue::{connect, fail_some, fresh, receipts, receive_all, scripted};

/// A queue whose consumers hold entries for a second.
async fn visible_after_a_second(url: String) -> SqsQueue {
    let endpoint = Some(SqsEndpoint::new(SQS.endpoint()));
    let visibility = Duration::from_secs(1);
    SqsQueue::connect(SqsOptions { visibility, endpoint, ..SqsOptions::new(url) }).await.unwrap()
}

#[tokio::test]
async fn an_idle_consumer_makes_one_request_a_wait() {
    let (queue, proxy) = scripted(&[], |_, request, forward| forward(request)).await;
    let mut consumer = queue.consumer("slot-0").await.unwrap();
    for (wait, requests) in [(300, 1), (50, 2), (1_000, 3), (2_300, 4)] {
        let (wait, started) = (Duration::from_millis(wait), Instant::now());
        assert!(consumer.receive(10, wait).await.unwrap().is_empty());
        let waited = started.elapsed();
        assert!(waited >= wait && waited < wait + Duration::from_millis(700), "{waited:?} of {wait:?}");
        assert_eq!(proxy.count("ReceiveMessage"), requests, "after {wait:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wait_of_a_second_is_a_long_poll() {
    let (queue, proxy) = scripted(&[], |_, request, forward| forward(request)).await;
    let mut consumer = queue.consumer("slot-0").await.unwrap();
    let receiving = tokio::spawn(async move { consumer.receive(10, Duration::from_secs(1)).await.unwrap() });
    tokio::time::sleep(Duration::from_millis(300)).await;
    queue.enqueue(entry("default", 1, "a")).await.unwrap();
    assert_eq!((receiving.await.unwrap().len(), proxy.count("ReceiveMessage")), (1, 1));
}

#[tokio::test]
async fn a_receipt_that_is_late_changes_nothing_for_its_next_holder() {
    let (queue, url) = fresh(&[]).await;
    let short = visible_after_a_second(url).await;
    let (mut late, mut holder) = (short.consumer("late").await.unwrap(), queue.consumer("holder").await.unwrap());
    for give_back in [true, false] {
        queue.enqueue(entry("default", 1, "a")).await.unwrap();
        let old = receipts(&receive_all(&mut late, 1).await);
        let held = receive_all(&mut holder, 1).await;
        assert_eq!(held[0].attempt, 2);
        if give_back {
            late.release(&old).await.unwrap();
        } else {
            // Of a minute that its holder has, a second would be left.
            late.extend(&old).await.unwrap();
            tokio::time::sleep(Duration::from_millis(1_200)).await;
        }
        assert!(late.receive(1, Duration::from_millis(300)).await.unwrap().is_empty(), "it was taken from its holder");
        holder.acknowledge(&receipts(&held)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backlog_comes_in_one_receipt_and_goes_in_requests_of_ten() {
    let (queue, proxy) = scripted(&[], |_, request, forward| forward(request)).await;
    for index in 0..25 {
        queue.enqueue(entry("default", 1, &index.to_string())).await.unwrap();
    }
    let mut consumer = queue.consumer("slot-0").await.unwrap();
    let held = consumer.receive(100, Duration::from_secs(1)).await.unwrap();
    assert_eq!((held.len(), proxy.count("ReceiveMessage")), (25, 3));
    consumer.extend(&receipts(&held)).await.unwrap();
    assert_eq!(proxy.count("ChangeMessageVisibilityBatch"), 3);
    consumer.acknowledge(&receipts(&held)).await.unwrap();
    assert_eq!(proxy.count("DeleteMessageBatch"), 3);
    assert_eq!(queue.depth().await.unwrap().batches, 0);
    assert_eq!(proxy.count("ReceiveMessage"), 3, "no more than was asked for");
}

#[tokio::test]
async fn no_more_is_taken_than_was_asked_for() {
    let (queue, _) = fresh(&[]).await;
    for index in 0..15 {
        queue.enqueue(entry("default", 1, &index.to_string())).await.unwrap();
    }
    let (mut one, mut other) = (queue.consumer("slot-0").await.unwrap(), queue.consumer("slot-1").await.unwrap());
    assert_eq!(one.receive(12, Duration::from_secs(1)).await.unwrap().len(), 12);
    assert_eq!(other.receive(12, Duration::from_secs(1)).await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_removal_that_sqs_failed_is_tried_again_and_one_that_keeps_failing_is_told() {
    let tries = AtomicUsize::new(0);
    let (queue, _proxy) = scripted(&[], move |action, request, forward| match action {
        "DeleteMessageBatch" => {
            let earlier = tries.fetch_add(1, Ordering::Relaxed);
            fail_some(&request, forward, false, |entry| (earlier < 2 && entry["Id"] == "1") || earlier >= 3)
        }
        _ => forward(request),
    })
    .await;
    for text in ["a", "b", "c", "d"] {
        queue.enqueue(entry("default", 1, text)).await.unwrap();
    }
    let mut consumer = queue.consumer("slot-0").await.unwrap();
    let held = receipts(&receive_all(&mut consumer, 4).await);
    consumer.acknowledge(&held[..3]).await.unwrap();
    assert_eq!(queue.depth().await.unwrap().batches, 1);
    let started = Instant::now();
    let fault = consumer.acknowledge(&held[3..]).await.unwrap_err();
    assert!(matches!(fault, QueueError::Unavailable { .. }), "{fault}");
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
}

#[tokio::test]
async fn receipts_of_nobody_do_no_harm() {
    let (queue, _) = fresh(&[]).await;
    queue.enqueue(entry("default", 1, "a")).await.unwrap();
    let mut consumer = queue.consumer("slot-0").await.unwrap();
    let held = receipts(&receive_all(&mut consumer, 1).await);
    let mixed = [Receipt("of another queue".to_owned()), held[0].clone(), Receipt(String::new()), held[0].clone()];
    consumer.extend(&mixed).await.unwrap();
    consumer.acknowledge(&mixed).await.unwrap();
    assert_eq!(queue.depth().await.unwrap().batches, 0);
    consumer.release(&mixed).await.unwrap();
    consumer.acknowledge(&mixed).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_for_a_consumer_that_is_gone_is_given_back_at_once() {
    let (queue, _) = fresh(&[]).await;
    let mut gone = queue.consumer("gone").await.unwrap();
    let dropped = tokio::time::timeout(Duration::from_millis(200), gone.receive(10, Duration::from_secs(8))).await;
    assert!(dropped.is_err());
    drop(gone);
    queue.enqueue(entry("default", 1, "a")).await.unwrap();
    let mut other = queue.consumer("other").await.unwrap();
    let started = Instant::now();
    assert_eq!(receive_all(&mut other, 1).await[0].payload, "a");
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poll_that_was_kept_too_long_gives_out_nothing_that_another_has() {
    let (queue, url) = fresh(&[]).await;
    let queue_of_short = visible_after_a_second(url).await;
    let mut slow = queue_of_short.consumer("slow").await.unwrap();
    let dropped = tokio::time::timeout(Duration::from_millis(100), slow.receive(10, Duration::from_secs(5))).await;
    assert!(dropped.is_err());
    queue.enqueue(entry("default", 1, "a")).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1_300)).await;
    let mut other = queue.consumer("other").await.unwrap();
    let held = receive_all(&mut other, 1).await;
    assert_eq!(held[0].attempt, 2);
    assert!(slow.receive(10, Duration::from_millis(300)).await.unwrap().is_empty());
}

#[tokio::test]
async fn the_depth_counts_what_is_in_hand_and_estimates_events() {
    let (queue, _) = fresh(&[]).await;
    let depth = queue.depth().await.unwrap();
    assert_eq!((depth.batches, depth.events, depth.by_project, depth.oldest), (0, 0, None, None));
    for events in [10, 20, 30] {
        queue.enqueue(entry_of(&batch(events, 10))).await.unwrap();
    }
    let mut consumer = queue.consumer("slot-0").await.unwrap();
    let held = receive_all(&mut consumer, 2).await;
    let depth = queue.depth().await.unwrap();
    assert_eq!((depth.batches, depth.by_project), (3, None));
    assert!((45..=75).contains(&depth.events), "{} events", depth.events);
    consumer.acknowledge(&receipts(&held)).await.unwrap();
    assert_eq!(queue.depth().await.unwrap().batches, 1);
}

#[tokio::test]
async fn queues_that_cannot_work_are_refused_with_the_mend() {
    let fifo = SQS.create_queue(&format!("{}.fifo", queue_name()), &[("FifoQueue", "true")]).unwrap();
    let small = SQS.create_queue(&queue_name(), &[("MaximumMessageSize", "1024")]).unwrap();
    let missing = format!("{small}-not-there");
    for (url, word) in [(fifo, "standard queue"), (small, "MaximumMessageSize"), (missing, "no queue")] {
        let refusal = connect(&url, SQS.endpoint()).await.unwrap_err();
        assert!(matches!(refusal, QueueError::Misconfigured { .. }), "{refusal}");
        assert!(refusal.to_string().contains(word), "{refusal}");
    }
    let url = SQS.create_queue(&queue_name(), &[]).unwrap();
    let nobody = connect(&url, "http://127.0.0.1:9".to_owned()).await.unwrap_err();
    assert!(matches!(nobody, QueueError::Unavailable { .. }), "{nobody}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credentials_that_may_only_send_do_so_within_the_size_that_every_queue_takes() {
    let (queue, proxy) = scripted(&[], |action, request, forward| match action {
        "GetQueueAttributes" => {
            Reply::error(403, "AccessDeniedException", "not authorized to perform sqs:GetQueueAttributes")
        }
        "SendMessageBatch" => {
            let bytes = |entry: &serde_json::Value| entry["MessageBody"].as_str().unwrap().len();
            assert!(request["Entries"].as_array().unwrap().iter().map(bytes).sum::<usize>() <= 256 << 10);
            forward(request)
        }
        _ => forward(request),
    })
    .await;
    queue.check().await.unwrap();
    queue.enqueue(entry_of(&batch(300, 3_000))).await.unwrap();
    assert!(proxy.count("SendMessageBatch") > 1);
    assert!(queue.depth().await.is_err());
}
