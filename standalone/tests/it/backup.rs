//! `analytics backup`: of a folder in use and of one at rest, and what is there once it is put back.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use analytics_testkit::process::Blow;
use analytics_testkit::role::{Role, RoleOptions};
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use crate::running::{Ran, command, run};

const PROGRAM: &str = env!("CARGO_BIN_EXE_analytics");

/// A server whose `DATA_DIR` is `data`.
fn serve(data: &Path, variables: &[(&str, &str)]) -> Role {
    let options = RoleOptions::new().variable("DATA_DIR", data.display().to_string());
    let options = variables.iter().fold(options, |options, (name, value)| options.variable(name, *value));
    Role::start(Path::new(PROGRAM), options).unwrap()
}

fn backup(folder: &Path, data: &Path, to: &Path, options: &[&str]) -> Ran {
    let to = to.display().to_string();
    let mut command = command(folder, &[&["backup", "--to", &to], options].concat());
    command.env("DATA_DIR", data);
    run(command, b"")
}

fn batch() -> Vec<Value> {
    let one = |_| json!({ "id": Uuid::now_v7(), "session_id": "s", "event_type": "t", "event_action": "a" });
    (0..5).map(one).collect()
}

async fn send(server: &Role, events: &[Value]) -> bool {
    let request = reqwest::Client::new().post(format!("{}/collect", server.url()));
    request.body(json!(events).to_string()).send().await.is_ok_and(|answer| answer.status() == 202)
}

async fn get(server: &Role, path: &str) -> Value {
    let answer = reqwest::get(format!("{}{path}", server.url())).await.unwrap();
    serde_json::from_str(&answer.text().await.unwrap()).unwrap()
}

