//! `analytics demo` from outside.

use analytics_testkit::role::RoleOptions;

use crate::running::Bench;

fn accepted(told: &str) -> u64 {
    let line = told.lines().find(|line| line.ends_with("events of made-up visitors were accepted")).expect(told);
    line.split(' ').next().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_past_counts_once() {
    let bench = Bench::start();
    let demo = |days: &str, visitors: &str, seed: &str| {
        let ran = bench.run(&["demo", "--days", days, "--visitors", visitors, "--seed", seed, "--live", "0"]);
        accepted(&ran.expect_code(0).out)
    };
    let first = demo("5", "20", "1");
    assert!(first > 100);
    assert_eq!(bench.count().await, first);
    // What has come since the first run is new; a minute's worth of visitors at most.
    let again = demo("5", "20", "1");
    let (stored, room) = (bench.count().await, 10);
    assert!((first..first + room).contains(&again) && stored == again, "{first} {again} {stored}");
    // More days hold those again, and so do more visitors.
    let longer = demo("8", "20", "1");
    assert!(longer > again && bench.count().await == longer, "{again} {longer}");
    let fuller = demo("8", "40", "1");
    assert!(fuller > longer && bench.count().await == fuller, "{longer} {fuller}");
    let others = demo("5", "20", "2");
    assert!(bench.count().await >= fuller + others);
}

#[tokio::test(flavor = "multi_thread")]
async fn live_visitors_are_new_ones() {
    let bench = Bench::start();
    let demo = || accepted(&bench.run(&["demo", "--days", "0", "--visitors", "1", "--live", "1"]).expect_code(0).out);
    let first = demo();
    assert!(first > 0);
    let second = demo();
    assert!(bench.count().await > first.max(second));
}

#[test]
fn days_that_the_server_does_not_keep_are_told() {
    let bench = Bench::with(RoleOptions::new().variable("RETENTION_DAYS", "3"));
    let ran = bench.run(&["demo", "--days", "6", "--visitors", "20", "--live", "0"]).expect_code(2);
    assert!(
        ran.out.contains("were refused, the first with timestamp_out_of_range: timestamp has to lie between"),
        "{ran:?}"
    );
    assert!(ran.out.contains("RETENTION_DAYS=0"), "{ran:?}");
}
