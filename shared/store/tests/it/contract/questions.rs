//! What comes back.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use analytics_domain::EventOutcome::Stored;
use analytics_domain::Timestamp;
use analytics_query::{Cell, Dialect, Param, Row, Statement};
use analytics_store::{ProjectState, Reading, StoreError};
use uuid::Uuid;

use super::{Fixture, NOW, RETENTION, SECOND, as_instant, as_text, batch, event, project, text};

pub(crate) async fn every_kind_of_parameter_and_cell(fixture: &Fixture) {
    let postgres = fixture.store.dialect() == Dialect::Postgres;
    let (texts, instants) = if postgres {
        ("(SELECT count(*) FROM unnest($6::text[]))", "(SELECT max(t) FROM unnest($7::timestamptz[]) AS t)")
    } else {
        ("(SELECT count(*) FROM json_each($6))", "(SELECT max(value) FROM json_each($7))")
    };
    let casts = if postgres {
        ["$1::text", "$2::bigint", "$3::float8", "$4::timestamptz", "$5::uuid"]
    } else {
        ["$1", "$2", "$3", "$4", "$5"]
    };
    let id = Uuid::from_u128(12);
    let sql = format!("SELECT {}, {texts}, {instants}, NULL", casts.join(", "));
    let hostile = "'; DROP TABLE raw_events; -- \u{1F600} \\ \"";
    let rows = fixture
        .rows(
            &sql,
            vec![
                text(hostile),
                Param::Int(i64::MIN),
                Param::Float(-0.1),
                Param::Timestamp(NOW),
                Param::Uuid(id),
                Param::Texts(vec!["a".into(), "\"b\"".into(), String::new()]),
                Param::Timestamps(vec![NOW, Timestamp::from_micros(-1)]),
            ],
        )
        .await;
    let row = &rows[0];
    assert_eq!(row[..3], [Cell::Text(hostile.into()), Cell::Int(i64::MIN), Cell::Float(-0.1)]);
    assert_eq!((as_instant(&row[3]), &row[4], &row[5]), (NOW, &Cell::Uuid(id), &Cell::Int(3)));
    assert_eq!((as_instant(&row[6]), &row[7]), (NOW, &Cell::Null));

    if postgres {
        let rows = fixture
            .rows(
                "SELECT 1.5::numeric, (-12345678901234567890.125)::numeric, 0::numeric, 1e-7::numeric, 'nan'::numeric,
                    2::smallint, 3::int, true, '2026-11-02'::date, '{\"b\": [1, 2]}'::jsonb, 1.5::float4, sum(7::bigint)",
                vec![],
            )
            .await;
        assert_eq!(
            rows[0][..4],
            [Cell::Float(1.5), Cell::Float(-12_345_678_901_234_567_890.125), Cell::Float(0.0), Cell::Float(1e-7)]
        );
        assert!(matches!(rows[0][4], Cell::Float(nan) if nan.is_nan()));
        assert_eq!(
            rows[0][5..],
            [
                Cell::Int(2),
                Cell::Int(3),
                Cell::Bool(true),
                Cell::Text("2026-11-02".into()),
                Cell::Text("{\"b\": [1, 2]}".into()),
                Cell::Float(1.5),
                Cell::Float(7.0)
            ]
        );
    }
}

pub(crate) async fn a_slow_question_ends_and_frees_its_connection(fixture: &Fixture) {
    let endless = Statement {
        sql: "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000) SELECT count(*) FROM n"
            .to_owned(),
        params: vec![],
    };
    let begun = Instant::now();
    // More of them than there are connections: those that wait for one are not kept waiting for ever either.
    let slow = |_| fixture.store.select(Reading::Primary, &endless);
    let answers = futures::future::join_all((0..3).map(slow)).await;
    for answer in answers {
        assert!(matches!(answer, Err(StoreError::TooSlow { seconds: 1 })), "{answer:?}");
    }
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    assert_eq!(fixture.count("raw_events").await, 0);

    // Slow questions on every connection do not make the store look ill.
    let busy = futures::future::join_all((0..12).map(slow));
    let health = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        fixture.store.check().await
    };
    let (_, health) = futures::future::join(busy, health).await;
    health.unwrap();

    // A question that nobody waits for any more ends too.
    for _ in 0..8 {
        let _ = tokio::time::timeout(Duration::from_millis(20), fixture.store.select(Reading::Primary, &endless)).await;
    }
    assert_eq!(fixture.count("raw_events").await, 0);
    let error = fixture
        .store
        .select(Reading::Primary, &Statement { sql: "SELECT nothing".to_owned(), params: vec![] })
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }));
}

