//! Two replicas of the api: what one did, the other knows.

use analytics_blackbox::deployment::Settings;
use analytics_blackbox::tenant::send;
use analytics_blackbox::{Deployment, Form, Tenant};
use analytics_testkit::role::{Role, RoleOptions, program};
use reqwest::Method;

use super::{Browser, administrate, ends, make_key, with_key};

/// A second api beside the deployment's own, and the tenants as they reach it.
fn second_api(deployment: &Deployment, tenants: &[&Tenant]) -> (Role, Vec<Tenant>) {
    let keys: Vec<_> = tenants
        .iter()
        .map(|tenant| {
            let Tenant { project, read_key, admin_key, .. } = tenant;
            format!("{read_key}:{project}:read,{admin_key}:{project}:admin")
        })
        .collect();
    let database = deployment.parts().database.as_ref().unwrap().url();
    let options = RoleOptions::new().variable("DATABASE_URL", database).variable("API_KEYS", keys.join(","));
    let mut role = Role::spawn(&program("api").unwrap(), options).unwrap();
    role.wait_ready().unwrap();
    let mut reached: Vec<Tenant> = tenants.iter().map(|tenant| (*tenant).clone()).collect();
    reached.iter_mut().for_each(|tenant| tenant.api = role.url());
    (role, reached)
}

#[tokio::test]
async fn replicas_share_sessions_and_keys() {
    let deployment = Deployment::start(Form::FourRoles, &Settings::default()).unwrap();
    let (one, other) = (deployment.owned_tenant(), deployment.owned_tenant());
    let (_role, reached) = second_api(&deployment, &[&one, &other]);
    let there = |browser: &Browser| Browser { tenant: reached[0].clone(), cookie: browser.cookie.clone() };

    let here = Browser::sign_in(&one, &one.admin_key).await;
    assert_eq!(there(&here).projects().await, [one.project.as_str()]);
    // A key that one made works at the other at once.
    let made = make_key(&one, "CI", "read").await;
    let key = made["key"].as_str().unwrap();
    let _ = send(with_key(&reached[0], key, Method::GET, "/api/trends")).await.expect_status(200);
    let by_made = Browser::sign_in(&reached[0], key).await;
    let _ = send(with_key(&one, key, Method::GET, "/api/trends")).await.expect_status(200);
    assert_eq!(Browser { tenant: one.clone(), ..by_made.clone() }.projects().await, [one.project.as_str()]);
    // And a project that was added at one is known at the other, also where the session was asked for a moment before.
    let (here, _) = Browser::try_sign_in(&one, Some(&here.cookie), &other.read_key).await.unwrap();
    let named = there(&here).request(Method::GET, "/api/trends").header("x-project", &other.project);
    let _ = send(named).await.expect_status(200);

    // Revoked at one: it ends at the other within 10 s, and what it opened too.
    let path = format!("/api/keys/{}", made["id"].as_str().unwrap());
    let _ = administrate(&one, Method::DELETE, &path, None).await.expect_status(204);
    tokio::join!(
        ends(|| send(with_key(&reached[0], key, Method::GET, "/api/trends"))),
        ends(|| by_made.get("/api/trends")),
    );
    // Signed out at one.
    let _ = there(&here).get("/api/trends").await.expect_status(200);
    let _ = send(here.request(Method::DELETE, "/api/session")).await.expect_status(204);
    ends(|| async { there(&here).get("/api/trends").await }).await;
}
