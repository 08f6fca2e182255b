//! Small bodies that want to be large.

use crate::running::{Running, Setup, event, refused, told};
use crate::shapes::packed;

/// The memory of this process in bytes, as the system sees it.
fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap();
    status.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4_096
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_bombs_at_once_are_refused_and_take_no_memory() {
    let running = Running::start(Setup::default()).await;
    let zeros = vec![b' '; 256 << 20];
    let bombs = packed(&zeros);
    drop(zeros);
    // Each has been inflated once: what the allocator keeps for itself is there.
    for (encoding, bomb) in &bombs {
        assert!(bomb.len() < 1 << 20, "{encoding}: {} bytes", bomb.len());
        let response = running.post(bomb.clone()).header("content-encoding", *encoding).send().await.unwrap();
        assert_eq!(refused(response).await, (413, "body_too_large".to_owned()));
    }
    let before = resident_bytes();
    let requests = (0..99).map(|index| {
        let (encoding, bomb) = &bombs[index % 3];
        running.post(bomb.clone()).header("content-encoding", *encoding).send()
    });
    for response in futures::future::join_all(requests).await {
        assert_eq!(refused(response.unwrap()).await, (413, "body_too_large".to_owned()));
    }
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < 160 << 20, "{} MiB", grown >> 20);
    assert_eq!(running.post(event("")).send().await.unwrap().status(), 202);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_large_and_honest_is_taken() {
    let running = Running::start(Setup::default()).await;
    let long = event(&format!(r#","metadata":{{"text":"{}"}}"#, "lorem ipsum ".repeat(640)));
    let body = format!("[{}]", vec![long; 1_000].join(","));
    assert!(body.len() > 7 << 20 && body.len() < 8 << 20);
    for (encoding, packed) in packed(body.as_bytes()) {
        let response = running.post(packed).header("content-encoding", encoding).send().await.unwrap();
        let (status, answer) = told(response).await;
        assert_eq!((status, answer["accepted"].as_u64()), (202, Some(1_000)));
    }
    let batches = running.drain().await;
    assert_eq!(batches.iter().map(|batch| batch.events.len()).sum::<usize>(), 3_000);
}
