//! Filters over a corpus counted by hand.

use analytics_blackbox::Deployment;
use serde_json::json;

use crate::corpus::{at, date, event, shop, with};

every_form! {
    each_filter,
    case_is_ignored_on_request,
    values_compare_as_texts,
    what_a_person_has_done,
    a_value_is_never_a_part_of_the_statement,
}

async fn each_filter(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    tenant.store(&shop()).await;
    let cases = [
        (json!(["is", "event_type", ["commerce"]]), 3),
        (json!(["is", "event_type", ["commerce", "error"]]), 4),
        (json!(["is_not", "event_type", ["commerce"]]), 9),
        (json!(["is", "metadata.path", ["/docs"]]), 3),
        (json!(["is_not", "metadata.path", ["/docs"]]), 9),
        (json!(["contains", "metadata.path", ["/docs"]]), 4),
        (json!(["not_contains", "metadata.path", ["/docs"]]), 8),
        (json!(["starts_with", "metadata.path", ["/d", "/s"]]), 6),
        (json!(["matches", "metadata.path", ["/docs*"]]), 4),
        (json!(["matches", "metadata.path", ["/d?cs"]]), 3),
        (json!(["matches", "metadata.path", ["docs"]]), 0),
        (json!(["gt", "metadata.price", [10]]), 1),
        (json!(["gte", "metadata.price", [10]]), 2),
        (json!(["lt", "metadata.price", [20.5]]), 1),
        (json!(["lte", "metadata.price", [20.5]]), 2),
        (json!(["between", "metadata.price", [10, 20.5]]), 2),
        (json!(["exists", "metadata.price"]), 3),
        (json!(["not_exists", "metadata.price"]), 9),
        (json!(["exists", "user_id"]), 8),
        (json!(["is", "metadata.fatal", ["true"]]), 1),
        (json!(["is", "metadata.price", ["30"]]), 1),
        (json!(["is", "metadata.a.b", ["2"]]), 1),
        (json!(["is", "metadata.\"a.b\"", ["1"]]), 1),
        (json!(["is", "session_id", ["a", "b"]]), 7),
        (json!(["or", [["is", "event_type", ["error"]], ["gt", "metadata.price", [10]]]]), 2),
        (json!(["and", [["is", "event_type", ["navigation"]], ["is", "user_id", ["ann"]]]]), 3),
        (json!(["not", ["is", "event_type", ["navigation"]]]), 4),
        (json!(["not", ["or", [["exists", "user_id"], ["is", "metadata.path", ["/shop"]]]]]), 2),
    ];
    for (filter, count) in cases {
        let question = json!({ "metrics": ["events"], "date_range": [date(3), date(1)], "filters": [filter] });
        let answer = tenant.query(&question).await.expect_status(200);
        assert_eq!(answer.number(), count, "{filter}: {}", answer.text);
    }
    // All of a question's filters hold.
    let both = json!([["is", "event_type", ["navigation"]], ["is", "user_id", ["ann"]]]);
    let question = json!({ "metrics": ["events"], "date_range": [date(3), date(1)], "filters": both });
    assert_eq!(tenant.query(&question).await.expect_status(200).number(), 3);
}

async fn case_is_ignored_on_request(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    tenant.store(&shop()).await;
    for (filter, by_case, ignoring) in
        [("is", 3, 4), ("contains", 4, 5), ("starts_with", 4, 5), ("matches", 3, 4), ("is_not", 9, 8)]
    {
        for (options, count) in [
            (json!({}), by_case),
            (json!({ "case_sensitive": true }), by_case),
            (json!({ "case_sensitive": false }), ignoring),
        ] {
            let filter = json!([filter, "metadata.path", ["/docs"], options]);
            let question = json!({ "metrics": ["events"], "date_range": "7d", "filters": [filter] });
            let answer = tenant.query(&question).await.expect_status(200);
            assert_eq!(answer.number(), count, "{filter}");
        }
    }
}

async fn values_compare_as_texts(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let value = |value| with(event("s", "t", "a", &at(1, "10:00:00")), json!({ "v": value }));
    let values = [
        json!(10),
        json!(10.5),
        json!("10"),
        json!(true),
        json!("true"),
        json!(null),
        json!({ "x": 1 }),
        json!([10]),
        json!(""),
    ];
    tenant.store(&values.into_iter().map(value).collect::<Vec<_>>()).await;
    let cases = [
        (json!(["is", "metadata.v", ["10"]]), 2),
        (json!(["is", "metadata.v", ["10.5"]]), 1),
        (json!(["is", "metadata.v", ["true"]]), 2),
        (json!(["is", "metadata.v", [""]]), 1),
        (json!(["gte", "metadata.v", [10]]), 2),
        (json!(["contains", "metadata.v", ["1"]]), 3),
    ];
    for (filter, count) in cases {
        let question = json!({ "metrics": ["events"], "date_range": "7d", "filters": [filter] });
        assert_eq!(tenant.query(&question).await.expect_status(200).number(), count, "{filter}");
    }
}

