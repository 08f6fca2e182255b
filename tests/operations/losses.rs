//! A collector dies under load, and comes back elsewhere.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use analytics_blackbox::Tenant;
use analytics_blackbox::tenant::send;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::event;
use crate::front::{COLLECTORS, Front};

/// Where the collector comes back.
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 1, 3);

const CLIENTS: usize = 4;

/// What clients wrote down.
#[derive(Debug, Default)]
struct Account {
    /// Ids that were answered with 202.
    acknowledged: BTreeSet<String>,
    /// Requests that got no answer, or 502 or 504.
    unanswered: u64,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_and_nothing_is_stored_twice() {
    let front = Front::start();
    let (named, unnamed) = (front.tenant(), front.tenant());
    let over = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..CLIENTS).map(|_| tokio::spawn(send_until(named.clone(), Arc::clone(&over)))).collect();
    let (sent, answered) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let once = tokio::spawn(send_once(unnamed.clone(), Arc::clone(&over), Arc::clone(&sent), Arc::clone(&answered)));

    tokio::time::sleep(Duration::from_secs(2)).await;
    // Killed: its connections break, whatever was in flight on them. Its name stands until somebody notices.
    front.roles()[1].kill9();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let replacement = front.start_collector(ELSEWHERE);
    front.name_collectors(&[COLLECTORS[1], ELSEWHERE]);
    tokio::time::sleep(Duration::from_secs(2)).await;
    // And the other one, so that the replacement is all that there is.
    front.roles()[2].kill9();
    tokio::time::sleep(Duration::from_secs(3)).await;
    over.store(true, Ordering::Relaxed);

    let mut account = Account::default();
    for client in clients {
        let of_one = client.await.unwrap();
        account.acknowledged.extend(of_one.acknowledged);
        account.unanswered += of_one.unanswered;
    }
    once.await.unwrap();
    assert!(
        account.acknowledged.len() > 200,
        "{} events and {} requests without an answer",
        account.acknowledged.len(),
        account.unanswered
    );
    let taken = reqwest::get(format!("{}/metrics", replacement.url())).await.unwrap().text().await.unwrap();
    assert!(counted(&taken, "analytics_events_queued_total") > 0, "nobody found the replacement: {taken}");

    // All that was acknowledged is there once. What is there beyond that was sent again with the same id until it was.
    named.settled(account.acknowledged.len() as u64).await;
    let stored = ids_of(&named).await;
    assert_eq!(stored.len(), account.acknowledged.len(), "an id is stored twice or not at all");
    assert_eq!(stored.into_iter().collect::<BTreeSet<_>>(), account.acknowledged);

    // Events without ids of their own were sent once each: nginx sent none of them to a second collector.
    let (sent, answered) = (sent.load(Ordering::Relaxed), answered.load(Ordering::Relaxed));
    let stored = settle(&unnamed).await;
    assert!(answered <= stored && stored <= sent, "{answered} acknowledged, {stored} stored, {sent} sent");
}

/// The one moment in which a second try would count twice: the queue has the events, and the collector dies before it has said so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dying_collector_has_queued_is_sent_to_no_other() {
    let front = Front::start();
    let tenant = front.tenant();
    // Collectors have spoken with the queue before.
    tenant.store(&[event("s", "t", "before")]).await;
    front.redis.lock().unwrap().pause();
    let one = |_| send(tenant.collect_request().bearer_auth(&tenant.write_key).body(event("s", "t", "a").to_string()));
    let requests = (0..8).map(one).collect::<Vec<_>>();
    let breaking = async {
        // Commands lie at the queue, which reads none; then one of the two collectors is gone.
        tokio::time::sleep(Duration::from_secs(1)).await;
        front.roles()[1].kill9();
        tokio::time::sleep(Duration::from_millis(500)).await;
        front.redis.lock().unwrap().resume();
    };
    let (answers, ()) = tokio::join!(futures::future::join_all(requests), breaking);
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    let acknowledged = statuses.iter().filter(|status| **status == 202).count() as u64;
    assert!(statuses.contains(&502) && acknowledged > 0, "both collectors had some: {statuses:?}");
    let stored = settle(&tenant).await - 1;
    // More than was acknowledged: sent again by nginx, those would be there twice.
    assert!(acknowledged < stored && stored <= 8, "{stored} of 8 events are stored, {acknowledged} acknowledged");
}

/// Sends batches with ids, each until it is answered 202.
async fn send_until(tenant: Tenant, over: Arc<AtomicBool>) -> Account {
    let mut account = Account::default();
    while !over.load(Ordering::Relaxed) {
        let events: Vec<Value> = (0..5)
            .map(|_| {
                let mut event = event("s", "t", "a");
                event["id"] = Uuid::now_v7().to_string().into();
                event
            })
            .collect();
        let body = json!(events).to_string();
        let began = Instant::now();
        loop {
            match tenant.collect_request().bearer_auth(&tenant.write_key).body(body.clone()).send().await {
                Ok(answer) if answer.status().as_u16() == 202 => break,
                Ok(answer) => {
                    let status = answer.status().as_u16();
                    assert!([429, 502, 503, 504].contains(&status), "a valid batch was answered {status}");
                    account.unanswered += u64::from(status != 429);
                }
                Err(error) => panic!("nginx itself gave no answer: {error:?}"),
            }
            assert!(began.elapsed() < Duration::from_secs(30), "a batch is not taken for 30 s");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        account.acknowledged.extend(events.iter().map(|event| event["id"].as_str().unwrap().to_owned()));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    account
}

/// Sends events without ids, one a request, none of them twice.
async fn send_once(tenant: Tenant, over: Arc<AtomicBool>, sent: Arc<AtomicU64>, answered: Arc<AtomicU64>) {
    while !over.load(Ordering::Relaxed) {
        sent.fetch_add(1, Ordering::Relaxed);
        let answer = tenant.collect(event("s", "t", "a").to_string()).await;
        answered.fetch_add(u64::from(answer.status == 202), Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(15)).await;
    }
}

/// How many events of a project are stored, once that number stands still.
async fn settle(tenant: &Tenant) -> u64 {
    let mut last = None;
    loop {
        let answer = tenant.query(&json!({ "metrics": ["events"], "date_range": "all" })).await.expect_status(200);
        let now = answer.number().as_u64().unwrap();
        if last == Some(now) {
            return now;
        }
        last = Some(now);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// The ids of every stored event.
async fn ids_of(tenant: &Tenant) -> Vec<String> {
    let request = tenant.api_request(reqwest::Method::GET, "/api/export?format=ndjson&range=all");
    let answer = send(request).await.expect_status(200);
    let id = |line: &str| serde_json::from_str::<Value>(line).unwrap()["id"].as_str().unwrap().to_owned();
    answer.text.lines().map(id).collect()
}

/// The value of a series on a page of metrics.
fn counted(page: &str, series: &str) -> u64 {
    let line = page.lines().find(|line| line.starts_with(&format!("{series} "))).unwrap_or_default();
    line.rsplit(' ').next().and_then(|value| value.parse().ok()).unwrap_or(0)
}
