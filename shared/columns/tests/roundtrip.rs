//! What goes into columns comes out of them.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};

use analytics_columns::{
    ACTORS, Actors, BlockCount, BlockMaker, EVENT_ACTION, EVENT_TYPE, EventRow, METADATA, NumberSet, Quarter, Segment,
    columns, metadata_column,
};
use analytics_domain::Timestamp;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

#[derive(Debug, Clone)]
struct Made {
    step: i64,
    session: u32,
    user: u32,
    kind: String,
    action: String,
    metadata: String,
}

fn made() -> impl Strategy<Value = Made> {
    let step = prop_oneof![Just(0), Just(1_000), Just(17), 0_i64..5_000_000];
    let metadata = proptest::collection::btree_map(
        prop_oneof!["[a-e]", "\\PC{0,3}", Just("a.b".to_owned()), "k[0-9]{2}"],
        prop_oneof![
            Just(json!(null)),
            Just(json!(1.5)),
            Just(json!("x\"\n")),
            Just(json!({"a": [1, {"b": 2}]})),
            "[xyz]".prop_map(Value::from)
        ],
        0..4,
    );
    let metadata = metadata.prop_map(|members| Value::Object(members.into_iter().collect()).to_string());
    (step, 1_u32..6, 0_u32..3, "[a-c]{1,2}", "\\PC{1,4}", metadata)
        .prop_map(|(step, session, user, kind, action, metadata)| Made { step, session, user, kind, action, metadata })
}

/// Who each session is known by, in these tests.
fn known(session: u32) -> u32 {
    if session.is_multiple_of(2) { session * 10 } else { 0 }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn rows_come_back(made in proptest::collection::vec(made(), 1..120)) {
        let mut time = 1_793_613_600_000_000;
        let rows: Vec<EventRow<'_>> = made.iter().map(|made| {
            time += made.step;
            EventRow {
                timestamp: Timestamp::from_micros(time), session: made.session, user: made.user,
                known: known(made.session), event_type: &made.kind, event_action: &made.action, metadata: &made.metadata,
            }
        }).collect();
        let encoded = columns(&rows);
        let names: BTreeSet<String> = encoded.iter().map(|column| column.name.clone()).collect();
        prop_assert_eq!(names.len(), encoded.len());
        let segment = Segment::new(Quarter::of(rows[0].timestamp), encoded);
        let actors = segment.actors().unwrap();
        prop_assert_eq!(actors.events as usize, rows.len());
        prop_assert!(actors.sessions.is_sorted());
        let actor = segment.actor(&actors).unwrap();
        let times = segment.times(&actors).unwrap();
        let types = segment.texts(&actors, EVENT_TYPE).unwrap().unwrap();
        let actions = segment.texts(&actors, EVENT_ACTION).unwrap().unwrap();
        let mut metadata: Vec<Map<String, Value>> = vec![Map::new(); rows.len()];
        for name in names.iter().filter(|name| name.starts_with(METADATA)) {
            let texts = segment.texts(&actors, name).unwrap().unwrap();
            for (members, code) in metadata.iter_mut().zip(&texts.codes).filter(|(_, code)| **code > 0) {
                let value: Value = serde_json::from_str(texts.values[*code as usize - 1]).unwrap();
                match name.strip_prefix("metadata.") {
                    Some(key) => { members.insert(key.to_owned(), value); }
                    None => members.extend(value.as_object().unwrap().clone()),
                }
            }
        }
        for (index, row) in rows.iter().enumerate() {
            let pair = actor[index] as usize;
            prop_assert_eq!((actors.sessions[pair], actors.users[pair]), (row.session, row.user));
            prop_assert_eq!(actors.known[pair], if row.user == 0 { row.known } else { 0 });
            prop_assert_eq!(times[index], row.timestamp);
            prop_assert_eq!(types.values[types.codes[index] as usize - 1], row.event_type);
            prop_assert_eq!(actions.values[actions.codes[index] as usize - 1], row.event_action);
            prop_assert_eq!(Value::Object(metadata[index].clone()), serde_json::from_str::<Value>(row.metadata).unwrap());
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..60), cut in 0_usize..40) {
        let _ = Actors::decode(&bytes);
        let row = EventRow {
            timestamp: Timestamp::from_micros(5), session: 1, user: 0, known: 0, event_type: "a", event_action: "b",
            metadata: r#"{"k":1}"#,
        };
        let mut maker = BlockMaker::default();
        maker.take(&Segment::new(Quarter(0), columns(&[row, row]))).unwrap();
        for mut column in maker.columns() {
            column.data.truncate(cut);
            column.data.extend_from_slice(&bytes);
            let _ = BlockCount::events_of(&column.data);
            for count in BlockCount::all(&column.data).into_iter().flatten() {
                let mut set = NumberSet::default();
                let _ = (count.add_sessions(&mut set), count.add_users(&mut set), count.strangers(), count.known());
            }
        }
        for mut column in columns(&[row, row]) {
            column.data.truncate(cut);
            column.data.extend_from_slice(&bytes);
            let name = column.name.clone();
            let mut segment = Segment::new(Quarter(0), columns(&[row, row]));
            segment.add(column);
            if let Ok(actors) = segment.actors() {
                let _ = (segment.actor(&actors), segment.times(&actors), segment.texts(&actors, &name));
            }
        }
    }

    #[test]
    fn sets_count_what_is_distinct(numbers in proptest::collection::vec(prop_oneof![0_u32..40_000, 0_u32..400_000_000], 0..3_000)) {
        let mut set = NumberSet::default();
        numbers.iter().for_each(|number| set.insert(*number));
        prop_assert_eq!(set.count(), numbers.iter().collect::<BTreeSet<_>>().len());
    }
}

