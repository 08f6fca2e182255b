//! What is asked, in the three languages: ours, SQL over the raw tables as one writes it at first, and ClickHouse's.

use serde_json::{Value, json};

/// Which kind of question a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Metrics and dimensions.
    Figures,
    /// A funnel.
    Funnel,
    /// Retention.
    Retention,
    /// Paths.
    Paths,
    /// A page of sessions.
    Sessions,
    /// The events of the session that the body names as `id`.
    Session,
    /// The events of the person that the body names as `id`.
    User,
}

/// A question, its counterparts, and what is wanted of it.
#[derive(Debug)]
pub struct Asked {
    /// What it is called in the table.
    pub what: &'static str,
    /// What the body is.
    pub kind: Kind,
    /// The question.
    pub body: Value,
    /// The same figures by SQL over `raw_events` and `session_users`.
    pub naive: String,
    /// The same figures from ClickHouse's table `events`.
    pub clickhouse: String,
    /// The most milliseconds that 95 of 100 answers may take.
    pub limit: Option<f64>,
    /// Whether it should be no slower than ClickHouse.
    pub races: bool,
}

/// Days in UTC that end with today, which is 2026-11-20; the first is included, the last is not.
const MONTH: [&str; 2] = ["2026-10-22 00:00:00", "2026-11-21 00:00:00"];
const MONTH_BEFORE: [&str; 2] = ["2026-09-22 00:00:00", "2026-10-22 00:00:00"];
const WEEK: [&str; 2] = ["2026-11-14 00:00:00", "2026-11-21 00:00:00"];
/// The month in Kathmandu, told in UTC.
const NEPAL_MONTH: [&str; 2] = ["2026-10-21 18:15:00", "2026-11-20 18:15:00"];

/// Who stands behind an event.
const PERSON: &str = "CASE WHEN coalesce(e.user_id, s.user_id) IS NULL THEN 's' || e.session_id \
     ELSE 'u' || coalesce(e.user_id, s.user_id) END";

/// The events of a range with what is known of their sessions.
fn raw([from, to]: [&str; 2]) -> String {
    format!(
        "FROM raw_events e LEFT JOIN session_users s ON s.project = e.project AND s.session_id = e.session_id \
         WHERE e.project = 'default' AND e.timestamp >= '{from}+00' AND e.timestamp < '{to}+00'"
    )
}

/// The same of ClickHouse's table, which holds each event's person as a column.
fn table([from, to]: [&str; 2]) -> String {
    format!("FROM events WHERE ts >= toDateTime64('{from}', 6, 'UTC') AND ts < toDateTime64('{to}', 6, 'UTC')")
}

/// The questions in the order of the table: those whose names hold one of `words`, all of them where there is none.
pub fn questions(words: &[String]) -> Vec<Asked> {
    let mut questions = all();
    questions.retain(|asked| words.is_empty() || words.iter().any(|word| asked.what.contains(word)));
    questions
}

fn all() -> Vec<Asked> {
    let mut all = vec![overview(), trend("UTC", MONTH), trend("Asia/Kathmandu", NEPAL_MONTH)];
    all.extend(breakdowns());
    all.extend(uniques());
    all.extend([prices(), waits()]);
    all.extend([
        funnel("3-step funnel by person, 7 days", "7d", WEEK),
        funnel("3-step funnel by person, 30 days", "30d", MONTH),
    ]);
    all.extend([retention(), paths(), sessions(), session(), person()]);
    all
}

fn overview() -> Asked {
    let naive =
        |range| format!("SELECT count(*), count(DISTINCT e.session_id), count(DISTINCT {PERSON}) {}", raw(range));
    let clickhouse = |range| format!("SELECT count(), uniqExact(session), uniqExact(person) {}", table(range));
    let both = |one: String, other: String| format!("SELECT * FROM ({one}) AS a CROSS JOIN ({other}) AS b");
    Asked {
        what: "overview: events, sessions, visitors, 30 days, with the 30 before",
        kind: Kind::Figures,
        body: json!({
            "metrics": ["events", "sessions", "visitors"], "date_range": "30d", "compare": "previous_period",
        }),
        naive: both(naive(MONTH), naive(MONTH_BEFORE)),
        clickhouse: both(clickhouse(MONTH), clickhouse(MONTH_BEFORE)),
        limit: Some(30.0),
        races: false,
    }
}

