//! The roles, started with the arguments and variables of their pods in `deploy/k8s`.

use std::time::Duration;

use analytics_testkit::postgres::{Edition, database};
use analytics_testkit::prometheus::deploy_check;
use analytics_testkit::redis::{AppendFsync, RedisOptions, RedisServer};
use analytics_testkit::role::{Role, RoleOptions, program};
use serde_json::Value;

use crate::repository;

/// Who waits for the schema, and who makes it.
const ROLES: [&str; 4] = ["collector", "processor", "api", "realtime"];
const MIGRATION: &str = "migrate";

#[test]
fn the_pods_of_production_start() {
    pods_start("production");
}

#[test]
fn the_pods_of_dev_start() {
    pods_start("dev");
}

fn pods_start(overlay: &str) {
    let told = deploy_check(&repository(), &["live-environment".to_owned(), overlay.to_owned()]).unwrap();
    let pods: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(pods.as_object().unwrap().len(), ROLES.len() + 1, "{pods}");
    let redis =
        RedisServer::start(RedisOptions { appendfsync: AppendFsync::Always, ..RedisOptions::default() }).unwrap();
    let database = database(Edition::Timescale17).unwrap();
    let secret = |key: &str| match key {
        "redis-url" => Some(redis.url()),
        "database-url" | "database-migration-url" => Some(database.url()),
        "api-keys" => Some("9f86d081884c7d659a2feaa0c55ad015:shop:read".to_owned()),
        "write-keys" => Some("60303ae22b998861bce3b28f33eec1be:shop".to_owned()),
        "database-replica-url" => None,
        other => panic!("nobody describes the secret {other}"),
    };
    let start = |pod: &str, port: &'static str| {
        let mut options = RoleOptions::new().port_in(port);
        for argument in pods[pod]["arguments"].as_array().unwrap() {
            options = options.argument(argument.as_str().unwrap());
        }
        for (name, value) in pods[pod]["variables"].as_object().unwrap() {
            let value = match value["secret"].as_str() {
                Some(key) => secret(key),
                None => value.as_str().map(str::to_owned),
            };
            if let Some(value) = value {
                options = options.variable(name, value);
            }
        }
        let name = ROLES.into_iter().chain(["analytics"]).find(|name| pods[pod]["program"] == *name).unwrap();
        Role::spawn(&program(name).unwrap(), options).unwrap()
    };
    // As in a cluster: all at once, and whoever needs the schema waits for it.
    let mut roles = ROLES.map(|role| (role, start(role, if role == "processor" { "METRICS_PORT" } else { "PORT" })));
    std::thread::sleep(Duration::from_secs(1));
    let mut migration = start(MIGRATION, "");
    let status = migration.wait(Duration::from_secs(60)).unwrap();
    assert!(status.success(), "{}", migration.log());
    for (role, running) in &mut roles {
        running.wait_ready().unwrap_or_else(|error| panic!("{role} of {overlay}: {error}"));
        let log = running.log();
        assert!(!log.contains("did you mean"), "{role} of {overlay} is told what it does not know: {log}");
    }
}
