//! Which server a command speaks to, and when it opens the folder instead.

use analytics_testkit::role::RoleOptions;

use crate::running::{Bench, command, log, nowhere, run};

#[test]
fn an_address_that_is_none_or_of_another_machine_is_never_taken_for_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.csv"), log(0..3)).unwrap();
    for (url, told) in [
        ("", "is no address of a server"),
        ("http://", "is no address of a server"),
        ("http://127.0.0.1:port", "is no address of a server"),
        ("ftp://127.0.0.1", "ftp is not spoken here"),
        ("http://analytics.invalid:4000", "no server answers at http://analytics.invalid:4000"),
        ("https://127.0.0.1:1", "no server answers at https://127.0.0.1:1"),
    ] {
        for arguments in [&["import", "a.csv"][..], &["demo", "--live", "0"], &["dead-letters", "list"]] {
            let ran = run(command(folder.path(), &[arguments, &["--url", url]].concat()), b"").expect_code(1);
            assert!(ran.err.contains(told) && ran.out.is_empty(), "{url:?}: {ran:?}");
        }
    }
    assert!(!folder.path().join("data").exists());
}

#[test]
fn a_server_of_this_machine_that_is_not_there_is_told_and_the_folder_opened() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.csv"), log(0..3)).unwrap();
    let url = nowhere();
    let mut import = command(folder.path(), &["import", "a.csv", "--url", &url]);
    import.env("RETENTION_DAYS", "0");
    // A proxy is not asked for what lies on this machine.
    import.env("http_proxy", "http://192.0.2.1:1");
    let ran = run(import, b"").expect_code(0);
    assert_eq!(ran.err, format!("no server answered at {url}; working in the folder ./data itself\n"));
    assert!(ran.out.starts_with("3 rows read, 3 events accepted"), "{ran:?}");
    let ran = run(command(folder.path(), &["dead-letters", "list", "--url", &url]), b"").expect_code(0);
    assert_eq!(ran.out, "0 dead letters in all\n");
    assert!(ran.err.contains("working in the folder"), "{ran:?}");
}

#[test]
fn what_the_server_refuses_is_told_in_its_words() {
    let bench = Bench::with(RoleOptions::new().variable("WRITE_KEYS", "0123456789abcdef:shop"));
    for arguments in [&["import", "a.csv"][..], &["demo", "--days", "2", "--live", "0"]] {
        bench.file("a.csv", log(0..3));
        let ran = bench.run(arguments).expect_code(1);
        assert!(ran.err.contains("(401 unknown_key)") && !ran.err.contains('{'), "{ran:?}");
    }
}
