//! What a client may send, read strictly: an unknown field is an error that names it, never silently skipped.

use std::str::FromStr;

use analytics_domain::Timestamp;
use analytics_messaging::FeedCursor;
use serde_json::{Map, Value};

use crate::refusal::Refusal;

/// Longest id of a subscription, in characters.
pub(crate) const SUBSCRIPTION_ID_MAX: usize = 64;

/// How far ahead of this process's clock a cursor may lie before it is taken for an invention, in milliseconds.
const CURSOR_AHEAD_MILLIS: i64 = 3_600_000;

/// The one message that opens every connection.
pub(crate) const WELCOME: &str = r#"{"type":"welcome"}"#;

/// A message of a client.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ClientMessage {
    /// Begin a subscription.
    Subscribe(Subscribe),
    /// End the subscription of that id.
    Unsubscribe {
        /// The subscription's id.
        id: String,
    },
}

/// The wish for a subscription.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Subscribe {
    /// The client's name for it, in every message about it; 1 to [`SUBSCRIPTION_ID_MAX`] characters.
    pub(crate) id: String,
    /// What is to be shown.
    pub(crate) what: Wish,
    /// The cursor of the last message that the client has seen.
    pub(crate) since: Option<FeedCursor>,
}

/// What a subscription shows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Wish {
    /// The answer to a question, kept up to date.
    Query(Value),
    /// The events that pass these filters, as they are stored.
    Events(Value),
}

/// A refused message and the id that it was about, where it could be read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Refused {
    /// The `id` of the message.
    pub(crate) id: Option<String>,
    /// What is wrong.
    pub(crate) refusal: Refusal,
}

/// Reads one message of a WebSocket client; `now` judges cursors.
pub(crate) fn read_message(text: &str, now: Timestamp) -> Result<ClientMessage, Refused> {
    let fields = read_object(text).map_err(|refusal| Refused { id: None, refusal })?;
    let id = fields.get("id").and_then(Value::as_str).filter(|id| id_is_valid(id)).map(str::to_owned);
    let read = match fields.get("type") {
        Some(Value::String(kind)) if kind == "subscribe" => {
            read_subscribe(fields, None, now).map(ClientMessage::Subscribe)
        }
        Some(Value::String(kind)) if kind == "unsubscribe" => read_unsubscribe(fields),
        Some(_) => Err(Refusal::new("unknown_type", "type must be \"subscribe\" or \"unsubscribe\"").at("type")),
        None => Err(missing("type", "\"subscribe\" or \"unsubscribe\"")),
    };
    read.map_err(|refusal| Refused { id, refusal })
}

/// Reads the `subscribe` parameter of a server-sent stream: one subscription or a list of them, where `type` may be left
/// out and an absent `id` is the place in the list.
pub(crate) fn read_subscriptions(text: &str, most: usize, now: Timestamp) -> Result<Vec<Subscribe>, Refusal> {
    let value: Value = serde_json::from_str(text).map_err(|error| not_json(&error))?;
    let wishes = match value {
        Value::Object(fields) => vec![Value::Object(fields)],
        Value::Array(wishes) => wishes,
        _ => return Err(Refusal::new("invalid_message", "subscribe must be a JSON object or a list of them")),
    };
    if wishes.is_empty() {
        return Err(Refusal::new("invalid_message", "subscribe must hold at least one subscription"));
    }
    if wishes.len() > most {
        return Err(too_many(most));
    }
    let mut subscriptions: Vec<Subscribe> = Vec::with_capacity(wishes.len());
    for (index, wish) in wishes.into_iter().enumerate() {
        let Value::Object(fields) = wish else {
            return Err(
                Refusal::new("invalid_message", "a subscription must be a JSON object").at(format!("[{index}]"))
            );
        };
        if !matches!(fields.get("type"), None | Some(Value::String(_)))
            || fields.get("type").and_then(Value::as_str).is_some_and(|kind| kind != "subscribe")
        {
            return Err(Refusal::new("unknown_type", "type must be \"subscribe\" or left out").at("type"));
        }
        let subscription = read_subscribe(fields, Some(index), now)?;
        if subscriptions.iter().any(|other| other.id == subscription.id) {
            return Err(id_in_use(&subscription.id));
        }
        subscriptions.push(subscription);
    }
    Ok(subscriptions)
}

