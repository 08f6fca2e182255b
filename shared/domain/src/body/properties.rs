//! Any bodies, held against an oracle that reads them the slow way.

use proptest::prelude::*;
use serde_json::Value;

use super::tests::{NOW, decoded, event};
use super::*;

/// Session, user, type, action, metadata, time and the client's id.
type Slow = (String, Option<String>, String, String, Value, Timestamp, Option<Uuid>);

/// What the rules make of one event, read by a JSON library into a tree and judged plainly. `None`: refused.
fn slowly(text: &str) -> Option<Slow> {
    let Ok(Value::Object(fields)) = serde_json::from_str::<Value>(text) else { return None };
    let known = ["id", "session_id", "user_id", "event_type", "event_action", "metadata", "timestamp"];
    if fields.keys().any(|key| !known.contains(&key.as_str())) || holds_nul(&Value::Object(fields.clone())) {
        return None;
    }
    let get = |name: &str| fields.get(name).filter(|value| !value.is_null());
    let text = |name: &str, longest: usize| match get(name) {
        None => Some(None),
        Some(Value::String(text)) if (1..=longest).contains(&text.chars().count()) => Some(Some(text.clone())),
        Some(_) => None,
    };
    if fields.iter().any(|(_, value)| depth(value) > 16) {
        return None;
    }
    let metadata = match get("metadata") {
        None => Value::Object(serde_json::Map::new()),
        Some(Value::Object(object)) => Value::Object(object.clone()),
        Some(_) => return None,
    };
    let timestamp = match get("timestamp") {
        None => NOW,
        Some(Value::String(text)) => Timestamp::parse_rfc3339(text)?,
        Some(Value::Number(number)) => Timestamp::from_micros((number.as_f64()? * 1_000.0).floor() as i64),
        Some(_) => return None,
    };
    if timestamp < Timestamp::from_utc_day(NOW.utc_day() - 90) || timestamp.micros_since(NOW) > 3_600_000_000 {
        return None;
    }
    let id = match get("id") {
        None => None,
        Some(Value::String(text)) if text.len() == 36 => Some(text.parse().ok()?),
        Some(_) => return None,
    };
    Some((
        text("session_id", 64)??,
        text("user_id", 255)?,
        text("event_type", 100)??,
        text("event_action", 255)??,
        metadata,
        timestamp,
        id,
    ))
}

fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(values) => values.iter().any(holds_nul),
        Value::Object(members) => members.iter().any(|(key, value)| key.contains('\0') || holds_nul(value)),
        _ => false,
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(values) => 1 + values.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// Numbers as doubles, so that trees compare by what is kept. The library may be off by the last bit where it reads.
fn same(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            (a - b).abs() <= b.abs() * 1e-15
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, value)| b.get(key).is_some_and(|other| same(value, other)))
        }
        _ => ours == theirs,
    }
}

fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        "-?(0|[1-9][0-9]{0,10})(\\.[0-9]{1,5})?([eE]-?[0-9])?",
        any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap()),
        "\"[a-z]{0,4}(\\\\[nrt\"/]|\\\\u00[0-9a-f]{2}|é)?\"",
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|values| format!("[{}]", values.join(" ,"))),
            prop::collection::vec(("[a-c]{0,2}", inner), 0..4).prop_map(|members| {
                let members: Vec<_> = members.iter().map(|(key, value)| format!("\"{key}\" :{value}")).collect();
                format!("{{{}}}", members.join(", "))
            }),
        ]
    })
}

fn field() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "\"(session_id|event_type|event_action|user_id)\":\"[a-zé]{1,6}\"",
        2 => json().prop_map(|value| format!("\"metadata\":{{\"k\":{value}}}")),
        1 => json().prop_map(|value| format!("\"metadata\":{value}")),
        1 => (0_i64..200).prop_map(|days| format!("\"timestamp\":{}", NOW.as_millis() - days * 86_400_000)),
        1 => any::<u128>().prop_map(|id| format!("\"id\":\"{}\"", Uuid::from_u128(id))),
        1 => json().prop_map(|value| format!("\"user_id\":{value}")),
        1 => "\"[a-z_]{0,8}\":1",
    ]
}

fn any_event() -> impl Strategy<Value = String> {
    prop::collection::vec(field(), 0..6).prop_map(|fields| {
        let more: String = fields.iter().map(|field| format!(",{field}")).collect();
        event(&more)
    })
}

