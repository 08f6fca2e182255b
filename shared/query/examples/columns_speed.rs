//! How long answers from columns take without any store: `cargo run --release -p analytics-query --example columns_speed -- 1000000`.
//!
//! Makes the columns of so many events over thirty days in memory, hands them to each question as a store would, and prints
//! the shortest of five times on the wall and, where the kernel tells it, the mean time of the CPU, of all threads. A second
//! argument is a text: only questions whose names hold it are asked; a third is how many times.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a command-line tool that may panic")]

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

use analytics_columns::{Block, BlockMaker, Column, EventRow, Quarter, Segment, columns};
use analytics_domain::{Project, Retention, Timestamp};
use analytics_query::{
    Askable, Cell, Context, Dialect, Executable, FunnelQuestion, Intake as _, Param, PathsQuestion, Question,
    RetentionQuestion, Row, Statement, plan,
};
use serde_json::{Value, json};

const DAY: i64 = 86_400_000_000;
/// 2026-11-20T12:00:00Z.
const NOW: i64 = 1_795_176_000_000_000;
const DAYS: i64 = 30;

/// Type, action, and how often among 100 events.
const HAPPENINGS: [(&str, &str, u64); 8] = [
    ("navigation", "page_view", 46),
    ("navigation", "search", 10),
    ("engagement", "click", 14),
    ("engagement", "scroll_end", 6),
    ("commerce", "view_item", 12),
    ("commerce", "add_to_cart", 7),
    ("commerce", "purchase", 3),
    ("account", "sign_in", 2),
];

/// Numbers that look random (splitmix64), the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.roll() % end.max(1)
    }

    /// Below `end`, the low ones much more often.
    fn skewed(&mut self, end: f64) -> u64 {
        let part = self.below(1 << 32) as f64 / (1_u64 << 32) as f64;
        (part.powi(3) * end) as u64
    }

    fn happening(&mut self) -> (&'static str, &'static str) {
        let mut drawn = self.below(100);
        for (event_type, action, often) in HAPPENINGS {
            if drawn < often {
                return (event_type, action);
            }
            drawn -= often;
        }
        ("navigation", "page_view")
    }
}

/// A session that goes on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Visit {
    next: i64,
    session: u32,
    /// Its user, 0 for none.
    user: u32,
    left: u64,
    country: u64,
}

struct Happened {
    visit: Visit,
    event_type: &'static str,
    action: &'static str,
    metadata: String,
}