fn trend(zone: &'static str, range: [&str; 2]) -> Asked {
    Asked {
        what: if zone == "UTC" {
            "trend: events, visitors by day, 30 days, UTC"
        } else {
            "trend: events, visitors by day, 30 days, Asia/Kathmandu"
        },
        kind: Kind::Figures,
        body: json!({
            "metrics": ["events", "visitors"], "dimensions": ["time:day"], "date_range": "30d", "timezone": zone,
        }),
        naive: format!(
            "SELECT (e.timestamp AT TIME ZONE '{zone}')::date, count(*), count(DISTINCT {PERSON}) {} GROUP BY 1",
            raw(range)
        ),
        clickhouse: format!(
            "SELECT toDate(ts, '{zone}') AS day, count(), uniqExact(person) {} GROUP BY day",
            table(range)
        ),
        limit: Some(30.0),
        races: false,
    }
}

/// By a rolled-up dimension and by keys of metadata.
fn breakdowns() -> [Asked; 3] {
    let by = |what, dimension, naive: &str, clickhouse: &str, limit, races| Asked {
        what,
        kind: Kind::Figures,
        body: json!({ "metrics": ["events", "sessions"], "dimensions": [dimension], "date_range": "30d" }),
        naive: format!(
            "SELECT {naive}, count(*), count(DISTINCT e.session_id) {} GROUP BY 1 \
             ORDER BY 2 DESC, ({naive}) COLLATE \"C\" LIMIT 100",
            raw(MONTH)
        ),
        clickhouse: format!(
            "SELECT {clickhouse} AS value, count() AS events, uniqExact(session) {} GROUP BY value \
             ORDER BY events DESC, value LIMIT 100",
            table(MONTH)
        ),
        limit: Some(limit),
        races,
    };
    [
        by(
            "breakdown by event_action: events, sessions, 30 days",
            "event_action",
            "e.event_action",
            "action",
            50.0,
            false,
        ),
        by(
            "breakdown by metadata.path: events, sessions, 30 days",
            "metadata.path",
            "e.metadata->>'path'",
            "metadata.path.:String",
            500.0,
            true,
        ),
        by(
            "breakdown by metadata.country: events, sessions, 30 days",
            "metadata.country",
            "e.metadata->>'country'",
            "metadata.country.:String",
            500.0,
            true,
        ),
    ]
}

fn uniques() -> [Asked; 2] {
    let of = |what, filters: Value, naive: &str, clickhouse: &str| Asked {
        what,
        kind: Kind::Figures,
        body: json!({ "metrics": ["visitors"], "date_range": "30d", "filters": filters }),
        naive: format!("SELECT count(DISTINCT {PERSON}) {}{naive}", raw(MONTH)),
        clickhouse: format!("SELECT uniqExact(person) {}{clickhouse}", table(MONTH)),
        limit: Some(50.0),
        races: false,
    };
    [
        of("uniques: visitors, 30 days", json!([]), "", ""),
        of(
            "uniques: visitors of one event_type, 30 days",
            json!([["is", "event_type", ["commerce"]]]),
            " AND e.event_type = 'commerce'",
            " AND type = 'commerce'",
        ),
    ]
}

fn prices() -> Asked {
    Asked {
        what: "sum:metadata.price by metadata.country, 30 days",
        kind: Kind::Figures,
        body: json!({
            "metrics": ["sum:metadata.price"], "dimensions": ["metadata.country"], "date_range": "30d",
        }),
        naive: format!("SELECT e.metadata->>'country', sum((e.metadata->>'price')::float8) {} GROUP BY 1", raw(MONTH)),
        clickhouse: format!(
            "SELECT metadata.country.:String AS country, sum(metadata.price.:Float64) {} GROUP BY country",
            table(MONTH)
        ),
        limit: Some(500.0),
        races: true,
    }
}

