//! Bodies and what becomes of them, case by case.

use std::borrow::Cow;
use std::time::Instant;

use super::*;

/// 2026-11-02T10:00:00Z.
pub(super) const NOW: Timestamp = Timestamp::from_micros(1_793_613_600_000_000);

fn context() -> DecodeContext {
    DecodeContext { received_at: NOW, retention: Retention { days: 90 } }
}

pub(super) fn decoded(body: &[u8]) -> Result<DecodedBody<'_>, BodyError> {
    let mut next = 0;
    decode(body, &context(), &mut || {
        next += 1;
        Uuid::from_u128(next)
    })
}

/// A valid event with these members besides the required ones.
pub(super) fn event(more: &str) -> String {
    format!(r#"{{"session_id":"s","event_type":"t","event_action":"a"{more}}}"#)
}

/// The one rejection of a batch whose two neighbours are accepted: its code and field.
fn verdict(bad: &str) -> (&'static str, Option<String>, String) {
    let good = event("");
    let body = format!("[{good},{bad} ,\n{good}]");
    let decoded = decoded(body.as_bytes()).unwrap_or_else(|error| panic!("{error}: {}", &bad[..bad.len().min(200)]));
    assert_eq!(decoded.events.len(), 2, "{}", &bad[..bad.len().min(200)]);
    let [rejection] = &decoded.rejected[..] else { panic!("{:?}", decoded.rejected) };
    assert_eq!(rejection.index, 1);
    (rejection.code.as_str(), rejection.field.clone().map(Cow::into_owned), rejection.message.clone().into_owned())
}

#[test]
fn accepts_the_three_shapes() {
    let (one, two) = (event(""), event(r#","user_id":"u""#));
    for (body, count) in [
        (one.clone(), 1),
        (format!(" \r\n\t{one} "), 1),
        (format!("\u{feff}{one}"), 1),
        (format!("[{one}]"), 1),
        (format!("[ {one} , {two} ]"), 2),
        (format!(r#"{{"events":[{one},{two}]}}"#), 2),
        (format!(r#"{{ "events" : [ {one} ] , "sent_at" : "2026-11-02T10:00:00+01:00" }}"#), 1),
        (format!(r#"{{"sent_at":null,"events":[{one}]}}"#), 1),
        (format!(r#"{{"sent_at":"1970-01-01T00:00:00Z","ev\u0065nts":[{one},{one},{one}]}}"#), 3),
    ] {
        let decoded = decoded(body.as_bytes()).unwrap_or_else(|error| panic!("{error}: {body}"));
        assert_eq!(decoded.events.len(), count, "{body}");
        assert!(decoded.rejected.is_empty());
    }
}

#[test]
fn takes_the_fields_as_they_are_meant() {
    let body = event(
        r#","id":"0192F0C1-2D3E-7A4B-8C5D-6E7F80910111","user_id":"\u00e9\ud83d\ude00","timestamp":"2026-11-02T11:00:00.123456789+01:00","metadata":{"b":1.0,"a":[]}"#,
    );
    let decoded = decoded(body.as_bytes()).unwrap();
    let event = &decoded.events[0];
    assert_eq!(event.id.to_string(), "0192f0c1-2d3e-7a4b-8c5d-6e7f80910111");
    assert!(event.client_id);
    assert_eq!(event.user_id.as_deref(), Some("é😀"));
    assert_eq!(event.metadata, r#"{"a":[],"b":1}"#);
    assert_eq!(event.timestamp.to_string(), "2026-11-02T10:00:00.123456Z");
}

#[test]
fn borrows_from_the_body() {
    let body = event(r#","metadata":{"a":"x","b":[1,2.5]}"#);
    let decoded = decoded(body.as_bytes()).unwrap();
    let event = &decoded.events[0];
    for text in [&event.session_id, &event.event_type, &event.event_action, &event.metadata] {
        assert!(matches!(text, Cow::Borrowed(_)));
    }
}

#[test]
fn null_is_absent_and_of_two_the_last_counts() {
    let body = event(r#","user_id":null,"id":null,"metadata":null,"timestamp":null"#);
    let decoded_nulls = decoded(body.as_bytes()).unwrap();
    let event_of_nulls = &decoded_nulls.events[0];
    assert_eq!((event_of_nulls.timestamp, event_of_nulls.metadata.as_ref()), (NOW, "{}"));
    assert!(!event_of_nulls.client_id && event_of_nulls.user_id.is_none());

    let body = event(r#","user_id":5,"user_id":"u","metadata":[],"metadata":{"a":1,"a":2},"us\u0065r_id":"v""#);
    let decoded = decoded(body.as_bytes()).unwrap();
    assert_eq!(decoded.events[0].user_id.as_deref(), Some("v"));
    assert_eq!(decoded.events[0].metadata, r#"{"a":2}"#);
}

#[test]
fn reads_unix_milliseconds() {
    for (number, expected) in [
        ("1793613600000", "2026-11-02T10:00:00.000000Z"),
        ("1793613600000.123", "2026-11-02T10:00:00.000123Z"),
        ("1793613599999.9999", "2026-11-02T09:59:59.999999Z"),
        ("1793613600000.5", "2026-11-02T10:00:00.000500Z"),
        ("1.7936136e12", "2026-11-02T10:00:00.000000Z"),
    ] {
        let body = event(&format!(r#","timestamp":{number}"#));
        assert_eq!(decoded(body.as_bytes()).unwrap().events[0].timestamp.to_string(), expected, "{number}");
    }
}

#[test]
fn judges_the_time_at_receipt() {
    let micros = |micros: i64| event(&format!(r#","timestamp":"{}""#, Timestamp::from_micros(micros)));
    let (hour, day) = (3_600_000_000, 86_400_000_000);
    let cutoff = Timestamp::from_utc_day(NOW.utc_day() - 90).as_micros();
    for good in [NOW.as_micros() + hour, cutoff] {
        assert_eq!(decoded(micros(good).as_bytes()).unwrap().events.len(), 1);
    }
    for bad in [NOW.as_micros() + hour + 1, cutoff - 1, cutoff - day] {
        assert_eq!(verdict(&micros(bad)).0, "timestamp_out_of_range");
    }
    for bad in
        ["0", "-1", "-0", "1e300", "-1e300", "9223372036854775807", "123456789012345678901234567890", "1793613600"]
    {
        let (code, field, message) = verdict(&event(&format!(r#","timestamp":{bad}"#)));
        assert_eq!((code, field.as_deref()), ("timestamp_out_of_range", Some("timestamp")), "{bad}");
        assert_eq!(message.contains("looks like seconds"), bad == "1793613600");
    }
    for bad in ["1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"] {
        assert_eq!(verdict(&event(&format!(r#","timestamp":"{bad}""#))).0, "timestamp_out_of_range");
    }
    // Kept for ever is kept since 2000.
    let forever = DecodeContext { received_at: NOW, retention: Retention { days: 0 } };
    for (text, count) in [("2000-01-01T00:00:00Z", 1), ("1999-12-31T23:59:59Z", 0)] {
        let body = event(&format!(r#","timestamp":"{text}""#));
        assert_eq!(decode(body.as_bytes(), &forever, &mut Uuid::nil).unwrap().events.len(), count);
    }
}

#[test]
fn every_verdict_has_its_code_and_its_field() {
    let long = |length: usize| "é".repeat(length);
    let nested = |levels: usize| format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels));
    let deep = "[".repeat(200_000) + &"]".repeat(200_000);
    let whole_event = |session: &str| format!(r#"{{"session_id":{session},"event_type":"t","event_action":"a"}}"#);
    for (bad, code, field) in [
        // What a rule of a field says.
        (r#"{"event_type":"t","event_action":"a"}"#.to_owned(), "missing_field", Some("session_id")),
        (r#"{"session_id":"s","event_action":"a"}"#.to_owned(), "missing_field", Some("event_type")),
        (r#"{"session_id":"s","event_type":"t"}"#.to_owned(), "missing_field", Some("event_action")),
        ("{}".to_owned(), "missing_field", Some("session_id")),
        (whole_event("null"), "missing_field", Some("session_id")),
        (whole_event("5"), "invalid_field", Some("session_id")),
        (whole_event("\"\""), "invalid_field", Some("session_id")),
        (whole_event(&format!("\"{}\"", long(65))), "invalid_field", Some("session_id")),
        (whole_event("true"), "invalid_field", Some("session_id")),
        (whole_event("[1]"), "invalid_field", Some("session_id")),
        (event(&format!(r#","user_id":"{}""#, long(256))), "invalid_field", Some("user_id")),
        (event(r#","user_id":12"#), "invalid_field", Some("user_id")),
        (event(&format!(r#","event_type":"{}""#, long(101))), "invalid_field", Some("event_type")),
        (event(&format!(r#","event_action":"{}""#, long(256))), "invalid_field", Some("event_action")),
        (event(r#","id":"x""#), "invalid_field", Some("id")),
        (event(r#","id":"0192f0c12d3e7a4b8c5d6e7f80910111""#), "invalid_field", Some("id")),
        (event(r#","id":"{0192f0c1-2d3e-7a4b-8c5d-6e7f80910111}""#), "invalid_field", Some("id")),
        (event(r#","id":7"#), "invalid_field", Some("id")),
        (event(r#","metadata":[]"#), "invalid_field", Some("metadata")),
        (event(r#","metadata":"{}""#), "invalid_field", Some("metadata")),
        (event(r#","timestamp":"2026-11-02T10:00:00""#), "invalid_field", Some("timestamp")),
        (event(r#","timestamp":"1793613600000""#), "invalid_field", Some("timestamp")),
        (event(r#","timestamp":"infinity""#), "invalid_field", Some("timestamp")),
        (event(r#","timestamp":{}"#), "invalid_field", Some("timestamp")),
        (event(r#","timestamp":"2030-01-01T00:00:00Z""#), "timestamp_out_of_range", Some("timestamp")),
        (event(r#","colour":"red""#), "unknown_field", Some("colour")),
        (event(r#","Session_id":"red""#), "unknown_field", Some("Session_id")),
        (event(r#","":1"#), "unknown_field", Some("")),
        (event(&format!(r#","metadata":{{"a":"{}"}}"#, "x".repeat(33_000))), "too_large", Some("metadata")),
        (event(&format!(r#","metadata":{}"#, nested(17))), "too_deep", Some("metadata")),
        (event(&format!(r#","metadata":{{"a":{deep}}}"#)), "too_deep", Some("metadata")),
        (event(&format!(r#","user_id":{deep}"#)), "too_deep", Some("user_id")),
        // What PostgreSQL, or JSON itself, cannot take.
        (event(r#","user_id":"a\u0000""#), "bad_text", Some("user_id")),
        (event(r#","metadata":{"a":"\ud800"}"#), "bad_text", Some("metadata")),
        (event(r#","metadata":{"\udc00":1}"#), "bad_text", Some("metadata")),
        (event(r#","metadata":{"a":"\ud800\u0041"}"#), "bad_text", Some("metadata")),
        (event(r#","metadata":{"a":"\x"}"#), "bad_text", Some("metadata")),
        (event(r#","metadata":{"a":"\u00g0"}"#), "bad_text", Some("metadata")),
        (event(",\"metadata\":{\"a\":\"line\nline\"}"), "bad_text", Some("metadata")),
        (event(",\"metadata\":{\"a\":\"\u{0}\"}"), "bad_text", Some("metadata")),
        (event(r#","metadata":{"a":1e400}"#), "bad_number", Some("metadata")),
        (event(r#","metadata":{"a":01}"#), "bad_number", Some("metadata")),
        (event(r#","metadata":{"a":NaN}"#), "bad_number", Some("metadata")),
        (event(r#","metadata":{"a":-}"#), "bad_number", Some("metadata")),
        (event(r#","metadata":{"a":1.}"#), "bad_number", Some("metadata")),
        (event(r#","metadata":{"a":-Infinity}"#), "bad_number", Some("metadata")),
        (event(r#","timestamp":+5"#), "bad_number", Some("timestamp")),
        (event(r#","metadata":{"a":undefined}"#), "invalid_field", Some("metadata")),
        (event(r#","metadata":{"a":1,}"#), "invalid_field", Some("metadata")),
        (event(r#","metadata":{'a':1}"#), "invalid_field", Some("metadata")),
        (event(r#","metadata":{"a" 1}"#), "invalid_field", Some("metadata")),
        (event(r#","metadata":{"a":truex}"#), "invalid_field", Some("metadata")),
        (event(","), "invalid_field", None),
        (event(r#" "user_id":"u""#), "invalid_field", None),
        // What is no object.
        ("1".to_owned(), "invalid_field", None),
        ("null".to_owned(), "invalid_field", None),
        (r#""a}]""#.to_owned(), "invalid_field", None),
        ("undefined".to_owned(), "invalid_field", None),
        (deep.clone(), "invalid_field", None),
    ] {
        let (found, found_field, message) = verdict(&bad);
        let shown = &bad.get(..120).unwrap_or(&bad);
        assert_eq!((found, found_field.as_deref()), (code, field), "{shown}: {message}");
        assert!(message.len() < 400 && message.len() > 10, "{message}");
    }
}

#[test]
fn keeps_lengths_in_characters() {
    for (field, longest) in [("session_id", 64), ("user_id", 255), ("event_type", 100), ("event_action", 255)] {
        for text in ["x", "é", "😀", "\\u00e9", "\\ud83d\\ude00"] {
            let good = event(&format!(r#","{field}":"{}""#, text.repeat(longest)));
            assert_eq!(decoded(good.as_bytes()).unwrap().events.len(), 1, "{good}");
            assert_eq!(verdict(&event(&format!(r#","{field}":"{}""#, text.repeat(longest + 1)))).0, "invalid_field");
        }
    }
}

#[test]
fn what_breaks_the_structure_refuses_the_body() {
    let good = event("");
    for (body, line, column, field) in [
        (String::new(), 1, 1, None),
        (" \n ".to_owned(), 2, 2, None),
        ("hello".to_owned(), 1, 1, None),
        ("12".to_owned(), 1, 1, None),
        (format!("[{good}"), 1, good.len() + 2, None),
        (format!("[{good},]"), 1, good.len() + 3, None),
        (format!("[{good}\n{good}]"), 2, 1, None),
        (format!("[{good}]]"), 1, good.len() + 3, None),
        (format!("{good}{good}"), 1, good.len() + 1, None),
        (good[..good.len() - 1].to_owned(), 1, good.len(), None),
        ("[{\"session_id\":\"é\n".to_owned(), 2, 1, None),
        ("[{\"metadata\":{]]".to_owned(), 1, 15, None),
        ("[,]".to_owned(), 1, 2, None),
        (format!(r#"{{"events":[{good}],"batch":1}}"#), 1, good.len() + 14, Some("batch")),
        (format!(r#"{{"batch":01,"events":[{good}]}}"#), 1, 2, Some("batch")),
        (format!(r#"{{"sent_at":"now","events":[{good}]}}"#), 1, 12, Some("sent_at")),
        (format!(r#"{{"events":[{good}],"sent_at":5}}"#), 1, good.len() + 24, Some("sent_at")),
        (format!(r#"{{"events":[{good}],"events":[]}}"#), 1, good.len() + 14, Some("events")),
        (r#"{"events":{}}"#.to_owned(), 1, 11, Some("events")),
        (r#"{"events":null}"#.to_owned(), 1, 11, Some("events")),
    ] {
        match decoded(body.as_bytes()) {
            Err(BodyError::InvalidJson { line: found_line, column: found_column, field: found, reason }) => {
                assert_eq!((found_line, found_column, found.as_deref()), (line, column, field), "{body}: {reason}");
            }
            other => panic!("{body}: {other:?}"),
        }
    }
}

#[test]
fn what_is_wrong_is_said_as_it_is() {
    let good = event("");
    let Err(error) = decoded(format!("[{good},]").as_bytes()) else { panic!("a comma too many is no JSON") };
    assert!(error.to_string().contains("a value is missing here"), "{error}");
    for (bad, word) in [("foo", "JSON does not know"), ("nope", "JSON does not know"), ("true", "a boolean")] {
        let body = format!("[{bad},{good}]");
        let message = decoded(body.as_bytes()).unwrap().rejected[0].message.clone();
        assert!(message.contains(word), "{message}");
    }
}

#[test]
fn invalid_utf8_refuses_the_body() {
    for bytes in [&[0xFF][..], &[0xC0, 0x80], &[0xED, 0xA0, 0x80], &[0xE2, 0x82]] {
        let body = [event("").as_bytes(), b"\n\"", bytes].concat();
        let refused = decoded(&body);
        assert!(matches!(refused, Err(BodyError::InvalidJson { line: 2, column: 2, .. })), "{refused:?}");
    }
}

#[test]
fn counts_events() {
    for empty in ["[]", " [ ] ", r#"{"events":[]}"#, r#"{"sent_at":null,"events":[]}"#] {
        assert_eq!(decoded(empty.as_bytes()), Err(BodyError::EmptyBatch), "{empty}");
    }
    let full = vec![event(""); EVENTS_MAX];
    assert_eq!(decoded(format!("[{}]", full.join(",")).as_bytes()).unwrap().events.len(), EVENTS_MAX);
    // Refused events count as well.
    let over = format!("[{},1]", full.join(","));
    assert_eq!(decoded(over.as_bytes()), Err(BodyError::TooManyEvents));
    let over = format!(r#"{{"sent_at":null,"events":{over}}}"#);
    assert_eq!(decoded(over.as_bytes()), Err(BodyError::TooManyEvents));
}

#[test]
fn ids_are_asked_for_in_the_bodys_order_and_only_for_accepted_events() {
    let own = event(r#","id":"0192f0c1-2d3e-7a4b-8c5d-6e7f80910111""#);
    let body = format!("[{0},{own},{{}},{0}]", event(""));
    let ids: Vec<u128> = decoded(body.as_bytes()).unwrap().events.iter().map(|event| event.id.as_u128()).collect();
    assert_eq!((ids[0], ids[2]), (1, 2));
}

#[test]
fn is_quick_with_what_is_made_to_be_slow() {
    let cases = [
        "[".repeat(8 << 20),
        format!("[{}]", "[".repeat(4 << 20) + &"]".repeat(4 << 20)),
        event(&format!(r#","metadata":{{{}"z":1}}"#, "\"\":1,".repeat(1_000_000))),
        event(&format!(r#","metadata":{{{}"z":1}}"#, "\"\\u0061\":1,".repeat(500_000))),
        event(&format!(r#","metadata":{{"a":[{}1]}}"#, "1e300,".repeat(1_000_000))),
        event(&format!(r#","metadata":{}{}1{}{}"#, "{\"a\":".repeat(16), " ".repeat(7 << 20), " ", "}".repeat(16))),
        format!("[{}]", vec!["{\"a\":[[[[]]]]}"; 999].join(",")),
        format!("[{}]", vec![format!("{{\"{}\":1}}", "x".repeat(8_000)); 999].join(",")),
    ];
    for (index, body) in cases.iter().enumerate() {
        let start = Instant::now();
        let _ = decoded(body.as_bytes());
        // Without optimisation; what recursed or went over a body once for each of its parts would take minutes.
        assert!(start.elapsed().as_secs() < 20, "case {index} took {:?}", start.elapsed());
    }
}
