//! Keys and passwords are changed while events come in.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use analytics_blackbox::Tenant;
use analytics_blackbox::tenant::send;
use analytics_testkit::ports;
use analytics_testkit::postgres::{Edition, PostgresOptions, PostgresServer, database};
use analytics_testkit::redis::{RedisOptions, RedisServer};
use analytics_testkit::role::{Role, RoleOptions, program};
use serde_json::json;
use uuid::Uuid;

use crate::event;

const OLD: &str = "key-of-the-last-year";
const NEW: &str = "key-of-this-new-year";
const ROLES: [&str; 4] = ["processor", "collector", "api", "realtime"];

/// Roles at ports of their own, each of which can be started anew with other settings.
struct Roles {
    options: RoleOptions,
    ports: [u16; 4],
    running: Vec<Role>,
}

impl Roles {
    fn start(options: RoleOptions) -> Self {
        let mut roles = Self { options, ports: [(); 4].map(|()| ports::free()), running: Vec::new() };
        for index in 0..ROLES.len() {
            let role = roles.launch(index);
            roles.running.push(role);
        }
        roles.running.iter_mut().for_each(|role| role.wait_ready().unwrap());
        roles
    }

    fn launch(&self, index: usize) -> Role {
        let options = self.options.clone().at(Ipv4Addr::LOCALHOST, self.ports[index]);
        let options = if ROLES[index] == "processor" { options.port_in("METRICS_PORT") } else { options };
        Role::spawn(&program(ROLES[index]).unwrap(), options).unwrap()
    }

    /// Starts one role after the other anew, with `options`.
    fn change(&mut self, options: RoleOptions) {
        self.options = options;
        for index in 0..ROLES.len() {
            let status = self.running[index].stop(Duration::from_secs(30)).unwrap();
            assert!(status.success(), "{}", self.running[index].log());
            let mut role = self.launch(index);
            role.wait_ready().unwrap();
            self.running[index] = role;
        }
    }

    fn tenant(&self, key: &str) -> Tenant {
        let [_, collector, api, realtime] = [0, 1, 2, 3].map(|index| self.running[index].url());
        let keys = [write_key(key), read_key(key), String::new()];
        Tenant::new("shop".to_owned(), keys, [collector, api, realtime])
    }
}

fn keyed(options: &RoleOptions, keys: &[&str]) -> RoleOptions {
    let write: Vec<_> = keys.iter().map(|key| format!("{}:shop", write_key(key))).collect();
    let read: Vec<_> = keys.iter().map(|key| format!("{}:shop:read", read_key(key))).collect();
    options.clone().variable("WRITE_KEYS", write.join(",")).variable("API_KEYS", read.join(","))
}

fn write_key(of: &str) -> String {
    format!("writing-{of}")
}

fn read_key(of: &str) -> String {
    format!("reading-{of}")
}

