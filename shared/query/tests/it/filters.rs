//! Filters on one event in memory.

use std::borrow::Cow;

use analytics_domain::{Event, Timestamp};
use analytics_query::{EventFilters, Filter};
use serde_json::{Value, json};
use uuid::Uuid;

fn event(user: Option<&'static str>) -> Event<'static> {
    Event {
        id: Uuid::nil(),
        client_id: false,
        session_id: "S1".into(),
        user_id: user.map(Cow::Borrowed),
        event_type: "commerce".into(),
        event_action: "Add to [cart]".into(),
        metadata: r#"{"":"empty","a":{"b":"inner"},"a.b":"dotted","flag":true,"list":[1,{"b":2}],"ms":10.5,"n":10,"neg":-1,"none":null,"path":"/docs/Über","q\"":"quoted","text":"10"}"#.into(),
        timestamp: Timestamp::from_micros(0),
    }
}

fn holds(filter: &Value) -> bool {
    EventFilters::parse(&json!([filter]), "filters").unwrap().matches(&event(None))
}

#[test]
fn truth_table() {
    let insensitive = json!({"case_sensitive": false});
    let table = [
        (json!(["is", "event_type", ["commerce"]]), true),
        (json!(["is", "event_type", ["Commerce"]]), false),
        (json!(["is", "event_type", ["Commerce"], insensitive]), true),
        (json!(["is", "session_id", ["x", "S1"]]), true),
        (json!(["is_not", "session_id", ["x", "S1"]]), false),
        (json!(["is", "user_id", ["u"]]), false),
        (json!(["is_not", "user_id", ["u"]]), true),
        (json!(["not", ["is_not", "user_id", ["u"]]]), false),
        (json!(["not", ["is", "user_id", ["u"]]]), true),
        (json!(["exists", "user_id"]), false),
        (json!(["not_exists", "user_id"]), true),
        // Numbers and booleans compare as they are stored.
        (json!(["is", "metadata.n", [10]]), true),
        (json!(["is", "metadata.n", ["10"]]), true),
        (json!(["is", "metadata.n", [10.0]]), true),
        (json!(["is", "metadata.n", ["10.0"]]), false),
        (json!(["is", "metadata.ms", [10.5]]), true),
        (json!(["is", "metadata.flag", [true]]), true),
        (json!(["is", "metadata.text", [10]]), true),
        (json!(["contains", "metadata.ms", ["0."]]), true),
        // Paths.
        (json!(["is", "metadata.a.b", ["inner"]]), true),
        (json!(["is", "metadata.\"a.b\"", ["dotted"]]), true),
        (json!(["is", "metadata.\"\"", ["empty"]]), true),
        (json!(["is", "metadata.\"q\\\"\"", ["quoted"]]), true),
        (json!(["exists", "metadata.list.0"]), false),
        (json!(["exists", "metadata.list.b"]), false),
        (json!(["exists", "metadata.n.b"]), false),
        // Objects and arrays are there and have no text; null is not there.
        (json!(["exists", "metadata.a"]), true),
        (json!(["exists", "metadata.list"]), true),
        (json!(["contains", "metadata.a", [""]]), false),
        (json!(["not_contains", "metadata.list", [""]]), true),
        (json!(["exists", "metadata.none"]), false),
        (json!(["is", "metadata.none", ["null"]]), false),
        (json!(["is_not", "metadata.none", ["null"]]), true),
        (json!(["contains", "metadata.path", [""]]), true),
        // Numbers.
        (json!(["gt", "metadata.n", [9]]), true),
        (json!(["gt", "metadata.n", [10]]), false),
        (json!(["gte", "metadata.n", [10]]), true),
        (json!(["lt", "metadata.neg", [0]]), true),
        (json!(["lte", "metadata.ms", [1, 10.5]]), true),
        (json!(["between", "metadata.n", [10, 10]]), true),
        (json!(["between", "metadata.n", [11, 9]]), false),
        (json!(["gt", "metadata.text", [1]]), false),
        (json!(["not", ["gt", "metadata.text", [1]]]), true),
        (json!(["not", ["lt", "metadata.gone", [1]]]), true),
        // Patterns.
        (json!(["matches", "metadata.path", ["/docs/?ber"]]), true),
        (json!(["matches", "metadata.path", ["/docs"]]), false),
        (json!(["matches", "metadata.path", ["*über"], insensitive]), false),
        (json!(["matches", "metadata.path", ["*ÜBER"], insensitive]), true),
        (json!(["matches", "event_action", ["Add*[cart]"]]), true),
        (json!(["matches", "event_action", ["Add*[a-c]*"]]), false),
        (json!(["starts_with", "event_action", ["add"]]), false),
        (json!(["starts_with", "event_action", ["x", "add"], insensitive]), true),
        (json!(["contains", "event_action", ["%", "to ["]]), true),
        // Joints.
        (json!(["and", [["exists", "metadata.n"], ["exists", "metadata.ms"]]]), true),
        (json!(["and", [["exists", "metadata.n"], ["exists", "metadata.x"]]]), false),
        (json!(["or", [["exists", "metadata.x"], ["exists", "metadata.n"]]]), true),
        (json!(["not", [["exists", "metadata.x"]]]), true),
    ];
    for (filter, expected) in table {
        assert_eq!(holds(&filter), expected, "{filter}");
        let again = Filter::parse(&Filter::parse(&filter, "").unwrap().to_json(), "").unwrap();
        assert_eq!(again, Filter::parse(&filter, "").unwrap(), "{filter}");
    }
    assert!(EventFilters::parse(&json!([["is", "user_id", ["u"]]]), "").unwrap().matches(&event(Some("u"))));
}

#[test]
fn what_a_person_did_is_not_told_by_one_event() {
    for filter in [json!(["has_done", [["exists", "user_id"]]]), json!(["has_not_done", [["exists", "user_id"]]])] {
        let within = json!([["exists", "user_id"], ["or", [["not", filter.clone()]]]]);
        let error = EventFilters::parse(&within, "events.filters").unwrap_err();
        assert_eq!(error.path, "events.filters[1][1][0][1]", "{error}");
        assert!(error.message.contains("cannot be told of one event"), "{error}");
        let again = Filter::parse(&Filter::parse(&filter, "").unwrap().to_json(), "").unwrap();
        assert_eq!(again, Filter::parse(&filter, "").unwrap(), "{filter}");
    }
}
