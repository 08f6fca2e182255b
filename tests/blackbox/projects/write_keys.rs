//! Keys that are made at the api and send: the collectors are told of them.

use std::time::{Duration, Instant};

use analytics_blackbox::deployment::Settings;
use analytics_blackbox::tenant::send;
use analytics_blackbox::{Answer, Deployment, Form, Tenant};
use analytics_testkit::role::{Role, RoleOptions, program};
use reqwest::Method;
use serde_json::{Value, json};

use super::{administrate, make_key, with_key};
use crate::corpus::{at, event};

every_live_form! { a_key_of_a_page_sends_until_it_is_revoked, a_key_sends_to_its_own_project_only }

mod serverless {
    #[tokio::test]
    async fn keys_that_send_are_refused_with_what_to_do() {
        super::keys_that_send_are_refused_with_what_to_do().await;
    }
}

/// Within which time a key works, and within which it opens nothing any more.
const PROMISE: Duration = Duration::from_secs(10);

fn key_of(made: &Value) -> &str {
    made["key"].as_str().unwrap()
}

/// Sends an event with a key.
async fn sends(tenant: &Tenant, key: &str) -> Answer {
    let request = tenant.collect_request().header("x-write-key", key);
    send(request.body(event("s", "t", "a", &at(1, "10:00:00")).to_string())).await
}

