//! Metrics, dimensions, buckets and ranges over a corpus counted by hand.

use std::time::{Duration, Instant};

use analytics_blackbox::{Deployment, Tenant};
use serde_json::{Value, json};

use crate::corpus::{at, by, date, event, shop, with};

every_form! {
    metrics_without_dimensions,
    every_day_has_its_bucket,
    a_zone_moves_events_to_its_days,
    dimensions_and_their_order,
    numbers_of_metadata,
    percentiles,
    formulas,
    persons,
    ranges,
    the_answer_says_what_it_is,
    answers_come_from_columns_soon,
    comparison_with_the_period_before,
    an_answer_is_kept_for_a_moment,
    nothing_stored,
}

async fn stored(deployment: &'static Deployment) -> Tenant {
    let tenant = deployment.tenant();
    tenant.store(&shop()).await;
    tenant
}

/// The three days of the corpus.
fn days() -> Value {
    json!([date(3), date(1)])
}

async fn metrics_without_dimensions(deployment: &'static Deployment) {
    let tenant = stored(deployment).await;
    let metrics = ["events", "sessions", "users", "events_per_session"];
    let answer = tenant.query(&json!({ "metrics": metrics, "date_range": days() })).await.expect_status(200);
    assert_eq!(answer.metrics(), [json!([12, 5, 3, 2.4])], "{}", answer.text);
    assert_eq!(answer.dimensions(), [json!([])]);
}

async fn every_day_has_its_bucket(deployment: &'static Deployment) {
    let tenant = stored(deployment).await;
    let question = json!({
        "metrics": ["events", "sessions", "users", "events_per_session"], "dimensions": ["time:day"],
        "date_range": [date(5), date(1)],
    });
    let answer = tenant.query(&question).await.expect_status(200);
    let starts: Vec<_> = (1..=5).rev().map(|back| json!([format!("{}T00:00:00+00:00", date(back))])).collect();
    let found: Vec<Value> = answer.dimensions();
    let same = found.iter().zip(&starts).all(|(found, start)| {
        // An instant with offset: `Z` and `+00:00` say the same.
        found[0].as_str().unwrap().replace('Z', "+00:00").replace(".000000", "") == start[0].as_str().unwrap()
    });
    assert!(same && found.len() == 5, "{}", answer.text);
    let rows = [
        json!([0, 0, 0, null]),
        json!([0, 0, 0, null]),
        json!([5, 2, 1, 2.5]),
        json!([4, 2, 1, 2]),
        json!([3, 2, 2, 1.5]),
    ];
    for (found, right) in answer.metrics().iter().zip(&rows) {
        let equal =
            found.as_array().unwrap().iter().zip(right.as_array().unwrap()).all(|(a, b)| a.as_f64() == b.as_f64());
        assert!(equal, "{found} against {right}: {}", answer.text);
    }
}

async fn a_zone_moves_events_to_its_days(deployment: &'static Deployment) {
    let tenant = stored(deployment).await;
    let question = |zone: &str| json!({ "metrics": ["events"], "dimensions": ["time:day"], "date_range": [date(3), date(1)], "timezone": zone });
    let counts = |answer: analytics_blackbox::Answer| -> Vec<i64> {
        answer.metrics().iter().map(|row| row[0].as_i64().unwrap()).collect()
    };
    assert_eq!(counts(tenant.query(&question("UTC")).await.expect_status(200)), [5, 4, 3]);
    // +05:45: what lies after 18:15 UTC belongs to the next day.
    let answer = tenant.query(&question("Asia/Kathmandu")).await.expect_status(200);
    assert!(answer.dimensions()[0][0].as_str().unwrap().ends_with("+05:45"), "{}", answer.text);
    assert_eq!(counts(answer), [3, 6, 2]);
    // -09:30: what lies before 09:30 UTC belongs to the day before.
    assert_eq!(counts(tenant.query(&question("Pacific/Marquesas")).await.expect_status(200)), [4, 3, 2]);
}

