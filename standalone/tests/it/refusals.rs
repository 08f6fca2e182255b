//! Rows that cannot be taken, and how they are told.

use analytics_testkit::role::RoleOptions;

use crate::running::Bench;

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_csv_that_cannot_be_read_are_told_by_their_lines_and_hurt_no_neighbour() {
    let bench = Bench::start();
    let text = b"session_id,event_type,event_action,timestamp\n\
        s1,t,a,2024-03-01\n\
        s2,t,a\n\
        \n\
        s3,t,a,2024-03-01,more\n\
        \"s\n4\",t,a,2024-03-01\n\
        s5,t,\xff,2024-03-01\n\
        s6,t,a,yesterday\n\
        s7,\"t,a,2024-03-01\n\
        s8,t,a,2024-03-01\n\
        ,t,a,2024-03-01\n\
        s9,t,a,2024-03-01";
    let ran = bench.import("a.csv", text, &["--batch", "2"]).expect_code(2);
    let told: Vec<&str> = ran.out.lines().collect();
    assert_eq!(told[0], "10 rows read, 4 events accepted, 6 refused");
    assert_eq!(told[1], "  line 3: it has 3 cells, the header has 4");
    assert_eq!(told[2], "  line 5: it has 5 cells, the header has 4");
    assert_eq!(told[3], "  line 8: cell 3 is not UTF-8");
    assert!(told[4].starts_with("  line 9: the time \"yesterday\" cannot be understood"), "{told:?}");
    assert!(told[5].starts_with("  line 10: a quote is opened and not closed"), "{told:?}");
    assert!(told[6].starts_with("  line 12: missing_field: session_id"), "{told:?}");
    assert_eq!(bench.count().await, 4);
    // Past them, all is well; among them, they do not stop the skipping.
    let rest = bench.import("a.csv", text, &["--from-row", "7"]).expect_code(2);
    assert!(rest.out.starts_with("3 rows read, 2 events accepted, 1 refused\n  line 12:"), "{rest:?}");
    assert_eq!(bench.count().await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_of_ndjson_that_cannot_be_read_are_told_in_words_about_the_line() {
    let bench = Bench::start();
    let good = r#"{"session_id":"s","event_type":"t","event_action":"a","timestamp":1709251200000}"#;
    let text = format!("\u{feff}{good}\n{{\"a\":}}\n[]\n{good}\n{}\n{good}\n{{\"cut", "x".repeat(2_000_000));
    let ran = bench.import("a.ndjson", text, &[]).expect_code(2);
    let told: Vec<&str> = ran.out.lines().collect();
    assert_eq!(told[0], "7 rows read, 3 events accepted, 4 refused");
    assert_eq!(told[1], "  line 2: the line is no JSON object: expected value at column 6");
    assert_eq!(told[2], "  line 3: the line is JSON but no object; an event is written as {...}");
    assert_eq!(told[3], "  line 5: the row is longer than 524288 bytes");
    assert!(told[4].starts_with("  line 7: the line is no JSON object: EOF while parsing a string"), "{told:?}");
    assert_eq!(bench.count().await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn large_rows_are_sent_in_requests_that_a_collector_takes() {
    let bench = Bench::start();
    let row = |n: u32| {
        let text = "x".repeat(30_000);
        format!("{{\"session_id\":\"s{n}\",\"event_type\":\"t\",\"event_action\":\"a\",\"text\":\"{text}\"}}\n")
    };
    let text: String = (0..100).map(row).collect();
    let ran = bench.import("a.ndjson", text, &["--batch", "1000"]).expect_code(0);
    assert!(ran.out.starts_with("100 rows read, 100 events accepted, 0 refused"), "{ran:?}");
    assert_eq!(bench.count().await, 100);
}

#[test]
fn advice_is_not_what_was_done_already() {
    let bench = Bench::with(RoleOptions::new().variable("RETENTION_DAYS", "30"));
    let rows = |first: &str| format!("session_id,event_type,event_action,timestamp\ns,t,a,{first}\ns,t,a,2024-03-01\n");
    let plain = bench.import("a.csv", rows("2022-01-01"), &[]).expect_code(2);
    assert!(plain.out.contains("2 refused") && plain.out.contains("--shift-to-now"), "{plain:?}");
    assert!(!plain.out.contains("count once"), "{plain:?}");
    let shifted = bench.import("a.csv", rows("2022-01-01"), &["--shift-to-now"]).expect_code(2);
    assert!(shifted.out.contains("line 2: timestamp_out_of_range"), "{shifted:?}");
    assert!(shifted.out.contains("RETENTION_DAYS=0") && !shifted.out.contains("--shift-to-now"), "{shifted:?}");
    assert!(shifted.out.contains("mend it in a file of its own"), "{shifted:?}");
    assert!(shifted.out.contains("accepted events that were stored before count once"), "{shifted:?}");
    // Seconds are told as what they are.
    let seconds = bench.import("b.csv", rows("1709251200"), &[]).expect_code(2);
    assert!(seconds.out.contains("looks like seconds"), "{seconds:?}");
}