fn waits() -> Asked {
    Asked {
        what: "p95:metadata.ms by day, 30 days",
        kind: Kind::Figures,
        body: json!({ "metrics": ["p95:metadata.ms"], "dimensions": ["time:day"], "date_range": "30d" }),
        naive: format!(
            "SELECT (e.timestamp AT TIME ZONE 'UTC')::date, \
             percentile_cont(0.95) WITHIN GROUP (ORDER BY (e.metadata->>'ms')::float8) {} GROUP BY 1",
            raw(MONTH)
        ),
        clickhouse: format!(
            "SELECT toDate(ts, 'UTC') AS day, quantileExactInclusive(0.95)(metadata.ms.:Int64) {} GROUP BY day",
            table(MONTH)
        ),
        limit: Some(500.0),
        races: true,
    }
}

fn funnel(what: &'static str, range: &str, days: [&str; 2]) -> Asked {
    let step = |action: &str| json!({ "filters": [["is", "event_action", [action]]] });
    Asked {
        what,
        kind: Kind::Funnel,
        body: json!({
            "steps": [step("view_item"), step("add_to_cart"), step("purchase")], "window": "1d", "by": "person",
            "date_range": range,
        }),
        // The latest start that a step can still follow is enough to tell how far somebody gets. A window is of hours: a day
        // of the server's zone may have 25 of them.
        naive: format!(
            "WITH e AS (SELECT {PERSON} AS person, e.timestamp AS t, e.event_action AS a {}), \
             one AS (SELECT *, max(t) FILTER (WHERE a = 'view_item') OVER (PARTITION BY person ORDER BY t) AS first FROM e), \
             two AS (SELECT *, max(first) FILTER (WHERE a = 'add_to_cart' AND t <= first + INTERVAL '24 hours') \
                 OVER (PARTITION BY person ORDER BY t) AS second FROM one) \
             SELECT count(DISTINCT person) FILTER (WHERE a = 'view_item'), \
                 count(DISTINCT person) FILTER (WHERE a = 'add_to_cart' AND t <= first + INTERVAL '24 hours'), \
                 count(DISTINCT person) FILTER (WHERE a = 'purchase' AND t <= second + INTERVAL '24 hours') FROM two",
            raw(days)
        ),
        clickhouse: format!(
            "SELECT countIf(reached >= 1), countIf(reached >= 2), countIf(reached >= 3) FROM (\
             SELECT windowFunnel(86400000000)(toUInt64(toUnixTimestamp64Micro(ts)), \
                 action = 'view_item', action = 'add_to_cart', action = 'purchase') AS reached {} \
             AND action IN ('view_item', 'add_to_cart', 'purchase') GROUP BY person)",
            table(days)
        ),
        limit: Some(500.0),
        races: true,
    }
}

/// The events lie in thirty days, so that four weeks are asked for.
fn retention() -> Asked {
    Asked {
        what: "retention by person, 8 weeks, cohorts of 30 days",
        kind: Kind::Retention,
        body: json!({
            "start": { "filters": [["is", "event_action", ["page_view"]]] }, "return": { "filters": [] },
            "unit": "week", "periods": 8, "mode": "on", "first": "in_range", "by": "person", "date_range": "30d",
        }),
        naive: format!(
            "WITH e AS (SELECT {PERSON} AS person, e.timestamp AS t, e.event_action AS a {}), \
             s AS (SELECT person, min(t) AS start FROM e WHERE a = 'page_view' GROUP BY person), \
             w AS (SELECT person, date_trunc('week', start AT TIME ZONE 'UTC')::date AS cohort, \
                 date_trunc('week', t AT TIME ZONE 'UTC')::date AS week FROM s JOIN e USING (person) WHERE t >= start) \
             SELECT cohort, (week - cohort) / 7, count(DISTINCT person) FROM w WHERE week - cohort < 56 GROUP BY 1, 2",
            raw(MONTH)
        ),
        clickhouse: format!(
            "SELECT toStartOfWeek(start, 1, 'UTC') AS cohort, intDiv(dateDiff('day', cohort, seen.1), 7) AS period, count() \
             FROM (SELECT person, minIf(first, starts > 0) AS start, groupArray((week, last)) AS weeks FROM (\
             SELECT person, toStartOfWeek(ts, 1, 'UTC') AS week, minIf(ts, action = 'page_view') AS first, \
                 countIf(action = 'page_view') AS starts, max(ts) AS last {} GROUP BY person, week) \
             GROUP BY person HAVING sum(starts) > 0) \
             ARRAY JOIN arrayFilter(x -> x.2 >= start, weeks) AS seen WHERE period < 8 GROUP BY cohort, period",
            table(MONTH)
        ),
        limit: Some(500.0),
        races: true,
    }
}

