//! Entries as builds of every envelope version have put them on queues: bytes that are never written anew.
//!
//! A version that is added brings its files, and those before stay. Both versions that there are can still be written, and are
//! compared with what is written now.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use analytics_domain::envelope::{BatchContext, VERSION, count_events};
use analytics_domain::facts::Derived;
use analytics_domain::{Batch, Event, Facts, Project, Timestamp};
use uuid::Uuid;

fn event(number: u128) -> Event<'static> {
    Event {
        id: Uuid::from_u128(number),
        client_id: number.is_multiple_of(2),
        session_id: "s-1".into(),
        user_id: None,
        event_type: "page".into(),
        event_action: "view".into(),
        metadata: "{}".into(),
        timestamp: Timestamp::from_micros(1_793_613_600_000_000),
    }
}

fn batch(events: Vec<Event<'static>>) -> Batch<'static> {
    Batch {
        id: Uuid::from_u128(0x0199_0000_0000_7000_8000_0000_0000_0001),
        project: Project::default(),
        received_at: Timestamp::from_micros(1_793_613_601_500_000),
        refused: Vec::new(),
        context: None,
        events,
    }
}

/// What each file holds, by its name without the version.
fn batches() -> BTreeMap<&'static str, Batch<'static>> {
    let full = Event {
        user_id: Some("ü-\u{1F600}".into()),
        metadata: r#"{"a":{"b":[1,2.5,null,true]},"path":"/preise?x=\"1\""}"#.into(),
        timestamp: Timestamp::from_micros(-1),
        ..event(u128::MAX)
    };
    let with_context = Batch {
        project: Project::new("shop-2_B").unwrap(),
        refused: vec![("invalid_field".into(), 2), ("too_large".into(), 70_000)],
        context: Some(BatchContext { user_agent: Some("curl/8".into()), address: Some("203.0.113.0".into()) }),
        ..batch(vec![full, event(1)])
    };
    let only_refused = Batch { refused: vec![("missing_field".into(), 1)], ..batch(Vec::new()) };
    [
        ("one", batch(vec![event(2)])),
        ("full", with_context),
        ("refused", only_refused),
        ("many", batch((0..300).map(event).collect())),
    ]
    .into()
}

/// What each file of version 2 tells beside its batch.
fn facts(name: &str) -> Facts<'static> {
    let device = |word: &'static str| ("device", word.into());
    let (told, origin, channel, utm) = match name {
        "one" => (vec![device("other")], None, false, false),
        "full" => {
            let bot = ("bot", "crawler: Googlebot".into());
            let told = vec![
                bot,
                ("browser", "Chrome".into()),
                ("country", "PT".into()),
                device("mobile"),
                ("os", "Android".into()),
            ];
            (told, Some("https://shop.example:8443"), true, true)
        }
        "many" => {
            let told = vec![("browser", "Firefox".into()), device("desktop"), ("os", "Linux".into())];
            (told, Some("https://shop.example"), true, false)
        }
        _ => (Vec::new(), None, false, true),
    };
    Facts::new(&told, origin, Derived { channel, utm }).unwrap()
}

/// What an entry of a version and name has beside its batch.
fn facts_of(version: u8, name: &str) -> Option<Facts<'static>> {
    (version > 1).then(|| facts(name))
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/queued")
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

#[test]
fn entries_of_every_version_are_read() {
    let batches = batches();
    let mut seen = BTreeMap::new();
    for file in fs::read_dir(folder()).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let (version, name) = name.split_once('-').expect("VERSION-NAME.hex");
        let version: u8 = version.parse().unwrap();
        let entry = bytes(&fs::read_to_string(&path).unwrap());
        assert_eq!(entry[0], version, "{name}");
        let expected = &batches[name];
        let (batch, facts) = Batch::decode_apart(&entry).unwrap();
        assert_eq!((&batch, facts), (expected, facts_of(version, name)), "{name} of version {version}");
        assert_eq!(count_events(&entry), Some(expected.events.len()), "{name} of version {version}");
        *seen.entry(version).or_insert(0) += 1;
    }
    let all: BTreeMap<u8, usize> = (1..=VERSION).map(|version| (version, batches.len())).collect();
    assert_eq!(seen, all, "each version has each file");
}

#[test]
fn what_is_written_now_is_what_the_files_of_its_version_hold() {
    for version in 1..=VERSION {
        for (name, batch) in batches() {
            let path = folder().join(format!("{version}-{name}.hex"));
            let entry = batch.encode_with(facts_of(version, name).as_ref());
            let hex: String = entry.iter().map(|byte| format!("{byte:02x}")).collect();
            let lines: Vec<&str> = hex.as_bytes().chunks(120).map(|line| std::str::from_utf8(line).unwrap()).collect();
            let kept = fs::read_to_string(&path).unwrap_or_default();
            assert_eq!(kept, lines.join("\n") + "\n", "{} is not what this build writes", path.display());
        }
    }
}

/// What an entry means does not change either, as far as its facts say it in words.
#[test]
fn what_the_facts_of_a_file_add_is_in_the_metadata_of_its_events() {
    let read = |name: &str| {
        let entry = bytes(&fs::read_to_string(folder().join(name)).unwrap());
        Batch::decode(&entry).unwrap().events.into_iter().map(Event::into_owned).collect::<Vec<_>>()
    };
    let full = read("2-full.hex");
    assert_eq!(
        full[0].metadata,
        concat!(
            r#"{"a":{"b":[1,2.5,null,true]},"bot":"crawler: Googlebot","browser":"Chrome","country":"PT","device":"mobile","#,
            r#""os":"Android","path":"/preise?x=\"1\""}"#
        )
    );
    let many = read("2-many.hex");
    assert_eq!(many.len(), 300);
    assert!(many.iter().all(|event| event.metadata == r#"{"browser":"Firefox","device":"desktop","os":"Linux"}"#));
    assert!(read("1-many.hex").iter().all(|event| event.metadata == "{}"));
}