/// The account, once nothing is in flight: accepted, stored, duplicate; and that nothing drifts.
async fn account(server: &Role) -> [u64; 3] {
    let begin = Instant::now();
    let mut before = Value::Null;
    loop {
        let report = get(server, "/api/integrity").await;
        // Twice the same: the store is read before the queue, so what is in neither may have been on its way.
        let calm = report["received"] == std::mem::replace(&mut before, report["received"].clone());
        if calm && report["in_flight"] == json!(0) {
            assert_eq!(report["drift"], 0, "{report}");
            let days = report["received"].as_array().unwrap();
            return ["accepted", "stored", "duplicate"]
                .map(|name| days.iter().map(|day| day[name].as_u64().unwrap()).sum());
        }
        assert!(begin.elapsed() < Duration::from_secs(30), "{report}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// How many events the answers tell of.
async fn counted(server: &Role) -> u64 {
    let answer = get(server, "/api/trends?metric=events&interval=day&range=7d").await;
    answer["results"].as_array().unwrap().iter().map(|row| row["metrics"][0].as_u64().unwrap()).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_accepted_before_a_backup_under_load_is_in_it_once() {
    let folder = TempDir::new().unwrap();
    let (data, copy) = (folder.path().join("data"), folder.path().join("copies/today"));
    let server = Arc::new(serve(&data, &[]));
    let (over, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let clients: Vec<_> = (0..3)
        .map(|_| {
            let (server, over, answered) = (Arc::clone(&server), Arc::clone(&over), Arc::clone(&answered));
            tokio::spawn(async move {
                let mut sent = Vec::new();
                while !over.load(Ordering::Relaxed) {
                    let events = batch();
                    assert!(send(&server, &events).await, "{}", server.log());
                    sent.push((Instant::now(), events));
                    answered.fetch_add(1, Ordering::Relaxed);
                }
                sent
            })
        })
        .collect();
    while answered.load(Ordering::Relaxed) < 40 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let began = Instant::now();
    let (at, from) = (copy.clone(), data.clone());
    let ran = tokio::task::spawn_blocking(move || backup(at.parent().unwrap().parent().unwrap(), &from, &at, &[]));
    let ran = ran.await.unwrap().expect_code(0);
    assert!(ran.out.contains("queue.db (") && ran.out.contains("events.db (") && ran.err.is_empty(), "{ran:?}");
    over.store(true, Ordering::Relaxed);
    let mut sent = Vec::new();
    for client in clients {
        sent.extend(client.await.unwrap());
    }
    let before = sent.iter().filter(|(answered, _)| *answered < began).count() as u64 * 5;
    assert!(before >= 100 && sent.len() as u64 * 5 > before, "{before} of {}", sent.len() * 5);
    // Nothing is left behind beside the data.
    let left: Vec<_> = std::fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with("backup")), "{left:?}");

    let restored = serve(&copy, &[]);
    let [accepted, stored, _] = account(&restored).await;
    assert!(stored >= before && stored <= sent.len() as u64 * 5, "{stored} stored, {before} accepted before");
    assert!(accepted >= stored, "{accepted} {stored}");
    // Whoever does not know what was lost sends everything again.
    for (_, events) in &sent {
        assert!(send(&restored, events).await);
    }
    let [_, stored, duplicate] = account(&restored).await;
    assert_eq!(stored, sent.len() as u64 * 5);
    assert!(duplicate >= before, "{duplicate} {before}");
    assert_eq!(counted(&restored).await, stored);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_in_the_queue_is_in_the_backup_of_a_server_that_runs_and_of_one_that_is_stopped() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    // Nothing is stored for ten seconds.
    let mut server = serve(&data, &[("BATCH_LINGER_MS", "10000"), ("BATCH_SIZE", "10000")]);
    let events = batch();
    assert!(send(&server, &events).await);
    let running = folder.path().join("running");
    std::fs::create_dir(&running).unwrap();
    backup(folder.path(), &data, &running, &[]).expect_code(0);
    assert_eq!(get(&server, "/api/integrity").await["in_flight"], 5, "the test came too late");
    server.kill9();
    let stopped = folder.path().join("stopped");
    backup(folder.path(), &data, &stopped, &[]).expect_code(0);
    for copy in [running, stopped] {
        for file in std::fs::read_dir(&copy).unwrap() {
            assert_eq!(file.unwrap().metadata().unwrap().mode() & 0o777, 0o600);
        }
        let restored = serve(&copy, &[]);
        assert_eq!(account(&restored).await, [5, 5, 0], "{}", copy.display());
        assert!(send(&restored, &events).await);
        assert_eq!(account(&restored).await, [10, 5, 5]);
    }
}

#[test]
fn a_backup_that_cannot_be_made_says_why() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let to = folder.path().join("copy");
    let none = backup(folder.path(), &data, &to, &[]).expect_code(1);
    assert!(none.err.contains("holds no data; set DATA_DIR") && !to.exists() && !data.exists(), "{none:?}");

    let mut server = serve(&data, &[]);
    let full = backup(folder.path(), &data, folder.path(), &[]).expect_code(1);
    assert!(full.err.contains("is not empty; name a folder that is not there yet"), "{full:?}");
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let under = backup(folder.path(), &data, &file.join("copy"), &[]).expect_code(1);
    assert!(under.err.contains("the backup cannot be written to"), "{under:?}");
    server.send(Blow::Pause);
    let silent = backup(folder.path(), &data, &to, &["--wait", "1"]).expect_code(1);
    assert!(silent.err.contains("no copy of its queue within 1 s") && silent.err.contains("--wait"), "{silent:?}");
    server.send(Blow::Resume);
    // The request was taken back: the server writes nothing for it.
    std::thread::sleep(Duration::from_secs(1));
    let left: Vec<_> = std::fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with("backup")), "{left:?}");
    // The folder that was made for it is empty, and can be used for the next try.
    backup(folder.path(), &data, &to, &[]).expect_code(0);
    assert!(server.stop(Duration::from_secs(10)).unwrap().success());

    // What was copied before something went wrong is taken away again.
    for log in ["events.db-wal", "events.db-shm"] {
        let _ = std::fs::remove_file(data.join(log));
    }
    std::fs::write(data.join("events.db"), "no store ".repeat(1_000)).unwrap();
    let broken = folder.path().join("broken");
    let half = backup(folder.path(), &data, &broken, &[]).expect_code(1);
    assert!(half.err.contains("copy the store's file"), "{half:?}");
    assert_eq!(std::fs::read_dir(&broken).unwrap().count(), 0);
}

#[test]
fn with_a_database_the_queue_is_copied_and_the_rest_is_said() {
    use analytics_testkit::postgres::{Edition, database};
    let folder = TempDir::new().unwrap();
    let (data, to) = (folder.path().join("data"), folder.path().join("copy"));
    let database = database(Edition::Plain15).unwrap();
    let _server = serve(&data, &[("DATABASE_URL", &database.url())]);
    let to_text = to.display().to_string();
    let mut command = command(folder.path(), &["backup", "--to", &to_text]);
    command.env("DATA_DIR", &data).env("DATABASE_URL", database.url());
    let ran = run(command, b"").expect_code(0);
    assert!(ran.out.contains("dump it now, after the queue") && !ran.out.contains("events.db"), "{ran:?}");
    assert!(to.join("queue.db").exists() && !to.join("events.db").exists());
}