fn paths() -> Asked {
    Asked {
        what: "paths by person, depth 5, 30 days",
        kind: Kind::Paths,
        body: json!({ "depth": 5, "by": "person", "name": "event_action", "limit": 10, "date_range": "30d" }),
        naive: format!(
            "WITH e AS (SELECT {PERSON} AS person, e.timestamp AS t, e.id, e.event_action AS a {}), \
             c AS (SELECT *, lag(a) OVER (PARTITION BY person ORDER BY t, id) AS before FROM e), \
             n AS (SELECT a, row_number() OVER w - 1 AS step, lead(a) OVER w AS after FROM c \
                 WHERE a IS DISTINCT FROM before WINDOW w AS (PARTITION BY person ORDER BY t, id)), \
             k AS MATERIALIZED (SELECT * FROM n WHERE step < 5) \
             SELECT 'node', step, a, '', count(*) FROM k GROUP BY step, a UNION ALL \
             SELECT 'link', step, a, after, count(*) FROM k WHERE step < 4 AND after IS NOT NULL GROUP BY step, a, after",
            raw(MONTH)
        ),
        clickhouse: format!(
            "SELECT part.1, part.2, part.3, part.4, count() FROM (\
             SELECT arraySlice(arrayCompact(arrayMap(x -> x.2, arraySort(groupArray((ts, toString(action)))))), 1, 5) AS path \
             {} GROUP BY person) ARRAY JOIN arrayConcat(\
             arrayMap((name, step) -> ('node', step - 1, name, ''), path, arrayEnumerate(path)), \
             arrayMap((name, next, step) -> ('link', step - 1, name, next), arrayPopBack(path), arrayPopFront(path), \
                 arrayEnumerate(arrayPopBack(path)))) AS part GROUP BY part.1, part.2, part.3, part.4",
            table(MONTH)
        ),
        limit: None,
        races: false,
    }
}

fn sessions() -> Asked {
    Asked {
        what: "sessions of 7 days, the newest 100",
        kind: Kind::Sessions,
        body: json!({ "date_range": "7d", "limit": 100 }),
        naive: format!(
            "SELECT e.session_id, max(s.user_id), count(*) {} GROUP BY 1 ORDER BY min(e.timestamp) DESC, 1 DESC LIMIT 100",
            raw(WEEK)
        ),
        clickhouse: format!(
            "SELECT session, argMin(user, if(user IS NULL, NULL, ts)), count() {} \
             GROUP BY session ORDER BY min(ts) DESC, session DESC LIMIT 100",
            table(WEEK)
        ),
        limit: None,
        races: false,
    }
}

fn session() -> Asked {
    let id = "s-000000001388";
    Asked {
        what: "a session's events",
        kind: Kind::Session,
        body: json!({ "id": id }),
        naive: format!(
            "SELECT session_id, count(*) FROM raw_events WHERE project = 'default' AND session_id = '{id}' GROUP BY 1"
        ),
        clickhouse: format!("SELECT session, count() FROM events WHERE session = '{id}' GROUP BY session"),
        limit: None,
        races: false,
    }
}

fn person() -> Asked {
    let id = "user-000042";
    Asked {
        what: "a person's events",
        kind: Kind::User,
        body: json!({ "id": id }),
        naive: format!(
            "SELECT '{id}', count(*), count(DISTINCT e.session_id) FROM raw_events e \
             LEFT JOIN session_users s ON s.project = e.project AND s.session_id = e.session_id \
             WHERE e.project = 'default' AND coalesce(e.user_id, s.user_id) = '{id}'"
        ),
        clickhouse: format!("SELECT '{id}', count(), uniqExact(session) FROM events WHERE person = 'u{id}'"),
        limit: None,
        races: false,
    }
}