/// Breaks the inside of a text in small ways.
fn mutate(text: &str, changes: &[(prop::sample::Index, u8)]) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for (index, change) in changes {
        let at = index.index(bytes.len());
        match change % 4 {
            0 => bytes[at] ^= 1 << (change / 4 % 8),
            1 => drop(bytes.remove(at)),
            2 => bytes.insert(at, b"{}[]\",:\\u0e-+.N \n"[usize::from(change / 4) % 17]),
            _ => bytes[at] = b"{}[]\",:\\u0e-+.N \n"[usize::from(change / 4) % 17],
        }
        if bytes.is_empty() {
            break;
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    /// Accepted is exactly what the slow reader accepts, and it means the same.
    #[test]
    fn agrees_with_the_slow_reader(text in any_event()) {
        let decoded = decoded(text.as_bytes()).unwrap();
        match (decoded.events.first(), slowly(&text)) {
            (Some(event), Some((session_id, user_id, event_type, event_action, metadata, timestamp, id))) => {
                prop_assert_eq!(event.session_id.as_ref(), session_id);
                prop_assert_eq!(event.user_id.as_deref(), user_id.as_deref());
                prop_assert_eq!(event.event_type.as_ref(), event_type);
                prop_assert_eq!(event.event_action.as_ref(), event_action);
                prop_assert_eq!(event.timestamp, timestamp);
                prop_assert_eq!(event.client_id.then_some(event.id), id);
                let kept: Value = serde_json::from_str(&event.metadata).unwrap();
                prop_assert!(same(&kept, &metadata), "{} from {}", event.metadata, text);
            }
            (None, None) => prop_assert_eq!(decoded.rejected.len(), 1),
            (event, slow) => prop_assert!(false, "{:?} against {:?} for {}", event, slow, text),
        }
    }

    /// Broken bodies never panic, and where the structure holds, every neighbour of a broken event is accepted.
    #[test]
    fn neighbours_of_a_broken_event_are_unhurt(
        text in any_event(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let broken = mutate(&text, &changes);
        let good = event("");
        let body = [b"[", good.as_bytes(), b",", &broken, b",", good.as_bytes(), b"]"].concat();
        if let Ok(decoded) = decoded(&body) {
            let ends = decoded.events.iter().filter(|event| event.session_id == "s").count() + decoded.rejected.len();
            prop_assert!(ends >= 2, "{}", String::from_utf8_lossy(&body));
            let held = std::str::from_utf8(&broken).ok().and_then(slowly);
            if decoded.rejected.is_empty() && decoded.events.len() == 3 {
                prop_assert!(held.is_some(), "accepted what is no event: {}", String::from_utf8_lossy(&broken));
            }
            let last = decoded.rejected.last().map_or(0, |rejection| rejection.index);
            prop_assert!(last < decoded.events.len() + decoded.rejected.len());
        } else if let Ok(text) = std::str::from_utf8(&broken) {
            // What the library can read at all has a structure.
            prop_assert!(serde_json::from_str::<Value>(text).is_err(), "{}", text);
        }
    }

    /// Any bytes get an answer.
    #[test]
    fn never_panics(bytes in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(b"{}[]\",:\\u0e-".to_vec())], 0..60)) {
        let _ = decoded(&bytes);
    }

    /// A member whose value JSON forbids, with its strings and brackets whole, takes only its own event with it.
    #[test]
    fn only_the_broken_event_is_refused(
        rubbish in "([a-z0-9+.'-]{1,5}|\"[a-z}\\]{,]{0,4}(\\\\.)?\"|\\[[a-z,:]{0,4}\\]|\\{[0-9:,]{1,5}\\}){1,4}",
        count in 1_usize..5,
        place in any::<prop::sample::Index>(),
    ) {
        let mut events = vec![event(""); count];
        let place = place.index(count);
        events.insert(place, event(&format!(r#","metadata":{{"k":{rubbish}}}"#)));
        let body = format!(r#"{{"events":[{}]}}"#, events.join(","));
        let decoded = decoded(body.as_bytes()).unwrap();
        prop_assert_eq!(decoded.events.len() + decoded.rejected.len(), count + 1);
        prop_assert!(decoded.events.len() >= count);
        if let Some(rejection) = decoded.rejected.first() {
            prop_assert_eq!(rejection.index, place);
        }
    }
}