/// Reads a feed cursor that a client hands back.
pub(crate) fn read_cursor(text: &str, now: Timestamp) -> Result<FeedCursor, Refusal> {
    let refusal = || Refusal::new("invalid_cursor", "since must be a cursor that this server gave").at("since");
    let cursor = FeedCursor::from_str(text).map_err(|_| refusal())?;
    let latest = now.as_millis().saturating_add(CURSOR_AHEAD_MILLIS);
    if i64::try_from(cursor.millis).map_or(true, |millis| millis > latest) {
        return Err(refusal());
    }
    Ok(cursor)
}

/// The refusal of one subscription too many.
pub(crate) fn too_many(most: usize) -> Refusal {
    Refusal::new(
        "too_many_subscriptions",
        format!("a connection holds at most {most} subscriptions; unsubscribe from one first"),
    )
}

/// The refusal of an id that another subscription of the connection has.
pub(crate) fn id_in_use(id: &str) -> Refusal {
    Refusal::new("id_in_use", format!("this connection has a subscription {id:?}; unsubscribe from it first")).at("id")
}

fn read_object(text: &str) -> Result<Map<String, Value>, Refusal> {
    match serde_json::from_str(text).map_err(|error| not_json(&error))? {
        Value::Object(fields) => Ok(fields),
        _ => Err(Refusal::new("invalid_message", "a message must be a JSON object")),
    }
}

fn read_subscribe(mut fields: Map<String, Value>, place: Option<usize>, now: Timestamp) -> Result<Subscribe, Refusal> {
    fields.remove("type");
    let id = match (fields.remove("id"), place) {
        (None, Some(place)) => place.to_string(),
        (id, _) => take_id(id)?,
    };
    let since = match fields.remove("since") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(read_cursor(&text, now)?),
        Some(_) => return Err(Refusal::new("invalid_cursor", "since must be a text").at("since")),
    };
    let wish = match (fields.remove("query"), fields.remove("events")) {
        (Some(query @ Value::Object(_)), None) => Wish::Query(query),
        (Some(_), None) => return Err(Refusal::new("invalid_query", "query must be a JSON object").at("query")),
        (None, Some(events)) => Wish::Events(take_filters(events)?),
        (Some(_), Some(_)) => {
            return Err(Refusal::new("invalid_message", "a subscription has a query or events, not both").at("events"));
        }
        (None, None) => return Err(missing("query", "a query, or events")),
    };
    refuse_rest(&fields, "", "type, id, query, events, since")?;
    Ok(Subscribe { id, what: wish, since })
}

fn take_filters(events: Value) -> Result<Value, Refusal> {
    let Value::Object(mut fields) = events else {
        return Err(Refusal::new("invalid_message", "events must be a JSON object, as {\"filters\":[]}").at("events"));
    };
    let filters = match fields.remove("filters") {
        None | Some(Value::Null) => Value::Array(Vec::new()),
        Some(filters) => filters,
    };
    refuse_rest(&fields, "events.", "filters")?;
    Ok(filters)
}

fn read_unsubscribe(mut fields: Map<String, Value>) -> Result<ClientMessage, Refusal> {
    fields.remove("type");
    let id = take_id(fields.remove("id"))?;
    refuse_rest(&fields, "", "type, id")?;
    Ok(ClientMessage::Unsubscribe { id })
}

fn take_id(id: Option<Value>) -> Result<String, Refusal> {
    match id {
        Some(Value::String(id)) if id_is_valid(&id) => Ok(id),
        Some(_) => {
            Err(Refusal::new("invalid_field", format!("id must be a text of 1 to {SUBSCRIPTION_ID_MAX} characters"))
                .at("id"))
        }
        None => Err(missing("id", "a text that names the subscription")),
    }
}

fn id_is_valid(id: &str) -> bool {
    (1..=SUBSCRIPTION_ID_MAX).contains(&id.chars().count())
}

fn missing(field: &str, what: &str) -> Refusal {
    Refusal::new("missing_field", format!("{field} is missing: {what}")).at(field)
}

fn refuse_rest(fields: &Map<String, Value>, prefix: &str, known: &str) -> Result<(), Refusal> {
    match fields.keys().next() {
        None => Ok(()),
        Some(field) => {
            // A field's name is the client's own text: it goes back shortened, never whole.
            let shown: String = field.chars().take(SUBSCRIPTION_ID_MAX).collect();
            Err(Refusal::new("unknown_field", format!("{prefix}{shown} is not known here; known are {known}"))
                .at(format!("{prefix}{shown}")))
        }
    }
}

