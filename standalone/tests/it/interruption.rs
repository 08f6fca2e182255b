//! Imports that have to stop: what was read is sent, and nothing before the row that is told is missing.

use std::io::Write;
use std::time::{Duration, Instant};

use analytics_testkit::breaker::{Network, TcpBreaker};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::running::{Bench, command, ended, log, start};

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_read_on_is_sent_up_to_there() {
    let bench = Bench::start();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(log(0..20_000).as_bytes()).unwrap();
    let whole = encoder.finish().unwrap();
    let cut = bench.import("a.csv.gz", &whole[..whole.len() / 2], &[]).expect_code(1);
    let row = cut.continues_at();
    assert!(row > 1_000 && row < 20_000, "{cut:?}");
    assert!(cut.err.contains(&format!("the file cannot be read on after line {}", row + 1)), "{cut:?}");
    assert!(cut.out.starts_with(&format!("{row} rows read, {row} events accepted, 0 refused")), "{cut:?}");
    assert_eq!(bench.count().await, row);
    bench.import("a.csv.gz", &whole, &["--from-row", &row.to_string()]).expect_code(0);
    assert_eq!(bench.count().await, 20_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_goes_away_leaves_no_row_behind_the_one_that_is_told() {
    let bench = Bench::start();
    let breaker = TcpBreaker::start(bench.server.address()).unwrap();
    let url = breaker.through(&bench.server.url(), bench.server.address());
    let arguments = ["import", "-", "--format", "csv", "--batch", "10", "--url", &url];
    let mut child = start(&mut command(bench.folder(), &arguments));
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(log(0..995).as_bytes()).unwrap();
    let begin = Instant::now();
    while bench.count().await < 900 {
        assert!(begin.elapsed() < Duration::from_secs(20));
    }
    breaker.set(Network::Reset);
    let _ = stdin.write_all(log(995..3_000).as_bytes());
    drop(stdin);
    let ran = ended(child).expect_code(1);
    let row = ran.continues_at();
    assert!(ran.err.contains("cannot be reached") && (900..3_000).contains(&row), "{ran:?}");
    assert!(bench.count().await >= row, "{ran:?}");

    breaker.set(Network::Whole);
    bench.import("a.csv", log(0..3_000), &["--from-row", &row.to_string()]).expect_code(0);
    assert_eq!(bench.count().await, 3_000);
}