#[test]
fn a_session_is_known_anew() {
    let row = |session, user| EventRow {
        timestamp: Timestamp::from_micros(5),
        session,
        user,
        known: 0,
        event_type: "a",
        event_action: "b",
        metadata: "{}",
    };
    let encoded = columns(&[row(3, 0), row(1, 0), row(3, 9), row(2, 0)]);
    let bytes: BTreeMap<&str, &[u8]> = encoded.iter().map(|column| (&*column.name, &*column.data)).collect();
    let mut actors = Actors::decode(bytes[ACTORS]).unwrap();
    assert!(actors.know(3, 7));
    assert!(!actors.know(3, 7));
    assert!(!actors.know(4, 7));
    let again = Actors::decode(&actors.encode()).unwrap();
    assert_eq!((again.sessions, again.users, again.known), (vec![1, 2, 3, 3], vec![0, 0, 0, 9], vec![0, 0, 7, 0]));
}

#[test]
fn a_dense_set_is_small() {
    let mut set = NumberSet::default();
    (0..1_000_000).for_each(|number| set.insert(number));
    assert_eq!(set.count(), 1_000_000);
    assert!(set.bytes() < 1_000_000, "{}", set.bytes());
}

#[test]
fn only_the_most_frequent_keys_have_a_column() {
    let metadata: Vec<String> =
        (0..200).map(|n| format!(r#"{{"often":1,"key{n}":2,"{}":3}}"#, "l".repeat(300))).collect();
    let rows: Vec<EventRow<'_>> = metadata
        .iter()
        .map(|metadata| EventRow {
            timestamp: Timestamp::from_micros(5),
            session: 1,
            user: 0,
            known: 0,
            event_type: "a",
            event_action: "b",
            metadata,
        })
        .collect();
    let names: Vec<String> =
        columns(&rows).into_iter().map(|column| column.name).filter(|name| name.starts_with(METADATA)).collect();
    assert_eq!(names.len(), 65);
    assert!(names.contains(&metadata_column("often").unwrap()) && names.contains(&METADATA.to_owned()));
    assert_eq!(metadata_column(&"l".repeat(300)), None);
}
