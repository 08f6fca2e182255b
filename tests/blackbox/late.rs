//! Events that come long after they happened, and those that were put aside and tried again: every count has them.

use std::time::{Duration, Instant};

use analytics_blackbox::deployment::Settings;
use analytics_blackbox::tenant::send;
use analytics_blackbox::{Answer, Deployment, Form, Tenant};
use reqwest::Method;
use serde_json::{Value, json};

use crate::corpus::{at, date, event};

every_form! { late_events_are_in_every_count_of_their_day }

/// That rollups, columns and raw rows agree on every day.
async fn account(tenant: &Tenant) -> Answer {
    let answer = tenant.get("/api/integrity?days=40").await.expect_status(200);
    assert_eq!(answer.body["drift"], 0, "{}", answer.text);
    for day in answer.body["received"].as_array().unwrap() {
        let count = |kind: &str| day[kind].as_u64().unwrap();
        let ends = count("stored") + count("duplicate") + count("expired") + count("dead_lettered");
        assert_eq!(count("accepted"), ends, "{}", answer.text);
    }
    answer
}

/// Events by day, from the counts of days, from columns or raw rows, and from raw rows alone.
async fn by_day(tenant: &Tenant, days: i64) -> [Vec<Value>; 3] {
    let ask = async |more: Value| {
        let mut question = json!({
            "metrics": ["events"], "dimensions": ["time:day"], "date_range": [date(days), date(0)],
        });
        question.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = tenant.query(&question).await.expect_status(200);
        answer.metrics().iter().map(|row| row[0].clone()).collect::<Vec<_>>()
    };
    [
        ask(json!({})).await,
        ask(json!({ "metrics": ["events", "sessions"] })).await,
        ask(json!({ "filters": [["exists", "session_id"]] })).await,
    ]
}

async fn late_events_are_in_every_count_of_their_day(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let of = |day: i64, count: usize, kind: &str| {
        (0..count).map(|n| event(&format!("s{n}"), kind, kind, &at(day, &format!("10:{n:02}:00")))).collect::<Vec<_>>()
    };
    let first = [of(1, 3, "t"), of(5, 2, "t"), of(9, 4, "t")].concat();
    tenant.store(&first).await;
    let counts = |days: &[(usize, u64)]| {
        let mut counts = vec![json!(0); 11];
        days.iter().for_each(|(day, count)| counts[10 - day] = json!(count));
        [counts.clone(), counts.clone(), counts]
    };
    assert_eq!(by_day(&tenant, 10).await, counts(&[(1, 3), (5, 2), (9, 4)]));
    account(&tenant).await;
    // Long enough for columns to have been made of them.
    tokio::time::sleep(Duration::from_secs(3)).await;
    account(&tenant).await;
    let late = [of(5, 1, "t"), of(5, 2, "late"), of(7, 3, "late"), of(9, 1, "late")].concat();
    tenant.collect_all(&late).await;
    tenant.settled((first.len() + late.len()) as u64).await;
    for _ in 0..2 {
        assert_eq!(by_day(&tenant, 10).await, counts(&[(1, 3), (5, 5), (7, 3), (9, 5)]));
        account(&tenant).await;
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
}

/// What a processor puts aside, because the database refuses it, is stored by its replay into the day that it belongs to.
async fn a_replay_leaves_no_drift(form: Form) {
    let deployment = Deployment::start(form, &Settings::default()).unwrap();
    let tenant = deployment.owned_tenant();
    let sql = |text: &str| deployment.parts().database.as_ref().unwrap().psql(text).unwrap();
    sql("ALTER TABLE raw_events ADD CONSTRAINT refuse CHECK (event_action <> 'refused') NOT VALID");
    let events = [
        event("a", "t", "taken", &at(3, "10:00:00")),
        event("a", "t", "refused", &at(3, "10:01:00")),
        event("b", "t", "refused", &at(20, "10:00:00")),
    ];
    tenant.collect_all(&events).await;
    let put_aside = async || {
        let answer = tenant.get_as_admin("/api/dead-letters").await.expect_status(200);
        answer.body["total"].as_u64().unwrap()
    };
    let wait_for = async |total: u64| {
        let begun = Instant::now();
        while put_aside().await != total {
            assert!(begun.elapsed() < Duration::from_secs(60), "{}", deployment.logs());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    wait_for(2).await;
    account(&tenant).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let replay = || {
        let request = tenant.client.request(Method::POST, format!("{}/api/dead-letters/replay", tenant.api));
        let request = request.bearer_auth(&tenant.admin_key).header("content-type", "application/json");
        send(request.body(r#"{"all":true}"#))
    };
    sql("ALTER TABLE raw_events DROP CONSTRAINT refuse");
    assert!(replay().await.status < 300);
    wait_for(0).await;
    tenant.settled(3).await;
    for _ in 0..2 {
        let account = account(&tenant).await;
        let days = account.body["rollups"].as_array().unwrap();
        let raw: Vec<u64> = days.iter().map(|day| day["raw"].as_u64().unwrap()).collect();
        assert_eq!(raw, [1, 2], "{}", account.text);
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
    let counts = by_day(&tenant, 20).await;
    assert!(counts.iter().all(|days| days[0] == 1 && days[17] == 2), "{counts:?}");
}

#[tokio::test]
async fn a_replay_leaves_no_drift_with_timescale() {
    a_replay_leaves_no_drift(Form::FourRoles).await;
}

#[tokio::test]
async fn a_replay_leaves_no_drift_with_plain_postgres() {
    a_replay_leaves_no_drift(Form::FourRolesPlain).await;
}
