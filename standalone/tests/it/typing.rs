//! What cells become.

use serde_json::json;

use crate::running::Bench;

#[tokio::test(flavor = "multi_thread")]
async fn plain_decimals_are_summed_however_they_are_written() {
    let bench = Bench::start();
    let rows = ["10.50", "20.00", "1.0", "0.10", "10.55", "-2", "1e3", "007", "+4"];
    let rows: String = rows.iter().map(|price| format!("s,shop,buy,2024-03-01,{price}\n")).collect();
    let ran = bench.import("a.csv", format!("session_id,event_type,event_action,timestamp,price\n{rows}"), &[]);
    assert!(ran.expect_code(0).out.starts_with("9 rows read, 9 events accepted, 0 refused\n"));
    let answer = bench.ask(json!({"metrics": ["sum:metadata.price", "events"]})).await;
    let sum = answer["results"][0]["metrics"][0].as_f64().unwrap();
    assert!((sum - 40.15).abs() < 1e-9, "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_events_own_fields_keep_their_texts() {
    let bench = Bench::start();
    let text = "session_id,event_type,event_action,timestamp\n10.50,true,1.0,2024-03-01\n";
    bench.import("a.csv", text, &[]).expect_code(0);
    let answer =
        bench.ask(json!({"metrics": ["events"], "dimensions": ["session_id", "event_type", "event_action"]})).await;
    assert_eq!(answer["results"][0]["dimensions"], json!(["10.50", "true", "1.0"]));
}
