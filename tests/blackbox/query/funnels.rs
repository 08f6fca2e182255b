//! Funnels over a corpus counted by hand.

use analytics_blackbox::{Deployment, Tenant};
use serde_json::{Value, json};

use crate::corpus::{at, by, date, event, shop, with};

every_form! {
    steps_are_counted,
    a_breakdown_tells_values_apart,
    equal_times_and_late_names,
    a_bad_funnel_is_told_by_its_path,
    what_a_client_writes_in_a_funnel_is_data,
}

/// From a page to a purchase, with more members.
fn sale(members: Value) -> Value {
    let mut question = json!({
        "steps": [
            { "name": "Looked", "filters": [["is", "event_action", ["page_view"]]] },
            { "name": "Bought", "filters": [["is", "event_action", ["purchase"]]] },
        ],
        "date_range": "7d",
    });
    for (name, value) in members.as_object().into_iter().flatten() {
        question[name] = value.clone();
    }
    question
}

/// The counts of the steps and the median and mean seconds to the second one.
async fn figures(tenant: &Tenant, question: &Value) -> (Vec<u64>, Value, Value) {
    let answer = tenant.ask("/api/funnel", question).await.expect_status(200);
    let steps = answer.body["steps"].as_array().cloned().unwrap_or_default();
    let counts = steps.iter().map(|step| step["count"].as_u64().unwrap_or(u64::MAX)).collect();
    let second = steps.get(1).cloned().unwrap_or_default();
    (counts, second["median_seconds"].clone(), second["average_seconds"].clone())
}

async fn steps_are_counted(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    tenant.store(&shop()).await;
    let cases = [
        // ann 08:00 to 08:05, bob 20:00 to 00:10 of the next day; c never bought.
        (json!({}), vec![3, 2], 7650.0, 7650.0),
        (json!({ "by": "session" }), vec![4, 2], 7650.0, 7650.0),
        // bob's later view is near enough.
        (json!({ "window": "1h" }), vec![3, 2], 1350.0, 1350.0),
        (json!({ "window": "300s" }), vec![3, 1], 300.0, 300.0),
        (json!({ "order": "strict" }), vec![3, 2], 1320.0, 1320.0),
        // Of d, who bought before looking, half an hour.
        (json!({ "order": "any", "by": "session" }), vec![4, 3], 1800.0, 5700.0),
        // The purchase lies behind the range.
        (json!({ "date_range": [date(3), date(3)], "by": "session" }), vec![2, 2], 7650.0, 7650.0),
        // ann's first view is followed by what is excluded; her second one is that itself.
        (json!({ "exclude": [{ "filters": [["is", "metadata.path", ["/docs/start"]]] }] }), vec![3, 2], 7620.0, 7620.0),
        (json!({ "filters": [["is", "user_id", ["ann"]]] }), vec![1, 1], 300.0, 300.0),
    ];
    for (members, counts, median, average) in cases {
        let question = sale(members);
        assert_eq!(figures(&tenant, &question).await, (counts, json!(median), json!(average)), "{question}");
    }
    let nobody = sale(json!({ "date_range": [date(200), date(190)] }));
    assert_eq!(figures(&tenant, &nobody).await, (vec![0, 0], Value::Null, Value::Null));
    let answer = tenant.ask("/api/funnel", &sale(json!({}))).await.expect_status(200);
    let first = json!({ "name": "Looked", "count": 3, "ratio_previous": 1.0, "ratio_first": 1.0, "median_seconds": null, "average_seconds": null });
    assert_eq!(answer.body["steps"][0], first);
    assert_eq!(answer.body["steps"][1]["ratio_previous"], json!(2.0 / 3.0));
    let meta = &answer.body["meta"];
    assert!(["rollup", "raw", "mixed"].contains(&meta["source"].as_str().unwrap()), "{meta}");
    assert_eq!(meta["exact"], true, "{meta}");
    assert_eq!((&answer.body["query"]["window"], &answer.body["query"]["order"]), (&json!("1d"), &json!("ordered")));
}

async fn a_breakdown_tells_values_apart(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    tenant.store(&shop()).await;
    let values = |answer: &Value| -> Vec<(Value, u64, u64)> {
        let one = |row: &Value| {
            let count = |step: usize| row["steps"][step]["count"].as_u64().unwrap_or(u64::MAX);
            (row["value"].clone(), count(0), count(1))
        };
        answer["breakdown"].as_array().unwrap_or_else(|| panic!("{answer}")).iter().map(one).collect()
    };
    let answer = tenant.ask("/api/funnel", &sale(json!({ "breakdown": "metadata.path" }))).await.expect_status(200);
    assert_eq!(values(&answer.body), [(json!("/docs"), 2, 1), (json!("/shop"), 1, 1)]);
    let answer = tenant.ask("/api/funnel", &sale(json!({ "breakdown": "user_id" }))).await.expect_status(200);
    // bob's first view had no name yet.
    assert_eq!(values(&answer.body), [(Value::Null, 2, 1), (json!("ann"), 1, 1)]);

    // More values than are told by themselves.
    let tenant = deployment.tenant();
    let view = |number: usize| {
        let session = format!("s{number}");
        with(
            event(&session, "navigation", "page_view", &at(1, "10:00:00")),
            json!({ "path": format!("/{:02}", number / 2) }),
        )
    };
    tenant.store(&(0..57).map(view).collect::<Vec<_>>()).await;
    let answer = tenant.ask("/api/funnel", &sale(json!({ "breakdown": "metadata.path" }))).await.expect_status(200);
    let rows = values(&answer.body);
    assert_eq!(rows.len(), 26);
    let told: Vec<_> = (0..25).map(|number| (json!(format!("/{number:02}")), 2, 0)).collect();
    assert_eq!((&rows[..25], &rows[25]), (told.as_slice(), &(json!("other"), 7, 0)));
}

