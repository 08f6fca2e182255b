//! `analytics keys` from outside.

use std::time::{Duration, Instant};

use analytics_testkit::role::RoleOptions;
use serde_json::Value;

use crate::running::Bench;

const ADMIN: &str = "administrator-0123456789";
const READER: &str = "reader-0123456789";

fn bench() -> Bench {
    let keys = format!("{ADMIN}:shop:admin,{READER}:shop:read");
    Bench::with(RoleOptions::new().variable("WRITE_KEYS", "required").variable("API_KEYS", keys))
}

/// Sends an event with a key; the status.
async fn sends(bench: &Bench, key: &str) -> u16 {
    let event = r#"{"session_id":"s","event_type":"t","event_action":"a"}"#;
    let request = reqwest::Client::new().post(format!("{}/collect", bench.server.url())).bearer_auth(key).body(event);
    request.send().await.unwrap().status().as_u16()
}

/// Sends until the answer is this one.
async fn becomes(bench: &Bench, key: &str, status: u16) {
    let began = Instant::now();
    while sends(bench, key).await != status {
        assert!(began.elapsed() < Duration::from_secs(10), "it is not {status} within 10 s");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_made_listed_and_revoked() {
    let bench = bench();
    let made = bench.run(&["keys", "create", "Zoë's page", "--scope", "write", "--key", ADMIN]).expect_code(0);
    // Nothing but the key, so that it can be kept in a file.
    let key = made.out.trim_end();
    assert!(key.len() == 43 && made.out == format!("{key}\n"), "{made:?}");
    assert!(made.err.contains(&format!("data-key=\"{key}\"")) && made.err.contains("only now"), "{made:?}");
    becomes(&bench, key, 202).await;

    let listed = bench.run(&["keys", "list", "--key", ADMIN]).expect_code(0);
    let line = listed.out.lines().find(|line| line.contains("Zoë's page")).unwrap_or_else(|| panic!("{listed:?}"));
    assert!(line.contains("write") && line.contains(&key[..4]) && !listed.out.contains(key), "{listed:?}");
    let id = line.split_whitespace().next().unwrap();
    let as_json = bench.run(&["keys", "list", "--json", "--key", ADMIN]).expect_code(0);
    let answer: Value = serde_json::from_str(&as_json.out).unwrap();
    assert!(answer["keys"].as_array().unwrap().iter().any(|key| key["id"] == id), "{answer}");

    let revoked = bench.run(&["keys", "revoke", id, "--key", ADMIN]).expect_code(0);
    assert!(revoked.out.contains("revoked"), "{revoked:?}");
    becomes(&bench, key, 401).await;
    let again = bench.run(&["keys", "revoke", id, "--key", ADMIN]).expect_code(1);
    assert!(again.err.contains("(404 key_not_found)"), "{again:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_to_be_is_refused_with_a_sentence() {
    let bench = bench();
    let as_json = bench.run(&["keys", "create", "CI", "--scope", "read", "--json", "--key", ADMIN]).expect_code(0);
    let made: Value = serde_json::from_str(&as_json.out).unwrap();
    assert!(made["scope"] == "read" && made["project"] == "shop" && as_json.err.is_empty(), "{as_json:?}");
    for (arguments, code, said) in [
        (vec!["keys", "create", "CI", "--scope", "read", "--key", READER], 1, "(403 forbidden_scope)"),
        (vec!["keys", "list"], 1, "(401 unknown_key)"),
        (vec!["keys", "create", "", "--scope", "read", "--key", ADMIN], 1, "(400 invalid_body)"),
        (vec!["keys", "create", "CI", "--scope", "all", "--key", ADMIN], 2, "read, admin, write"),
        (vec!["keys", "create", "CI", "--key", ADMIN], 2, "--scope"),
        (vec!["keys", "revoke", "..", "--key", ADMIN], 1, "is no id of a key"),
        (vec!["keys", "revoke", "../views/x", "--key", ADMIN], 1, "(404 key_not_found)"),
        (vec!["keys", "revoke", "env:1", "--key", ADMIN], 1, "(409 read_only)"),
    ] {
        let ran = bench.run(&arguments).expect_code(code);
        assert!(ran.out.is_empty() && ran.err.contains(said), "{arguments:?}: {ran:?}");
    }
}