/// One quarter's columns after the other.
fn quarters(events: u64) -> Vec<(Quarter, Vec<Column>)> {
    let mut dice = Dice(7);
    let users = (events / 100).max(1);
    let pace = (DAYS * DAY) as f64 * 0.99 / (events as f64 / 10.5);
    let mut going_on: BinaryHeap<Reverse<Visit>> = BinaryHeap::new();
    let (mut next_start, mut sessions) = ((NOW - DAYS * DAY) as f64, 0);
    let mut rows: Vec<Happened> = Vec::new();
    let mut all = Vec::new();
    for _ in 0..events {
        while going_on.peek().is_none_or(|Reverse(visit)| next_start <= visit.next as f64) {
            sessions += 1;
            let user = if dice.below(3) == 0 { 1 + dice.below(users) as u32 } else { 0 };
            let (left, country) = (1 + dice.below(20), dice.skewed(30.0));
            going_on.push(Reverse(Visit { next: next_start as i64, session: sessions, user, left, country }));
            next_start += pace * dice.below(2_000) as f64 / 1_000.0;
        }
        let Reverse(visit) = going_on.pop().unwrap();
        let quarter = |visit: &Visit| Quarter::of(Timestamp::from_micros(visit.next));
        if rows.first().is_some_and(|first| quarter(&first.visit) != quarter(&visit)) {
            all.push((quarter(&rows[0].visit), encode(&rows)));
            rows.clear();
        }
        let (event_type, action) = dice.happening();
        let (country, ms, path) = (visit.country, 5 + dice.below(2_000), dice.skewed(500.0));
        let price =
            if event_type == "commerce" { format!(r#","price":{}.99"#, dice.below(200)) } else { String::new() };
        let metadata = format!(r#"{{"country":"C{country}","ms":{ms},"path":"/products/{path}"{price}}}"#);
        rows.push(Happened { visit, event_type, action, metadata });
        if visit.left > 1 {
            let next = visit.next + 1_000 + dice.below(120_000_000) as i64;
            going_on.push(Reverse(Visit { next, left: visit.left - 1, ..visit }));
        }
    }
    if let Some(first) = rows.first() {
        all.push((Quarter::of(Timestamp::from_micros(first.visit.next)), encode(&rows)));
    }
    all
}

fn encode(rows: &[Happened]) -> Vec<Column> {
    let rows: Vec<EventRow<'_>> = rows
        .iter()
        .map(|Happened { visit, event_type, action, metadata }| EventRow {
            timestamp: Timestamp::from_micros(visit.next),
            session: visit.session,
            // Some events come before the session's user has signed in.
            user: if visit.left < 10 { visit.user } else { 0 },
            known: visit.user,
            event_type,
            event_action: action,
            metadata,
        })
        .collect();
    columns(&rows)
}

/// What a store would keep of the events.
struct Kept {
    quarters: Vec<(Quarter, Vec<Column>)>,
    /// All but the newest, which would still change.
    blocks: Vec<(Block, [Column; 3])>,
}

impl Kept {
    fn of(events: u64) -> Self {
        let quarters = quarters(events);
        let of_block = |quarters: &[(Quarter, Vec<Column>)]| {
            let mut maker = BlockMaker::default();
            for (quarter, columns) in quarters {
                maker.take(&Segment::new(*quarter, columns.iter().cloned())).unwrap();
            }
            (Block::of(quarters[0].0), maker.columns())
        };
        let mut blocks: Vec<_> = quarters.chunk_by(|a, b| Block::of(a.0) == Block::of(b.0)).map(of_block).collect();
        blocks.pop();
        Self { quarters, blocks }
    }
}

/// The rows of a statement over columns or blocks; every other statement has none.
fn rows(statement: &Statement, kept: &Kept) -> Vec<Row> {
    let (mut bounds, mut names, mut texts, mut blocks) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for param in &statement.params {
        match param {
            Param::Int(bound) => bounds.push(*bound),
            Param::Text(text) => texts.push(text.as_str()),
            Param::Texts(texts) => names.extend_from_slice(texts),
            Param::Ints(numbers) => blocks.extend_from_slice(numbers),
            _ => {}
        }
    }
    let is_taken = |block: &Block| blocks.contains(&block.0) && kept.blocks.iter().any(|(made, _)| made == block);
    if statement.sql.contains("c.data FROM event_columns") {
        let (first, last) = (bounds[0], bounds[1]);
        let within = |quarter: &Quarter| first <= quarter.0 && quarter.0 < last && !is_taken(&Block::of(*quarter));
        let quarters = kept.quarters.iter().filter(|(quarter, _)| within(quarter));
        let columns = quarters.flat_map(|(quarter, columns)| columns.iter().map(|column| (*quarter, column)));
        return columns
            .filter(|(_, column)| names.contains(&column.name))
            .map(|(quarter, Column { name, data })| {
                vec![Cell::Int(quarter.0), Cell::Int(0), Cell::Text(name.clone()), Cell::Bytes(data.clone())]
            })
            .collect();
    }
    if statement.sql.starts_with("SELECT b.block, b.data FROM block_counts") {
        let blocks = kept.blocks.iter().filter(|(block, _)| is_taken(block));
        let columns = blocks.flat_map(|(block, columns)| columns.iter().map(|column| (*block, column)));
        let asked = columns.filter(|(_, column)| texts.contains(&column.name.as_str()));
        return asked.map(|(block, column)| vec![Cell::Int(block.0), Cell::Bytes(column.data.clone())]).collect();
    }
    Vec::new()
}

fn times() -> u32 {
    std::env::args().nth(3).map_or(5, |times| times.parse().unwrap())
}

/// How long the process has been on CPUs, in milliseconds; the kernel tells it in hundredths of a second.
fn cpu() -> f64 {
    let told = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Behind the program's name, which may hold spaces.
    let told = told.rsplit(')').next().unwrap_or_default().split_whitespace();
    told.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() * 10.0
}

fn measure<Q: Askable>(what: &str, question: &Q, kept: &Kept) {
    let context = Context {
        now: Timestamp::from_micros(NOW),
        project: Project::default(),
        retention: Retention { days: 90 },
        first_event: Some(kept.quarters[0].0.start()),
        newest_receipt: None,
        has_columns: true,
    };
    let (mut shortest, mut on_cpus) = (f64::MAX, 0.0);
    let mut read = 0;
    for _ in 0..times() {
        let planned = plan(question, &context).unwrap();
        // The rows are there before the clock starts.
        let statements = planned.statements(Dialect::Postgres);
        let rows: Vec<Vec<Row>> = statements.iter().map(|statement| rows(statement, kept)).collect();
        read = rows.iter().map(Vec::len).sum();
        let (began, before) = (Instant::now(), cpu());
        let mut intake = planned.intake();
        let mut rows =
            rows.into_iter().enumerate().flat_map(|(place, rows)| rows.into_iter().map(move |row| (place, row)));
        let answer = rows.try_for_each(|(place, row)| intake.push(place, row)).and_then(|()| intake.finish());
        if let Err(refusal) = answer {
            println!("{what:<40} {refusal}");
            return;
        }
        shortest = shortest.min(began.elapsed().as_secs_f64() * 1e3);
        on_cpus += cpu() - before;
        std::hint::black_box(&answer);
    }
    println!("{what:<40} {shortest:7.1} ms, {:7.1} ms of CPU, {read} rows", on_cpus / f64::from(times()));
}

fn figures() -> Vec<(&'static str, Value)> {
    let by =
        |dimension: &str| json!({"metrics": ["events", "sessions"], "dimensions": [dimension], "date_range": "30d"});
    let trend = |zone: &str| json!({"metrics": ["events", "visitors"], "dimensions": ["time:day"], "date_range": "30d", "timezone": zone});
    let overview =
        json!({"metrics": ["events", "sessions", "visitors"], "date_range": "30d", "compare": "previous_period"});
    let filters = [["is", "event_type", "commerce"]].map(|[operator, field, value]| json!([operator, field, [value]]));
    let prices = ["events", "sum:metadata.price"];
    vec![
        ("overview, 30 days", overview),
        ("trend by day, UTC", trend("UTC")),
        ("trend by day, Asia/Kathmandu", trend("Asia/Kathmandu")),
        ("by event_action, sessions", by("event_action")),
        ("by metadata.path, sessions", by("metadata.path")),
        ("by metadata.country, sessions", by("metadata.country")),
        ("visitors of one event_type", json!({"metrics": ["visitors"], "filters": filters, "date_range": "30d"})),
        (
            "sum of price by country",
            json!({"metrics": prices, "dimensions": ["metadata.country"], "date_range": "30d"}),
        ),
        ("p95 of ms by day", json!({"metrics": ["p95:metadata.ms"], "dimensions": ["time:day"], "date_range": "30d"})),
    ]
}

fn main() {
    let events: u64 = std::env::args().nth(1).map_or(1_000_000, |events| events.parse().unwrap());
    let only = std::env::args().nth(2).unwrap_or_default();
    let is_asked = |what: &str| what.contains(&only);
    let began = Instant::now();
    let kept = Kept::of(events);
    let size =
        |columns: &[Column]| columns.iter().map(|column| column.data.len()).sum::<usize>() as f64 / events as f64;
    println!(
        "{events} events in {} quarters, {:.1} bytes an event and {:.1} of blocks, made in {:.1} s",
        kept.quarters.len(),
        kept.quarters.iter().map(|(_, columns)| size(columns)).sum::<f64>(),
        kept.blocks.iter().map(|(_, columns)| size(columns)).sum::<f64>(),
        began.elapsed().as_secs_f64()
    );
    for (what, body) in figures().iter().filter(|(what, _)| is_asked(what)) {
        measure(what, &Question::from_json(body).unwrap(), &kept);
    }
    let step = |action: &str| json!({"filters": [["is", "event_action", [action]]]});
    let steps = [step("view_item"), step("add_to_cart"), step("purchase")];
    for (what, range) in [("3-step funnel, 7 days", "7d"), ("3-step funnel, 30 days", "30d")] {
        if is_asked(what) {
            let body = json!({"steps": steps, "date_range": range});
            measure(what, &FunnelQuestion::from_json(&body).unwrap(), &kept);
        }
    }
    if is_asked("retention, 4 weeks") {
        let start = json!({"filters": [["is", "event_action", ["page_view"]]]});
        let back = json!({"filters": []});
        let body = json!({"start": start, "return": back, "unit": "week", "periods": 4, "date_range": "30d"});
        measure("retention, 4 weeks", &RetentionQuestion::from_json(&body).unwrap(), &kept);
    }
    if is_asked("paths, 30 days") {
        let body = json!({"date_range": "30d", "name": "event_action"});
        measure("paths, 30 days", &PathsQuestion::from_json(&body).unwrap(), &kept);
    }
}
