//! `/health`: contract, "Health and metrics".

use std::time::Duration;

use analytics_blackbox::deployment::Settings;
use analytics_blackbox::tenant::send;
use analytics_blackbox::{Deployment, Form};

use crate::corpus::{at, event};

every_form! { every_role_is_healthy }

async fn every_role_is_healthy(deployment: &'static Deployment) {
    let client = deployment.tenant().client;
    for (role, url) in deployment.roles() {
        let answer = send(client.get(format!("{url}/health"))).await.expect_status(200);
        // A Redis that syncs once a second is healthy or degraded, as DURABILITY has it.
        assert!(["healthy", "degraded"].contains(&answer.body["status"].as_str().unwrap()), "{role}: {}", answer.text);
        assert!(answer.body["version"].as_str().unwrap().contains('.'), "{role}: {}", answer.text);
        assert!(answer.body["uptime"].is_u64(), "{role}: {}", answer.text);
        let checks = answer.body["checks"].as_object().unwrap();
        assert!(!checks.is_empty() && checks.values().all(serde_json::Value::is_string), "{role}: {}", answer.text);
        let _ = send(client.get(format!("{url}/health/live"))).await.expect_status(200);
    }
}

/// Stops every role and starts it again: what was answered with 202 is stored.
async fn a_stop_loses_nothing(form: Form) {
    let deployment = Deployment::start(form, &Settings::default()).unwrap();
    let tenant = deployment.owned_tenant();
    for n in 0..20 {
        tenant.collect_all(&vec![event("s", "t", &n.to_string(), &at(1, "10:00:00")); 10]).await;
    }
    for (name, role) in &mut deployment.parts().roles {
        let status = role.stop(Duration::from_secs(30)).unwrap();
        assert!(status.success(), "{name} ended with {status}:\n{}", role.log());
    }
    for (_, role) in &mut deployment.parts().roles {
        role.restart().unwrap();
    }
    // The same project over new connections.
    let tenant = deployment.tenant_number(0);
    tenant.settled(200).await;
}

/// Kills every role at once and starts it again.
async fn a_kill_loses_nothing(form: Form) {
    // What a dead processor held comes back soon enough to be waited for.
    let settings = Settings::default().variable("VISIBILITY_SECONDS", "5");
    let deployment = Deployment::start(form, &settings).unwrap();
    let tenant = deployment.owned_tenant();
    for n in 0..20 {
        tenant.collect_all(&vec![event("s", "t", &n.to_string(), &at(1, "10:00:00")); 10]).await;
    }
    for (_, role) in &mut deployment.parts().roles {
        role.kill9();
    }
    for (_, role) in &mut deployment.parts().roles {
        role.restart().unwrap();
    }
    // The same project over new connections.
    let tenant = deployment.tenant_number(0);
    tenant.settled(200).await;
    let answer = tenant.get("/api/integrity").await.expect_status(200);
    assert_eq!(answer.body["drift"], 0, "{}", answer.text);
}

#[tokio::test]
async fn a_stop_loses_nothing_in_one_process() {
    a_stop_loses_nothing(Form::Single).await;
}

#[tokio::test]
async fn a_stop_loses_nothing_in_four_roles() {
    a_stop_loses_nothing(Form::FourRoles).await;
}

#[tokio::test]
async fn a_kill_loses_nothing_in_one_process() {
    a_kill_loses_nothing(Form::Single).await;
}

#[tokio::test]
async fn a_kill_loses_nothing_in_four_roles() {
    a_kill_loses_nothing(Form::FourRoles).await;
}

#[tokio::test]
async fn a_role_without_its_servers_says_so() {
    let deployment = Deployment::start(Form::FourRoles, &Settings::default()).unwrap();
    let tenant = deployment.owned_tenant();
    if let Some(redis) = deployment.parts().redis.as_mut() {
        redis.kill9();
    }
    let body = event("s", "t", "a", &at(1, "10:00:00")).to_string();
    let refused = tenant.collect(body.clone()).await.expect_problem(503, "queue_unavailable");
    assert!(refused.header("retry-after").parse::<u64>().is_ok(), "{:?}", refused.headers);
    let url = |wanted: &str| deployment.roles().iter().find(|(name, _)| *name == wanted).unwrap().1.clone();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let health = send(tenant.client.get(format!("{}/health", url("collector")))).await.expect_status(503);
    assert_eq!(health.body["status"], "unhealthy", "{}", health.text);
    // The api answers without its cache.
    let _ = tenant.get("/api/trends").await.expect_status(200);
    let health = send(tenant.client.get(format!("{}/health", url("api")))).await.expect_status(200);
    assert_eq!(health.body["status"], "degraded", "{}", health.text);
    if let Some(redis) = deployment.parts().redis.as_mut() {
        redis.restart().unwrap();
    }
    let started = std::time::Instant::now();
    while tenant.collect(body.clone()).await.status != 202 {
        assert!(started.elapsed() < Duration::from_secs(15), "{}", deployment.logs());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    tenant.settled(1).await;
}
