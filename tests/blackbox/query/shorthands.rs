//! The `GET` forms: the same planner under other names.

use analytics_blackbox::Deployment;
use serde_json::json;

use crate::corpus::shop;

every_form! { trends_and_breakdown_are_the_same_questions, shorthands_refuse_by_parameter }

async fn trends_and_breakdown_are_the_same_questions(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    tenant.store(&shop()).await;
    let pairs = [
        (
            "/api/trends?metric=events&interval=day&range=7d&tz=Europe/Berlin",
            json!({ "metrics": ["events"], "dimensions": ["time:day"], "date_range": "7d", "timezone": "Europe/Berlin" }),
        ),
        (
            "/api/trends?metric=sessions&interval=hour&range=30d&event_type=commerce&filter=%5B%22gt%22,%22metadata.price%22,%5B10%5D%5D",
            json!({
                "metrics": ["sessions"], "dimensions": ["time:hour"], "date_range": "30d",
                "filters": [["gt", "metadata.price", [10]], ["is", "event_type", ["commerce"]]],
            }),
        ),
        ("/api/trends", json!({ "metrics": ["events"], "dimensions": ["time:day"], "date_range": "7d" })),
        (
            "/api/breakdown?dimension=metadata.path&metric=events&range=7d&limit=2",
            json!({ "metrics": ["events"], "dimensions": ["metadata.path"], "date_range": "7d", "limit": 2 }),
        ),
        (
            "/api/breakdown?dimension=event_type&range=7d",
            json!({ "metrics": ["events"], "dimensions": ["event_type"], "date_range": "7d" }),
        ),
    ];
    for (path, question) in pairs {
        let (short, long) =
            (tenant.get(path).await.expect_status(200), tenant.query(&question).await.expect_status(200));
        for part in ["results", "columns"] {
            assert_eq!(short.body[part], long.body[part], "{path}");
        }
        let same = analytics_blackbox::mask::differences(&short.body["query"], &long.body["query"]);
        assert!(same.is_empty(), "{path}: {same:#?}");
    }
}

async fn shorthands_refuse_by_parameter(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    for (path, parameter) in [
        ("/api/trends?interval=fortnight", "interval"),
        ("/api/trends?metric=applause", "metric"),
        ("/api/trends?range=soon", "range"),
        ("/api/trends?tz=Mars/Olympus", "tz"),
        ("/api/trends?filter=nonsense", "filter"),
        ("/api/trends?colour=red", "colour"),
        ("/api/breakdown?dimension=weather", "dimension"),
        ("/api/breakdown?dimension=event_type&limit=0", "limit"),
        ("/api/events?limit=10001", "limit"),
    ] {
        let answer = tenant.get(path).await.expect_problem(400, "invalid_query");
        let place = answer.body["path"].as_str().unwrap_or_default();
        assert!(place.starts_with(parameter), "{path}: {}", answer.text);
    }
}