async fn equal_times_and_late_names(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let with_id = |mut event: Value, id: &str| {
        event["id"] = json!(format!("00000000-0000-4000-8000-00000000000{id}"));
        event
    };
    let look = |session| event(session, "navigation", "page_view", &at(1, "10:00:00"));
    let buy = |session| event(session, "commerce", "purchase", &at(1, "10:00:00"));
    tenant
        .store(&[
            // The purchase has the lower id.
            with_id(buy("a"), "1"),
            with_id(look("a"), "2"),
            // The same person, known only by a later event of the first session.
            event("b", "navigation", "page_view", &at(1, "10:00:00")),
            by(event("b", "account", "sign_in", &at(1, "10:30:00")), "bea"),
            by(event("c", "commerce", "purchase", &at(1, "11:00:00")), "bea"),
        ])
        .await;
    assert_eq!(figures(&tenant, &sale(json!({}))).await, (vec![2, 2], json!(1800.0), json!(1800.0)));
    assert_eq!(figures(&tenant, &sale(json!({ "by": "session" }))).await, (vec![2, 1], json!(0.0), json!(0.0)));
    assert_eq!(figures(&tenant, &sale(json!({ "order": "strict" }))).await, (vec![2, 0], Value::Null, Value::Null));
}

async fn a_bad_funnel_is_told_by_its_path(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    for (question, path) in [
        (json!({}), "steps"),
        (json!({ "steps": [{}] }), "steps"),
        (json!({ "steps": [{}, {}, { "filters": [["isnt", "event_type", ["a"]]] }] }), "steps[2].filters[0][0]"),
        (json!({ "steps": [{}, { "filters": [["is", "weather", ["a"]]] }] }), "steps[1].filters[0][1]"),
        (sale(json!({ "window": "91d" })), "window"),
        (sale(json!({ "order": "random" })), "order"),
        (sale(json!({ "by": "device" })), "by"),
        (sale(json!({ "exclude": [{ "after": 1 }] })), "exclude[0].after"),
        (sale(json!({ "breakdown": "time:day" })), "breakdown"),
        (sale(json!({ "date_range": "soon" })), "date_range"),
        (sale(json!({ "timezone": "Mars/Olympus" })), "timezone"),
        (sale(json!({ "metrics": ["events"] })), "metrics"),
    ] {
        let answer = tenant.ask("/api/funnel", &question).await.expect_problem(400, "invalid_query");
        assert_eq!(answer.body["path"], path, "{question}: {}", answer.text);
    }
}

async fn what_a_client_writes_in_a_funnel_is_data(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let steps = |text: &str, session: &str| {
        [("10:00:00", "look"), ("10:01:00", "buy")].map(|(time, word)| {
            with(event(session, &format!("{text}{word}"), "a", &at(1, time)), json!({ "v": text, text: text }))
        })
    };
    let events: Vec<Value> =
        super::HOSTILE.iter().enumerate().flat_map(|(n, text)| steps(text, &format!("s{n}"))).collect();
    tenant.store(&events).await;
    for text in super::HOSTILE {
        let key = format!("metadata.{}", json!(text));
        let question = json!({
            "steps": [
                { "name": text, "filters": [["is", "event_type", [format!("{text}look")]]] },
                { "filters": [["is", key, [text]], ["is", "metadata.v", [text]]] },
            ],
            "exclude": [{ "filters": [["is", "event_action", [text]]] }],
            "breakdown": key,
            "filters": [["exists", key]],
            "date_range": "7d",
        });
        let answer = tenant.ask("/api/funnel", &question).await.expect_status(200);
        let counts = |steps: &Value| [steps[0]["count"].clone(), steps[1]["count"].clone()];
        assert_eq!(counts(&answer.body["steps"]), [1, 1], "{question}: {}", answer.text);
        assert_eq!(answer.body["steps"][0]["name"], text);
        assert_eq!(answer.body["breakdown"][0]["value"], text, "{}", answer.text);
        for member in ["window", "order", "by", "breakdown", "date_range", "timezone", "steps", "exclude", text] {
            let question = sale(json!({ member: text }));
            let _ = tenant.ask("/api/funnel", &question).await.expect_problem(400, "invalid_query");
        }
    }
    tenant.settled(2 * super::HOSTILE.len() as u64).await;
}
