//! Which rows count again, and which do not.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::running::{Bench, command, log, run};

fn packed(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_counts_once_again_packed_piped_or_grown() {
    let bench = Bench::start();
    let day = log(0..1_200);
    bench.import("a.csv", &day, &[]).expect_code(0);
    assert_eq!(bench.count().await, 1_200);
    bench.import("a.csv", &day, &[]).expect_code(0);
    bench.import("b.csv.gz", packed(&day), &["--batch", "77"]).expect_code(0);
    bench.import("c.csv", day.replace('\n', "\r\n\n"), &[]).expect_code(0);
    let url = bench.server.url();
    let piped = command(bench.folder(), &["import", "-", "--format", "csv", "--url", &url]);
    run(piped, day.as_bytes()).expect_code(0);
    assert_eq!(bench.count().await, 1_200);
    bench.import("a.csv", day + &log(1_200..1_500), &[]).expect_code(0);
    assert_eq!(bench.count().await, 1_500);
    bench.import("a.csv", log(0..1_500), &["--from-row", "1490"]).expect_code(0);
    assert_eq!(bench.count().await, 1_500);
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_rows_count_each_in_one_file_and_over_files() {
    let bench = Bench::start();
    let row = r#"{"session_id":"s","event_type":"t","event_action":"a","timestamp":"2024-03-01T00:00:00Z"}"#;
    let spaced = row.replace(':', ": ").replace("00: 00: 00", "00:00:00");
    bench.import("a.ndjson", format!("{row}\n{row}\n{row}"), &[]).expect_code(0);
    assert_eq!(bench.count().await, 3);
    // Written otherwise, the objects are the same.
    bench.import("a.ndjson", format!("{spaced}\n\n{spaced}\n{row}\n"), &[]).expect_code(0);
    assert_eq!(bench.count().await, 3);
    let other = row.replace(r#""a""#, r#""b""#);
    bench.import("b.ndjson", format!("{other}\n{row}\n"), &[]).expect_code(0);
    assert_eq!(bench.count().await, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shifted_import_counts_beside_one_that_is_not() {
    let bench = Bench::start();
    bench.import("a.csv", log(0..10), &[]).expect_code(0);
    bench.import("a.csv", log(0..10), &["--shift-to-now"]).expect_code(0);
    assert_eq!(bench.count().await, 20);
    bench.import("a.csv", log(0..10), &["--shift-to-now"]).expect_code(0);
    assert_eq!(bench.count().await, 20);
    let url = bench.server.url();
    let arguments = ["import", "-", "--format", "csv", "--shift-to-now", "--url", &url];
    let piped = run(command(bench.folder(), &arguments), log(0..10).as_bytes()).expect_code(0);
    assert!(piped.out.starts_with("10 rows read, 10 events accepted"), "{piped:?}");
    assert_eq!(bench.count().await, 20);
}
