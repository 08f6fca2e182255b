//! What only a queue in a file can go through.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use analytics_messaging::embedded::{EmbeddedOptions, EmbeddedQueue};
use analytics_messaging::{Consumer, EnqueueError, Entry, Queue, QueueError, Receipt};

use crate::beds::{SmallDisk, entry, project};

fn open(folder: &Path) -> Result<EmbeddedQueue, QueueError> {
    EmbeddedQueue::open(folder, EmbeddedOptions::default())
}

fn size(folder: &Path) -> u64 {
    std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum()
}

fn filler(bytes: usize) -> Entry {
    Entry { project: project("default"), events: 1, payload: vec![7; bytes].into() }
}

/// Receives and acknowledges until nothing is left.
async fn drain(consumer: &mut Box<dyn Consumer>) -> usize {
    let mut count = 0;
    loop {
        let held = consumer.receive(500, Duration::from_millis(300)).await.unwrap();
        let receipts: Vec<Receipt> = held.into_iter().map(|delivery| delivery.receipt).collect();
        if receipts.is_empty() {
            return count;
        }
        count += receipts.len();
        consumer.acknowledge(&receipts).await.unwrap();
    }
}

#[tokio::test]
async fn a_second_open_is_refused_until_the_first_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(folder.path()).unwrap();
    let consumer = first.consumer("slot-0").await.unwrap();
    let refusal = open(folder.path()).unwrap_err();
    assert!(matches!(refusal, QueueError::Misconfigured { .. }));
    assert!(refusal.to_string().contains("already open"), "{refusal}");
    drop(first);
    assert!(open(folder.path()).is_err(), "a consumer still uses it");
    drop(consumer);
    open(folder.path()).unwrap();
}

#[tokio::test]
async fn a_copy_holds_all_that_was_answered_and_one_that_fails_harms_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let queue = open(&folder.path().join("queue")).unwrap();
    for _ in 0..3 {
        queue.enqueue(filler(100)).await.unwrap();
    }
    let mut consumer = queue.consumer("slot-0").await.unwrap();
    // One that is gone is in no copy, one that is in somebody's hands is.
    let held = consumer.receive(2, Duration::from_secs(1)).await.unwrap();
    consumer.acknowledge(&[held[0].receipt.clone()]).await.unwrap();
    let path = folder.path().join("copy.db");
    queue.copy_to(&path).await.unwrap();

    let there = queue.copy_to(&path).await.unwrap_err();
    assert!(matches!(there, QueueError::Unavailable { doing: "copy its file", .. }), "{there}");
    assert!(queue.copy_to(&folder.path().join("nowhere/copy.db")).await.is_err());
    queue.check().await.unwrap();
    queue.enqueue(filler(100)).await.unwrap();
    assert_eq!(queue.depth().await.unwrap().batches, 3);

    let copy = EmbeddedQueue::open(&path, EmbeddedOptions::default()).unwrap();
    assert_eq!(copy.depth().await.unwrap().events, 2);
    assert_eq!(drain(&mut copy.consumer("slot-0").await.unwrap()).await, 2);
}