pub(crate) async fn rows_come_one_by_one_until_no_more_are_wanted(fixture: &Fixture) {
    // More rows than any memory holds.
    let endless = Statement {
        sql: "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000) SELECT i FROM n"
            .to_owned(),
        params: vec![],
    };
    // More often than there are connections.
    for _ in 0..12 {
        let mut found = Vec::new();
        let mut take = |row: Row| {
            found.extend(row);
            if found.len() < 3 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        };
        fixture.store.select_each(Reading::Primary, &endless, &mut take).await.unwrap();
        assert_eq!(found, [Cell::Int(1), Cell::Int(2), Cell::Int(3)]);
    }
    let mut seen = 0_u64;
    let mut count = |_| {
        seen += 1;
        ControlFlow::Continue(())
    };
    let error = fixture.store.select_each(Reading::Primary, &endless, &mut count).await.unwrap_err();
    assert!(matches!(error, StoreError::TooSlow { seconds: 1 }), "{error:?}");
    assert!(seen > 1_000, "{seen}");
    assert_eq!(fixture.count("raw_events").await, 0);
}

pub(crate) async fn metadata_comes_back(fixture: &Fixture) {
    let metadata = [
        r#"{}"#,
        r#"{"a.b":{"c":[1,-2.5,1e300,0.1,null,true,"x"]},"päth":"/döcs/\"quoted\"/\u0001","z":9007199254740993}"#,
        r#"{"emoji":"👩‍🚀","empty":"","nested":{"nested":{"nested":{}}},"slash":"\\/"}"#,
    ];
    let project = project("shop");
    let events = metadata.iter().enumerate().map(|(index, metadata)| {
        let mut event = event(index as u128);
        event.metadata = (*metadata).into();
        event.session_id = "ß".repeat(64).into();
        event.user_id = Some("ü".repeat(255).into());
        event.event_type = "é".repeat(100).into();
        event.event_action = "字".repeat(255).into();
        event
    });
    assert_eq!(fixture.put(&batch(&project, events.collect())).await, [Stored; 3]);
    let rows = fixture
        .rows(
            "SELECT metadata, session_id, user_id, event_type, event_action, timestamp, created_at FROM raw_events \
               ORDER BY id",
            vec![],
        )
        .await;
    for (row, sent) in rows.iter().zip(metadata) {
        assert_eq!(doubles(as_text(&row[0])), doubles(sent));
        assert_eq!(as_text(&row[1]).chars().count(), 64);
        assert_eq!(as_text(&row[2]).chars().count(), 255);
        assert_eq!(as_text(&row[3]).chars().count(), 100);
        assert_eq!(as_text(&row[4]), "字".repeat(255));
        assert_eq!(as_instant(&row[5]), NOW.saturating_add_micros(-10 * SECOND));
        assert_eq!(as_instant(&row[6]), NOW.saturating_add_micros(-SECOND));
    }
}

/// A JSON text whose numbers are doubles, as the collector takes them.
fn doubles(text: &str) -> serde_json::Value {
    fn walk(value: serde_json::Value) -> serde_json::Value {
        match value {
            serde_json::Value::Number(number) => number.as_f64().unwrap().into(),
            serde_json::Value::Array(items) => items.into_iter().map(walk).collect(),
            serde_json::Value::Object(fields) => fields.into_iter().map(|(key, field)| (key, walk(field))).collect(),
            other => other,
        }
    }
    walk(serde_json::from_str(text).unwrap())
}