async fn dimensions_and_their_order(deployment: &'static Deployment) {
    let tenant = stored(deployment).await;
    let ask = |dimensions: Value, order: Value| {
        let tenant = tenant.clone();
        async move {
            let question =
                json!({ "metrics": ["events"], "dimensions": dimensions, "order_by": order, "date_range": days() });
            let answer = tenant.query(&question).await.expect_status(200);
            answer.dimensions().into_iter().zip(answer.metrics()).map(|(d, m)| json!([d, m[0]])).collect::<Vec<_>>()
        }
    };
    // First metric falling.
    let by_type = ask(json!(["event_type"]), json!([])).await;
    assert_eq!(by_type, [json!([["navigation"], 8]), json!([["commerce"], 3]), json!([["error"], 1])]);
    // Equal counts: bytewise, capitals first, null last.
    let by_path = ask(json!(["metadata.path"]), json!([])).await;
    let right = [
        json!([["/cart"], 3]),
        json!([["/docs"], 3]),
        json!([["/shop"], 2]),
        json!([[null], 2]),
        json!([["/Docs"], 1]),
        json!([["/docs/start"], 1]),
    ];
    assert_eq!(by_path, right);
    let asked = ask(json!(["event_type"]), json!([["event_type", "asc"]])).await;
    assert_eq!(asked, [json!([["commerce"], 3]), json!([["error"], 1]), json!([["navigation"], 8])]);
    let two = ask(json!(["user_id", "event_type"]), json!([["events", "asc"], ["user_id", "asc"]])).await;
    let right = [
        json!([["bob", "commerce"], 1]),
        json!([["bob", "navigation"], 1]),
        json!([["cyd", "error"], 1]),
        json!([["ann", "commerce"], 2]),
        json!([["ann", "navigation"], 3]),
        json!([[null, "navigation"], 4]),
    ];
    assert_eq!(two, right);
}

async fn numbers_of_metadata(deployment: &'static Deployment) {
    let tenant = stored(deployment).await;
    // The price "30" is a text, which number metrics pass over.
    let metrics = ["sum:metadata.price", "avg:metadata.price", "min:metadata.price", "max:metadata.price"];
    let answer = tenant.query(&json!({ "metrics": metrics, "date_range": days() })).await.expect_status(200);
    let numbers: Vec<f64> = answer.metrics()[0].as_array().unwrap().iter().map(|n| n.as_f64().unwrap()).collect();
    assert_eq!(numbers, [30.5, 15.25, 10.0, 20.5], "{}", answer.text);
    let of_none = json!({ "metrics": metrics, "date_range": days(), "filters": [["is", "event_type", ["error"]]] });
    let answer = tenant.query(&of_none).await.expect_status(200);
    let row = &answer.metrics()[0];
    assert!(
        row[0].as_f64() == Some(0.0) && row[1].is_null() && row[2].is_null() && row[3].is_null(),
        "{}",
        answer.text
    );
    // A key with a dot is not a way into an object.
    let nested = json!({ "metrics": ["sum:metadata.a.b", "sum:metadata.\"a.b\""], "date_range": days() });
    let answer = tenant.query(&nested).await.expect_status(200);
    assert_eq!(
        (answer.metrics()[0][0].as_f64(), answer.metrics()[0][1].as_f64()),
        (Some(2.0), Some(1.0)),
        "{}",
        answer.text
    );
}

async fn percentiles(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let took = |kind: &str, ms: Value| with(event("s", kind, "load", &at(1, "10:00:00")), json!({ "ms": ms }));
    let mut events: Vec<Value> = [30, 10, 50, 20, 40].map(|ms| took("page", json!(ms))).to_vec();
    events.extend([took("image", json!(7)), took("image", json!("70")), took("film", json!(null))]);
    tenant.store(&events).await;
    let question = json!({
        "metrics": ["p50:metadata.ms", "p90:metadata.ms", "p1:metadata.ms", "max:metadata.ms"], "dimensions": ["event_type"],
        "date_range": "7d", "order_by": [["p90:metadata.ms", "desc"]],
    });
    let answer = tenant.query(&question).await.expect_status(200);
    // p90 of five numbers has rank 3.6, between 40 and 50; p1 has rank 0.04, between 10 and 20.
    assert_eq!(answer.dimensions(), [json!(["page"]), json!(["image"]), json!(["film"])], "{}", answer.text);
    let rows = [json!([30.0, 46.0, 10.4, 50.0]), json!([7.0, 7.0, 7.0, 7.0]), json!([null, null, null, null])];
    assert_eq!(answer.metrics(), rows, "{}", answer.text);
    let answer = tenant.get("/api/trends?metric=p75:metadata.ms&range=7d&event_type=page").await.expect_status(200);
    let found: Vec<_> = answer.metrics().into_iter().filter(|row| !row[0].is_null()).collect();
    assert_eq!(found, [json!([40.0])], "{}", answer.text);
    for wrong in ["p0:metadata.ms", "p100:metadata.ms", "p99.9:metadata.ms", "p050:metadata.ms", "p50:ms"] {
        let answer = tenant.query(&json!({ "metrics": [wrong] })).await.expect_problem(400, "invalid_query");
        assert_eq!(answer.body["path"], "metrics[0]", "{wrong}: {}", answer.text);
    }
}