/// The statuses of sending, asking and listening with a key.
async fn statuses(roles: &Roles, key: &str) -> [u16; 3] {
    let tenant = roles.tenant(key);
    let sent = tenant.collect(event("s", "t", "a").to_string()).await.status;
    let asked = tenant.get("/api/trends?metric=events").await.status;
    // Read as far as the head: a stream has no end.
    let stream = format!("{}/realtime/sse", tenant.realtime);
    let subscription = json!({ "id": "a", "events": {} }).to_string();
    let listening = tenant.client.get(stream).query(&[("subscribe", subscription)]).bearer_auth(&tenant.read_key);
    [sent, asked, listening.send().await.unwrap().status().as_u16()]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_keys_hold_until_the_old_one_is_taken_away() {
    let redis = RedisServer::start(RedisOptions::default()).unwrap();
    let database = database(Edition::Plain15).unwrap();
    let servers = RoleOptions::new().variable("REDIS_URL", redis.url()).variable("DATABASE_URL", database.url());
    let mut roles = Roles::start(keyed(&servers, &[OLD]));
    assert_eq!(statuses(&roles, OLD).await, [202, 200, 200]);
    assert_eq!(statuses(&roles, NEW).await, [401; 3]);

    roles.change(keyed(&servers, &[OLD, NEW]));
    for key in [OLD, NEW] {
        assert_eq!(statuses(&roles, key).await, [202, 200, 200], "{key}");
    }
    roles.change(keyed(&servers, &[NEW]));
    assert_eq!(statuses(&roles, OLD).await, [401; 3]);
    assert_eq!(statuses(&roles, NEW).await, [202, 200, 200]);
    // Both were the project's: what was sent with either is there.
    roles.tenant(NEW).settled(4).await;
}

/// By `docs/security.md`: a second password at Redis, a second login at PostgreSQL, and the roles one after the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passwords_are_changed_under_load_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let password = Some("old-password".to_owned());
    let redis = RedisServer::start(RedisOptions { password, ..RedisOptions::default() }).unwrap();
    let server = PostgresServer::start(with_passwords(folder.path())).unwrap();
    for sql in [
        "CREATE ROLE analytics NOLOGIN",
        "CREATE DATABASE analytics OWNER analytics",
        "CREATE ROLE analytics_a LOGIN PASSWORD 'old-password' IN ROLE analytics",
        "ALTER ROLE analytics_a SET role = analytics",
    ] {
        server.psql("postgres", sql).unwrap();
    }
    let url = |login: &str, password: &str| format!("postgres://{login}:{password}@{}/analytics", server.address());
    let servers = |redis_password: &str, database: String| {
        let redis = format!("redis://:{redis_password}@{}", redis.address());
        keyed(&RoleOptions::new().variable("REDIS_URL", redis).variable("DATABASE_URL", database), &[NEW])
    };
    let mut roles = Roles::start(servers("old-password", url("analytics_a", "old-password")));
    let over = Arc::new(AtomicBool::new(false));
    let client = tokio::spawn(send_until(roles.tenant(NEW), Arc::clone(&over)));
    tokio::time::sleep(Duration::from_millis(500)).await;

    redis.command(&["ACL", "SETUSER", "default", ">new-password"]).unwrap();
    server
        .psql("postgres", "CREATE ROLE analytics_b LOGIN PASSWORD 'new-password' IN ROLE analytics")
        .and_then(|_| server.psql("postgres", "ALTER ROLE analytics_b SET role = analytics"))
        .unwrap();
    let changed = servers("new-password", url("analytics_b", "new-password"));
    let roles = tokio::task::spawn_blocking(move || {
        roles.change(changed);
        roles
    });
    let roles = roles.await.unwrap();
    redis.command(&["ACL", "SETUSER", "default", "<old-password"]).unwrap();
    // The old login owns nothing, so that it can go.
    server.psql("postgres", "DROP ROLE analytics_a").unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    over.store(true, Ordering::Relaxed);
    let sent = client.await.unwrap();
    assert!(sent > 50, "{sent}");
    roles.tenant(NEW).settled(sent).await;
    // Nobody lives on an old connection: all of them begin anew.
    drop(roles);
    let old = servers("old-password", url("analytics_a", "old-password"));
    let late = Role::spawn(&program("collector").unwrap(), old).unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let health = send(reqwest::Client::new().get(format!("{}/health", late.url()))).await;
    assert_eq!(health.status, 503, "{}", health.text);
    assert!(!late.log().contains("old-password"), "{}", late.log());
}

/// Sends events with ids, each again until it is acknowledged; how many there were.
async fn send_until(tenant: Tenant, over: Arc<AtomicBool>) -> u64 {
    let mut count = 0;
    while !over.load(Ordering::Relaxed) {
        let mut event = event("s", "t", "a");
        event["id"] = json!(Uuid::now_v7());
        loop {
            let request = tenant.collect_request().bearer_auth(&tenant.write_key).body(event.to_string());
            match request.send().await.map(|answer| answer.status().as_u16()) {
                Ok(202) => break,
                Ok(status) => assert_eq!(status, 503, "a valid event was refused"),
                // The one collector is being started anew.
                Err(error) => assert!(error.is_connect() || error.is_request(), "{error:?}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        count += 1;
    }
    count
}

/// A server that asks everybody but its own administrator for a password.
fn with_passwords(folder: &Path) -> PostgresOptions {
    let rules = folder.join("pg_hba.conf");
    std::fs::write(&rules, "host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n").unwrap();
    // The server runs as another user where the test is root's.
    for path in [folder, &rules] {
        let mode = if path == folder { 0o755 } else { 0o644 };
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    }
    let mut options = PostgresOptions::new(Edition::Plain15);
    options.settings.push(("hba_file".to_owned(), rules.display().to_string()));
    options
}
