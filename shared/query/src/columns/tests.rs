//! Answers that several threads make held against those of one.

use std::collections::{BTreeMap, BTreeSet};

use analytics_columns::{Block, BlockMaker, Column, EventRow, Quarter, Segment, columns};
use analytics_domain::{Project, Retention, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{STATEMENTS, Threads};
use crate::funnel::FunnelIntake;
use crate::paths::PathsIntake;
use crate::retention::RetentionIntake;
use crate::{
    Askable as _, Cell, Context, Dialect, Executable, FunnelQuestion, Intake, Param, PathsQuestion, Question,
    QuestionIntake, RetentionQuestion, Row, Statement,
};

/// 2026-11-20T12:00:00Z, the first instant of a quarter and of a block.
const NOW: i64 = 1_795_176_000_000_000;
const QUARTER: i64 = 900_000_000;
/// Events lie in the last days: so many quarters.
const QUARTERS: i64 = 300;

/// From so many bytes on a question has threads.
const LARGE: [usize; 2] = [0, 8_000];

const ACTIONS: [&str; 4] = ["view", "cart", "pay", "leave"];

#[derive(Debug, Clone)]
struct Happened {
    at: i64,
    session: u32,
    user: u32,
    action: usize,
    metadata: String,
}

/// What a store holds: events in order, quarters without columns, who sessions are known by, and where that has changed.
#[derive(Debug, Clone)]
struct Kept {
    events: Vec<Happened>,
    marked: BTreeSet<i64>,
    known: Vec<u32>,
    changed: Vec<(u32, u32)>,
}

fn happened() -> impl Strategy<Value = Happened> {
    // Few instants of a quarter, so that many are equal.
    let at = (0..QUARTERS, 0_i64..4).prop_map(|(quarter, place)| NOW - (quarter + 1) * QUARTER + place * 225_000_000);
    let number = prop_oneof![
        3 => (-999_i32..999).prop_map(|tenths| json!(f64::from(tenths) * 0.1)),
        1 => Just(json!(1e15)),
        1 => Just(json!("none")),
    ];
    let metadata = (0..6_u32, number).prop_map(|(path, number)| json!({"n": number, "path": format!("/{path}")}));
    (at, 1..9_u32, prop_oneof![Just(0), 1..5_u32], 0..ACTIONS.len(), metadata).prop_map(
        |(at, session, user, action, metadata)| Happened { at, session, user, action, metadata: metadata.to_string() },
    )
}

fn kept() -> impl Strategy<Value = Kept> {
    let events = proptest::collection::vec(happened(), 0..400);
    let marked = proptest::collection::btree_set(NOW / QUARTER - QUARTERS..NOW / QUARTER, 0..20);
    let known = proptest::collection::vec(0..5_u32, 9);
    let changed = proptest::collection::vec((1..9_u32, 0..5_u32), 0..3);
    (events, marked, known, changed).prop_map(|(mut events, marked, known, changed)| {
        events.sort_by_key(|event| event.at);
        Kept { events, marked, known, changed }
    })
}

impl Kept {
    fn known(&self, event: &Happened) -> u32 {
        self.known.get(event.session as usize).copied().unwrap_or(0)
    }

    fn columns(&self, events: &[Happened]) -> Vec<Column> {
        let row = |event: &Happened| {
            let known = self.known(event);
            (Timestamp::from_micros(event.at), event.session, event.user, known, ACTIONS[event.action])
        };
        let rows: Vec<EventRow<'_>> = events
            .iter()
            .map(|event| {
                let (timestamp, session, user, known, event_action) = row(event);
                EventRow {
                    timestamp,
                    session,
                    user,
                    known,
                    event_type: "page",
                    event_action,
                    metadata: &event.metadata,
                }
            })
            .collect();
        columns(&rows)
    }

    /// The columns of each quarter that has them; those of many events are in two parts.
    fn segments(&self) -> Vec<(i64, i64, Vec<Column>)> {
        let mut segments = Vec::new();
        for events in self.events.chunk_by(|one, other| one.at / QUARTER == other.at / QUARTER) {
            let quarter = events[0].at / QUARTER;
            if !self.marked.contains(&quarter) {
                let half = if events.len() > 3 { events.len() / 2 } else { events.len() };
                let parts = events.chunks(half.max(1)).enumerate();
                segments.extend(parts.map(|(part, events)| (quarter, part as i64, self.columns(events))));
            }
        }
        segments
    }

    /// The rows of the statements of one range.
    fn rows(&self, statements: &[Statement]) -> Vec<Vec<Row>> {
        let text = |text: &str| Cell::Text(text.to_owned());
        let user = |user: u32| match user {
            0 => [Cell::Null, Cell::Null],
            user => [Cell::Text(format!("u{user}")), Cell::Int(user.into())],
        };
        let changed = self.changed.iter().map(|(session, to)| {
            let [name, number] = user(*to);
            vec![Cell::Int((*session).into()), name, number]
        });
        let mut blocks: BTreeMap<i64, BlockMaker> = BTreeMap::new();
        let segments = self.segments();
        for (quarter, _, columns) in &segments {
            let maker = blocks.entry(Block::of(Quarter(*quarter)).0).or_default();
            maker.take(&Segment::new(Quarter(*quarter), columns.iter().cloned())).unwrap();
        }
        self.marked.iter().for_each(|quarter| drop(blocks.remove(&Block::of(Quarter(*quarter)).0)));
        let (mut asked, mut name) = (Vec::new(), String::new());
        for param in statements.get(2).into_iter().flat_map(|statement| &statement.params) {
            match param {
                Param::Ints(numbers) => asked.clone_from(numbers),
                Param::Text(text) => name.clone_from(text),
                _ => {}
            }
        }
        blocks.retain(|block, _| asked.contains(block));
        let taken: BTreeSet<i64> = blocks.keys().copied().collect();
        let block = |(block, maker): (i64, BlockMaker)| {
            let column = maker.columns().into_iter().find(|column| column.name == name);
            vec![Cell::Int(block), Cell::Bytes(column.unwrap().data)]
        };
        let column = |quarter: i64, part: i64, Column { name, data }: Column| {
            vec![Cell::Int(quarter), Cell::Int(part), Cell::Text(name), Cell::Bytes(data)]
        };
        let of_quarters = segments
            .into_iter()
            .filter(|(quarter, ..)| !taken.contains(&Block::of(Quarter(*quarter)).0))
            .flat_map(|(quarter, part, columns)| columns.into_iter().map(move |one| column(quarter, part, one)));
        let raw = self.events.iter().filter(|event| self.marked.contains(&(event.at / QUARTER))).map(|event| {
            let ([user, user_number], [known, known_number]) = (user(event.user), user(self.known(event)));
            // The newest session has no number yet.
            let number = if event.session == 8 { Cell::Null } else { Cell::Int(event.session.into()) };
            let session = Cell::Text(format!("s{}", event.session));
            let fields = [text("page"), text(ACTIONS[event.action]), text(&event.metadata)];
            let row = [Cell::Int(event.at), session, user].into_iter().chain(fields);
            row.chain([number, user_number, known, known_number]).collect()
        });
        vec![
            vec![vec![text("s"), Cell::Int(9)], vec![text("u"), Cell::Int(5)]],
            changed.collect(),
            blocks.into_iter().map(block).collect(),
            of_quarters.collect(),
            raw.collect(),
        ]
    }

    /// Has up to four threads make an answer, from the first quarter on and from a later one, and compares each with that of one,
    /// which it gives.
    fn same<I: Intake>(&self, what: &Value, statements: &[Statement], intake: impl Fn(Threads) -> I) -> String {
        let crews: Vec<Threads> =
            (1..=4).flat_map(|most| LARGE.map(|held| Threads::of_test(most).after(held))).collect();
        let rows = self.rows_of_all(statements);
        let answers: Vec<String> = crews.iter().map(|threads| answer(&rows, intake(*threads))).collect();
        for (threads, answer) in crews.iter().zip(&answers).skip(1) {
            assert_eq!(answer, &answers[0], "{threads:?}: {what}");
        }
        answers.into_iter().next().unwrap()
    }

    /// The rows of statements. Turns ask the same again.
    fn rows_of_all(&self, statements: &[Statement]) -> Vec<Vec<Row>> {
        let mut asked: Vec<(&[Statement], Vec<Vec<Row>>)> = Vec::new();
        let of_one = |of_one| match asked.iter().find(|(known, _)| *known == of_one) {
            Some((_, rows)) => rows.clone(),
            None => {
                asked.push((of_one, self.rows(of_one)));
                asked.last().unwrap().1.clone()
            }
        };
        statements.chunks(STATEMENTS).flat_map(of_one).collect()
    }

    /// The same, and in four and in sixteen turns what it is of all actors at once.
    fn same_in_turns<P, I>(&self, what: &Value, plan: &P, intake: impl Fn(&P, Threads) -> I)
    where
        P: Executable<Intake = I>,
        I: Intake,
    {
        let at_once = self.same(what, &plan.statements(Dialect::Sqlite), |threads| intake(plan, threads));
        let (mut turns, mut more) = (Vec::new(), plan.fallback());
        while let Some(plan) = more.filter(Executable::is_of_one_state) {
            let statements = plan.statements(Dialect::Sqlite);
            let answer = answer(&self.rows_of_all(&statements), intake(&plan, Threads::of_test(1 + turns.len())));
            assert_eq!(answer, at_once, "{} statements: {what}", statements.len());
            turns.push(statements.len() / STATEMENTS);
            more = plan.fallback();
        }
        assert_eq!(turns, [4, 16]);
    }
}

/// The answer that an intake makes of the rows of all statements.
fn answer<I: Intake>(rows: &[Vec<Row>], mut intake: I) -> String {
    for (place, rows) in rows.iter().enumerate() {
        rows.iter().for_each(|row| intake.push(place, row.clone()).unwrap());
    }
    serde_json::to_string(&intake.finish().unwrap()).unwrap()
}

fn context() -> Context {
    Context {
        now: Timestamp::from_micros(NOW),
        project: Project::default(),
        retention: Retention { days: 90 },
        first_event: Some(Timestamp::from_micros(NOW - QUARTERS * QUARTER)),
        newest_receipt: None,
        has_columns: true,
    }
}

fn word(words: &[&'static str]) -> impl Strategy<Value = &'static str> + use<> {
    proptest::sample::select(words.to_vec())
}

fn is(action: &str) -> Value {
    json!({"filters": [["is", "event_action", [action]]]})
}

fn figures() -> impl Strategy<Value = Value> {
    let metrics = prop_oneof![
        Just(json!(["events", "sessions", "users", "visitors"])),
        Just(json!(["visitors", "sum:metadata.n", "avg:metadata.n", "min:metadata.n", "max:metadata.n"])),
        Just(json!(["events", "p50:metadata.n", "p95:metadata.n"])),
    ];
    let dimensions = prop_oneof![
        Just(json!([])),
        Just(json!(["time:day"])),
        Just(json!(["metadata.path"])),
        Just(json!(["time:hour", "event_action"])),
        Just(json!(["event_action", "metadata.path", "event_type"])),
    ];
    let filters = prop_oneof![
        2 => Just(json!([])),
        1 => Just(json!([["is", "event_action", ["view", "pay"]]])),
        1 => Just(json!([["or", [["gt", "metadata.n", [0]], ["is_not", "metadata.path", ["/1"]]]]])),
    ];
    let compare = prop_oneof![Just(Value::Null), Just(json!("previous_period"))];
    (metrics, dimensions, filters, word(&["24h", "7d"]), word(&["UTC", "Asia/Kathmandu"]), compare).prop_map(
        |(metrics, dimensions, filters, range, zone, compare)| {
            let mut question = json!({
                "metrics": metrics, "dimensions": dimensions, "filters": filters, "date_range": range, "timezone": zone,
            });
            if !compare.is_null() {
                question["compare"] = compare;
            }
            question
        },
    )
}

fn funnels() -> impl Strategy<Value = Value> {
    let steps = prop_oneof![
        Just(json!([is("view"), is("cart"), is("pay")])),
        Just(json!([{"filters": [["gt", "metadata.n", [0]]]}, {"filters": []}])),
        Just(json!([is("view"), {"filters": [["is", "event_action", ["pay"]], ["contains", "metadata.path", ["1"]]]}])),
    ];
    let breakdown = prop_oneof![Just(Value::Null), Just(json!("metadata.path"))];
    let order = word(&["ordered", "strict", "any"]);
    (steps, breakdown, order, word(&["person", "session"]), word(&["1h", "1d"]), any::<bool>()).prop_map(
        |(steps, breakdown, order, by, window, excludes)| {
            let mut question = json!({
                "steps": steps, "order": order, "by": by, "window": window, "date_range": "7d",
            });
            if !breakdown.is_null() {
                question["breakdown"] = breakdown;
            }
            if excludes {
                question["exclude"] = json!([{"filters": is("leave")["filters"], "after": 0, "before": 1}]);
            }
            question
        },
    )
}

fn paths() -> impl Strategy<Value = Value> {
    let ends = prop_oneof![Just(json!({})), Just(json!({"from": is("view")})), Just(json!({"to": is("pay")})),];
    (ends, word(&["event_action", "metadata.path"]), word(&["person", "session"]), 2..6_u32).prop_map(
        |(mut question, name, by, depth)| {
            question["name"] = json!(name);
            question["by"] = json!(by);
            question["depth"] = json!(depth);
            question["limit"] = json!(3);
            question["date_range"] = json!("7d");
            question
        },
    )
}

fn retentions() -> impl Strategy<Value = Value> {
    let returns = prop_oneof![Just(json!({"filters": []})), Just(is("pay"))];
    let modes = (word(&["on", "on_or_after"]), word(&["in_range", "ever"]), word(&["day", "week"]));
    (returns, modes, word(&["person", "session"])).prop_map(|(returns, (mode, first, unit), by)| {
        json!({
            "start": is("view"), "return": returns, "mode": mode, "first": first, "unit": unit, "by": by,
            "date_range": "7d", "periods": 4,
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn figures_are_the_same_to_the_last_bit(kept in kept(), question in figures()) {
        let plan = Question::from_json(&question).unwrap().plan(&context()).unwrap();
        let statements = plan.statements(Dialect::Sqlite);
        prop_assert_eq!(statements.len() % STATEMENTS, 0);
        kept.same(&question, &statements, |threads| QuestionIntake::new(&plan, threads));
    }

    #[test]
    fn funnels_are_the_same(kept in kept(), question in funnels()) {
        let plan = FunnelQuestion::from_json(&question).unwrap().plan(&context()).unwrap();
        kept.same_in_turns(&question, &plan, FunnelIntake::new);
    }

    #[test]
    fn paths_are_the_same(kept in kept(), question in paths()) {
        let plan = PathsQuestion::from_json(&question).unwrap().plan(&context()).unwrap();
        kept.same_in_turns(&question, &plan, PathsIntake::new);
    }

    #[test]
    fn retention_is_the_same(kept in kept(), question in retentions()) {
        let plan = RetentionQuestion::from_json(&question).unwrap().plan(&context()).unwrap();
        kept.same_in_turns(&question, &plan, RetentionIntake::new);
    }
}