async fn formulas(deployment: &'static Deployment) {
    let tenant = stored(deployment).await;
    let question = json!({
        "metrics": ["(events-users)/sessions", "sum:metadata.price / events", "events / (users - users)", "events * 2"],
        "date_range": days(),
    });
    let answer = tenant.query(&question).await.expect_status(200);
    let row = &answer.metrics()[0];
    assert_eq!(*row, json!([1.8, 30.5 / 12.0, null, 24.0]), "{}", answer.text);
    let columns = &answer.body["columns"];
    assert_eq!((&columns[0]["name"], &columns[0]["type"]), (&json!("(events - users) / sessions"), &json!("number")));
    assert_eq!(answer.body["query"]["metrics"][0], "(events - users) / sessions");
    // Ordered by it, and compared with the day before.
    let question = json!({
        "metrics": ["events", "events - sessions"], "dimensions": ["user_id"], "date_range": [date(1), date(1)],
        "order_by": [["events-sessions", "asc"]], "compare": [date(3), date(3)],
    });
    let answer = tenant.query(&question).await.expect_status(200);
    assert_eq!(answer.dimensions(), [json!(["cyd"]), json!(["ann"])], "{}", answer.text);
    assert_eq!(answer.metrics(), [json!([1, 0.0]), json!([2, 1.0])], "{}", answer.text);
    assert_eq!(answer.body["results"][0]["comparison"], Value::Null, "{}", answer.text);
    assert_eq!(answer.body["results"][1]["comparison"], json!([3, 2.0]), "{}", answer.text);
    for (wrong, at) in
        [("events +", "ends there"), ("events + evnts", "at character 10"), ("(events", "at character 1")]
    {
        let answer = tenant.query(&json!({ "metrics": [wrong] })).await.expect_problem(400, "invalid_query");
        assert!(answer.text.contains(at) && answer.body["path"] == "metrics[0]", "{wrong}: {}", answer.text);
    }
}

async fn persons(deployment: &'static Deployment) {
    let tenant = stored(deployment).await;
    // ann (a, d), bob (b, also before he was named), cyd (e), and the session c, whose user is not known.
    let question = json!({ "metrics": ["visitors"], "date_range": days() });
    assert_eq!(tenant.query(&question).await.expect_status(200).number(), 4);
    // On the first day b has no name yet, and is bob all the same.
    let question = json!({ "metrics": ["visitors", "users"], "date_range": [date(3), date(3)] });
    assert_eq!(tenant.query(&question).await.expect_status(200).metrics(), [json!([2, 1])]);
    // A user who comes later to the session of another does not take it over.
    let late = by(event("b", "navigation", "page_view", &at(1, "20:00:00")), "zoe");
    tenant.collect_all(&[late]).await;
    tenant.settled(13).await;
    let question = json!({ "metrics": ["visitors"], "date_range": days() });
    assert_eq!(tenant.query(&question).await.expect_status(200).number(), 5);
}

async fn ranges(deployment: &'static Deployment) {
    let tenant = stored(deployment).await;
    let cases = [
        (json!([date(3), date(3)]), 5),
        (json!([date(2), date(1)]), 7),
        (json!([at(3, "08:00:00"), at(3, "20:00:00")]), 3),
        (json!([at(3, "08:00:01"), at(3, "20:00:01")]), 3),
        (json!("today"), 0),
        (json!("yesterday"), 3),
        (json!("7d"), 12),
        (json!("30d"), 12),
        (json!("all"), 12),
    ];
    for (range, count) in cases {
        let answer = tenant.query(&json!({ "metrics": ["events"], "date_range": range })).await.expect_status(200);
        assert_eq!(answer.number(), count, "{range}: {}", answer.text);
    }
}

