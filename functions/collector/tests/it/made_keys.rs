//! Keys that were made at the api: what they open, and for how long.

use std::time::{Duration, Instant};

use analytics_collector::{Limits, MadeKeys, made_keys};
use analytics_domain::Project;
use analytics_host::keys::digest;
use analytics_messaging::redis::{RedisOptions as QueueOptions, RedisQueue};
use analytics_messaging::{Queue, WriteKey};
use analytics_testkit::redis::{RedisOptions, RedisServer};
use analytics_testkit::role::{Role, RoleOptions};
use reqwest::Response;

use crate::program::program;
use crate::running::{Running, Setup, event, refused};

const MADE: &str = "a-made-key-of-forty-three-characters-000001";
const OTHER: &str = "a-made-key-of-forty-three-characters-000002";
const SET: &str = "a-key-of-the-environment-0";

/// Within which time a key that was made works, and one that was revoked does not.
const PROMISE: Duration = Duration::from_secs(10);

fn of(key: &str, project: &str) -> WriteKey {
    WriteKey { digest: digest(key), project: Project::new(project).unwrap() }
}

fn told(keys: impl IntoIterator<Item = WriteKey>) -> MadeKeys {
    let made = MadeKeys::untold();
    made.tell(keys, Instant::now() + Duration::from_secs(60));
    made
}

