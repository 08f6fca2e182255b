//! Who came back, over a corpus counted by hand.

use analytics_blackbox::{Answer, Deployment};
use serde_json::{Value, json};

use crate::corpus::{at, by, date, event, shop, with};

every_form! { days_after_a_start, by_session_and_first_ever, a_bad_question_is_told_by_its_path, a_value_is_literal }

/// Cohorts as `days back, size: counts`, those that nobody is in left out.
fn told(answer: &Answer) -> Vec<(i64, u64, Vec<u64>)> {
    let days = |start: &Value| (0..100).find(|days| *start == date(*days)).unwrap();
    let cohorts = answer.body["cohorts"].as_array().unwrap();
    let told = cohorts.iter().map(|cohort| {
        let cells = cohort["cells"].as_array().unwrap();
        assert!(cells.iter().all(|cell| cell["out_of"] == cohort["size"]), "{}", answer.text);
        let counts = cells.iter().map(|cell| cell["count"].as_u64().unwrap()).collect();
        (days(&cohort["start"]), cohort["size"].as_u64().unwrap(), counts)
    });
    told.filter(|(_, size, _)| *size > 0).collect()
}

/// Who looked at a page, and who bought something that day or later.
fn question() -> Value {
    json!({
        "start": { "filters": [["is", "event_action", ["page_view"]]] },
        "return": { "filters": [["is", "event_type", ["commerce"]]] },
        "unit": "day", "periods": 3, "date_range": [date(3), date(1)],
    })
}

async fn days_after_a_start(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    tenant.store(&shop()).await;
    // Three days back ann (who bought that day and two days later) and bob (known since he bought on the day after); two days
    // back the session c.
    let answer = tenant.ask("/api/retention", &question()).await.expect_status(200);
    assert_eq!(told(&answer), [(3, 2, vec![1, 1, 1]), (2, 1, vec![0, 0, 0])], "{}", answer.text);
    assert_eq!(answer.body["cohorts"].as_array().unwrap().len(), 3);
    // Today is not over: the cell of one day after yesterday, and of two days after the day before it.
    let incomplete: Vec<Vec<bool>> = answer.body["cohorts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|cohort| {
            cohort["cells"].as_array().unwrap().iter().map(|cell| cell["incomplete"].as_bool().unwrap()).collect()
        })
        .collect();
    assert_eq!(incomplete, [[false, false, false], [false, false, true], [false, true, true]]);
    let mut or_after = question();
    or_after["mode"] = json!("on_or_after");
    let answer = tenant.ask("/api/retention", &or_after).await.expect_status(200);
    assert_eq!(told(&answer), [(3, 2, vec![2, 2, 1]), (2, 1, vec![0, 0, 0])], "{}", answer.text);
    // The question in its one form is the same question.
    let again = tenant.ask("/api/retention", &answer.body["query"]).await.expect_status(200);
    assert_eq!(again.body["cohorts"], answer.body["cohorts"]);
    // A return past the end of the range counts.
    let mut short = question();
    short["date_range"] = json!([date(3), date(3)]);
    let answer = tenant.ask("/api/retention", &short).await.expect_status(200);
    assert_eq!(told(&answer), [(3, 2, vec![1, 1, 1])], "{}", answer.text);
}

async fn by_session_and_first_ever(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    tenant.store(&shop()).await;
    let mut question = question();
    question["by"] = json!("session");
    // Sessions a and b; c; d, in which the purchase was before the page.
    let answer = tenant.ask("/api/retention", &question).await.expect_status(200);
    assert_eq!(told(&answer), [(3, 2, vec![1, 1, 0]), (2, 1, vec![0; 3]), (1, 1, vec![0; 3])], "{}", answer.text);
    question["by"] = json!("person");
    question["date_range"] = json!([date(1), date(1)]);
    question["periods"] = json!(1);
    let answer = tenant.ask("/api/retention", &question).await.expect_status(200);
    assert_eq!(told(&answer), [(1, 1, vec![0])], "{}", answer.text);
    // Ann's first page was two days before.
    question["first"] = json!("ever");
    let answer = tenant.ask("/api/retention", &question).await.expect_status(200);
    assert_eq!(told(&answer), [], "{}", answer.text);
}

async fn a_bad_question_is_told_by_its_path(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    for (member, value, path) in [
        ("start", json!(null), "start"),
        ("return", json!([]), "return"),
        ("start", json!({ "filters": [["isnt", "event_type", ["a"]]] }), "start.filters[0][0]"),
        ("return", json!({ "filters": [["is", "weather", ["a"]]] }), "return.filters[0][1]"),
        ("return", json!({ "name": "x" }), "return.name"),
        ("unit", json!("hour"), "unit"),
        ("periods", json!(0), "periods"),
        ("periods", json!(367), "periods"),
        ("mode", json!("before"), "mode"),
        ("first", json!("never"), "first"),
        ("by", json!("user"), "by"),
        ("date_range", json!("soon"), "date_range"),
        ("timezone", json!("Mars/Olympus"), "timezone"),
        ("colour", json!("red"), "colour"),
    ] {
        let mut question = question();
        question[member] = value;
        let answer = tenant.ask("/api/retention", &question).await.expect_problem(400, "invalid_query");
        assert_eq!(answer.body["path"], path, "{question}: {}", answer.text);
    }
}

async fn a_value_is_literal(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let hostile = [
        "'; DROP TABLE raw_events; --",
        "\" OR 1=1 --",
        "%",
        "_",
        "\\",
        "$1",
        "?1",
        "' || (SELECT 1) || '",
        "\u{202e}",
    ];
    let one = |text: &&str| by(with(event(text, text, text, &at(1, "10:00:00")), json!({ "v": text })), text);
    tenant.store(&hostile.iter().map(one).collect::<Vec<_>>()).await;
    for text in hostile {
        for filter in
            [json!(["is", "event_type", [text]]), json!(["is", "metadata.v", [text]]), json!(["is", "user_id", [text]])]
        {
            let event = json!({ "filters": [filter] });
            let question = json!({ "start": event, "return": event, "unit": "day", "periods": 1, "date_range": [date(1), date(1)] });
            let answer = tenant.ask("/api/retention", &question).await.expect_status(200);
            assert_eq!(told(&answer), [(1, 1, vec![1])], "{filter}: {}", answer.text);
        }
        // Every word of the question, and every name.
        for member in ["unit", "mode", "first", "by", "date_range", "timezone", "periods", "start", "return", text] {
            let mut question = question();
            question[member] = json!(text);
            let _ = tenant.ask("/api/retention", &question).await.expect_problem(400, "invalid_query");
        }
    }
    tenant.settled(hostile.len() as u64).await;
}
