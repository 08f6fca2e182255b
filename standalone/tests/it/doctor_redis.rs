//! What `analytics doctor` finds wrong with a Redis, and how it says to mend it.

use analytics_testkit::redis::{AppendFsync, RedisCluster, RedisOptions, RedisSentinels, RedisServer};

use crate::running::{Ran, command, run};

/// What is told of a collector with these variables.
fn doctor(variables: &[(&str, &str)]) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    let mut doctor = command(folder.path(), &["doctor", "--role", "collector"]);
    doctor.envs(variables.iter().copied());
    run(doctor, b"")
}

fn start(appendfsync: AppendFsync, settings: &[(&str, &str)]) -> RedisServer {
    let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    RedisServer::start(RedisOptions { appendfsync, settings, ..RedisOptions::default() }).unwrap()
}

#[track_caller]
fn wrong(ran: Ran, expected: &[&str]) {
    let ran = ran.expect_code(1);
    let told = ran.out.split_once("WRONG").map_or("", |(_, told)| told);
    for part in expected {
        assert!(told.contains(part), "{part} is not told:\n{}\n{}", ran.out, ran.err);
    }
}

#[test]
fn a_server_that_keeps_what_it_took_is_fine_and_stays_as_it_was() {
    let server = start(AppendFsync::Always, &[]);
    let ran = doctor(&[("REDIS_URL", &server.url()), ("DURABILITY", "durable"), ("QUEUE_SHARDS", "4")]).expect_code(0);
    assert!(ran.out.contains("ok     redis: it answers, evicts nothing, and flushes each batch"), "{ran:?}");
    assert!(ran.out.contains("ok     redis: the queue has 4 streams on 1 of its servers"), "{ran:?}");
    assert_eq!(server.command(&["DBSIZE"]).unwrap(), "0");
    let server = start(AppendFsync::EverySecond, &[]);
    let ran = doctor(&[("REDIS_URL", &server.url())]).expect_code(0);
    assert!(ran.out.contains("note   redis: it answers and evicts nothing; a power cut may take"), "{ran:?}");
    let forbidden = start(AppendFsync::Always, &[("rename-command", "CONFIG forbidden")]);
    let ran = doctor(&[("REDIS_URL", &forbidden.url())]).expect_code(0);
    assert!(ran.out.contains("does not let its settings be read"), "{ran:?}");
}

#[test]
fn a_server_that_loses_events_is_wrong_and_the_mend_is_told() {
    let server = start(AppendFsync::Always, &[("maxmemory-policy", "allkeys-lru")]);
    let mend = "CONFIG SET maxmemory-policy noeviction";
    wrong(doctor(&[("REDIS_URL", &server.url())]), &[&server.address().to_string(), "allkeys-lru", mend]);
    let server = start(AppendFsync::Always, &[("appendonly", "no")]);
    wrong(doctor(&[("REDIS_URL", &server.url())]), &["a restart would lose", "CONFIG SET appendonly yes"]);
    let server = start(AppendFsync::EverySecond, &[]);
    let variables = [("REDIS_URL", server.url()), ("DURABILITY", "durable".to_owned())];
    let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
    wrong(doctor(&variables), &["DURABILITY=durable", "CONFIG SET appendfsync always"]);
}

#[test]
fn a_server_that_cannot_be_reached_is_named() {
    let port = analytics_testkit::ports::free();
    let url = format!("redis://:hunter2@127.0.0.1:{port}");
    let ran = doctor(&[("REDIS_URL", &url)]);
    assert!(!format!("{ran:?}").contains("hunter2"), "{ran:?}");
    wrong(ran, &[&format!("127.0.0.1:{port} cannot be reached"), "refused"]);
    let options = RedisOptions { password: Some("right-one".to_owned()), ..RedisOptions::default() };
    let server = RedisServer::start(options).unwrap();
    let ran = doctor(&[("REDIS_URL", &server.url().replace("right-one", "wrong-one"))]);
    assert!(!format!("{ran:?}").contains("wrong-one"), "{ran:?}");
    wrong(ran, &[&format!("{} refuses user or password", server.address())]);
    let ran = doctor(&[("REDIS_URL", &format!("redis://{}", server.address()))]);
    wrong(ran, &[&server.address().to_string(), "wants a password", "redis://:password@"]);
}

#[test]
fn a_url_that_is_none_is_told_with_the_right_form() {
    wrong(doctor(&[("REDIS_URL", "http://h")]), &["REDIS_URL", "redis:// or rediss://"]);
    wrong(doctor(&[("REDIS_URL", "redis+sentinel://h:26379")]), &["REDIS_URL", "names no master", "/master-name"]);
    wrong(doctor(&[("REDIS_URL", "redis+cluster://h:1,:2")]), &["REDIS_URL", "redis+cluster://host:6379,host:6379"]);
}

#[test]
fn a_cluster_and_sentinels_are_looked_at_too() {
    let cluster = RedisCluster::start(3, 0, AppendFsync::Always, &[]).unwrap();
    let ran = doctor(&[("REDIS_URL", &cluster.url()), ("QUEUE_SHARDS", "12")]).expect_code(0);
    assert!(ran.out.contains("the queue has 12 streams on 3 of its servers"), "{ran:?}");
    assert!(ran.out.contains("note   redis: a server that takes over may lack"), "{ran:?}");
    let ran = doctor(&[("REDIS_URL", &cluster.url()), ("QUEUE_REPLICAS", "1")]);
    wrong(ran, &["has 0 of the 1 replicas that QUEUE_REPLICAS asks for", "add replicas"]);
    let single = start(AppendFsync::Always, &[]);
    let url = single.url().replace("redis://", "redis+cluster://");
    wrong(doctor(&[("REDIS_URL", &url)]), &["is in no cluster", "a single server is written redis://"]);
    let sentinels = RedisSentinels::start(1, 1, AppendFsync::Always).unwrap();
    let ran = doctor(&[("REDIS_URL", &sentinels.url()), ("QUEUE_REPLICAS", "1")]).expect_code(0);
    assert!(ran.out.contains("ok     redis: it answers, evicts nothing"), "{ran:?}");
    let url = sentinels.url().replace("/main", "/other");
    wrong(doctor(&[("REDIS_URL", &url)]), &["knows no master other", "sentinel monitor"]);
}
