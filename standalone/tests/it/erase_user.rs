//! `analytics erase-user` from outside.

use analytics_testkit::role::RoleOptions;
use serde_json::{Value, json};

use crate::running::{Bench, Ran, command, run};

const ADMIN: &str = "administrator-0123456789";
const READER: &str = "reader-0123456789";

fn bench() -> Bench {
    let keys = format!("{ADMIN}:default:admin,{READER}:default:read");
    Bench::with(RoleOptions::new().variable("RETENTION_DAYS", "0").variable("API_KEYS", keys))
}

async fn users(bench: &Bench, id: &str) -> u16 {
    let url = format!("{}/api/users/{id}", bench.server.url());
    let request = reqwest::Client::new().get(url).bearer_auth(READER).header("cache-control", "no-cache");
    request.send().await.unwrap().status().as_u16()
}

async fn seen(bench: &Bench, id: &str) {
    let begin = std::time::Instant::now();
    while users(bench, id).await != 200 {
        assert!(begin.elapsed().as_secs() < 20, "{id} is not there");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// Runs a command at a terminal, where `typed` is typed.
fn at_a_terminal(bench: &Bench, arguments: &str, typed: &str) -> Ran {
    let program = env!("CARGO_BIN_EXE_analytics");
    let line = format!("{program} {arguments} --url {} --key {ADMIN}", bench.server.url());
    let mut script = std::process::Command::new("script");
    script.args(["--quiet", "--return", "--command", &line, "/dev/null"]).current_dir(bench.folder());
    run(script, typed.as_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_erased_and_the_receipt_printed() {
    let bench = bench();
    // A user whose id has to be encoded, and one whom a careless encoding would name.
    let csv = "session_id,event_type,event_action,user_id\ns1,t,a,a/../b c\ns1,t,a,\ns2,t,a,a%2Fb\ns3,t,a,b\n";
    bench.import("a.csv", csv, &[]).expect_code(0);
    for id in ["a%2F..%2Fb%20c", "a%252Fb", "b"] {
        seen(&bench, id).await;
    }
    let erased = bench.run(&["erase-user", "a/../b c", "--yes", "--key", ADMIN]).expect_code(0);
    let receipt: Value = serde_json::from_str(&erased.out).unwrap();
    assert_eq!((&receipt["events"], &receipt["sessions"]), (&json!(2), &json!(1)), "{erased:?}");
    assert!(receipt["erased_at"].is_string() && erased.err.is_empty(), "{erased:?}");
    assert_eq!(users(&bench, "a%2F..%2Fb%20c").await, 404);
    assert_eq!((users(&bench, "a%252Fb").await, users(&bench, "b").await), (200, 200));
    let again = bench.run(&["erase-user", "a/../b c", "--yes", "--key", ADMIN]).expect_code(0);
    assert!(again.out.contains(r#""events":0"#), "{again:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_erased_by_chance() {
    let bench = bench();
    bench.import("a.csv", "session_id,event_type,event_action,user_id\ns1,t,a,ann\n", &[]).expect_code(0);
    seen(&bench, "ann").await;
    let unasked = bench.run(&["erase-user", "ann", "--key", ADMIN]).expect_code(1);
    assert!(unasked.out.is_empty() && unasked.err.contains("nobody can be asked") && unasked.err.contains("--yes"));
    let weak = bench.run(&["erase-user", "ann", "--yes", "--key", READER]).expect_code(1);
    assert!(weak.err.contains("nothing was erased") && weak.err.contains("(403 forbidden_scope)"), "{weak:?}");
    let none = bench.run(&["erase-user", "ann", "--yes"]).expect_code(1);
    assert!(none.err.contains("(401 unknown_key)"), "{none:?}");
    for id in ["", ".", ".."] {
        let unnameable = bench.run(&["erase-user", id, "--yes", "--key", ADMIN]).expect_code(1);
        assert!(unnameable.err.contains("nothing was erased"), "{unnameable:?}");
    }
    let other = at_a_terminal(&bench, "erase-user ann", "yes\n").expect_code(1);
    assert!(other.out.contains("nothing was erased: the id was not typed again"), "{other:?}");
    assert_eq!(users(&bench, "ann").await, 200);

    let meant = at_a_terminal(&bench, "erase-user ann", "ann\n").expect_code(0);
    assert!(meant.out.contains("cannot be taken back") && meant.out.contains(r#""events":1"#), "{meant:?}");
    assert_eq!(users(&bench, "ann").await, 404);
}

#[test]
fn nothing_is_looked_for_before_it_is_meant() {
    let folder = tempfile::tempdir().unwrap();
    let ran = run(command(folder.path(), &["erase-user", "ann"]), b"ann\n").expect_code(1);
    assert!(ran.err.contains("nobody can be asked"), "{ran:?}");
    assert!(!folder.path().join("data").exists());
}
