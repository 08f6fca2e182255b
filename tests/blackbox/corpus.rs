//! A small corpus whose answers can be counted by hand.

use analytics_domain::Timestamp;
use serde_json::{Value, json};

/// The present, as the machine has it.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_jiff(jiff::Timestamp::now())
}

/// An instant on a day before today (UTC): `days` back, at `time` (`10:00:00`).
pub(crate) fn at(days: i64, time: &str) -> String {
    format!("{}T{time}Z", date(days))
}

/// A UTC date `days` before today.
pub(crate) fn date(days: i64) -> String {
    let day = Timestamp::from_utc_day(now().utc_day() - days);
    day.to_string()[..10].to_owned()
}

/// An event with what it needs at least.
pub(crate) fn event(session: &str, kind: &str, action: &str, timestamp: &str) -> Value {
    json!({ "session_id": session, "event_type": kind, "event_action": action, "timestamp": timestamp })
}

/// The event with a user.
pub(crate) fn by(mut event: Value, user: &str) -> Value {
    event["user_id"] = user.into();
    event
}

/// The event with metadata.
pub(crate) fn with(mut event: Value, metadata: Value) -> Value {
    event["metadata"] = metadata;
    event
}

/// Twelve events of three days, five sessions and three named users.
///
/// | day back | events | sessions | users |
/// |---|---|---|---|
/// | 3 | 5 | a, b | ann (a), b without |
/// | 2 | 4 | b, c | bob (in b from its second event on), c without |
/// | 1 | 3 | d, e | ann (d), cyd (e) |
pub(crate) fn shop() -> Vec<Value> {
    let view = |session, time: &str, path: &str| {
        with(event(session, "navigation", "page_view", time), json!({ "path": path, "ms": 100 }))
    };
    let buy = |session, time: &str, price: Value| {
        with(event(session, "commerce", "purchase", time), json!({ "path": "/cart", "price": price }))
    };
    vec![
        by(view("a", &at(3, "08:00:00"), "/docs"), "ann"),
        by(view("a", &at(3, "08:01:00"), "/docs/start"), "ann"),
        by(buy("a", &at(3, "08:05:00"), json!(10)), "ann"),
        view("b", &at(3, "20:00:00"), "/shop"),
        view("b", &at(3, "23:30:00"), "/shop"),
        by(buy("b", &at(2, "00:10:00"), json!(20.5)), "bob"),
        by(view("b", &at(2, "00:20:00"), "/Docs"), "bob"),
        view("c", &at(2, "12:00:00"), "/docs"),
        event("c", "navigation", "page_view", &at(2, "12:01:00")),
        by(buy("d", &at(1, "09:00:00"), json!("30")), "ann"),
        by(view("d", &at(1, "09:30:00"), "/docs"), "ann"),
        by(
            with(event("e", "error", "crash", &at(1, "22:45:00")), json!({ "fatal": true, "a.b": 1, "a": { "b": 2 } })),
            "cyd",
        ),
    ]
}