/// Whoever stores events also makes their columns: a while later no raw row is read any more.
async fn answers_come_from_columns_soon(deployment: &'static Deployment) {
    let tenant = stored(deployment).await;
    let question = json!({ "metrics": ["events", "sessions", "visitors"], "date_range": days() });
    let started = Instant::now();
    loop {
        let answer = tenant.ask("/api/query", &question).await.expect_status(200);
        assert_eq!(answer.metrics()[0][0], 12, "{}", answer.text);
        if answer.body["meta"]["source"] == "rollup" {
            return;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "still from raw rows: {}", answer.text);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn the_answer_says_what_it_is(deployment: &'static Deployment) {
    let tenant = stored(deployment).await;
    let question = json!({ "metrics": ["events", "sum:metadata.price"], "dimensions": ["time:day", "event_type"], "date_range": days() });
    let answer = tenant.query(&question).await.expect_status(200);
    let columns = answer.body["columns"].as_array().unwrap();
    let named: Vec<_> =
        columns.iter().map(|column| (column["name"].as_str().unwrap(), column["kind"].as_str().unwrap())).collect();
    let right = [
        ("time:day", "dimension"),
        ("event_type", "dimension"),
        ("events", "metric"),
        ("sum:metadata.price", "metric"),
    ];
    assert_eq!(named, right, "{}", answer.text);
    assert!(columns.iter().all(|column| column["type"].is_string()), "{}", answer.text);
    let meta = &answer.body["meta"];
    assert!(["rollup", "raw", "mixed"].contains(&meta["source"].as_str().unwrap()), "{meta}");
    assert_eq!(meta["exact"], true, "{meta}");
    assert_eq!(meta["total_rows"], answer.metrics().len(), "{meta}");
    assert!(meta["next_cursor"].is_null() && meta["warnings"].is_array() && meta["took_ms"].is_u64(), "{meta}");
    assert!(meta["fresh_as_of"].as_str().unwrap().ends_with('Z'), "{meta}");
    assert!(meta["incomplete_buckets"].is_array(), "{meta}");
    let asked = &answer.body["query"];
    assert_eq!((&asked["timezone"], &asked["limit"]), (&json!("UTC"), &json!(100)), "{asked}");
    assert!(asked["date_range"][0].as_str().unwrap().starts_with(&date(3)), "{asked}");
}

async fn comparison_with_the_period_before(deployment: &'static Deployment) {
    let tenant = stored(deployment).await;
    let question = json!({ "metrics": ["events"], "date_range": [date(1), date(1)], "compare": "previous_period" });
    let answer = tenant.query(&question).await.expect_status(200);
    assert_eq!(
        (&answer.body["results"][0]["metrics"], &answer.body["results"][0]["comparison"]),
        (&json!([3]), &json!([4])),
        "{}",
        answer.text
    );
}

async fn an_answer_is_kept_for_a_moment(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    tenant.store(&[with(event("s", "t", "a", &at(1, "10:00:00")), json!({}))]).await;
    let ask = || {
        let request =
            tenant.api_request(reqwest::Method::POST, "/api/query").header("content-type", "application/json");
        analytics_blackbox::tenant::send(request.body(json!({ "metrics": ["events"], "date_range": "7d" }).to_string()))
    };
    let first = ask().await.expect_status(200);
    let second = ask().await.expect_status(200);
    assert_eq!(second.body["meta"]["cached"], true, "{}", second.text);
    assert_eq!(first.body["results"], second.body["results"]);
    // The tenant's own way of asking sends `no-cache`.
    let anew = tenant.query(&json!({ "metrics": ["events"], "date_range": "7d" })).await.expect_status(200);
    assert_eq!(anew.body["meta"]["cached"], false, "{}", anew.text);
}

async fn nothing_stored(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let answer = tenant
        .query(&json!({ "metrics": ["events", "events_per_session"], "date_range": "7d" }))
        .await
        .expect_status(200);
    assert_eq!(answer.metrics(), [json!([0, null])], "{}", answer.text);
    let answer = tenant.query(&json!({ "metrics": ["events"], "date_range": "all" })).await.expect_status(200);
    assert_eq!(answer.number(), 0);
    let by_type = json!({ "metrics": ["events"], "dimensions": ["event_type"], "date_range": "7d" });
    assert_eq!(tenant.query(&by_type).await.expect_status(200).body["results"], json!([]));
    assert_eq!(tenant.get("/api/events").await.expect_status(200).body["results"], json!([]));
}