#[tokio::test]
async fn a_file_that_is_no_queue_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("queue.db");
    std::fs::write(&path, b"not a database at all, but somebody's notes ".repeat(50)).unwrap();
    let before = std::fs::read(&path).unwrap();
    assert!(matches!(open(folder.path()), Err(QueueError::Unavailable { .. })));
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn a_power_cut_in_the_middle_of_the_log_loses_only_what_is_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let queue = open(folder.path()).unwrap();
    for index in 0..100 {
        queue.enqueue(entry("default", 1, &index.to_string())).await.unwrap();
    }
    let cut = tempfile::tempdir().unwrap();
    for name in ["queue.db", "queue.db-wal"] {
        std::fs::copy(folder.path().join(name), cut.path().join(name)).unwrap();
    }
    // The last commit is torn: its frames are there in part only.
    let log = std::fs::File::options().write(true).open(cut.path().join("queue.db-wal")).unwrap();
    log.set_len(log.metadata().unwrap().len() - 1_000).unwrap();
    let torn = open(cut.path()).unwrap();
    let depth = torn.depth().await.unwrap();
    assert!(depth.batches >= 95 && depth.batches < 100, "{} entries", depth.batches);
    torn.enqueue(entry("default", 1, "after")).await.unwrap();
    let mut consumer = torn.consumer("slot-0").await.unwrap();
    assert_eq!(drain(&mut consumer).await as u64, depth.batches + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn disk_space_comes_back_after_a_drain() {
    let folder = tempfile::tempdir().unwrap();
    let queue = Arc::new(open(folder.path()).unwrap());
    let mut tasks = Vec::new();
    for _ in 0..8 {
        let queue = Arc::clone(&queue);
        tasks.push(tokio::spawn(async move {
            for _ in 0..250 {
                queue.enqueue(filler(64 << 10)).await.unwrap();
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert!(size(folder.path()) > 120 << 20);
    let mut consumer = queue.consumer("slot-0").await.unwrap();
    assert_eq!(drain(&mut consumer).await, 2_000);
    let started = Instant::now();
    while size(folder.path()) > 32 << 20 {
        assert!(started.elapsed() < Duration::from_secs(20), "{} bytes are left", size(folder.path()));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    queue.enqueue(entry("default", 1, "still works")).await.unwrap();
    assert_eq!(drain(&mut consumer).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_the_disk_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let options = EmbeddedOptions { max_waiting_bytes: 1 << 20, ..EmbeddedOptions::default() };
    let queue = Arc::new(EmbeddedQueue::open(folder.path(), options).unwrap());
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..200 {
        let queue = Arc::clone(&queue);
        tasks.spawn(async move { queue.enqueue(filler(256 << 10)).await });
    }
    let outcomes = tasks.join_all().await;
    let taken = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    let reasons: Vec<String> = outcomes.into_iter().filter_map(Result::err).map(|error| error.to_string()).collect();
    assert!(reasons.iter().all(|reason| reason.contains("wait for the disk")), "{reasons:?}");
    assert!(!reasons.is_empty(), "200 callers of 256 KiB never filled 1 MiB");
    assert_eq!(queue.depth().await.unwrap().batches, taken as u64);
    queue.enqueue(filler(256 << 10)).await.unwrap();
}

#[tokio::test]
async fn bytes_in_the_queue_are_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let options = EmbeddedOptions { max_bytes: 1_000, ..EmbeddedOptions::default() };
    let queue = EmbeddedQueue::open(folder.path(), options).unwrap();
    queue.enqueue(filler(1_500)).await.unwrap();
    let refusal = queue.enqueue(filler(1)).await.unwrap_err();
    assert!(matches!(&refusal, EnqueueError::Full { reason } if reason.contains("1500 bytes")), "{refusal}");
    let mut consumer = queue.consumer("slot-0").await.unwrap();
    drain(&mut consumer).await;
    queue.enqueue(filler(1)).await.unwrap();
}

#[tokio::test]
async fn a_full_disk_refuses_and_the_queue_goes_on_once_there_is_room() {
    let Some(disk) = SmallDisk::mount(12) else {
        // Only root can have a small disk; the build's own machine runs this as root.
        return;
    };
    let folder = disk.path();
    let queue = open(folder).unwrap();
    let ballast = folder.join("ballast");
    std::fs::write(&ballast, vec![1; 6 << 20]).unwrap();
    let mut taken = 0;
    let refusal = loop {
        match queue.enqueue(filler(50 << 10)).await {
            Ok(()) => taken += 1,
            Err(refusal) => break refusal,
        }
        assert!(taken < 1_000, "12 MB never filled");
    };
    assert!(matches!(refusal, EnqueueError::Unavailable { .. }), "{refusal}");
    assert!(refusal.to_string().contains("full"), "{refusal}");
    assert!(queue.check().await.is_err());
    assert_eq!(queue.depth().await.unwrap().batches, taken);
    std::fs::remove_file(&ballast).unwrap();
    queue.check().await.unwrap();
    queue.enqueue(filler(50 << 10)).await.unwrap();
    let mut consumer = queue.consumer("slot-0").await.unwrap();
    assert_eq!(drain(&mut consumer).await as u64, taken + 1);
}