pub(crate) async fn a_session_is_named_by_its_first_user(fixture: &Fixture) {
    let project = project("shop");
    let named = |id: u128, seconds: i64, user: Option<&'static str>| {
        let mut event = event(id);
        event.timestamp = NOW.saturating_add_micros(-seconds * SECOND);
        event.user_id = user.map(Into::into);
        event
    };
    let user = async || {
        let rows = fixture.rows("SELECT user_id, timestamp, id FROM session_users", vec![]).await;
        assert!(rows.len() <= 1);
        rows.first().map(|row| as_text(&row[0]).to_owned())
    };
    fixture.put(&batch(&project, vec![named(1, 500, None)])).await;
    assert_eq!(user().await, None);
    fixture.put(&batch(&project, vec![named(2, 100, Some("late")), named(3, 200, Some("early"))])).await;
    assert_eq!(user().await.as_deref(), Some("early"));
    fixture.put(&batch(&project, vec![named(4, 150, Some("between"))])).await;
    assert_eq!(user().await.as_deref(), Some("early"));
    // An earlier one that arrives later names the session; of equal times the lower id does.
    fixture.put(&batch(&project, vec![named(6, 300, Some("higher"))])).await;
    fixture.put(&batch(&project, vec![named(5, 300, Some("lower"))])).await;
    assert_eq!(user().await.as_deref(), Some("lower"));
    // A duplicate does not, nor does another project's session of the same name.
    fixture.put(&batch(&project, vec![named(6, 400, Some("duplicate"))])).await;
    assert_eq!(user().await.as_deref(), Some("lower"));
    fixture.put(&batch(&self::project("other"), vec![named(7, 900, Some("other"))])).await;
    assert_eq!(fixture.count("session_users").await, 2);
}

pub(crate) async fn project_state_is_kept(fixture: &Fixture) {
    let project = project("shop");
    let cutoff = RETENTION.cutoff(NOW);
    let empty = ProjectState { has_columns: true, ..ProjectState::default() };
    assert_eq!(fixture.store.project_state(&project, cutoff).await.unwrap(), empty);
    let mut early = event(1);
    early.timestamp = NOW.saturating_add_micros(-7_200 * SECOND);
    let sent = batch(&project, vec![event(2), early.clone()]);
    fixture.put(&sent).await;
    let mut older = batch(&project, vec![event(3)]);
    older.received_at = sent.received_at.saturating_add_micros(-60 * SECOND);
    fixture.put(&older).await;
    let state = fixture.store.project_state(&project, cutoff).await.unwrap();
    assert_eq!(
        state,
        ProjectState {
            first_event: Some(early.timestamp),
            newest_receipt: Some(sent.received_at),
            has_columns: true,
            reading: Reading::Primary,
        }
    );
    let state = fixture.store.project_state(&project, early.timestamp.saturating_add_micros(1)).await.unwrap();
    assert_eq!(state.first_event, Some(event(2).timestamp));
}

pub(crate) async fn the_order_of_text_is_bytewise(fixture: &Fixture) {
    let project = project("shop");
    let names = ["b", "B", "a", "_", "é", "Z", "a b", "ab"];
    let events = names.iter().enumerate().map(|(index, name)| {
        let mut event = event(index as u128);
        event.event_action = (*name).into();
        event
    });
    fixture.put(&batch(&project, events.collect())).await;
    let mut expected = names;
    expected.sort_unstable();
    for sql in [
        "SELECT event_action FROM raw_events ORDER BY event_action",
        "SELECT dimension_value FROM daily_metrics WHERE dimension_key = 'event_action' ORDER BY dimension_value",
    ] {
        let rows = fixture.rows(sql, vec![]).await;
        assert_eq!(rows.iter().map(|row| as_text(&row[0])).collect::<Vec<_>>(), expected);
    }
}