/// Sends until the answer has this status, which has to be within 10 s; how many events were accepted on the way.
pub(super) async fn becomes(tenant: &Tenant, key: &str, status: u16) -> u64 {
    let (began, mut accepted) = (Instant::now(), 0);
    loop {
        let answer = sends(tenant, key).await;
        accepted += u64::from(answer.status == 202);
        if answer.status == status {
            return accepted;
        }
        // In the first moments of a deployment the collectors have yet to be told anything.
        let is_untold = answer.status == 503 && answer.body["code"] == "keys_unavailable";
        assert!(is_untold || [202, 401].contains(&answer.status), "{}", answer.text);
        assert!(began.elapsed() < PROMISE, "after {PROMISE:?} still {} and not {status}", answer.status);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Does something to a process of a deployment.
fn with_role<T>(deployment: &Deployment, name: &str, act: impl FnOnce(&mut Role) -> T) -> T {
    let mut parts = deployment.parts();
    act(parts.roles.iter_mut().find(|(role, _)| *role == name).map(|(_, role)| role).unwrap())
}

async fn revoke(tenant: &Tenant, made: &Value) {
    let path = format!("/api/keys/{}", made["id"].as_str().unwrap());
    let _ = administrate(tenant, Method::DELETE, &path, None).await.expect_status(204);
}

async fn a_key_of_a_page_sends_until_it_is_revoked(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    // A name that is no name of a program's, and harms nothing on the way to the collectors.
    let name = "shop.example\u{202e} ' ; -- \" 1 default";
    let made = make_key(&tenant, name, "write").await;
    let key = key_of(&made);
    assert_eq!((&made["scope"], &made["name"], key.len()), (&json!("write"), &json!(name), 43));
    let mut accepted = becomes(&tenant, key, 202).await;
    // In each of the three places.
    let body = event("s", "t", "a", &at(1, "10:00:00")).to_string();
    let _ = send(tenant.collect_request().bearer_auth(key).body(body.clone())).await.expect_status(202);
    let by_address = tenant.client.post(format!("{}/collect?key={key}", tenant.collector));
    let _ = send(by_address.body(body.clone())).await.expect_status(202);
    accepted += 2;
    tenant.settled(accepted).await;

    // It asks nothing, signs nobody in, and is listed without what it is.
    let _ = send(with_key(&tenant, key, Method::GET, "/api/trends")).await.expect_problem(403, "forbidden_scope");
    let sign_in = tenant.client.post(format!("{}/api/session", tenant.api)).header("sec-fetch-site", "same-origin");
    let _ = send(sign_in.body(json!({ "key": key }).to_string())).await.expect_problem(403, "forbidden_scope");
    let listed = administrate(&tenant, Method::GET, "/api/keys", None).await.expect_status(200);
    assert!(listed.text.contains(made["id"].as_str().unwrap()) && !listed.text.contains(key), "{}", listed.text);

    revoke(&tenant, &made).await;
    accepted += becomes(&tenant, key, 401).await;
    let refused = sends(&tenant, key).await.expect_problem(401, "unknown_key");
    assert!(!refused.text.contains(key), "{}", refused.text);
    // The project's other key goes on, and what was accepted until then is counted.
    let _ = tenant.collect(body).await.expect_status(202);
    tenant.settled(accepted + 1).await;
    let logs = deployment.whole_logs();
    assert!(!logs.contains(key), "a key is in the log");
    assert!(deployment.form() == Form::Door || !logs.is_empty());
}

async fn a_key_sends_to_its_own_project_only(deployment: &'static Deployment) {
    let (one, other) = (deployment.tenant(), deployment.tenant());
    let (made, theirs) = (make_key(&one, "one", "write").await, make_key(&other, "other", "write").await);
    let ours = becomes(&one, key_of(&made), 202).await;
    let others = becomes(&one, key_of(&theirs), 202).await + becomes(&one, key_of(&theirs), 202).await;
    one.settled(ours).await;
    other.settled(others).await;
    // Nobody else's administrator ends it, and a text that is a letter off is none.
    let path = format!("/api/keys/{}", made["id"].as_str().unwrap());
    let _ = administrate(&other, Method::DELETE, &path, None).await.expect_problem(404, "key_not_found");
    let mut near = key_of(&made).to_owned();
    let last = if near.ends_with('A') { 'Q' } else { 'A' };
    near.pop();
    near.push(last);
    let _ = sends(&one, &near).await.expect_problem(401, "unknown_key");
    let _ = sends(&one, key_of(&made)).await.expect_status(202);
    one.settled(ours + 1).await;
}

async fn keys_that_send_are_refused_with_what_to_do() {
    let tenant = Deployment::shared(Form::Serverless).tenant();
    let wish = json!({ "name": "shop.example", "scope": "write" });
    let refused = administrate(&tenant, Method::POST, "/api/keys", Some(wish)).await;
    let refused = refused.expect_problem(409, "keys_not_carried");
    let detail = refused.body["detail"].as_str().unwrap();
    assert!(detail.contains("WRITE_KEYS") && detail.contains("key:project"), "{detail}");
    let listed = administrate(&tenant, Method::GET, "/api/keys", None).await.expect_status(200);
    assert!(!listed.text.contains("shop.example"), "{}", listed.text);
    // The keys of the environment are as they were, and a text of the form of a made key is none of them.
    let body = event("s", "t", "a", &at(1, "10:00:00")).to_string();
    let _ = tenant.collect(body).await.expect_status(202);
    let _ = sends(&tenant, &"k".repeat(43)).await.expect_problem(401, "unknown_key");
}

/// Where events are taken without a key they still are when keys are made and when the last of them is revoked; but a key that
/// was revoked opens nothing.
#[tokio::test]
async fn what_needs_no_key_is_up_to_the_environment_alone() {
    let deployment = Deployment::start(Form::Single, &Settings::default().without_keys()).unwrap();
    let tenant = deployment.owned_tenant();
    let without = async || {
        let request = tenant.collect_request().body(event("s", "t", "a", &at(1, "10:00:00")).to_string());
        send(request).await.expect_status(202)
    };
    let made = make_key(&tenant, "mine", "write").await;
    let _ = without().await;
    let accepted = becomes(&tenant, key_of(&made), 202).await;
    let _ = without().await;
    revoke(&tenant, &made).await;
    let accepted = accepted + becomes(&tenant, key_of(&made), 401).await;
    let _ = without().await;
    let _ = sends(&tenant, key_of(&made)).await.expect_problem(401, "unknown_key");
    tenant.settled(accepted + 3).await;
}

#[tokio::test]
async fn required_has_nobody_send_without_a_key_that_was_made() {
    let settings = Settings::default().without_keys().variable("WRITE_KEYS", "required");
    let deployment = Deployment::start(Form::Single, &settings).unwrap();
    let tenant = deployment.owned_tenant();
    let request = tenant.collect_request().body(event("s", "t", "a", &at(1, "10:00:00")).to_string());
    let _ = send(request).await.expect_problem(401, "unknown_key");
    let made = make_key(&tenant, "mine", "write").await;
    let accepted = becomes(&tenant, key_of(&made), 202).await;
    tenant.settled(accepted).await;
    // It is known again from the first request on when the process starts anew.
    with_role(&deployment, "analytics", |role| {
        role.kill9();
        role.restart().unwrap();
        role.wait_ready().unwrap();
    });
    let _ = sends(&tenant, key_of(&made)).await.expect_status(202);
}

/// Neither Redis nor the processor away makes a key that works one that is wrong: an answer 401 would have pages throw their
/// events away.
#[tokio::test]
async fn a_key_is_not_forgotten_while_a_server_is_away() {
    let deployment = Deployment::start(Form::FourRolesPlain, &Settings::default()).unwrap();
    let tenant = deployment.owned_tenant();
    let made = make_key(&tenant, "mine", "write").await;
    let accepted = becomes(&tenant, key_of(&made), 202).await;

    deployment.parts().redis.as_mut().unwrap().kill9();
    // Longer than a few turns of looking up.
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(6) {
        let _ = sends(&tenant, key_of(&made)).await.expect_problem(503, "queue_unavailable");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    // A collector that starts now was told nothing: it says so, and does not say that the key is wrong.
    let redis = deployment.parts().redis.as_ref().unwrap().url();
    let keys = format!("{}:{}", tenant.write_key, tenant.project);
    let options = RoleOptions::new().variable("REDIS_URL", redis).variable("WRITE_KEYS", keys);
    let new = Role::spawn(&program("collector").unwrap(), options).unwrap();
    let mut reached = tenant.clone();
    reached.collector = new.url();
    let began = Instant::now();
    while reqwest::get(format!("{}/health/live", reached.collector)).await.is_err() {
        assert!(began.elapsed() < PROMISE, "the collector does not listen");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let unsure = sends(&reached, key_of(&made)).await.expect_problem(503, "keys_unavailable");
    assert!(unsure.headers.contains_key("retry-after"), "{:?}", unsure.headers);
    let body = event("s", "t", "a", &at(1, "10:00:00")).to_string();
    let _ = reached.collect(body).await.expect_problem(503, "queue_unavailable");

    deployment.parts().redis.as_mut().unwrap().restart().unwrap();
    for tenant in [&tenant, &reached] {
        let began = Instant::now();
        while sends(tenant, key_of(&made)).await.status != 202 {
            assert!(began.elapsed() < Duration::from_secs(20), "the key does not work again");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    // While no processor tells of it, a key that is made waits; it works when one does.
    with_role(&deployment, "processor", Role::kill9);
    let later = make_key(&tenant, "later", "write").await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let _ = sends(&tenant, key_of(&later)).await.expect_problem(401, "unknown_key");
    let _ = sends(&tenant, key_of(&made)).await.expect_status(202);
    with_role(&deployment, "processor", |role| {
        role.restart().unwrap();
        role.wait_ready().unwrap();
    });
    let more = becomes(&tenant, key_of(&later), 202).await;
    tenant.settled(accepted + 3 + more).await;
}
