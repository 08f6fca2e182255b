//! Options that cannot be right are told before anything is sent.

use crate::running::Bench;

#[tokio::test(flavor = "multi_thread")]
async fn a_column_that_is_not_there_is_told_with_those_that_are() {
    let bench = Bench::start();
    let csv = "who,what,when\ns,buy,2024-03-01\n";
    let ran = bench.import("a.csv", csv, &["--map", "session_id=who", "--map", "event_action=nosuch"]).expect_code(1);
    assert!(
        ran.err.contains("--map event_action=nosuch names no column of the file; it has who, what, when"),
        "{ran:?}"
    );

    let line = "{\"session_id\":\"s\",\"event_type\":\"t\",\"what\":\"a\"}\n";
    for (rows, seen) in [(3, 3), (150, 100)] {
        let ran = bench.import("a.ndjson", line.repeat(rows), &["--map", "event_action=nosuch"]).expect_code(2);
        let told = format!(
            "note: --map event_action=nosuch: none of the first {seen} rows has \"nosuch\"; they have event_type, session_id, what\n"
        );
        assert_eq!(ran.err, told);
    }
    let late = line.repeat(20) + &line.replace("what", "nosuch");
    let ran = bench.import("a.ndjson", late, &["--map", "event_action=nosuch"]).expect_code(2);
    assert!(ran.err.is_empty() && ran.out.starts_with("21 rows read, 1 events accepted, 20 refused"), "{ran:?}");
    assert_eq!(bench.count().await, 1);
}

#[test]
fn a_field_with_two_origins_and_a_column_with_two_places_are_refused() {
    let bench = Bench::start();
    let csv = "session_id,event_type,event_action\ns,t,a\n";
    for options in [
        ["--map", "event_action=event_type", "--map", "event_action=event_action"],
        ["--map", "event_action=event_type", "--set", "event_action=x"],
        ["--set", "event_action=x", "--set", "event_action=y"],
    ] {
        let ran = bench.import("a.csv", csv, &options).expect_code(1);
        assert!(ran.err.contains("the field \"event_action\" is given twice, by --"), "{ran:?}");
    }
    let ran = bench.import("b.csv", "session_id,x,event_type,x\ns,1,t,2\n", &[]).expect_code(1);
    assert!(ran.err.contains("it names the column \"x\" twice"), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mapped_time_that_is_empty_is_refused_and_not_made_up() {
    let bench = Bench::start();
    let csv = "session_id,event_type,event_action,at\ns,t,a,\ns,t,a,2024-03-01\n";
    let ran = bench.import("a.csv", csv, &["--map", "timestamp=at"]).expect_code(2);
    assert!(ran.out.contains("line 2: it has no time in the column \"at\""), "{ran:?}");
    assert_eq!(bench.count().await, 1);
}