fn not_json(error: &serde_json::Error) -> Refusal {
    Refusal::new("invalid_json", format!("the text is no JSON: line {}, column {}", error.line(), error.column()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    #[test]
    fn reads_the_three_messages() {
        let live = read_message(r#"{"type":"subscribe","id":"a","query":{"metrics":["events"]}}"#, NOW).unwrap();
        assert!(matches!(live, ClientMessage::Subscribe(Subscribe { what: Wish::Query(_), since: None, .. })));
        let text = r#"{"type":"subscribe","id":"b","events":{"filters":[["is","event_type",["x"]]]},"since":"17-0-3"}"#;
        let ClientMessage::Subscribe(events) = read_message(text, NOW).unwrap() else { panic!("a subscription") };
        assert_eq!(events.since, Some(FeedCursor { millis: 17, sequence: 0, index: 3 }));
        let end = read_message(r#"{"type":"unsubscribe","id":"b"}"#, NOW).unwrap();
        assert_eq!(end, ClientMessage::Unsubscribe { id: "b".into() });
    }

    #[test]
    fn names_what_is_wrong() {
        let long = "x".repeat(65);
        let long_id = format!(r#"{{"type":"unsubscribe","id":"{long}"}}"#);
        let table: &[(&str, &str, Option<&str>)] = &[
            ("", "invalid_json", None),
            ("{", "invalid_json", None),
            ("[1]", "invalid_message", None),
            ("{}", "missing_field", Some("type")),
            (r#"{"type":"hello"}"#, "unknown_type", Some("type")),
            (r#"{"type":7}"#, "unknown_type", Some("type")),
            (r#"{"type":"subscribe","query":{}}"#, "missing_field", Some("id")),
            (r#"{"type":"subscribe","id":"","query":{}}"#, "invalid_field", Some("id")),
            (&long_id, "invalid_field", Some("id")),
            (r#"{"type":"subscribe","id":"a"}"#, "missing_field", Some("query")),
            (r#"{"type":"subscribe","id":"a","query":[]}"#, "invalid_query", Some("query")),
            (r#"{"type":"subscribe","id":"a","query":{},"events":{}}"#, "invalid_message", Some("events")),
            (r#"{"type":"subscribe","id":"a","events":[]}"#, "invalid_message", Some("events")),
            (r#"{"type":"subscribe","id":"a","events":{"filter":[]}}"#, "unknown_field", Some("events.filter")),
            (r#"{"type":"subscribe","id":"a","events":{},"key":"k"}"#, "unknown_field", Some("key")),
            (r#"{"type":"subscribe","id":"a","events":{},"since":"x"}"#, "invalid_cursor", Some("since")),
            (r#"{"type":"subscribe","id":"a","events":{},"since":3}"#, "invalid_cursor", Some("since")),
            (
                r#"{"type":"subscribe","id":"a","events":{},"since":"18446744073709551615-0-0"}"#,
                "invalid_cursor",
                Some("since"),
            ),
            (r#"{"type":"unsubscribe","id":"a","since":"1-0-0"}"#, "unknown_field", Some("since")),
        ];
        for (text, code, path) in table {
            let refused = read_message(text, NOW).unwrap_err();
            assert_eq!((refused.refusal.code, refused.refusal.path.as_deref()), (*code, *path), "{text}");
        }
        let refused = read_message(r#"{"type":"subscribe","id":"a","events":{},"x":1}"#, NOW).unwrap_err();
        assert_eq!(refused.id.as_deref(), Some("a"));
    }

    #[test]
    fn a_stream_takes_one_or_a_list() {
        let one = read_subscriptions(r#"{"events":{}}"#, 32, NOW).unwrap();
        assert_eq!(one[0].id, "0");
        let two = read_subscriptions(r#"[{"id":"x","events":{}},{"type":"subscribe","query":{}}]"#, 32, NOW).unwrap();
        assert_eq!((two[0].id.as_str(), two[1].id.as_str()), ("x", "1"));
        for (text, code) in [
            ("[]", "invalid_message"),
            ("7", "invalid_message"),
            ("[7]", "invalid_message"),
            (r#"[{"id":"x","events":{}},{"id":"x","events":{}}]"#, "id_in_use"),
            (r#"{"type":"unsubscribe","id":"x"}"#, "unknown_type"),
        ] {
            assert_eq!(read_subscriptions(text, 32, NOW).unwrap_err().code, code, "{text}");
        }
        let many = format!("[{}]", [r#"{"events":{}}"#; 3].join(","));
        assert_eq!(read_subscriptions(&many, 2, NOW).unwrap_err().code, "too_many_subscriptions");
    }
}
