//! Which servers the queue accepts, and over which connections.

use std::path::Path;
use std::process::Command;

use analytics_messaging::redis::{RedisEndpoint, RedisOptions, RedisQueue};
use analytics_messaging::{Durability, Queue, QueueError};
use analytics_testkit::ports;
use analytics_testkit::redis::{AppendFsync, RedisOptions as ServerOptions, RedisServer};

use crate::beds::entry;

async fn connect(server: &RedisServer, durability_required: bool) -> Result<RedisQueue, QueueError> {
    RedisQueue::connect(RedisOptions { durability_required, ..RedisOptions::new(server.url().as_str()) }).await
}

fn start(appendfsync: AppendFsync, settings: &[(&str, &str)]) -> RedisServer {
    let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    RedisServer::start(ServerOptions { appendfsync, settings, ..ServerOptions::default() }).unwrap()
}

fn mend(outcome: Result<RedisQueue, QueueError>) -> String {
    match outcome {
        Err(QueueError::Misconfigured { problem, mend }) => format!("{problem}; {mend}"),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was accepted"),
    }
}

#[tokio::test]
async fn durability_is_what_the_server_gives() {
    let server = start(AppendFsync::Always, &[]);
    assert_eq!(connect(&server, true).await.unwrap().durability(), Durability::Durable);
    let server = start(AppendFsync::EverySecond, &[]);
    assert_eq!(connect(&server, false).await.unwrap().durability(), Durability::Fast);
    let told = mend(connect(&server, true).await);
    assert!(told.contains("appendfsync everysec") && told.contains("CONFIG SET appendfsync always"), "{told}");
    server.command(&["CONFIG", "SET", "appendfsync", "always"]).unwrap();
    connect(&server, true).await.unwrap();
}

#[tokio::test]
async fn servers_that_forget_are_refused_with_the_mend() {
    let server = start(AppendFsync::Always, &[("maxmemory-policy", "allkeys-lru")]);
    assert!(mend(connect(&server, false).await).contains("CONFIG SET maxmemory-policy noeviction"));
    let server = start(AppendFsync::Always, &[("appendonly", "no")]);
    assert!(mend(connect(&server, false).await).contains("CONFIG SET appendonly yes"));
    let server = start(AppendFsync::Never, &[]);
    assert!(mend(connect(&server, false).await).contains("CONFIG SET appendfsync everysec"));
}

#[tokio::test]
async fn where_config_is_forbidden_durability_is_unknown() {
    let renamed = start(AppendFsync::Always, &[("rename-command", "CONFIG forbidden")]);
    let queue = connect(&renamed, true).await.unwrap();
    assert_eq!(queue.durability(), Durability::Unknown);
    queue.enqueue(entry("default", 1, "a")).await.unwrap();

    let server = start(AppendFsync::Always, &[]);
    server.command(&["ACL", "SETUSER", "app", "on", ">sesame-open", "~*", "&*", "+@all", "-config"]).unwrap();
    let url = server.url().replace("redis://", "redis://app:sesame-open@");
    let queue = RedisQueue::connect(RedisOptions::new(url.as_str())).await.unwrap();
    assert_eq!(queue.durability(), Durability::Unknown);
}

#[tokio::test]
async fn a_wrong_password_is_unavailable_and_is_not_told() {
    let server =
        RedisServer::start(ServerOptions { password: Some("right-one".to_owned()), ..ServerOptions::default() })
            .unwrap();
    connect(&server, false).await.unwrap();
    let url = server.url().replace("right-one", "wrong-one");
    let refusal = RedisQueue::connect(RedisOptions::new(url.as_str())).await.unwrap_err();
    assert!(matches!(refusal, QueueError::Unavailable { .. }));
    assert!(!format!("{refusal:?} {refusal}").contains("wrong-one"), "{refusal:?}");
}

#[tokio::test]
async fn a_url_that_cannot_be_read_is_refused() {
    for url in ["", "http://127.0.0.1", "redis://127.0.0.1:port"] {
        let refusal = RedisQueue::connect(RedisOptions::new(url)).await.unwrap_err();
        assert!(matches!(refusal, QueueError::Misconfigured { .. }), "{url}: {refusal}");
    }
}

fn openssl(folder: &Path, arguments: &[&str]) {
    let output = Command::new("openssl").current_dir(folder).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn tls_works_with_an_authority_of_ones_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(folder.path().join("names"), "subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n").unwrap();
    let ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj"];
    openssl(
        folder.path(),
        &[&["req", "-x509", "-days", "2"], &ec[..], &["/CN=ca", "-keyout", "ca.key", "-out", "ca.pem"]].concat(),
    );
    openssl(
        folder.path(),
        &[&["req"], &ec[..], &["/CN=redis", "-keyout", "server.key", "-out", "server.csr"]].concat(),
    );
    let sign =
        "x509 -req -days 2 -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile names -out server.pem";
    openssl(folder.path(), &sign.split(' ').collect::<Vec<_>>());
    let port = ports::free().to_string();
    let (certificate, key, authority) = (path("server.pem"), path("server.key"), path("ca.pem"));
    let settings = [
        ("tls-port", port.as_str()),
        ("tls-cert-file", &certificate),
        ("tls-key-file", &key),
        ("tls-ca-cert-file", &authority),
        ("tls-auth-clients", "no"),
    ];
    let _server = start(AppendFsync::Always, &settings);
    let url = format!("rediss://127.0.0.1:{port}");
    let roots = std::fs::read(folder.path().join("ca.pem")).unwrap();
    let endpoint = RedisEndpoint { url: url.clone(), root_certificates: Some(roots) };
    let queue = RedisQueue::connect(RedisOptions::new(endpoint)).await.unwrap();
    queue.enqueue(entry("default", 1, "sealed")).await.unwrap();
    assert_eq!(queue.depth().await.unwrap().batches, 1);
    let refusal = RedisQueue::connect(RedisOptions::new(url.as_str())).await.unwrap_err();
    assert!(matches!(refusal, QueueError::Unavailable { .. }), "an unknown authority is not trusted: {refusal}");
}
