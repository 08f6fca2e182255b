//! What `analytics doctor` tells of disks.

use std::collections::BTreeMap;
use std::path::Path;

use analytics_testkit::postgres::{Edition, database};
use analytics_testkit::role::RoleOptions;

use crate::running::{Bench, Ran, command, run};

const EVENTS_A_DAY: usize = 1_200;

/// Events of the last ten whole days.
fn log() -> String {
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let mut log = "session_id,event_type,event_action,timestamp,path\n".to_owned();
    for ago in (1..=10).rev() {
        let day = today.saturating_sub(jiff::Span::new().days(ago));
        for number in 0..EVENTS_A_DAY {
            let (hour, minute, session) = (number / 50, number % 50, number / 10);
            log +=
                &format!("s{ago}-{session},page,view,{day} {hour:02}:{minute:02}:00,/shop/{number}/{}\n", number * 7);
        }
    }
    log
}

fn doctor(folder: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> Ran {
    let mut doctor = command(folder, &[&["doctor"], arguments].concat());
    doctor.env("RETENTION_DAYS", "30").env("DEDUPE_DAYS", "20").envs(variables.iter().copied());
    run(doctor, b"").expect_code(0)
}

/// The line about `what`.
fn line<'r>(ran: &'r Ran, what: &str) -> &'r str {
    let mut lines = ran.out.lines().filter_map(|line| line.get(7..)?.strip_prefix(what)?.strip_prefix(": "));
    lines.next().unwrap_or_else(|| panic!("{what}: {ran:?}"))
}

/// The number behind words.
fn behind(text: &str, words: &str) -> f64 {
    let (_, after) = text.split_once(words).unwrap_or_else(|| panic!("{words}: {text}"));
    let end = after.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(after.len());
    after[..end].parse().unwrap()
}

/// What is told of ten days of events, where raw rows of `chunk_days` go as a whole, is what their parts come to.
fn is_as_computed(ran: &Ran, chunk_days: f64) {
    let disk = line(ran, "disk");
    assert!(disk.starts_with("12,000 events take "), "{disk}");
    let parts = ["raw row ", "its index ", "columns and counts ", "remembered id "].map(|part| behind(disk, part));
    let [raw, index, columns, id] = parts;
    let all = disk.split("; ").nth(1).and_then(|text| text.split(' ').next()).unwrap().parse::<f64>().unwrap();
    assert!((all - parts.iter().sum::<f64>()).abs() <= 2.5, "{disk}");
    assert!(raw > 80.0 && raw < 400.0 && id > 20.0 && id < 300.0, "{disk}");
    let forecast = line(ran, "disk forecast");
    assert!(forecast.starts_with("1,200 events a day, the mean in the last 7 days, come to "), "{forecast}");
    assert!(forecast.contains("kept for 30 days and ids are remembered for 20 days"), "{forecast}");
    let computed = EVENTS_A_DAY as f64 * ((raw + index) * (30.0 + chunk_days) + columns * 30.0 + id * 30.0) / 1e6;
    let told = behind(forecast, "come to ");
    assert!(
        forecast.contains(" MB where") && (told - computed).abs() < computed * 0.05 + 0.5,
        "{computed}: {forecast}"
    );
}

/// Every file of a folder, with what it holds; of the index of a log, which every reader writes to, only that it is there.
fn content(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap());
    let named = files.map(|file| (file.file_name().into_string().unwrap(), std::fs::read(file.path()).unwrap()));
    named.map(|(name, bytes)| if name.ends_with("-shm") { (name, Vec::new()) } else { (name, bytes) }).collect()
}

#[tokio::test]
async fn a_folder_is_told_while_it_is_held_and_as_it_lies_there() {
    let mut bench = Bench::with(RoleOptions::new().variable("RETENTION_DAYS", "30"));
    let data = bench.server.folder().join("data");
    let path = data.display().to_string();
    let port = bench.server.address().port().to_string();
    let variables = [("DATA_DIR", path.as_str()), ("PORT", port.as_str())];
    let empty = doctor(bench.folder(), &variables, &[]);
    assert!(empty.out.contains("is held by the server") && !empty.out.contains("disk: "), "{empty:?}");
    bench.import("log.csv", log(), &[]).expect_code(0);
    assert_eq!(bench.count().await, 12_000);
    let held = doctor(bench.folder(), &variables, &[]);
    is_as_computed(&held, 0.0);
    assert!(line(&held, "disk space").ends_with(" are free, enough for that"), "{held:?}");
    let full = doctor(bench.folder(), &variables, &["--disk-free", "1MB"]);
    let full = line(&full, "disk space");
    assert!(full.starts_with("1.0 MB are free, which is full in ") && full.contains("make room"), "{full}");

    bench.server.stop(std::time::Duration::from_secs(20)).unwrap();
    let before = content(&data);
    is_as_computed(&doctor(bench.folder(), &variables, &[]), 0.0);
    let after = content(&data);
    let changed: Vec<_> = after.keys().filter(|name| before.get(*name) != after.get(*name)).collect();
    assert!(changed.is_empty() && after.len() == before.len(), "it changed {changed:?}");
    let mut wrong = command(bench.folder(), &["doctor", "--disk-free", "much"]);
    wrong.env("DATA_DIR", &path);
    let wrong = run(wrong, b"").expect_code(2);
    assert!(wrong.err.contains("such as 200GB"), "{wrong:?}");
}

#[tokio::test]
async fn a_database_is_told_and_asks_for_what_is_free() {
    for edition in [Edition::Plain15, Edition::Timescale17] {
        let database = database(edition).unwrap();
        let url = database.url();
        let options = RoleOptions::new().variable("RETENTION_DAYS", "30").variable("DATABASE_URL", &url);
        let bench = Bench::with(options);
        bench.import("log.csv", log(), &[]).expect_code(0);
        assert_eq!(bench.count().await, 12_000);
        let folder = tempfile::tempdir().unwrap();
        let ran = doctor(folder.path(), &[("DATABASE_URL", &url)], &[]);
        is_as_computed(&ran, 7.0);
        assert!(line(&ran, "disk space").contains("--disk-free 200GB"), "{ran:?}");
        let ran = doctor(folder.path(), &[("DATABASE_URL", &url)], &["--disk-free", "1TB"]);
        assert_eq!(line(&ran, "disk space"), "1.0 TB are free, enough for that");
        // How long things are kept is the processor's to say: the api alone does not.
        let variables = [("DATABASE_URL", url.as_str()), ("API_KEYS", "reading-key-of-the-shop")];
        let ran = doctor(folder.path(), &variables, &["--role", "api"]);
        assert!(ran.out.contains("ok     schema") && !ran.out.contains("disk: "), "{ran:?}");
    }
}
