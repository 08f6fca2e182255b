//! `analytics dead-letters` from outside.

use analytics_testkit::postgres::{Edition, database};
use analytics_testkit::role::RoleOptions;

use crate::running::{Bench, command, run};

const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

#[test]
fn the_address_may_stand_on_either_side_of_the_subcommand() {
    let bench = Bench::start();
    let url = bench.server.url();
    for arguments in [["dead-letters", "list", "--url", &url], ["dead-letters", "--url", &url, "list"]] {
        let ran = run(command(bench.folder(), &arguments), b"").expect_code(0);
        assert_eq!((ran.out.as_str(), ran.err.as_str()), ("0 dead letters in all\n", ""));
    }
}

#[test]
fn ids_of_no_dead_letter_are_an_error() {
    let bench = Bench::start();
    let ran = bench.run(&["dead-letters", "replay", ID]).expect_code(1);
    assert!(ran.out.is_empty() && ran.err.contains("there is no dead letter with this id"), "{ran:?}");
    let all = bench.run(&["dead-letters", "replay"]).expect_code(0);
    assert_eq!(all.out, "there are no dead letters\n");
    let none = bench.run(&["dead-letters", "replay", "abc"]).expect_code(2);
    assert!(none.err.contains("'abc'") && !none.err.contains("{\""), "{none:?}");
}

#[test]
fn a_refusal_is_a_sentence() {
    let keys = "reader-0123456789:default:read";
    let bench = Bench::with(RoleOptions::new().variable("API_KEYS", keys));
    let unknown = bench.run(&["dead-letters", "list"]).expect_code(1);
    assert!(unknown.err.contains("(401 unknown_key)") && !unknown.err.contains('{'), "{unknown:?}");
    let weak = bench.run(&["dead-letters", "replay", ID, "--key", "reader-0123456789"]).expect_code(1);
    assert!(weak.err.contains("(403 forbidden_scope)") && !weak.err.contains('{'), "{weak:?}");
}

#[test]
fn of_several_ids_those_that_are_none_are_counted() {
    let database = database(Edition::Plain15).unwrap();
    let bench = Bench::with(RoleOptions::new().variable("DATABASE_URL", database.url()));
    let insert = "INSERT INTO dead_letters VALUES ('{ID}', 'default', NULL, 'x', 'unreadable_entry', NULL, 'no envelope', 1, now(), now())";
    database.psql(&insert.replace("{ID}", ID)).unwrap();
    let listed = bench.run(&["dead-letters", "list"]).expect_code(0);
    assert!(listed.out.starts_with(ID) && listed.out.ends_with("1 dead letter in all\n"), "{listed:?}");
    let one = bench.run(&["dead-letters", "replay", ID, ID]).expect_code(0);
    assert!(one.out.starts_with("1 dead letter will be tried again"), "{one:?}");
    let other = ID.replace("8057", "8058");
    let two = bench.run(&["dead-letters", "replay", ID, &other]).expect_code(1);
    assert!(two.err.contains("1 of 2 will be tried again") && two.err.contains("the other id"), "{two:?}");
}