async fn what_a_person_has_done(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    tenant.store(&shop()).await;
    let bought = json!(["has_done", [["is", "event_type", ["commerce"]]]]);
    let not_bought = json!(["has_not_done", [["is", "event_type", ["commerce"]]]]);
    let views = json!(["is", "event_type", ["navigation"]]);
    let cases = [
        // ann and bob have bought; two of bob's views are from before his session knew him.
        (json!([bought]), json!([date(3), date(1)]), 9),
        (json!([bought, views]), json!([date(3), date(1)]), 6),
        (json!([not_bought]), json!([date(3), date(1)]), 3),
        (json!([["not", bought]]), json!([date(3), date(1)]), 3),
        // Only what lies in the range counts: on the first day bob has bought nothing yet.
        (json!([bought]), json!([date(3), date(3)]), 3),
        (json!([["or", [not_bought, ["gt", "metadata.price", [5]]]]]), json!([date(3), date(3)]), 3),
        // One event has to pass all of them.
        (json!([["has_done", [views, ["exists", "metadata.price"]]]]), json!([date(3), date(1)]), 0),
        (
            json!([["has_done", [["or", [["is", "metadata.path", ["/Docs"]], ["exists", "metadata.fatal"]]]]]]),
            json!([date(3), date(1)]),
            5,
        ),
    ];
    for (filters, range, count) in cases {
        let question = json!({ "metrics": ["events"], "date_range": range, "filters": filters });
        let answer = tenant.query(&question).await.expect_status(200);
        assert_eq!(answer.number(), count, "{filters} {range}: {}", answer.text);
    }
    // Each range is asked about its own deeds.
    let question = json!({
        "metrics": ["events"], "date_range": [date(2), date(2)], "filters": [bought], "compare": "previous_period",
    });
    let answer = tenant.query(&question).await.expect_status(200);
    assert_eq!((answer.number(), &answer.body["results"][0]["comparison"]), (json!(2), &json!([3])), "{}", answer.text);
    // In lists too.
    let listed = tenant.get(&format!("/api/events?filter={not_bought}")).await.expect_status(200);
    assert_eq!(listed.body["results"].as_array().map(Vec::len), Some(3), "{}", listed.text);
    let within = json!(["has_done", [["not", bought]]]);
    let question = json!({ "metrics": ["events"], "filters": [within] });
    let answer = tenant.query(&question).await.expect_problem(400, "invalid_query");
    assert_eq!(answer.body["path"], "filters[0][1][0][1]", "{}", answer.text);
}

async fn a_value_is_never_a_part_of_the_statement(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let hostile = [
        "'; DROP TABLE raw_events; --",
        "\" OR 1=1 --",
        "%",
        "_",
        "\\",
        "$1",
        "?",
        "*",
        "a'b",
        "{{x}}",
        "\u{202e}",
        "' || (SELECT 1) || '",
    ];
    let one = |text: &str| with(event("s", text, text, &at(1, "10:00:00")), json!({ "v": text, text: 1 }));
    tenant.store(&hostile.map(one)).await;
    for text in hostile {
        for filter in [
            json!(["is", "event_type", [text]]),
            json!(["is", "metadata.v", [text]]),
            json!(["contains", "metadata.v", [text], { "case_sensitive": false }]),
            json!(["starts_with", "event_action", [text]]),
            json!(["exists", format!("metadata.\"{}\"", text.replace('"', "\"\""))]),
        ] {
            let question = json!({ "metrics": ["events", "sessions"], "date_range": "7d", "filters": [filter] });
            let answer = tenant.query(&question).await;
            // A name that the language cannot say is refused; a value never is.
            let refused_name = filter[0] == "exists" && answer.status == 400;
            assert!(answer.status == 200 || refused_name, "{filter}: {}", answer.text);
            let contains = hostile.iter().filter(|other| other.contains(text)).count();
            if answer.status == 200 && (filter[0] == "contains" || filter[0] == "starts_with") {
                let found = answer.number().as_u64().unwrap() as usize;
                assert!(found >= 1 && found <= contains, "{filter}: {}", answer.text);
            } else if answer.status == 200 {
                assert_eq!(answer.number(), 1, "{filter}: {}", answer.text);
            }
        }
    }
    tenant.settled(hostile.len() as u64).await;
}