async fn post(running: &Running, key: &str) -> Response {
    let request = running.post(event(""));
    if key.is_empty() { request } else { request.bearer_auth(key) }.send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_opens_its_project_whether_or_not_one_is_needed() {
    for (write_keys, without) in [("", 202), ("required", 401), ("a-key-of-the-environment-0:set", 401)] {
        let made_keys = told([of(MADE, "shop")]);
        let running = Running::start(Setup { write_keys, made_keys: made_keys.clone(), ..Setup::default() }).await;
        assert_eq!(post(&running, MADE).await.status(), 202, "{write_keys}");
        assert_eq!(running.drain().await[0].project.as_str(), "shop");
        assert_eq!(post(&running, "").await.status(), without, "{write_keys}");
        assert_eq!(refused(post(&running, OTHER).await).await, (401, "unknown_key".to_owned()), "{write_keys}");
        // The last one is revoked, and nothing opens by it.
        made_keys.tell([], Instant::now() + Duration::from_secs(60));
        assert_eq!(refused(post(&running, MADE).await).await, (401, "unknown_key".to_owned()), "{write_keys}");
        assert_eq!(post(&running, "").await.status(), without, "{write_keys}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_tells_what_a_key_is_it_is_not_refused_for_good() {
    let write_keys = "a-key-of-the-environment-0:set";
    let made_keys = MadeKeys::untold();
    let running = Running::start(Setup { write_keys, made_keys: made_keys.clone(), ..Setup::default() }).await;
    let unsure = post(&running, MADE).await;
    assert!(unsure.headers().contains_key("retry-after"));
    assert_eq!(refused(unsure).await, (503, "keys_unavailable".to_owned()));
    assert_eq!(post(&running, SET).await.status(), 202);
    assert_eq!(refused(post(&running, "no-key-of-any-kind").await).await, (401, "unknown_key".to_owned()));
    made_keys.tell([of(MADE, "shop")], Instant::now() + Duration::from_millis(300));
    assert_eq!(post(&running, MADE).await.status(), 202);
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(refused(post(&running, MADE).await).await, (503, "keys_unavailable".to_owned()));
    assert_eq!(post(&running, SET).await.status(), 202);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_has_a_rate_of_its_own() {
    let limits = Limits { events_per_second: Some(1), ..Limits::default() };
    let made_keys = told([of(MADE, "shop"), of(OTHER, "shop")]);
    let running = Running::start(Setup { made_keys, limits, ..Setup::default() }).await;
    let five = format!("[{}]", vec![event(""); 5].join(","));
    assert_eq!(running.post(five).bearer_auth(MADE).send().await.unwrap().status(), 202);
    assert_eq!(refused(post(&running, MADE).await).await, (429, "rate_limited".to_owned()));
    assert_eq!(post(&running, OTHER).await.status(), 202);
    // Who sends without a key is counted by the address.
    assert_eq!(post(&running, "").await.status(), 202);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_queue_is_told_is_followed() {
    let made_keys = MadeKeys::untold();
    let running = Running::start(Setup { made_keys: made_keys.clone(), ..Setup::default() }).await;
    let following = tokio::spawn(made_keys::follow(running.queue.clone(), made_keys));
    let hour = Duration::from_secs(3_600);
    for (keys, status) in [(vec![of(MADE, "shop")], 202), (vec![of(OTHER, "shop")], 401), (vec![of(MADE, "shop")], 202)]
    {
        running.queue.tell_write_keys(&keys, hour).await.unwrap();
        let began = Instant::now();
        while post(&running, MADE).await.status() != status {
            assert!(began.elapsed() < PROMISE, "it is not {status}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    following.abort();
}

/// Waits until the program answers an event with this key so.
async fn becomes(role: &Role, key: &str, status: u16) {
    let (client, began) = (reqwest::Client::new(), Instant::now());
    loop {
        let sent =
            client.post(format!("{}/collect", role.url())).bearer_auth(key).body(event("")).send().await.unwrap();
        if sent.status() == status {
            return;
        }
        assert!(began.elapsed() < PROMISE, "{} and not {status}: {}", sent.status(), role.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_goes_on_with_what_it_knew_for_as_long_as_that_holds() {
    let mut redis = RedisServer::start(RedisOptions::default()).unwrap();
    let queue = RedisQueue::connect(QueueOptions::new(redis.url().as_str())).await.unwrap();
    queue.tell_write_keys(&[of(MADE, "shop")], Duration::from_secs(3_600)).await.unwrap();
    let options = RoleOptions::new().variable("REDIS_URL", redis.url()).variable("WRITE_KEYS", format!("{SET}:set"));
    let role = Role::start(program(), options).unwrap();
    let client = reqwest::Client::new();
    let send = async |key: &str| {
        client.post(format!("{}/collect", role.url())).bearer_auth(key).body(event("")).send().await.unwrap()
    };
    assert_eq!(send(MADE).await.status(), 202, "it is known from the first request on");

    // A word that cannot be read is as none: a version that is to come, or what somebody else wrote there.
    for word in ["2\nof a later version\n", "1\nnonsense\n"] {
        redis.command(&["SET", "{analytics:q}:write_keys", word, "PX", "3600000"]).unwrap();
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(send(MADE).await.status(), 202, "{word}");
    }
    // A forgetful server, and one that is away.
    redis.command(&["DEL", "{analytics:q}:write_keys"]).unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(send(MADE).await.status(), 202);
    redis.kill9();
    assert_eq!(refused(send(MADE).await).await, (503, "queue_unavailable".to_owned()));
    redis.restart().unwrap();
    becomes(&role, MADE, 202).await;

    // What holds no more is not held on to. This test's own connection was cut too.
    let began = Instant::now();
    while let Err(error) = queue.tell_write_keys(&[of(MADE, "shop")], Duration::from_secs(4)).await {
        assert!(began.elapsed() < PROMISE, "it cannot be told: {error}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    becomes(&role, MADE, 503).await;
    assert_eq!(refused(send(MADE).await).await, (503, "keys_unavailable".to_owned()));
    assert_eq!(send(SET).await.status(), 202, "those of the environment always work");
    let began = Instant::now();
    while !role.log().contains("no processor has told for too long") {
        assert!(began.elapsed() < PROMISE, "nothing is said of it: {}", role.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(!role.log().contains(MADE), "{}", role.log());
    queue.tell_write_keys(&[of(MADE, "shop")], Duration::from_secs(3_600)).await.unwrap();
    becomes(&role, MADE, 202).await;
    queue.tell_write_keys(&[], Duration::from_secs(3_600)).await.unwrap();
    becomes(&role, MADE, 401).await;
}
